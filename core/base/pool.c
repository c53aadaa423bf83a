#include "base/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define POOL_MAGIC 0x706f6f6cU
#define FIRST_DEFAULT 1024
#define BLOCK_MAX (64 * 1024)
#define ALIGN alignof(max_align_t)

struct block {
	struct block *next;
	size_t used, cap;
	alignas(max_align_t) char data[];
};

struct cleanup {
	struct cleanup *next;
	pool_cleanup *fn;
	void *arg;
};

/* Lives in the data of its own first block, which is the last in the list. */
struct pool {
	unsigned magic;
	struct block *block; /* the one that is filled */
	struct cleanup *cleanups;
	size_t size;
	size_t start; /* of the first block: where the pool itself ends */
};

static struct block *block_new(size_t cap);
static void *take(struct pool *pool, size_t n);
static void empty(struct pool *pool);

struct pool *
pool_new(size_t first)
{
	size_t self = (sizeof(struct pool) + ALIGN - 1) & ~(ALIGN - 1);
	struct block *b;
	struct pool *pool;

	if (first < self + sizeof(struct block) + 64)
		first = FIRST_DEFAULT;
	b = block_new(first - sizeof(struct block));
	pool = (struct pool *)(void *)b->data;
	b->used = self;
	*pool = (struct pool){
		.magic = POOL_MAGIC,
		.block = b,
		.size = first,
		.start = self,
	};
	return pool;
}

void
pool_destroy(struct pool **poolp)
{
	struct pool *pool = *poolp;

	if (pool == NULL)
		return;
	ASSERT(pool->magic == POOL_MAGIC);
	empty(pool);
	pool->magic = 0;
	mem_free(pool->block);
	*poolp = NULL;
}

void
pool_reset(struct pool *pool)
{
	empty(pool);
}

void *
pool_alloc(struct pool *pool, size_t n)
{
	return memset(take(pool, n), 0, n);
}

void *
pool_dup(struct pool *pool, const void *p, size_t n)
{
	void *copy = take(pool, n);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *
pool_strdup(struct pool *pool, const char *s)
{
	return s == NULL ? NULL : pool_dup(pool, s, strlen(s) + 1);
}

char *
pool_strndup(struct pool *pool, const char *s, size_t n)
{
	char *copy = take(pool, n + 1);

	if (n > 0)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

struct str
pool_str(struct pool *pool, struct str s)
{
	return str_n(pool_strndup(pool, s.p, s.n), s.n);
}

char *
pool_printf(struct pool *pool, const char *fmt, ...)
{
	char small[256], *p;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	ASSERT(n >= 0);
	if ((size_t)n < sizeof(small))
		return pool_dup(pool, small, (size_t)n + 1);
	p = take(pool, (size_t)n + 1);
	va_start(ap, fmt);
	(void)vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
pool_defer(struct pool *pool, pool_cleanup *fn, void *arg)
{
	struct cleanup *c = take(pool, sizeof(*c));

	c->fn = fn;
	c->arg = arg;
	c->next = pool->cleanups;
	pool->cleanups = c;
}

size_t
pool_size(const struct pool *pool)
{
	return pool->size;
}

static struct block *
block_new(size_t cap)
{
	struct block *b = mem_alloc(sizeof(*b) + cap);

	b->next = NULL;
	b->used = 0;
	b->cap = cap;
	return b;
}

static void *
take(struct pool *pool, size_t n)
{
	struct block *b = pool->block;
	size_t room, cap;
	void *p;

	ASSERT(pool->magic == POOL_MAGIC);
	ASSERT(n <= SIZE_MAX / 2);
	room = (n + ALIGN - 1) & ~(ALIGN - 1);
	if (room == 0)
		room = ALIGN;
	if (room > b->cap - b->used) {
		cap = b->cap * 2;
		if (cap > BLOCK_MAX)
			cap = BLOCK_MAX;
		/* A giant gets a block of its own size. */
		if (cap < room)
			cap = room;
		b = block_new(cap);
		b->next = pool->block;
		pool->block = b;
		pool->size += sizeof(*b) + cap;
	}
	p = b->data + b->used;
	b->used += room;
	return p;
}

static void
empty(struct pool *pool)
{
	struct cleanup *c;
	struct block *b;

	ASSERT(pool->magic == POOL_MAGIC);
	/* A clean-up may add another one. */
	while ((c = pool->cleanups) != NULL) {
		pool->cleanups = c->next;
		c->fn(c->arg);
	}
	while ((b = pool->block)->next != NULL) {
		pool->block = b->next;
		pool->size -= sizeof(*b) + b->cap;
		mem_free(b);
	}
	b->used = pool->start;
}
