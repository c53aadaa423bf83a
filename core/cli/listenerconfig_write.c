/*
 * Host access tables and the recipient access table as text that
 * listenerconfig_text.c reads.
 */
#include "cli/listenerconfig.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config.h"

static void	write_name(const char *, bool, struct buf *);
static unsigned	write_items(const char *, const struct conf_item *,
		    const char *, const char *, struct buf *);

static void
write_policy(const struct conf_policy_flow *f, struct buf *dst)
{
	(void)buf_add_char(dst, '$');
	write_name(f->name, false, dst);
	(void)buf_printf(dst, "\n    %s {",
	    listenerconfig_words[f->behavior]);
	if (write_items("mail_flow_policy", f->items, "behavior",
	    "\n        ", dst) > 0)
		(void)buf_add_c(dst, ",\n    ");
	(void)buf_add_c(dst, "}\n");
}

static void
write_group(const struct conf_group *g, struct buf *dst)
{
	const char *p = g->comment;
	unsigned k;

	write_name(g->name, false, dst);
	(void)buf_add_c(dst, ":\n");
	for (k = 0; k < g->npattern; k++)
		(void)buf_printf(dst, "    %s\n", g->pattern[k].text);
	(void)buf_add_c(dst, "    $");
	write_name(g->policy, false, dst);
	while ((unsigned char)*p >= 0x20 && *p != 0x7f)
		p++;
	if (*p != '\0' || g->comment[0] == '"') {
		(void)buf_add_c(dst, " (");
		conf_quote(str_c(g->comment), dst);
		(void)buf_add_char(dst, ')');
	} else if (g->comment[0] != '\0') {
		(void)buf_printf(dst, " (%s)", g->comment);
	}
	(void)buf_add_char(dst, '\n');
}

static void
write_hat(struct listenerconfig *lc, const struct conf *c,
    const struct conf_listener *l, struct buf *dst)
{
	bool *written = pool_alloc(lc->pool, c->nflow * sizeof(*written) + 1);
	unsigned i;

	memset(written, 0, c->nflow * sizeof(*written));
	for (i = 0; i < l->ngroup; i++) {
		if (!written[l->group[i]->flow])
			write_policy(&c->flow[l->group[i]->flow], dst);
		written[l->group[i]->flow] = true;
	}
	for (i = 0; i < l->ngroup; i++)
		write_group(l->group[i], dst);
}

static int
by_name(const void *a, const void *b)
{
	const struct conf_access *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
write_rat(struct listenerconfig *lc, const struct conf *c, struct buf *dst)
{
	const struct conf_access **v = pool_alloc(lc->pool,
	    (c->naccess + 1) * sizeof(struct conf_access *));
	unsigned i;

	for (i = 0; i < c->naccess; i++)
		v[i] = &c->access[i];
	qsort(v, c->naccess, sizeof(struct conf_access *), by_name);
	for (i = 0; i < c->naccess; i++) {
		write_name(v[i]->name, true, dst);
		(void)buf_printf(dst, " %s",
		    listenerconfig_rcpt_words[v[i]->access]);
		if (write_items("recipient_access", v[i]->items, "access",
		    " { ", dst) > 0)
			(void)buf_add_c(dst, " }");
		(void)buf_add_char(dst, '\n');
	}
}

static void
write_name(const char *name, bool rcpt, struct buf *dst)
{
	const char *p = name;

	while (listenerconfig_plain(*p) || (rcpt && *p == '@'))
		p++;
	if (*p == '\0')
		(void)buf_add_c(dst, name);
	else
		conf_quote(str_c(name), dst);
}

/* Those that are set, but for one; with "first" before the first, and as much
 * as it has of a line before the others. Returns how many. */
static unsigned
write_items(const char *kind, const struct conf_item *items,
    const char *without, const char *first, struct buf *dst)
{
	const struct conf_object o = { .scope = conf_kind_find(kind, NULL),
		.items = (struct conf_item *)(uintptr_t)items };
	const struct conf_item *item;
	const char *key;
	unsigned i, n = 0;

	for (i = 0; (key = conf_kind_key(o.scope, i)) != NULL; i++) {
		item = conf_object_get(&o, key);
		/* An empty text or list is none. */
		if (item == NULL || strcmp(key, without) == 0 ||
		    (strcmp(key, "comment") == 0 && item->value->s.n == 0) ||
		    (strcmp(key, "listeners") == 0 && item->value->n == 0))
			continue;
		if (n++ > 0)
			(void)buf_add_char(dst, ',');
		(void)buf_add_c(dst, n == 1 || first[0] == '\n' ? first : " ");
		(void)buf_printf(dst, "%s = ", key);
		conf_raw_write(item->value, dst);
	}
	return n;
}

static int
export(struct listenerconfig *lc, bool rat, const char *file, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const struct conf_listener *l = NULL;
	struct buf text;
	int r;

	if (c == NULL)
		return -1;
	if (!rat) {
		l = listenerconfig_find(lc, lc->arg[0], why);
		if (l == NULL)
			return -1;
	}
	buf_init(&text, SIZE_MAX);
	if (rat)
		write_rat(lc, c, &text);
	else
		write_hat(lc, c, l, &text);
	r = config_export(file, buf_str(&text), false, lc->json, why);
	buf_fini(&text);
	return r;
}

int
hat_export(struct listenerconfig *lc, struct err *why)
{
	return export(lc, false, lc->n > 1 ? lc->arg[1] : "-", why);
}

int
rat_export(struct listenerconfig *lc, struct err *why)
{
	return export(lc, true, lc->n > 0 ? lc->arg[0] : "-", why);
}

bool
listenerconfig_plain(char c)
{
	return ch_alnum(c) || c == '-' || c == '_' || c == '.';
}
