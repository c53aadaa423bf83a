#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "store/store_priv.h"

/* Once a minute: if a segment is old and mostly dead, its messages are moved
 * to the open one, some at a time, until nothing refers to it any more. */
#define THIN_EVERY MINUTES(1)
#define THIN_SOME  512
#define TIDY_EVERY SECONDS(5)
#define TIDY_STEP  100

struct thin {
	struct store *store;
	uint64_t seg;
	uint64_t mid[THIN_SOME];
	size_t n;
};

static void thin_tick(void *arg);
static void tidy_tick(void *arg);

void
store_compact_start(struct store *s)
{
	loop_timer_init(s->loop, &s->thin, thin_tick, s);
	loop_timer_init(s->loop, &s->tidy, tidy_tick, s);
	if (s->engine->thin != NULL)
		loop_timer_set(&s->thin, THIN_EVERY);
}

static void
thin_moved(void *arg, const struct err *why)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	if (why == NULL && !s->closing)
		loop_timer_set(&s->thin, s->seg_moving != 0 ? 0 : THIN_EVERY);
}

static void
thin_work(void *arg)
{
	struct thin *t = arg;
	struct store *s = t->store;

	t->seg = s->engine->thin(s->e);
	if (t->seg != 0)
		t->n = s->engine->members(s->e, t->seg, t->mid, THIN_SOME);
}

static void
thin_done(void *arg)
{
	struct thin *t = arg;
	struct store *s = t->store;
	struct store_txn *txn;
	size_t i;

	/* No members: what the count missed goes with the next recovery. */
	s->seg_moving = t->n > 0 ? t->seg : 0;
	if (t->n == 0 && !s->closing) {
		loop_timer_set(&s->thin, THIN_EVERY);
	} else if (t->n > 0 && !s->closing) {
		log_debug("moving %zu messages out of segment %llu", t->n,
		    (unsigned long long)t->seg);
		txn = store_txn_new(s);
		for (i = 0; i < t->n; i++)
			store_move(txn, t->mid[i], t->seg);
		store_commit(txn, true, thin_moved, s);
	}
	mem_free(t);
}

static void
thin_tick(void *arg)
{
	struct store *s;
	struct thin *t;

	OBJ_CAST(s, arg, STORE_MAGIC);
	t = mem_zalloc(sizeof(*t));
	t->store = s;
	store_run(s, false, thin_work, thin_done, t);
}

/* ---- what rows and the WAL no longer need ---- */

void
store_tidy_later(struct store *s)
{
	s->untidy = true;
	if (s->engine->tidy != NULL && !s->closing && !s->tidying &&
	    !loop_timer_armed(&s->tidy))
		loop_timer_set(&s->tidy, TIDY_EVERY);
}

static void
tidy_work(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	s->tidy_more = s->engine->tidy(s->e);
}

static void
tidy_done(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	s->tidying = false;
	if (s->tidy_more && !s->closing)
		loop_timer_set(&s->tidy, TIDY_STEP);
	else if (s->untidy)
		store_tidy_later(s);
}

static void
tidy_tick(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	s->tidying = true;
	s->untidy = false;
	store_run(s, false, tidy_work, tidy_done, s);
}
