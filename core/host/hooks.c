#include "host/hooks.h"

#include <string.h>

#include "base/log.h"
#include "host/event_priv.h"

#define HOOK_RUN_MAGIC 0xe7e47002u
#define OP_RUN_MAGIC   0xe7e47003u

/* On the stack until somebody waits. */
struct hook_run {
	unsigned magic;
	enum hook hook;
	unsigned next; /* in the chain */
	struct host_gen *gen;
	struct event *ev;
	const struct about *about;
	struct hook_verdict *v;
	hook_done *done;
	void *arg;
};

struct hook_wait {
	struct hook_run run;
	struct about about;
	struct hook_verdict v;
};

struct op_run {
	unsigned magic;
	struct host_gen *gen;
	struct event *ev;
	struct about about;
	struct op_answer a;
	op_done *done;
	void *arg;
};

static const struct {
	const char *word, *verdicts;
} table[HOOK_COUNT] = {
#define HOOK(id, word, verdicts, help) { word, verdicts },
#include "tbl/hooks.h"
#undef HOOK
};

static const char letters[PST_WAIT] = {
	[PST_CONTINUE] = 0,
	[PST_ACCEPT] = 'A',
	[PST_REJECT] = 'R',
	[PST_TEMPFAIL] = 'T',
	[PST_DISCARD] = 'D',
	[PST_QUARANTINE] = 'Q',
	[PST_DISCONNECT] = 'X',
};

static enum event_result go(struct hook_run *run);
static bool goes_on(struct hook_run *run);
static void honour(struct hook_verdict *v, struct event *ev);
static void hook_over(struct event *ev);
static void hook_free(struct hook_wait **wp);
static int begin_op(struct event *ev, struct instance *i, const char *op,
    const struct about *about, void *oparg, struct op_answer *a);
static void answer(struct event *ev, struct op_answer *a);
static void op_over(struct event *ev);
static void op_free(struct op_run **rp);
static bool gives(const struct event *ev);

const char *
hook_word(enum hook h)
{
	ASSERT((unsigned)h < HOOK_COUNT);
	return table[h].word;
}

bool
hook_wanted(const struct host_gen *g, enum hook h)
{
	return g != NULL && g->chain[h].n > 0;
}

bool
hook_ask(struct host_gen *g, enum hook h, const struct about *about,
    struct hook_verdict *v, hook_done *done, void *arg,
    struct hook_run **run_r)
{
	struct hook_run run;
	struct hook_wait *w;

	v->act = HOOK_GO;
	err_clear(&v->reply);
	v->by = NULL;
	v->quarantine[0] = '\0';
	if (!hook_wanted(g, h))
		return true;
	run = (struct hook_run){ .magic = HOOK_RUN_MAGIC, .hook = h, .gen = g,
		.about = about, .v = v, .done = done, .arg = arg };
	run.ev = event_get(g->host->engine);
	run.ev->over = hook_over;
	stat_begin(g->host->engine);
	if (go(&run) != EVENT_WAITS) {
		event_put(&run.ev);
		return true;
	}
	w = mem_zalloc(sizeof(*w));
	w->run = run;
	w->v = *v;
	w->about = *about;
	w->run.v = &w->v;
	w->run.about = run.ev->about = &w->about;
	run.ev->arg = w;
	(void)host_gen_ref(g);
	*run_r = &w->run;
	return false;
}

void
hook_cancel(struct hook_run **rp)
{
	struct hook_run *run = *rp;
	struct hook_wait *w;

	if (run == NULL)
		return;
	OBJ_CHECK(run, HOOK_RUN_MAGIC);
	*rp = NULL;
	w = COLL_OF(run, struct hook_wait, run);
	if (event_stop(run->ev))
		hook_free(&w);
	/* else who called the function sees that it is dead */
}

struct instance *
op_next(const struct host_gen *g, const char *op, const struct instance *prev)
{
	const struct chain *c;
	int on;
	unsigned i = 0;

	on = g != NULL ? on_find(op) : -1;
	if (on < 0)
		return NULL;
	c = &g->chain[on];
	while (prev != NULL && i < c->n && c->v[i++] != prev)
		;
	return i < c->n ? c->v[i] : NULL;
}

bool
op_ask(struct instance *i, const char *op, const struct about *about,
    void *oparg, struct op_answer *a, op_done *done, void *arg,
    struct op_run **run_r)
{
	struct engine *e = i->gen->host->engine;
	struct event *ev = event_get(e);
	struct op_run *run;
	int on;

	on = begin_op(ev, i, op, about, oparg, a);
	if (on < 0)
		return true;
	ev->over = op_over;
	if (event_call(ev, i->fn[on], NULL, NULL) != EVENT_WAITS) {
		answer(ev, a);
		event_clear(ev, true);
		event_put(&ev);
		return true;
	}
	OBJ_NEW(run, OP_RUN_MAGIC);
	run->ev = ev;
	run->done = done;
	run->arg = arg;
	if (about != NULL) {
		run->about = *about;
		ev->about = &run->about;
	}
	ev->arg = run;
	run->gen = host_gen_ref(i->gen);
	*run_r = run;
	return false;
}

void
op_cancel(struct op_run **rp)
{
	struct op_run *run = *rp;

	if (run == NULL)
		return;
	OBJ_CHECK(run, OP_RUN_MAGIC);
	*rp = NULL;
	if (event_stop(run->ev))
		op_free(&run);
}

