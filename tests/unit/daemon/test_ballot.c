#include <string.h>

#include "daemon/ballot.h"
#include "unit.h"

static struct ballot b;

static void
begin(void)
{
	memset(&b, 0, sizeof(b));
	ballot_open(&b);
	ballot_ask(&b, 0);
	ballot_ask(&b, 3);
}

START_TEST(is_carried_when_all_who_were_asked_have_prepared)
{
	ck_assert(!ballot_carried(&b));
	ck_assert_uint_eq(ballot_missing(&b), 0);
	ballot_prepared(&b, 0);
	ck_assert(!ballot_carried(&b));
	ck_assert_uint_eq(ballot_missing(&b), 3);
	ballot_prepared(&b, 3);
	ck_assert(ballot_carried(&b));
	ck_assert_int_eq(b.vote[1], BALLOT_OUT);
}
END_TEST

START_TEST(is_carried_at_once_where_nobody_is_alive)
{
	ballot_close(&b);
	ballot_open(&b);
	ck_assert(ballot_carried(&b));
}
END_TEST

START_TEST(does_not_wait_for_who_is_stopping)
{
	ballot_prepared(&b, 0);
	ballot_leaves(&b, 3);
	ck_assert(ballot_carried(&b));
	/* Its end is no loss, its successor has a say. */
	ck_assert(!ballot_gone(&b, 3));
	ballot_ask(&b, 3);
	ck_assert(!ballot_carried(&b));
}
END_TEST

START_TEST(is_lost_with_a_worker_that_had_prepared)
{
	ballot_prepared(&b, 0);
	ck_assert(ballot_gone(&b, 0));
	ck_assert(!ballot_gone(&b, 1));
}
END_TEST

START_TEST(is_not_lost_once_it_is_over)
{
	ballot_prepared(&b, 0);
	ballot_prepared(&b, 3);
	ballot_close(&b);
	ck_assert_int_eq(b.vote[3], BALLOT_PREPARED);
	ck_assert(!ballot_gone(&b, 0));
	ck_assert(!ballot_carried(&b));
}
END_TEST

START_TEST(awaits_all_who_voted_until_they_have_switched)
{
	ck_assert_uint_eq(ballot_awaits(&b), SHM_MAX_WORKERS);
	ballot_prepared(&b, 0);
	ballot_prepared(&b, 3);
	/* Too early. */
	ballot_switched(&b, 3);
	ballot_switch(&b);
	ck_assert(!ballot_carried(&b));
	ck_assert_uint_eq(ballot_awaits(&b), 0);
	ballot_switched(&b, 0);
	ck_assert_uint_eq(ballot_awaits(&b), 3);
	/* Its successor is born with what is in force: nothing is lost. */
	ck_assert(!ballot_gone(&b, 3));
	ck_assert_uint_eq(ballot_awaits(&b), SHM_MAX_WORKERS);
	ballot_close(&b);
	ballot_open(&b);
}
END_TEST

START_TEST(awaits_nobody_who_was_not_asked_or_left)
{
	ballot_prepared(&b, 0);
	ballot_leaves(&b, 3);
	ballot_switch(&b);
	ballot_switched(&b, 0);
	ck_assert_uint_eq(ballot_awaits(&b), SHM_MAX_WORKERS);
}
END_TEST

START_TEST(does_not_count_what_was_said_to_an_earlier_one)
{
	uint64_t earlier = b.number;

	ck_assert(ballot_counts(&b, 3, earlier));
	ck_assert(!ballot_counts(&b, 1, earlier));
	ballot_close(&b);
	ck_assert(!ballot_counts(&b, 3, earlier));
	ballot_open(&b);
	ballot_ask(&b, 3);
	ck_assert(!ballot_counts(&b, 3, earlier));
	ck_assert(ballot_counts(&b, 3, b.number));
}
END_TEST

UNIT_SUITE(ballot)
{
	tcase_add_checked_fixture(tc, begin, NULL);
	tcase_add_test(tc, is_carried_when_all_who_were_asked_have_prepared);
	tcase_add_test(tc, is_carried_at_once_where_nobody_is_alive);
	tcase_add_test(tc, does_not_wait_for_who_is_stopping);
	tcase_add_test(tc, is_lost_with_a_worker_that_had_prepared);
	tcase_add_test(tc, is_not_lost_once_it_is_over);
	tcase_add_test(tc, awaits_all_who_voted_until_they_have_switched);
	tcase_add_test(tc, awaits_nobody_who_was_not_asked_or_left);
	tcase_add_test(tc, does_not_count_what_was_said_to_an_earlier_one);
}
