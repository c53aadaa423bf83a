/*
 * Certificates and keys from PEM text, with errors that name the file.
 */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

enum { CERTS_MAX = 16 }; /* leaf and intermediates */

struct certs {
	CRYPTO_BUFFER *chain[CERTS_MAX];
	size_t n;
	EVP_PKEY *key; /* NULL: not asked for */
	msec expires;  /* the leaf, wall time */
	char warning[256]; /* "" or what is odd about the leaf */
};

/* A chain and its key, which must fit the leaf; key NULL str: none is read.
 * what: their names in errors. */
int certs_parse(struct certs *c, struct str chain, const char *what,
    struct str key, const char *key_what, struct err *why);
void certs_fini(struct certs *c);
/* A date of a certificate as wall time. */
msec certs_time(const ASN1_TIME *t);

#endif
