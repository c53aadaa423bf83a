#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/rand.h"
#include "dns_world.h"
#include "net/mx.h"
#include "unit.h"

static const char records[] =
    "two.test. MX 20 b.two.test.\n"
    "two.test. MX 10 a.two.test.\n"
    "a.two.test. A 192.0.2.1\n"
    "a.two.test. AAAA 2001:db8::1\n"
    "b.two.test. A 192.0.2.2\n"
    "implicit.test. A 192.0.2.3\n"
    "implicit.test. AAAA 2001:db8::3\n"
    "null.test. MX 0 .\n"
    "bare.test. TXT \"nothing else\"\n"
    "cname.test. CNAME two.test.\n"
    "viacname.test. MX 10 alias.test.\n"
    "alias.test. CNAME a.two.test.\n"
    "gone.test. MX 10 nowhere.two.test.\n"
    "half.test. MX 10 nowhere.two.test.\n"
    "half.test. MX 20 b.two.test.\n"
    "later.test. MX 10 x.servfail.example.\n"
    "soon.test. MX 10 x.servfail.example.\n"
    "soon.test. MX 20 b.two.test.\n"
    "nullplus.test. MX 0 .\n"
    "nullplus.test. MX 5 b.two.test.\n"
    "same.test. MX 5 a.two.test.\n"
    "same.test. MX 5 b.two.test.\n"
    "twice.test. MX 5 b.two.test.\n"
    "twice.test. MX 6 b.two.test.\n"
    "1.2.0.192.in-addr.arpa. PTR a.two.test.\n"
    "2.2.0.192.in-addr.arpa. PTR liar.test.\n"
    "liar.test. A 192.0.2.77\n"
    "3.2.0.192.in-addr.arpa. PTR bad\\010name.test.\n"
    "4.2.0.192.in-addr.arpa. PTR first.test.\n"
    "4.2.0.192.in-addr.arpa. PTR second.test.\n"
    "first.test. A 192.0.2.4\n"
    "second.test. A 192.0.2.4\n"
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
    "ip6.arpa. PTR a.two.test.\n"
    "7.2.0.192.in-addr.arpa. TXT x\n";

static struct pool *pool;
static struct buf got;
static unsigned answers;

static void
setup(void)
{
	pool = pool_new(0);
	buf_init(&got, 65536);
	world_start(records, 2000);
}

static void
teardown(void)
{
	world_stop();
	pool_destroy(&pool);
	buf_fini(&got);
}

static void
on_result(void *arg, const struct mx_result *r)
{
	static const char *const status[] = { "ok", "null", "nxdomain",
		"nohost", "fail" };
	char text[SOCK_TEXT_MAX];
	unsigned i, k;

	(void)arg;
	answers++;
	buf_reset(&got);
	(void)buf_printf(&got, "%s", status[r->status]);
	ck_assert_int_eq(r->why == NULL, r->status == MX_OK);
	for (i = 0; i < r->nhost; i++) {
		(void)buf_printf(&got, " %s/%u%s", r->host[i].name,
		    r->host[i].pref, r->host[i].temporary ? "?" : "");
		for (k = 0; k < r->host[i].naddr; k++)
			(void)buf_printf(&got, ",%s",
			    sock_addr_text(
				&r->host[i].addr[k], text, sizeof(text)));
	}
}

static const char *
wait_result(void)
{
	unsigned before = answers;

	while (answers == before)
		loop_once(world_loop, true);
	return buf_p(&got);
}

