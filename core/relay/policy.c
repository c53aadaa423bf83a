/*
 * What others want of a next hop's TLS once its hosts are known: DANE, MTA-STS
 * and the like, whoever struct relay_asks asks.
 *
 * The answer raises what is wanted of the destination while it holds. It is
 * kept by key for as long, because the queue asks what a unit's time is and how
 * its report travels also when the destination is not there any more.
 */
#include "relay/relay_priv.h"
#include "relay/route.h"

#define POLICIES_MAX 10000
#define POLICY_MIN SECONDS(1)
#define POLICY_MAX HOURS(24)
#define UNKNOWN_FOR MINUTES(5)

struct policy {
	struct hash_node node;
	char *key;
	char *want;	/* NULL: it could not be found out */
	msec until;
};

struct sweep {
	struct policy **v;
	size_t n;
	msec now;
};

static void said(void *arg, const char *want, const char *source, msec ttl,
    const struct err *why);
static void forget(struct relay *r, const char *key);
static void keep(struct relay *r, const char *key, const char *want,
    msec until);
static struct policy *find(struct relay *r, struct str key);
static void drop(struct relay *r, struct policy *p);

void
policy_init(struct relay *r)
{
	hash_init(&r->policies);
}

static void
collect(struct hash_node *node, void *arg)
{
	struct policy *p = COLL_OF(node, struct policy, node);
	struct sweep *s = arg;

	if (s->now == 0 || p->until <= s->now)
		s->v[s->n++] = p;
}

/* now 0: all of them. */
static void
sweep(struct relay *r, msec now)
{
	struct sweep s = { .now = now };
	size_t i;

	s.v = mem_array(r->policies.n + 1, sizeof(struct policy *));
	hash_each(&r->policies, collect, &s);
	for (i = 0; i < s.n; i++)
		drop(r, s.v[i]);
	mem_free(s.v);
}

void
policy_fini(struct relay *r)
{
	sweep(r, 0);
	hash_fini(&r->policies);
}

bool
policy_ask(struct dest *d, const struct mx_result *mx)
{
	struct relay *r = d->relay;
	struct relay_hop hop = { .domain = d->key,
		.route = d->route != NULL,
		.mx = mx };

	if (d->route != NULL)
		hop.domain = d->route->domain;
	if (r->asks->tls_hop != NULL)
		d->question = r->asks->tls_hop(r->w.asks_arg, &hop, said, d);
	return d->question != NULL;
}

void
policy_cancel(struct dest *d)
{
	struct relay *r = d->relay;

	if (d->question != NULL)
		r->asks->cancel(r->w.asks_arg, d->question);
	d->question = NULL;
}

const struct tlswant *
policy_want(struct relay *r, const char *key)
{
	struct destmap *map = r->gen->destmap;
	const char *text = route_key_want(key);
	const struct policy *p = find(r, route_key_hop(key));

	if (p == NULL || p->until <= clock_now())
		return destmap_want(map, text);
	if (p->want == NULL)
		return NULL;
	return destmap_want(map, destmap_both(map, text, p->want));
}

struct raise *
raise_ref(struct raise *r)
{
	if (r != NULL)
		r->refs++;
	return r;
}

void
raise_unref(struct raise **rp)
{
	struct raise *r = *rp;
	struct pool *pool;

	*rp = NULL;
	if (r == NULL || --r->refs > 0)
		return;
	pool = r->pool; /* r lies in it */
	pool_destroy(&pool);
}

/* -1: it cannot be read. NULL: nothing that is not wanted anyway. */
static int
raise_of(struct dest *d, const char *want, const char *source,
    struct raise **r_r, struct err *why)
{
	struct destmap *map = d->relay->gen->destmap;
	struct pool *pool;
	struct tlswant w;
	struct raise *r;
	const char *text;

	*r_r = NULL;
	if (want == NULL)
		return 0;
	pool = pool_new(0);
	if (tlswant_read(&w, str_c(want), pool, why) == -1) {
		pool_destroy(&pool);
		return -1;
	}
	text = destmap_both(map, d->text, want);
	if (strcmp(text, d->text) == 0) {
		pool_destroy(&pool);
		return 0;
	}
	r = POOL_NEW(pool, struct raise);
	r->refs = 1;
	r->pool = pool;
	r->text = pool_strdup(pool, text[0] != '\0' ? text :
		destmap_usual(map));
	r->source = pool_strdup(pool, source != NULL ? source : "");
	if (tlswant_read(&r->want, str_c(r->text), pool, why) == -1)
		panic("a want that was just written: %s", r->text);
	*r_r = r;
	return 0;
}

static void
said(void *arg, const char *want, const char *source, msec ttl,
    const struct err *why)
{
	struct err unread = ERR_INIT;
	struct raise *raise = NULL;
	struct conn *c, *next;
	struct dest *d;

	OBJ_CAST(d, arg, DEST_MAGIC);
	d->question = NULL;
	if (why == NULL && raise_of(d, want, source, &raise, &unread) == -1) {
		(void)err_prefix(&unread, "\"%.100s\" of %s is not readable: ",
		    want, source != NULL ? source : "a plugin");
		why = &unread;
	}
	if (ttl < POLICY_MIN)
		ttl = POLICY_MIN;
	if (ttl > POLICY_MAX)
		ttl = POLICY_MAX;
	d->policed = true;
	d->policy_until = why == NULL ? clock_now() + ttl : 0;
	forget(d->relay, d->key);
	if (why != NULL || want != NULL)
		keep(d->relay, d->key, why == NULL ? want : NULL,
		    clock_now() + (why == NULL ? ttl : UNKNOWN_FOR));
	/* What was opened under another want serves no more. */
	if (why == NULL && (raise == NULL) == (d->raise == NULL) &&
	    (raise == NULL || strcmp(raise->text, d->raise->text) == 0)) {
		raise_unref(&raise);
	} else {
		TAILQ_FOREACH_SAFE(c, &d->conns, link, next)
			conn_retire(c);
		raise_unref(&d->raise);
		d->raise = raise;
	}
	dest_policed(d, why);
}

static void
forget(struct relay *r, const char *key)
{
	struct policy *p = find(r, str_c(key));

	if (p != NULL)
		drop(r, p);
}

/* Beyond what there is room for, a unit's time is that of its key. */
static void
keep(struct relay *r, const char *key, const char *want, msec until)
{
	struct policy *p;

	if (r->policies.n >= POLICIES_MAX)
		sweep(r, clock_now());
	if (r->policies.n >= POLICIES_MAX)
		return;
	p = mem_zalloc(sizeof(*p));
	p->key = mem_strdup(key);
	p->want = want != NULL ? mem_strdup(want) : NULL;
	p->until = until;
	hash_add(&r->policies, &p->node, hash_bytes(key, strlen(key)));
}

static struct policy *
find(struct relay *r, struct str key)
{
	struct hash_node *node;
	struct policy *p;

	for (node = hash_first(&r->policies, hash_bytes(key.p, key.n));
	     node != NULL; node = hash_next(node)) {
		p = COLL_OF(node, struct policy, node);
		if (str_eq_c(key, p->key))
			return p;
	}
	return NULL;
}

static void
drop(struct relay *r, struct policy *p)
{
	hash_remove(&r->policies, &p->node);
	mem_free(p->key);
	mem_free(p->want);
	mem_free(p);
}
