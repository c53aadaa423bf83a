#include "host/host_priv.h"

#include "base/log.h"
#include "base/obj.h"

/* host_start() on its way. */
struct starting {
	unsigned at; /* instance whose answer is awaited */
	struct op_run *run;
	host_started *done;
	void *arg;
	struct err why;
	bool failed;
};

static int	make_instances(struct host_gen *, const struct conf *,
		    const struct conf_reader *, struct err *);
static void	start_next(void *);
static void	start_answered(void *, const struct op_answer *);
static void	start_took(struct host_gen *, const struct op_answer *);
static void	start_over(void *);
static void	gen_stop(struct host_gen *);
static void	gen_end(struct host_gen *);
static void	reap(void *);

struct host *
host_new(const struct host_world *w)
{
	struct host *h;

	OBJ_NEW(h, HOST_MAGIC);
	h->world = *w;
	h->abi = abi_served;
	h->pool = pool_new(0);
	engine_init(h);
	return h;
}

void
host_destroy(struct host **hp)
{
	struct host *h = *hp;
	struct host_gen *g;

	if (h == NULL)
		return;
	OBJ_CHECK(h, HOST_MAGIC);
	*hp = NULL;
	for (g = h->gens; g != NULL; g = g->next) {
		if (g->starting == NULL)
			continue;
		h->reaping = true; /* what is deferred must run first */
		loop_defer(h->world.loop, reap, h);
		host_start_cancel(g);
	}
	while (h->reaping)
		loop_once(h->world.loop, false);
	ASSERT(h->gens == NULL);
	engine_fini(h);
	pool_destroy(&h->pool);
	OBJ_FREE(h);
}

int
host_load(struct host *h, const struct conf *conf,
    const struct conf_reader *reader, struct host_gen **g_r, struct err *why)
{
	struct host_gen *g;

	OBJ_CHECK(h, HOST_MAGIC);
	OBJ_NEW(g, HOST_GEN_MAGIC);
	g->refs = 1;
	g->host = h;
	g->pool = pool_new(0);
	g->instance = pool_alloc(g->pool,
	    (conf->nplugin + 1) * sizeof(struct instance *));
	g->next = h->gens;
	h->gens = g;
	if (make_instances(g, conf, reader, why) != 0 ||
	    order_make(g, conf, why) != 0) {
		gen_end(g);
		return -1;
	}
	*g_r = g;
	return 0;
}

static int
make_instances(struct host_gen *g, const struct conf *conf,
    const struct conf_reader *reader, struct err *why)
{
	const struct conf_plugin *p;
	const char *by;
	unsigned i;

	for (i = 0; i < conf->nplugin; i++) {
		p = &conf->plugin[i];
		by = p->by != NULL ? p->by : "plugin";
		if (instance_find(g, p->name) != NULL)
			return err_text(why, "%s:%d: %s: an instance \"%s\" "
			    "is there already", conf->file, p->line, by,
			    p->name);
		if (instance_new(g, conf, p, reader, why) != 0)
			return -1;
	}
	return 0;
}

void
host_start(struct host_gen *g, host_started *done, void *arg)
{
	OBJ_CHECK(g, HOST_GEN_MAGIC);
	ASSERT(g->starting == NULL);
	g->starting = POOL_NEW(g->pool, struct starting);
	g->starting->done = done;
	g->starting->arg = arg;
	g->refs++; /* until it is told */
	loop_defer(g->host->world.loop, start_next, g);
}

/* One instance after another, from here on until one waits. */
static void
start_next(void *arg)
{
	struct starting *s;
	struct op_answer a;
	struct host_gen *g;
	struct instance *i;

	OBJ_CAST(g, arg, HOST_GEN_MAGIC);
	s = g->starting;
	for (; s->at < g->ninstance && !s->failed; s->at++) {
		i = g->instance[s->at];
		if (instance_tripped(i)) {
			instance_leave_out(i);
			continue;
		}
		if (i->fn[ON_START] == NULL) {
			i->started = true;
			continue;
		}
		if (!op_ask(i, PST_ON_START, NULL, NULL, &a, start_answered, g,
			&s->run))
			return;
		start_took(g, &a);
	}
	start_over(g);
}

static void
start_answered(void *arg, const struct op_answer *a)
{
	struct host_gen *g;

	OBJ_CAST(g, arg, HOST_GEN_MAGIC);
	g->starting->run = NULL;
	start_took(g, a);
	g->starting->at++;
	start_next(g);
}

static void
start_took(struct host_gen *g, const struct op_answer *a)
{
	struct starting *s = g->starting;
	struct instance *i = g->instance[s->at];

	if (a->verdict == PST_CONTINUE || a->verdict == PST_ACCEPT) {
		i->started = true;
		return;
	}
	s->failed = true;
	(void)err_text(&s->why, "plugin \"%s\" (line %d) does not start%s%s",
	    i->name, i->block->line, a->reply.text[0] != '\0' ? ": " : "",
	    a->reply.text);
}

static void
start_over(void *arg)
{
	struct starting *s;
	struct host_gen *g;

	OBJ_CAST(g, arg, HOST_GEN_MAGIC);
	s = g->starting;
	g->starting = NULL;
	if (s->failed)
		gen_stop(g);
	if (s->done != NULL)
		s->done(s->arg, s->failed ? &s->why : NULL);
	host_gen_unref(&g);
}

void
host_start_cancel(struct host_gen *g)
{
	struct starting *s = g->starting;

	OBJ_CHECK(g, HOST_GEN_MAGIC);
	if (s == NULL)
		return;
	s->failed = true;
	s->done = NULL;
	if (s->run == NULL)
		return; /* start_next() is deferred */
	op_cancel(&s->run);
	start_over(g);
}

struct host_gen *
host_gen_ref(struct host_gen *g)
{
	OBJ_CHECK(g, HOST_GEN_MAGIC);
	ASSERT(g->refs > 0);
	g->refs++;
	return g;
}

/* Whoever lets go last may be in a call of one of its plugins. */
void
host_gen_unref(struct host_gen **gp)
{
	struct host_gen *g = *gp;

	if (g == NULL)
		return;
	OBJ_CHECK(g, HOST_GEN_MAGIC);
	*gp = NULL;
	ASSERT(g->refs > 0);
	if (--g->refs > 0 || g->host->reaping)
		return;
	g->host->reaping = true;
	loop_defer(g->host->world.loop, reap, g->host);
}

static void
reap(void *arg)
{
	struct host_gen *g, *next;
	struct host *h;

	OBJ_CAST(h, arg, HOST_MAGIC);
	h->reaping = false;
	for (g = h->gens; g != NULL; g = next) {
		next = g->next;
		if (g->refs == 0)
			gen_end(g);
	}
}

/* The last one first. */
static void
gen_stop(struct host_gen *g)
{
	struct op_answer a;
	struct instance *i;
	unsigned n;

	for (n = g->ninstance; n > 0; n--) {
		i = g->instance[n - 1];
		if (i->started && i->fn[ON_STOP] != NULL)
			op_now(i, PST_ON_STOP, NULL, NULL, &a);
		i->started = false;
	}
}

static void
gen_end(struct host_gen *g)
{
	struct host_gen **at;
	unsigned n;

	engine_clean(g->host);
	gen_stop(g);
	for (n = g->ninstance; n > 0; n--)
		instance_end(g->instance[n - 1]);
	for (at = &g->host->gens; *at != g;)
		at = &(*at)->next;
	*at = g->next;
	pool_destroy(&g->pool);
	OBJ_FREE(g);
}