static const struct {
	const char *domain;
	enum mx_ip ip;
	const char *want;
} mx_case[] = {
	{ "two.test", MX_PREFER_V6,
	    "ok a.two.test/10,[2001:db8::1]:25,192.0.2.1:25 "
	    "b.two.test/20,192.0.2.2:25" },
	{ "two.test", MX_PREFER_V4,
	    "ok a.two.test/10,192.0.2.1:25,[2001:db8::1]:25 "
	    "b.two.test/20,192.0.2.2:25" },
	{ "two.test", MX_REQUIRE_V4,
	    "ok a.two.test/10,192.0.2.1:25 b.two.test/20,192.0.2.2:25" },
	{ "two.test", MX_REQUIRE_V6, "ok a.two.test/10,[2001:db8::1]:25" },
	{ "implicit.test", MX_PREFER_V6,
	    "ok implicit.test/0,[2001:db8::3]:25,192.0.2.3:25" },
	{ "null.test", MX_PREFER_V6, "null" },
	{ "nullplus.test", MX_PREFER_V6, "ok b.two.test/5,192.0.2.2:25" },
	{ "bare.test", MX_PREFER_V6, "nohost" },
	{ "nosuch.two.test", MX_PREFER_V6, "nxdomain" },
	{ "a..b", MX_PREFER_V6, "nxdomain" },
	{ "cname.test", MX_REQUIRE_V4,
	    "ok a.two.test/10,192.0.2.1:25 b.two.test/20,192.0.2.2:25" },
	{ "viacname.test", MX_REQUIRE_V4, "ok alias.test/10,192.0.2.1:25" },
	{ "gone.test", MX_PREFER_V6, "nohost" },
	{ "half.test", MX_PREFER_V6, "ok b.two.test/20,192.0.2.2:25" },
	{ "later.test", MX_PREFER_V6, "fail x.servfail.example/10?" },
	{ "soon.test", MX_PREFER_V6,
	    "ok x.servfail.example/10? b.two.test/20,192.0.2.2:25" },
	{ "x.servfail.example", MX_PREFER_V6, "fail" },
	{ "twice.test", MX_PREFER_V6, "ok b.two.test/5,192.0.2.2:25" },
	{ "[192.0.2.9]", MX_PREFER_V6, "ok [192.0.2.9]/0,192.0.2.9:25" },
	{ "[IPv6:2001:db8::9]", MX_PREFER_V6,
	    "ok [IPv6:2001:db8::9]/0,[2001:db8::9]:25" },
	{ "[nonsense]", MX_PREFER_V6, "nxdomain" },
	{ "[192.0.2.9", MX_PREFER_V6, "nxdomain" },
};

START_TEST(finds_hosts_of_domain)
{
	(void)mx_lookup(world_dns, pool, mx_case[_i].domain, 25, mx_case[_i].ip,
	    on_result, NULL);
	ck_assert_str_eq(wait_result(), mx_case[_i].want);
}
END_TEST

START_TEST(shuffles_equals)
{
	unsigned i, a_first = 0;

	rand_seed(1);
	for (i = 0; i < 60; i++) {
		(void)mx_lookup(world_dns, pool, "same.test", 25, MX_REQUIRE_V4,
		    on_result, NULL);
		if (str_istarts(str_c(wait_result()), "ok a.two"))
			a_first++;
	}
	ck_assert_uint_gt(a_first, 10);
	ck_assert_uint_lt(a_first, 50);
}
END_TEST

static const struct {
	const char *hosts[4];
	const char *want;
} static_case[] = {
	{ { "b.two.test:587", "[192.0.2.9]", "[::1]:26" },
	    "ok b.two.test/0,192.0.2.2:587 [192.0.2.9]/1,192.0.2.9:25 "
	    "[::1]/2,[::1]:26" },
	{ { "mx:two.test:26", "implicit.test" },
	    "ok a.two.test/0,192.0.2.1:26 b.two.test/0,192.0.2.2:26 "
	    "implicit.test/1,192.0.2.3:25" },
	{ { "implicit.test", "mx:two.test" },
	    "ok implicit.test/0,192.0.2.3:25 a.two.test/1,192.0.2.1:25 "
	    "b.two.test/1,192.0.2.2:25" },
	{ { "nowhere.two.test", "mx:null.test" }, "null" },
	{ { "nowhere.two.test" }, "nohost" },
	{ { "b.two.test:0" }, "nohost" },
	{ { "b.two.test:65536" }, "nohost" },
	{ { "" }, "nohost" },
	{ { "x.servfail.example", "b.two.test" },
	    "ok x.servfail.example/0? b.two.test/1,192.0.2.2:25" },
};

START_TEST(finds_hosts_of_route)
{
	(void)mx_hosts(world_dns, pool, static_case[_i].hosts, 25,
	    MX_REQUIRE_V4, on_result, NULL);
	ck_assert_str_eq(wait_result(), static_case[_i].want);
}
END_TEST

static void
on_domains(void *arg, const struct mx_result *r)
{
	unsigned i;

	(void)arg;
	answers++;
	buf_reset(&got);
	for (i = 0; i < r->nhost; i++)
		(void)buf_printf(&got, "%s for %s, ", r->host[i].name,
		    r->host[i].domain);
}

