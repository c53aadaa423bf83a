#include <stdio.h>
#include <string.h>

#include "mail/addr.h"
#include "unit.h"

#define COUNT(v) (int)(sizeof(v) / sizeof((v)[0]))

#define SND ADDR_NULL_OK
#define RCP ADDR_POSTMASTER_OK
#define U8 ADDR_UTF8_OK

static struct pool *pool;
static struct err why;

static void
begin(void)
{
	pool = pool_new(0);
	err_clear(&why);
}

static void
end(void)
{
	pool_destroy(&pool);
}

static const struct {
	struct str in;
	unsigned flags;
	const char *full, *local, *domain, *rest;
} good[] = {
	{ STR("<a@b.example>"), 0, "a@b.example", "a", "b.example", "" },
	{ STR("<a@b.example> SIZE=5"), 0, "a@b.example", "a", "b.example",
	    " SIZE=5" },
	{ STR("<User@EXAMPLE.Org>"), 0, "User@example.org", "User",
	    "example.org", "" },
	{ STR("<>"), SND, "", "", "", "" },
	{ STR("<> BODY=8BITMIME"), SND, "", "", "", " BODY=8BITMIME" },
	{ STR("<PostMaster>"), RCP, "PostMaster", "PostMaster", "", "" },
	{ STR("<postmaster@example.org>"), RCP, "postmaster@example.org",
	    "postmaster", "example.org", "" },
	{ STR("<@one.example,@two.example:a@b.example>"), 0, "a@b.example",
	    "a", "b.example", "" },
	{ STR("<@one.example:postmaster>"), RCP, "postmaster", "postmaster",
	    "", "" },
	{ STR("<\"a b\"@c.example>"), 0, "\"a b\"@c.example", "\"a b\"",
	    "c.example", "" },
	{ STR("<\"a>b\"@c.example>x"), 0, "\"a>b\"@c.example", "\"a>b\"",
	    "c.example", "x" },
	{ STR("<\"a\\\"\\\\@b\"@c.example>"), 0, "\"a\\\"\\\\@b\"@c.example",
	    "\"a\\\"\\\\@b\"", "c.example", "" },
	{ STR("<\"\"@c.example>"), 0, "\"\"@c.example", "\"\"", "c.example",
	    "" },
	{ STR("<a.b+c_d!#$%&'*/=?^`{|}~-@c.example>"), 0,
	    "a.b+c_d!#$%&'*/=?^`{|}~-@c.example", "a.b+c_d!#$%&'*/=?^`{|}~-",
	    "c.example", "" },
	{ STR("<a@[192.0.2.1]>"), 0, "a@[192.0.2.1]", "a", "[192.0.2.1]", "" },
	{ STR("<a@[IPv6:2001:db8::1]>"), 0, "a@[IPv6:2001:db8::1]", "a",
	    "[IPv6:2001:db8::1]", "" },
	{ STR("<a@localhost>"), 0, "a@localhost", "a", "localhost", "" },
	{ STR("<m\xc3\xbcller@b\xc3\xbc"
	    "cher.example>"), U8, "m\xc3\xbcller@b\xc3\xbc"
	    "cher.example", "m\xc3\xbcller", "b\xc3\xbc"
	    "cher.example", "" },
	{ STR("<a@xn--bcher-kva.example>"), 0, "a@xn--bcher-kva.example", "a",
	    "xn--bcher-kva.example", "" },
};

START_TEST(reads_a_path_and_leaves_what_follows)
{
	struct str rest = good[_i].in;
	struct addr a;

	if (addr_parse_path(pool, &rest, good[_i].flags, &a, &why) != 0)
		ck_abort_msg("%s: %s", good[_i].in.p, why.text);
	ck_assert_str_eq(a.full.p, good[_i].full);
	ck_assert_uint_eq(a.full.n, strlen(good[_i].full));
	ck_assert(str_eq_c(a.local, good[_i].local));
	ck_assert(str_eq_c(a.domain, good[_i].domain));
	ck_assert(str_eq_c(rest, good[_i].rest));
	ck_assert_int_eq(a.utf8, good[_i].flags == U8);
	ck_assert_int_eq(a.literal, a.domain.n > 0 && a.domain.p[0] == '[');
	/* What is empty can be taken for a string. */
	ck_assert_ptr_nonnull(a.domain.p);
}
END_TEST

