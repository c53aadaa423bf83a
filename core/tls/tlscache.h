/*
 * TLS sessions a client may resume, by a key that its caller makes.
 *
 * At most 1,024 sessions, four to a key; the one unused for longest goes.
 * A single-use session (TLS 1.3) leaves when it is taken.
 */
#ifndef TLS_TLSCACHE_H
#define TLS_TLSCACHE_H

#include <openssl/ssl.h>
#include <stdint.h>

struct tlscache;

struct tlscache *tlscache_new(void);
void tlscache_destroy(struct tlscache **cp);
/* Takes the reference. */
void tlscache_put(struct tlscache *c, uint64_t key, SSL_SESSION *session);
/* The newest one, with a reference of the caller's; NULL: none. */
SSL_SESSION *tlscache_take(struct tlscache *c, uint64_t key);

#endif
