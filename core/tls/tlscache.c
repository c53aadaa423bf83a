#include "tls/tlscache.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/coll.h"
#include "base/obj.h"

#define TLSCACHE_MAGIC 0x10091b01u

enum { WAYS = 8, PER_KEY = 4, SESSION_MAX = 8000 };

struct entry {
	uint64_t key;
	uint64_t stamp; /* order of coming */
	uint64_t ends;	/* seconds, wall time */
	uint32_t n;	/* 0: nothing is here */
	bool once;
	uint8_t session[SESSION_MAX];
};

struct set {
	atomic_int owner; /* process that is inside; 0: nobody */
	uint64_t stamp;
	struct entry entry[WAYS];
};

struct tlscache {
	unsigned magic;
	size_t size, nsets;
	struct set *set;
};

static struct set *set_enter(struct tlscache *c, uint64_t key);
static void set_leave(struct set *s);
static struct entry *find_newest(struct set *s, uint64_t key);
static struct entry *find_room(struct set *s, uint64_t key);
static void entry_wipe(struct entry *e);
static bool entry_ended(const struct entry *e);

/* The keys of hashes are made here too, so that all processes have the same. */
struct tlscache *
tlscache_new(size_t size)
{
	struct tlscache *c;

	OBJ_NEW(c, TLSCACHE_MAGIC);
	c->nsets = size / sizeof(struct set);
	if (c->nsets == 0)
		c->nsets = 1;
	c->size = c->nsets * sizeof(struct set);
	c->set = mmap(NULL, c->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->set == MAP_FAILED)
		fatal("no memory for TLS sessions");
	(void)madvise(c->set, c->size, MADV_DONTDUMP);
	(void)hash_u64(0);
	return c;
}

void
tlscache_destroy(struct tlscache **cp)
{
	struct tlscache *c = *cp;

	if (c == NULL)
		return;
	OBJ_CHECK(c, TLSCACHE_MAGIC);
	(void)munmap(c->set, c->size);
	OBJ_FREE(c);
	*cp = NULL;
}

void
tlscache_put(
    struct tlscache *c, uint64_t key, const struct ssl_session_st *session)
{
	uint8_t *p = NULL;
	struct entry *e;
	struct set *s;
	size_t n = 0;

	OBJ_CHECK(c, TLSCACHE_MAGIC);
	if (!SSL_SESSION_to_bytes(session, &p, &n) || n > SESSION_MAX ||
	    (s = set_enter(c, key)) == NULL) {
		OPENSSL_free(p);
		ERR_clear_error();
		return;
	}
	e = find_room(s, key);
	e->n = 0;
	e->key = key;
	e->stamp = ++s->stamp;
	e->ends = SSL_SESSION_get_time(session) +
		  (uint64_t)SSL_SESSION_get_timeout(session);
	e->once = SSL_SESSION_should_be_single_use(session) != 0;
	memcpy(e->session, p, n);
	e->n = (uint32_t)n;
	set_leave(s);
	OPENSSL_cleanse(p, n);
	OPENSSL_free(p);
}

struct ssl_session_st *
tlscache_take(struct tlscache *c, uint64_t key, const struct ssl_ctx_st *ctx)
{
	uint8_t copy[SESSION_MAX];
	struct entry *e;
	SSL_SESSION *session;
	struct set *s;
	size_t n = 0;

	OBJ_CHECK(c, TLSCACHE_MAGIC);
	s = set_enter(c, key);
	if (s == NULL)
		return NULL;
	while ((e = find_newest(s, key)) != NULL && entry_ended(e))
		entry_wipe(e);
	if (e != NULL) {
		n = e->n;
		memcpy(copy, e->session, n);
		if (e->once)
			entry_wipe(e);
	}
	set_leave(s);
	if (n == 0)
		return NULL;
	session = SSL_SESSION_from_bytes(copy, n, ctx);
	OPENSSL_cleanse(copy, n);
	ERR_clear_error();
	return session;
}

/*
 * NULL: somebody is inside. Who died inside is known by its number; what it
 * left half done is not looked at. A number that is in use again keeps the
 * place closed for so long, no more.
 */
static struct set *
set_enter(struct tlscache *c, uint64_t key)
{
	struct set *s = &c->set[key % c->nsets];
	int holder = 0, me = (int)getpid();
	unsigned i;

	if (atomic_compare_exchange_strong(&s->owner, &holder, me))
		return s;
	if (holder <= 0 || kill(holder, 0) == 0 || errno != ESRCH ||
	    !atomic_compare_exchange_strong(&s->owner, &holder, me))
		return NULL;
	for (i = 0; i < WAYS; i++)
		entry_wipe(&s->entry[i]);
	return s;
}

static void
set_leave(struct set *s)
{
	atomic_store(&s->owner, 0);
}

static struct entry *
find_newest(struct set *s, uint64_t key)
{
	struct entry *newest = NULL, *e;

	for (e = s->entry; e < s->entry + WAYS; e++) {
		if (e->n > 0 && e->n <= SESSION_MAX && e->key == key &&
		    (newest == NULL || e->stamp > newest->stamp))
			newest = e;
	}
	return newest;
}

/* The oldest of a key that has its share, else an empty one, else the oldest.
 */
static struct entry *
find_room(struct set *s, uint64_t key)
{
	struct entry *own = NULL, *oldest = NULL, *empty = NULL, *e;
	unsigned n = 0;

	for (e = s->entry; e < s->entry + WAYS; e++) {
		if (e->n == 0 || entry_ended(e)) {
			empty = e;
			continue;
		}
		if (oldest == NULL || e->stamp < oldest->stamp)
			oldest = e;
		if (e->key != key)
			continue;
		n++;
		if (own == NULL || e->stamp < own->stamp)
			own = e;
	}
	if (n >= PER_KEY)
		return own;
	return empty != NULL ? empty : oldest;
}

static void
entry_wipe(struct entry *e)
{
	e->n = 0;
	OPENSSL_cleanse(e->session, sizeof(e->session));
}

static bool
entry_ended(const struct entry *e)
{
	return e->ends <= (uint64_t)clock_wall() / 1000;
}
