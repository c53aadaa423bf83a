/*
 * Plugin blocks, as far as they are the same for every plugin: the settings
 * that all have, and the others as they were written (host/options reads them
 * by the plugin's own table).
 */
#include "policy/conf_priv.h"

#include <sys/stat.h>

#include "base/codec.h"

static bool	name_valid(const char *, bool);
static void	item_add(struct conf *, struct conf_plugin *, const char *,
		    const struct conf_raw *, int);
static int	value_files(const struct conf *, const struct conf_raw *,
		    conf_file_fn *, void *, struct err *);
static void	dump_raw(const struct conf_raw *, struct buf *);
static bool	is_word(const char *);

int
conf_plugin_apply(struct conf *c, struct conf_plugin *p,
    const struct conf_block *b, struct err *why)
{
	const struct conf_param *param;
	const struct conf_item *item;

	if (!name_valid(p->plugin, false))
		return err_text(why, "%s:%d: \"%.60s\" is no plugin's name: "
		    "letters, digits and _", c->file, p->line, p->plugin);
	if (!name_valid(p->name, true))
		return err_text(why, "%s:%d: \"%.60s\" is no instance's name: "
		    "at most 64 letters, digits, _, - and .", c->file,
		    p->line, p->name);
	for (item = b->items; item != NULL; item = item->next) {
		param = conf_param_find(b->scope, item->key);
		if (param == NULL)
			item_add(c, p, item->key, item->value, item->line);
		else if (conf_value_set(c->pool, c->dir, param, p,
			     item->value, why) != 0)
			return err_prefix(why, "%s:%d: ", c->file, item->line);
	}
	return 0;
}

/* A plugin's is a symbol's beginning, an instance's is in logs and metrics. */
static bool
name_valid(const char *name, bool instance)
{
	size_t i;

	for (i = 0; name[i] != '\0'; i++) {
		if (!ch_alnum(name[i]) && name[i] != '_' &&
		    (!instance || (name[i] != '-' && name[i] != '.')))
			return false;
	}
	return i > 0 && i <= 64;
}

static void
item_add(struct conf *c, struct conf_plugin *p, const char *key,
    const struct conf_raw *value, int line)
{
	struct conf_item *item = POOL_NEW(c->pool, struct conf_item), **at;

	for (at = &p->items; *at != NULL;)
		at = &(*at)->next;
	item->key = key;
	item->value = value;
	item->line = line;
	*at = item;
}

struct conf_plugin *
conf_stands_for(struct conf *c, const char *plugin, const char *name,
    const char *by, int line)
{
	const struct conf_scope *scope = &conf_scopes[CONF_SCOPE_PLUGIN];
	struct conf_plugin *p = &c->plugin[c->nplugin];
	size_t i;

	ASSERT(c->nplugin++ < CONF_STANDS_MAX);
	for (i = 0; i < scope->nparam; i++)
		conf_value_default(c->pool, &scope->param[i], p);
	p->plugin = plugin;
	p->name = name;
	p->by = by;
	p->line = line;
	return p;
}

void
conf_stands_text(struct conf *c, struct conf_plugin *p, const char *key,
    const char *value)
{
	struct conf_raw *raw = POOL_NEW(c->pool, struct conf_raw);

	raw->type = RAW_STRING;
	raw->s = pool_str(c->pool, str_c(value));
	item_add(c, p, key, raw, p->line);
}

void
conf_stands_raw(struct conf *c, struct conf_plugin *p, const char *key,
    const struct conf_raw *raw)
{
	item_add(c, p, key, raw, p->line);
}

void
conf_stands_number(struct conf *c, struct conf_plugin *p, const char *key,
    uint64_t n)
{
	struct conf_raw *raw = POOL_NEW(c->pool, struct conf_raw);

	raw->type = RAW_INT;
	raw->i = (int64_t)n;
	item_add(c, p, key, raw, p->line);
}

