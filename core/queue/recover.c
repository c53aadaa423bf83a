#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

#define SCAN_AGAIN SECONDS(10) /* after one that could not be read */

/*
 * What the stores have and memory does not. A row whose unit exists already
 * (submitted meanwhile, or listed for another recipient) adds nothing but,
 * perhaps, an earlier time.
 */

struct scan {
	unsigned magic;
	struct queue *queue;
	unsigned store;
};

static void rehop_all(struct queue *q);
static void scan_store(struct queue *q, unsigned store);
static void on_items(void *arg, const struct store_item *v, size_t n);
static void on_end(void *arg, const struct err *why);

void
queue_recover(struct queue *q)
{
	unsigned i;

	OBJ_CHECK(q, QUEUE_MAGIC);
	rehop_all(q);
	if (q->scanning > 0) {
		q->again = true;
		return;
	}
	q->unread = false;
	q->scan = q->scan % 7 + 1;
	for (i = 0; i < q->nstore; i++)
		scan_store(q, i);
}

bool
queue_recovering(const struct queue *q)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	return q->scanning > 0;
}

int
queue_adopt(struct queue *q, const struct store_conf *conf, struct err *why)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	if (q->nstore == QUEUE_STORES_MAX)
		return err_set(why, 451, "4.3.0", "too many stores");
	if (store_open(&q->store[q->nstore], q->loop, conf, why) < 0)
		return -1;
	scan_store(q, q->nstore++);
	return 0;
}

struct store *
queue_store(const struct queue *q, unsigned i)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	return i < q->nstore ? q->store[i] : NULL;
}

/* "" if the address has no domain: then that is all of it. */
static struct str
local_of(const struct store_item *it)
{
	struct str addr = str_c(it->rcpt);
	size_t tail = strlen(it->domain) + 1;

	return it->domain[0] != '\0' && addr.n > tail ?
	    str_n(addr.p, addr.n - tail) : addr;
}

struct qunit *
recover_item(struct queue *q, unsigned store, const struct store_item *it,
    bool *new_r)
{
	struct str domain = str_c(it->domain);
	struct queue_to to = { .domain = domain,
		.local = local_of(it),
		.want = str_c(it->want),
		.route = str_c(it->route),
		.profile = str_c(it->profile) };
	struct qhop *hop = qhop_get(q, q->ops->hop_key(q->arg, &to));
	struct qunit *u = qunit_find(q, it->mid, hop);

	*new_r = u == NULL;
	if (u == NULL) {
		u = qunit_new(q, it->mid, hop, domain);
		u->scan = q->scan;
		qunit_count(q, u, 1);
		u->store = store & 0x7f;
		u->queued = it->queued;
		u->attempts = it->attempts & 0xffff;
		u->tls = it->tls != TLSR_NONE;
		u->several |= to.route.n > 0 || to.profile.n > 0;
		after_add(q, store, it->mid, str_c(it->waits_for),
		    it->not_before);
		u->after = after_has(q, it->mid);
		if (it->hold != STORE_ACTIVE ||
		    freeze_begin(q, store, it->mid))
			sched_hold(q, u);
		else if (it->next > clock_wall())
			sched_wait(q, u, it->next);
		else
			sched_due(q, u);
		return u;
	}
	if (!sched_idle(u))
		return NULL;
	if (u->scan == q->scan)
		qunit_count(q, u, u->nrcpt + 1);
	if (!str_eq(domain, qunit_domain(u)) || to.route.n > 0 ||
	    to.profile.n > 0)
		u->several = true;
	u->tls |= it->tls != TLSR_NONE;
	if (u->state == QUNIT_WAITING && it->next < u->node.key)
		heap_change(&q->next, &u->node, it->next);
	return u;
}

/*
 * Routes or wants changed: units whose next hop is another one now move there.
 * Those whose domain does not tell it are forgotten, the scan finds them again.
 * What only the address or a stored want tells is looked at once more when the
 * unit is taken.
 */