static const struct {
	struct str in;
	unsigned flags;
	const char *enh;
} wrong[] = {
	{ STR(""), SND, "5.1.7" },
	{ STR(""), 0, "5.1.3" },
	{ STR("a@b.example"), 0, "5.1.3" },
	{ STR("<a@b.example"), 0, "5.1.3" },
	{ STR("<>"), 0, "5.1.3" },
	{ STR("< >"), SND, "5.1.7" },
	{ STR("<a>"), 0, "5.1.3" },
	{ STR("<a>"), RCP, "5.1.3" },
	{ STR("<postmaster>"), SND, "5.1.7" },
	{ STR("<postmaster@>"), RCP, "5.1.3" },
	{ STR("<@b.example>"), 0, "5.1.3" },
	{ STR("<@>"), 0, "5.1.3" },
	{ STR("<a@>"), 0, "5.1.3" },
	{ STR("<a@@b.example>"), 0, "5.1.3" },
	{ STR("<a@b.example@c.example>"), 0, "5.1.3" },
	{ STR("< a@b.example>"), 0, "5.1.3" },
	{ STR("<a@b.example >"), 0, "5.1.3" },
	{ STR("<a b@c.example>"), 0, "5.1.3" },
	{ STR("<.a@b.example>"), 0, "5.1.3" },
	{ STR("<a.@b.example>"), 0, "5.1.3" },
	{ STR("<a..b@c.example>"), 0, "5.1.3" },
	{ STR("<a@.example>"), 0, "5.1.3" },
	{ STR("<a@b.example.>"), 0, "5.1.3" },
	{ STR("<a@b..example>"), 0, "5.1.3" },
	{ STR("<a@-b.example>"), 0, "5.1.3" },
	{ STR("<a@b-.example>"), 0, "5.1.3" },
	{ STR("<a@b_c.example>"), 0, "5.1.3" },
	{ STR("<a@b.example\0>"), 0, "5.1.3" },
	{ STR("<a\0@b.example>"), 0, "5.1.3" },
	{ STR("<a\r\n@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\r\n\"@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\\\n\"@b.example>"), 0, "5.1.3" },
	{ STR("<\"a@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\x16@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\n@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\0@b.example>"), 0, "5.1.3" },
	{ STR("<\"a\"b@c.example>"), 0, "5.1.3" },
	{ STR("<a\"b\"@c.example>"), 0, "5.1.3" },
	{ STR("<\"a\\"), 0, "5.1.3" },
	{ STR("<\""), 0, "5.1.3" },
	{ STR("<a@[192.0.2.256]>"), 0, "5.1.3" },
	{ STR("<a@[192.0.2.1>"), 0, "5.1.3" },
	{ STR("<a@[]>"), 0, "5.1.3" },
	{ STR("<a@[2001:db8::1]>"), 0, "5.1.3" },
	{ STR("<a@[IPv6:192.0.2.1]>"), 0, "5.1.3" },
	{ STR("<a@[127.0.0.1\0]>"), 0, "5.1.3" },
	{ STR("<@one.example>"), 0, "5.1.3" },
	{ STR("<@one.example,a@b.example>"), 0, "5.1.3" },
	{ STR("<@one.example:>"), 0, "5.1.3" },
	{ STR("<@:a@b.example>"), 0, "5.1.3" },
	{ STR("<m\xc3\xbcller@b.example>"), 0, "5.6.7" },
	{ STR("<a@b\xc3\xbc.example>"), 0, "5.6.7" },
	{ STR("<m\xc3@b.example>"), U8, "5.1.3" },
	{ STR("<\xc0\x80@b.example>"), U8, "5.1.3" },
	{ STR("<\xc2\x85@b.example>"), U8, "5.1.3" },
	{ STR("<a@b\xff.example>"), U8, "5.1.3" },
	{ STR("<a@b\xe2\x80\x8b\xe2\x80\xae.example>"), U8, "5.1.3" },
};

