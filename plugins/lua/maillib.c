/*
 * mail: addresses as text; and glob(), the wildcards of rules.
 *
 *   mail.address(s)  { address, localpart, domain, name } of "a@b", "<a@b>" or
 *                    "Name <a@b>"; nil and why if it is none. The domain is
 *                    in lower case, the local part as it was.
 *   mail.domain(s)   the domain alone, or nil and why.
 *   glob(pattern, text[, nocase])
 */
#define _GNU_SOURCE 1 /* memrchr() */

#include "lib.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "glob.h"
#include "state.h"

#define LOCAL_MAX  64
#define DOMAIN_MAX 255
#define LABEL_MAX  63

struct text {
	const char *p;
	size_t n;
};

static int m_address(lua_State *);
static int m_domain(lua_State *);
static int b_glob(lua_State *);
static const char *
split(struct text, struct text *, struct text *, struct text *);
static const char *check_local(struct text);
static const char *check_domain(struct text);
static void push_lower(lua_State *, struct text);

static const luaL_Reg own[] = {
	{ "address", m_address },
	{ "domain", m_domain },
	{ NULL, NULL },
};

void
maillib_open(lua_State *L)
{
	luaL_newlib(L, own);
	state_library(L, "mail");
	lua_register(L, "glob", b_glob);
}

/* Either the parts, or nil and why pushed. */
static bool
parts(lua_State *L, struct text *name, struct text *local, struct text *domain)
{
	struct text s;
	const char *why;

	s.p = luaL_checklstring(L, 1, &s.n);
	state_charge(L, s.n / 16 + 1);
	why = split(s, name, local, domain);
	if (why == NULL)
		return true;
	lua_pushnil(L);
	(void)lua_pushstring(L, why);
	return false;
}

static int
m_address(lua_State *L)
{
	struct text name, local, domain;

	if (!parts(L, &name, &local, &domain))
		return 2;
	lua_createtable(L, 0, 4);
	(void)lua_pushlstring(L, local.p, local.n);
	lua_setfield(L, -2, "localpart");
	push_lower(L, domain);
	lua_setfield(L, -2, "domain");
	(void)lua_pushlstring(L, local.p, local.n + 1);
	push_lower(L, domain);
	lua_concat(L, 2);
	lua_setfield(L, -2, "address");
	if (name.n > 0) {
		(void)lua_pushlstring(L, name.p, name.n);
		lua_setfield(L, -2, "name");
	}
	return 1;
}

static int
m_domain(lua_State *L)
{
	struct text name, local, domain;

	if (!parts(L, &name, &local, &domain))
		return 2;
	push_lower(L, domain);
	return 1;
}

static struct text
trim(struct text s)
{
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* NULL, or what is wrong with it. */
static const char *
split(struct text s, struct text *name, struct text *local, struct text *domain)
{
	const char *at, *why;

	s = trim(s);
	*name = (struct text){ s.p, 0 };
	if (s.n > 0 && s.p[s.n - 1] == '>') {
		at = memrchr(s.p, '<', s.n);
		if (at == NULL)
			return "'>' without '<'";
		*name = trim((struct text){ s.p, (size_t)(at - s.p) });
		if (name->n >= 2 && name->p[0] == '"' &&
		    name->p[name->n - 1] == '"') {
			name->p++;
			name->n -= 2;
		}
		s.n -= (size_t)(at + 1 - s.p) + 1;
		s.p = at + 1;
	}
	at = s.n > 0 ? memrchr(s.p, '@', s.n) : NULL;
	if (at == NULL)
		return "no '@'";
	*local = (struct text){ s.p, (size_t)(at - s.p) };
	*domain = (struct text){ at + 1, s.n - local->n - 1 };
	why = check_local(*local);
	return why != NULL ? why : check_domain(*domain);
}

static bool
is_atom(unsigned char c)
{
	return isalnum(c) || c >= 128 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static const char *
check_local(struct text s)
{
	size_t i;

	if (s.n == 0 || s.n > LOCAL_MAX)
		return s.n == 0 ? "no local part" : "local part too long";
	if (s.p[0] == '"') {
		for (i = 1; i + 1 < s.n; i++) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"' || (unsigned char)s.p[i] < 32)
				break;
		}
		return i + 1 == s.n && s.p[i] == '"' ? NULL
						     : "bad quoted local part";
	}
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? i == 0 || i + 1 == s.n || s.p[i - 1] == '.'
				  : !is_atom((unsigned char)s.p[i]))
			return "bad local part";
	}
	return NULL;
}

/* Labels of letters, digits, hyphens and UTF-8; or [literal]. */
static const char *
check_domain(struct text s)
{
	size_t i, label = 0;

	if (s.n == 0 || s.n > DOMAIN_MAX)
		return s.n == 0 ? "no domain" : "domain too long";
	if (s.p[0] == '[') {
		for (i = 1; i + 1 < s.n; i++) {
			if (!isxdigit((unsigned char)s.p[i]) &&
			    strchr(":.IPvipv", s.p[i]) == NULL)
				return "bad address literal";
		}
		return s.n > 2 && s.p[s.n - 1] == ']' ? NULL
						      : "bad address literal";
	}
	for (i = 0; i <= s.n; i++) {
		unsigned char c = i < s.n ? (unsigned char)s.p[i] : '.';

		if (c == '.') {
			if (label == 0 || label > LABEL_MAX ||
			    s.p[i - 1] == '-')
				return "bad domain";
			label = 0;
		} else if (isalnum(c) || c >= 128 || (c == '-' && label > 0) ||
			   c == '_') {
			label++;
		} else {
			return "bad domain";
		}
	}
	return NULL;
}

static char *
lower(lua_State *L, const char *p, size_t n)
{
	char *to = lua_newuserdatauv(L, n + 1, 0);
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = p[i] >= 'A' && p[i] <= 'Z' ? (char)(p[i] | 0x20) : p[i];
	return to;
}

static void
push_lower(lua_State *L, struct text s)
{
	char low[DOMAIN_MAX];
	size_t i;

	for (i = 0; i < s.n; i++)
		low[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20)
							: s.p[i];
	(void)lua_pushlstring(L, low, s.n);
}

static int
b_glob(lua_State *L)
{
	size_t np, n;
	const char *p = luaL_checklstring(L, 1, &np);
	const char *s = luaL_checklstring(L, 2, &n);
	uint64_t steps = (np + n) / 16 + 1;

	if (memchr(p, '?', np) != NULL)
		steps += (uint64_t)np * n / 16;
	state_charge(L, steps);
	if (lua_toboolean(L, 3)) {
		p = lower(L, p, np);
		s = lower(L, s, n);
	}
	lua_pushboolean(L, glob_match(p, np, s, n));
	return 1;
}
