#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "host/crew.h"
#include "host/event_priv.h"
#include "host/request_priv.h"

static const struct about_ops nothing_ops;
static const struct about nothing = { .ops = &nothing_ops, .rcpt = -1 };

/* Tripped never, and always. */
static const _Atomic uint64_t no_generation = 0, any_generation = UINT64_MAX;


static struct scope *object_scope(struct event *ev, int which);
static void refuse(struct event *ev);
static bool may_miss(const struct event *ev);
static void judge(struct event *ev, enum pst_verdict v);
static bool looks_on(const struct event *ev);
static void overdue(void *arg);
static void limbo_add(struct engine *e, struct scope *s);
static void limbo_end(void *arg);
static void task_over(struct event *ev);

void
engine_init(struct host *h)
{
	struct engine *e = mem_zalloc(sizeof(*e));

	e->host = h;
	e->loop = h->world.loop;
	e->net = h->world.net != NULL ? h->world.net : &request_net;
	e->spare_park = UINT32_MAX;
	e->flight = &e->unread;
	e->trips = &no_generation;
	if (h->world.shm != NULL) {
		e->recorder = shm_flight(h->world.shm, h->world.worker, 0);
		e->flight = e->recorder;
		e->trips = shm_plugin_trips(h->world.shm);
	}
	TAILQ_INIT(&e->spare);
	TAILQ_INIT(&e->runs);
	loop_timer_init(e->loop, &e->limbo_timer, limbo_end, e);
	facts_init(e);
	stat_init(e);
	h->engine = e;
}

void
engine_fini(struct host *h)
{
	struct engine *e = h->engine;
	struct event *ev;

	ASSERT(TAILQ_EMPTY(&e->runs));
	request_fini(e);
	engine_clean(h);
	mem_free(e->limbo);
	stat_fini(e);
	while ((ev = TAILQ_FIRST(&e->spare)) != NULL) {
		TAILQ_REMOVE(&e->spare, ev, link);
		scope_end(&ev->scope);
		OBJ_FREE(ev);
	}
	mem_free(e);
	h->engine = NULL;
}

void
engine_instance(struct instance *i)
{
	struct instance_run *run = mem_zalloc(sizeof(*run));
	struct engine *e = i->gen->host->engine;

	run->inst = i;
	run->faults = run->memory = run->number = -1;
	run->tripped = &no_generation;
	if (e->recorder != NULL)
		run->number = shm_plugin_get(e->host->world.shm, i->name);
	if (run->number >= 0)
		run->tripped = shm_plugin_tripped(e->host->world.shm,
		    run->number);
	TAILQ_INIT(&run->tasks);
	TAILQ_INSERT_TAIL(&e->runs, run, link);
	i->run = run;
	if (i->scope == NULL)
		i->scope = scope_new_max(SCOPE_MAX_INSTANCE);
}

void
engine_instance_end(struct instance *i)
{
	struct instance_run *run = i->run;
	struct event *ev;

	if (run == NULL)
		return;
	engine_clean(i->gen->host);
	run->ended = true;
	while ((ev = TAILQ_FIRST(&run->tasks)) != NULL) {
		ev->verdict = PST_CONTINUE;
		if (!event_stop(ev))
			panic("an instance was ended by its own task");
		task_over(ev);
	}
	scope_end(&i->scope);
	facts_instance_end(run);
	crew_share_unref(&run->share);
	stat_instance_end(run);
	TAILQ_REMOVE(&i->gen->host->engine->runs, run, link);
	mem_free(run);
	i->run = NULL;
}

void
engine_clean(struct host *h)
{
	struct engine *e = h->engine;

	loop_timer_clear(&e->limbo_timer);
	limbo_end(e);
}

bool
instance_tripped(const struct instance *i)
{
	return atomic_load_explicit(i->run->tripped, memory_order_relaxed) >
	    i->generation;
}

uint32_t
instance_who(const struct instance *i, unsigned where)
{
	return i->run->number < 0 ? 0 : SHM_WHO(i->run->number, where);
}

void
instance_leave_out(struct instance *i)
{
	i->run->tripped = &any_generation;
	i->gen->left_out = true;
}

