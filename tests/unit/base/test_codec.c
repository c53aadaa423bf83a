#include <string.h>

#include "base/codec.h"
#include "base/pool.h"
#include "base/rand.h"
#include "unit.h"

#define COUNT(v) (int)(sizeof(v) / sizeof((v)[0]))

static struct buf b;

static void
begin(void)
{
	buf_init(&b, 4096);
}

static void
end(void)
{
	buf_fini(&b);
}

static const struct {
	struct str plain, coded;
} pairs[] = {
	{ STR(""), STR("") },
	{ STR("f"), STR("Zg==") },
	{ STR("fo"), STR("Zm8=") },
	{ STR("foo"), STR("Zm9v") },
	{ STR("foob"), STR("Zm9vYg==") },
	{ STR("\0user\0pass"), STR("AHVzZXIAcGFzcw==") },
	{ STR("\xff\xfe\xfd"), STR("//79") },
};

START_TEST(base64_goes_both_ways)
{
	ck_assert_int_eq(base64_encode(&b, pairs[_i].plain), 0);
	ck_assert(str_eq(buf_str(&b), pairs[_i].coded));
	buf_reset(&b);
	ck_assert_int_eq(base64_decode(&b, pairs[_i].coded), 0);
	ck_assert(str_eq(buf_str(&b), pairs[_i].plain));
}
END_TEST

static const char *const not_base64[] = { "Z", "Zg", "Zg=", "Zh==", "Zm9=",
	"Z===", "====", "=", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-", "Zg=A",
	"\xff\xff\xff\xff" };

START_TEST(base64_refuses_what_is_not_canonical)
{
	ck_assert_int_eq(base64_decode(&b, str_c(not_base64[_i])), -1);
}
END_TEST

START_TEST(base64_keeps_to_the_ceiling)
{
	char p[100] = { 0 };

	buf_fini(&b);
	buf_init(&b, 8);
	ck_assert_int_eq(base64_encode(&b, str_n(p, 6)), 0);
	buf_reset(&b);
	ck_assert_int_eq(base64_encode(&b, str_n(p, 7)), -1);
	ck_assert_int_eq(base64_decode(&b, STR("AAAAAAAAAAAA")), -1);
}
END_TEST

START_TEST(hex_has_two_digits_for_each_octet)
{
	ck_assert_int_eq(hex_encode(&b, STR("\0\x7f\xff")), 0);
	ck_assert_str_eq(buf_p(&b), "007fff");
}
END_TEST

static const struct {
	struct str coded;
	int rc;
	struct str plain;
} xtexts[] = {
	{ STR("abc"), 0, STR("abc") },
	{ STR("a+2Bb+3Dc"), 0, STR("a+b=c") },
	{ STR("+20"), 0, STR(" ") },
	{ STR("+C3+BC"), 0, STR("\xc3\xbc") },
	{ STR("+0A"), -1, STR("") },
	{ STR("+0D+0A"), -1, STR("") },
	{ STR("+00"), -1, STR("") },
	{ STR("+7F"), -1, STR("") },
	{ STR("+2b"), -1, STR("") },
	{ STR("+2"), -1, STR("") },
	{ STR("+"), -1, STR("") },
	{ STR("+GG"), -1, STR("") },
	{ STR("a=b"), -1, STR("") },
	{ STR("a b"), -1, STR("") },
	{ STR("a\0"), -1, STR("") },
};

START_TEST(xtext_decodes_but_never_to_a_control)
{
	ck_assert_int_eq(xtext_decode(&b, xtexts[_i].coded), xtexts[_i].rc);
	if (xtexts[_i].rc == 0)
		ck_assert(str_eq(buf_str(&b), xtexts[_i].plain));
}
END_TEST

START_TEST(xtext_encodes_what_it_must)
{
	ck_assert_int_eq(xtext_encode(&b, STR("a+b=c d\xff")), 0);
	ck_assert_str_eq(buf_p(&b), "a+2Bb+3Dc+20d+FF");
}
END_TEST

static const struct {
	struct str s;
	bool ok;
} utf8s[] = {
	{ STR(""), true },
	{ STR("abc"), true },
	{ STR("\xc3\xbc"), true },
	{ STR("\xe2\x82\xac\xf0\x9f\x98\x80"), true },
	{ STR("\xf4\x8f\xbf\xbf"), true },
	{ STR("\xf4\x90\x80\x80"), false },
	{ STR("\xc0\x80"), false },
	{ STR("\xc1\xbf"), false },
	{ STR("\xe0\x80\x80"), false },
	{ STR("\xf0\x80\x80\x80"), false },
	{ STR("\xed\xa0\x80"), false },
	{ STR("\xc3"), false },
	{ STR("\xe2\x82"), false },
	{ STR("\x80"), false },
	{ STR("\xff"), false },
};

START_TEST(utf8_has_only_shortest_forms)
{
	ck_assert_int_eq(utf8_valid(utf8s[_i].s), utf8s[_i].ok);
}
END_TEST

static const struct {
	struct str from;
	size_t max;
	const char *to;
} texts[] = {
	{ STR("Grüße, ticket 4711"), 100, "Grüße, ticket 4711" },
	{ STR("two\nlines\tand\x1b[31m red\x7f"), 100,
	    "two lines and?[31m red?" },
	{ STR("\xc2\x9b" "31m\xe2\x80\xae" "exe"), 100, "?31m?exe" },
	{ STR("a\xff" "b\xc3"), 100, "a?b?" },
	{ STR("aü"), 2, "a" },
	{ STR("aü"), 3, "aü" },
	{ STR(""), 3, "" },
};

