/*
 * Which messages no rule can be about. Rules whose senders or recipients are
 * plain names are found through tables (lua/rules.lua). If all rules are such,
 * and nobody of a message is in these tables, the rules need not be asked, and
 * most messages of a relay are not worth a coroutine.
 */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

enum { NAME_MAX_OCTETS = 512 }; /* what is longer, the rules look at */

struct name {
	const char *p; /* the state's; NULL: free */
	uint32_t n, hash;
};

struct names {
	struct name *slot;
	uint32_t mask; /* number of slots, less one */
};

struct filter {
	struct names exact[FILTER_COUNT], suffix[FILTER_COUNT];
	bool any[FILTER_COUNT];
};

static const struct {
	const char *field; /* of when */
	const char *fact;
} looks[FILTER_COUNT] = {
	[FILTER_SENDER] = { "sender", "sender" },
	[FILTER_SENDER_DOMAIN] = { "sender_domain", "sender.domain" },
	[FILTER_RCPT] = { "rcpt", "rcpt" },
	[FILTER_RCPT_DOMAIN] = { "rcpt_domain", "rcpt.domain" },
};

/* FNV-1a. Strangers choose what is looked for, not what is there. */
static uint32_t
hash_of(const char *p, size_t n)
{
	uint32_t h = 2166136261U;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619U;
	return h ^ h >> 15;
}

static struct name *
slot_of(const struct names *t, struct name key)
{
	uint32_t i = key.hash & t->mask;
	struct name *s;

	for (;; i = (i + 1) & t->mask) {
		s = &t->slot[i];
		if (s->p == NULL || (s->hash == key.hash && s->n == key.n &&
			memcmp(s->p, key.p, key.n) == 0))
			return s;
	}
}

static bool
has(const struct names *t, const char *p, size_t n)
{
	struct name key = { p, (uint32_t)n, 0 };

	if (t->slot == NULL)
		return false;
	key.hash = hash_of(p, n);
	return slot_of(t, key)->p != NULL;
}

/* The keys of the table on top, whose texts are pointed at. */
static int
take_names(lua_State *L, struct names *t)
{
	size_t len, n = 0, slots = 8;
	struct name key;

	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
		n++;
	if (n == 0)
		return 0;
	while (slots < n * 2)
		slots *= 2;
	t->slot = calloc(slots, sizeof(*t->slot));
	if (t->slot == NULL)
		return -1;
	t->mask = (uint32_t)(slots - 1);
	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
		key.p = lua_tolstring(L, -2, &len);
		key.n = (uint32_t)len;
		key.hash = hash_of(key.p, len);
		*slot_of(t, key) = key;
	}
	return 0;
}

struct filter *
filter_new(lua_State *L)
{
	struct filter *f = calloc(1, sizeof(*f));
	int i, r = f == NULL ? -1 : 0, top = lua_gettop(L);

	for (i = 0; r == 0 && i < FILTER_COUNT; i++) {
		(void)lua_getfield(L, top, looks[i].field);
		(void)lua_getfield(L, top + 1, "exact");
		r = take_names(L, &f->exact[i]);
		(void)lua_getfield(L, top + 1, "suffix");
		r = r != 0 ? r : take_names(L, &f->suffix[i]);
		f->any[i] = f->exact[i].slot != NULL ||
		    f->suffix[i].slot != NULL;
		lua_settop(L, top);
	}
	if (r != 0)
		filter_free(&f);
	return f;
}

void
filter_free(struct filter **fp)
{
	struct filter *f = *fp;
	int i;

	*fp = NULL;
	for (i = 0; f != NULL && i < FILTER_COUNT; i++) {
		free(f->exact[i].slot);
		free(f->suffix[i].slot);
	}
	free(f);
}

/* The name, or one of the domains it is below; or it is too long to tell. */
static bool
found(struct pst_event *ev, const struct filter *f, enum filter_field what)
{
	const char *text, *dot;
	char name[NAME_MAX_OCTETS];
	size_t i, n;

	if (!f->any[what])
		return false;
	text = pst_get(ev, looks[what].fact);
	n = text == NULL ? 0 : strlen(text);
	if (n > sizeof(name))
		return true;
	for (i = 0; i < n; i++)
		name[i] = text[i] >= 'A' && text[i] <= 'Z' ?
		    (char)(text[i] + ('a' - 'A')) : text[i];
	if (has(&f->exact[what], name, n))
		return true;
	if (f->suffix[what].slot == NULL)
		return false;
	for (i = 0; (dot = memchr(name + i, '.', n - i)) != NULL;) {
		i = (size_t)(dot - name) + 1;
		if (has(&f->suffix[what], name + i, n - i))
			return true;
	}
	return false;
}

bool
filter_finds(struct pst_event *ev, const struct filter *f)
{
	const char *count;
	bool is = false;
	int i, n;

	if (f == NULL || !pst_has(ev, rcpt))
		return true;
	if (found(ev, f, FILTER_SENDER) ||
	    found(ev, f, FILTER_SENDER_DOMAIN))
		return true;
	if (!f->any[FILTER_RCPT] && !f->any[FILTER_RCPT_DOMAIN])
		return false;
	count = pst_get(ev, "message.rcpts");
	n = count == NULL ? 0 : (int)strtol(count, NULL, 10);
	/* One that was dropped is for the rules to fall over. */
	for (i = 0; !is && i < n; i++)
		is = pst_rcpt(ev, i) != 0 || found(ev, f, FILTER_RCPT) ||
		    found(ev, f, FILTER_RCPT_DOMAIN);
	(void)pst_rcpt(ev, RCPT_NONE);
	return is;
}