struct event *
event_get(struct engine *e)
{
	struct event *ev = TAILQ_FIRST(&e->spare);

	if (ev != NULL) {
		TAILQ_REMOVE(&e->spare, ev, link);
		return ev;
	}
	OBJ_NEW(ev, EVENT_MAGIC);
	ev->engine = e;
	TAILQ_INIT(&ev->requests);
	loop_timer_init(e->loop, &ev->deadline, overdue, ev);
	return ev;
}

void
event_put(struct event **evp)
{
	struct event *ev = *evp;

	OBJ_CHECK(ev, EVENT_MAGIC);
	ASSERT(ev->depth == 0 && ev->nrequests == 0);
	TAILQ_INSERT_HEAD(&ev->engine->spare, ev, link);
	*evp = NULL;
}

void
event_begin(struct event *ev, struct instance *i, enum on on,
    const struct about *about, void *oparg)
{
	ev->pub.api = i->api;
	ev->pub.on = on_word(on);
	ev->pub.conf = i->conf;
	ev->pub.arg = oparg;
	ev->pub.instance = i->name;
	ev->inst = i;
	ev->on = on;
	ev->stat = &i->run->stat[on];
	ev->about = about != NULL ? about : &nothing;
	ev->rcpt = ev->about->rcpt;
	ev->dead = ev->waits = ev->alone = ev->each = ev->task = ev->used =
	    ev->turned = false;
	ev->fault = NULL;
	ev->replied = -1;
}

/*
 * Here and in event_chain() a plugin's code is entered on the loop's thread,
 * apart from clean-ups and each_rcpt, which runs inside such a call.
 */
enum event_result
event_call(struct event *ev, pst_fn *fn, pst_then *then,
    const struct pst_result *result)
{
	struct shm_flight *recorder = ev->engine->recorder;
	uint64_t start = ev->engine->tick;
	struct flight_was was;
	struct flight now;
	enum pst_verdict v;

	if (instance_tripped(ev->inst)) {
		refuse(ev);
		return EVENT_SAID;
	}
	if (recorder != NULL) {
		now = event_flight(ev, ev->task ? WHERE_TASK :
		    (unsigned)ev->on);
		now.since = start;
		flight_enter(recorder, &now, &was);
	}
	ev->place[0] = '\0';
	ev->depth++;
	v = fn != NULL ? fn(&ev->pub) : then(&ev->pub, result);
	ev->depth--;
	if (recorder != NULL)
		flight_leave(recorder, &was);
	ev->engine->tick = clock_ticks();
	stat_call(ev, ev->engine->tick - start);
	return event_outcome(ev, v);
}

enum event_result
event_outcome(struct event *ev, enum pst_verdict v)
{
	if (ev->dead)
		return EVENT_DEAD;
	if (v == PST_CONTINUE && ev->fault == NULL) {
		ev->verdict = v;
		return EVENT_SAID;
	}
	if (v == PST_WAIT && ev->nrequests > 0 && ev->fault == NULL &&
	    on_waits(ev->on)) {
		if (!ev->waits && !ev->task)
			loop_timer_set(&ev->deadline, event_patience(ev));
		ev->waits = true;
		return EVENT_WAITS;
	}
	judge(ev, v);
	return EVENT_SAID;
}

void
event_clear(struct event *ev, bool keep)
{
	if (ev->waits)
		loop_timer_clear(&ev->deadline);
	if (ev->nrequests > 0)
		request_cancel_all(ev);
	if (!ev->used)
		return;
	if (!ev->dead && (keep || scope_held(ev->scope)))
		event_bind(ev);
	ev->used = false;
	if (!keep) {
		scope_recycle(&ev->scope);
		return;
	}
	limbo_add(ev->engine, ev->scope);
	ev->scope = NULL;
}

bool
event_stop(struct event *ev)
{
	OBJ_CHECK(ev, EVENT_MAGIC);
	if (ev->used || ev->depth > 0)
		event_bind(ev);
	loop_timer_clear(&ev->deadline);
	request_cancel_all(ev); /* they look at what this one is about */
	ev->dead = true;
	return ev->depth == 0;
}

/*
 * Its clean-ups run before those of what it is about, whose owner may end it
 * now.
 */
