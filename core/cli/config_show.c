/*
 * `postern config`: looking at revisions.
 */
#include "cli/config.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/ask.h"
#include "cli/config_wait.h"
#include "cli/confedit_priv.h"

/* The objects of a revision, by kind and name. */
struct listing {
	struct pool *pool;
	struct revs_object *v;
	unsigned n, cap;
};

static int on_object(void *arg, const struct revs_object *o, struct err *why);
static int list(struct confedit *ce, struct config_rev rev,
    struct listing *l, struct err *why);
static json_t *object_json(const struct revs_object *o);
static json_t *items_json(struct pool *pool, struct str body);
static json_t *rev_json(const struct rev *v);
static void show_one(struct confedit *ce, struct pool *pool,
    const struct revs_object *o);
static void diff_one(const struct revs_object *a, const struct revs_object *b,
    unsigned *rows);
static void diff_lines(struct str a, struct str b);
static void lines(char mark, struct str text);
static void on_status(void *arg, const char *from, const json_t *line,
    int last);

void
config_print(json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)putchar('\n');
	json_decref(o);
}

void
config_hint(const struct confedit *ce, bool json)
{
	const char *who;
	msec since;

	if (json)
		config_print(json_pack("{s:i}", "uncommitted",
		    (int)confedit_changes(ce, &who, &since)));
	else
		confedit_hint(ce);
}

static const char *
date(char *dst, size_t n, msec at)
{
	clock_rfc3339(dst, n, at);
	return dst;
}

int
config_rev(struct confedit *ce, const char *text, struct config_rev *rev_r,
    struct err *why)
{
	struct revs *store = confedit_store(ce);
	struct config_rev rev = { CONFIG_NUMBER, 0 };
	struct pool *pool;
	struct rev v;
	int r = 0;

	if (strcmp(text, "draft") == 0) {
		rev_r->which = CONFIG_DRAFT;
		return 0;
	}
	if (strcmp(text, "head") != 0 &&
	    num_u64(str_c(text), INT64_MAX, &rev.n) != 0)
		return err_text(why, "\"%.60s\" is no revision: a number, "
		    "head or draft", text);
	if (store != NULL) {
		pool = pool_new(0);
		r = revs_begin(store, false, why);
		if (r == 0) {
			r = strcmp(text, "head") == 0 ?
			    revs_head(store, &rev.n, why) :
			    rev.n > 0 ? revs_get(store, rev.n, pool, &v, why) :
					0;
			(void)revs_end(store, false, NULL);
		}
		pool_destroy(&pool);
	} else if (rev.n > 0) {
		r = err_text(why, "there is no revision %s", text);
	}
	if (r == 0)
		*rev_r = rev;
	return r;
}

static int
list(struct confedit *ce, struct config_rev rev, struct listing *l,
    struct err *why)
{
	struct revs *store = confedit_store(ce);
	int r;

	l->v = NULL;
	l->n = l->cap = 0;
	if (store == NULL)
		return 0;
	if (revs_begin(store, false, why) != 0)
		return -1;
	r = rev.which == CONFIG_DRAFT ?
	    revs_merged(store, on_object, l, why) :
	    revs_objects(store, rev.n, on_object, l, why);
	(void)revs_end(store, false, NULL);
	return r;
}

static int
on_object(void *arg, const struct revs_object *o, struct err *why)
{
	struct listing *l = arg;
	struct revs_object *to;

	(void)why;
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		l->v = mem_realloc(l->v, l->cap * sizeof(*l->v));
	}
	to = &l->v[l->n++];
	*to = *o;
	to->kind = pool_strdup(l->pool, o->kind);
	to->name = pool_strdup(l->pool, o->name);
	to->who = pool_strdup(l->pool, o->who);
	to->body = pool_str(l->pool, o->body);
	return 0;
}

static void
listing_init(struct listing *l)
{
	memset(l, 0, sizeof(*l));
	l->pool = pool_new(0);
}

static void
listing_fini(struct listing *l)
{
	mem_free(l->v);
	pool_destroy(&l->pool);
}

