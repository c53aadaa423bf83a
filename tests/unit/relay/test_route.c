#include "relay/route.h"

#include <stdio.h>

#include "relay/way.h"
#include "tests/unit/unit.h"

static const struct relay_route table[] = {
	{ .domain = ".example.org" },
	{ .domain = "example.org" },
	{ .domain = "*" },
	{ .domain = ".deep.example.org" },
	{ .domain = "b\xc3\xbc" "cher.example" },
	{ .domain = ".xn--mller-kva.example" },
};

static const struct relay_conf conf = {
	.hostname = "mx.us.example",
	.route = table,
	.nroute = 6,
};

static const struct relay_conf none = { .hostname = "mx.us.example" };

static const struct {
	const char *domain, *found;
} cases[] = {
	{ "example.org", "example.org" },
	{ "EXAMPLE.org", "example.org" },
	{ "a.example.org", ".example.org" },
	{ "b.deep.example.org", ".deep.example.org" },
	{ "deep.example.org", ".example.org" },
	{ "notexample.org", "*" },
	{ "example.net", "*" },
	/* No spelling of a name gets around its route. */
	{ "b\xc3\xbc" "cher.example", "b\xc3\xbc" "cher.example" },
	{ "B\xc3\x9c" "CHER.example", "b\xc3\xbc" "cher.example" },
	{ "bu\xcc\x88" "cher.example", "b\xc3\xbc" "cher.example" },
	{ "xn--bcher-kva.example", "b\xc3\xbc" "cher.example" },
	{ "XN--BCHER-KVA.EXAMPLE", "b\xc3\xbc" "cher.example" },
	{ "mx.m\xc3\xbcller.example", ".xn--mller-kva.example" },
};

START_TEST(takes_the_closest_route)
{
	const struct relay_route *r = route_find(&conf,
	    str_c(cases[_i].domain));

	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->domain, cases[_i].found);
}
END_TEST

START_TEST(without_a_route_goes_by_mx)
{
	char key[300];

	ck_assert_ptr_null(route_find(&none, STR("example.org")));
	(void)route_key(&none, STR("Example.ORG"), key, sizeof(key));
	ck_assert_str_eq(key, "example.org");
	ck_assert_ptr_null(route_of_key(&none, key));
}
END_TEST

START_TEST(domains_of_one_route_share_a_key)
{
	char a[300], b[300];

	(void)route_key(&conf, STR("x.example"), a, sizeof(a));
	(void)route_key(&conf, STR("y.example"), b, sizeof(b));
	ck_assert_str_eq(a, b);
	ck_assert_str_eq(a, "route:*");
	ck_assert_ptr_eq(route_of_key(&conf, a), &table[2]);
}
END_TEST

START_TEST(a_key_is_taken_apart)
{
	const char *key = "route:* required-verify match=hosted";

	ck_assert(str_eq_c(route_key_hop(key), "route:*"));
	ck_assert_str_eq(route_key_want(key), "required-verify match=hosted");
	ck_assert_ptr_eq(route_of_key(&conf, key), &table[2]);
	ck_assert_ptr_null(route_of_key(&conf, "example.org required"));
	ck_assert(str_eq_c(route_key_hop("example.org"), "example.org"));
	ck_assert_str_eq(route_key_want("example.org"), "");
	ck_assert_uint_eq(route_key_profile(key).n, 0);
	key = "route:*/a.example bounce_profile=slow required match=mx";
	ck_assert(str_eq_c(route_key_hop(key), "route:*/a.example"));
	ck_assert(str_eq_c(route_key_profile(key), "slow"));
	ck_assert_str_eq(route_key_want(key), "required match=mx");
	ck_assert_ptr_eq(route_of_key(&conf, key), &table[2]);
	key = "example.org bounce_profile=slow";
	ck_assert(str_eq_c(route_key_profile(key), "slow"));
	ck_assert_str_eq(route_key_want(key), "");
}
END_TEST

START_TEST(a_key_of_a_route_may_name_the_domain_whose_limits_count)
{
	struct pool *pool = pool_new(0);
	const struct relay_route *r;

	ck_assert(str_eq_c(route_key_domain("a.example required"),
	    "a.example"));
	ck_assert(str_eq_c(route_key_domain("route:*/a.example required"),
	    "a.example"));
	ck_assert_uint_eq(route_key_domain("route:* required").n, 0);
	ck_assert_ptr_eq(route_of_key(&conf, "route:*/a.example"), &table[2]);
	r = route_of_hosts("hosts:[192.0.2.1]:25,mx:b.example/a.example",
	    pool);
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->hosts[1], "mx:b.example");
	ck_assert_ptr_null(r->hosts[2]);
	pool_destroy(&pool);
}
END_TEST

START_TEST(postmaster_without_a_domain_is_ours)
{
	char key[300];

	(void)route_key(&none, STR(""), key, sizeof(key));
	ck_assert_str_eq(key, "mx.us.example");
}
END_TEST

START_TEST(a_u_label_and_its_a_label_share_a_key)
{
	char a[300], b[300];

	(void)route_key(&none, STR("b\xc3\xbc" "cher.example"), a, sizeof(a));
	(void)route_key(&none, STR("xn--bcher-kva.example"), b, sizeof(b));
	ck_assert_str_eq(a, b);
}
END_TEST

