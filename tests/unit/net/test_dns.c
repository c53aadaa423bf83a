#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "dns_world.h"
#include "unit.h"

static const char records[] =
    "; a comment\n"
    "\n"
    "mx.example.com.   300 IN A 192.0.2.1\n"
    "mx.example.com    A 192.0.2.2\n"
    "mx.example.com.   IN 60 AAAA 2001:db8::1\n"
    "example.com. MX 10 mx.example.com.\r\n"
    "example.com. 30 MX 20 mx2.example.com. ; trailing\n"
    "text.test. TXT \"v=x; y\" \"z\"\n"
    "www.test. CNAME mx.example.com.\n"
    "out.test. CNAME www.elsewhere.example.\n"
    "loop.test. CNAME pool.test.\n"
    "pool.test. CNAME loop.test.\n"
    "1.2.0.192.in-addr.arpa. PTR mx.example.com.\n"
    "5.0.0.10.in-addr.arpa. PTR ten.test.\n"
    "nul.test. MX 0 .\n"
    "zone.test. SOA ns.zone.test. root.zone.test. 1 2 3 4 5\n"
    "a.b.zone.test. A 192.0.2.3\n"
    "_25._tcp.mx.test. TLSA 3 1 1 "
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

/* An answer as one line of text. */
static struct buf got;
static unsigned answers;

static void
on_answer(void *arg, const struct dns_answer *a)
{
	static const char *const status[] = { "ok", "nodata", "nxdomain",
		"fail", "bogus" };
	const struct dns_rr *rr;
	unsigned i, k;

	(void)arg;
	answers++;
	(void)buf_printf(&got, "%s", status[a->status]);
	for (i = 0; i < a->n; i++) {
		rr = &a->rr[i];
		(void)buf_add_char(&got, ' ');
		if (rr->type == DNS_MX)
			(void)buf_printf(&got, "%u:", rr->pref);
		if (rr->name != NULL)
			(void)buf_printf(&got, "%s.", rr->name);
		for (k = 0; rr->name == NULL && k < rr->len; k++)
			(void)buf_printf(&got, "%02x", rr->data[k]);
	}
	if (a->why != NULL)
		(void)buf_printf(&got, " (%s)", a->why);
}

static const char *
ask(const char *name, enum dns_type type)
{
	unsigned before = answers;

	buf_reset(&got);
	(void)dns_ask(world_dns, name, type, on_answer, NULL);
	ck_assert_uint_eq(answers, before);
	while (answers == before)
		loop_once(world_loop, true);
	return buf_p(&got);
}

static void
setup(void)
{
	buf_init(&got, 65536);
	world_start(records, 5000);
}

static void
teardown(void)
{
	world_stop();
	buf_fini(&got);
}

static const struct {
	const char *name;
	enum dns_type type;
	const char *want;
} local_case[] = {
	{ "mx.example.com", DNS_AAAA, "ok 20010db8000000000000000000000001" },
	{ "MX.Example.COM.", DNS_AAAA, "ok 20010db8000000000000000000000001" },
	{ "mx.example.com", DNS_MX, "nodata" },
	{ "other.example.com", DNS_A, "nxdomain" },
	{ "text.test", DNS_TXT, "ok 06763d783b2079017a" },
	{ "www.test", DNS_AAAA, "ok 20010db8000000000000000000000001" },
	{ "www.test", DNS_CNAME, "ok mx.example.com." },
	{ "out.test", DNS_A, "ok c0000263" },
	{ "out.test", DNS_MX, "nodata" },
	{ "loop.test", DNS_A, "fail (too many CNAMEs)" },
	{ "1.2.0.192.in-addr.arpa", DNS_PTR, "ok mx.example.com." },
	{ "5.0.0.10.in-addr.arpa", DNS_PTR, "ok ten.test." },
	{ "nul.test", DNS_MX, "ok 0:." },
	{ "a.b.zone.test", DNS_A, "ok c0000203" },
	{ "b.zone.test", DNS_A, "nodata" },
	{ "c.zone.test", DNS_A, "nxdomain" },
	{ "zone.test", DNS_MX, "nodata" },
	{ "localhost", DNS_A, "ok 7f000001" },
	{ "_25._tcp.mx.test", DNS_TLSA,
	    "ok 030101"
	    "0123456789abcdef0123456789abcdef"
	    "0123456789abcdef0123456789abcdef" },
};

START_TEST(answers_from_its_file)
{
	ck_assert_str_eq(
	    ask(local_case[_i].name, local_case[_i].type), local_case[_i].want);
}
END_TEST

static const struct {
	const char *name;
	enum dns_type type;
	const char *want;
} server_case[] = {
	{ "mail.elsewhere.example", DNS_A, "ok c0000263" },
	{ "unlisted.test", DNS_A, "ok c0000263" },
	{ "9.0.0.10.in-addr.arpa", DNS_PTR, "nodata" },
	{ "x.nodata.example", DNS_A, "nodata" },
	{ "x.nxdomain.example", DNS_A, "nxdomain" },
	{ "x.servfail.example", DNS_A, "fail (SERVFAIL)" },
	{ "x.refused.example", DNS_A, "fail (REFUSED)" },
	{ "x.silent.example", DNS_A, "fail (no answer in time)" },
};

START_TEST(asks_the_server_for_the_rest)
{
	ck_assert_str_eq(ask(server_case[_i].name, server_case[_i].type),
	    server_case[_i].want);
	ck_assert_uint_gt(world_asked, 0);
}
END_TEST

START_TEST(garbage_is_no_answer)
{
	ck_assert(
	    str_istarts(str_c(ask("x.garbage.example", DNS_A)), "fail ("));
}
END_TEST

