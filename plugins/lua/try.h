/*
 * For the tests of the state: a script and what it comes to.
 */
#ifndef LUA_TRY_H
#define LUA_TRY_H

#include "state.h"

#define TRY_LIMITS                                                             \
	{                                                                      \
		.instructions = 1000000, .slice = 10000,                       \
		.memory = 64 << 20, .growth = 8 << 20, .subject = 65536        \
	}

/* A state with the limits of a policy and no folder. wait(...) yields its
 * arguments and returns what it is resumed with. */
struct state *try_new(void);
int try_wait(lua_State *L);
/*
 * Runs the text as an event, resumed with the number of times it waited as
 * often as it waits. What comes of it: "ok" and its results as strings, by
 * blanks, or "error PLACE: TEXT", or "limit PLACE: TEXT". Valid until the next.
 */
const char *try_script(struct state *s, const char *text);
/* The pauses and waits of the last one, and what it used. */
extern unsigned try_pauses, try_waits;
extern struct state_use try_used;

#endif
