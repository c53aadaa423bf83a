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
#include "tls/tlstrust.h"

enum { TLSCTX_TICKETS = 3 };

/* Made of one key of struct tls_ticket_keys. */
struct tlsctx_ticket {
	uint8_t name[16], aes[32], hmac[32];
};

struct tlsctx {
	unsigned magic;
	unsigned refs;
	bool server;
	SSL_CTX *ssl;
	CRYPTO_BUFFER_POOL *pool; /* must outlive every certificate in it */
	BIO_METHOD *bio;
	struct tlstrust *trust; /* NULL: nothing is trusted */
	struct tlsident **ident;
	unsigned nident;
	uint16_t min_version, max_version;
	char *ciphers, *groups; /* groups NULL: ours */
	bool request_client_cert, require_client_cert, verify_client_cert;
	struct tlscache *cache; /* client */
	bool own_cache;
	struct tlsctx_ticket ticket[TLSCTX_TICKETS]; /* the first makes */
	unsigned ntickets;
	char *warning;
};

/* Kept for tlsctx_warning(), the first only; words may be NULL. */
void tlsctx_warn(struct tlsctx *ctx, const char *text, const char *words);

/* tlsctx_words.c: NULL is ours. */
int tlsctx_set_ciphers(struct tlsctx *ctx, const char *list, struct err *why);
int tlsctx_set_groups(struct tlsctx *ctx, const char *list, struct err *why);

/* tlsctx_pick.c: shows the client the identity that suits it. */
enum ssl_select_cert_result_t tlsctx_pick(const SSL_CLIENT_HELLO *hello);

/* The same for a client that is asked for a certificate; it may have none. */
int tlsctx_pick_own(SSL *ssl, void *arg);

/* tlsio_lib.c: what the library calls back. */
enum ssl_verify_result_t tlsio_verify(SSL *ssl, uint8_t *alert_r);
int tlsio_new_session(SSL *ssl, SSL_SESSION *session);
BIO_METHOD *tlsio_bio_new(void);

#endif
