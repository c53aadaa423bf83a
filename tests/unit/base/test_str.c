#include "base/str.h"
#include "unit.h"

START_TEST(compares_all_octets_and_folds_ascii_only)
{
	ck_assert(str_eq(STR("a\0b"), STR("a\0b")));
	ck_assert(!str_eq(STR("a\0b"), STR("a\0c")));
	ck_assert(str_eq(STR_NULL, STR("")));
	ck_assert(str_ieq(STR("MiXed-1"), STR("mIxED-1")));
	ck_assert(!str_ieq(STR("\xc4"), STR("\xe4")));
	ck_assert(!str_ieq(STR("@["), STR("`{")));
	ck_assert(str_ieq_c(STR("EHLO"), "ehlo"));
	ck_assert_int_lt(str_cmp(STR("a"), STR("ab")), 0);
	ck_assert_int_gt(str_cmp(STR("\xff"), STR("a")), 0);
	ck_assert_int_eq(str_icmp(STR("A"), STR("a")), 0);
	ck_assert(str_istarts(STR("IPv6:::1"), "ipV6:"));
	ck_assert(!str_istarts(STR("IP"), "ipv6:"));
	ck_assert(str_iends(STR("a.Example.org"), ".example.ORG"));
	ck_assert(!str_iends(STR("org"), ".example.org"));
	ck_assert(str_iends(STR(""), ""));
}
END_TEST

START_TEST(splits_at_separators_and_keeps_empty_pieces_inside)
{
	struct str rest = STR("a,,bc,"), piece;

	ck_assert(str_split(&rest, ',', &piece));
	ck_assert(str_eq_c(piece, "a"));
	ck_assert(str_split(&rest, ',', &piece));
	ck_assert(str_eq_c(piece, ""));
	ck_assert(str_split(&rest, ',', &piece));
	ck_assert(str_eq_c(piece, "bc"));
	ck_assert(!str_split(&rest, ',', &piece));
	rest = STR_NULL;
	ck_assert(!str_split(&rest, ',', &piece));
}
END_TEST

START_TEST(takes_words_between_blanks_and_tabs)
{
	struct str rest = STR(" \tone  two\t"), word;

	ck_assert(str_word(&rest, &word));
	ck_assert(str_eq_c(word, "one"));
	ck_assert(str_eq_c(rest, "two"));
	ck_assert(str_word(&rest, &word));
	ck_assert(str_eq_c(word, "two"));
	ck_assert(!str_word(&rest, &word));
	ck_assert(str_eq_c(str_trim(STR(" \t ")), ""));
	ck_assert_uint_eq(str_find(STR("abc"), 'c'), 2);
	ck_assert_uint_eq(str_find(STR("abc"), 'x'), 3);
	ck_assert_uint_eq(str_find(STR_NULL, 'x'), 0);
}
END_TEST

START_TEST(copies_what_fits_and_says_if_it_was_cut)
{
	char dst[4] = "zzz";

	ck_assert(str_copy(dst, sizeof(dst), STR("abc")));
	ck_assert_str_eq(dst, "abc");
	ck_assert(!str_copy(dst, sizeof(dst), STR("abcd")));
	ck_assert_str_eq(dst, "abc");
	ck_assert(str_copy(dst, 1, STR_NULL));
	ck_assert_str_eq(dst, "");
	ck_assert(!str_copy(dst, 0, STR_NULL));
}
END_TEST

START_TEST(counts_the_slips_between_two_words)
{
	char many[65];

	memset(many, 'x', sizeof(many));
	ck_assert_uint_eq(str_distance(STR("match"), STR("match")), 0);
	ck_assert_uint_eq(str_distance(STR("Match"), STR("mATCH")), 0);
	ck_assert_uint_eq(str_distance(STR("mtach"), STR("match")), 1);
	ck_assert_uint_eq(str_distance(STR("mach"), STR("match")), 1);
	ck_assert_uint_eq(str_distance(STR(""), STR("pin")), 3);
	ck_assert_uint_eq(str_distance(str_n(many, 65), STR("pin")), 64);
}
END_TEST

UNIT_SUITE(str)
{
	tcase_add_test(tc, compares_all_octets_and_folds_ascii_only);
	tcase_add_test(tc, splits_at_separators_and_keeps_empty_pieces_inside);
	tcase_add_test(tc, takes_words_between_blanks_and_tabs);
	tcase_add_test(tc, copies_what_fits_and_says_if_it_was_cut);
	tcase_add_test(tc, counts_the_slips_between_two_words);
}
