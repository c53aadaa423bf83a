/*
 * Pools: memory that is freed all at once.
 *
 * One pool per configuration generation, connection, transaction and delivery
 * attempt. Nothing in a pool is freed singly; file descriptors and references
 * hang on it as clean-ups, which run in reverse order of pool_defer() when
 * the pool is reset or destroyed. A function that returns pool memory takes
 * the pool as its first argument. Not for use from two threads at once.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdarg.h>
#include <stddef.h>

#include "base/die.h"
#include "base/str.h"

struct pool;

typedef void pool_cleanup(void *arg);

/* first: bytes of the first block, 0 for the default (1 KB). */
struct pool *pool_new(size_t first);
void pool_destroy(struct pool **poolp);
/* Runs the clean-ups and forgets everything, keeping the first block. */
void pool_reset(struct pool *pool);

void *pool_alloc(struct pool *pool, size_t n); /* zeroed, aligned for any */
void *pool_dup(struct pool *pool, const void *p, size_t n);
char *pool_strdup(struct pool *pool, const char *s); /* NULL gives NULL */
char *pool_strndup(struct pool *pool, const char *s, size_t n);
struct str pool_str(struct pool *pool, struct str s); /* copy, NUL behind */
char *pool_printf(struct pool *pool, const char *fmt, ...) ATTR_PRINTF(2, 3);

void pool_defer(struct pool *pool, pool_cleanup *fn, void *arg);
size_t pool_size(const struct pool *pool); /* bytes taken from the heap */

#define POOL_NEW(pool, type) ((type *)pool_alloc((pool), sizeof(type)))

#endif
