/*
 * What tlsctx and tlsio share.
 */
#ifndef TLS_TLSCTX_PRIV_H
#define TLS_TLSCTX_PRIV_H

#include <openssl/bio.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include "tls/tlscache.h"
#include "tls/tlsctx.h"
#include "tls/tlsio.h"

struct tlsctx {
	unsigned magic;
	unsigned refs;
	bool server;
	SSL_CTX *ssl;
	CRYPTO_BUFFER_POOL *pool; /* must outlive every certificate in it */
	BIO_METHOD *bio;
	X509_STORE *store; /* NULL: nothing is trusted */
	const struct tls_keyops *keyops;
	void *keyops_arg;
	const void *key_id;
	EVP_PKEY *key;		/* with the keyops of this process */
	struct tlscache *cache; /* client */
	char *warning;
};

/* tlsio_lib.c: what the library calls back. */
extern const SSL_PRIVATE_KEY_METHOD tlsio_key_method;
enum ssl_verify_result_t tlsio_verify(SSL *ssl, uint8_t *alert_r);
int tlsio_new_session(SSL *ssl, SSL_SESSION *session);
BIO_METHOD *tlsio_bio_new(void);

#endif
