#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "logfile.h"
#include "scratch.h"
#include "unit.h"

struct rig rig;

static struct scope **rig_scope(void *arg, int which, int rcpt);
static unsigned rig_nrcpt(void *arg);

static const struct about_ops plain_ops = {
	.scope = rig_scope,
	.nrcpt = rig_nrcpt,
};

void
rig_begin(void)
{
	rig_begin_net(NULL);
}

void
rig_begin_net(const struct host_net *net)
{
	struct host_world *w;
	struct log_conf conf = { .level = LOG_LV_DEBUG, .sync = true };

	(void)scratch();
	clock_fake(1523926673123);
	log_open(&conf);
	log_to_file(scratch_path("log"));
	memset(&rig, 0, sizeof(rig));
	rig.loop = loop_new();
	rig.shm = shm_new(2, NULL);
	OBJ_NEW(rig.host, HOST_MAGIC);
	w = &rig.host->world;
	w->loop = rig.loop;
	w->shm = rig.shm;
	w->worker = 1;
	w->hostname = "mx.example.com";
	w->net = net;
	engine_init(rig.host);
	OBJ_NEW(rig.gen, HOST_GEN_MAGIC);
	rig.gen->refs = 1;
	rig.gen->host = rig.host;
	rig.gen->pool = pool_new(0);
	rig.gen->instance = pool_alloc(rig.gen->pool,
	    RIG_MAX * sizeof(struct instance *));
	rig.about.ops = &plain_ops;
	rig.about.arg = &rig;
	rig.about.rcpt = -1;
	rig.about.mid = 7;
	rig.about.icid = 5;
	rig.nrcpt = 3;
}

void
rig_end(void)
{
	unsigned i;

	hook_cancel(&rig.run);
	op_cancel(&rig.op);
	for (i = 0; i <= PST_INSTANCE; i++)
		scope_end(&rig.scope[i]);
	for (i = 0; i < rig.nrcpt; i++)
		scope_end(&rig.rcpt[i]);
	for (i = 0; i < rig.gen->ninstance; i++)
		engine_instance_end(rig.gen->instance[i]);
	ck_assert_uint_eq(rig.gen->refs, 1);
	engine_fini(rig.host);
	pool_destroy(&rig.gen->pool);
	OBJ_FREE(rig.gen);
	OBJ_FREE(rig.host);
	shm_destroy(&rig.shm);
	loop_destroy(&rig.loop);
	log_close();
	scratch_remove();
}

struct instance *
rig_add(const char *name, const struct pst_hook *hooks)
{
	struct pool *pool = rig.gen->pool;
	struct pst_plugin *p = POOL_NEW(pool, struct pst_plugin);
	struct instance *i = POOL_NEW(pool, struct instance);
	const struct pst_hook *h;
	struct chain *c;
	int on;

	OBJ_INIT(i, INSTANCE_MAGIC);
	p->name = name;
	i->gen = rig.gen;
	i->index = rig.gen->ninstance;
	i->name = name;
	i->plugin = p;
	i->api = &api_table;
	i->timeout = SECONDS(30);
	rig.gen->instance[rig.gen->ninstance++] = i;
	for (h = hooks; h->on != NULL; h++) {
		on = on_find(h->on);
		ck_assert_int_ge(on, 0);
		i->fn[on] = h->fn;
		c = &rig.gen->chain[on];
		if (c->v == NULL) {
			c->v = pool_alloc(pool, RIG_MAX * sizeof(*c->v));
			c->why = pool_alloc(pool, RIG_MAX * sizeof(*c->why));
			c->seat = pool_alloc(pool, RIG_MAX * sizeof(*c->seat));
		}
		c->v[c->n++] = i;
	}
	engine_instance(i);
	for (h = hooks; h->on != NULL; h++) {
		on = on_find(h->on);
		order_seats(&rig.gen->chain[on], (enum on)on);
	}
	return i;
}

static void
hooked(void *arg, const struct hook_verdict *v)
{
	(void)arg;
	rig.run = NULL;
	rig.v = *v;
	rig.answers++;
}

bool
rig_hook(enum hook h)
{
	return hook_ask(rig.gen, h, &rig.about, &rig.v, hooked, NULL,
	    &rig.run);
}

static void
answered(void *arg, const struct op_answer *a)
{
	(void)arg;
	rig.op = NULL;
	rig.a = *a;
	rig.answers++;
}

bool
rig_op(struct instance *i, const char *op, void *arg)
{
	return op_ask(i, op, &rig.about, arg, &rig.a, answered, NULL,
	    &rig.op);
}

void
rig_run(msec ms)
{
	msec until = clock_now() + ms;

	while (loop_step_fake(rig.loop, until))
		;
}

void
rig_now(void)
{
	(void)loop_step_fake(rig.loop, clock_now());
	(void)loop_step_fake(rig.loop, clock_now());
}

const char *
rig_log(void)
{
	static char text[65536];
	struct str rest, line;
	size_t n = 0;

	log_flush();
	rest = str_c(scratch_read("log"));
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 25 && memmem(line.p, line.n, "Plugin", 6) != NULL)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%.*s\n", (int)line.n - 25, line.p + 25);
	}
	text[n] = '\0';
	return text;
}

int64_t
rig_metric(const char *name, const char *labels)
{
	struct shm_named m;
	unsigned i;

	rig_run(1000);
	for (i = 0; shm_named_at(rig.shm, i, &m); i++) {
		if (strcmp(m.name, name) == 0 &&
		    strcmp(m.labels, labels) == 0)
			return m.value;
	}
	return -1;
}

static struct scope **
rig_scope(void *arg, int which, int rcpt)
{
	(void)arg;
	if (which != PST_RCPT)
		return &rig.scope[which];
	return rcpt < 0 ? NULL : &rig.rcpt[rcpt];
}

static unsigned
rig_nrcpt(void *arg)
{
	(void)arg;
	return rig.nrcpt;
}
