/*
 * ip: addresses as text. An IPv4 address in IPv6 (::ffff:192.0.2.1) is the IPv4
 * address.
 *
 *   ip.parse(s)      { address, version } with the address as it is always
 *                    written; nil if it is none.
 *   ip.normalise(s)  that address alone, or nil.
 *   ip.within(a, net)  whether it is in the network "192.0.2.0/24", or in one
 *                    of a list of them; a network that is none raises.
 */
#include "lib.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "state.h"

struct ip {
	unsigned char byte[16];
	unsigned bits; /* 32, 128 */
};

static int i_parse(lua_State *);
static int i_normalise(lua_State *);
static int i_within(lua_State *);

static const luaL_Reg own[] = {
	{ "parse", i_parse },
	{ "normalise", i_normalise },
	{ "within", i_within },
	{ NULL, NULL },
};

void
iplib_open(lua_State *L)
{
	luaL_newlib(L, own);
	state_library(L, "ip");
}

static bool
ip_read(const char *s, size_t n, struct ip *ip)
{
	static const unsigned char mapped[12] = { [10] = 255, [11] = 255 };
	char text[INET6_ADDRSTRLEN];

	if (n >= sizeof(text) || memchr(s, '\0', n) != NULL)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, ip->byte) == 1) {
		ip->bits = 32;
		return true;
	}
	if (inet_pton(AF_INET6, text, ip->byte) != 1)
		return false;
	ip->bits = 128;
	if (memcmp(ip->byte, mapped, sizeof(mapped)) == 0) {
		memmove(ip->byte, ip->byte + sizeof(mapped), 4);
		ip->bits = 32;
	}
	return true;
}

static bool
ip_arg(lua_State *L, int arg, struct ip *ip)
{
	size_t n;
	const char *s = luaL_checklstring(L, arg, &n);

	return ip_read(s, n, ip);
}

static void
ip_push(lua_State *L, const struct ip *ip)
{
	char text[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(
	    ip->bits == 32 ? AF_INET : AF_INET6, ip->byte, text, sizeof(text));
	(void)lua_pushstring(L, text);
}

static int
i_parse(lua_State *L)
{
	struct ip ip;

	if (!ip_arg(L, 1, &ip)) {
		lua_pushnil(L);
		return 1;
	}
	lua_createtable(L, 0, 2);
	ip_push(L, &ip);
	lua_setfield(L, -2, "address");
	lua_pushinteger(L, ip.bits == 32 ? 4 : 6);
	lua_setfield(L, -2, "version");
	return 1;
}

static int
i_normalise(lua_State *L)
{
	struct ip ip;

	if (ip_arg(L, 1, &ip))
		ip_push(L, &ip);
	else
		lua_pushnil(L);
	return 1;
}

/* "192.0.2.0/24"; a length beyond the address, or none behind /, is none. */
static bool
net_read(const char *s, size_t n, struct ip *net, unsigned *length)
{
	const char *slash = memchr(s, '/', n), *p;
	unsigned most, v = 0;

	if (!ip_read(s, slash != NULL ? (size_t)(slash - s) : n, net))
		return false;
	*length = net->bits;
	if (slash == NULL)
		return true;
	for (p = slash + 1; p < s + n; p++) {
		if (*p < '0' || *p > '9' || v > 128)
			return false;
		v = v * 10 + (unsigned)(*p - '0');
	}
	/* Of an IPv4 address in IPv6 it counts from there. */
	most = memchr(s, ':', n) != NULL ? 128 : 32;
	if (slash + 1 == s + n || v > most || v < most - net->bits)
		return false;
	*length = v - (most - net->bits);
	return true;
}

/* The network is on top of the stack. */
static bool
in_net(lua_State *L, const struct ip *ip)
{
	size_t n;
	const char *s = lua_tolstring(L, -1, &n);
	struct ip net;
	unsigned length = 0, whole, mask;

	if (s == NULL || !net_read(s, n, &net, &length))
		(void)luaL_error(L, "ip.within: '%s' is no network",
		    s != NULL ? s : luaL_typename(L, -1));
	if (net.bits != ip->bits)
		return false;
	whole = length / 8;
	if (memcmp(net.byte, ip->byte, whole) != 0)
		return false;
	mask = 0xff00u >> (length % 8) & 0xffu;
	return length % 8 == 0 ||
	       ((net.byte[whole] ^ ip->byte[whole]) & mask) == 0;
}

static int
i_within(lua_State *L)
{
	struct ip ip = { .bits = 0 };
	bool known = ip_arg(L, 1, &ip), found = false;
	lua_Integer i, n;

	lua_settop(L, 2);
	if (!lua_istable(L, 2)) {
		lua_pushboolean(L, in_net(L, &ip) && known);
		return 1;
	}
	n = luaL_len(L, 2);
	for (i = 1; i <= n && !found; i++) {
		state_charge(L, 2);
		(void)lua_geti(L, 2, i);
		found = in_net(L, &ip) && known;
		lua_pop(L, 1);
	}
	lua_pushboolean(L, found);
	return 1;
}
