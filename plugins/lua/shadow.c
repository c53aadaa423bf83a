/*
 * A policy that only looks: what it would set is remembered with message and
 * recipients, and compared with what was decided when all is there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

struct wish {
	char level[32], route[200], place[PLACE_MAX], route_place[PLACE_MAX];
};

/* By add_recipient(): it is the event's alone. */
struct added {
	struct added *next;
	int rcpt;
	char address[];
};

static struct wish *
wish_of(struct event *r)
{
	/* At "rcpt" there is one at hand without being selected. */
	return r->rcpt != RCPT_NONE || r->stage == STAGE_RCPT ?
	    pst_data(r->ev, PST_RCPT, struct wish) :
	    pst_data(r->ev, PST_MESSAGE, struct wish);
}

/* The line at work; what a rule does is the library's, and the rule is known.
 */
static void
place_of(const struct event *r, lua_State *L, char *dst, size_t n)
{
	host_place(L, dst, n);
	if (dst[0] == '\0')
		(void)snprintf(dst, n, "%s", r->place);
}

static void
first_word(char *dst, size_t n, const char *s)
{
	(void)snprintf(dst, n, "%.*s", (int)strcspn(s, " "), s);
}

void
shadow_set(struct event *r, lua_State *L, int rcpt, const char *fact,
    const char *value)
{
	struct wish *w = wish_of(r);
	char level[32];

	(void)rcpt;
	if (w == NULL || r->rcpt <= RCPT_ADDED)
		return;
	if (strcmp(fact, "rcpt.tls") == 0) {
		first_word(level, sizeof(level), value);
		if (strcmp(level, w->level) <= 0)
			return;
		(void)snprintf(w->level, sizeof(w->level), "%s", level);
		place_of(r, L, w->place, sizeof(w->place));
	} else if (strcmp(fact, "rcpt.route") == 0) {
		(void)snprintf(w->route, sizeof(w->route), "%s", value);
		place_of(r, L, w->route_place, sizeof(w->route_place));
	}
}

void
shadow_say(struct event *r, lua_State *L, const char *what)
{
	char place[PLACE_MAX];

	place_of(r, L, place, sizeof(place));
	pst_log(r->ev, PST_INFO, "RID %d: %s by %s", r->rcpt, what, place);
}

int
shadow_add(struct event *r, lua_State *L, const char *address)
{
	struct added *a;
	char place[PLACE_MAX];

	if (r->stage < STAGE_HEADERS || r->stage > STAGE_MESSAGE)
		return host_fail(L, "%s cannot be added at %s", address,
		    stage_word(r->stage));
	a = pst_alloc(r->ev, PST_EVENT, sizeof(*a) + strlen(address) + 1);
	if (a == NULL)
		return host_fail(L, "no memory is left for a recipient");
	memcpy(a->address, address, strlen(address) + 1);
	a->rcpt = r->added != NULL ? r->added->rcpt - 1 : RCPT_ADDED;
	a->next = r->added;
	r->added = a;
	place_of(r, L, place, sizeof(place));
	pst_log(r->ev, PST_INFO, "adds %s by %s", address,
	    place);
	return a->rcpt;
}

void
shadow_drop(struct event *r, lua_State *L)
{
	if (r->rcpt > RCPT_ADDED)
		shadow_say(r, L, "drops it");
}

void
shadow_fact(struct event *r, lua_State *L, const char *name)
{
	const struct added *a = r->added;
	const char *at;

	while (a != NULL && a->rcpt != r->rcpt)
		a = a->next;
	at = a != NULL ? strrchr(a->address, '@') : NULL;
	if (a != NULL && (strcmp(name, "rcpt") == 0 ||
		strcmp(name, "rcpt.mailbox") == 0))
		(void)lua_pushstring(L, a->address);
	else if (at != NULL && strcmp(name, "rcpt.domain") == 0)
		(void)lua_pushstring(L, at + 1);
	else if (at != NULL && strcmp(name, "rcpt.local") == 0)
		(void)lua_pushlstring(L, a->address, (size_t)(at -
		    a->address));
	else
		lua_pushnil(L);
}

static const char *
or(const char *s, const char *otherwise)
{
	return s == NULL || s[0] == '\0' ? otherwise : s;
}

static void
compare(struct event *r, int i, const struct wish *all)
{
	const struct wish *w = pst_data(r->ev, PST_RCPT, struct wish), *by;
	const char *route, *wanted;
	char is[32];

	if (w == NULL)
		return;
	first_word(is, sizeof(is), or(pst_get(r->ev, "rcpt.tls"),
	    "opportunistic"));
	by = strcmp(all->level, w->level) > 0 ? all : w;
	wanted = or(by->level, "opportunistic");
	if (strcmp(is, wanted) != 0)
		pst_log(r->ev, PST_INFO, "RID %d: %s -> %s by %s", i, is,
		    wanted, or(by->place, r->ev->instance));
	by = w->route[0] != '\0' ? w : all;
	route = or(pst_get(r->ev, "rcpt.route"), "-");
	wanted = or(by->route, "-");
	if (strcmp(route, wanted) != 0)
		pst_log(r->ev, PST_INFO, "RID %d: route %s -> %s by %s", i,
		    route, wanted, or(by->route_place, r->ev->instance));
}

enum pst_verdict
shadow_end(struct event *r, const char *word, int code, const char *text)
{
	const char *n = pst_get(r->ev, "message.rcpts");
	struct wish none = { .level = "" }, *all;
	int i, rcpts = n != NULL ? (int)strtol(n, NULL, 10) : 0;

	if (code == 0 && word != NULL)
		code = strcmp(word, "reject") == 0 ? 550 :
		    strcmp(word, "tempfail") == 0 ? 451 : 0;
	if (word != NULL && r->stage < STAGE_NOTED && code == 0)
		pst_log(r->ev, PST_INFO, "continue -> %s%s%s at %s by %s",
		    word, text[0] != '\0' ? " " : "", text,
		    stage_word(r->stage), r->place);
	else if (word != NULL && r->stage < STAGE_NOTED)
		pst_log(r->ev, PST_INFO, "continue -> %s %d %s at %s by %s",
		    word, code, text, stage_word(r->stage), r->place);
	if (r->stage != STAGE_MESSAGE || !pst_has(r->ev, rcpt))
		return PST_CONTINUE;
	host_select(r, RCPT_NONE);
	all = pst_data(r->ev, PST_MESSAGE, struct wish);
	for (i = 0; i < rcpts; i++) {
		host_select(r, i);
		if (r->rcpt == i)
			compare(r, i, all != NULL ? all : &none);
	}
	host_select(r, RCPT_NONE);
	return PST_CONTINUE;
}
