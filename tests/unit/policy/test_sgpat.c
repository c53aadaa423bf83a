#include "policy/sgpat.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct pool *pool;
static struct err why;

static void
setup(void)
{
	pool = pool_new(0);
	err_clear(&why);
}

static void
teardown(void)
{
	pool_destroy(&pool);
}

struct match {
	const char *pattern, *ip, *name; /* name NULL: none leads back */
	enum sgpat_match match;
};

static const struct match matches[] = {
	{ "ALL", "192.0.2.1", NULL, SGPAT_YES },
	{ "all", "2001:db8::1", NULL, SGPAT_YES },
	{ "192.0.2.1", "192.0.2.1", NULL, SGPAT_YES },
	{ "192.0.2.1", "192.0.2.2", NULL, SGPAT_NO },
	{ "192.0.2.1", "::ffff:192.0.2.1", NULL, SGPAT_YES },
	{ "192.0.2.0/24", "192.0.2.255", NULL, SGPAT_YES },
	{ "192.0.2.0/24", "192.0.3.0", NULL, SGPAT_NO },
	{ "2001:db8::/32", "2001:db8:1::1", NULL, SGPAT_YES },
	{ "2001:db8::/32", "192.0.2.1", NULL, SGPAT_NO },
	{ "192.0.2.10-20", "192.0.2.10", NULL, SGPAT_YES },
	{ "192.0.2.10-20", "192.0.2.20", NULL, SGPAT_YES },
	{ "192.0.2.10-20", "192.0.2.9", NULL, SGPAT_NO },
	{ "192.0.2.10-20", "192.0.2.21", NULL, SGPAT_NO },
	{ "192.0.2.10-20", "::ffff:192.0.2.15", NULL, SGPAT_YES },
	{ "192.0.2.250-192.0.3.5", "192.0.3.1", NULL, SGPAT_YES },
	{ "192.0.2.250-192.0.3.5", "192.0.3.6", NULL, SGPAT_NO },
	{ "2001:db8::10-2001:db8::20", "2001:db8::1f", NULL, SGPAT_YES },
	{ "2001:db8::10-2001:db8::20", "2001:db8::21", NULL, SGPAT_NO },
	{ "192.0.2.", "192.0.2.77", NULL, SGPAT_YES },
	{ "192.0.", "192.0.77.1", NULL, SGPAT_YES },
	{ "192.0.", "192.1.77.1", NULL, SGPAT_NO },
	{ "mx.peer.test", "192.0.2.1", "mx.peer.test", SGPAT_YES },
	{ "mx.peer.test", "192.0.2.1", "MX.Peer.Test", SGPAT_YES },
	{ "mx.peer.test", "192.0.2.1", "a.mx.peer.test", SGPAT_NO },
	{ "mx.peer.test", "192.0.2.1", NULL, SGPAT_NO },
	{ ".peer.test", "192.0.2.1", "a.b.peer.test", SGPAT_YES },
	{ ".peer.test", "192.0.2.1", "peer.test", SGPAT_NO },
	{ ".peer.test", "192.0.2.1", "badpeer.test", SGPAT_NO },
};

static struct sock_addr
address(const char *ip)
{
	struct sock_addr a;

	ck_assert_int_eq(sock_addr_ip(str_c(ip), 25, &a, &why), 0);
	return a;
}

START_TEST(matches_who_it_says)
{
	const struct match *m = &matches[_i];
	struct sock_addr a = address(m->ip);
	struct sgpat_client c = { .addr = &a, .name_known = true,
		.name = m->name };
	struct sgpat p;

	ck_assert_msg(sgpat_parse(pool, m->pattern, &p, &why) == 0, "%s",
	    why.text);
	ck_assert_msg(sgpat_match(&p, &c) == m->match, "%s %s %s", m->pattern,
	    m->ip, m->name);
	ck_assert_str_eq(p.text, m->pattern);
}
END_TEST

