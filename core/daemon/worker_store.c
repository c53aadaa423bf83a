/*
 * The worker's stores: its own, in SQLite or with a plugin (queue.store), and
 * those that nobody else serves: of workers that are no more, and what SQLite
 * has from before a plugin was in use.
 */
#include "daemon/worker_priv.h"

#include <postern/store.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/obj.h"
#include "host/hooks.h"

#define ORPHANS_MAGIC 0x4f727068U
#define ORPHANS 256
#define AGAIN SECONDS(10)

static int	plugin_table(struct worker *, struct store_conf *,
		    struct err *);
static void	adopt(struct worker *, const struct store_conf *,
		    const unsigned *, unsigned);
static void	find_work(void *);
static void	find_done(void *);
static void	on_again(void *);
static void	settled(void *, const struct err *);
static void	store_lost(void *, const struct err *);
static void	store_mid(void *, uint64_t);

static const struct store_watcher watcher = { store_lost, store_mid };

/* What the thread has while it asks the plugin. */
struct worker_orphans {
	unsigned magic;
	struct worker *w;
	struct loop_timer again;
	bool asking, closing;
	unsigned v[ORPHANS];
	int n;
	struct err why;
};

int
worker_store_open(struct worker *w, struct err *why)
{
	struct store_conf *s = &w->store_conf;

	*s = (struct store_conf){ .dir = w->conf->top.spool,
		.index = w->env->index,
		.stores = w->env->count,
		.body_in_row = w->conf->queue.body_in_row,
		.segment_size = w->conf->queue.segment_size,
		.host = w->conf->top.hostname };
	if (w->conf->queue.store[0] != '\0' && plugin_table(w, s, why) != 0)
		return -1;
	if (store_open(&w->store, w->loop, s, why) != 0)
		return -1;
	/* A store that is far away is waited for with the loop awake. */
	store_settle(w->store, settled, w);
	return 0;
}

static void
settled(void *arg, const struct err *why)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	worker_opened(w, why);
}

/* The generation is held as long as the store: so is the table. */
static int
plugin_table(struct worker *w, struct store_conf *s, struct err *why)
{
	struct pst_store t = { .size = sizeof(t) };
	const char *name = w->conf->queue.store;
	struct instance *i = NULL;
	struct op_answer a;

	do
		i = op_next(w->conf->plugins, PST_STORE_TABLE, i);
	while (i != NULL && !str_eq_c(str_c(instance_name(i)), name));
	if (i == NULL)
		return err_text(why, "queue.store: no instance \"%.60s\" of a "
		    "plugin with store/1", name);
	op_now(i, PST_STORE_TABLE, NULL, &t, &a);
	if (a.verdict != PST_CONTINUE || t.ops == NULL ||
	    t.ops->size < sizeof(struct pst_store_ops))
		return err_text(why, "queue.store: \"%.60s\" has no table",
		    name);
	w->store_gen = host_gen_ref(w->conf->plugins);
	s->ops = t.ops;
	s->ops_arg = t.arg;
	s->watcher = &watcher;
	s->watcher_arg = w;
	return 0;
}

void
worker_store_adopt(struct worker *w)
{
	struct store_conf local = w->store_conf;
	unsigned v[ORPHANS];

	local.ops = NULL;
	adopt(w, &local, v, store_orphans(local.dir,
	    w->store_conf.ops != NULL ? 0 : w->env->count, v, ORPHANS));
	if (w->store_conf.ops == NULL)
		return;
	OBJ_NEW(w->orphans, ORPHANS_MAGIC);
	w->orphans->w = w;
	loop_timer_init(w->loop, &w->orphans->again, on_again, w->orphans);
	on_again(w->orphans);
}

/* In turn: each has some. */
static void
adopt(struct worker *w, const struct store_conf *from, const unsigned *v,
    unsigned n)
{
	struct store_conf conf = *from;
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < n; i++) {
		if (v[i] % w->env->count != w->env->index)
			continue;
		conf.index = v[i];
		if (queue_adopt(w->queue, &conf, &why) != 0)
			log_critical("store %u: %s", v[i], why.text);
		else
			log_info("worker %u takes over store %u",
			    w->env->index, v[i]);
	}
}

static void
on_again(void *arg)
{
	struct worker_orphans *o;

	OBJ_CAST(o, arg, ORPHANS_MAGIC);
	o->asking = true;
	err_clear(&o->why);
	offload_submit(o->w->aux, find_work, find_done, o);
}

/* On the thread. */
static void
find_work(void *arg)
{
	struct worker_orphans *o;

	OBJ_CAST(o, arg, ORPHANS_MAGIC);
	o->n = store_orphans_of(&o->w->store_conf, o->w->env->count, o->v,
	    ORPHANS, &o->why);
}

static void
find_done(void *arg)
{
	struct worker_orphans *o;

	OBJ_CAST(o, arg, ORPHANS_MAGIC);
	o->asking = false;
	if (o->w->stopping || o->closing)
		return;
	if (o->n < 0) {
		log_debug("stores of workers that are gone are not known: %s",
		    o->why.text);
		loop_timer_set(&o->again, AGAIN);
	} else {
		adopt(o->w, &o->w->store_conf, o->v, (unsigned)o->n);
	}
}

/* Those it took over as well as its own. */
void
worker_store_finish(struct worker *w)
{
	struct store *s;
	unsigned i;

	if (w->queue == NULL && w->store != NULL)
		store_finish(w->store);
	for (i = 0; w->queue != NULL && (s = queue_store(w->queue, i)) != NULL;
	     i++)
		store_finish(s);
}

void
worker_store_close(struct worker *w)
{
	if (w->orphans != NULL) {
		loop_timer_clear(&w->orphans->again);
		w->orphans->closing = true;
		if (w->orphans->asking)
			offload_drain(w->aux);
		OBJ_FREE(w->orphans);
		w->orphans = NULL;
	}
	store_close(&w->store);
	host_gen_unref(&w->store_gen);
}

/* What it knows of the queue is not true any more: the next life reads it
 * anew, or waits until the store is free. */
static void
store_lost(void *arg, const struct err *why)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	log_critical("worker %u: %s", w->env->index, why->text);
	w->status = EXIT_FAILURE;
	loop_stop(w->loop);
}

static void
store_mid(void *arg, uint64_t mid)
{
	struct worker *w;

	OBJ_CAST(w, arg, WORKER_MAGIC);
	ids_raise(w->env->ids, SHM_MID, mid);
}
