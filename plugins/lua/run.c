/*
 * An event: a coroutine from its first line to its verdict.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "policy.h"

/* What happens inside a task is over when its coroutine is. */
static void
run_end(void *arg)
{
	struct event *r = arg;

	if (r->co == NULL)
		return;
	answer_drop(r);
	strand_drop(r);
	state_thread_free(r->policy->state, &r->co);
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
}

static void
run_enter(struct event *r)
{
	struct policy *p = r->policy;

	r->next = p->live;
	r->at = &p->live;
	if (r->next != NULL)
		r->next->at = &r->next;
	p->live = r;
}

struct event *
run_of(lua_State *L)
{
	struct event *r = state_arg(L);

	if (r == NULL)
		(void)host_fail(L, "not while the policy is loaded");
	return r;
}

enum { MEMORY_STEP = 65536 };

static void
count(struct pst_event *ev, struct policy *p, enum stage st,
    const struct state_use *use, bool failed)
{
#define NAMES(word) { "calls_" word, "instructions_" word, \
	"errors_" word, "memory_" word }
	static const char *const names[STAGE_COUNT][4] = {
		[STAGE_CONNECT] = NAMES("connect"),
		[STAGE_HELO] = NAMES("helo"),
		[STAGE_TLS] = NAMES("tls"),
		[STAGE_MAIL] = NAMES("mail"),
		[STAGE_RCPT] = NAMES("rcpt"),
		[STAGE_DATA] = NAMES("data"),
		[STAGE_HEADERS] = NAMES("headers"),
		[STAGE_MESSAGE] = NAMES("message"),
		[STAGE_BRANCH] = NAMES("branch"),
		[STAGE_DELIVER] = NAMES("deliver"),
		[STAGE_DISCONNECT] = NAMES("disconnect"),
		[STAGE_QUEUED] = NAMES("queued"),
		[STAGE_DELIVERED] = NAMES("delivered"),
		[STAGE_DEFERRED] = NAMES("deferred"),
		[STAGE_BOUNCED] = NAMES("bounced"),
		[STAGE_TICK] = NAMES("tick"),
		[STAGE_CONSOLE] = NAMES("console"),
	};
#undef NAMES
	const char *const *name = names[st];
	int64_t held = (int64_t)state_memory(p->state);
	const struct conf *conf = ev->conf;

	pst_count(ev, name[0]);
	if (failed)
		pst_count(ev, name[2]);
	if (use == NULL)
		return;
	pst_count_by(ev, name[1], (int64_t)use->instructions);
	if (use->peak > p->peak[st]) {
		p->peak[st] = use->peak;
		pst_gauge(ev, name[3], use->peak);
	}
	if (!p->limits_told) {
		p->limits_told = true;
		pst_gauge(ev, "limit_instructions", conf->instructions);
		pst_gauge(ev, "limit_event_memory", conf->event_memory);
		pst_gauge(ev, "limit_memory", conf->memory);
	}
	/* Not for every object. */
	if (held > p->memory + MEMORY_STEP || held < p->memory - MEMORY_STEP) {
		p->memory = held;
		pst_gauge(ev, "memory", held);
	}
}

static enum pst_verdict
verdict(struct event *r, const char *word, int code, const char *enh,
    const char *text)
{
	struct pst_event *ev = r->ev;

	if (strcmp(word, "accept") == 0)
		return PST_ACCEPT;
	if (strcmp(word, "discard") == 0)
		return PST_DISCARD;
	if (strcmp(word, "reject") == 0)
		return pst_reject(ev, code != 0 ? code : 550,
		    enh[0] != '\0' ? enh : "5.7.1", "%s",
		    text[0] != '\0' ? text : "Refused by policy");
	if (strcmp(word, "tempfail") == 0)
		return pst_tempfail(ev, code != 0 ? code : 451,
		    enh[0] != '\0' ? enh : "4.7.1", "%s",
		    text[0] != '\0' ? text : "Refused by policy for now");
	if (strcmp(word, "quarantine") == 0)
		return pst_quarantine(ev, "%s",
		    text[0] != '\0' ? text : "by policy");
	if (strcmp(word, "disconnect") == 0)
		return pst_disconnect(ev, "%s",
		    text[0] != '\0' ? text : "Closed by policy");
	pst_log(ev, PST_ERROR, "\"%s\" is no verdict", word);
	return PST_TEMPFAIL;
}

