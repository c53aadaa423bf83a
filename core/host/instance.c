/*
 * An instance: a plugin's code with the options of one block.
 */
#include "host/host_priv.h"

#include "base/obj.h"
#include "host/scope_priv.h"

static const struct conf_plugin *block_copy(struct pool *,
		    const struct conf_plugin *);
static int	check_conf(const struct instance *, const struct conf *,
		    struct err *);

int
instance_new(struct host_gen *g, const struct conf *conf,
    const struct conf_plugin *block, const struct conf_reader *reader,
    struct err *why)
{
	const struct pst_hook *hook;
	const struct module *m;
	struct instance *i;

	m = load_plugin(g->host, block, conf->top.plugin_dirs, why);
	if (m == NULL)
		return err_prefix(why, "%s:%d: ", conf->file, block->line);
	i = POOL_NEW(g->pool, struct instance);
	OBJ_INIT(i, INSTANCE_MAGIC);
	i->gen = g;
	i->index = g->ninstance;
	i->generation = conf->generation;
	i->name = pool_strdup(g->pool, block->name);
	i->module = m;
	i->plugin = m->plugin;
	i->api = m->abi->api;
	i->block = block_copy(g->pool, block);
	i->timeout = block->timeout;
	i->looks_on = block->looks_on;
	/* Work on another thread may have settings in hand: it holds this. */
	i->scope = scope_new_max(SCOPE_MAX_INSTANCE);
	if (i->plugin->conf_size > 0)
		i->conf = pool_alloc(scope_pool(i->scope),
		    i->plugin->conf_size);
	if (options_read(i, conf, block, reader, why) != 0 ||
	    check_conf(i, conf, why) != 0) {
		scope_end(&i->scope);
		return -1;
	}
	for (hook = i->plugin->hooks; hook != NULL && hook->on != NULL; hook++)
		i->fn[on_find(hook->on)] = hook->fn;
	g->instance[g->ninstance++] = i;
	engine_instance(i);
	return 0;
}

/* But for the items: those are the configuration's. */
static const struct conf_plugin *
block_copy(struct pool *pool, const struct conf_plugin *block)
{
	struct conf_plugin *p = pool_dup(pool, block, sizeof(*block));

	p->plugin = pool_strdup(pool, block->plugin);
	p->name = pool_strdup(pool, block->name);
	p->by = pool_strdup(pool, block->by);
	p->items = NULL;
	return p;
}

static int
check_conf(const struct instance *i, const struct conf *conf, struct err *why)
{
	const char *wrong;

	if (i->plugin->check == NULL)
		return 0;
	wrong = i->plugin->check(i->conf);
	if (wrong == NULL)
		return 0;
	return err_text(why, "%s:%d: plugin \"%s\": %.300s", conf->file,
	    i->block->line, i->name, wrong);
}

void
instance_end(struct instance *i)
{
	OBJ_CHECK(i, INSTANCE_MAGIC);
	engine_instance_end(i);
	OBJ_FINI(i);
}

struct instance *
instance_find(const struct host_gen *g, const char *name)
{
	unsigned n;

	OBJ_CHECK(g, HOST_GEN_MAGIC);
	for (n = 0; n < g->ninstance; n++) {
		if (strcmp(g->instance[n]->name, name) == 0)
			return g->instance[n];
	}
	return NULL;
}

const char *
instance_name(const struct instance *i)
{
	OBJ_CHECK(i, INSTANCE_MAGIC);
	return i->name;
}

const char *
instance_plugin(const struct instance *i)
{
	OBJ_CHECK(i, INSTANCE_MAGIC);
	return i->module->name;
}