void
conf_stands_list(struct conf *c, struct conf_plugin *p, const char *key,
    const char *const *v, unsigned n)
{
	struct conf_raw *raw = POOL_NEW(c->pool, struct conf_raw), *text;
	unsigned i;

	raw->type = RAW_LIST;
	raw->v = pool_alloc(c->pool, (n + 1) * sizeof(*raw->v));
	raw->n = n;
	for (i = 0; i < n; i++) {
		text = POOL_NEW(c->pool, struct conf_raw);
		text->type = RAW_STRING;
		text->s = pool_str(c->pool, str_c(v[i]));
		raw->v[i] = text;
	}
	item_add(c, p, key, raw, p->line);
}

const char *
conf_file_ref(const struct conf *c, struct pool *pool, struct str value)
{
	if (!str_istarts(value, "file:") ||
	    memchr(value.p, '\0', value.n) != NULL)
		return NULL;
	value = str_n(value.p + 5, value.n - 5);
	if (value.n > 0 && value.p[0] == '/')
		return pool_str(pool, value).p;
	return pool_printf(pool, "%s/%.*s", c->dir, STR_FMT(value));
}

/* Which settings take such a file only their plugin knows, so a text that
 * names none is not an error yet. */
int
conf_plugin_files(const struct conf *c, conf_file_fn *fn, void *arg,
    struct err *why)
{
	const struct conf_item *item;
	unsigned i;

	for (i = 0; i < c->nplugin; i++) {
		for (item = c->plugin[i].items; item != NULL;
		     item = item->next) {
			if (value_files(c, item->value, fn, arg, why) != 0)
				return -1;
		}
	}
	return 0;
}

static int
value_files(const struct conf *c, const struct conf_raw *raw,
    conf_file_fn *fn, void *arg, struct err *why)
{
	struct pool *pool;
	const char *path;
	struct stat st;
	unsigned i;
	int r = 0;

	if (raw->type == RAW_LIST) {
		for (i = 0; r == 0 && i < raw->n; i++)
			r = value_files(c, raw->v[i], fn, arg, why);
		return r;
	}
	if (raw->type != RAW_STRING)
		return 0;
	pool = pool_new(0);
	path = conf_file_ref(c, pool, raw->s);
	if (path != NULL && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		r = fn(arg, path, why);
	pool_destroy(&pool);
	return r;
}

void
conf_plugin_dump(const struct conf_plugin *p, struct buf *dst)
{
	const struct conf_scope *scope = &conf_scopes[CONF_SCOPE_PLUGIN];
	const struct conf_item *item;
	size_t i;

	if (p->by != NULL)
		return;
	(void)buf_printf(dst, "plugin \"%s\" ", p->plugin);
	if (strcmp(p->plugin, p->name) != 0)
		(void)buf_printf(dst, "\"%s\" ", p->name);
	(void)buf_add_c(dst, "{\n");
	for (i = 0; i < scope->nparam; i++) {
		(void)buf_printf(dst, "  %s = ", scope->param[i].name);
		conf_value_text(&scope->param[i], p, dst);
		(void)buf_add_c(dst, ",\n");
	}
	for (item = p->items; item != NULL; item = item->next) {
		if (is_word(item->key))
			(void)buf_printf(dst, "  %s = ", item->key);
		else
			(void)buf_printf(dst, "  [\"%s\"] = ", item->key);
		dump_raw(item->value, dst);
		(void)buf_add_c(dst, ",\n");
	}
	(void)buf_add_c(dst, "}\n");
}

static bool
is_word(const char *key)
{
	for (; ch_alnum(*key) || *key == '_'; key++)
		;
	return *key == '\0';
}

static void
dump_raw(const struct conf_raw *raw, struct buf *dst)
{
	unsigned i;

	switch (raw->type) {
	case RAW_BOOL:
		(void)buf_add_c(dst, raw->b ? "true" : "false");
		return;
	case RAW_INT:
		(void)buf_printf(dst, "%jd", (intmax_t)raw->i);
		return;
	case RAW_STRING:
		(void)json_quote(dst, raw->s);
		return;
	case RAW_LIST:
		(void)buf_add_c(dst, "{");
		for (i = 0; i < raw->n; i++) {
			(void)buf_add_c(dst, i > 0 ? ", " : " ");
			dump_raw(raw->v[i], dst);
		}
		(void)buf_add_c(dst, " }");
		return;
	}
	panic("type %d", (int)raw->type);
}
