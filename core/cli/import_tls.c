/*
 * smtp_tls_policy_maps of Postfix. It looks for the next hop: for the domain
 * where there is no other, which is a destination here, else for the host that
 * transport(5) names, which is one of a route.
 */
#include "cli/import.h"
#include "cli/posthop.h"
#include "cli/posttable.h"
#include "cli/posttls.h"
#include "mail/addr.h"

struct entry {
	int line;
	const char *word;
	struct posttls tls;
	bool used;
	struct entry *next;
};

struct reading {
	struct import *im;
	struct entry *first, **last;
	json_t *seen; /* key to the entry's number */
	struct entry **v;
	unsigned n, room;
};

static int	read_entry(struct reading *r, const struct posttable_row *row,
		    struct err *why);
static int	put(struct reading *r, struct entry *e, const char *kind,
		    const char *name, struct err *why);
static int	destination(struct reading *r, const char *key,
		    struct entry *e, struct err *why);
static int	routes(struct reading *r, struct err *why);
static void	unused(struct reading *r);

static int
all(struct reading *r, struct err *why)
{
	struct posttable t = { .rest = r->im->text };
	struct posttable_row row;
	const char *key;
	json_t *at;
	int e;

	while ((e = posttable_next(&t, r->im->pool, &row, why)) > 0) {
		if (read_entry(r, &row, why) != 0)
			return import_refuse(r->im, row.line, why);
	}
	if (e < 0)
		return import_refuse(r->im, t.line, why);
	json_object_foreach(r->seen, key, at) {
		if (destination(r, key, r->v[json_integer_value(at)], why) !=
		    0)
			return -1;
	}
	if (routes(r, why) != 0)
		return -1;
	unused(r);
	return 0;
}

int
import_postfix_tls(struct import *im, struct err *why)
{
	struct reading r = { .im = im };
	int e;

	r.seen = json_object();
	e = all(&r, why);
	json_decref(r.seen);
	return e;
}

/* The key as it is compared: a domain, .domain, or a host as in a route. */
static const char *
key_of(struct reading *r, const char *word, struct err *why)
{
	bool parent = word[0] == '.';
	char *key;

	if (!domain_valid(str_c(word + parent), true))
		return posthop_host(r->im->pool, str_c(word), why);
	key = pool_strdup(r->im->pool, word);
	str_lower(key, strlen(key));
	return key;
}

static int
read_entry(struct reading *r, const struct posttable_row *row,
    struct err *why)
{
	struct pool *pool = r->im->pool;
	struct entry *e = POOL_NEW(pool, struct entry), **v;
	struct err no = ERR_INIT;
	const char *key = key_of(r, row->key, &no);
	struct import_left l = { row->line, row->key, "Postfix asks for no "
	    "such key", "a domain, .domain or [host]:port", "" };

	if (key == NULL) {
		import_left(r->im, &l);
		return 0;
	}
	if (json_object_get(r->seen, key) != NULL)
		return err_text(why, "%s is there already", row->key);
	e->line = row->line;
	e->word = row->key;
	if (posttls_read(pool, strchr(key, ':') == NULL ? key :
		pool_str(pool, posthop_name(key)).p, row->value, &e->tls,
		why) != 0)
		return -1;
	if (r->n == r->room) {
		r->room = r->room == 0 ? 64 : 2 * r->room;
		v = pool_alloc(pool, r->room * sizeof(struct entry *));
		if (r->n > 0)
			memcpy(v, r->v, r->n * sizeof(struct entry *));
		r->v = v;
	}
	(void)json_object_set_new(r->seen, key, json_integer(r->n));
	r->v[r->n++] = e;
	return 0;
}

static void
left(struct reading *r, const struct entry *e, const char *name)
{
	const struct posttls *t = &e->tls;
	unsigned i;

	for (i = 0; i < t->nleft; i++) {
		struct import_left l = { e->line, pool_printf(r->im->pool,
		    "%s %s", e->word, t->left[i].word), t->left[i].reason,
		    t->left[i].instead, name };

		import_left(r->im, &l);
	}
}

static int
put(struct reading *r, struct entry *e, const char *kind, const char *name,
    struct err *why)
{
	json_t *row;

