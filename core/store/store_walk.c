#include <string.h>

#include "base/mem.h"
#include "base/obj.h"
#include "store/store_priv.h"

/* Scans, lists and picks: slice by slice, so that the loop stays awake. */

static void walk_start(struct store_walk *w);
static void walk_work(void *arg);
static void walk_done(void *arg);

static struct store_walk *
walk_new(struct store *s, enum walk_kind kind, store_done *done, void *arg)
{
	struct store_walk *w;

	OBJ_CHECK(s, STORE_MAGIC);
	OBJ_NEW(w, STORE_WALK_MAGIC);
	w->store = s;
	w->kind = kind;
	w->done = done;
	w->arg = arg;
	w->own = pool_new(0);
	w->f.hold = -1;
	w->left = UINT64_MAX;
	return w;
}

static void
walk_filter(struct store_walk *w, const struct store_filter *f)
{
	msec now = clock_wall();

	w->f = *f;
	w->f.sender = pool_strdup(w->own, f->sender);
	w->f.rcpt = pool_strdup(w->own, f->rcpt);
	w->f.domain = pool_strdup(w->own, f->domain);
	w->f.reason = pool_strdup(w->own, f->reason);
	if (f->older_than > 0)
		w->f.older_than = now - f->older_than;
	if (f->newer_than > 0)
		w->f.newer_than = now - f->newer_than;
	if (f->limit > 0)
		w->left = f->limit;
}

void
store_scan(struct store *s, store_item_fn *fn, store_done *done, void *arg)
{
	struct store_walk *w = walk_new(s, WALK_SCAN, done, arg);

	w->item = fn;
	walk_start(w);
}

void
store_list(struct store *s, const struct store_filter *f, store_row_fn *fn,
    store_done *done, void *arg)
{
	struct store_walk *w = walk_new(s, WALK_LIST, done, arg);

	walk_filter(w, f);
	w->row = fn;
	walk_start(w);
}

void
store_pick(struct store *s, const struct store_filter *f, store_item_fn *fn,
    store_done *done, void *arg)
{
	struct store_walk *w = walk_new(s, WALK_PICK, done, arg);

	walk_filter(w, f);
	w->item = fn;
	walk_start(w);
}

static void
walk_start(struct store_walk *w)
{
	struct store *s = w->store;

	s->nwalks++;
	if (s->settling)
		TAILQ_INSERT_TAIL(&s->held, w, link);
	else
		store_walk_go(w);
}

void
store_walk_go(struct store_walk *w)
{
	OBJ_CHECK(w, STORE_WALK_MAGIC);
	store_run(w->store, true, walk_work, walk_done, w);
}

/* On the reader. */
static void
walk_work(void *arg)
{
	struct store_walk *w;
	size_t max;

	OBJ_CAST(w, arg, STORE_WALK_MAGIC);
	max = w->left < WALK_SLICE ? (size_t)w->left : WALK_SLICE;
	w->pool = pool_new(64 * 1024);
	w->n = 0;
	if (w->kind == WALK_LIST)
		w->json = pool_alloc(w->pool, max * sizeof(*w->json));
	else
		w->v = pool_alloc(w->pool, max * sizeof(*w->v));
	w->store->engine->walk(w->store->e, w, max);
	w->left -= w->n;
	if (w->left == 0 || w->n < max)
		w->end = true;
}

static void
walk_done(void *arg)
{
	struct store_walk *w;
	struct store *s;
	size_t i;

	OBJ_CAST(w, arg, STORE_WALK_MAGIC);
	s = w->store;
	if (w->row != NULL) {
		for (i = 0; i < w->n; i++)
			w->row(w->arg, w->json[i]);
	} else if (w->n > 0) {
		w->item(w->arg, w->v, w->n);
	}
	pool_destroy(&w->pool);
	if (!w->failed && !w->end && s->closing) {
		w->failed = true;
		(void)err_set(&w->why, 451, "4.3.2", "the store closes");
	}
	if (!w->failed && !w->end) {
		store_run(s, true, walk_work, walk_done, w);
		return;
	}
	s->nwalks--;
	if (w->done != NULL)
		w->done(w->arg, w->failed ? &w->why : NULL);
	pool_destroy(&w->own);
	OBJ_FREE(w);
}