START_TEST(asks_only_once_for_what_it_knows)
{
	unsigned n;

	ck_assert_str_eq(ask("mail.elsewhere.example", DNS_A), "ok c0000263");
	n = world_asked;
	ck_assert_str_eq(ask("mail.elsewhere.example", DNS_A), "ok c0000263");
	ck_assert_uint_eq(world_asked, n);
}
END_TEST

/* The last has a label of 64 octets. */
static const char *const impossible[] = { "a..b", ".leading.example",
	"no such host..",
	"l23456789012345678901234567890123456789012345678901234567890123x.org"
};

START_TEST(impossible_name_does_not_exist)
{
	ck_assert_str_eq(
	    ask(impossible[_i], DNS_A), "nxdomain (not a domain name)");
}
END_TEST

START_TEST(cancelled_question_is_silent)
{
	struct dns_query *q[3];
	unsigned i;

	q[0] = dns_ask(world_dns, "mx.example.com", DNS_A, on_answer, NULL);
	q[1] = dns_ask(world_dns, "x.silent.example", DNS_A, on_answer, NULL);
	q[2] =
	    dns_ask(world_dns, "c.elsewhere.example", DNS_A, on_answer, NULL);
	for (i = 0; i < 3; i++) {
		dns_cancel(&q[i]);
		ck_assert_ptr_null(q[i]);
	}
	for (i = 0; i < 20; i++)
		loop_once(world_loop, false);
	ck_assert_str_eq(ask("a.b.zone.test", DNS_A), "ok c0000203");
	ck_assert_uint_eq(answers, 1);
}
END_TEST

START_TEST(may_end_with_questions_open)
{
	(void)dns_ask(world_dns, "mx.example.com", DNS_A, on_answer, NULL);
	(void)dns_ask(world_dns, "x.silent.example", DNS_A, on_answer, NULL);
	loop_once(world_loop, false);
	(void)dns_ask(world_dns, "mx.example.com", DNS_A, on_answer, NULL);
	dns_destroy(&world_dns);
	answers = 0;
	loop_once(world_loop, false);
	ck_assert_uint_eq(answers, 0);
}
END_TEST

static void
end_it(void *arg, const struct dns_answer *a)
{
	(void)arg;
	ck_assert_int_eq(a->status, DNS_OK);
	dns_destroy(&world_dns);
	ck_assert_uint_eq(a->n, 2);
}

START_TEST(may_end_inside_an_answer)
{
	(void)dns_ask(world_dns, "mx.example.com", DNS_A, end_it, NULL);
	while (world_dns != NULL)
		loop_once(world_loop, true);
}
END_TEST

static const struct {
	const char *text, *want;
} bad_case[] = {
	{ "example.com. A 192.0.2.1\n  A 192.0.2.2\n",
	    ":2: each line begins with a full name" },
	{ "$ORIGIN example.com.\n", ":1: each line begins with a full name" },
	{ "example.com.\n", ":1: a resource record was expected" },
	{ "example.com. A\n", ":1: a resource record was expected" },
	{ "example.com. A 192.0.2.256\n", ":1: not a resource record" },
	{ "example.com. NONSENSE x\n", ":1: not a resource record" },
	{ "a..b. A 192.0.2.1\n", ": \"a..b.\" is not a name" },
};

START_TEST(tells_what_is_wrong_in_its_file)
{
	char path[] = "/tmp/postern-test-XXXXXX";
	struct dns_conf conf = { .records = path };
	struct err why = ERR_INIT;
	struct dns *d = NULL;
	int file = mkstemp(path);
	size_t n = strlen(bad_case[_i].text);

	ck_assert_int_eq(write(file, bad_case[_i].text, n), (ssize_t)n);
	(void)close(file);
	ck_assert_int_eq(dns_new(&d, world_loop, &conf, &why), -1);
	(void)unlink(path);
	ck_assert(str_istarts(str_c(why.text), path));
	ck_assert_str_eq(why.text + strlen(path), bad_case[_i].want);
}
END_TEST

START_TEST(refuses_bad_settings)
{
	const char *servers[] = { "ns.example", NULL };
	struct dns_conf conf = { .servers = servers };
	struct err why = ERR_INIT;
	struct dns *d = NULL;

	ck_assert_int_eq(dns_new(&d, world_loop, &conf, &why), -1);
	ck_assert_str_eq(why.text,
	    "DNS server \"ns.example\" is not an address or address@port");
	conf.servers = NULL;
	conf.trust_anchor = "/nonexistent/root.key";
	ck_assert_int_eq(dns_new(&d, world_loop, &conf, &why), -1);
	ck_assert_str_eq(why.text,
	    "trust anchor /nonexistent/root.key: No such file or directory");
	conf.trust_anchor = NULL;
	conf.records = "/nonexistent/hosts.zone";
	ck_assert_int_eq(dns_new(&d, world_loop, &conf, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "/nonexistent/hosts.zone"));
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(dns)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, answers_from_its_file, 0, COUNT(local_case));
	tcase_add_loop_test(
	    tc, asks_the_server_for_the_rest, 0, COUNT(server_case));
	tcase_add_test(tc, garbage_is_no_answer);
	tcase_add_test(tc, asks_only_once_for_what_it_knows);
	tcase_add_loop_test(
	    tc, impossible_name_does_not_exist, 0, COUNT(impossible));
	tcase_add_test(tc, cancelled_question_is_silent);
	tcase_add_test(tc, may_end_with_questions_open);
	tcase_add_test(tc, may_end_inside_an_answer);
	tcase_add_loop_test(
	    tc, tells_what_is_wrong_in_its_file, 0, COUNT(bad_case));
	tcase_add_test(tc, refuses_bad_settings);
}
