#include "daemon/alerts.h"

#include <inttypes.h>
#include <postern/alert_sink.h>

#include "admin/control.h"
#include "base/coll.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/pool.h"
#include "daemon/alertpost.h"
#include "host/hooks.h"

#define ALERTS_MAGIC 0xa1e47002u
#define TELLING_MAGIC 0xa1e47003u

struct alerts {
	unsigned magic;
	struct loop *loop;
	alerts_tell *tell;
	void *arg;
	msec second;	   /* in which `told` were passed on */
	unsigned told;
	uint64_t unpassed; /* not told of in the log yet */
	TAILQ_HEAD(, telling) tellings;
};

/* An alert with the sinks; the record is theirs until the last has answered. */
struct telling {
	unsigned magic;
	struct alerts *a;
	TAILQ_ENTRY(telling) link;
	struct pool *pool;
	struct host_gen *gen;
	struct pst_alert_record record;
	int64_t number;
	struct asked {
		struct telling *t;
		struct op_run *run;
	} *sink;
	unsigned nsink, left;
};

static void	fill_episode(struct telling *, const json_t *);
static const char *text_of(struct pool *, const json_t *, const char *);
static void	ask(struct telling *);
static void	answered(void *, const struct op_answer *);
static void	one_less(struct telling *);
static void	telling_free(struct telling *);

struct alerts *
alerts_new(struct loop *l, alerts_tell *tell, void *arg)
{
	struct alerts *a;

	OBJ_NEW(a, ALERTS_MAGIC);
	a->loop = l;
	a->tell = tell;
	a->arg = arg;
	TAILQ_INIT(&a->tellings);
	return a;
}

void
alerts_destroy(struct alerts **ap)
{
	struct alerts *a = *ap;

	if (a == NULL)
		return;
	OBJ_CHECK(a, ALERTS_MAGIC);
	while (!TAILQ_EMPTY(&a->tellings))
		telling_free(TAILQ_FIRST(&a->tellings));
	OBJ_FREE(a);
	*ap = NULL;
}

void
alerts_raise(void *arg, const struct host_alert *alert)
{
	msec second = clock_now() / 1000;
	struct alerts *a;
	json_t *msg;

	OBJ_CAST(a, arg, ALERTS_MAGIC);
	msg = alert_raise(alert);
	if (second != a->second) {
		if (a->unpassed > 0)
			log_warning("alerts: %" PRIu64 " of one second were "
			    "logged, but not passed on", a->unpassed);
		a->second = second;
		a->told = 0;
		a->unpassed = 0;
	}
	if (a->told == ALERTS_RATE) {
		a->unpassed++;
		json_decref(msg);
		return;
	}
	a->told++;
	a->tell(a->arg, msg);
}

void
alerts_emit(struct alerts *a, struct host_gen *g, const char *hostname,
    const json_t *msg)
{
	struct telling *t;

	OBJ_CHECK(a, ALERTS_MAGIC);
	OBJ_NEW(t, TELLING_MAGIC);
	t->a = a;
	t->pool = pool_new(0);
	t->number = control_number(msg, "number", 0);
	t->record = (struct pst_alert_record){ .size = sizeof(t->record),
		.severity = text_of(t->pool, msg, "severity"),
		.category = text_of(t->pool, msg, "class"),
		.key = text_of(t->pool, msg, "key"),
		.host = pool_strdup(t->pool, hostname),
		.text = text_of(t->pool, msg, "text"),
		.detail = text_of(t->pool, msg, "detail"),
		.wall = control_number(msg, "wall", 0) };
	fill_episode(t, msg);
	TAILQ_INSERT_TAIL(&a->tellings, t, link);
	if (g != NULL)
		t->gen = host_gen_ref(g);
	ask(t);
}

static void
fill_episode(struct telling *t, const json_t *msg)
{
	struct pst_alert_record *r = &t->record;

	r->state = text_of(t->pool, msg, "state");
	r->domain = text_of(t->pool, msg, "domain");
	r->cause = text_of(t->pool, msg, "cause");
	r->reason = text_of(t->pool, msg, "reason");
	r->mx = text_of(t->pool, msg, "mx");
	r->ip = text_of(t->pool, msg, "ip");
	r->episode = (uint64_t)control_number(msg, "episode", 0);
	r->attempts = (uint64_t)control_number(msg, "attempts", 0);
	r->held = (uint64_t)control_number(msg, "held", 0);
	r->delivered = (uint64_t)control_number(msg, "delivered", 0);
	r->bounced = (uint64_t)control_number(msg, "bounced", 0);
	r->first = control_number(msg, "first", 0);
	r->last = control_number(msg, "last", 0);
	r->resolved = control_number(msg, "resolved", 0);
	r->oldest = control_number(msg, "oldest", 0);
	r->deadline = control_number(msg, "deadline", 0);
}

static const char *
text_of(struct pool *pool, const json_t *msg, const char *name)
{
	const char *s = control_text(msg, name);

	return s != NULL ? pool_strdup(pool, s) : "";
}

static void
ask(struct telling *t)
{
	struct instance *i = NULL;
	struct op_answer answer;
	unsigned k = 0;

	t->left = 1; /* us */
	while (t->gen != NULL &&
	    (i = op_next(t->gen, PST_ALERT_SINK_EMIT, i)) != NULL)
		t->nsink++;
	if (t->nsink > 0)
		t->sink = pool_alloc(t->pool,
		    t->nsink * sizeof(*t->sink));
	for (i = NULL; k < t->nsink; k++) {
		i = op_next(t->gen, PST_ALERT_SINK_EMIT, i);
		t->sink[k].t = t;
		t->left++;
		if (op_ask(i, PST_ALERT_SINK_EMIT, NULL, &t->record, &answer,
			answered, &t->sink[k], &t->sink[k].run))
			t->left--;
	}
	one_less(t);
}

static void
answered(void *arg, const struct op_answer *answer)
{
	struct asked *sink = arg;

	(void)answer;
	OBJ_CHECK(sink->t, TELLING_MAGIC);
	sink->run = NULL;
	one_less(sink->t);
}

static void
one_less(struct telling *t)
{
	struct alerts *a = t->a;
	int64_t number = t->number;

	if (--t->left > 0)
		return;
	telling_free(t);
	a->tell(a->arg, json_pack("{s:s, s:I}", "type", "alerted", "number",
	    (json_int_t)number));
}

static void
telling_free(struct telling *t)
{
	unsigned i;

	for (i = 0; i < t->nsink; i++)
		op_cancel(&t->sink[i].run);
	TAILQ_REMOVE(&t->a->tellings, t, link);
	host_gen_unref(&t->gen);
	pool_destroy(&t->pool);
	OBJ_FREE(t);
}
