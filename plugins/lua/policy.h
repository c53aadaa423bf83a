/*
 * A policy at work: an instance of the plugin lua and its events.
 *
 *	lua.c	   what the plugin is: options, hooks, start
 *	boot.c	   the state of an instance: library, policy, what it wants
 *	run.c	   an event: its coroutine from the first line to the verdict
 *	handlers.c who is asked at an event, with which objects
 *	filter.c   which rules are found by names
 *	object.c   these objects
 *	ask.c	   the requests it waits for
 *	strand.c   several things at once
 *	hostlib.c  what lua/ sees as require "host"
 *	bodylib.c  the part of it that reads content
 *	failure.c  what becomes of errors
 *	console.c  what `postern policy` asks
 *	shadow.c   a policy that only looks
 *
 * Nothing may allocate in the state outside of a protected call: above the
 * limit Lua raises, and there it would end the worker.
 */
#ifndef LUA_POLICY_H
#define LUA_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lua.h>
#include <postern/plugin.h>

#include "state.h"

enum {
	SLOTS = 32,	 /* requests of an event that are not done with */
	STRANDS = 32,	 /* of parallel(), all of an event */
	TICKS = 16,	 /* of on("tick") */
	METERED = 10,	 /* handlers with a metric of their own */
	METRIC_PLACE = 26, /* octets of a place in its name */
	HITS = 64,	 /* of rules that were found by names */
	BRIEF = 64,	 /* rules by recipients that need no watch */
	PLACE_MAX = 64,
	POLICY_MAX = 4 * 1024 * 1024, /* octets of the file */
	RCPT_NONE = -1,
	RCPT_ADDED = -2 /* by a shadow, and so on downwards */
};

struct conf {
	const char *file, *dir, *on_error;
	bool shadow;
	int64_t instructions, memory, event_memory, subject;
};

enum stage {
	STAGE_CONNECT, STAGE_HELO, STAGE_TLS, STAGE_MAIL, STAGE_RCPT,
	STAGE_DATA, STAGE_HEADERS, STAGE_MESSAGE, STAGE_BRANCH, STAGE_DELIVER,
	STAGE_DISCONNECT, STAGE_QUEUED, STAGE_DELIVERED, STAGE_DEFERRED,
	STAGE_BOUNCED, STAGE_TICK, STAGE_CONSOLE, STAGE_COUNT
};
#define STAGE_NOTED STAGE_DISCONNECT /* from it on the verdict is ignored */

/* As on() has it; the hook's is "eom" for "message". */
const char *stage_word(enum stage st);

struct tick {
	int fn;		/* of the registry */
	uint32_t every; /* ms */
};

/* One of on(). */
struct handler {
	int fn;	   /* of the registry */
	int nargs; /* so many of the event's objects */
	size_t place_n;
	char place[PLACE_MAX];
	/* Of what it spends; those behind METERED share one. */
	char metric[PLACE_MAX + 16];
};

struct asked {
	struct handler *list;
	unsigned n;
};

/* Of objects. */
enum class {
	CLASS_CONN, CLASS_MSG, CLASS_RCPT, CLASS_BRANCH, CLASS_ATTEMPT,
	CLASS_COUNT
};

/* The instance's. */
struct policy {
	struct state *state;
	bool protects; /* it may decide how mail is protected: failure.c */
	struct asked asked[STAGE_TICK];
	/* Of the registry; LUA_NOREF: there is none. */
	int rules, answer, console;
	int heard; /* of a trace: what is told of each handler */
	int class[CLASS_COUNT]; /* metatables */
	struct filter *filter;	/* NULL: the rules look for themselves */
	bool keyed; /* no rule is about messages without names of the filter */
	bool brief; /* no rule takes long, or calls what is not ours */
	unsigned walk; /* rules that are not found by names */
	bool traced;		/* somebody looks on: everything is asked */
	struct tick tick[TICKS];
	unsigned ntick;
	uint64_t events; /* number of the last */
	int64_t peak[STAGE_COUNT]; /* the most that an event took */
	int64_t memory; /* of the state, as it was told last */
	bool limits_told;
	struct event *live;
};

struct slot {
	uint64_t id; /* 0: free */
	bool forgotten;
	bool ready;	   /* answered while the coroutine rested */
	struct kept *kept; /* an answer that could not be taken at once */
};

/* The rules that the names of a message are of. */
struct found {
	int nrcpt;
	unsigned n;
	bool unknown; /* they were too many, or were not looked for */
	struct {
		uint32_t rule;
		int rcpt; /* RCPT_NONE: it is about the sender */
	} hit[HITS];
};

