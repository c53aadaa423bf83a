/*
 * The inside of a pile of certificates, for core/tls only.
 */
#ifndef TLS_CERTPILE_PRIV_H
#define TLS_CERTPILE_PRIV_H

#include <openssl/x509.h>

#include "tls/certpile.h"

struct certpile {
	STACK_OF(X509) *certs;
	EVP_PKEY *key; /* NULL: none */
};

X509 *certpile_x509(const struct certpile *p, unsigned i);
void certpile_add(struct certpile *p, X509 *x); /* takes a reference */
/* Adds what is in a PKCS#12 file. */
int pkcs12_read(struct certpile *p, struct str der, const char *what,
    const char *passphrase, struct err *why);

#endif
