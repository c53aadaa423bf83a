/*
 * TLS sessions a client may resume, by a key that its caller makes.
 *
 * Memory of a fixed size, common to all processes forked after it was made:
 * what one worker got, another may use. Four sessions to a key; the oldest
 * goes. A single-use session (TLS 1.3) leaves when it is taken, and none is
 * given out past its end. Nobody ever waits: a place where somebody is busy is
 * as good as empty, and one whose owner died there is wiped.
 */
#ifndef TLS_TLSCACHE_H
#define TLS_TLSCACHE_H

#include <stddef.h>
#include <stdint.h>

struct ssl_ctx_st;
struct ssl_session_st;
struct tlscache;

/* size: octets, 64 KB at least; about one session in 8 KB. */
struct tlscache *tlscache_new(size_t size);
/* In this process; the others keep theirs. */
void tlscache_destroy(struct tlscache **cp);
/* Keeps a copy. A session of more than 8 KB is not kept. */
void tlscache_put(struct tlscache *c, uint64_t key,
    const struct ssl_session_st *session);
/* The newest one, of the caller's; NULL: none. */
struct ssl_session_st *tlscache_take(struct tlscache *c, uint64_t key,
    const struct ssl_ctx_st *ctx);

#endif