	e->used = true;
	left(r, e, e->tls.want == NULL ? name : "");
	if (e->tls.want == NULL)
		return 0;
	row = import_row(r->im, e->line, e->word, kind, name);
	if (e->tls.stronger != NULL)
		import_stronger(row, e->tls.stronger);
	if (import_put(r->im, row, "tls", e->tls.want, why) != 0)
		return -1;
	return e->tls.once ? import_put(r->im, row, "max_messages", "1", why) :
	    0;
}

/* Mail that goes by a route is not for the domain as far as Postfix goes. */
static int
destination(struct reading *r, const char *key, struct entry *e,
    struct err *why)
{
	const char *probe = key[0] == '.' ?
	    pool_printf(r->im->pool, "x%s", key) : key;
	const char *route;

	if (strchr(key, ':') != NULL)
		return 0;
	route = import_route(r->im, probe);
	if (route != NULL && strcmp(import_hosts(r->im, route),
		pool_printf(r->im->pool, "mx:%s", key)) != 0)
		return 0;
	return put(r, e, "destination", key, why);
}

/* The entry for a host of a route, as Postfix would find it. */
static struct entry *
find(struct reading *r, const char *host)
{
	json_t *at = json_object_get(r->seen, host);
	const char *p;

	if (at == NULL && strncmp(host, "mx:", 3) == 0 &&
	    strchr(host + 3, ':') == NULL) {
		p = host + 3;
		at = json_object_get(r->seen, p);
		while (at == NULL && (p = strchr(p + 1, '.')) != NULL)
			at = json_object_get(r->seen, p);
	}
	return at != NULL ? r->v[json_integer_value(at)] : NULL;
}

/* In the form that has a port. */
static const char *
host_form(struct pool *pool, struct str host)
{
	struct str name = host, port = STR_NULL;
	const char *text;
	size_t end;

	if (str_istarts(host, "mx:"))
		text = posthop_host(pool, str_n(host.p + 3, host.n - 3), NULL);
	else {
		end = host.n > 0 && host.p[0] == '[' ?
		    str_find(host, ']') + 1 : str_find(host, ':');
		name = posthop_name(pool_str(pool, host).p);
		if (end < host.n)
			port = str_n(host.p + end + 1, host.n - end - 1);
		text = posthop_direct(pool, name, posthop_port(port), NULL);
	}
	return text != NULL ? text : "";
}

static int
one_route(struct reading *r, const char *name, struct err *why)
{
	struct str rest = str_c(import_hosts(r->im, name)), host;
	struct entry *e = NULL, *other;
	bool first = true, mixed = false;

	while (str_split(&rest, ',', &host)) {
		other = find(r, host_form(r->im->pool, host));
		mixed = mixed || (!first && other != e);
		e = e != NULL ? e : other;
		first = false;
	}
	if (e == NULL)
		return 0;
	if (mixed) {
		struct import_left l = { e->line, e->word,
		    pool_printf(r->im->pool, "route \"%s\" has other hosts, "
			"for which the table says something else", name),
		    "the same entry for all hosts of a route", name };

		e->used = true;
		import_left(r->im, &l);
		return 0;
	}
	return put(r, e, "route", name, why);
}

static int
routes(struct reading *r, struct err *why)
{
	const struct conf *c = confedit_conf(r->im->dc.ce);
	unsigned i;

	if (c == NULL)
		return err_text(why, "%s", confedit_broken(r->im->dc.ce));
	for (i = 0; i < c->nroute; i++) {
		if (one_route(r, c->route[i].name, why) != 0)
			return -1;
	}
	return 0;
}

static void
unused(struct reading *r)
{
	const char *key;
	json_t *at;

	json_object_foreach(r->seen, key, at) {
		struct entry *e = r->v[json_integer_value(at)];
		bool hop = strchr(key, ':') != NULL;
		struct import_left l = { e->line, e->word, hop ?
		    "no route leads there" : "its mail goes by a route, for "
		    "whose host Postfix asks", hop ? "import the transport "
		    "table first" : "an entry for the route's host, or "
		    "postern destconfig set", hop ? "" : key };

		if (!e->used)
			import_left(r->im, &l);
	}
}