int
config_show(struct confedit *ce, struct config_rev rev, bool json,
    struct err *why)
{
	struct listing l;
	unsigned i, rows = 0;
	int r;

	listing_init(&l);
	r = list(ce, rev, &l, why);
	for (i = 0; r == 0 && i < l.n; i++) {
		if (json)
			config_row(&rows, object_json(&l.v[i]));
		else
			show_one(ce, l.pool, &l.v[i]);
	}
	if (r == 0 && json)
		config_rows_end(rows);
	listing_fini(&l);
	return r;
}

/* With what one must know: whose it is not yet, what it hides. */
static void
show_one(struct confedit *ce, struct pool *pool, const struct revs_object *o)
{
	const struct conf_object *boot = confedit_boot(ce, o->kind, o->name);
	const struct conf_item *item, *own;
	struct conf_object *v;
	struct err no = ERR_INIT;
	struct buf text;
	unsigned n;

	if (o->rev == 0)
		(void)printf("-- uncommitted, by %s\n", o->who);
	if (o->node)
		(void)printf("-- of this node only\n");
	if (boot != NULL &&
	    conf_objects_read(pool, "", o->body, &v, &n, &no) == 0 && n == 1) {
		buf_init(&text, CONF_OVER_MAX);
		for (own = v->items; own != NULL; own = own->next) {
			item = conf_object_get(boot, own->key);
			if (item == NULL)
				continue;
			buf_reset(&text);
			conf_raw_write(item->value, &text);
			(void)printf("-- hides %s = %s of %s:%d\n", own->key,
			    buf_p(&text), confedit_file(ce), item->line);
		}
		buf_fini(&text);
	}
	(void)fwrite(o->body.p, 1, o->body.n, stdout);
}

int
config_get(struct confedit *ce, const char *kind, const char *name, bool json,
    struct err *why)
{
	struct config_rev draft = { CONFIG_DRAFT, 0 };
	struct conf_object o;
	struct listing l;
	unsigned i;
	int r;

	listing_init(&l);
	r = conf_object_new(l.pool, kind, name, &o, why);
	if (r == 0)
		r = list(ce, draft, &l, why);
	for (i = 0; r == 0 && i < l.n; i++) {
		if (strcmp(l.v[i].kind, o.kind) == 0 &&
		    strcmp(l.v[i].name, o.name) == 0)
			break;
	}
	if (r == 0 && i == l.n)
		r = err_text(why, o.name[0] != '\0' ?
		    "the store has no %s \"%s\"" : "the store has no %s",
		    o.kind, o.name);
	else if (r == 0 && json)
		config_print(object_json(&l.v[i]));
	else if (r == 0)
		show_one(ce, l.pool, &l.v[i]);
	listing_fini(&l);
	return r;
}

static json_t *
object_json(const struct revs_object *o)
{
	struct pool *pool = pool_new(0);
	char at[64];
	json_t *j;

	j = json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:s, s:b}", "kind",
	    o->kind, "name", config_text(str_c(o->name)), "scope",
	    o->node ? "node" : "cluster", "settings",
	    items_json(pool, o->body), "text", config_text(o->body), "who",
	    config_text(str_c(o->who)), "at", date(at, sizeof(at), o->at),
	    "committed", (int)(o->rev != 0));
	if (o->rev != 0)
		(void)json_object_set_new(j, "revision",
		    json_integer((json_int_t)o->rev));
	pool_destroy(&pool);
	return j;
}

static json_t *
items_json(struct pool *pool, struct str body)
{
	struct err no = ERR_INIT;
	struct conf_object *v;
	unsigned n;

	if (body.p == NULL ||
	    conf_objects_read(pool, "", body, &v, &n, &no) != 0 || n != 1)
		return json_object();
	return config_settings(v->items);
}