static const char *const refused[] = { "", " ", "192.0.2.300", "192.0.2.1/33",
	"192.0.2.1/24", "192.0.2.20-10", "192.0.2.1-2001:db8::1",
	"192.0.2.1-256", "2001:db8::1-5", "1.2.3.4.", "300.", ".", "..", "-",
	"a b", ".a..b", "dnslist[", "dnslist[]", "dnslist[zone.test",
	"dnslist[a b]", "dnslist[zone.test=]", "dnslist[zone.test=::1]",
	"dnslist[zone.test=127.0.0.256]", "sbrs[-10:-3]", "10.1", "*" };

START_TEST(refuses_what_is_none)
{
	struct sgpat p;

	ck_assert_msg(sgpat_parse(pool, refused[_i], &p, &why) == -1, "%s",
	    refused[_i]);
	ck_assert_str_ne(why.text, "");
}
END_TEST

START_TEST(asks_for_what_is_not_known_yet)
{
	struct sock_addr a = address("192.0.2.1");
	struct sgpat_zone zone = { .known = false };
	struct sgpat_client c = { .addr = &a, .zone = &zone };
	struct sgpat p;

	ck_assert_int_eq(sgpat_parse(pool, ".peer.test", &p, &why), 0);
	ck_assert_int_eq(sgpat_match(&p, &c), SGPAT_ASK_NAME);
	ck_assert_int_eq(sgpat_parse(pool, "dnslist[z.test]", &p, &why), 0);
	ck_assert_int_eq(sgpat_match(&p, &c), SGPAT_ASK_ZONE);
}
END_TEST

struct answer {
	const char *pattern, *answer; /* NULL: not listed */
	bool match;
};

static const struct answer answers[] = {
	{ "dnslist[z.test]", NULL, false },
	{ "dnslist[z.test]", "127.0.0.2", true },
	{ "dnslist[z.test]", "127.0.1.4", true },
	{ "dnslist[z.test]", "127.255.255.254", false },
	{ "dnslist[z.test]", "192.0.2.80", false },
	{ "dnslist[z.test=127.0.0.4]", "127.0.0.4", true },
	{ "dnslist[z.test=127.0.0.4]", "127.0.0.2", false },
	{ "dnslist[z.test=127.0.1.0/24]", "127.0.1.9", true },
};

START_TEST(a_list_counts_by_its_answer)
{
	const struct answer *t = &answers[_i];
	struct sock_addr a = address("192.0.2.1");
	struct sgpat_zone zone = { .known = true };
	struct sgpat_client c = { .addr = &a, .zone = &zone };
	struct sgpat p;

	if (t->answer != NULL) {
		struct sock_addr b = address(t->answer);

		zone.ip[zone.n++] = 0x01020304;
		zone.ip[zone.n++] = ntohl(b.in.sin_addr.s_addr);
	}
	ck_assert_int_eq(sgpat_parse(pool, t->pattern, &p, &why), 0);
	ck_assert_str_eq(p.name, "z.test");
	ck_assert_int_eq(sgpat_match(&p, &c), t->match ? SGPAT_YES : SGPAT_NO);
}
END_TEST

START_TEST(a_list_is_asked_by_the_address_backwards)
{
	struct sock_addr a = address("192.0.2.1"), b = address("2001:db8::1");
	struct buf name;

	buf_init(&name, 512);
	sgpat_question("z.test", &a, &name);
	ck_assert_str_eq(buf_p(&name), "1.2.0.192.z.test");
	buf_reset(&name);
	sgpat_question("z.test", &b, &name);
	ck_assert_str_eq(buf_p(&name), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
	    "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.z.test");
	buf_fini(&name);
}
END_TEST

UNIT_SUITE(sgpat)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, matches_who_it_says, 0,
	    sizeof(matches) / sizeof(matches[0]));
	tcase_add_loop_test(tc, refuses_what_is_none, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, asks_for_what_is_not_known_yet);
	tcase_add_loop_test(tc, a_list_counts_by_its_answer, 0,
	    sizeof(answers) / sizeof(answers[0]));
	tcase_add_test(tc, a_list_is_asked_by_the_address_backwards);
}
