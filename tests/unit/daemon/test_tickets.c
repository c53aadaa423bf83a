#include "daemon/tickets.h"

#include <string.h>

#include "unit.h"

START_TEST(the_newest_is_first_and_two_more_are_kept)
{
	struct tls_ticket_keys k, first;
	unsigned i;

	tickets_init(&k);
	ck_assert_uint_eq(k.n, 1);
	first = k;
	for (i = 1; i < 5; i++) {
		tickets_turn(&k);
		ck_assert_uint_eq(k.n, i < 3 ? i + 1 : 3);
		ck_assert_int_ne(memcmp(k.key[0], k.key[1],
		    sizeof(k.key[0])), 0);
		if (i < 3)
			ck_assert_mem_eq(k.key[i], first.key[0],
			    sizeof(k.key[0]));
	}
	ck_assert_int_ne(memcmp(k.key[2], first.key[0], sizeof(k.key[0])), 0);
}
END_TEST

START_TEST(travel_to_workers_as_they_are)
{
	struct tls_ticket_keys k, back;
	json_t *msg;

	memset(&k, 0, sizeof(k));
	memset(&back, 0, sizeof(back));
	tickets_init(&k);
	tickets_turn(&k);
	msg = tickets_pack(&k);
	ck_assert_int_eq(tickets_unpack(&back, msg), 0);
	ck_assert_mem_eq(&back, &k, sizeof(k));
	json_decref(msg);
}
END_TEST

static const char *const malformed[] = { "{}", "{\"keys\":[]}",
	"{\"keys\":[\"QUJD\"]}", "{\"keys\":[1]}", "{\"keys\":[\"?\"]}",
	"{\"keys\":[\"\",\"\",\"\",\"\"]}" };

START_TEST(nothing_else_is_taken_for_keys)
{
	json_t *msg = json_loads(malformed[_i], 0, NULL);
	struct tls_ticket_keys k = { .n = 77 };

	ck_assert_ptr_nonnull(msg);
	ck_assert_int_eq(tickets_unpack(&k, msg), -1);
	ck_assert_uint_eq(k.n, 77);
	json_decref(msg);
}
END_TEST

UNIT_SUITE(tickets)
{
	tcase_add_test(tc, the_newest_is_first_and_two_more_are_kept);
	tcase_add_test(tc, travel_to_workers_as_they_are);
	tcase_add_loop_test(tc, nothing_else_is_taken_for_keys, 0,
	    sizeof(malformed) / sizeof(malformed[0]));
}
