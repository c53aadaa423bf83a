/*
 * Libraries of scripts. Each open function makes one global table; they need a
 * state, and nothing of the host.
 */
#ifndef LUA_LIB_H
#define LUA_LIB_H

#include <lua.h>

void iplib_open(lua_State *L);
void jsonlib_open(lua_State *L);
void maillib_open(lua_State *L);
void relib_open(lua_State *L);
void strlib_open(lua_State *L);
void tablib_open(lua_State *L);

/*
 * t[k] of the two on top, which are popped; the value is pushed. The function
 * that __index may be can wait: k goes on then, with ctx and the value on top.
 */
void lib_index(lua_State *L, lua_KContext ctx, lua_KFunction k);

#endif
