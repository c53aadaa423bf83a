#include "tls/tlswant.h"
#include "unit.h"

START_TEST(names_its_levels)
{
	enum tlswant_level l = TLSWANT_NONE;
	unsigned i;

	for (i = 0; i <= TLSWANT_REQUIRED_VERIFY; i++) {
		ck_assert(tlswant_parse(
		    str_c(tlswant_name((enum tlswant_level)i)), &l));
		ck_assert_uint_eq((unsigned)l, i);
	}
	ck_assert(tlswant_parse(STR("Required"), &l));
	ck_assert_int_eq(l, TLSWANT_REQUIRED);
	ck_assert(!tlswant_parse(STR("require"), &l));
	ck_assert(!tlswant_parse(STR(""), &l));
}
END_TEST

START_TEST(knows_what_a_level_allows)
{
	ck_assert(tlswant_clear_ok(TLSWANT_NONE));
	ck_assert(tlswant_clear_ok(TLSWANT_PREFERRED_VERIFY));
	ck_assert(!tlswant_clear_ok(TLSWANT_REQUIRED));
	ck_assert(!tlswant_clear_ok(TLSWANT_REQUIRED_VERIFY));
	ck_assert(!tlswant_verifies(TLSWANT_REQUIRED));
	ck_assert(tlswant_verifies(TLSWANT_PREFERRED_VERIFY));
	ck_assert(tlswant_verifies(TLSWANT_REQUIRED_VERIFY));
}
END_TEST

START_TEST(key_tells_wants_apart)
{
	const char *ab[] = { "a", "b", NULL }, *joined[] = { "ab", NULL };
	struct tlswant any = { .level = TLSWANT_OPPORTUNISTIC };
	struct tlswant must = { .level = TLSWANT_REQUIRED_VERIFY };
	struct tlswant two = { .level = TLSWANT_REQUIRED_VERIFY, .names = ab };
	struct tlswant one = { .level = TLSWANT_REQUIRED_VERIFY,
		.names = joined };
	struct str x = STR("x.example"), y = STR("y.example");

	ck_assert_uint_eq(tlswant_key(&any, x), tlswant_key(&any, y));
	ck_assert_uint_ne(tlswant_key(&any, x), tlswant_key(&must, x));
	ck_assert_uint_ne(tlswant_key(&must, x), tlswant_key(&must, y));
	ck_assert_uint_eq(
	    tlswant_key(&must, x), tlswant_key(&must, STR("X.Example")));
	ck_assert_uint_ne(tlswant_key(&two, x), tlswant_key(&one, x));
	ck_assert_uint_eq(tlswant_key(&two, x), tlswant_key(&two, y));
}
END_TEST

UNIT_SUITE(tlswant)
{
	tcase_add_test(tc, names_its_levels);
	tcase_add_test(tc, knows_what_a_level_allows);
	tcase_add_test(tc, key_tells_wants_apart);
}