/* What a certificate must be for: nobody signed the MX. */
START_TEST(tells_what_each_host_stands_for)
{
	static const char *const hosts[] = { "mx:two.test", "implicit.test",
		NULL };

	(void)mx_hosts(world_dns, pool, hosts, 25, MX_REQUIRE_V4, on_domains,
	    NULL);
	ck_assert_str_eq(wait_result(), "a.two.test for two.test, "
	    "b.two.test for two.test, implicit.test for implicit.test, ");
}
END_TEST

START_TEST(keeps_to_its_limits)
{
	char *text = pool_strdup(pool, ""), name[64];
	unsigned i, k;

	world_stop();
	for (i = 0; i < 30; i++) {
		text = pool_printf(
		    pool, "%smany.test. MX %u h%u.test.\n", text, 50 - i, i);
		for (k = 0; k < 5; k++)
			text = pool_printf(
			    pool, "%sh%u.test. A 192.0.2.%u\n", text, i, k + 1);
	}
	world_start(text, 2000);
	(void)mx_lookup(
	    world_dns, pool, "many.test", 25, MX_PREFER_V6, on_result, NULL);
	(void)wait_result();
	for (i = 10, k = 0; i < 30; i++) {
		(void)snprintf(name, sizeof(name), " h%u.test/%u", i, 50 - i);
		ck_assert_ptr_nonnull(strstr(buf_p(&got), name));
	}
	for (i = 0; i < buf_len(&got); i++)
		k += buf_p(&got)[i] == ',';
	ck_assert_uint_eq(k, 32);
	ck_assert_ptr_null(strstr(buf_p(&got), "h9.test"));
}
END_TEST

START_TEST(cancelled_lookup_is_silent)
{
	struct mx_query *q;
	unsigned rounds;

	for (rounds = 0; rounds < 6; rounds++) {
		q = mx_lookup(world_dns, pool, "soon.test", 25, MX_PREFER_V6,
		    on_result, NULL);
		for (unsigned i = 0; i < rounds; i++)
			loop_once(world_loop, false);
		if (answers > 0)
			break;
		mx_cancel(&q);
		ck_assert_ptr_null(q);
		loop_once(world_loop, false);
		ck_assert_uint_eq(answers, 0);
	}
}
END_TEST

static void
on_name(void *arg, const char *name, bool verified)
{
	(void)arg;
	answers++;
	buf_reset(&got);
	(void)buf_printf(&got, "%s%s", name == NULL ? "-" : name,
	    verified ? " verified" : "");
}

static const struct {
	const char *ip, *want;
} reverse_case[] = {
	{ "192.0.2.1", "a.two.test verified" },
	{ "::ffff:192.0.2.1", "a.two.test verified" },
	{ "2001:db8::1", "a.two.test verified" },
	{ "192.0.2.2", "liar.test" },
	{ "192.0.2.3", "-" },
	{ "192.0.2.7", "-" },
	{ "198.51.100.1", "-" },
};

START_TEST(finds_name_of_address)
{
	struct sock_addr a;

	ck_assert_int_eq(
	    sock_addr_ip(str_c(reverse_case[_i].ip), 0, &a, NULL), 0);
	(void)mx_reverse(world_dns, &a, on_name, NULL);
	ck_assert_str_eq(wait_result(), reverse_case[_i].want);
}
END_TEST

START_TEST(cancelled_reverse_is_silent)
{
	struct mx_reverse *r;
	struct sock_addr a;
	unsigned rounds, i;

	ck_assert_int_eq(sock_addr_ip(STR("192.0.2.4"), 0, &a, NULL), 0);
	for (rounds = 0; rounds < 2; rounds++) {
		r = mx_reverse(world_dns, &a, on_name, NULL);
		for (i = 0; i < rounds; i++)
			loop_once(world_loop, false);
		if (answers == 0)
			mx_reverse_cancel(&r);
		loop_once(world_loop, false);
		ck_assert_uint_le(answers, rounds);
	}
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(mx)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, finds_hosts_of_domain, 0, COUNT(mx_case));
	tcase_add_test(tc, shuffles_equals);
	tcase_add_loop_test(tc, finds_hosts_of_route, 0, COUNT(static_case));
	tcase_add_test(tc, tells_what_each_host_stands_for);
	tcase_add_test(tc, keeps_to_its_limits);
	tcase_add_test(tc, cancelled_lookup_is_silent);
	tcase_add_loop_test(tc, finds_name_of_address, 0, COUNT(reverse_case));
	tcase_add_test(tc, cancelled_reverse_is_silent);
}
