/*
 * An instance's options: each setting of its block by the plugin's table, the
 * others as the table says.
 */
#include "host/host_priv.h"

#include "host/option.h"
#include "host/scope_priv.h"

struct reading {
	struct instance *i;
	const struct conf *conf;
	const struct conf_plugin *block;
	const struct conf_reader *reader;
};

static int	read_item(const struct reading *, const struct conf_item *,
		    struct err *);
static int	read_defaults(const struct reading *, struct err *);
static const struct pst_option *find(const struct pst_plugin *, const char *);
static int	unknown(const struct reading *, const struct conf_item *,
		    struct err *);
static void	nearer(const char *, const char *, const char **, unsigned *);

int
options_read(struct instance *i, const struct conf *conf,
    const struct conf_plugin *block, const struct conf_reader *reader,
    struct err *why)
{
	const struct reading r = { i, conf, block, reader };
	const struct conf_item *item;

	for (item = block->items; item != NULL; item = item->next) {
		if (read_item(&r, item, why) != 0)
			return err_prefix(why, "%s:%d: ", conf->file,
			    item->line);
	}
	if (read_defaults(&r, why) != 0)
		return err_prefix(why, "%s:%d: plugin \"%s\": ", conf->file,
		    block->line, i->name);
	return 0;
}

static int
read_item(const struct reading *r, const struct conf_item *item,
    struct err *why)
{
	const struct pst_option *o = find(r->i->plugin, item->key);
	struct pool *pool = scope_pool(r->i->scope);

	if (o == NULL)
		return unknown(r, item, why);
	if (option_set(pool, o, r->i->conf, item->value, r->conf, r->reader,
		why) != 0)
		return err_prefix(why, "plugin \"%s\": ", r->i->name);
	return 0;
}

static int
read_defaults(const struct reading *r, struct err *why)
{
	struct pool *pool = scope_pool(r->i->scope);
	const struct pst_option *o;
	const struct conf_item *item;

	for (o = r->i->plugin->options; o != NULL && o->name != NULL; o++) {
		for (item = r->block->items; item != NULL; item = item->next) {
			if (strcmp(item->key, o->name) == 0)
				break;
		}
		if (item == NULL && option_default(pool, o, r->i->conf,
		    why) != 0)
			return -1;
	}
	return 0;
}

static const struct pst_option *
find(const struct pst_plugin *p, const char *name)
{
	const struct pst_option *o;

	for (o = p->options; o != NULL && o->name != NULL; o++) {
		if (strcmp(o->name, name) == 0)
			return o;
	}
	return NULL;
}

static int
unknown(const struct reading *r, const struct conf_item *item,
    struct err *why)
{
	static const char *const common[] = {
#define PARAM_PLUGIN(name, type, def, range, help) #name,
#include "tbl/params.h"
	};
	size_t i, len = strlen(item->key);
	const struct pst_option *o;
	const char *best = NULL;
	unsigned least;

	least = (unsigned)(len < 3 ? 2 : len / 3 + 2);
	for (o = r->i->plugin->options; o != NULL && o->name != NULL; o++)
		nearer(item->key, o->name, &best, &least);
	for (i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		nearer(item->key, common[i], &best, &least);
	return err_text(why, "unknown setting \"%.60s\" in plugin \"%s\"%s%s%s",
	    item->key, r->i->name, best != NULL ? " (did you mean \"" : "",
	    best != NULL ? best : "", best != NULL ? "\"?)" : "");
}

static void
nearer(const char *word, const char *name, const char **best, unsigned *least)
{
	unsigned d = str_distance(str_c(word), str_c(name));

	if (d < *least) {
		*least = d;
		*best = name;
	}
}
