/* Messages that crash what handles them. */
#include "unit.h"

#include "queue/queue_priv.h"
#include "queue_util.h"

static const struct store_filter any = { .hold = -1 };

/* Two messages on the disk, of which nothing was tried yet. */
static uint64_t
begin(struct world *w)
{
	static const char *const to[] = { "b@b.test", "c@c.test" };
	uint64_t mid;

	world_init(w, false);
	world_open(w);
	mid = submit(w, "a@a.test", to, 2);
	(void)submit_one(w, "a@a.test", "d@b.test");
	world_close(w);
	w->deliver = true;
	w->answer = ANSWER_DONE;
	return mid;
}

static unsigned
attempts_of(const struct world *w, uint64_t mid)
{
	unsigned i, n = 0;

	for (i = 0; i < w->nattempt; i++)
		n += w->attempt[i].mid == mid;
	return n;
}

START_TEST(a_suspect_is_held_before_anybody_tries_it)
{
	struct world w;

	w.suspect = begin(&w);
	w.why = "plugin x crashed";
	world_open(&w);
	world_run(&w, SECONDS(10));
	ck_assert_uint_eq(attempts_of(&w, w.suspect), 0);
	ck_assert_uint_eq(w.nattempt, 1); /* the other one */
	ck_assert_uint_eq(w.frozen, 1);   /* for both of its units */
	ck_assert_uint_eq(stats_of(&w).held, 2);
	world_fini(&w);
}
END_TEST

START_TEST(what_is_frozen_stays_so_until_it_is_released)
{
	struct world w;
	uint64_t mid = begin(&w);

	w.suspect = mid;
	w.why = "plugin x crashed";
	world_open(&w);
	world_run(&w, SECONDS(1));
	world_close(&w);
	/* Nobody suspects it any more. */
	w.suspect = 0;
	world_open(&w);
	world_run(&w, HOURS(5));
	ck_assert_uint_eq(attempts_of(&w, mid), 0);
	ck_assert_uint_eq(w.frozen, 1);
	ck_assert_uint_eq(act(&w, QUEUE_RELEASE, &any), 1);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(attempts_of(&w, mid), 2);
	ck_assert_uint_eq(waiting_rows(&w), 0);
	world_fini(&w);
}
END_TEST

START_TEST(nothing_is_frozen_without_a_suspect)
{
	struct world w;

	(void)begin(&w);
	w.suspect = 1;
	w.why = "plugin x crashed";
	world_open(&w);
	world_run(&w, SECONDS(1));
	ck_assert_uint_eq(w.nattempt, 3);
	ck_assert_uint_eq(w.frozen, 0);
	world_fini(&w);
}
END_TEST

UNIT_SUITE(freeze)
{
	tcase_add_test(tc, a_suspect_is_held_before_anybody_tries_it);
	tcase_add_test(tc, what_is_frozen_stays_so_until_it_is_released);
	tcase_add_test(tc, nothing_is_frozen_without_a_suspect);
}
