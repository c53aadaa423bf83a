/*
 * A small certification authority for tests, made anew in each process. Its
 * files are in a temporary folder.
 */
#ifndef PKI_H
#define PKI_H

#include <openssl/base.h>
#include <stdbool.h>

#include "base/str.h"

enum pki_flags {
	PKI_RSA = 1 << 0,	  /* 2048 bits; else P-256 */
	PKI_EXPIRED = 1 << 1,
	PKI_FUTURE = 1 << 2,
	PKI_CLIENT_ONLY = 1 << 3, /* extendedKeyUsage */
	PKI_SELF = 1 << 4,	  /* signed by itself */
	PKI_NO_SAN = 1 << 5	  /* name in the subject only */
};

void pki_start(void);
void pki_stop(void);
const char *pki_ca(void);	    /* file with the root */
const char *pki_path(const char *name); /* in the folder; kept until stop */
void pki_write(const char *path, const char *text);
/* A PEM file: certificate and key. san: "DNS:mx.example" and the like. */
const char *pki_issue(const char *file, const char *san, unsigned flags);

/* Certificates of any kind, in memory; freed by pki_stop(). */
struct pki_cert {
	X509 *x;
	EVP_PKEY *key;
};

enum pki_key {
	PKI_KEY_P256,
	PKI_KEY_P384,
	PKI_KEY_P521,
	PKI_KEY_ED25519,
	PKI_KEY_RSA
};

struct pki_order {
	const char *cn;		 /* NULL: none */
	const char *cn2;	 /* another behind it */
	const char *san;	 /* "DNS:a.example,IP:192.0.2.1"; NULL: none */
	struct str raw;		 /* a DNS name of any octets, in place of san */
	unsigned many;		 /* so many DNS names in front of it */
	const struct pki_cert *issuer; /* NULL: itself */
	const struct pki_cert *twin;   /* whose key it has */
	enum pki_key key;
	long from, to;		 /* seconds from now; 0: two hours ago, a day */
	bool ca;
	bool sha1;
	bool spoiled;		 /* the signature is wrong */
	const char *eku;	 /* "serverAuth,clientAuth" */
	const char *constraints; /* "permitted;DNS:corp.example" */
	const char *critical;	 /* an extension nobody knows */
};

const struct pki_cert *pki_make(const struct pki_order *o);
/* The root of pki_issue(). */
const struct pki_cert *pki_root(void);
/* PEM of n certificates; of a list that has revoked (NULL: nobody). */
struct str pki_pem(const struct pki_cert *const *v, unsigned n);
struct str pki_crl(const struct pki_cert *issuer,
    const struct pki_cert *revoked, long from, long to);

#endif
