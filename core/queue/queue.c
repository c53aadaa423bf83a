#include "queue/queue.h"

#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

/* Looking for the oldest costs a walk over everything. */
#define OLDEST_EVERY(n) ((n) < 10000 ? SECONDS(1) : MINUTES(1))

static void free_unit(struct hash_node *node, void *arg);
static void free_hop(struct hash_node *node, void *arg);
static void free_domain(struct hash_node *node, void *arg);

int
queue_new(struct queue **q_r, struct loop *l, struct store *store,
    const struct queue_ops *ops, void *arg, struct err *why)
{
	struct queue *q;

	(void)why;
	OBJ_NEW(q, QUEUE_MAGIC);
	q->loop = l;
	q->ops = ops;
	q->scan = 1;
	q->arg = arg;
	q->store[0] = store;
	q->nstore = 1;
	q->pool = pool_new(0);
	q->memory_max = QUEUE_MEMORY;
	hash_init(&q->units);
	hash_init(&q->hops);
	hash_init(&q->domains);
	hash_init(&q->afters);
	hash_init(&q->edges);
	TAILQ_INIT(&q->freezes);
	sched_init(q);
	*q_r = q;
	return 0;
}

/* First everything in flight comes home, so that no callback comes later. */
void
queue_destroy(struct queue **qp)
{
	struct queue *q = *qp;
	unsigned i;

	if (q == NULL)
		return;
	OBJ_CHECK(q, QUEUE_MAGIC);
	q->closing = true;
	for (i = 0; i < q->nstore; i++)
		store_finish(q->store[i]);
	hash_each(&q->units, free_unit, q);
	for (i = 1; i < q->nstore; i++)
		store_close(&q->store[i]);
	hash_each(&q->hops, free_hop, q);
	hash_each(&q->domains, free_domain, q);
	hash_fini(&q->units);
	hash_fini(&q->hops);
	hash_fini(&q->domains);
	after_fini(q);
	sched_fini(q);
	freeze_fini(q);
	pool_destroy(&q->pool);
	OBJ_FREE(q);
	*qp = NULL;
}

void
queue_set_memory(struct queue *q, size_t max)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	q->memory_max = max;
}

const char *
qhop_key(const struct qhop *hop)
{
	OBJ_CHECK(hop, QHOP_MAGIC);
	return hop->key;
}

void *
qhop_data(const struct qhop *hop)
{
	OBJ_CHECK(hop, QHOP_MAGIC);
	return hop->data;
}

void
qhop_data_set(struct qhop *hop, void *data)
{
	OBJ_CHECK(hop, QHOP_MAGIC);
	hop->data = data;
}

unsigned
qhop_due(const struct qhop *hop)
{
	OBJ_CHECK(hop, QHOP_MAGIC);
	return hop->ndue;
}

const struct envelope *
qunit_env(const struct qunit *u)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	return u->msg->env;
}

struct body_ref *
qunit_body(const struct qunit *u)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	return u->u.active->reader;
}

uint64_t
qunit_mid(const struct qunit *u)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	return u->mid;
}

struct rcpt *const *
qunit_rcpt(const struct qunit *u, unsigned *n_r)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	if (n_r != NULL)
		*n_r = u->u.active->nrcpt;
	return u->u.active->rcpt;
}

const char *
qunit_key(const struct qunit *u)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	return u->hop->key;
}

unsigned
qunit_attempts(const struct qunit *u)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	return u->attempts;
}

const struct queue_profile *
qunit_profile(const struct qunit *u)
{
	return qunit_profile_now(u);
}

void
qunit_want(const struct qunit *u, struct queue_want *w_r)
{
	struct queue *q = u->hop->queue;

	memset(w_r, 0, sizeof(*w_r));
	if (q->ops->want != NULL)
		q->ops->want(q->arg, u->hop->key, w_r);
}

void
queue_rcpt_want(struct queue *q, const struct rcpt *r, struct queue_want *w_r)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	memset(w_r, 0, sizeof(*w_r));
	if (q->ops->want != NULL)
		q->ops->want(q->arg, hop_key_of(q, r), w_r);
}

static void
find_oldest(struct hash_node *node, void *arg)
{
	struct qunit *u = COLL_OF(node, struct qunit, by_mid);
	msec *oldest = arg;

	if (*oldest == 0 || u->queued < *oldest)
		*oldest = u->queued;
}

