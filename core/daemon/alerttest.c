#include "daemon/alerttest.h"

#include <postern/alert_sink.h>

#include "base/obj.h"
#include "daemon/worker_priv.h"
#include "host/hooks.h"

#define ALERTTEST_MAGIC 0xa1e47004u
#define TEXT "this is a test: alerts of this relay arrive here"

/* One request, until the last sink has answered. */
struct alerttest {
	unsigned magic;
	struct worker *w;
	struct alerttest *next; /* of w->tests */
	struct control_req *req;
	struct pool *pool;
	struct host_gen *gen;
	struct pst_alert_record alert;
	struct pst_alert_test test;
	struct tested {
		struct alerttest *t;
		struct instance *sink;
		bool says; /* it has alert_sink/1.test */
		struct op_run *run;
	} *sink;
	unsigned n, left;
};

static struct alerttest *test_new(struct worker *, struct control_req *,
		    const json_t *);
static bool	says(const struct host_gen *, const struct instance *);
static void	answered(void *, const struct op_answer *);
static void	told(struct tested *, const struct op_answer *);
static void	one_less(struct alerttest *);
static void	test_free(struct alerttest *);

void
alerttest_verb(void *arg, struct control_req *r, const json_t *args)
{
	struct op_answer answer;
	struct instance *i;
	struct alerttest *t;
	struct tested *s;
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	if (!w->serving || w->stopping) {
		control_fail(r, "the relay is not serving");
		return;
	}
	if (op_next(w->conf->plugins, PST_ALERT_SINK_EMIT, NULL) == NULL) {
		control_fail(r, "nobody is told of alerts in the "
		    "configuration that is in force");
		return;
	}
	t = test_new(w, r, args);
	for (i = NULL; (i = op_next(t->gen, PST_ALERT_SINK_EMIT, i)) != NULL;) {
		s = &t->sink[t->n++];
		*s = (struct tested){ .t = t, .sink = i,
			.says = says(t->gen, i) };
		t->left++;
		if (op_ask(i, s->says ? PST_ALERT_SINK_TEST :
			    PST_ALERT_SINK_EMIT, NULL, s->says ?
			    (void *)&t->test : (void *)&t->alert, &answer,
			answered, s, &s->run)) {
			told(s, &answer);
			t->left--;
		}
	}
	one_less(t);
}

static struct alerttest *
test_new(struct worker *w, struct control_req *r, const json_t *args)
{
	const char *to = control_text(args, "to");
	struct instance *i = NULL;
	struct alerttest *t;
	unsigned n = 0;

	OBJ_NEW(t, ALERTTEST_MAGIC);
	t->w = w;
	t->next = w->tests;
	w->tests = t;
	t->req = r;
	t->pool = pool_new(0);
	t->gen = host_gen_ref(w->conf->plugins);
	t->left = 1; /* us */
	/* Each is a matter of its own, so that none is gathered. */
	t->alert = (struct pst_alert_record){ .size = sizeof(t->alert),
		.severity = "Information", .category = "System",
		.key = pool_printf(t->pool, "test:%jd",
		    (intmax_t)clock_wall()),
		.host = pool_strdup(t->pool, w->conf->top.hostname),
		.text = TEXT, .detail = "", .wall = clock_wall() };
	t->test = (struct pst_alert_test){ .size = sizeof(t->test),
		.alert = &t->alert,
		.to = to != NULL ? pool_strdup(t->pool, to) : "" };
	while ((i = op_next(t->gen, PST_ALERT_SINK_EMIT, i)) != NULL)
		n++;
	t->sink = pool_alloc(t->pool, n * sizeof(*t->sink));
	return t;
}

static bool
says(const struct host_gen *g, const struct instance *sink)
{
	struct instance *i = NULL;

	while ((i = op_next(g, PST_ALERT_SINK_TEST, i)) != NULL) {
		if (i == sink)
			return true;
	}
	return false;
}

static void
answered(void *arg, const struct op_answer *answer)
{
	struct tested *s = arg;

	OBJ_CHECK(s->t, ALERTTEST_MAGIC);
	s->run = NULL;
	told(s, answer);
	one_less(s->t);
}

static void
told(struct tested *s, const struct op_answer *a)
{
	bool good = a->verdict == PST_CONTINUE || a->verdict == PST_ACCEPT;

	control_row_json(s->t->req, json_pack("{s:s, s:b, s:b, s:s}", "sink",
	    instance_name(s->sink), "told", (int)good, "known",
	    (int)s->says, "text", good ? "" : a->reply.text));
}

static void
one_less(struct alerttest *t)
{
	if (--t->left > 0)
		return;
	control_done(t->req, NULL);
	test_free(t);
}

void
alerttest_end(struct worker *w)
{
	unsigned i;

	while (w->tests != NULL) {
		for (i = 0; i < w->tests->n; i++)
			op_cancel(&w->tests->sink[i].run);
		test_free(w->tests);
	}
}

static void
test_free(struct alerttest *t)
{
	struct alerttest **at;

	for (at = &t->w->tests; *at != t; at = &(*at)->next)
		continue;
	*at = t->next;
	host_gen_unref(&t->gen);
	pool_destroy(&t->pool);
	OBJ_FREE(t);
}
