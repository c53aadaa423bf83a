/*
 * A small certification authority for tests, made anew in each process. Its
 * files are in a temporary folder.
 */
#ifndef PKI_H
#define PKI_H

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

#endif
