/*
 * Which rules a message has the names of. Rules whose senders or recipients are
 * plain names are found through tables (lua/rules.lua); here these are looked
 * at before there is a coroutine. If all rules are such, and nobody of a
 * message is in the tables, the rules need not be asked, and most messages of a
 * relay are not worth a coroutine. What is too much to be kept, or too long to
 * tell, the rules look up for themselves.
 */
#include <stdlib.h>
#include <string.h>

#include "policy.h"

enum { NAME_MAX_OCTETS = 512 }; /* what is longer, the rules look at */

struct name {
	const char *p; /* the state's; NULL: free */
	uint32_t n, hash;
	uint32_t at, rules; /* in `rule` */
};

struct names {
	struct name *slot;
	uint32_t mask; /* number of slots, less one */
	uint32_t *rule; /* numbers, of one name behind those of another */
};

struct filter {
	struct names exact[FILTER_COUNT], suffix[FILTER_COUNT];
	bool any[FILTER_COUNT];
};

static const struct {
	const char *field; /* of when */
	const char *fact;
} looks[FILTER_COUNT] = {
	[FILTER_SENDER] = { "sender", "sender.mailbox" },
	[FILTER_SENDER_DOMAIN] = { "sender_domain", "sender.domain" },
	[FILTER_RCPT] = { "rcpt", "rcpt.mailbox" },
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

/* In the order of rules, and of recipients within a rule. */
static void
hit(struct found *to, uint32_t rule, int rcpt)
{
	unsigned i;

	for (i = to->n; i > 0 && to->hit[i - 1].rule > rule; i--)
		;
	if (i > 0 && to->hit[i - 1].rule == rule &&
	    to->hit[i - 1].rcpt == rcpt)
		return;
	if (to->n == HITS) {
		to->unknown = true;
		return;
	}
	memmove(&to->hit[i + 1], &to->hit[i],
	    (to->n - i) * sizeof(to->hit[0]));
	to->hit[i].rule = rule;
	to->hit[i].rcpt = rcpt;
	to->n++;
}

static void
look(const struct names *t, const char *p, size_t n, int rcpt,
    struct found *to)
{
	struct name key = { .p = p, .n = (uint32_t)n };
	uint32_t i;

	if (t->slot == NULL)
		return;
	key.hash = hash_of(p, n);
	key = *slot_of(t, key);
	for (i = 0; key.p != NULL && i < key.rules && !to->unknown; i++)
		hit(to, t->rule[key.at + i], rcpt);
}

/* The keys of the table on top, whose texts are pointed at, and the numbers
 * that are listed with each. */
static int
take_names(lua_State *L, struct names *t)
{
	size_t len, n = 0, all = 0, slots = 8;
	struct name key;

	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
		n++;
		all += lua_rawlen(L, -1);
	}
	if (n == 0)
		return 0;
	while (slots < n * 2)
		slots *= 2;
	t->slot = calloc(slots, sizeof(*t->slot));
	t->rule = calloc(all, sizeof(*t->rule));
	if (t->slot == NULL || t->rule == NULL)
		return -1;
	t->mask = (uint32_t)(slots - 1);
	all = 0;
	for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
		key.p = lua_tolstring(L, -2, &len);
		key.n = (uint32_t)len;
		key.hash = hash_of(key.p, len);
		key.at = (uint32_t)all;
		key.rules = (uint32_t)lua_rawlen(L, -1);
		for (n = 1; n <= key.rules; n++) {
			(void)lua_rawgeti(L, -1, (lua_Integer)n);
			t->rule[all++] = (uint32_t)lua_tointeger(L, -1);
			lua_pop(L, 1);
		}
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
		free(f->exact[i].rule);
		free(f->suffix[i].slot);
		free(f->suffix[i].rule);
	}
	free(f);
}

/* The name, and the domains it is below. */
static void
look_up(struct pst_event *ev, const struct filter *f, enum filter_field what,
    int rcpt, struct found *to)
{
	const char *text, *dot;
	char name[NAME_MAX_OCTETS];
	size_t i, n;

	if (!f->any[what] || to->unknown)
		return;
	text = pst_get(ev, looks[what].fact);
	n = text == NULL ? 0 : strlen(text);
	if (n > sizeof(name)) {
		to->unknown = true;
		return;
	}
	for (i = 0; i < n; i++)
		name[i] = text[i] >= 'A' && text[i] <= 'Z' ?
		    (char)(text[i] + ('a' - 'A')) : text[i];
	look(&f->exact[what], name, n, rcpt, to);
	if (f->suffix[what].slot == NULL)
		return;
	for (i = 0; (dot = memchr(name + i, '.', n - i)) != NULL;) {
		i = (size_t)(dot - name) + 1;
		look(&f->suffix[what], name + i, n - i, rcpt, to);
	}
}

void
filter_find(struct pst_event *ev, const struct filter *f, struct found *to)
{
	const char *count;
	int i;

	to->n = 0;
	to->unknown = f == NULL || !pst_has(ev, rcpt);
	count = pst_get(ev, "message.rcpts");
	to->nrcpt = count == NULL ? 0 : (int)strtol(count, NULL, 10);
	if (to->unknown)
		return;
	look_up(ev, f, FILTER_SENDER, RCPT_NONE, to);
	look_up(ev, f, FILTER_SENDER_DOMAIN, RCPT_NONE, to);
	if (!f->any[FILTER_RCPT] && !f->any[FILTER_RCPT_DOMAIN])
		return;
	for (i = 0; !to->unknown && i < to->nrcpt; i++) {
		/* One that was dropped is for the rules to fall over. */
		if (pst_rcpt(ev, i) != 0)
			to->unknown = true;
		look_up(ev, f, FILTER_RCPT, i, to);
		look_up(ev, f, FILTER_RCPT_DOMAIN, i, to);
	}
	(void)pst_rcpt(ev, RCPT_NONE);
}

/* The list at `lists`, or an empty one. */
static void
push_spare(lua_State *L, int lists)
{
	lua_Integer n = (lua_Integer)lua_rawlen(L, lists);

	if (n == 0) {
		lua_newtable(L);
		return;
	}
	(void)lua_rawgeti(L, lists, n);
	lua_pushnil(L);
	lua_rawseti(L, lists, n);
}

/* msg, hits, numbers, spare: lists of the recipients by rule, and these rules;
 * false: it is not known, and nothing was done */
static int
filter_found(lua_State *L)
{
	const struct found *f = &host_event(L)->found;
	lua_Integer rules = 0, n = 0;
	unsigned i;

	lua_settop(L, 4);
	for (i = 0; i < f->n && !f->unknown; i++) {
		if (i == 0 || f->hit[i].rule != f->hit[i - 1].rule) {
			lua_settop(L, 4);
			push_spare(L, 4);
			lua_pushvalue(L, -1);
			lua_rawseti(L, 2, (lua_Integer)f->hit[i].rule);
			lua_pushinteger(L, (lua_Integer)f->hit[i].rule);
			lua_rawseti(L, 3, ++rules);
			n = 0;
		}
		if (f->hit[i].rcpt == RCPT_NONE)
			continue;
		lua_pushinteger(L, f->hit[i].rcpt + 1);
		lua_rawseti(L, 5, ++n);
	}
	lua_pushboolean(L, !f->unknown);
	return 1;
}

const struct luaL_Reg filter_functions[] = {
	{ "found", filter_found },
	{ NULL, NULL }
};
