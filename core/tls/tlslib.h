/*
 * The TLS library: everything in which one BoringSSL differs from another.
 */
#ifndef TLS_TLSLIB_H
#define TLS_TLSLIB_H

#include <openssl/ssl.h>

#include "base/err.h"

/* Text of the first error the library has queued, in small letters, or
 * otherwise; the queue is empty after. dst is returned. */
const char *tlslib_reason(char *dst, size_t n, const char *otherwise);

/* Key agreement of the connection; "" if there was none (resumed TLS 1.2). */
const char *tlslib_group(const SSL *ssl);
int tlslib_set_groups(SSL_CTX *ctx, const char *list);
/* What makes a client accept more servers where nothing is verified. */
void tlslib_tolerate(SSL *ssl);
X509 *tlslib_x509(CRYPTO_BUFFER *der);

#endif
