/*
 * What Lua's patterns and regular expressions have in common: captures as
 * values, going from match to match, and replacing each, where the function or
 * table that is asked for what stands for it may wait.
 */
#ifndef LUA_SUBST_H
#define LUA_SUBST_H

#include <stdbool.h>

#include <lua.h>

#include "pattern.h"

struct subst_how {
	/* Prepares a match of the subject and pattern at these places. */
	void (*begin)(lua_State *L, struct pattern *m, int subject,
	    int pattern);
	/* The end of the first match from *at on that does not end at last;
	 * *at is moved to its begin. once: at *at or not at all. */
	const char *(*next)(lua_State *L, struct pattern *m, const char **at,
	    const char *last, bool once);
	/* Pays for what was done since. */
	void (*end)(lua_State *L, struct pattern *m);
};

/* Pushes all captures; without any the match itself if from is not NULL. */
int subst_captures(lua_State *L, struct pattern *m, const char *from,
    const char *to);
/* Subject, pattern and replacement are all that is on the stack: results of
 * gsub(). */
int subst_gsub(lua_State *L, const struct subst_how *how, bool anchor,
    lua_Integer most);
/* Subject, pattern and where to begin (from 0) are all that is on the stack:
 * the function that a for loop calls. */
int subst_gmatch(lua_State *L, const struct subst_how *how);

#endif