void
op_now(struct instance *i, const char *op, const struct about *about,
    void *oparg, struct op_answer *a)
{
	struct event *ev = event_get(i->gen->host->engine);
	int on;

	on = begin_op(ev, i, op, about, oparg, a);
	if (on < 0)
		return;
	if (event_call(ev, i->fn[on], NULL, NULL) == EVENT_WAITS) {
		event_fault(ev, "it may not wait here");
		request_cancel_all(ev);
	}
	answer(ev, a);
	event_clear(ev, gives(ev));
	event_put(&ev);
}

/* The chain from run->next on. The event is clear unless EVENT_WAITS. */
static enum event_result
go(struct hook_run *run)
{
	struct event *ev = run->ev;
	enum event_result r;
	bool more;

	do {
		r = event_chain(ev, run->gen, run->hook, &run->next,
		    run->about);
		if (r == EVENT_WAITS)
			return r;
		if (r == EVENT_SAID && ev->verdict == PST_CONTINUE)
			return r; /* nobody said anything: it is clear */
		more = r == EVENT_SAID && goes_on(run);
		event_clear(ev, false);
	} while (more);
	return r;
}

/* Takes the verdict of the event; false: it was the last word. */
static bool
goes_on(struct hook_run *run)
{
	const char *verdicts = table[run->hook].verdicts;
	struct event *ev = run->ev;
	char letter = letters[ev->verdict];

	if (letter == 0)
		return true;
	if (!ev->turned) /* what comes of it is its doing */
		event_turn(ev);
	if (verdicts[0] == '\0')
		return true;
	if (strchr(verdicts, letter) == NULL)
		event_fault(ev, "verdict %d is not for this hook",
		    (int)ev->verdict);
	if (ev->verdict != PST_QUARANTINE) {
		honour(run->v, ev);
		return false;
	}
	if (run->v->quarantine[0] == '\0') {
		(void)str_copy(run->v->quarantine,
		    sizeof(run->v->quarantine), str_c(ev->reply.text));
	}
	return true;
}

static void
honour(struct hook_verdict *v, struct event *ev)
{
	v->by = ev->inst->name;
	switch (ev->verdict) {
	case PST_REJECT:
		v->act = HOOK_REJECT;
		break;
	case PST_TEMPFAIL:
		v->act = HOOK_TEMPFAIL;
		break;
	case PST_DISCARD:
		v->act = HOOK_DISCARD;
		return;
	case PST_DISCONNECT:
		v->act = HOOK_DISCONNECT_NOW;
		break;
	default:
		return;
	}
	v->reply = ev->reply;
}

/* The one that waited has said something: on with the chain. */
static void
hook_over(struct event *ev)
{
	struct hook_wait *w = ev->arg;
	enum event_result r;

	OBJ_CHECK(&w->run, HOOK_RUN_MAGIC);
	r = EVENT_SAID;
	if (ev->dead)
		r = EVENT_DEAD;
	else if (goes_on(&w->run)) {
		event_clear(ev, false);
		stat_begin(ev->engine);
		r = go(&w->run);
	}
	if (r == EVENT_WAITS)
		return;
	event_clear(ev, false);
	if (r == EVENT_SAID)
		w->run.done(w->run.arg, &w->v);
	hook_free(&w);
}

static void
hook_free(struct hook_wait **wp)
{
	struct hook_wait *w = *wp;

	event_clear(w->run.ev, false);
	event_put(&w->run.ev);
	host_gen_unref(&w->run.gen);
	OBJ_FREE(&w->run);
	*wp = NULL;
}

/* Returns what it is, or -1 with an answer and without the event. */
static int
begin_op(struct event *ev, struct instance *i, const char *op,
    const struct about *about, void *oparg, struct op_answer *a)
{
	int on = on_find(op);

	err_clear(&a->reply);
	a->verdict = PST_CONTINUE;
	if (on >= 0 && i->fn[on] != NULL) {
		event_begin(ev, i, (enum on)on, about, oparg);
		stat_begin(ev->engine);
		return on;
	}
	a->verdict = PST_TEMPFAIL;
	(void)err_set(&a->reply, 451, "4.3.0", "%s has no %s", i->name, op);
	event_put(&ev);
	return -1;
}

static void
answer(struct event *ev, struct op_answer *a)
{
	a->verdict = (int)ev->verdict;
	if (ev->replied == a->verdict || ev->verdict == PST_REJECT ||
	    ev->verdict == PST_TEMPFAIL || ev->verdict == PST_DISCONNECT)
		a->reply = ev->reply;
}

static void
op_over(struct event *ev)
{
	struct op_run *run;

	OBJ_CAST(run, ev->arg, OP_RUN_MAGIC);
	if (!ev->dead) {
		answer(ev, &run->a);
		(void)event_stop(ev); /* done() may end what it is about */
		run->done(run->arg, &run->a);
	}
	op_free(&run);
}

static void
op_free(struct op_run **rp)
{
	struct op_run *run = *rp;

	event_clear(run->ev, true);
	event_put(&run->ev);
	host_gen_unref(&run->gen);
	OBJ_FREE(run);
	*rp = NULL;
}

/* Log sinks are told and give nothing; their loop may never turn. */
static bool
gives(const struct event *ev)
{
	return strncmp(ev->pub.on, "log_sink/", 9) != 0;
}
