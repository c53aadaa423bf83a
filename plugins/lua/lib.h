/*
 * Libraries of scripts. Each open function makes one global table; they need a
 * state, and nothing of the host.
 */
#ifndef LUA_LIB_H
#define LUA_LIB_H

#include <lua.h>
#include <stdbool.h>

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

/* Is the table a list to JSON: it has elements, or is marked by json.array()?
 */
bool lib_is_list(lua_State *L, int at);

/* What a stock function looks at, beside what it makes. */
enum price {
	PRICE_ARGUMENTS, /* however many there are */
	PRICE_FIRST,	 /* octets of the first */
	PRICE_OCTETS,	 /* of all that are strings */
	PRICE_EQUAL,	 /* of two, if they may be equal */
	PRICE_LENGTH,	 /* of the first, from the second to the third */
	PRICE_RANGE,	 /* so; without a third the second only */
	PRICE_OFFSET	 /* so many characters of the first */
};

struct lib_price {
	const char *name;
	enum price price;
};

/* Functions of the table on top, by name up to NULL, are paid for. */
void lib_price(lua_State *L, const struct lib_price *list);

#endif