void
event_bind(struct event *ev)
{
	const struct about *a = ev->about;
	struct scope *s = event_scope(ev, PST_EVENT), **sp;
	int at = ev->rcpt, i, n = 0;

	if (a->ops->scope != NULL) {
		if (ev->each && a->ops->nrcpt != NULL)
			n = (int)a->ops->nrcpt(a->arg);
		for (i = at >= 0 ? -1 : 0; i < n; i++) {
			sp = a->ops->scope(a->arg, PST_RCPT, i < 0 ? at : i);
			if (sp != NULL && *sp != NULL)
				scope_needs(s, *sp);
		}
		for (i = PST_MESSAGE; i >= PST_SESSION; i--) {
			sp = a->ops->scope(a->arg, i, at);
			if (sp != NULL && *sp != NULL)
				scope_needs(s, *sp);
		}
	}
	if (ev->inst->scope != NULL)
		scope_needs(s, ev->inst->scope);
}

void
event_fault(struct event *ev, const char *fmt, ...)
{
	const struct instance *i = ev->inst;
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	mail_log(EV_PLUGIN_FAULT, i->name,
	    strcmp(i->plugin->name, i->name) == 0 ? "" : i->plugin->name,
	    ev->pub.on, ev->place, ev->about->mid, ev->about->icid,
	    str_c(why));
	stat_fault(ev);
	(void)err_set(&ev->reply, 451, "4.3.0", "temporary local problem");
	ev->replied = ev->verdict = PST_TEMPFAIL;
	if (looks_on(ev))
		ev->verdict = PST_CONTINUE;
}

void
event_misuse(struct event *ev, const char *what)
{
	mail_log(EV_PLUGIN_MISUSE, ev->inst->name, ev->pub.on, ev->place,
	    ev->about->mid, ev->about->icid, str_c(what));
}

struct event *
event_of(struct pst_event *pub)
{
	struct event *ev = (struct event *)(void *)pub;

	OBJ_CHECK(ev, EVENT_MAGIC);
	if (ev->depth > 0) {
		if (!ev->turned)
			event_turn(ev);
		return ev;
	}
	log_warning("Plugin %s used an event that is over: %s",
	    ev->pub.instance, ev->pub.on);
	return NULL;
}

void
event_turn(struct event *ev)
{
	ev->turned = true;
	if (ev->about->ops->turn != NULL)
		ev->about->ops->turn(ev->about->arg, ev->inst->name);
}

struct scope *
event_scope(struct event *ev, enum pst_scope which)
{
	switch (which) {
	case PST_EVENT:
		ev->used = true;
		if (ev->scope == NULL)
			ev->scope = scope_new();
		return ev->scope;
	case PST_INSTANCE:
		return ev->inst->scope;
	case PST_RCPT:
		ev->each |= ev->alone;
		return object_scope(ev, PST_RCPT);
	case PST_SESSION:
	case PST_MESSAGE:
		return object_scope(ev, (int)which);
	}
	return NULL;
}

/* With those around it, so that they end in their order even if they are made
 * in another. */
static struct scope *
object_scope(struct event *ev, int which)
{
	const struct about *a = ev->about;
	struct scope **sp, *outer;

	sp = a->ops->scope == NULL ? NULL :
	    a->ops->scope(a->arg, which, ev->rcpt);
	if (sp == NULL || *sp != NULL)
		return sp == NULL ? NULL : *sp;
	*sp = scope_new();
	while (--which >= PST_SESSION) {
		outer = object_scope(ev, which);
		if (outer != NULL)
			scope_needs(*sp, outer);
	}
	return *sp;
}

struct pool *
event_pool(struct event *ev)
{
	return scope_pool(event_scope(ev, PST_EVENT));
}

struct flight
event_flight(const struct event *ev, unsigned where)
{
	return (struct flight){ .who = instance_who(ev->inst, where),
		.icid = ev->about->icid,
		.mid = ev->about->mid };
}

void
event_defer(struct event *ev, struct scope *s, void (*fn)(void *), void *arg)
{
	struct flight by = event_flight(ev, WHERE_CLEANUP);

	scope_defer_by(s, fn, arg, ev->engine->recorder, &by,
	    s == ev->scope || s == ev->inst->scope ? NULL : ev->inst->scope);
}

