#include "tls/tlscache.h"

#include <stdbool.h>

#include "base/clock.h"
#include "base/coll.h"
#include "base/mem.h"
#include "base/obj.h"

#define TLSCACHE_MAGIC 0x10091b01u

enum { SESSIONS_MAX = 1024, PER_KEY = 4 };

struct entry {
	struct hash_node node;
	TAILQ_ENTRY(entry) link; /* newest first */
	uint64_t key;
	SSL_SESSION *session;
};

struct tlscache {
	unsigned magic;
	struct hash by_key;
	TAILQ_HEAD(entries, entry) all;
	unsigned n;
};

static void tlscache_remove(struct tlscache *c, struct entry *e);
static struct entry *tlscache_find(
    struct tlscache *c, uint64_t key, unsigned *n_r, struct entry **oldest_r);

struct tlscache *
tlscache_new(void)
{
	struct tlscache *c;

	OBJ_NEW(c, TLSCACHE_MAGIC);
	hash_init(&c->by_key);
	TAILQ_INIT(&c->all);
	return c;
}

void
tlscache_destroy(struct tlscache **cp)
{
	struct tlscache *c = *cp;

	if (c == NULL)
		return;
	OBJ_CHECK(c, TLSCACHE_MAGIC);
	while (!TAILQ_EMPTY(&c->all))
		tlscache_remove(c, TAILQ_FIRST(&c->all));
	hash_fini(&c->by_key);
	OBJ_FREE(c);
	*cp = NULL;
}

void
tlscache_put(struct tlscache *c, uint64_t key, SSL_SESSION *session)
{
	struct entry *e, *oldest;
	unsigned n;

	OBJ_CHECK(c, TLSCACHE_MAGIC);
	(void)tlscache_find(c, key, &n, &oldest);
	if (n >= PER_KEY)
		tlscache_remove(c, oldest);
	else if (c->n >= SESSIONS_MAX)
		tlscache_remove(c, TAILQ_LAST(&c->all, entries));
	e = mem_zalloc(sizeof(*e));
	e->key = key;
	e->session = session;
	hash_add(&c->by_key, &e->node, hash_u64(key));
	TAILQ_INSERT_HEAD(&c->all, e, link);
	c->n++;
}

SSL_SESSION *
tlscache_take(struct tlscache *c, uint64_t key)
{
	struct entry *e, *oldest;
	SSL_SESSION *s;
	uint64_t ends;
	unsigned n;

	OBJ_CHECK(c, TLSCACHE_MAGIC);
	while ((e = tlscache_find(c, key, &n, &oldest)) != NULL) {
		s = e->session;
		(void)SSL_SESSION_up_ref(s);
		ends = SSL_SESSION_get_time(s) +
		       (uint64_t)SSL_SESSION_get_timeout(s);
		if (SSL_SESSION_should_be_single_use(s) ||
		    ends <= (uint64_t)clock_wall() / 1000)
			tlscache_remove(c, e);
		if (ends > (uint64_t)clock_wall() / 1000)
			return s;
		SSL_SESSION_free(s);
	}
	return NULL;
}

static void
tlscache_remove(struct tlscache *c, struct entry *e)
{
	hash_remove(&c->by_key, &e->node);
	TAILQ_REMOVE(&c->all, e, link);
	c->n--;
	SSL_SESSION_free(e->session);
	mem_free(e);
}

/*
 * The newest of key. A chain has no order that we know of, so that the list
 * decides; sessions of one key are few.
 */
static struct entry *
tlscache_find(
    struct tlscache *c, uint64_t key, unsigned *n_r, struct entry **oldest_r)
{
	struct hash_node *node = hash_first(&c->by_key, hash_u64(key));
	struct entry *e, *newest = NULL, *oldest = NULL;
	uint64_t t;
	unsigned n = 0;

	for (; node != NULL; node = hash_next(node)) {
		e = COLL_OF(node, struct entry, node);
		if (e->key != key)
			continue;
		t = SSL_SESSION_get_time(e->session);
		if (newest == NULL ||
		    t >= SSL_SESSION_get_time(newest->session))
			newest = e;
		if (oldest == NULL || t < SSL_SESSION_get_time(oldest->session))
			oldest = e;
		n++;
	}
	*n_r = n;
	*oldest_r = oldest;
	return newest;
}