void
queue_stats(const struct queue *q, struct queue_stats *r)
{
	struct queue *w = (struct queue *)q;
	msec now = clock_now();

	OBJ_CHECK(q, QUEUE_MAGIC);
	if (w->oldest_at == 0 ||
	    now - w->oldest_at >= OLDEST_EVERY(q->stats.units)) {
		w->oldest_at = now;
		w->stats.oldest = 0;
		hash_each(&w->units, find_oldest, &w->stats.oldest);
	}
	w->stats.bytes = q->memory;
	*r = q->stats;
}

/* ---- hops and domains ---- */

static void
set_idle(struct queue *q, struct qhop *hop)
{
	hop->idle = true;
	TAILQ_INSERT_TAIL(&q->idle, hop, idle_link);
	if (!loop_timer_armed(&q->sweep_timer) && !q->closing)
		loop_timer_set(&q->sweep_timer, MINUTES(1));
}

struct qhop *
qhop_get(struct queue *q, const char *key)
{
	size_t n = strlen(key);
	uint64_t hash = hash_bytes(key, n);
	struct hash_node *node;
	struct qhop *hop;

	for (node = hash_first(&q->hops, hash); node != NULL;
	     node = hash_next(node)) {
		hop = COLL_OF(node, struct qhop, node);
		if (hop->n == n && memcmp(hop->key, key, n) == 0)
			return hop;
	}
	hop = mem_zalloc(sizeof(*hop) + n + 1);
	OBJ_INIT(hop, QHOP_MAGIC);
	hop->queue = q;
	hop->n = n;
	hop->ndest = strcspn(key, " ");
	memcpy(hop->key, key, n);
	TAILQ_INIT(&hop->due);
	TAILQ_INIT(&hop->rest);
	hash_add(&q->hops, &hop->node, hash);
	q->stats.hops++;
	set_idle(q, hop);
	return hop;
}

struct str
qhop_dest(const struct qhop *hop)
{
	return str_n(hop->key, hop->ndest);
}

bool
qhop_told_by(struct qhop *hop, struct str domain)
{
	struct queue *q = hop->queue;

	if (hop->ndest == hop->n)
		return true;
	return str_eq_c(str_n(hop->key, hop->n), hop_key_any(q, domain));
}

const char *
hop_key_of(struct queue *q, const struct rcpt *r)
{
	struct queue_to to = { .domain = r->addr.domain,
		.local = r->addr.local,
		.want = r->want,
		.route = r->route,
		.profile = r->profile };

	return q->ops->hop_key(q->arg, &to);
}

const char *
hop_key_any(struct queue *q, struct str domain)
{
	struct queue_to to = { .domain = domain,
		.local = STR(""),
		.want = STR(""),
		.route = STR(""),
		.profile = STR("") };

	return q->ops->hop_key(q->arg, &to);
}

struct qdomain *
qdomain_get(struct queue *q, struct str name)
{
	uint64_t hash = hash_bytes(name.p, name.n);
	struct hash_node *node;
	struct qdomain *d;

	for (node = hash_first(&q->domains, hash); node != NULL;
	     node = hash_next(node)) {
		d = COLL_OF(node, struct qdomain, node);
		if (d->n == name.n && memcmp(d->name, name.p, d->n) == 0) {
			d->refs++;
			return d;
		}
	}
	d = mem_zalloc(sizeof(*d) + name.n + 1);
	d->refs = 1;
	d->n = name.n;
	if (name.n > 0)
		memcpy(d->name, name.p, name.n);
	hash_add(&q->domains, &d->node, hash);
	return d;
}

void
qdomain_put(struct queue *q, struct qdomain **dp)
{
	struct qdomain *d = *dp;

	*dp = NULL;
	if (d == NULL || --d->refs > 0)
		return;
	hash_remove(&q->domains, &d->node);
	mem_free(d);
}

/* ---- units ---- */

struct qunit *
qunit_find(struct queue *q, uint64_t mid, const struct qhop *hop)
{
	struct hash_node *node;
	struct qunit *u;

	for (node = hash_first(&q->units, hash_u64(mid)); node != NULL;
	     node = hash_next(node)) {
		u = COLL_OF(node, struct qunit, by_mid);
		if (u->mid == mid && (hop == NULL || u->hop == hop))
			return u;
	}
	return NULL;
}

struct qunit *
qunit_next(const struct qunit *u)
{
	struct hash_node *node;
	struct qunit *other;

	for (node = hash_next(&u->by_mid); node != NULL;
	     node = hash_next(node)) {
		other = COLL_OF(node, struct qunit, by_mid);
		if (other->mid == u->mid)
			return other;
	}
	return NULL;
}

