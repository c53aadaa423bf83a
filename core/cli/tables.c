#include "cli/tables.h"

#include <postern/tls_policy.h>
#include <string.h>

#include "host/hooks.h"

static const char *const none[] = { NULL };

/* A copy of conf without instances; room for as many. */
static void
bare(struct conf *dst, const struct conf *conf, struct pool *pool)
{
	*dst = *conf;
	dst->plugins = NULL;
	dst->plugin = pool_alloc(pool, (conf->nplugin + 1) *
	    sizeof(dst->plugin[0]));
	dst->nplugin = 0;
	dst->order = (struct conf_order){
#define PARAM_ORDER(name, type, def, range, help) .name = none,
#include "tbl/params.h"
	};
}

static bool
provides(const struct host_gen *gen, const char *name,
    const char *const *ops)
{
	struct instance *i;

	for (; *ops != NULL; ops++) {
		for (i = op_next(gen, *ops, NULL); i != NULL;
		     i = op_next(gen, *ops, i)) {
			if (strcmp(instance_name(i), name) == 0)
				return true;
		}
	}
	return false;
}

int
tables_choose(struct conf *dst, const struct conf *conf, struct host *h,
    const char *const *ops, const char *plugin, struct pool *pool,
    struct err *why)
{
	const struct conf_plugin *p;
	struct conf all;
	unsigned i;
	int r;

	bare(&all, conf, pool);
	memcpy(all.plugin, conf->plugin, conf->nplugin *
	    sizeof(all.plugin[0]));
	all.nplugin = conf->nplugin;
	r = host_load(h, &all, &conf_reader_plain, &all.plugins, why);
	if (r != 0)
		all.plugins = NULL;
	bare(dst, conf, pool);
	for (i = 0; i < conf->nplugin; i++) {
		p = &conf->plugin[i];
		if (strcmp(p->plugin, plugin) == 0 || (all.plugins != NULL &&
			provides(all.plugins, p->name, ops)))
			dst->plugin[dst->nplugin++] = *p;
	}
	host_gen_unref(&all.plugins);
	return r;
}

static void
started(void *arg, const struct err *why)
{
	struct tables *v = arg;

	v->told = true;
	if (why != NULL)
		v->why = *why;
}

int
tables_open(struct tables *v, const struct conf *conf, struct loop *loop,
    struct dns *dns, struct pool *pool, struct err *why)
{
	static const char *const ops[] = { PST_TLS_POLICY_RCPT,
		PST_TLS_POLICY_DECIDE, NULL };
	struct host_world world = { .loop = loop, .dns = dns,
		.hostname = conf->top.hostname };

	memset(v, 0, sizeof(*v));
	v->host = host_new(&world);
	v->out = plugs_out_new(loop);
	err_clear(&v->left_out);
	(void)tables_choose(&v->conf, conf, v->host, ops, "tls_table", pool,
	    &v->left_out);
	if (host_load(v->host, &v->conf, &conf_reader_plain, &v->conf.plugins,
		why) != 0)
		return -1;
	host_start(v->conf.plugins, started, v);
	while (!v->told)
		loop_once(loop, true);
	if (v->why.text[0] != '\0') {
		*why = v->why;
		return -1;
	}
	plugs_out_set(v->out, &v->conf);
	return 0;
}

void
tables_close(struct tables *v)
{
	plugs_out_destroy(&v->out);
	host_gen_unref(&v->conf.plugins);
	host_destroy(&v->host);
}
