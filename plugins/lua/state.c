#include "state_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>

#define STATE_MAGIC 0x10a50001u
#define IDLE_MAX    64	 /* coroutines kept */
#define LOAD_FACTOR 100	 /* instructions of loading */
#define FRAMES	    24	 /* of a traceback */

static int on_panic(lua_State *);
static int open_all(lua_State *);
static struct thread *thread_new(struct state *);
static void thread_begin(struct thread *, struct thread *);
static void thread_drop(struct thread **);
static enum run run(struct thread *, int, int *);

struct state *
state_new(
    const struct state_limits *limits, const char *dir, char *why, size_t n)
{
	struct state *s = calloc(1, sizeof(*s));

	if (s == NULL || (s->main = calloc(1, sizeof(*s->main))) == NULL) {
		(void)snprintf(why, n, "no memory");
		free(s);
		return NULL;
	}
	s->magic = STATE_MAGIC;
	s->limits = *limits;
	s->main->s = s;
	s->main->root = s->main;
	s->main->limit = UINT64_MAX;
	s->main->growth = INT64_MAX;
	if (dir != NULL && (s->dir = realpath(dir, NULL)) == NULL) {
		(void)snprintf(why, n, "%s: %s", dir, strerror(errno));
		state_destroy(&s);
		return NULL;
	}
	s->L = lua_newstate(limit_alloc, s);
	if (s->L != NULL) {
		s->main->L = s->L;
		*(struct thread **)lua_getextraspace(s->L) = s->main;
		(void)lua_atpanic(s->L, on_panic);
		lua_pushcfunction(s->L, open_all);
	}
	if (s->L == NULL || lua_pcall(s->L, 0, 0, 0) != LUA_OK) {
		(void)snprintf(why, n, "no memory for Lua");
		state_destroy(&s);
		return NULL;
	}
	return s;
}

static int
open_all(lua_State *L)
{
	sandbox_open(L);
	return 0;
}

void
state_destroy(struct state **sp)
{
	struct state *s = *sp;
	struct thread *th;

	if (s == NULL)
		return;
	if (s->L != NULL)
		lua_close(s->L);
	while ((th = s->all) != NULL) {
		s->all = th->after;
		free(th->fault);
		free(th);
	}
	free(s->main);
	free(s->dir);
	s->magic = 0;
	free(s);
	*sp = NULL;
}

lua_State *
state_lua(struct state *s)
{
	return s->L;
}

struct state *
state_of(lua_State *L)
{
	return thread_of(L)->s;
}

size_t
state_memory(const struct state *s)
{
	return s->used;
}

const struct state_limits *
state_limits(struct state *s)
{
	return &s->limits;
}

int
state_run(struct state *s, const char *name, const char *text, size_t n,
    char *why, size_t whyn)
{
	lua_State *co = state_thread(s, NULL);
	struct thread *th = thread_of(co);
	struct state_error e;
	char chunk[LUA_IDSIZE];
	enum run r = RUN_ERROR;
	int status, nresults;

	thread_begin(th, th);
	state_widen(co);
	th->base = s->used;
	(void)snprintf(chunk, sizeof(chunk), "@%s", name);
	s->now = th;
	status = luaL_loadbufferx(co, text, n, chunk, "t");
	s->now = NULL;
	if (status == LUA_OK)
		r = state_resume(s, co, 0, NULL, &nresults);
	else
		fault_died(th, status);
	while (r == RUN_PAUSE)
		r = state_resume(s, co, 0, NULL, &nresults);
	if (r == RUN_YIELD) {
		th->fault =
		    fault_new(co, "a script cannot wait while it is loaded");
		r = RUN_ERROR;
	}
	if (r == RUN_ERROR) {
		state_error(s, co, &e);
		(void)snprintf(why, whyn, "%s%s%s", e.place,
		    e.place[0] != '\0' ? ": " : "", e.text);
	}
	state_thread_free(s, &co);
	return r == RUN_DONE ? 0 : -1;
}

lua_State *
state_thread(struct state *s, lua_State *of)
{
	struct thread *th = s->idle;

	if (th != NULL) {
		s->idle = th->next;
		s->nidle--;
	} else {
		th = thread_new(s);
	}
	thread_begin(th, of != NULL ? thread_of(of)->root : th);
	return th->L;
}

void
state_thread_free(struct state *s, lua_State **cop)
{
	struct thread *th;

	if (*cop == NULL)
		return;
	th = thread_of(*cop);
	*cop = NULL;
	free(th->fault);
	th->fault = NULL;
	/*
	 * One that waits or died has frames, variables to close and, if the
	 * hook raised, hooks that are off for good. None of that is undone:
	 * lua_resetthread() would run __close handlers without a limit.
	 */
	if (th->dead || lua_status(th->L) != LUA_OK || s->nidle == IDLE_MAX) {
		thread_drop(&th);
		return;
	}
	lua_settop(th->L, 0);
	th->next = s->idle;
	s->idle = th;
	s->nidle++;
}

enum run
state_resume(
    struct state *s, lua_State *co, int nargs, void *arg, int *nresults_r)
{
	struct thread *th = thread_of(co), *before = s->now;
	enum run r;

	th->arg = arg;
	if (before != NULL)
		before->root->use.memory += (int64_t)(s->used - before->base);
	th->base = s->used;
	th->cpu = 0;
	th->paused = false;
	s->now = th;
	if (th->step > th->root->looks) {
		th->step = th->root->looks;
		lua_sethook(co, limit_hook, LUA_MASKCOUNT, (int)th->step);
	}
	if (!th->begun)
		lua_sethook(co, limit_hook, LUA_MASKCOUNT, (int)th->step);
	else if (th->root->stopped)
		lua_sethook(co, limit_hook, LUA_MASKCOUNT, 1);
	th->begun = true;
	r = run(th, nargs, nresults_r);
	th->root->use.memory += (int64_t)(s->used - th->base);
	s->now = before;
	if (before != NULL)
		before->base = s->used;
	return r;
}

