/*
 * What is loaded and who comes when, as JSON.
 */
#include "host/host_priv.h"

#include "base/obj.h"

#define ROW_MAX (1024 * 1024)

static json_t	*hooks_of(const struct instance *, bool);
static int	add(const char *, size_t, void *);

void
host_list(struct host_gen *g, host_row_fn *fn, void *arg)
{
	const struct instance *i;
	unsigned n;
	json_t *j;

	OBJ_CHECK(g, HOST_GEN_MAGIC);
	for (n = 0; n < g->ninstance; n++) {
		i = g->instance[n];
		j = json_pack("{s:s, s:s, s:s, s:s?, s:b, s:o, s:o, s:b, "
		    "s:s?, s:b}",
		    "instance", i->name, "plugin", i->module->name, "version",
		    i->plugin->version, "file", i->module->file, "builtin",
		    (int)(i->module->file == NULL), "hooks",
		    hooks_of(i, false), "muted", hooks_of(i, true), "changed",
		    (int)load_changed(i->module), "by", i->block->by,
		    "tripped", (int)instance_tripped(i));
		(void)list_row(fn, arg, j);
	}
}

/* Where it is asked, or does not want to be. */
static json_t *
hooks_of(const struct instance *i, bool muted)
{
	json_t *v = json_array();
	int on;

	for (on = 0; on < ON_COUNT; on++) {
		if (i->fn[on] != NULL && muted == (on < HOOK_COUNT &&
			order_muted(i, (enum hook)on)))
			(void)json_array_append_new(v,
			    json_string(on_word((enum on)on)));
	}
	return v;
}

void
host_order(struct host_gen *g, host_row_fn *fn, void *arg)
{
	const struct chain *c;
	json_t *v, *muted;
	unsigned n;
	int on;

	OBJ_CHECK(g, HOST_GEN_MAGIC);
	for (on = 0; on < ON_COUNT; on++) {
		c = &g->chain[on];
		if (c->n + c->muted == 0)
			continue;
		v = json_array();
		muted = json_array();
		for (n = 0; n < c->n; n++)
			(void)json_array_append_new(v, json_pack("{s:s, s:s}",
			    "instance", c->v[n]->name, "why", c->why[n]));
		for (; n < c->n + c->muted; n++)
			(void)json_array_append_new(muted,
			    json_string(c->v[n]->name));
		(void)list_row(fn, arg, json_pack("{s:s, s:o, s:o}", "hook",
		    on_word((enum on)on), "instances", v, "muted", muted));
	}
}

int
list_row(host_row_fn *fn, void *arg, json_t *j)
{
	struct buf b;
	int r;

	buf_init(&b, ROW_MAX);
	r = j == NULL ? -1 : json_dump_callback(j, add, &b, JSON_COMPACT);
	if (r == 0)
		fn(arg, buf_str(&b));
	buf_fini(&b);
	json_decref(j);
	return r;
}

static int
add(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}
