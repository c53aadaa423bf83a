/*
 * The host access table of a listener, as operations on its sender groups.
 */
#include "cli/listenerconfig.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "cli/config.h"
#include "cli/prompt.h"

/* The order of a listener's groups, while it changes. */
struct order {
	const char **v;
	unsigned n;
};

static int	order_of(struct listenerconfig *, const char *, struct order *,
		    struct err *);
static unsigned	place_of(const struct order *, const char *);
static void	put_in(struct order *, unsigned, const char *);
static void	take_out(struct order *, unsigned);
static int	order_set(struct listenerconfig *, const char *,
		    const struct order *, struct err *);
static int	senders_set(struct listenerconfig *, const char *,
		    const struct order *, struct err *);
static int	name_ok(const char *, struct err *);
static int	place_ok(const struct order *, const char *, unsigned *,
		    struct err *);

int
hat_print(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const struct conf_listener *l;
	const struct conf_group *g;
	json_t *all, *senders;
	unsigned i, k;

	l = c == NULL ? NULL : listenerconfig_find(lc, lc->arg[0], why);
	if (l == NULL)
		return -1;
	all = json_array();
	for (i = 0; i < l->ngroup; i++) {
		g = l->group[i];
		senders = json_array();
		for (k = 0; k < g->npattern; k++)
			(void)json_array_append_new(senders,
			    json_string_nocheck(g->pattern[k].text));
		(void)json_array_append_new(all, json_pack(
		    "{s:s, s:s, s:s, s:s, s:o}", "group", g->name, "policy",
		    g->policy, "behavior",
		    listenerconfig_words[c->flow[g->flow].behavior],
		    "comment", g->comment, "senders", senders));
		if (lc->json)
			continue;
		prompt_text(pool_printf(lc->pool, "%u. %s: $%s (%s)%s%s\n",
		    i + 1, g->name, g->policy,
		    listenerconfig_words[c->flow[g->flow].behavior],
		    g->comment[0] != '\0' ? " " : "", g->comment), 4);
		for (k = 0; k < g->npattern; k++)
			(void)printf("    %s\n", g->pattern[k].text);
	}
	if (!lc->json && l->ngroup == 0)
		(void)printf("Listener %s has no sender groups.\n", l->name);
	if (lc->json)
		config_print(all);
	else
		json_decref(all);
	return 0;
}

/* LISTENER GROUP policy=NAME [senders=A,B] [at=N] … */
int
hat_new(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const char *name = lc->arg[1];
	struct order o;
	unsigned at;

	if (c == NULL ||
	    (hat_group(c, name) == NULL && name_ok(name, why) != 0) ||
	    order_of(lc, lc->arg[0], &o, why) != 0)
		return -1;
	if (place_of(&o, name) < o.n)
		return err_text(why, "group %s is in it already", name);
	at = o.n;
	if (lc->n > 2 && strncmp(lc->arg[2], "at=", 3) == 0) {
		o.n++; /* behind the last is a place as well */
		if (place_ok(&o, lc->arg[2] + 3, &at, why) != 0)
			return -1;
		o.n--;
	}
	if (hat_group(c, name) == NULL &&
	    confedit_new(lc->ce, "sender_group", name, why) != 0)
		return -1;
	if (listenerconfig_set(lc, at == o.n && (lc->n <= 2 ||
		strncmp(lc->arg[2], "at=", 3) != 0) ? 2 : 3, "sender_group",
		name, why) != 0)
		return -1;
	put_in(&o, at, name);
	return order_set(lc, lc->arg[0], &o, why);
}

/* LISTENER GROUP KEY=VALUE … +SENDER … -SENDER … */
int
hat_edit(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const char *name = lc->arg[1], *one;
	struct order o, senders;
	const char *const *p;
	unsigned k;
	int i;

	if (c == NULL || order_of(lc, lc->arg[0], &o, why) != 0)
		return -1;
	if (place_of(&o, name) == o.n)
		return err_text(why, "listener %s has no group %s",
		    lc->arg[0], name);
	senders.v = pool_alloc(lc->pool,
	    (CONF_MAX_LIST + (size_t)lc->n) * sizeof(char *));
	senders.n = 0;
	for (p = hat_group(c, name)->senders; *p != NULL; p++)
		senders.v[senders.n++] = *p;
	for (i = 2; i < lc->n; i++) {
		one = lc->arg[i] + 1;
		k = place_of(&senders, one);
		if (lc->arg[i][0] == '+' && k == senders.n)
			senders.v[senders.n++] = one;
		else if (lc->arg[i][0] == '-' && k == senders.n)
			return err_text(why, "group %s has no %s", name, one);
		else if (lc->arg[i][0] == '-')
			take_out(&senders, k);
		else if (lc->arg[i][0] != '+')
			break;
	}
	if ((i > 2 && senders_set(lc, name, &senders, why) != 0) ||
	    listenerconfig_set(lc, i, "sender_group", name, why) != 0)
		return -1;
	hat_tell(lc, &name, 1);
	return 0;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
hat_tell(struct listenerconfig *lc, const char *const *names, unsigned n)
{
	const struct conf *c = confedit_conf(lc->ce);
	const char **v = pool_alloc(lc->pool, (n + 1) * sizeof(*v)), **found;
	const struct conf_listener *l;
	unsigned i;

	memcpy(v, names, n * sizeof(*v));
	qsort(v, n, sizeof(*v), by_text);
	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		if (strcmp(l->name, lc->arg[0]) == 0)
			continue;
		for (i = 0; i < l->ngroup; i++) {
			found = bsearch(&l->group[i]->name, v, n, sizeof(*v),
			    by_text);
			if (found != NULL)
				(void)fprintf(stderr, "Listener %s has the "
				    "group %s, too.\n", l->name, *found);
		}
	}
}

