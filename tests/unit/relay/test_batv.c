#include "relay/batv.h"

#include "tests/unit/unit.h"

#define TODAY (HOURS(24) * 20403 + HOURS(13)) /* day 403 of a thousand */

static struct batv
keys(struct pool *pool, const char *text)
{
	struct err why = ERR_INIT;
	struct batv b;

	ck_assert_msg(batv_read(pool, str_c(text), &b, &why) == 0, "%s",
	    why.text);
	return b;
}

static struct addr
address(struct pool *pool, const char *text)
{
	struct err why = ERR_INIT;
	struct addr a;

	ck_assert_int_eq(addr_parse(pool, str_c(text), 0, &a, &why), 0);
	return a;
}

START_TEST(a_tag_has_key_day_and_hash_and_is_taken_off_again)
{
	struct pool *pool = pool_new(0);
	struct batv b = keys(pool, "# ours\n3 a secret of ours\n");
	struct addr a = address(pool, "Jo@example.com"), t;

	ck_assert(batv_tag(&b, &a, TODAY, pool, &t));
	ck_assert_uint_eq(t.full.n, a.full.n + 16);
	ck_assert(str_istarts(t.full, "prvs=3410"));
	ck_assert(str_iends(t.full, "=Jo@example.com"));
	ck_assert(str_eq_c(t.domain, "example.com"));
	ck_assert(!batv_tag(&b, &t, TODAY, pool, &a)); /* once */
	ck_assert_int_eq(batv_untag(&b, &t, TODAY + HOURS(24)), BATV_GOOD);
	ck_assert(str_eq_c(t.full, "Jo@example.com"));
	ck_assert(str_eq_c(t.local, "Jo"));
	ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_NONE);
	pool_destroy(&pool);
}
END_TEST

START_TEST(hosts_that_fold_cases_do_no_harm)
{
	struct pool *pool = pool_new(0);
	struct batv b = keys(pool, "3 a secret of ours\n");
	struct addr a = address(pool, "Jo.Doe@example.com"), t;
	char folded[100];

	ck_assert(batv_tag(&b, &a, TODAY, pool, &t));
	(void)str_copy(folded, sizeof(folded), t.full);
	str_lower(folded, t.full.n);
	t = address(pool, folded);
	ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_GOOD);
	pool_destroy(&pool);
}
END_TEST

START_TEST(a_tag_is_good_for_seven_days_also_where_days_begin_anew)
{
	static const unsigned days[] = { 20403, 20992, 20993, 20999, 21000 };
	struct pool *pool = pool_new(0);
	struct batv b = keys(pool, "3 a secret of ours\n");
	struct addr a = address(pool, "jo@example.com"), t;
	msec now = HOURS(24) * days[_i];
	unsigned i;

	for (i = 0; i < 1000; i++) {
		ck_assert(batv_tag(&b, &a, now, pool, &t));
		ck_assert_int_eq(batv_untag(&b, &t, now + HOURS(24) * i),
		    i <= BATV_DAYS ? BATV_GOOD : BATV_BAD);
	}
	pool_destroy(&pool);
}
END_TEST

START_TEST(what_somebody_made_up_or_changed_is_bad)
{
	struct pool *pool = pool_new(0);
	struct batv b = keys(pool, "3 a secret of ours\n4 another of ours\n");
	struct batv other = keys(pool, "3 a secret of theirs\n");
	struct addr a = address(pool, "jo@example.com"), t;
	char text[100];
	unsigned i;

	ck_assert(batv_tag(&b, &a, TODAY, pool, &t));
	(void)str_copy(text, sizeof(text), t.full);
	ck_assert_int_eq(batv_untag(&other, &t, TODAY), BATV_BAD);
	for (i = 5; i < 15; i++) {
		char was = text[i];

		text[i] = was == '1' ? '2' : '1';
		t = address(pool, text);
		ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_BAD);
		text[i] = was;
	}
	text[16] = 'x';
	t = address(pool, text);
	ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_BAD);
	t = address(pool, "prvs=abc@example.com");
	ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_NONE);
	pool_destroy(&pool);
}
END_TEST

START_TEST(an_old_key_is_good_for_what_comes_back)
{
	struct pool *pool = pool_new(0);
	struct batv old = keys(pool, "1 the older secret\n");
	struct batv b = keys(pool, "2 the newer secret\n1 the older secret\n");
	struct addr a = address(pool, "jo@example.com"), t;

	ck_assert(batv_tag(&old, &a, TODAY, pool, &t));
	ck_assert_int_eq(batv_untag(&b, &t, TODAY), BATV_GOOD);
	ck_assert(batv_tag(&b, &a, TODAY, pool, &t));
	ck_assert(str_istarts(t.full, "prvs=2"));
	pool_destroy(&pool);
}
END_TEST

static const char *const untaggable[] = {
	"\"a b\"@example.com",
	"a12345678901234567890123456789012345678901234567890@example.com",
};

START_TEST(an_address_without_room_for_a_tag_goes_as_it_is)
{
	struct pool *pool = pool_new(0);
	struct batv b = keys(pool, "3 a secret of ours\n");
	struct addr a = address(pool, untaggable[_i]), t;

	ck_assert(!batv_tag(&b, &a, TODAY, pool, &t));
	pool_destroy(&pool);
}
END_TEST

static const struct {
	const char *text, *why;
} broken[] = {
	{ "", "1: there is no key" },
	{ "# none\n", "1: there is no key" },
	{ "\nx secret secret\n", "2: this is not a digit, a blank and a "
	    "secret of 8 octets or more" },
	{ "1 short\n", "1: this is not a digit, a blank and a secret of 8 "
	    "octets or more" },
	{ "1         short\n", "1: this is not a digit, a blank and a secret "
	    "of 8 octets or more" },
	{ "1 12345678\n1 abcdefgh\n", "2: key 1 is there already" },
};

START_TEST(a_key_file_that_is_none_is_refused_with_its_line)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct batv b;

	ck_assert_int_eq(batv_read(pool, str_c(broken[_i].text), &b, &why),
	    -1);
	ck_assert_str_eq(why.text, broken[_i].why);
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(batv)
{
	tcase_add_test(tc, a_tag_has_key_day_and_hash_and_is_taken_off_again);
	tcase_add_test(tc, hosts_that_fold_cases_do_no_harm);
	tcase_add_loop_test(tc,
	    a_tag_is_good_for_seven_days_also_where_days_begin_anew, 0, 5);
	tcase_add_test(tc, what_somebody_made_up_or_changed_is_bad);
	tcase_add_test(tc, an_old_key_is_good_for_what_comes_back);
	tcase_add_loop_test(tc, an_address_without_room_for_a_tag_goes_as_it_is,
	    0, 2);
	tcase_add_loop_test(tc,
	    a_key_file_that_is_none_is_refused_with_its_line, 0, 5);
}
