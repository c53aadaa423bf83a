/* Bodies that are looked at without a copy. */
#include "store_util.h"
#include "unit.h"

START_TEST(maps_a_body_when_it_has_settled)
{
	static const uint64_t lengths[] = { 0, 1, 200000, 300000, 5000000 };
	uint64_t size = lengths[_i], i;
	struct err why = ERR_INIT;
	struct body_ref *body;
	struct str all, again;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	body = make_body(&b, 7, size);
	if (!body_settle(body, bench_done, &b)) {
		ck_assert_uint_gt(size, 256 * 1024);
		ck_assert_int_eq(body_map(body, &all, &why), -1);
		ck_assert_int_eq(why.code, 451);
		bench_wait(&b, 1);
		ck_assert(!b.failed);
	}
	ck_assert_int_eq(body_map(body, &all, &why), 0);
	ck_assert_int_eq(body_map(body, &again, &why), 0);
	ck_assert_uint_eq(all.n, size);
	ck_assert_ptr_eq(all.p, again.p);
	for (i = 0; i < size; i++)
		ck_assert_int_eq(all.p[i], octet(7, i));
	body_unref(&body);
	bench_fini(&b);
}
END_TEST

START_TEST(maps_what_was_read_back)
{
	struct err why = ERR_INIT;
	struct str all;
	struct bench b;
	uint64_t i;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 3, 1000000);
	ck_assert(load(&b, 3));
	ck_assert(body_settle(b.loaded.body, bench_done, &b));
	ck_assert_int_eq(body_map(b.loaded.body, &all, &why), 0);
	ck_assert_uint_eq(all.n, 1000000);
	for (i = 0; i < all.n; i++)
		ck_assert_int_eq(all.p[i], octet(3, i));
	forget_loaded(&b);
	bench_fini(&b);
}
END_TEST

UNIT_SUITE(bodymap)
{
	tcase_add_loop_test(tc, maps_a_body_when_it_has_settled, 0, 5);
	tcase_add_test(tc, maps_what_was_read_back);
}
