#include "relay/refs.h"

#include <stdio.h>

#include "base/buf.h"
#include "tests/unit/unit.h"

#define RV "required-verify"

enum { SECURE = 1, ROUTE = 2, PTR = 4 };

static const struct {
	const char *want;
	unsigned flags;
	const char *domain, *host;
	const char *refs; /* "how:kind:name " each */
} cases[] = {
	{ RV, 0, "Example.ORG", "mx.example.net", "san:domain:example.org " },
	{ RV, SECURE, "example.org", "MX.example.net.",
	    "san:domain:example.org san:mx:mx.example.net " },
	{ RV, ROUTE, "example.org", "smart.example.net",
	    "san:domain:example.org san:route:smart.example.net " },
	{ RV, ROUTE | SECURE, "example.org", "[192.0.2.1]",
	    "san:domain:example.org " },
	{ RV, ROUTE, "example.org", "192.0.2.1", "san:domain:example.org " },
	{ RV, ROUTE, "example.org", "2001:db8::1", "san:domain:example.org " },
	{ RV, ROUTE, "example.org", "", "san:domain:example.org " },
	{ RV, 0, "[192.0.2.1]", "", "san:domain:192.0.2.1 " },
	{ RV, 0, "[IPv6:2001:DB8:0::1]", "", "san:domain:2001:db8::1 " },
	{ RV, SECURE, "b\xc3\xbc" "cher.example", "mx.m\xc3\xbcller.example",
	    "san:domain:xn--bcher-kva.example "
	    "san:mx:mx.xn--mller-kva.example " },
	/* What a stranger's DNS says is one name. */
	{ RV, SECURE, "example.org", ".example", "san:domain:example.org " },
	{ RV " match=domain", SECURE, "example.org", "mx.example.net",
	    "san:domain:example.org " },
	{ RV " match=domain", ROUTE, "example.org", "mx.example.net",
	    "san:domain:example.org " },
	{ RV "-hosted", 0, "example.org", "mx.example.net",
	    "either:domain:example.org either:mx:mx.example.net " },
	{ RV "-hosted", ROUTE | PTR, "example.org", "smart.example.net",
	    "either:domain:example.org either:route:smart.example.net " },
	{ RV " match=compat", PTR | SECURE, "example.org", "mx.example.net",
	    "san:domain:example.org cn:domain:example.org "
	    "cn:ptr:ptr.example " },
	{ RV " match=compat", 0, "example.org", "mx.example.net",
	    "san:domain:example.org cn:domain:example.org " },
	{ RV " names=b.example,.a.example,192.0.2.7", SECURE | PTR,
	    "example.org", "mx.example.net",
	    "san:name:.a.example san:name:192.0.2.7 san:name:b.example " },
	{ RV "-hosted names=b.example", 0, "example.org", "mx.example.net",
	    "either:domain:example.org either:mx:mx.example.net "
	    "san:name:b.example " },
};

START_TEST(makes_names_of_a_match)
{
	static const char *const how[] = { "san", "cn", "either" };
	struct refs_host h = { .host = cases[_i].host };
	struct pool *pool = pool_new(0);
	const struct tlsref *r;
	struct tlswant want;
	struct buf text;

	ck_assert_int_eq(
	    tlswant_read(&want, str_c(cases[_i].want), pool, NULL), 0);
	h.domain = str_c(cases[_i].domain);
	h.route = (cases[_i].flags & ROUTE) != 0;
	h.secure = (cases[_i].flags & SECURE) != 0;
	h.ptr = (cases[_i].flags & PTR) != 0 ? "ptr.example" : NULL;
	buf_init(&text, 1000);
	for (r = refs_make(&want, &h, pool); r->name.p != NULL; r++)
		ck_assert_int_eq(
		    buf_printf(&text, "%s:%s:%.*s ", how[r->how],
			tlsref_kind_word(r->kind), STR_FMT(r->name)),
		    0);
	ck_assert_str_eq(buf_p(&text), cases[_i].refs);
	buf_fini(&text);
	pool_destroy(&pool);
}
END_TEST

START_TEST(asks_for_the_name_of_the_address_where_it_may_match)
{
	static const struct {
		const char *want;
		bool need;
	} wants[] = {
		{ RV " match=compat", true },
		{ "preferred-verify match=compat", true },
		{ RV, false },
		{ RV "-hosted", false },
		{ "required", false },
	};
	struct pool *pool = pool_new(0);
	struct tlswant want;
	size_t i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		ck_assert_int_eq(
		    tlswant_read(&want, str_c(wants[i].want), pool, NULL), 0);
		ck_assert_int_eq(refs_need_ptr(&want), wants[i].need);
	}
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(refs)
{
	tcase_add_loop_test(tc, makes_names_of_a_match, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, asks_for_the_name_of_the_address_where_it_may_match);
}
