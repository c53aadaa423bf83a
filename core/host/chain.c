/*
 * A hook's chain.
 */
#include <stdatomic.h>

#include "host/event_priv.h"

#define GET(cell) atomic_load_explicit(&(cell), memory_order_relaxed)
#define PUT(cell, value)                                                      \
	atomic_store_explicit(&(cell), value, memory_order_relaxed)

static bool plain(const struct engine *e, const struct host_gen *g);
static void begin(struct event *ev, enum on on, const struct about *about);
static void sit(struct event *ev, struct seat *s);
static enum event_result run_quickly(struct event *ev, struct seat **sp,
    struct seat *end);

/*
 * A message has some hundred of these calls, so each does what it must: who
 * runs is in the flight recorder, and how long it did is known. The end of one
 * is the beginning of the next. Whatever is not plain goes the long way.
 */
enum event_result
event_chain(struct event *ev, const struct host_gen *g, enum hook h,
    unsigned *next, const struct about *about)
{
	const struct chain *c = &g->chain[h];
	enum event_result r = EVENT_SAID;
	bool quick = plain(ev->engine, g);
	struct seat *s;

	ev->verdict = PST_CONTINUE;
	while (*next < c->n) {
		begin(ev, (enum on)h, about);
		if (quick) {
			s = c->seat + *next;
			r = run_quickly(ev, &s, c->seat + c->n);
			*next = (unsigned)(s - c->seat);
		} else {
			s = c->seat + (*next)++;
			sit(ev, s);
			r = event_call(ev, s->fn, NULL, NULL);
		}
		if (r != EVENT_SAID || ev->verdict != PST_CONTINUE)
			return r;
		if (ev->waits || ev->used || ev->nrequests > 0)
			event_clear(ev, false);
	}
	return r;
}

/* Nobody is left out, and no plugin runs that asks for this. */
static bool
plain(const struct engine *e, const struct host_gen *g)
{
	return GET(*e->trips) == 0 && !g->left_out &&
	    GET(e->flight->who) == 0;
}

/* What is the same for all of a chain, and what is so before each call and
 * after one that did nothing. */
static void
begin(struct event *ev, enum on on, const struct about *about)
{
	ev->pub.on = on_word(on);
	ev->on = on;
	ev->about = about;
	ev->rcpt = about->rcpt;
	ev->dead = ev->waits = ev->alone = ev->each = ev->task = ev->used =
	    false;
	ev->fault = NULL;
}

static void
sit(struct event *ev, struct seat *s)
{
	ev->pub.api = s->api;
	ev->pub.conf = s->conf;
	ev->pub.arg = NULL;
	ev->pub.instance = s->name;
	ev->inst = s->inst;
	ev->stat = &s->stat;
	ev->turned = false;
	ev->replied = -1;
	ev->place[0] = '\0';
}

/* Until one does something: *sp is the one behind it. */
static enum event_result
run_quickly(struct event *ev, struct seat **sp, struct seat *end)
{
	struct engine *e = ev->engine;
	struct shm_flight *f = e->flight;
	uint64_t start, now = e->tick;
	struct seat *s = *sp;
	enum pst_verdict v = PST_CONTINUE;

	PUT(f->icid, ev->about->icid);
	PUT(f->mid, ev->about->mid);
	while (s < end) {
		sit(ev, s);
		start = now;
		PUT(f->place[0], 0);
		PUT(f->since, start);
		atomic_store_explicit(&f->who, s->who, memory_order_release);
		ev->depth = 1;
		v = s->fn(&ev->pub);
		ev->depth = 0;
		PUT(f->who, 0);
		now = clock_ticks();
		if (now - start <= e->quick) {
			s->stat.n++;
			s->stat.ticks += now - start;
		} else {
			stat_call(ev, now - start);
		}
		s++;
		if (v != PST_CONTINUE || ev->fault != NULL || ev->dead ||
		    ev->used || ev->nrequests > 0)
			break;
	}
	*sp = s;
	e->tick = now;
	return event_outcome(ev, v);
}
