/*
 * What an engine that is far away needs from time to time, and what it has to
 * tell.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "store/store_priv.h"

#define TICK_EVERY SECONDS(5)

static void on_tick(void *arg);
static void settle(struct store *s);

void
store_tick_start(struct store *s)
{
	loop_timer_init(s->loop, &s->tick, on_tick, s);
	TAILQ_INIT(&s->held);
	if (s->engine->tick == NULL)
		return;
	s->settling = true;
	on_tick(s);
}

void
store_settle(struct store *s, store_done *fn, void *arg)
{
	OBJ_CHECK(s, STORE_MAGIC);
	ASSERT(s->settled == NULL);
	s->settled = fn;
	s->settled_arg = arg;
	if (!s->settling)
		settle(s);
}

static void
tick_work(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	err_clear(&s->tick_why);
	s->ticked = s->engine->tick(s->e, &s->tick_why);
}

static void
tick_done(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	store_health(s, s->ticked == TICKED, s->tick_why.text);
	store_tell(s);
	if (s->settling)
		settle(s);
	if (!s->closing)
		loop_timer_set(&s->tick, TICK_EVERY);
}

/* What was asked meanwhile goes its way, also if it will fail. */
static void
settle(struct store *s)
{
	store_done *fn = s->settled;
	struct store_walk *w;

	s->settling = false;
	s->settled = NULL;
	while ((w = TAILQ_FIRST(&s->held)) != NULL) {
		TAILQ_REMOVE(&s->held, w, link);
		store_walk_go(w);
	}
	if (fn != NULL)
		fn(s->settled_arg,
		    s->ticked == TICK_NEVER ? &s->tick_why : NULL);
}

static void
on_tick(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	store_run(s, false, tick_work, tick_done, s);
}

void
store_tell(struct store *s)
{
	const struct store_watcher *w = s->conf.watcher;
	uint64_t mid = atomic_exchange(&s->mid_seen, 0);

	if (s->news != NULL) {
		log_warning("%s", s->news);
		mem_free(s->news);
		s->news = NULL;
	}
	if (mid != 0 && w != NULL)
		w->mid(s->conf.watcher_arg, mid);
	if (!atomic_load(&s->lost) || s->told_lost)
		return;
	s->told_lost = true;
	if (w != NULL)
		w->lost(s->conf.watcher_arg, &s->lost_why);
}

void
store_health(struct store *s, bool healthy, const char *why)
{
	if (s->stats.degraded == !healthy)
		return;
	s->stats.degraded = !healthy;
	if (healthy)
		log_info("store %u can be written again", s->conf.index);
	else
		log_critical("store %u cannot be written: %s", s->conf.index,
		    why);
}
