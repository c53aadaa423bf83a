#include <string.h>

#include "cast.h"
#include "unit.h"

#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *san, *cn;
	enum tlsref_kind kind;
	enum tlsref_how how;
	const char *ref, *by; /* "" no match */
} names[] = {
	{ "DNS:mx.example.org", NULL, 0, TLSREF_SAN, "mx.example.org",
	    "san:domain" },
	{ "DNS:MX.Example.ORG", NULL, TLSREF_MX, TLSREF_SAN, "mx.example.org",
	    "san:mx" },
	{ "DNS:mx.example.org", NULL, TLSREF_ROUTE, TLSREF_SAN,
	    "MX.example.org.", "san:route" },
	{ "DNS:mx.example.org.", NULL, 0, TLSREF_SAN, "mx.example.org",
	    "san:domain" },
	{ "DNS:a.example,DNS:b.example", NULL, TLSREF_NAME, TLSREF_SAN,
	    "b.example", "san:name" },
	{ "DNS:xn--bcher-kva.example", NULL, 0, TLSREF_SAN,
	    "b\xc3\xbc" "cher.example", "san:domain" },
	{ "DNS:mail_1.example.org", NULL, 0, TLSREF_SAN, "mail_1.example.org",
	    "san:domain" },
	{ "DNS:mx.example.org", NULL, 0, TLSREF_SAN, "example.org", "" },
	{ "DNS:example.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "email:a@mx.example", NULL, 0, TLSREF_SAN, "mx.example", "" },
	{ "URI:smtp://mx.example", NULL, 0, TLSREF_SAN, "mx.example", "" },
	/* Wildcards. */
	{ "DNS:*.example.org", NULL, 0, TLSREF_SAN, "mx.example.org",
	    "san:domain" },
	{ "DNS:*.example.org", NULL, 0, TLSREF_SAN, "xn--bcher-kva.example.org",
	    "san:domain" },
	{ "DNS:*.example.org", NULL, 0, TLSREF_SAN, "a.mx.example.org", "" },
	{ "DNS:*.example.org", NULL, 0, TLSREF_SAN, "example.org", "" },
	{ "DNS:*.example.org", NULL, 0, TLSREF_SAN, "*.example.org", "" },
	{ "DNS:*.org", NULL, 0, TLSREF_SAN, "example.org", "" },
	{ "DNS:*", NULL, 0, TLSREF_SAN, "org", "" },
	{ "DNS:m*.example.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "DNS:*x.example.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "DNS:mx.*.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "DNS:*.*.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "DNS:xn--*.example.org", NULL, 0, TLSREF_SAN, "xn--a.example.org",
	    "" },
	{ "DNS:*..org", NULL, 0, TLSREF_SAN, "mx..org", "" },
	/* What is below. */
	{ "DNS:a.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "san:name" },
	{ "DNS:b.a.example.org", NULL, TLSREF_NAME, TLSREF_SAN,
	    ".Example.org", "san:name" },
	{ "DNS:*.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "san:name" },
	{ "DNS:*.a.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "san:name" },
	{ "DNS:example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "" },
	{ "DNS:badexample.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "" },
	{ "DNS:.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "" },
	{ "DNS:.a.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org",
	    "" },
	{ "DNS:*.org", NULL, TLSREF_NAME, TLSREF_SAN, ".example.org", "" },
	{ "DNS:.example.org", NULL, 0, TLSREF_SAN, "mx.example.org", "" },
	{ "DNS:a.example.org", NULL, TLSREF_NAME, TLSREF_SAN, ".", "" },
	/* Addresses. */
	{ "IP:192.0.2.1", NULL, TLSREF_NAME, TLSREF_SAN, "192.0.2.1",
	    "san:name" },
	{ "IP:2001:db8::1", NULL, TLSREF_NAME, TLSREF_SAN, "2001:DB8:0::1",
	    "san:name" },
	{ "DNS:192.0.2.1", NULL, TLSREF_NAME, TLSREF_SAN, "192.0.2.1", "" },
	{ "IP:192.0.2.2", NULL, TLSREF_NAME, TLSREF_SAN, "192.0.2.1", "" },
	{ "IP:192.0.2.1", NULL, TLSREF_NAME, TLSREF_SAN, "mx.example", "" },
	/* CNs. */
	{ NULL, "mx.example", TLSREF_PTR, TLSREF_CN, "MX.example.", "cn:ptr" },
	{ NULL, "mx.example", 0, TLSREF_CN, "mx.example", "cn:domain" },
	{ "DNS:b.example", "mx.example", 0, TLSREF_CN, "mx.example",
	    "cn:domain" },
	{ "DNS:mx.example", "b.example", 0, TLSREF_CN, "mx.example", "" },
	{ NULL, "mx.example", 0, TLSREF_SAN, "mx.example", "" },
	{ NULL, "mx.example", TLSREF_ROUTE, TLSREF_SAN_OR_CN, "mx.example",
	    "cn:route" },
	{ "DNS:mx.example", "b.example", TLSREF_MX, TLSREF_SAN_OR_CN,
	    "mx.example", "san:mx" },
	{ "DNS:b.example", "mx.example", TLSREF_MX, TLSREF_SAN_OR_CN,
	    "mx.example", "" },
	{ "email:a@b.example", "mx.example", TLSREF_MX, TLSREF_SAN_OR_CN,
	    "mx.example", "" },
	{ NULL, "*.example.org", 0, TLSREF_CN, "mx.example.org", "" },
	{ NULL, "*.example.org", 0, TLSREF_CN, "*.example.org", "" },
	{ NULL, "a.example.org", TLSREF_NAME, TLSREF_CN, ".example.org", "" },
	{ NULL, "b\xc3\xbc" "cher.example", 0, TLSREF_CN,
	    "b\xc3\xbc" "cher.example", "" },
	{ NULL, "xn--bcher-kva.example", 0, TLSREF_CN,
	    "b\xc3\xbc" "cher.example", "cn:domain" },
};

START_TEST(compares_names_by_the_rules)
{
	struct tlsref refs[3] = {
		{ TLSREF_DOMAIN, TLSREF_SAN, { "no.such.name", 12 } },
		{ names[_i].kind, names[_i].how, str_c(names[_i].ref) },
	};
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = refs };
	struct pki_order o = { .cn = names[_i].cn,
		.san = names[_i].san,
		.issuer = cast['R'] };
	struct tlsverify v;

	cast_verify(&in, pki_make(&o), "L", &v);
	ck_assert_str_eq(v.by, names[_i].by);
	ck_assert_str_eq(v.matched, v.ok ? names[_i].ref : "");
	ck_assert_str_eq(tls_reason_word(v.reason),
	    v.ok ? "" : "name-mismatch");
}
END_TEST

START_TEST(only_the_last_cn_is_a_name)
{
	struct pki_order o = { .cn = "mx.example",
		.cn2 = "b.example",
		.issuer = cast['R'] };
	struct tlsref refs[2] = {
		{ TLSREF_DOMAIN, TLSREF_CN, STR("mx.example") },
	};
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = refs };
	const struct pki_cert *leaf = pki_make(&o);
	struct tlsverify v;

	cast_verify(&in, leaf, "L", &v);
	ck_assert_str_eq(v.by, "");
	refs[0].name = STR("b.example");
	cast_verify(&in, leaf, "L", &v);
	ck_assert_str_eq(v.by, "cn:domain");
}
END_TEST

/* A CA held to some names could write any CN. */
START_TEST(no_cn_counts_under_constraints)
{
	struct pki_order o = { .cn = "mx.other.example",
		.san = "DNS:mx.corp.example",
		.issuer = cast['N'] };
	struct tlsref refs[2] = {
		{ TLSREF_DOMAIN, TLSREF_CN, STR("mx.other.example") },
	};
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = refs };
	struct tlsverify v;

	cast_verify(&in, pki_make(&o), "LN", &v);
	ck_assert_str_eq(tls_reason_word(v.reason), "name-mismatch");
}
END_TEST

static const struct str raw[] = {
	{ "mx.example\0.evil.example", 24 },
	{ "mx.example\0", 11 },
	{ "\0mx.example", 11 },
	{ "mx.example ", 11 },
	{ "mx.example\n", 11 },
	{ "mx\xc3\xbc.example", 12 },
	{ "mx\xff.example", 11 },
	{ "mx.example/x", 12 },
	{ "", 0 },
	{ ".", 1 },
	{ "*.", 2 },
	{ "*.*", 3 },
	{ "mx.example..", 12 },
};

START_TEST(odd_octets_are_no_name)
{
	struct pki_order o = { .cn = "leaf", .raw = raw[_i], .many = 2 };
	struct tlsref refs[] = {
		{ TLSREF_DOMAIN, TLSREF_SAN, STR("mx.example") },
		{ TLSREF_DOMAIN, TLSREF_SAN_OR_CN, STR("leaf") },
		{ TLSREF_DOMAIN, TLSREF_SAN, raw[_i] },
		{ TLSREF_NAME, TLSREF_SAN, STR(".evil.example") },
		{ TLSREF_DOMAIN, TLSREF_SAN, STR("n1.example") },
		{ TLSREF_DOMAIN, TLSREF_SAN, STR_NULL },
	};
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = refs };
	struct tlsverify v;

	o.issuer = cast['R'];
	cast_verify(&in, pki_make(&o), "L", &v);
	ck_assert(!v.ok || strcmp(v.matched, "n1.example") == 0);
}
END_TEST

/* As many as a handshake can carry; work is bounded by octets times names. */
START_TEST(finds_the_last_of_ten_thousand_names)
{
	struct pki_order o = { .cn = "leaf",
		.raw = STR("mx.corp.example"),
		.many = 10000,
		.issuer = cast['R'] };
	struct tlsref refs[102] = { { .name = STR_NULL } };
	struct tlsverify_in in = { .trust = cast_trust,
		.server = true,
		.refs = refs };
	struct tlsverify v;
	unsigned i;

	for (i = 0; i < 100; i++)
		refs[i].name = STR("b.corp.example");
	refs[100].name = STR("mx.corp.example");
	cast_verify(&in, pki_make(&o), "L", &v);
	ck_assert(v.ok);
}
END_TEST

UNIT_SUITE(tlsverify_name)
{
	tcase_add_checked_fixture(tc, cast_start, cast_stop);
	tcase_add_loop_test(tc, compares_names_by_the_rules, 0, COUNT(names));
	tcase_add_test(tc, only_the_last_cn_is_a_name);
	tcase_add_test(tc, no_cn_counts_under_constraints);
	tcase_add_loop_test(tc, odd_octets_are_no_name, 0, COUNT(raw));
	tcase_add_test(tc, finds_the_last_of_ten_thousand_names);
}
