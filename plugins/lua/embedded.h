/*
 * The standard library of policies, lua/NAME.lua, as part of the program.
 */
#ifndef LUA_EMBEDDED_H
#define LUA_EMBEDDED_H

#include <stddef.h>

/* Lines of it are "(postern)/NAME.lua:7" in tracebacks. */
#define EMBEDDED_PLACE "(postern)/"

struct embedded {
	const char *name;  /* for require() */
	const char *chunk; /* for lua_load() */
	const char *text;
	size_t n;
};

extern const struct embedded embedded[]; /* name NULL behind the last */

#endif
