#include "mail/status.h"
#include "unit.h"

static const struct {
	struct str text;
	int code;
	const char *enh, *rest; /* NULL: none */
} cases[] = {
	{ STR("5.1.1 no such user"), 550, "5.1.1", "no such user" },
	{ STR("2.0.0"), 250, "2.0.0", "" },
	{ STR("4.7.999\tlater"), 451, "4.7.999", "later" },
	{ STR("5.1.1 x"), 450, NULL, NULL },
	{ STR("2.1.5 x"), 550, NULL, NULL },
	{ STR("5.1.1x"), 550, NULL, NULL },
	{ STR("5.1.1000 x"), 550, NULL, NULL },
	{ STR("5.1000.1 x"), 550, NULL, NULL },
	{ STR("5.01.1 x"), 550, NULL, NULL },
	{ STR("5.1. x"), 550, NULL, NULL },
	{ STR("5.1 x"), 550, NULL, NULL },
	{ STR("5..1 x"), 550, NULL, NULL },
	{ STR("3.1.1 x"), 354, NULL, NULL },
	{ STR(""), 250, NULL, NULL },
	{ STR("5.1.1\0x"), 550, NULL, NULL },
};

START_TEST(finds_an_enhanced_code_that_fits_the_reply)
{
	struct str text = cases[_i].text;
	char enh[12] = "kept";

	ck_assert_int_eq(status_parse_enh(&text, cases[_i].code, enh,
	    sizeof(enh)), cases[_i].enh != NULL);
	ck_assert_str_eq(enh, cases[_i].enh != NULL ? cases[_i].enh : "kept");
	if (cases[_i].rest != NULL)
		ck_assert(str_eq_c(text, cases[_i].rest));
	else
		ck_assert(text.p == cases[_i].text.p);
}
END_TEST

START_TEST(has_a_code_for_replies_without_one)
{
	ck_assert_str_eq(status_default(250), "2.0.0");
	ck_assert_str_eq(status_default(451), "4.0.0");
	ck_assert_str_eq(status_default(550), "5.0.0");
	ck_assert_str_eq(status_default(0), "4.0.0");
}
END_TEST

START_TEST(says_the_phrases_of_the_mail_log)
{
	ck_assert_str_eq(status_phrase("5.1.0"), "Unknown address error");
	ck_assert_str_eq(status_phrase("4.1.0"), "Unknown address error");
	ck_assert_str_eq(status_phrase("5.1.1"),
	    "Bad destination email address");
	ck_assert_str_eq(status_phrase("5.1.2"), "Bad destination host");
	ck_assert_str_eq(status_phrase("5.3.0"), "Other mail system problem");
	ck_assert_str_eq(status_phrase("5.4.7"), "Delivery expired");
	ck_assert_str_eq(status_phrase("5.99.99"), "Other undefined status");
	ck_assert_str_eq(status_phrase("nonsense"), "Undefined status");
	ck_assert_str_eq(status_phrase(""), "Undefined status");
	ck_assert(status_enh_valid(STR("5.7.25")));
	ck_assert(!status_enh_valid(STR("5.7.25 ")));
	ck_assert(!status_enh_valid(STR("")));
}
END_TEST

UNIT_SUITE(status)
{
	tcase_add_loop_test(tc, finds_an_enhanced_code_that_fits_the_reply, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, has_a_code_for_replies_without_one);
	tcase_add_test(tc, says_the_phrases_of_the_mail_log);
}
