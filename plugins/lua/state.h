/*
 * A Lua state that strangers' data may run in: the sandbox of the policy.
 *
 * One state per instance and worker, one coroutine (a thread of it) per event.
 * It has base, string, table, math, utf8 and what plugins/lua adds; no io, no
 * os but time, date and clock, no debug, no coroutine, no loading of code but
 * require() of Lua files below the policy's folder. Globals cannot be assigned
 * once state_seal() was called.
 *
 * Limits hold whatever the script does:
 *   instructions  counted over all that one event runs, those of helpers in C
 *                 included (state_charge()); an allocation costs a step for 32
 *                 octets, a helper for each 16 that it looks at, and processor
 *                 time beyond a microsecond a step costs as well, so that no
 *                 single instruction is free: the larger what an event has
 *                 made, the oftener the clock is looked at. Beyond the limit
 *                 each instruction raises again.
 *   slice         after so many a resume ends with RUN_PAUSE; the caller comes
 *                 back by way of the loop.
 *   memory        of the whole state, and how much one event may make it grow;
 *                 garbage is collected before either refuses.
 *   patterns      string.find, match, gmatch and gsub are ours: their steps
 *                 are charged.
 * Errors that the script may not catch (limits, the event's end) are told apart
 * from its own: pcall(), xpcall() and try() pass them on. There is no __gc for
 * scripts, since Lua runs that without hooks; __close does not run in an event
 * that ends with an error or is given back while it waits.
 *
 * The memory limits hold while state_resume() runs. What the host does on its
 * own (pushing arguments) is not refused; without memory the process ends.
 */
#ifndef LUA_STATE_H
#define LUA_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lua.h>

struct state;

struct state_limits {
	uint32_t instructions; /* of an event; policy.md: 1,000,000 */
	uint32_t slice;	       /* 10,000 */
	size_t memory;	       /* of the state: 256 MB */
	size_t growth;	       /* of an event: 8 MB */
	size_t subject;	       /* octets a pattern is matched against: 64 KB */
};

/* What one event has used; lives with its coroutine. */
struct state_use {
	uint64_t instructions;
	int64_t memory; /* growth when it last stopped running */
	int64_t peak;	/* the largest growth */
};

enum run {
	RUN_DONE,  /* results are on the coroutine's stack */
	RUN_YIELD, /* it waits: what for is on its stack */
	RUN_PAUSE, /* its slice is used up: resume it with nothing, and leave
		    * its stack alone */
	RUN_ERROR  /* state_error() says which */
};

/* dir: where require() looks; NULL: nowhere. NULL and *why: no memory. */
struct state *state_new(const struct state_limits *limits, const char *dir,
    char *why, size_t n);
void state_destroy(struct state **sp);
lua_State *state_lua(struct state *s); /* the main thread: for loading */
struct state *state_of(lua_State *L);
const struct state_limits *state_limits(struct state *s);
size_t state_memory(const struct state *s); /* octets that it has */

/*
 * Runs a chunk with the globals that exist so far; name as it shall stand in
 * errors ("policy.lua"). Loading may take a hundred times the
 * instructions of an event and all memory of the state, so that 50,000 rules
 * are possible, and cannot wait. 0, or -1 and *why: "policy.lua:7: …".
 */
int state_run(struct state *s, const char *name, const char *text, size_t n,
    char *why, size_t whyn);
/* Makes the table on top of the stack a global that cannot be changed, and
 * pops it. */
void state_library(lua_State *L, const char *name);
/* Globals are read-only from now on: "assignment to global 'x': …". require()
 * gives what was loaded, no more. */
void state_seal(struct state *s);

/* A coroutine from the pool; given back it is free for another, whatever it was
 * doing. With `of` it is one more of the same event: both charge one account,
 * and `of` is given back last. */
lua_State *state_thread(struct state *s, lua_State *of);
void state_thread_free(struct state *s, lua_State **cop);
/* nargs are on co's stack (the function below them the first time). arg is
 * what state_arg(co) gives to C functions that it calls. */
enum run state_resume(struct state *s, lua_State *co, int nargs, void *arg,
    int *nresults_r);
void *state_arg(lua_State *co);
const struct state_use *state_used(lua_State *co);

/* A new account for what runs, as if it had just begun: for tests, which do
 * many things one after the other. */
void state_renew(lua_State *L);

/* What runs may use what loading may: for questions about all rules. */
void state_widen(lua_State *L);

/* Whether the instructions of what runs are counted, as they are from its first
 * on. Not for a script: for steps of ours whose number is known. */
void state_watch(lua_State *L, bool on);

/* C helpers pay for what they do; raises beyond the limit. */
void state_charge(lua_State *L, uint64_t steps);

/* Memory for a library that L uses, within the limits of state and event, and
 * paid for: as its malloc() and free(). NULL: it is refused, and state_full()
 * ends the event. state: of state_of(). */
void *state_take(size_t n, void *state);
void state_give(void *p, void *state);
int state_full(lua_State *L);

/* After RUN_ERROR: place "partner.lua:7" (empty: not known), text without it,
 * traceback in lines. limit: it was one of ours. Valid until the coroutine is
 * given back. */
struct state_error {
	const char *place, *text, *traceback;
	bool limit;
};
void state_error(struct state *s, lua_State *co, struct state_error *e_r);

/* Raises an error that pcall() and try() of the script can catch (the temporary
 * failure of a lookup), with the place of the nearest Lua function. */
int state_fail(lua_State *L, const char *text);
/* Ends the event with an error that no script can catch (a deadline). */
int state_stop(lua_State *L, const char *text);
/* For whoever calls lua_pcallk(): passes on, from its continuation, what is
 * not to be caught. The error is on top. */
void state_pass(lua_State *L, int status);

#endif
