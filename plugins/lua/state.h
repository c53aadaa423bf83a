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
 *                 included (state_charge()). Beyond the limit each instruction
 *                 raises again, so that no pcall() goes on.
 *   slice         after so many a resume ends with RUN_PAUSE; the caller comes
 *                 back by way of the loop.
 *   memory        of the whole state, and how much one event may make it grow.
 *   patterns      string.find, match, gmatch and gsub are ours: their steps
 *                 are charged.
 * Errors that the script may not catch (limits, the event's end) are told apart
 * from its own: pcall() and try() pass them on.
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
	size_t memory;	       /* of the state: 64 MB */
	size_t growth;	       /* of an event: 8 MB */
	size_t subject;	       /* octets a pattern is matched against: 64 KB */
};

/* What one event has used; lives with its coroutine. */
struct state_use {
	uint64_t instructions;
	size_t memory; /* the state's at its begin */
	size_t peak;   /* growth */
};

enum run {
	RUN_DONE,  /* results are on the coroutine's stack */
	RUN_YIELD, /* it waits: what for is on its stack */
	RUN_PAUSE, /* its slice is used up: resume it with nothing */
	RUN_ERROR  /* state_error() says which */
};

/* dir: where require() looks. NULL and *why: no memory. */
struct state *state_new(const struct state_limits *limits, const char *dir,
    char *why, size_t n);
void state_destroy(struct state **sp);
lua_State *state_lua(struct state *s); /* the main thread: for loading */
struct state *state_of(lua_State *L);

/*
 * Runs a chunk with the globals that exist so far; name as it shall stand in
 * errors ("policy.lua"). Loading has ten times the limits of an event. 0, or -1
 * and *why: "policy.lua:7: …".
 */
int state_run(struct state *s, const char *name, const char *text, size_t n,
    char *why, size_t whyn);
/* Globals are read-only from now on: "assignment to global 'x': …". */
void state_seal(struct state *s);

/* A coroutine from the pool; given back it is reset, whatever it was doing. */
lua_State *state_thread(struct state *s);
void state_thread_free(struct state *s, lua_State **cop);
/* nargs are on co's stack (the function below them the first time). arg is
 * what state_arg(co) gives to C functions that it calls. */
enum run state_resume(struct state *s, lua_State *co, int nargs, void *arg,
    int *nresults_r);
void *state_arg(lua_State *co);
const struct state_use *state_used(lua_State *co);

/* C helpers pay for what they do; raises beyond the limit. */
void state_charge(lua_State *L, uint64_t steps);

/* After RUN_ERROR: place "partner.lua:7" (empty: not known), text without it,
 * traceback in lines. limit: it was one of ours. Valid until the coroutine is
 * given back. */
struct state_error {
	const char *place, *text, *traceback;
	bool limit;
};
void state_error(struct state *s, lua_State *co, struct state_error *e_r);

/* Raises an error that pcall() and try() of the script can catch (the temporary
 * failure of a lookup), with the place of the caller. */
int state_fail(lua_State *L, const char *text);

#endif
