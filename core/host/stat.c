/*
 * What plugins cost and count. Quick calls (nearly all) are added up here and
 * go to shared memory once a second.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/event_priv.h"

enum {
	FLUSH_MS = 1000,
	CALIBRATE_NS = 200000,
	METRICS_MAX = 100, /* of an instance; the node has 1024 rows for all */
	METRIC_SLOTS = 256,
	METRIC_NAME = 40
};

struct metric {
	char *text; /* NULL: nothing is there */
	int id;
};

_Static_assert(METRICS_MAX < METRIC_SLOTS, "a search ends");

static const double bounds[SHM_NBOUNDS] = SHM_BOUNDS;

static void calibrate(struct engine *e);
static void slow(struct event *ev, double ms);
static void name_stat(struct engine *e, const struct instance *i,
    const char *word, struct call_stat *s);
static void flush(void *arg);
static void flush_run(struct engine *e, struct instance_run *run);
static void flush_stat(struct engine *e, const struct instance *i,
    const char *word, struct call_stat *s);
static void memory(struct engine *e, struct instance_run *run);
static struct metric *metric_find(struct instance_run *run,
    const char *name);
static bool metric_new(struct event *ev, struct metric *m,
    enum shm_named_kind kind, const char *name);
static bool metric_good(struct event *ev, const char *name);

void
stat_init(struct engine *e)
{
	e->tick0 = clock_ticks();
	e->nsec0 = clock_nsec();
	if (!clock_is_fake()) {
		while (clock_nsec() - e->nsec0 < CALIBRATE_NS)
			;
	}
	calibrate(e);
	loop_timer_init(e->loop, &e->flush, flush, e);
}

void
stat_fini(struct engine *e)
{
	loop_timer_clear(&e->flush);
}

void
stat_begin(struct engine *e)
{
	e->tick = clock_ticks();
	if (e->host->world.shm != NULL && !loop_timer_armed(&e->flush))
		loop_timer_set(&e->flush, FLUSH_MS);
}

void
stat_call(struct event *ev, uint64_t took)
{
	struct engine *e = ev->engine;
	struct host_world *w = &e->host->world;
	double ms;

	if (took <= e->quick) {
		ev->stat->n++;
		ev->stat->ticks += took;
		return;
	}
	/* A counter that is not the same on all processors may go back. */
	if ((int64_t)took < 0) {
		ev->stat->n++;
		return;
	}
	calibrate(e);
	ms = (double)took * e->tick_ms;
	if (w->shm != NULL) {
		name_stat(e, ev->inst, ev->pub.on, ev->stat);
		shm_named_see(w->shm, w->worker, ev->stat->id - 1, ms);
	}
	if (ms > SLOW_MS)
		slow(ev, ms);
}

void
stat_fault(struct event *ev)
{
	struct host_world *w = &ev->engine->host->world;
	struct instance_run *run = ev->inst->run;
	char labels[112];

	if (w->shm == NULL)
		return;
	if (run->faults < 0) {
		(void)snprintf(labels, sizeof(labels), "plugin=\"%s\"",
		    ev->inst->name);
		run->faults = shm_named_get(w->shm, SHM_COUNTER,
		    "plugin_faults_total", labels,
		    "Times a plugin did what it must not");
	}
	shm_named_add(w->shm, w->worker, run->faults, 1);
}

void
stat_metric(struct event *ev, enum shm_named_kind kind, const char *name,
    int64_t n)
{
	struct host_world *w = &ev->engine->host->world;
	struct instance_run *run = ev->inst->run;
	struct metric *m;

	if (w->shm == NULL) {
		(void)metric_good(ev, name);
		return;
	}
	if (run->metrics == NULL)
		run->metrics = mem_array(METRIC_SLOTS, sizeof(struct metric));
	m = metric_find(run, name);
	if (m->text == NULL && !metric_new(ev, m, kind, name))
		return;
	if (kind == SHM_GAUGE)
		shm_named_set(w->shm, w->worker, m->id, n);
	else
		shm_named_add(w->shm, w->worker, m->id, n);
}

/* FNV-1a: names are short. */
static struct metric *
metric_find(struct instance_run *run, const char *name)
{
	struct metric *slot = run->metrics;
	uint32_t h = 2166136261U;
	const char *p;
	unsigned at;

	for (p = name; *p != '\0'; p++)
		h = (h ^ (unsigned char)*p) * 16777619U;
	at = (h ^ h >> 16) % METRIC_SLOTS;
	while (slot[at].text != NULL && strcmp(slot[at].text, name) != 0)
		at = (at + 1) % METRIC_SLOTS;
	return &slot[at];
}

