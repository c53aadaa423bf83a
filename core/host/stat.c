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
	METRICS_MAX = 100 /* of an instance; the node has 1024 rows for all */
};

struct metric {
	char *text;
	int id;
	struct metric *next;
};

static const double bounds[SHM_NBOUNDS] = SHM_BOUNDS;

static void calibrate(struct engine *e);
static void slow(struct event *ev, double ms);
static void name_stat(struct event *ev, struct call_stat *s);
static void flush(void *arg);
static void flush_run(struct engine *e, struct instance_run *run);
static void memory(struct engine *e, struct instance_run *run);

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
}

void
stat_call(struct event *ev, uint64_t start)
{
	struct engine *e = ev->engine;
	uint64_t now = clock_ticks(), took = now - start;
	struct call_stat *s;
	double ms;

	e->tick = now;
	s = &ev->inst->run->stat[ev->task ? ON_COUNT : ev->on];
	if (s->id == 0)
		name_stat(ev, s);
	/* A counter that is not the same on all processors may go back. */
	if (took <= e->quick || (int64_t)took < 0) {
		if (s->n++ == 0 && s->id > 0 && !loop_timer_armed(&e->flush))
			loop_timer_set(&e->flush, FLUSH_MS);
		s->ticks += (int64_t)took < 0 ? 0 : took;
		return;
	}
	if (!loop_timer_armed(&e->flush) && e->host->world.shm != NULL)
		loop_timer_set(&e->flush, FLUSH_MS);
	calibrate(e);
	ms = (double)took * e->tick_ms;
	if (e->host->world.shm != NULL)
		shm_named_see(e->host->world.shm, e->host->world.worker,
		    s->id - 1, ms);
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
	char full[80], *p;

	if (w->shm == NULL)
		return;
	for (m = run->metrics; m != NULL; m = m->next) {
		if (strcmp(m->text, name) == 0)
			break;
	}
	if (m == NULL && run->nmetrics == METRICS_MAX) {
		if (!run->metrics_full)
			log_warning("Plugin %s: more than %d metrics: %s is "
			    "not counted", ev->inst->name, METRICS_MAX, name);
		run->metrics_full = true;
		return;
	}
	if (m == NULL) {
		run->nmetrics++;
		m = mem_zalloc(sizeof(*m));
		m->text = mem_strdup(name);
		m->next = run->metrics;
		run->metrics = m;
		(void)snprintf(full, sizeof(full), "plugin_%s_%s",
		    ev->inst->name, name);
		for (p = full; *p != '\0'; p++)
			*p = ch_alnum(*p) ? ch_lower(*p) : '_';
		m->id = shm_named_get(w->shm, kind, full, "",
		    "Counted by a plugin");
		if (m->id < 0)
			log_warning("Plugin %s: no room for metric %s",
			    ev->inst->name, name);
	}
	if (kind == SHM_GAUGE)
		shm_named_set(w->shm, w->worker, m->id, n);
	else
		shm_named_add(w->shm, w->worker, m->id, n);
}

void
stat_instance_end(struct instance_run *run)
{
	struct engine *e = run->inst->gen->host->engine;
	struct metric *m;

	flush_run(e, run);
	while ((m = run->metrics) != NULL) {
		run->metrics = m->next;
		mem_free(m->text);
		mem_free(m);
	}
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
name_stat(struct event *ev, struct call_stat *s)
{
	struct host_world *w = &ev->engine->host->world;
	char labels[112];

	s->id = -1;
	if (w->shm == NULL)
		return;
	(void)snprintf(labels, sizeof(labels), "plugin=\"%s\",hook=\"%s\"",
	    ev->inst->name, ev->pub.on);
	s->id = shm_named_get(w->shm, SHM_HISTOGRAM, "plugin_call_ms", labels,
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
	struct host_world *w = &e->host->world;
	struct call_stat *s;
	unsigned i;

	if (w->shm == NULL)
		return;
	for (i = 0; i <= ON_COUNT; i++) {
		s = &run->stat[i];
		if (s->n == 0)
			continue;
		shm_named_see_many(w->shm, w->worker, s->id - 1, s->n,
		    (double)s->ticks * e->tick_ms);
		s->n = 0;
		s->ticks = 0;
	}
}
