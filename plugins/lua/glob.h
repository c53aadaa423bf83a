/*
 * Wildcards: * is any octets, ? is one, everything else is itself. The time is
 * linear, but for the octets of a part with ? in it.
 */
#ifndef LUA_GLOB_H
#define LUA_GLOB_H

#include <stdbool.h>
#include <stddef.h>

bool glob_match(const char *pattern, size_t np, const char *text, size_t n);

#endif