START_TEST(refuses_what_is_no_path_and_says_which_kind)
{
	struct str rest = wrong[_i].in;
	struct addr a;

	ck_assert_msg(addr_parse_path(pool, &rest, wrong[_i].flags, &a,
	    &why) == -1, "%s", wrong[_i].in.p);
	ck_assert_str_eq(why.enh, wrong[_i].enh);
	ck_assert_int_eq(why.code,
	    strcmp(wrong[_i].enh, "5.6.7") == 0 ? 553 : 501);
	ck_assert(rest.p == wrong[_i].in.p && rest.n == wrong[_i].in.n);
}
END_TEST

/* An address of a local part of l octets and a domain of d. */
static int
sized(size_t l, size_t d)
{
	char text[2000], *p = text;
	struct addr a;
	size_t i;
	struct str s;

	*p++ = '<';
	memset(p, 'l', l);
	p += l;
	*p++ = '@';
	for (i = 0; i < d; i++)
		*p++ = i % 64 == 63 && i + 1 < d ? '.' : 'd';
	*p++ = '>';
	s = str_n(text, (size_t)(p - text));
	return addr_parse_path(pool, &s, 0, &a, &why);
}

START_TEST(keeps_to_the_limits_of_rfc_5321)
{
	ck_assert_int_eq(sized(64, 10), 0);
	ck_assert_int_eq(sized(65, 10), -1);
	ck_assert_int_eq(sized(900, 10), -1);
	/* 256 octets with the brackets. */
	ck_assert_int_eq(sized(64, 189), 0);
	ck_assert_int_eq(sized(64, 190), -1);
	ck_assert_int_eq(sized(1, 252), 0);
	ck_assert_int_eq(sized(1, 253), -1);
	ck_assert_int_eq(sized(1, 900), -1);
}
END_TEST

START_TEST(reads_an_address_without_brackets)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(pool, STR("a@B.example"), 0, &a, &why), 0);
	ck_assert_str_eq(a.full.p, "a@b.example");
	ck_assert_int_eq(addr_parse(pool, STR(""), ADDR_NULL_OK, &a, &why), 0);
	ck_assert_str_eq(a.full.p, "");
	ck_assert_int_eq(addr_parse(pool, STR(""), 0, &a, &why), -1);
	ck_assert_int_eq(addr_parse(pool, STR("a@b.example "), 0, &a, &why),
	    -1);
	ck_assert_int_eq(addr_parse(pool, STR("<a@b.example>"), 0, &a, &why),
	    -1);
	ck_assert_int_eq(addr_parse(pool, STR("postmaster"),
	    ADDR_POSTMASTER_OK, &a, &why), 0);
}
END_TEST

static const struct {
	struct str in;
	bool ascii, utf8;
	const char *converted; /* NULL: there is none */
} domains[] = {
	{ STR("example.org"), true, true, "example.org" },
	{ STR("EXAMPLE.org"), true, true, "example.org" },
	{ STR("a"), true, true, "a" },
	{ STR("1.2.3.4"), true, true, "1.2.3.4" },
	{ STR(""), false, false, NULL },
	{ STR("."), false, false, NULL },
	{ STR("a."), false, false, NULL },
	{ STR(".a"), false, false, NULL },
	{ STR("a b"), false, false, NULL },
	{ STR("a\0b"), false, false, NULL },
	{ STR("[192.0.2.1]"), false, false, NULL },
	{ STR("b\xc3\xbc"
	    "cher.example"), false, true, "xn--bcher-kva.example" },
	{ STR("B\xc3\x9c"
	    "CHER.example"), false, true, "xn--bcher-kva.example" },
	{ STR("stra\xc3\x9f"
	    "e.example"), false, true, "xn--strae-oqa.example" },
	/* A full stop of another script makes two labels. */
	{ STR("a\xe3\x80\x82"
	    "b\xc3\xbc.example"), false, true, "a.xn--b-eha.example" },
	{ STR("\xc3\xbc \xc3\xbc.example"), false, false, NULL },
	{ STR("\xc3\xbc..example"), false, false, NULL },
	{ STR("\xff.example"), false, false, NULL },
};