/* One that no other listener names goes for good, if it is of the store. */
int
hat_delete(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const char *name = lc->arg[1];
	struct order o;
	unsigned at;

	if (c == NULL || order_of(lc, lc->arg[0], &o, why) != 0)
		return -1;
	at = place_of(&o, name);
	if (at == o.n)
		return err_text(why, "listener %s has no group %s",
		    lc->arg[0], name);
	take_out(&o, at);
	if (!hat_used(c, name, lc->arg[0]) &&
	    confedit_get(lc->ce, "sender_group", name) != NULL &&
	    confedit_delete(lc->ce, "sender_group", name, why) != 0)
		return -1;
	return order_set(lc, lc->arg[0], &o, why);
}

/* LISTENER GROUP PLACE */
int
hat_reorder(struct listenerconfig *lc, struct err *why)
{
	const char *name = lc->arg[1];
	unsigned from, to;
	struct order o;

	if (order_of(lc, lc->arg[0], &o, why) != 0)
		return -1;
	from = place_of(&o, name);
	if (from == o.n)
		return err_text(why, "listener %s has no group %s",
		    lc->arg[0], name);
	if (place_ok(&o, lc->arg[2], &to, why) != 0)
		return -1;
	take_out(&o, from);
	put_in(&o, to, name);
	return order_set(lc, lc->arg[0], &o, why);
}

/* ---- the order ---- */

static int
order_of(struct listenerconfig *lc, const char *listener, struct order *o_r,
    struct err *why)
{
	const struct conf_listener *l = NULL;
	const char *const *p;
	unsigned n = 0;

	if (listenerconfig_conf(lc, why) != NULL)
		l = listenerconfig_find(lc, listener, why);
	if (l == NULL)
		return -1;
	for (p = l->sender_groups; *p != NULL; p++)
		n++;
	o_r->v = pool_alloc(lc->pool, (n + 2) * sizeof(*o_r->v));
	o_r->n = 0;
	for (p = l->sender_groups; *p != NULL; p++)
		o_r->v[o_r->n++] = *p;
	return 0;
}

static unsigned
place_of(const struct order *o, const char *name)
{
	unsigned i;

	for (i = 0; i < o->n && strcmp(o->v[i], name) != 0;)
		i++;
	return i;
}

static void
put_in(struct order *o, unsigned at, const char *name)
{
	memmove(o->v + at + 1, o->v + at, (o->n - at) * sizeof(*o->v));
	o->v[at] = name;
	o->n++;
}

static void
take_out(struct order *o, unsigned at)
{
	o->n--;
	memmove(o->v + at, o->v + at + 1, (o->n - at) * sizeof(*o->v));
}

static int
order_set(struct listenerconfig *lc, const char *listener,
    const struct order *o, struct err *why)
{
	return confedit_set_raw(lc->ce, "listener", listener, "sender_groups",
	    conf_raw_list(confedit_pool(lc->ce), o->v, o->n), why);
}

/* They may be given with commas between. An empty list is one: the boot file's
 * does not count again. */
static int
senders_set(struct listenerconfig *lc, const char *name,
    const struct order *o, struct err *why)
{
	struct buf b;
	unsigned i;
	int r;

	buf_init(&b, SIZE_MAX);
	for (i = 0; i < o->n; i++)
		(void)buf_printf(&b, "%s%s", i > 0 ? "," : "", o->v[i]);
	r = confedit_set(lc->ce, "sender_group", name, "senders", o->n > 0 ?
	    buf_p(&b) : "\"\"", why);
	buf_fini(&b);
	return r;
}

const struct conf_group *
hat_group(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->ngroup; i++) {
		if (strcmp(c->group[i].name, name) == 0)
			return &c->group[i];
	}
	return NULL;
}

bool
hat_used(const struct conf *c, const char *name, const char *listener)
{
	const struct conf_listener *l;
	unsigned i;

	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		for (i = 0; i < l->ngroup; i++) {
			if (strcmp(l->name, listener) != 0 &&
			    strcmp(l->group[i]->name, name) == 0)
				return true;
		}
	}
	return false;
}

static int
name_ok(const char *name, struct err *why)
{
	const char *p;

	for (p = name; listenerconfig_plain(*p);)
		p++;
	return p > name && *p == '\0' ? 0 : err_text(why, "\"%.60s\": a name "
	    "is made of letters, digits, \"-\", \"_\" and \".\"", name);
}

static int
place_ok(const struct order *o, const char *text, unsigned *at_r,
    struct err *why)
{
	uint64_t n;

	if (num_u64(str_c(text), o->n, &n) != 0 || n == 0)
		return err_text(why, "\"%.20s\" is no place from 1 to %u",
		    text, o->n);
	*at_r = (unsigned)n - 1;
	return 0;
}
