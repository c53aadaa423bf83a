#include "daemon/logs_priv.h"

#include <stdlib.h>
#include <string.h>

#include <postern/log_sink.h>

#include "base/log.h"
#include "daemon/alertpost.h"
#include "host/hooks.h"

#define ALERTS 16

struct sink {
	struct instance *i;
	const char *emit; /* operation */
	bool flush, reopen;
};

static struct {
	struct loop *loop;
	struct host *host;
	struct host_gen *gen;	  /* of the sinks in each process */
	struct host_gen *plugins; /* of the others; NULL: none */
	struct sink sink[LOG_SINKS_MAX];
	json_t *alert[ALERTS];	  /* until logs_alert() */
	unsigned nalert;
} logs;

static const char *const builtin[] = { "log_mail", "log_json", "log_syslog" };

static struct conf *only(const struct conf *, struct pool *);
static void	drop(struct loop **, struct host **, struct host_gen **);
static unsigned	set_sinks(void);
static unsigned	add_sinks(struct log_sink *, unsigned, struct host_gen *,
		    bool);
static bool	has(const struct host_gen *, const char *,
		    const struct instance *);
static bool	sink_emit(void *, const struct pst_log_record *);
static bool	sink_flush(void *);
static bool	sink_reopen(void *);
static bool	works(const struct sink *, const char *);
static void	on_alert(void *, const struct host_alert *);

int
logs_open(const struct conf *conf, const struct conf_reader *reader,
    bool sync, struct err *why)
{
	struct log_conf lc = { .stderr_on = conf->log.stderr,
		.level = (enum log_level)conf->log.level, .sync = sync };
	struct host_world world = { .hostname = conf->top.hostname,
		.alert = on_alert };
	struct pool *pool = pool_new(0);
	const struct conf *sinks = only(conf, pool);
	struct host_gen *gen = NULL;
	struct host *host;
	int r;

	world.loop = loop_new();
	host = host_new(&world);
	r = host_load(host, sinks, reader, &gen, why);
	if (r != 0) {
		drop(&world.loop, &host, &gen);
	} else {
		if (sinks->nplugin == 0)
			lc.stderr_on = true;
		log_open(&lc);
		drop(&logs.loop, &logs.host, &logs.gen);
		logs.loop = world.loop;
		logs.host = host;
		logs.gen = gen;
		(void)set_sinks();
	}
	pool_destroy(&pool);
	return r;
}

/* The configuration as if there were no other plugins. */
static struct conf *
only(const struct conf *conf, struct pool *pool)
{
	static const char *const none[] = { NULL };
	struct conf *c = pool_dup(pool, conf, sizeof(*conf));
	unsigned i;

	c->plugin = pool_alloc(pool, (conf->nplugin + 1) *
	    sizeof(c->plugin[0]));
	c->nplugin = 0;
	for (i = 0; i < conf->nplugin; i++) {
		if (logs_builtin(conf->plugin[i].plugin))
			c->plugin[c->nplugin++] = conf->plugin[i];
	}
	c->order = (struct conf_order){
#define PARAM_ORDER(name, type, def, range, help) .name = none,
#include "tbl/params.h"
	};
	return c;
}

void
logs_close(void)
{
	log_close();
	host_gen_unref(&logs.plugins);
	drop(&logs.loop, &logs.host, &logs.gen);
	logs_pass_end();
}

void
logs_forked(void)
{
	if (logs.loop != NULL)
		loop_forked(logs.loop);
	logs_pass_end();
	logs_close();
	while (logs.nalert > 0)
		json_decref(logs.alert[--logs.nalert]);
}

int
logs_try(const struct host_gen *g, struct err *why)
{
	struct instance *i = NULL;
	struct op_answer a;

	while ((i = op_next(g, PST_LOG_SINK_TRY, i)) != NULL) {
		op_now(i, PST_LOG_SINK_TRY, NULL, NULL, &a);
		if (a.verdict != PST_CONTINUE && a.verdict != PST_ACCEPT)
			return err_text(why, "plugin \"%s\": %s",
			    instance_name(i), a.reply.text);
	}
	return 0;
}

/* A sink's, of which the relay hears when no line is being written. */
static void
on_alert(void *arg, const struct host_alert *a)
{
	json_t *msg = alert_raise(a);

	(void)arg;
	if (logs.nalert < ALERTS)
		logs.alert[logs.nalert++] = msg;
	else
		json_decref(msg);
}

json_t *
logs_alert(void)
{
	json_t *msg;

	if (logs.nalert == 0)
		return NULL;
	msg = logs.alert[0];
	memmove(logs.alert, logs.alert + 1,
	    --logs.nalert * sizeof(logs.alert[0]));
	return msg;
}

