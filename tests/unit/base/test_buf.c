#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rand.h"
#include "unit.h"

START_TEST(takes_its_ceiling_and_not_an_octet_more)
{
	static const size_t ceilings[] = { 0, 1, 63, 64, 65, 4095, 4096 };
	char big[5000];
	struct buf b;
	size_t i, n;

	memset(big, 'x', sizeof(big));
	for (i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++) {
		n = ceilings[i];
		buf_init(&b, n);
		ck_assert_int_eq(buf_add(&b, big, n), 0);
		ck_assert(!buf_full(&b));
		ck_assert_int_eq(buf_add(&b, "y", 1), -1);
		ck_assert(buf_full(&b));
		ck_assert_uint_eq(buf_len(&b), n);
		ck_assert_int_eq(buf_add(&b, big, sizeof(big)), -1);
		ck_assert_int_eq(buf_add_char(&b, 'y'), -1);
		ck_assert_int_eq(buf_printf(&b, "%d", 1), -1);
		ck_assert_ptr_null(buf_room(&b, 1));
		ck_assert_int_eq(memcmp(buf_p(&b), big, n), 0);
		ck_assert_int_eq(buf_p(&b)[n], 0);
		ck_assert_uint_le(b.cap, n + 1 > 64 ? n + 1 : 64);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(refuses_lengths_that_would_overflow)
{
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_eq(buf_add(&b, "abc", 3), 0);
	ck_assert_ptr_null(buf_room(&b, (size_t)-1));
	ck_assert_ptr_null(buf_room(&b, (size_t)-4));
	ck_assert_str_eq(buf_p(&b), "abc");
	buf_fini(&b);
}
END_TEST

START_TEST(prints_what_fits_or_changes_nothing)
{
	struct buf b;

	buf_init(&b, 10);
	ck_assert_int_eq(buf_printf(&b, "%s", "12345"), 0);
	ck_assert_int_eq(buf_printf(&b, "%s", "678901"), -1);
	ck_assert_str_eq(buf_p(&b), "12345");
	ck_assert_int_eq(buf_printf(&b, "%s", "67890"), 0);
	ck_assert_str_eq(buf_p(&b), "1234567890");
	buf_fini(&b);
}
END_TEST

START_TEST(consumes_from_the_front_and_truncates_at_the_end)
{
	struct buf b;
	char *s;

	buf_init(&b, 100);
	ck_assert_str_eq(buf_p(&b), "");
	(void)buf_add_c(&b, "abcdef");
	buf_consume(&b, 2);
	ck_assert_str_eq(buf_p(&b), "cdef");
	buf_truncate(&b, 3);
	ck_assert_str_eq(buf_p(&b), "cde");
	ck_assert(str_eq_c(buf_str(&b), "cde"));
	s = buf_steal(&b);
	ck_assert_str_eq(s, "cde");
	mem_free(s);
	ck_assert_uint_eq(buf_len(&b), 0);
	s = buf_steal(&b);
	ck_assert_str_eq(s, "");
	mem_free(s);
	(void)buf_add_c(&b, "x");
	buf_reset(&b);
	ck_assert_str_eq(buf_p(&b), "");
	buf_shrink(&b);
	ck_assert_ptr_null(b.mem);
	buf_fini(&b);
}
END_TEST

/* Against a model: a flat array with memmove. */
START_TEST(behaves_like_an_array_whatever_is_done_to_it)
{
	char model[1000], piece[200];
	size_t n = 0, k, i;
	struct buf b;

	rand_seed(7);
	buf_init(&b, sizeof(model));
	for (i = 0; i < 20000; i++) {
		k = rand_below(sizeof(piece));
		if (rand_below(2) == 0) {
			rand_bytes(piece, k);
			if (buf_add(&b, piece, k) == 0) {
				ck_assert_uint_le(n + k, sizeof(model));
				memcpy(model + n, piece, k);
				n += k;
			} else {
				ck_assert_uint_gt(n + k, sizeof(model));
			}
		} else {
			k = k < n ? k : n;
			buf_consume(&b, k);
			memmove(model, model + k, n - k);
			n -= k;
		}
		ck_assert_uint_eq(buf_len(&b), n);
		ck_assert_int_eq(memcmp(buf_p(&b), model, n), 0);
		ck_assert_int_eq(buf_p(&b)[n], 0);
		ck_assert_uint_le(b.cap, sizeof(model) + 1);
	}
	buf_fini(&b);
}
END_TEST

UNIT_SUITE(buf)
{
	tcase_add_test(tc, takes_its_ceiling_and_not_an_octet_more);
	tcase_add_test(tc, refuses_lengths_that_would_overflow);
	tcase_add_test(tc, prints_what_fits_or_changes_nothing);
	tcase_add_test(tc, consumes_from_the_front_and_truncates_at_the_end);
	tcase_add_test(tc, behaves_like_an_array_whatever_is_done_to_it);
}
