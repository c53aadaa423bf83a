/*
 * Who names a bounce profile: destinations, routes and listeners do so in the
 * configuration, a policy in its text. Of a policy is known what it writes out;
 * a name that it makes is told by nobody before the rule runs.
 */
#include <string.h>

#include "base/file.h"
#include "cli/bounceconfig.h"

#define WORD "bounce_profile"
#define SHOWN 4 /* of many */
#define POLICY_MAX (16 * 1024 * 1024)

struct users {
	struct pool *pool;
	const char **v;
	unsigned n, cap;
};

static void in_policy(struct users *, const char *, const char *);
static bool names_it(struct str, const char *);

static void
add(struct users *u, const char *kind, const char *name)
{
	const char **v;

	if (u->n + 1 >= u->cap) {
		u->cap = u->cap == 0 ? 16 : 2 * u->cap;
		v = pool_alloc(u->pool, u->cap * sizeof(*v));
		if (u->n > 0)
			memcpy(v, u->v, u->n * sizeof(*v));
		u->v = v;
	}
	u->v[u->n++] = pool_printf(u->pool, "%s \"%s\"", kind, name);
	u->v[u->n] = NULL;
}

const char *const *
bounceconfig_users(struct pool *pool, const char *name, const struct conf *c)
{
	static const char *const nobody[] = { NULL };
	struct users u = { .pool = pool };
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		if (strcmp(c->listener[i].bounce_profile, name) == 0)
			add(&u, "listener", c->listener[i].name);
	}
	for (i = 0; i < c->ndestination; i++) {
		if (strcmp(c->destination[i].bounce_profile, name) == 0)
			add(&u, "destination", c->destination[i].name);
	}
	for (i = 0; i < c->nroute; i++) {
		if (strcmp(c->route[i].bounce_profile, name) == 0)
			add(&u, "route", c->route[i].name);
	}
	in_policy(&u, c->policy.file, name);
	in_policy(&u, c->policy.shadow, name);
	return u.n > 0 ? u.v : nobody;
}

/* A file that is not there uses nothing; who runs it will be told so. */
static void
in_policy(struct users *u, const char *file, const char *name)
{
	struct err why = ERR_INIT;
	struct str rest, line;
	struct buf text;
	unsigned n = 0;

	if (file[0] == '\0')
		return;
	buf_init(&text, POLICY_MAX);
	if (file_read(&text, file, &why) == 0) {
		rest = buf_str(&text);
		while (str_split(&rest, '\n', &line)) {
			n++;
			if (names_it(line, name))
				add(u, "policy", pool_printf(u->pool, "%s:%u",
				    file, n));
		}
	}
	buf_fini(&text);
}

/* `bounce_profile = "name"` or `:bounce_profile("name")`, in either quotes,
 * and not behind a comment. */
static bool
names_it(struct str line, const char *name)
{
	const char *p = memmem(line.p, line.n, "--", 2), *end, *at;
	const size_t n = strlen(name), word = sizeof(WORD) - 1;

	end = p != NULL ? p : line.p + line.n;
	for (p = line.p; p < end; p = at + word) {
		at = memmem(p, (size_t)(end - p), WORD, word);
		if (at == NULL)
			return false;
		p = at + word;
		while (p < end && (*p == ' ' || *p == '=' || *p == '('))
			p++;
		if ((size_t)(end - p) >= n + 2 && (*p == '"' || *p == '\'') &&
		    p[n + 1] == *p && memcmp(p + 1, name, n) == 0)
			return true;
	}
	return false;
}

const char *
bounceconfig_users_text(struct pool *pool, const char *const *users)
{
	const char *text = "";
	unsigned i;

	for (i = 0; users[i] != NULL && i < SHOWN; i++)
		text = pool_printf(pool, "%s%s%s", text, i > 0 ? ", " : "",
		    users[i]);
	while (users[i] != NULL)
		i++;
	return i <= SHOWN ? text : pool_printf(pool, "%s and %u more",
	    text, i - SHOWN);
}