/* Both lists are sorted. */
int
config_diff(struct confedit *ce, struct config_rev a, struct config_rev b,
    bool json, struct err *why)
{
	struct listing x, y;
	unsigned i = 0, k = 0, rows = 0;
	unsigned *into = json ? &rows : NULL;
	int r, c;

	listing_init(&x);
	listing_init(&y);
	r = list(ce, a, &x, why);
	if (r == 0)
		r = list(ce, b, &y, why);
	while (r == 0 && (i < x.n || k < y.n)) {
		c = i == x.n ? 1 : k == y.n ? -1 :
		    strcmp(x.v[i].kind, y.v[k].kind);
		if (c == 0)
			c = strcmp(x.v[i].name, y.v[k].name);
		diff_one(c <= 0 ? &x.v[i] : NULL, c >= 0 ? &y.v[k] : NULL,
		    into);
		i += c <= 0;
		k += c >= 0;
	}
	if (r == 0 && json)
		config_rows_end(rows);
	listing_fini(&x);
	listing_fini(&y);
	return r;
}

/* rows: as JSON. */
static void
diff_one(const struct revs_object *a, const struct revs_object *b,
    unsigned *rows)
{
	const struct revs_object *o = a != NULL ? a : b;

	if (a != NULL && b != NULL && str_eq(a->body, b->body) &&
	    a->node == b->node)
		return;
	if (rows != NULL) {
		config_row(rows, json_pack(
		    "{s:s, s:o, s:o, s:o}", "kind", o->kind, "name",
		    config_text(str_c(o->name)), "from", a == NULL ?
		    json_null() : object_json(a), "to", b == NULL ?
		    json_null() : object_json(b)));
		return;
	}
	if (a != NULL && b != NULL) {
		if (a->node != b->node)
			(void)printf("  -- now of %s\n", b->node ?
			    "this node only" : "the cluster");
		diff_lines(a->body, b->body);
	} else {
		lines(a != NULL ? '-' : '+', o->body);
	}
}

/* Keys come in one order, so the lines do. */
static void
diff_lines(struct str a, struct str b)
{
	struct str x, y, rest;
	bool found;

	while (str_split(&a, '\n', &x)) {
		found = false;
		for (rest = b; !found && str_split(&rest, '\n', &y);)
			found = str_eq(x, y);
		if (!found) {
			lines('-', x);
			continue;
		}
		while (str_split(&b, '\n', &y) && !str_eq(x, y))
			lines('+', y);
		lines(' ', x);
	}
	while (str_split(&b, '\n', &y))
		lines('+', y);
}

static void
lines(char mark, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		if (line.n > 0)
			(void)printf("%c %.*s\n", mark, STR_FMT(line));
	}
}

int
config_log(struct confedit *ce, uint64_t n, bool json, struct err *why)
{
	struct revs *store = confedit_store(ce);
	struct pool *pool;
	uint64_t head = 0, at, shown = 0;
	unsigned rows = 0;
	struct rev v;
	char text[64];
	int r;

	if (store == NULL) {
		if (json)
			config_rows_end(0);
		return 0;
	}
	if (n == 0)
		n = UINT64_MAX;
	if (revs_begin(store, false, why) != 0)
		return -1;
	pool = pool_new(0);
	r = revs_head(store, &head, why);
	for (at = head; r == 0 && at > 0 && shown < n; shown++) {
		r = revs_get(store, at, pool, &v, why);
		if (r == 0)
			r = revs_before(store, at, &at, why);
		if (r != 0)
			break;
		if (json)
			config_row(&rows, rev_json(&v));
		else
			(void)printf("%ju  %s  %s  %u of %u object%s%s%s\n",
			    (uintmax_t)v.n, date(text, sizeof(text), v.at),
			    v.who, v.changes, v.objects,
			    v.objects == 1 ? "" : "s",
			    v.comment[0] != '\0' ? "  " : "", v.comment);
	}
	if (r == 0 && json)
		config_rows_end(rows);
	(void)revs_end(store, false, NULL);
	pool_destroy(&pool);
	return r;
}

static json_t *
rev_json(const struct rev *v)
{
	char at[64];

	return json_pack("{s:I, s:I, s:s, s:o, s:o, s:i, s:i}", "revision",
	    (json_int_t)v->n, "parent", (json_int_t)v->parent, "at",
	    date(at, sizeof(at), v->at), "who", config_text(str_c(v->who)),
	    "comment", config_text(str_c(v->comment)), "changes",
	    (int)v->changes, "objects", (int)v->objects);
}