static enum run
run(struct thread *th, int nargs, int *nresults_r)
{
	int status = lua_resume(th->L, NULL, nargs, nresults_r);

	if (status == LUA_OK)
		return RUN_DONE;
	if (status == LUA_YIELD)
		return th->paused ? RUN_PAUSE : RUN_YIELD;
	th->s->now = NULL; /* what is told of it is the host's */
	fault_died(th, status);
	return RUN_ERROR;
}

void *
state_arg(lua_State *co)
{
	return thread_of(co)->arg;
}

const struct state_use *
state_used(lua_State *co)
{
	return &thread_of(co)->root->use;
}

void
state_renew(lua_State *L)
{
	struct thread *th = thread_of(L), *root = th->root;

	if (root->stopped)
		return;
	root->use = (struct state_use){ 0 };
	root->starved = root->full = false;
	th->base = th->s->used;
}

void
state_widen(lua_State *L)
{
	struct thread *th = thread_of(L), *root = th->root;

	root->limit = (uint64_t)th->s->limits.instructions * LOAD_FACTOR;
	root->growth = (int64_t)th->s->limits.memory;
}

void
state_watch(lua_State *L, bool on)
{
	const struct thread *th = thread_of(L);

	if (th->root->stopped)
		return;
	lua_sethook(L, on ? limit_hook : NULL, on ? LUA_MASKCOUNT : 0,
	    on ? (int)th->step : 0);
}

void
state_charge(lua_State *L, uint64_t steps)
{
	struct thread *th = thread_of(L);

	th->slice += steps;
	th->root->use.instructions += steps;
	limit_check(th, L);
}

void
state_error(struct state *s, lua_State *co, struct state_error *e_r)
{
	const struct thread *th = thread_of(co);
	const struct fault *f = th->root->stopped ? th->root->fault : th->fault;

	if (f == NULL) {
		*e_r = (struct state_error){ "", "no memory", "", true };
		return;
	}
	*e_r = (struct state_error){ f->place, f->text, f->trace, f->limit };
}

int
state_fail(lua_State *L, const char *text)
{
	state_where(L);
	(void)lua_pushstring(L, text);
	lua_concat(L, 2);
	return lua_error(L);
}

int
state_stop(lua_State *L, const char *text)
{
	return limit_stop(thread_of(L), L, text);
}

void
state_pass(lua_State *L, int status)
{
	struct thread *th = thread_of(L);

	if (th->root->stopped)
		(void)limit_stop(th, L, NULL);
	if (status == LUA_ERRMEM)
		(void)limit_memory(th, L);
}

void
state_where(lua_State *L)
{
	lua_Debug ar;
	int level;

	for (level = 0; lua_getstack(L, level, &ar) != 0; level++) {
		(void)lua_getinfo(L, "Sl", &ar);
		if (ar.currentline <= 0)
			continue;
		(void)lua_pushfstring(
		    L, "%s:%d: ", ar.short_src, ar.currentline);
		return;
	}
	(void)lua_pushliteral(L, "");
}

static int
on_panic(lua_State *L)
{
	const char *text = lua_tostring(L, -1);

	(void)fprintf(stderr, "lua: %s\n", text != NULL ? text : "panic");
	abort();
}

struct thread *
thread_of(lua_State *L)
{
	return *(struct thread **)lua_getextraspace(L);
}

/* Made by whoever runs, so that its limits hold and it hears of it. */
static struct thread *
thread_new(struct state *s)
{
	lua_State *L = s->now != NULL ? s->now->L : s->L;
	struct thread *th;
	lua_State *co;
	int ref;

	luaL_checkstack(L, 2, NULL);
	co = lua_newthread(L);
	ref = luaL_ref(L, LUA_REGISTRYINDEX);
	th = calloc(1, sizeof(*th));
	if (th == NULL)
		abort();
	th->s = s;
	th->L = co;
	th->ref = ref;
	th->after = s->all;
	th->link = &s->all;
	if (s->all != NULL)
		s->all->link = &th->after;
	s->all = th;
	*(struct thread **)lua_getextraspace(co) = th;
	return th;
}

static void
thread_begin(struct thread *th, struct thread *root)
{
	const struct state_limits *l = &th->s->limits;

	th->root = root;
	th->arg = NULL;
	th->limit = l->instructions;
	th->growth = (int64_t)l->growth;
	th->use = (struct state_use){ 0 };
	th->stopped = th->starved = th->full = false;
	th->begun = th->paused = false;
	th->slice = 0;
	th->step = l->slice < LIMIT_STEP ? l->slice : LIMIT_STEP;
	if (th->limit < th->step)
		th->step = (uint32_t)th->limit;
	if (th->step == 0)
		th->step = 1;
	if (root == th)
		th->looks = th->step;
}

/* The collector takes the coroutine; its pointer to us is gone by then. */
static void
thread_drop(struct thread **thp)
{
	struct thread *th = *thp;

	*thp = NULL;
	*th->link = th->after;
	if (th->after != NULL)
		th->after->link = th->link;
	*(struct thread **)lua_getextraspace(th->L) = th->s->main;
	luaL_unref(th->s->L, LUA_REGISTRYINDEX, th->ref);
	free(th);
}