/* False: it is none. One without a row has its place, and is not counted. */
static bool
metric_new(struct event *ev, struct metric *m, enum shm_named_kind kind,
    const char *name)
{
	struct instance_run *run = ev->inst->run;
	char full[80], *p;

	if (!metric_good(ev, name))
		return false;
	if (run->nmetrics == METRICS_MAX) {
		if (!run->metrics_full)
			log_warning("Plugin %s: more than %d metrics: %s is "
			    "not counted", ev->inst->name, METRICS_MAX, name);
		run->metrics_full = true;
		return false;
	}
	run->nmetrics++;
	m->text = mem_strdup(name);
	(void)snprintf(full, sizeof(full), "plugin_%s_%s", ev->inst->name,
	    name);
	for (p = full; *p != '\0'; p++)
		*p = ch_alnum(*p) ? ch_lower(*p) : '_';
	m->id = shm_named_get(ev->engine->host->world.shm, kind, full, "",
	    "Counted by a plugin");
	if (m->id < 0)
		log_warning("Plugin %s: no room for metric %s",
		    ev->inst->name, name);
	return true;
}

static bool
metric_good(struct event *ev, const char *name)
{
	size_t n = strlen(name);

	if (n > 0 && n <= METRIC_NAME &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n)
		return true;
	event_misuse(ev, "the name of a metric is [a-z0-9_]{1,40}");
	return false;
}

void
stat_instance_end(struct instance_run *run)
{
	struct engine *e = run->inst->gen->host->engine;
	unsigned i;

	flush_run(e, run);
	for (i = 0; run->metrics != NULL && i < METRIC_SLOTS; i++)
		mem_free(run->metrics[i].text);
	mem_free(run->metrics);
}

/* The longer the two clocks ran, the better. */
static void
calibrate(struct engine *e)
{
	uint64_t ticks = clock_ticks() - e->tick0;
	uint64_t nsec = clock_nsec() - e->nsec0;

	e->tick_ms = ticks == 0 ? 1e-6 : (double)nsec / 1e6 / (double)ticks;
	e->quick = (uint64_t)(bounds[0] / e->tick_ms);
}

/*
 * The loop read its clock when this round began: what is longer than that is
 * a counter that jumped.
 */
static void
slow(struct event *ev, double ms)
{
	double round = (double)clock_nsec() / 1e6 - (double)clock_now();
	const struct instance *i = ev->inst;

	if (!clock_is_fake() && round + 2 < ms)
		return;
	mail_log(EV_PLUGIN_SLOW, i->name,
	    strcmp(i->plugin->name, i->name) == 0 ? "" : i->plugin->name,
	    (uint64_t)ms, ev->pub.on, ev->place, ev->about->mid,
	    ev->about->icid);
}

static void
name_stat(struct engine *e, const struct instance *i, const char *word,
    struct call_stat *s)
{
	char labels[112];

	if (s->id != 0)
		return;
	(void)snprintf(labels, sizeof(labels), "plugin=\"%s\",hook=\"%s\"",
	    i->name, word);
	s->id = shm_named_get(e->host->world.shm, SHM_HISTOGRAM,
	    "plugin_call_ms", labels,
	    "Milliseconds that a plugin's function ran");
	s->id = s->id < 0 ? -1 : s->id + 1;
}

static void
flush(void *arg)
{
	struct engine *e = arg;
	struct instance_run *run;

	calibrate(e);
	TAILQ_FOREACH (run, &e->runs, link) {
		flush_run(e, run);
		memory(e, run);
	}
}

/* Of the newest instance of the name: it comes last. */
static void
memory(struct engine *e, struct instance_run *run)
{
	struct host_world *w = &e->host->world;
	char labels[112];

	if (w->shm == NULL)
		return;
	if (run->memory < 0) {
		(void)snprintf(labels, sizeof(labels), "plugin=\"%s\"",
		    run->inst->name);
		run->memory = shm_named_get(w->shm, SHM_GAUGE,
		    "plugin_memory_bytes", labels,
		    "Memory that hangs on a plugin's instance, all workers");
	}
	shm_named_set(w->shm, w->worker, run->memory,
	    (int64_t)scope_size(run->inst->scope));
}

static void
flush_run(struct engine *e, struct instance_run *run)
{
	const struct instance *i = run->inst;
	const struct chain *c;
	unsigned on, n;

	if (e->host->world.shm == NULL)
		return;
	for (on = 0; on < HOOK_COUNT; on++) {
		c = &i->gen->chain[on];
		for (n = 0; i->fn[on] != NULL && n < c->n; n++) {
			if (c->v[n] == i && c->seat != NULL)
				flush_stat(e, i, on_word((enum on)on),
				    &c->seat[n].stat);
		}
	}
	for (on = 0; on <= ON_COUNT; on++)
		flush_stat(e, i, on < ON_COUNT ? on_word((enum on)on) :
		    "task", &run->stat[on]);
}

static void
flush_stat(struct engine *e, const struct instance *i, const char *word,
    struct call_stat *s)
{
	struct host_world *w = &e->host->world;

	if (s->n == 0)
		return;
	name_stat(e, i, word, s);
	shm_named_see_many(w->shm, w->worker, s->id - 1, s->n,
	    (double)s->ticks * e->tick_ms);
	s->n = 0;
	s->ticks = 0;
}
