/*
 * Certificates and keys from PEM files, with errors that name the file.
 */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "base/str.h"

enum { CERTS_MAX = 16 }; /* leaf and intermediates */

struct certs {
	CRYPTO_BUFFER *chain[CERTS_MAX];
	size_t n;
	EVP_PKEY *key; /* NULL: not asked for */
	char warning[256]; /* "" or what is odd about the leaf */
};

/* key_file NULL: no key is read. */
int certs_load(struct certs *c, const char *cert_file, const char *key_file,
    CRYPTO_BUFFER_POOL *pool, struct err *why);
/* The same from memory; what: its name in errors. */
int certs_load_pem(struct certs *c, struct str pem, const char *what,
    CRYPTO_BUFFER_POOL *pool, struct err *why);
void certs_fini(struct certs *c);
/* Adds every certificate of the file to store. */
int certs_trust(X509_STORE *store, const char *file, struct err *why);

#endif