START_TEST(domains_are_letters_digits_and_hyphens_or_have_an_a_form)
{
	char ascii[ADDR_DOMAIN_MAX + 1];
	struct str in = domains[_i].in;

	ck_assert_int_eq(domain_valid(in, false), domains[_i].ascii);
	ck_assert_int_eq(domain_valid(in, true), domains[_i].utf8);
	ck_assert_int_eq(domain_to_ascii(in, ascii, sizeof(ascii)),
	    domains[_i].converted == NULL ? -1 : 0);
	if (domains[_i].converted != NULL)
		ck_assert_str_eq(ascii, domains[_i].converted);
}
END_TEST

START_TEST(labels_have_63_octets_and_no_more)
{
	char text[400], ascii[ADDR_DOMAIN_MAX + 1];
	size_t n;

	memset(text, 'a', sizeof(text));
	ck_assert(domain_valid(str_n(text, 63), false));
	ck_assert(!domain_valid(str_n(text, 64), false));
	ck_assert(!domain_valid(str_n(text, 64), true));
	for (n = 63; n < sizeof(text); n += 64)
		text[n] = '.';
	ck_assert(domain_valid(str_n(text, 255), false));
	ck_assert(!domain_valid(str_n(text, 257), false));
	/* 40 times ü is short in UTF-8 and too long as an A-label. */
	for (n = 0; n < 140; n += 2)
		memcpy(text + n, "\xc3\xbc", 2);
	ck_assert_int_eq(domain_to_ascii(str_n(text, 80), ascii,
	    sizeof(ascii)), 0);
	ck_assert_int_eq(domain_to_ascii(str_n(text, 140), ascii,
	    sizeof(ascii)), -1);
	ck_assert_int_eq(domain_to_ascii(STR("example.org"), ascii, 11), -1);
	ck_assert_int_eq(domain_to_ascii(STR("example.org"), ascii, 12), 0);
}
END_TEST

START_TEST(literals_give_their_bare_address)
{
	char ip[64];

	ck_assert(domain_literal(STR("[192.0.2.1]"), ip, sizeof(ip)));
	ck_assert_str_eq(ip, "192.0.2.1");
	ck_assert(domain_literal(STR("[ipv6:2001:DB8:0::1]"), ip,
	    sizeof(ip)));
	ck_assert_str_eq(ip, "2001:db8::1");
	ck_assert(!domain_literal(STR("192.0.2.1"), ip, sizeof(ip)));
	ck_assert(!domain_literal(STR("[x400:c=de]"), ip, sizeof(ip)));
	ck_assert(!domain_literal(STR("[192.0.2.1]"), ip, 9));
}
END_TEST

START_TEST(patterns_match_a_domain_its_children_or_all)
{
	ck_assert(domain_matches(STR("example.org"), STR("EXAMPLE.org")));
	ck_assert(!domain_matches(STR("example.org"), STR("a.example.org")));
	ck_assert(domain_matches(STR(".example.org"), STR("a.EXAMPLE.org")));
	ck_assert(domain_matches(STR(".example.org"), STR("a.b.example.org")));
	ck_assert(!domain_matches(STR(".example.org"), STR("example.org")));
	ck_assert(!domain_matches(STR(".example.org"), STR("badexample.org")));
	ck_assert(!domain_matches(STR(".example.org"), STR(".example.org")));
	ck_assert(domain_matches(STR("b\xc3\xbc" "cher.example"),
	    STR("xn--bcher-kva.EXAMPLE")));
	ck_assert(domain_matches(STR(".xn--bcher-kva.example"),
	    STR("a.B\xc3\x9c" "CHER.example")));
	ck_assert(domain_matches(STR("*"), STR("anything")));
	ck_assert(domain_matches(STR("*"), STR("")));
	ck_assert(!domain_matches(STR(""), STR("")));
	ck_assert(!domain_matches(STR("."), STR("a.")));
}
END_TEST