static void
rehop_unit(struct queue *q, struct qunit *u)
{
	struct str domain = qunit_domain(u);
	msec next = u->state == QUNIT_WAITING ? u->node.key : clock_wall();
	enum qstate state = (enum qstate)u->state;
	struct qunit *other = NULL;
	struct qhop *hop = NULL;
	struct pool *pool;

	if (!u->several) {
		hop = qhop_get(q, hop_key_any(q, domain));
		if (hop == u->hop)
			return;
	}
	sched_out(q, u);
	if (hop != NULL)
		other = qunit_find(q, u->mid, hop);
	if (other != NULL)
		qunit_count(q, other, other->nrcpt + u->nrcpt);
	if (hop == NULL || other != NULL) {
		qunit_destroy(q, &u);
		return;
	}
	/* The name may go with the old hop or its last user. */
	pool = pool_new(0);
	domain = pool_str(pool, domain);
	qunit_set_hop(q, u, hop, domain);
	pool_destroy(&pool);
	u->several = false;
	switch (state) {
	case QUNIT_WAITING:
		sched_wait(q, u, next);
		break;
	case QUNIT_DUE:
		sched_due(q, u);
		break;
	case QUNIT_HELD:
		sched_hold(q, u);
		break;
	case QUNIT_TAKING:
	case QUNIT_ACTIVE:
	case QUNIT_REPORTING:
		panic("a busy unit does not move");
	}
}

static void
rehop_hop(struct hash_node *node, void *arg)
{
	struct qhop *hop = COLL_OF(node, struct qhop, node);
	struct qunit *u, *after;
	struct queue *q = arg;

	TAILQ_FOREACH_SAFE(u, &hop->due, u.link, after)
		rehop_unit(q, u);
	TAILQ_FOREACH_SAFE(u, &hop->rest, u.link, after)
		rehop_unit(q, u);
}

struct hops {
	struct qhop **v;
	size_t n;
};

static void
collect(struct hash_node *node, void *arg)
{
	struct hops *h = arg;

	h->v[h->n++] = COLL_OF(node, struct qhop, node);
}

/* The table of hops grows while units move, so it is copied first. */
static void
rehop_all(struct queue *q)
{
	struct hops h = { NULL, 0 };
	size_t i;

	h.v = mem_array(q->hops.n + 1, sizeof(struct qhop *));
	hash_each(&q->hops, collect, &h);
	for (i = 0; i < h.n; i++)
		rehop_hop(&h.v[i]->node, q);
	mem_free(h.v);
}

static void
scan_store(struct queue *q, unsigned store)
{
	struct scan *s;

	OBJ_NEW(s, QSCAN_MAGIC);
	s->queue = q;
	s->store = store;
	q->scanning++;
	store_scan(q->store[store], on_items, on_end, s);
}

static void
on_items(void *arg, const struct store_item *v, size_t n)
{
	struct scan *s;
	bool is_new;
	size_t i;

	OBJ_CAST(s, arg, QSCAN_MAGIC);
	for (i = 0; i < n && !s->queue->closing; i++)
		(void)recover_item(s->queue, s->store, &v[i], &is_new);
}

static void
on_end(void *arg, const struct err *why)
{
	struct queue *q;
	struct scan *s;

	OBJ_CAST(s, arg, QSCAN_MAGIC);
	q = s->queue;
	q->scanning--;
	if (why != NULL && !q->closing) {
		log_critical("the queue cannot be read: %s", why->text);
		q->again = q->unread = true;
	}
	OBJ_FREE(s);
	if (q->scanning > 0 || q->closing)
		return;
	if (!q->again) {
		after_scanned(q);
		return;
	}
	q->again = false;
	if (q->unread)
		loop_timer_set(&q->scan_timer, SCAN_AGAIN);
	else
		queue_recover(q);
}
