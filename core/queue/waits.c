/*
 * What waits for destinations that demand TLS, for who tells the administrator
 * of it.
 */
#include "base/obj.h"
#include "queue/queue_priv.h"

/* Domains of a next hop that are looked at. */
#define LOOK_MAX 1000

struct look {
	queue_waits *fn;
	void *arg;
};

void
qhop_each_domain(struct qhop *hop, qhop_domain *fn, void *arg)
{
	const struct qdomain *last = NULL;
	bool any = false;
	struct qunit *u;
	unsigned n = 0;

	OBJ_CHECK(hop, QHOP_MAGIC);
	TAILQ_FOREACH(u, &hop->due, u.link) {
		if (n++ == LOOK_MAX)
			return;
		if (any && u->domain == last)
			continue;
		any = true;
		last = u->domain;
		fn(arg, qunit_domain(u));
	}
}

static void
look_hop(struct hash_node *node, void *arg)
{
	struct qhop *hop = COLL_OF(node, struct qhop, node);
	struct queue *q = arg;
	struct queue_want want = { .level = TLSWANT_NONE };

	if (hop->nunits > 0 && q->ops->want != NULL)
		q->ops->want(q->arg, hop->key, &want);
	hop->demands = want.level >= TLSWANT_REQUIRED;
}

static void
look_unit(struct hash_node *node, void *arg)
{
	struct qunit *u = COLL_OF(node, struct qunit, by_mid);
	const struct look *look = arg;

	if (u->hop->demands)
		look->fn(look->arg, qunit_domain(u), u->queued,
		    u->state == QUNIT_HELD ? 0 : sched_end(u));
}

void
queue_each_waiting(struct queue *q, queue_waits *fn, void *arg)
{
	struct look look = { fn, arg };

	OBJ_CHECK(q, QUEUE_MAGIC);
	hash_each(&q->hops, look_hop, q);
	hash_each(&q->units, look_unit, &look);
}