/* The event's. */
struct event {
	struct policy *policy;
	const struct conf *conf;
	struct pst_event *ev;
	lua_State *co; /* NULL: it has ended */
	uint64_t number;
	enum stage stage;
	const struct tick *tick; /* NULL: a hook */
	int rcpt;		 /* that is selected */
	bool rules;		 /* they are asked */
	struct found found;	 /* if they are */
	uint64_t ids;
	struct slot *slot;	 /* SLOTS of them, NULL: nothing was asked */
	lua_State **strand; /* STRANDS of them, NULL: parallel() was not used */
	bool paused;	    /* its slice was used up */
	uint64_t spent;	    /* when the handler at work began */
	/* The answer at hand, while its continuation runs. */
	uint64_t answered;
	const struct pst_result *res;
	char place[PLACE_MAX];
	struct added *added; /* those that a shadow would add */
	struct event *next, **at; /* of policy->live */
};

/* run.c */
enum pst_verdict run_begin(struct pst_event *ev, enum stage st,
    const struct tick *tick);
enum pst_verdict run_go(struct event *r, int nargs);
/* The run that L works for; raises where there is none. */
struct event *run_of(lua_State *L);

/* handlers.c: takes what the table on top says (lua/events.lua), under
 * protection */
void handlers_take(lua_State *L, struct policy *p);
void handlers_fini(struct policy *p);
bool handlers_want(const struct policy *p, enum stage st);
/* Are there rules to be asked about it? Then *found_r is what is known. */
bool handlers_rules(struct pst_event *ev, const struct policy *p,
    enum stage st, struct found *found_r);
/* What the coroutine of a hook runs: a verdict as four values, or none. */
int handlers_ask(lua_State *L);

/* filter.c: */
enum filter_field {
	FILTER_SENDER, FILTER_SENDER_DOMAIN, FILTER_RCPT, FILTER_RCPT_DOMAIN,
	FILTER_COUNT
};
/* Of the rules' index on top of the stack, which has to stay somewhere; NULL:
 * no memory. */
struct filter *filter_new(lua_State *L);
void filter_free(struct filter **fp);
/* Which of its names are in the message, at "eom"? */
void filter_find(struct pst_event *ev, const struct filter *f,
    struct found *to);
extern const struct luaL_Reg filter_functions[];

/* object.c: pushes one without a metatable */
void object_new(lua_State *L, uint64_t event, int rcpt);
/* The event of the object that is argument 1, its recipient selected or not. */
struct event *host_object(lua_State *L);
struct event *host_event(lua_State *L);
extern const struct luaL_Reg object_functions[];

/* ask.c: */
/* The answer to request number n is there: goes on. */
enum pst_verdict answer_got(struct pst_event *ev, unsigned n,
    const struct pst_result *res);
/* What was answered and not looked at is kept, or all of it dropped. */
void answer_keep(struct event *r);
void answer_drop(struct event *r);
/* One that was answered while the coroutine rested: its number, else 0. */
uint64_t answer_ready(struct event *r);

/* strand.c: coroutines of parallel() */
void strand_drop(struct event *r);
extern const struct luaL_Reg ask_functions[], strand_functions[],
    host_functions[], body_functions[];

/* hostlib.c: raises text with the place of the nearest line of the policy. */
int host_fail(lua_State *L, const char *fmt, ...) PST_PRINTF(2, 3);
void host_place(lua_State *L, char *dst, size_t n);
/* "policy.lua:7" is at work. */
void host_set_place(struct event *r, const char *place, size_t n);
size_t host_copy_place(char *dst, const char *place);
void host_select(struct event *r, int rcpt);

/* boot.c: the instance's state with library and policy; -1 and *why. */
int boot(struct pst_event *ev, struct policy *p, char *why, size_t n);

/* ask.c: takes a slot and pushes its number, for the request that follows. */
pst_then *slot_take(lua_State *L, struct event *r);

/* console.c */
enum pst_verdict console_ask(struct pst_event *ev);
enum pst_verdict console_answer(struct pst_event *ev);
extern const struct luaL_Reg console_functions[];

/* failure.c */
enum pst_verdict failure(struct event *r, const struct state_error *e);
/* Ends the event if it sets what a policy that may be done without cannot have:
 * on_error = "accept". */
void failure_unless_protects(lua_State *L, struct event *r, const char *fact);

/* shadow.c */
void shadow_set(struct event *r, lua_State *L, int rcpt, const char *fact,
    const char *value);
void shadow_say(struct event *r, lua_State *L, const char *what);
/* The number of the recipient it would add: RCPT_ADDED or below. */
int shadow_add(struct event *r, lua_State *L, const char *address);
void shadow_drop(struct event *r, lua_State *L);
/* Pushes a fact of the one that is selected, nil for most. */
void shadow_fact(struct event *r, lua_State *L, const char *name);
enum pst_verdict shadow_end(struct event *r, const char *word, int code,
    const char *text);

#endif