START_TEST(lists_have_addresses_and_domains)
{
	static const char *const list[] = { "example.org", ".below.example",
		"Jo@one.example", "di@b\xc3\xbc" "cher.example", NULL };
	static const char *const in[] = { "a@EXAMPLE.org", "a@x.below.example",
		"jo@One.example", "di@xn--bcher-kva.example",
		"\"JO\"@one.example", "\"j\\o\"@one.example" };
	static const char *const out[] = { "a@x.example.org",
		"a@below.example", "a@one.example", "ajo@one.example",
		"di@one.example", "jo@x.one.example", "\"j o\"@one.example" };
	struct addr a;
	size_t i;

	for (i = 0; i < COUNT(in); i++) {
		ck_assert_int_eq(addr_parse(pool, str_c(in[i]), 0, &a, &why),
		    0);
		ck_assert_msg(addr_listed(list, &a), "%s", in[i]);
		ck_assert(!addr_listed(&list[COUNT(list) - 1], &a));
	}
	for (i = 0; i < COUNT(out); i++) {
		ck_assert_int_eq(addr_parse(pool, str_c(out[i]), 0, &a, &why),
		    0);
		ck_assert_msg(!addr_listed(list, &a), "%s", out[i]);
	}
	a = (struct addr){ .full = STR("postmaster"),
		.local = STR("postmaster"), .domain = STR("") };
	ck_assert(!addr_listed(list, &a));
}
END_TEST

START_TEST(spellings_of_a_mailbox_have_one_form)
{
	static const char *const all[] = { "jo.e@xn--bcher-kva.example",
		"Jo.E@B\xc3\xbc" "cher.EXAMPLE", "\"jo.e\"@b\xc3\xbc"
		"cher\xe3\x80\x82" "example", "\"j\\o.\\e\"@b\xc3\xbc"
		"cher.\xef\xbd\x85xample" };
	struct addr a;
	size_t i;

	for (i = 0; i < COUNT(all); i++) {
		ck_assert_int_eq(addr_parse(pool, str_c(all[i]), ADDR_UTF8_OK,
			&a, &why), 0);
		ck_assert_str_eq(addr_fold(pool, &a), all[0]);
	}
	a = (struct addr){ .full = STR(""), .local = STR(""),
		.domain = STR("") };
	ck_assert_str_eq(addr_fold(pool, &a), "");
	a.local = STR("\"A \\\"\\b\\\\..\"");
	a.domain = STR("c.example");
	ck_assert_str_eq(addr_fold(pool, &a), "\"a \\\"b\\\\..\"@c.example");
	a.domain = STR("");
	a.local = STR("Postmaster");
	ck_assert_str_eq(addr_fold(pool, &a), "postmaster");
}
END_TEST

UNIT_SUITE(addr)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_loop_test(tc, reads_a_path_and_leaves_what_follows, 0,
	    COUNT(good));
	tcase_add_loop_test(tc, refuses_what_is_no_path_and_says_which_kind, 0,
	    COUNT(wrong));
	tcase_add_test(tc, keeps_to_the_limits_of_rfc_5321);
	tcase_add_test(tc, reads_an_address_without_brackets);
	tcase_add_loop_test(tc,
	    domains_are_letters_digits_and_hyphens_or_have_an_a_form, 0,
	    COUNT(domains));
	tcase_add_test(tc, labels_have_63_octets_and_no_more);
	tcase_add_test(tc, literals_give_their_bare_address);
	tcase_add_test(tc, patterns_match_a_domain_its_children_or_all);
	tcase_add_test(tc, lists_have_addresses_and_domains);
	tcase_add_test(tc, spellings_of_a_mailbox_have_one_form);
}