struct told {
	bool running;
	uint64_t revision;
};

/* What the relay has, if it runs. */
static struct told
told_by_relay(struct confedit *ce)
{
	struct told told = { false, 0 };
	struct err no = ERR_INIT;

	told.running = ask(confedit_run(ce), ASK_MASTER, json_pack("{s:s}",
	    "verb", "status"), on_status, &told, &no) == 0;
	return told;
}

int
config_prune(struct confedit *ce, uint64_t keep, uint64_t *n_r,
    struct err *why)
{
	struct revs *store = confedit_store(ce);
	uint64_t in_force;
	int r;

	*n_r = 0;
	if (store == NULL)
		return 0;
	if (revs_lock(store, confedit_who(ce), why) != 0)
		return -1;
	in_force = told_by_relay(ce).revision;
	r = revs_begin(store, true, why);
	if (r == 0) {
		r = revs_prune(store, keep, in_force, n_r, why);
		if (revs_end(store, r == 0, why) != 0)
			r = -1;
	}
	revs_unlock(store);
	return r;
}

int
config_status(struct confedit *ce, bool json, struct err *why)
{
	struct revs *store = confedit_store(ce);
	struct told told;
	struct rev v = { .n = 0 };
	struct pool *pool = pool_new(0);
	char at[64], since[64];
	const char *who;
	msec when = 0;
	unsigned n;
	int r = 0;

	if (store != NULL)
		r = revs_begin(store, false, why);
	if (store != NULL && r == 0) {
		r = revs_head(store, &v.n, why);
		if (r == 0 && v.n > 0)
			r = revs_get(store, v.n, pool, &v, why);
		(void)revs_end(store, false, NULL);
	}
	if (r != 0) {
		pool_destroy(&pool);
		return -1;
	}
	told = told_by_relay(ce);
	n = confedit_changes(ce, &who, &when);
	if (json) {
		json_t *j = json_pack("{s:o, s:o, s:o, s:i, s:o, s:s}",
		    "store", config_text(str_c(confedit_path(ce))), "head",
		    v.n > 0 ? rev_json(&v) : json_null(), "in_force",
		    told.running ? json_integer((json_int_t)told.revision) :
		    json_null(), "uncommitted", (int)n, "by",
		    config_text(str_c(who)), "broken", confedit_broken(ce));
		(void)json_object_set_new(j, "certificates_wait",
		    json_boolean(config_wait_any(ce)));

		config_print(j);
		pool_destroy(&pool);
		return confedit_check_head(ce, why);
	}
	(void)printf("store        %s%s\n", confedit_path(ce),
	    store == NULL ? " (not there yet)" : "");
	if (v.n > 0)
		(void)printf("head         revision %ju, %s, by %s%s%s\n",
		    (uintmax_t)v.n, date(at, sizeof(at), v.at), v.who,
		    v.comment[0] != '\0' ? ": " : "", v.comment);
	else
		(void)printf("head         none: the boot file alone\n");
	if (!told.running)
		(void)printf("in force     the relay is not running\n");
	else if (told.revision > 0)
		(void)printf("in force     revision %ju\n",
		    (uintmax_t)told.revision);
	else
		(void)printf("in force     the boot file alone\n");
	if (n > 0)
		(void)printf("uncommitted  %u object%s, by %s, since %s\n", n,
		    n == 1 ? "" : "s", who, date(since, sizeof(since), when));
	else
		(void)printf("uncommitted  none\n");
	if (config_wait_any(ce))
		(void)printf("certificates of a loaded configuration wait for "
		    "the commit\n");
	if (confedit_broken(ce)[0] != '\0')
		(void)printf("broken       %s\n", confedit_broken(ce));
	pool_destroy(&pool);
	return confedit_check_head(ce, why);
}

static void
on_status(void *arg, const char *from, const json_t *line, int last)
{
	struct told *t = arg;

	(void)from;
	if (last != 0)
		t->revision = (uint64_t)json_integer_value(
		    json_object_get(line, "revision"));
}
