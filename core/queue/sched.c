#include "base/mem.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

/* What one round does before the loop gets its turn. */
#define ROUND 500
/* The wall clock may be set: look again at least this often. */
#define LOOK_EVERY MINUTES(1)
#define SWEEP_EVERY MINUTES(1)

static void on_timer(void *arg);
static void on_tell(void *arg);
static void on_sweep(void *arg);
static void on_scan(void *arg);
static void set_timer(struct queue *q);

void
sched_init(struct queue *q)
{
	heap_init(&q->next);
	heap_init(&q->life);
	TAILQ_INIT(&q->tell);
	TAILQ_INIT(&q->idle);
	loop_timer_init(q->loop, &q->timer, on_timer, q);
	loop_timer_init(q->loop, &q->tell_timer, on_tell, q);
	loop_timer_init(q->loop, &q->sweep_timer, on_sweep, q);
	loop_timer_init(q->loop, &q->scan_timer, on_scan, q);
}

void
sched_fini(struct queue *q)
{
	loop_timer_clear(&q->timer);
	loop_timer_clear(&q->tell_timer);
	loop_timer_clear(&q->sweep_timer);
	loop_timer_clear(&q->scan_timer);
	heap_fini(&q->next);
	heap_fini(&q->life);
}

bool
sched_idle(const struct qunit *u)
{
	return u->state == QUNIT_WAITING || u->state == QUNIT_DUE ||
	    u->state == QUNIT_HELD;
}

/* The message leaves memory; the store has all of it. */
void
sched_wait(struct queue *q, struct qunit *u, msec next)
{
	OBJ_CHECK(u, QUNIT_MAGIC);
	qmsg_drop(u);
	u->state = QUNIT_WAITING;
	u->flushed = false;
	TAILQ_INSERT_TAIL(&u->hop->rest, u, u.link);
	heap_add(&q->next, &u->node, next);
	if (heap_first(&q->next) == &u->node)
		set_timer(q);
}

msec
sched_end(const struct qunit *u)
{
	msec life = qunit_profile_now(u)->lifetime;
	struct queue_want want;

	if (u->late)
		return clock_wall() + life;
	if (u->tls) {
		qunit_want(u, &want);
		if (want.deadline > 0 && want.deadline < life)
			life = want.deadline;
	}
	return u->queued + life;
}

void
sched_due(struct queue *q, struct qunit *u)
{
	msec end = sched_end(u);
	struct qhop *hop = u->hop;

	OBJ_CHECK(u, QUNIT_MAGIC);
	if (clock_wall() >= end) {
		report_expired(q, u);
		return;
	}
	u->state = QUNIT_DUE;
	TAILQ_INSERT_TAIL(&hop->due, u, u.link);
	heap_add(&q->life, &u->node, end);
	if (heap_first(&q->life) == &u->node)
		set_timer(q);
	q->stats.due++;
	if (hop->ndue++ > 0 || hop->told)
		return;
	/* From the loop, never out of a report or a submission. */
	hop->told = true;
	TAILQ_INSERT_TAIL(&q->tell, hop, tell_link);
	if (!loop_timer_armed(&q->tell_timer))
		loop_timer_set(&q->tell_timer, 0);
}

void
sched_hold(struct queue *q, struct qunit *u)
{
	qmsg_drop(u);
	u->state = QUNIT_HELD;
	TAILQ_INSERT_TAIL(&u->hop->rest, u, u.link);
	q->stats.held++;
}

void
sched_out(struct queue *q, struct qunit *u)
{
	switch ((enum qstate)u->state) {
	case QUNIT_WAITING:
		TAILQ_REMOVE(&u->hop->rest, u, u.link);
		heap_remove(&q->next, &u->node);
		break;
	case QUNIT_DUE:
		TAILQ_REMOVE(&u->hop->due, u, u.link);
		heap_remove(&q->life, &u->node);
		u->hop->ndue--;
		q->stats.due--;
		break;
	case QUNIT_HELD:
		TAILQ_REMOVE(&u->hop->rest, u, u.link);
		q->stats.held--;
		break;
	case QUNIT_TAKING:
	case QUNIT_ACTIVE:
	case QUNIT_REPORTING:
		panic("a busy unit is in no list");
	}
	u->u.active = NULL;
}

static void
set_timer(struct queue *q)
{
	struct heap_node *first = heap_first(&q->next);
	struct heap_node *life = heap_first(&q->life);
	msec in;

	if (life != NULL && (first == NULL || life->key < first->key))
		first = life;
	if (first == NULL || q->closing)
		return;
	in = first->key - clock_wall();
	loop_timer_set(&q->timer,
	    in < 0 ? 0 : (in > LOOK_EVERY ? LOOK_EVERY : in));
}

static void
on_timer(void *arg)
{
	struct heap_node *first;
	struct queue *q;
	struct qunit *u;
	msec now = clock_wall();
	unsigned n;

	OBJ_CAST(q, arg, QUEUE_MAGIC);
	for (n = 0; n < ROUND; n++) {
		first = heap_first(&q->next);
		if (first == NULL || first->key > now)
			break;
		u = COLL_OF(first, struct qunit, node);
		if (u->after) {
			after_over(q, u->mid, "it has waited long enough");
			continue;
		}
		sched_out(q, u);
		sched_due(q, u);
	}
	for (; n < ROUND; n++) {
		first = heap_first(&q->life);
		if (first == NULL || first->key > now)
			break;
		u = COLL_OF(first, struct qunit, node);
		sched_out(q, u);
		report_expired(q, u);
	}
	set_timer(q);
}

static void
on_tell(void *arg)
{
	struct qhops now = TAILQ_HEAD_INITIALIZER(now);
	struct queue *q;
	struct qhop *hop;

	OBJ_CAST(q, arg, QUEUE_MAGIC);
	/* What becomes due by the telling has its turn in the next round. */
	TAILQ_CONCAT(&now, &q->tell, tell_link);
	while ((hop = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, hop, tell_link);
		hop->told = false;
		if (hop->ndue > 0)
			q->ops->due(q->arg, hop);
	}
	if (!TAILQ_EMPTY(&q->idle) && !loop_timer_armed(&q->sweep_timer))
		loop_timer_set(&q->sweep_timer, SWEEP_EVERY);
}

/* Hops that nobody needs any more. */
static void
on_sweep(void *arg)
{
	struct qhop *hop, *after;
	struct queue *q;

	OBJ_CAST(q, arg, QUEUE_MAGIC);
	TAILQ_FOREACH_SAFE(hop, &q->idle, idle_link, after) {
		if (hop->data != NULL || hop->told)
			continue;
		TAILQ_REMOVE(&q->idle, hop, idle_link);
		hash_remove(&q->hops, &hop->node);
		q->stats.hops--;
		OBJ_FREE(hop);
	}
	if (!TAILQ_EMPTY(&q->idle))
		loop_timer_set(&q->sweep_timer, SWEEP_EVERY);
}

/* The last scan failed. */
static void
on_scan(void *arg)
{
	struct queue *q;

	OBJ_CAST(q, arg, QUEUE_MAGIC);
	queue_recover(q);
}