/* word, code, enhanced, text on its stack, or nothing. */
static enum pst_verdict
done(struct event *r, int nresults)
{
	lua_State *co = r->co;
	const char *word = NULL, *enh = NULL, *text = NULL;
	int code = 0;

	if (nresults >= 4 && lua_type(co, -nresults) == LUA_TSTRING) {
		word = lua_tostring(co, -nresults);
		code = (int)lua_tointeger(co, -nresults + 1);
		if (lua_type(co, -nresults + 2) == LUA_TSTRING)
			enh = lua_tostring(co, -nresults + 2);
		if (lua_type(co, -nresults + 3) == LUA_TSTRING)
			text = lua_tostring(co, -nresults + 3);
	}
	if (r->conf->shadow)
		return shadow_end(r, word, code, text != NULL ? text : "");
	if (word == NULL || r->stage >= STAGE_NOTED)
		return PST_CONTINUE;
	return verdict(r, word, code, enh != NULL ? enh : "",
	    text != NULL ? text : "");
}

static enum pst_verdict
paused(struct pst_event *ev, const struct pst_result *res)
{
	struct event *r = pst_data(ev, PST_EVENT, struct event);

	(void)res;
	if (r == NULL || r->co == NULL)
		return PST_TEMPFAIL;
	return run_go(r, 0);
}

static enum pst_verdict
tick_again(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	return run_begin(ev, STAGE_TICK, ev->arg);
}

enum pst_verdict
run_go(struct event *r, int nargs)
{
	const struct tick *tick = r->tick;
	struct pst_event *ev = r->ev;
	enum pst_verdict v = PST_TEMPFAIL;
	struct state_error e;
	uint64_t ready;
	enum run how;
	int n = 0;

	if (r->place[0] != '\0' && pst_has(ev, at))
		pst_at(ev, r->place);
	r->paused = false;
	for (;;) {
		how = state_resume(r->policy->state, r->co, nargs, r, &n);
		answer_keep(r);
		if (how != RUN_YIELD)
			break;
		lua_pop(r->co, n);
		ready = answer_ready(r);
		if (ready == 0)
			return PST_WAIT;
		lua_pushinteger(r->co, (lua_Integer)ready);
		nargs = 1;
	}
	switch (how) {
	case RUN_PAUSE:
		r->paused = true;
		return pst_timer(ev, 0, paused);
	case RUN_YIELD:
		break;
	case RUN_DONE:
		v = done(r, n);
		break;
	case RUN_ERROR:
		state_error(r->policy->state, r->co, &e);
		v = failure(r, &e);
		break;
	}
	count(ev, r->policy, r->stage, state_used(r->co), how == RUN_ERROR);
	host_select(r, RCPT_NONE);
	run_end(r);
	return tick == NULL ? v : pst_timer(ev, tick->every, tick_again);
}

enum pst_verdict
run_begin(struct pst_event *ev, enum stage st, const struct tick *tick)
{
	struct policy *p = pst_data(ev, PST_INSTANCE, struct policy);
	const struct conf *conf = ev->conf;
	struct found found;
	struct event *r;
	bool rules;

	if (p == NULL || p->state == NULL)
		return PST_TEMPFAIL;
	rules = handlers_rules(ev, p, st, &found);
	if (st < STAGE_TICK && !rules && p->asked[st].n == 0 &&
	    !conf->shadow) {
		if (handlers_want(p, st))
			count(ev, p, st, NULL, false);
		return PST_CONTINUE;
	}
	r = pst_data(ev, PST_EVENT, struct event);
	if (r == NULL)
		return PST_TEMPFAIL;
	r->policy = p;
	r->conf = conf;
	r->ev = ev;
	r->stage = st;
	r->rcpt = RCPT_NONE;
	r->rules = rules;
	if (rules)
		r->found = found;
	if (st < STAGE_TICK && !rules && p->asked[st].n == 0)
		return shadow_end(r, NULL, 0, "");
	r->co = state_thread(p->state, NULL);
	if (r->co == NULL) {
		pst_log(ev, PST_ERROR, "no memory for a coroutine");
		return PST_TEMPFAIL;
	}
	if (tick == NULL || r->tick == NULL)
		pst_defer(ev, PST_EVENT, run_end, r);
	r->tick = tick;
	r->number = ++p->events;
	r->place[0] = '\0';
	run_enter(r);
	if (st < STAGE_TICK)
		lua_pushcfunction(r->co, handlers_ask);
	else
		(void)lua_rawgeti(r->co, LUA_REGISTRYINDEX,
		    tick != NULL ? tick->fn : p->console);
	return run_go(r, 0);
}
