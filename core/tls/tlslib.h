/*
 * The TLS library: everything in which one BoringSSL differs from another.
 */
#ifndef TLS_TLSLIB_H
#define TLS_TLSLIB_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Text of the first error the library has queued, in small letters, or
 * otherwise; the queue is empty after. dst is returned. */
const char *tlslib_reason(char *dst, size_t n, const char *otherwise);

/* Key agreement of the connection; "" if there was none (resumed TLS 1.2). */
const char *tlslib_group(const SSL *ssl);
/*
 * "X25519:P-256" for a context and its connections, or for one (ssl not NULL).
 * list NULL: ours, the strongest first. Post-quantum groups that this library
 * lacks are left out; classic: all of them are. -1: a word that nobody knows,
 * or nothing is left.
 */
int tlslib_groups(SSL_CTX *ctx, SSL *ssl, const char *list, bool classic);
/* TLS 1.3 from the strongest suite down, where the library lets one say so. */
void tlslib_strongest(SSL_CTX *ctx);
/* The words of a cipher list that this library knows are added to known, the
 * others to unknown, each separated by a colon. */
void tlslib_cipher_words(SSL_CTX *scratch, const char *list, struct buf *known,
    struct buf *unknown);
/* What makes a client accept more servers where nothing is verified. */
void tlslib_tolerate(SSL *ssl);
X509 *tlslib_x509(CRYPTO_BUFFER *der);

#endif