START_TEST(text_that_is_cleaned_cannot_act_on_a_terminal)
{
	struct pool *pool = pool_new(0);

	ck_assert_str_eq(text_clean(pool, texts[_i].from, texts[_i].max),
	    texts[_i].to);
	pool_destroy(&pool);
}
END_TEST

START_TEST(json_escapes_controls_and_replaces_bad_utf8)
{
	(void)json_quote(&b, STR("a\"\\\n\0\x1f\x7f\xc3\xbc\xff/\xe2\x80\xae"
	    "\xf3\xa0\x80\x81"));
	ck_assert_str_eq(buf_p(&b), "\"a\\\"\\\\\\u000a\\u0000\\u001f\\u007f"
	    "\xc3\xbc\xef\xbf\xbd/\\u202e\\udb40\\udc01\"");
}
END_TEST

static const struct {
	struct str s;
	size_t max;
	bool utf8;
	const char *clean;
} cleans[] = {
	{ STR("plain <a@b>"), 99, false, "plain <a@b>" },
	{ STR("a\r\nb"), 99, false, "a\\x0d\\x0ab" },
	{ STR("\\x0a"), 99, false, "\\\\x0a" },
	{ STR("\0\x1b[2J"), 99, false, "\\x00\\x1b[2J" },
	{ STR("\xc3\xbc"), 99, false, "\\xc3\\xbc" },
	{ STR("\xc3\xbc"), 99, true, "\xc3\xbc" },
	{ STR("\xc3"), 99, true, "\\xc3" },
	{ STR("\xc2\x85"), 99, true, "\\xc2\\x85" },
	{ STR("\xe2\x80\xae"), 99, true, "\\xe2\\x80\\xae" },
	{ STR("\xe2\x80\xa8"), 99, true, "\\xe2\\x80\\xa8" },
	{ STR("\xef\xbb\xbf"), 99, true, "\\xef\\xbb\\xbf" },
	{ STR("abcd"), 4, false, "abcd" },
	{ STR("abcde"), 4, false, "abcd..." },
	{ STR("\xc3\xbc"), 1, true, "\\xc3..." },
	{ STR("it's"), 99, false, "it's" },
};

START_TEST(log_text_stays_on_its_line)
{
	(void)log_clean(&b, cleans[_i].s, cleans[_i].max, cleans[_i].utf8);
	ck_assert_str_eq(buf_p(&b), cleans[_i].clean);
}
END_TEST

static const struct {
	struct str s;
	size_t max;
	const char *repr;
} reprs[] = {
	{ STR(""), 99, "''" },
	{ STR("hello"), 99, "'hello'" },
	{ STR("it's"), 99, "\"it's\"" },
	{ STR("say \"x\""), 99, "'say \"x\"'" },
	{ STR("it's \"x\""), 99, "'it\\'s \"x\"'" },
	{ STR("a\r\n\tb"), 99, "'a\\r\\n\\tb'" },
	{ STR("\\"), 99, "'\\\\'" },
	{ STR("\x01\xff"), 99, "'\\x01\\xff'" },
	{ STR("aaaa'"), 4, "'aaaa...'" },
};

START_TEST(log_text_is_quoted_as_python_does)
{
	(void)log_repr(&b, reprs[_i].s, reprs[_i].max);
	ck_assert_str_eq(buf_p(&b), reprs[_i].repr);
}
END_TEST

START_TEST(clean_text_comes_back)
{
	char all[255];
	unsigned i;
	struct buf back;

	for (i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	buf_init(&back, 4096);
	(void)log_clean(&b, str_n(all, 255), SIZE_MAX, false);
	ck_assert_int_eq(log_unclean(&back, buf_str(&b)), 0);
	ck_assert(str_eq(buf_str(&back), str_n(all, 255)));
	buf_fini(&back);
}
END_TEST

static const struct str not_clean[] = {
	STR("\\"), STR("\\x"), STR("\\x0"), STR("\\x0g"), STR("\\x41"),
	STR("\\n"), STR("a\n"), STR("\xff"), STR("\\x5c"),
};

START_TEST(what_was_not_cleaned_does_not_come_back)
{
	ck_assert_int_eq(log_unclean(&b, not_clean[_i]), -1);
}
END_TEST

UNIT_SUITE(codec)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, base64_goes_both_ways, 0, COUNT(pairs));
	tcase_add_loop_test(tc, base64_refuses_what_is_not_canonical, 0,
	    COUNT(not_base64));
	tcase_add_test(tc, base64_keeps_to_the_ceiling);
	tcase_add_test(tc, hex_has_two_digits_for_each_octet);
	tcase_add_loop_test(tc, xtext_decodes_but_never_to_a_control, 0,
	    COUNT(xtexts));
	tcase_add_test(tc, xtext_encodes_what_it_must);
	tcase_add_loop_test(tc, utf8_has_only_shortest_forms, 0, COUNT(utf8s));
	tcase_add_loop_test(tc, text_that_is_cleaned_cannot_act_on_a_terminal,
	    0, COUNT(texts));
	tcase_add_test(tc, json_escapes_controls_and_replaces_bad_utf8);
	tcase_add_loop_test(tc, log_text_stays_on_its_line, 0, COUNT(cleans));
	tcase_add_loop_test(tc, log_text_is_quoted_as_python_does, 0,
	    COUNT(reprs));
	tcase_add_test(tc, clean_text_comes_back);
	tcase_add_loop_test(tc, what_was_not_cleaned_does_not_come_back, 0,
	    COUNT(not_clean));
}