static void
join_hop(struct queue *q, struct qunit *u, struct qhop *hop, struct str domain)
{
	u->hop = hop;
	if (!str_eq(domain, qhop_dest(hop)))
		u->domain = qdomain_get(q, domain);
	if (hop->idle) {
		hop->idle = false;
		TAILQ_REMOVE(&q->idle, hop, idle_link);
	}
	hop->nunits++;
}

static void
leave_hop(struct queue *q, struct qunit *u)
{
	struct qhop *hop = u->hop;

	qdomain_put(q, &u->domain);
	u->hop = NULL;
	if (--hop->nunits == 0)
		set_idle(q, hop);
}

struct str
qunit_domain(const struct qunit *u)
{
	return u->domain != NULL ? str_n(u->domain->name, u->domain->n) :
				   qhop_dest(u->hop);
}

struct qunit *
qunit_new(struct queue *q, uint64_t mid, struct qhop *hop, struct str domain)
{
	struct qunit *u;

	if (qunit_find(q, mid, NULL) == NULL)
		q->stats.messages++;
	OBJ_NEW(u, QUNIT_MAGIC);
	u->mid = mid;
	hash_add(&q->units, &u->by_mid, hash_u64(mid));
	join_hop(q, u, hop, domain);
	u->several = !qhop_told_by(hop, domain);
	q->stats.units++;
	return u;
}

void
qunit_set_hop(struct queue *q, struct qunit *u, struct qhop *hop,
    struct str domain)
{
	leave_hop(q, u);
	join_hop(q, u, hop, domain);
}

void
qunit_count(struct queue *q, struct qunit *u, unsigned n)
{
	if (n > QUNIT_RCPTS_MAX)
		n = QUNIT_RCPTS_MAX;
	q->stats.recipients += n;
	q->stats.recipients -= u->nrcpt;
	u->nrcpt = n & QUNIT_RCPTS_MAX;
}

void
qunit_destroy(struct queue *q, struct qunit **up)
{
	struct qunit *u = *up;

	*up = NULL;
	OBJ_CHECK(u, QUNIT_MAGIC);
	qmsg_drop(u);
	hash_remove(&q->units, &u->by_mid);
	leave_hop(q, u);
	qunit_count(q, u, 0);
	q->stats.units--;
	if (qunit_find(q, u->mid, NULL) == NULL)
		q->stats.messages--;
	OBJ_FREE(u);
}

const struct queue_profile *
qunit_profile_now(const struct qunit *u)
{
	struct queue *q = u->hop->queue;

	return q->ops->profile(q->arg, u->hop->key);
}

/* ---- messages in memory ---- */

struct qmsg *
qmsg_new(struct queue *q, uint64_t mid, unsigned store)
{
	struct qmsg *m;

	OBJ_NEW(m, QMSG_MAGIC);
	m->queue = q;
	m->mid = mid;
	m->store = store;
	m->refs = 1;
	return m;
}

void
qmsg_ref(struct qunit *u, struct qmsg *m)
{
	ASSERT(u->msg == NULL);
	u->msg = m;
	m->refs++;
}

void
qmsg_unref(struct qmsg **mp)
{
	struct qmsg *m = *mp;

	*mp = NULL;
	if (m == NULL)
		return;
	OBJ_CHECK(m, QMSG_MAGIC);
	if (--m->refs > 0)
		return;
	m->queue->memory -= m->bytes;
	envelope_destroy(&m->env);
	body_unref(&m->body);
	mem_free(m->taken);
	OBJ_FREE(m);
}

void
qmsg_drop(struct qunit *u)
{
	qmsg_unref(&u->msg);
}

static void
free_unit(struct hash_node *node, void *arg)
{
	struct qunit *u = COLL_OF(node, struct qunit, by_mid);

	(void)arg;
	if (!sched_idle(u))
		qactive_free(u);
	qmsg_drop(u);
	qdomain_put(arg, &u->domain);
	OBJ_FREE(u);
}

static void
free_hop(struct hash_node *node, void *arg)
{
	struct qhop *hop = COLL_OF(node, struct qhop, node);

	(void)arg;
	OBJ_FREE(hop);
}

static void
free_domain(struct hash_node *node, void *arg)
{
	(void)arg;
	mem_free(COLL_OF(node, struct qdomain, node));
}