int
event_task(struct event *ev, pst_fn *fn, void *arg)
{
	struct instance_run *run = ev->inst->run;
	struct event *task;

	if (run->ended || run->ntasks >= TASKS_MAX)
		return -1;
	task = event_get(ev->engine);
	event_begin(task, ev->inst, ON_START, NULL, arg);
	task->pub.on = "task";
	task->stat = &run->stat[ON_COUNT];
	task->over = task_over;
	task->arg = NULL;
	task->task = task->waits = true;
	request_task(task, fn);
	TAILQ_INSERT_TAIL(&run->tasks, task, link);
	run->ntasks++;
	return 0;
}

/* A plugin that brought workers down has its turn, and is not called. */
static void
refuse(struct event *ev)
{
	ev->fault = NULL;
	ev->verdict = PST_CONTINUE;
	if (may_miss(ev))
		return;
	(void)err_set(&ev->reply, 451, "4.3.0", "temporary local problem");
	ev->replied = ev->verdict = PST_TEMPFAIL;
}

/*
 * Left out where the administrator wants it. What was asked for by name (a
 * table, a certificate, the TLS that a recipient needs) is never taken for
 * an empty answer: mail would go out with less than it needs.
 */
static bool
may_miss(const struct event *ev)
{
	return ev->inst->block->on_crash == CONF_CRASH_DISABLE &&
	    (ev->on < (enum on)HOOK_COUNT ||
		strncmp(ev->pub.on, "filter/", 7) == 0 ||
		strncmp(ev->pub.on, "route/", 6) == 0);
}

/* Is it an answer? Whatever else it may be, its requests end here. */
static void
judge(struct event *ev, enum pst_verdict v)
{
	if (ev->fault != NULL)
		event_fault(ev, "%s", ev->fault);
	else if (v == PST_WAIT && !on_waits(ev->on))
		event_fault(ev, "it may not wait here");
	else if (v == PST_WAIT)
		event_fault(ev, "it waits for nothing");
	else if ((unsigned)v > PST_WAIT)
		event_fault(ev, "%d is no verdict", (int)v);
	else if (looks_on(ev))
		ev->verdict = PST_CONTINUE;
	else {
		ev->verdict = v;
		reply_complete(ev);
	}
}

/* Its verdict at a hook is none, were it that it is broken. */
static bool
looks_on(const struct event *ev)
{
	return ev->inst->looks_on && ev->on < (enum on)HOOK_COUNT;
}

/* An alert is for somebody who may be hard to reach, also where a task brings
 * it; a test of a policy lets days pass. */
msec
event_patience(const struct event *ev)
{
	if (ev->on == ON_POLICY_ASK)
		return HOURS(24 * 3650);
	if (ev->on == ON_ALERT_EMIT || ev->on == ON_ALERT_TEST ||
	    (ev->task && ev->inst->fn[ON_ALERT_EMIT] != NULL))
		return MINUTES(15);
	return ev->inst->timeout;
}

static void
overdue(void *arg)
{
	struct event *ev;
	char text[32];

	OBJ_CAST(ev, arg, EVENT_MAGIC);
	request_cancel_all(ev);
	event_fault(ev, "no verdict within %s",
	    num_fmt_duration(text, sizeof(text), event_patience(ev)));
	ev->over(ev);
}

/* Whoever asked an operation reads what it points to after the event. */
static void
limbo_add(struct engine *e, struct scope *s)
{
	if (e->nlimbo == e->limbo_room) {
		e->limbo_room = e->limbo_room == 0 ? 16 : e->limbo_room * 2;
		e->limbo = mem_realloc(e->limbo,
		    e->limbo_room * sizeof(struct scope *));
	}
	if (e->nlimbo == 0)
		loop_timer_set(&e->limbo_timer, 0);
	e->limbo[e->nlimbo++] = s;
}

static void
limbo_end(void *arg)
{
	struct engine *e = arg;

	while (e->nlimbo > 0)
		scope_end(&e->limbo[--e->nlimbo]);
}

static void
task_over(struct event *ev)
{
	struct instance_run *run = ev->inst->run;

	TAILQ_REMOVE(&run->tasks, ev, link);
	run->ntasks--;
	event_clear(ev, false);
	event_put(&ev);
}