static void
drop(struct loop **lp, struct host **hp, struct host_gen **gp)
{
	host_gen_unref(gp);
	host_destroy(hp);
	loop_destroy(lp);
}

bool
logs_plugins(struct host_gen *g)
{
	struct host_gen *old = logs.plugins;
	unsigned n;

	logs.plugins = g != NULL ? host_gen_ref(g) : NULL;
	n = set_sinks();
	host_gen_unref(&old);
	return n > 0;
}

/* Returns how many of them are not part of the program. */
static unsigned
set_sinks(void)
{
	struct log_sink v[LOG_SINKS_MAX];
	unsigned n = 0, ours;

	/* The former ones are flushed, and then not asked any more. */
	log_sinks_set(NULL, 0);
	if (logs.gen != NULL)
		n = add_sinks(v, n, logs.gen, false);
	if (logs_pass_sink(&v[n]))
		n++;
	ours = n;
	if (logs.plugins != NULL)
		n = add_sinks(v, n, logs.plugins, true);
	log_sinks_set(v, n);
	return n - ours;
}

static unsigned
add_sinks(struct log_sink *v, unsigned n, struct host_gen *g, bool others)
{
	static const char *const ops[] = { PST_LOG_SINK_EMIT,
		PST_LOG_SINK_LINE };
	struct instance *i;
	struct sink *s;
	unsigned k;

	for (k = 0; k < 2; k++) {
		for (i = op_next(g, ops[k], NULL); i != NULL;
		     i = op_next(g, ops[k], i)) {
			/* Those have the log's own host. */
			if (n >= LOG_SINKS_MAX - 1 ||
			    (others && logs_builtin(instance_plugin(i))) ||
			    (k == 1 && has(g, ops[0], i)))
				continue;
			s = &logs.sink[n];
			*s = (struct sink){ .i = i, .emit = ops[k],
				.flush = has(g, PST_LOG_SINK_FLUSH, i),
				.reopen = has(g, PST_LOG_SINK_REOPEN, i) };
			v[n++] = (struct log_sink){ .fields = k == 0,
				.passed = others, .emit = sink_emit,
				.flush = sink_flush, .reopen = sink_reopen,
				.arg = s };
		}
	}
	return n;
}

static bool
has(const struct host_gen *g, const char *op, const struct instance *i)
{
	const struct instance *at = NULL;

	do
		at = op_next(g, op, at);
	while (at != NULL && at != i);
	return at != NULL;
}

static bool
sink_emit(void *arg, const struct pst_log_record *r)
{
	const struct sink *s = arg;
	struct op_answer a;

	op_now(s->i, s->emit, NULL, (void *)(uintptr_t)r, &a);
	return a.verdict == PST_CONTINUE || a.verdict == PST_ACCEPT;
}

static bool
sink_flush(void *arg)
{
	const struct sink *s = arg;

	return !s->flush || works(s, PST_LOG_SINK_FLUSH);
}

static bool
sink_reopen(void *arg)
{
	const struct sink *s = arg;

	return !s->reopen || works(s, PST_LOG_SINK_REOPEN);
}

static bool
works(const struct sink *s, const char *op)
{
	struct op_answer a;

	op_now(s->i, op, NULL, NULL, &a);
	return a.verdict == PST_CONTINUE || a.verdict == PST_ACCEPT;
}

bool
logs_builtin(const char *plugin)
{
	size_t i;

	for (i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		if (strcmp(builtin[i], plugin) == 0)
			return true;
	}
	return false;
}

bool
logs_others(const struct conf *conf)
{
	unsigned i;

	for (i = 0; i < conf->nplugin; i++) {
		if (conf->plugin[i].by == NULL &&
		    !logs_builtin(conf->plugin[i].plugin))
			return true;
	}
	return false;
}

void
logs_files(const struct conf *conf, logs_file_fn *fn, void *arg)
{
	const struct conf_item *item;
	struct str file, mode;
	struct pool *pool;
	unsigned i;

	pool = pool_new(0);
	for (i = 0; i < conf->nplugin; i++) {
		if (!logs_builtin(conf->plugin[i].plugin))
			continue;
		file = mode = STR_NULL;
		for (item = conf->plugin[i].items; item != NULL;
		     item = item->next) {
			if (item->value->type != RAW_STRING)
				continue;
			if (strcmp(item->key, "file") == 0)
				file = item->value->s;
			else if (strcmp(item->key, "mode") == 0)
				mode = item->value->s;
		}
		if (file.n > 0 && file.p[0] == '/')
			fn(arg, pool_str(pool, file).p, mode.n > 0 ?
			    (unsigned)strtoul(pool_str(pool, mode).p, NULL,
				8) & 0777 : 0640);
	}
	pool_destroy(&pool);
}