static const struct {
	const char *text, *key;
	bool good;
} own[] = {
	{ "example.org", "route:example.org", true },
	{ "EXAMPLE.org", "route:example.org", true },
	{ "*", "route:*", true },
	/* Without a port it is a name, and there is none like it. */
	{ "gone.example", "route:gone.example", false },
	{ "[192.0.2.1]", "route:[192.0.2.1]", false },
	{ "[192.0.2.1]:25", "hosts:[192.0.2.1]:25", true },
	{ "MX:Example.NET", "hosts:mx:example.net", true },
	{ "a.example:25 b.example", "hosts:a.example:25,b.example", true },
	{ "a.example:0", "hosts:a.example:0", false },
	{ "a.example:25  b.example", "hosts:a.example:25,,b.example", false },
	{ "mx:[192.0.2.1]", "hosts:mx:[192.0.2.1]", false },
	{ "", "route:", false },
};

START_TEST(a_recipient_goes_by_a_route_of_its_own)
{
	struct err why = ERR_INIT;
	struct pool *pool = pool_new(0);
	const struct relay_route *r;
	char key[RCPT_ROUTE_MAX + 8];

	r = route_key_own(&conf, str_c(own[_i].text), key, sizeof(key));
	ck_assert_str_eq(key, own[_i].key);
	ck_assert(route_key_is_route(key));
	ck_assert_ptr_eq(r, route_of_key(&conf, key));
	ck_assert_int_eq(route_check(&conf, str_c(own[_i].text), &why),
	    own[_i].good ? 0 : -1);
	if (r == NULL)
		r = route_of_hosts(key, pool);
	ck_assert_int_eq(r != NULL, own[_i].good);
	pool_destroy(&pool);
}
END_TEST

START_TEST(hosts_of_a_key_are_those_of_the_text)
{
	struct pool *pool = pool_new(0);
	const struct relay_route *r;

	r = route_of_hosts("hosts:[ipv6:::1]:25,mx:b.example required", pool);
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->hosts[0], "[ipv6:::1]:25");
	ck_assert_str_eq(r->hosts[1], "mx:b.example");
	ck_assert_ptr_null(r->hosts[2]);
	ck_assert_ptr_null(route_of_hosts("example.org", pool));
	pool_destroy(&pool);
}
END_TEST

START_TEST(a_route_has_a_length_and_a_number_of_hosts)
{
	struct err why = ERR_INIT;
	char text[RCPT_ROUTE_MAX + 2] = "";
	unsigned i;

	for (i = 0; i < 20; i++)
		(void)snprintf(text + strlen(text), 6, "%smx:a",
		    i > 0 ? " " : "");
	ck_assert_int_eq(route_check(&conf, str_c(text), &why), 0);
	(void)snprintf(text + strlen(text), 6, " mx:a");
	ck_assert_int_eq(route_check(&conf, str_c(text), &why), -1);
	memset(text, 'a', RCPT_ROUTE_MAX + 1);
	ck_assert_int_eq(route_check(&conf, str_n(text, RCPT_ROUTE_MAX + 1),
	    &why), -1);
}
END_TEST

/* A policy by itself: names may be anybody's, an address alone is none. */
START_TEST(where_nobody_knows_the_blocks_a_name_will_do)
{
	struct err why = ERR_INIT;

	ck_assert_int_eq(route_check(NULL, STR("gone.example"), &why), 0);
	ck_assert_int_eq(route_check(NULL, STR("*"), &why), 0);
	ck_assert_int_eq(route_check(NULL, STR("a.example:25"), &why), 0);
	ck_assert_int_eq(route_check(NULL, STR("a.example:0"), &why), -1);
	ck_assert_int_eq(route_check(NULL, STR("192.0.2.25"), &why), -1);
	ck_assert_str_eq(why.text, "there is no route \"192.0.2.25\"; as a "
	    "host it has a port: 192.0.2.25:25");
	ck_assert_int_eq(route_check(&conf, STR("192.0.2.25"), &why), -1);
}
END_TEST

START_TEST(a_profile_is_one_of_those_that_there_are)
{
	static const struct queue_profile v[] = { { .name = "default" } };
	static const struct relay_conf c = { .profiles = v, .nprofiles = 1 };
	struct err why = ERR_INIT;

	ck_assert_int_eq(way_profile_check(&c, "default", &why), 0);
	ck_assert_int_eq(way_profile_check(NULL, "nobody", &why), 0);
	ck_assert_int_eq(way_profile_check(&c, "nobody", &why), -1);
	ck_assert_str_eq(why.text, "no bounce_profile \"nobody\"");
}
END_TEST

UNIT_SUITE(route)
{
	tcase_add_loop_test(tc, a_recipient_goes_by_a_route_of_its_own, 0,
	    (int)(sizeof(own) / sizeof(own[0])));
	tcase_add_test(tc, where_nobody_knows_the_blocks_a_name_will_do);
	tcase_add_test(tc, a_profile_is_one_of_those_that_there_are);
	tcase_add_test(tc, hosts_of_a_key_are_those_of_the_text);
	tcase_add_test(tc, a_route_has_a_length_and_a_number_of_hosts);
	tcase_add_loop_test(tc, takes_the_closest_route, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, without_a_route_goes_by_mx);
	tcase_add_test(tc, domains_of_one_route_share_a_key);
	tcase_add_test(tc, a_key_is_taken_apart);
	tcase_add_test(tc,
	    a_key_of_a_route_may_name_the_domain_whose_limits_count);
	tcase_add_test(tc, postmaster_without_a_domain_is_ours);
	tcase_add_test(tc, a_u_label_and_its_a_label_share_a_key);
}
