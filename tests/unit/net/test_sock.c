#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "net/sock.h"
#include "unit.h"

static const struct {
	const char *in, *out; /* out NULL: refused */
} parse_case[] = {
	{ "192.0.2.1:25", "192.0.2.1:25" },
	{ "192.0.2.1", "192.0.2.1:2525" },
	{ "[2001:db8::1]:26", "[2001:db8::1]:26" },
	{ "[::1]", "[::1]:2525" },
	{ "::1", "[::1]:2525" },
	{ "2001:db8::1", "[2001:db8::1]:2525" },
	{ "[::ffff:192.0.2.7]:25", "192.0.2.7:25" },
	{ "*:25", "0.0.0.0:25" },
	{ "192.0.2.1:0", NULL },
	{ "192.0.2.1:65536", NULL },
	{ "192.0.2.1:", NULL },
	{ "192.0.2.1:2x", NULL },
	{ "192.0.2.256:25", NULL },
	{ "[::1", NULL },
	{ "[::1]x", NULL },
	{ "mail.example:25", NULL },
	{ "", NULL },
	{ "[]:25", NULL },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:1", NULL },
};

START_TEST(parses_address)
{
	const char *in = parse_case[_i].in, *out = parse_case[_i].out;
	struct err why = ERR_INIT;
	char text[SOCK_TEXT_MAX];
	struct sock_addr a;

	ck_assert_int_eq(
	    sock_addr_parse(str_c(in), 2525, &a, &why), out == NULL ? -1 : 0);
	if (out == NULL)
		ck_assert_str_ne(why.text, "");
	else
		ck_assert_str_eq(sock_addr_text(&a, text, sizeof(text)), out);
}
END_TEST

START_TEST(refuses_address_with_nul)
{
	struct sock_addr a;

	ck_assert_int_eq(sock_addr_ip(STR("192.0.2.1\0"), 25, &a, NULL), -1);
}
END_TEST

static const struct {
	const char *net, *ip;
	int want; /* -1: the network is refused */
} net_case[] = {
	{ "192.0.2.0/24", "192.0.2.255", 1 },
	{ "192.0.2.0/24", "192.0.3.0", 0 },
	{ "192.0.2.0/24", "::ffff:192.0.2.9", 1 },
	{ "192.0.2.0/24", "2001:db8::1", 0 },
	{ "192.0.2.128/25", "192.0.2.127", 0 },
	{ "192.0.2.128/25", "192.0.2.128", 1 },
	{ "0.0.0.0/0", "203.0.113.9", 1 },
	{ "0.0.0.0/0", "::1", 0 },
	{ "192.0.2.1", "192.0.2.1", 1 },
	{ "192.0.2.1", "192.0.2.2", 0 },
	{ "2001:db8::/32", "2001:db8:1::1", 1 },
	{ "2001:db8::/33", "2001:db8:8000::1", 0 },
	{ "2001:db8::/32", "2001:db9::1", 0 },
	{ "::1", "::1", 1 },
	{ "192.0.2.1/24", "192.0.2.1", -1 },
	{ "192.0.2.0/33", "192.0.2.1", -1 },
	{ "2001:db8::/129", "::1", -1 },
	{ "192.0.2.0/", "192.0.2.1", -1 },
	{ "192.0.2/24", "192.0.2.1", -1 },
	{ "/", "192.0.2.1", -1 },
};

START_TEST(matches_network)
{
	struct err why = ERR_INIT;
	struct sock_addr a;
	struct sock_net net;
	int want = net_case[_i].want;

	ck_assert_int_eq(sock_addr_ip(str_c(net_case[_i].ip), 0, &a, NULL), 0);
	ck_assert_int_eq(sock_net_parse(str_c(net_case[_i].net), &net, &why),
	    want < 0 ? -1 : 0);
	if (want < 0)
		ck_assert_str_ne(why.text, "");
	else
		ck_assert_int_eq(sock_net_has(&net, &a), want);
}
END_TEST

static struct sock_addr
addr(const char *text)
{
	struct sock_addr a;

	ck_assert_int_eq(sock_addr_parse(str_c(text), 1, &a, NULL), 0);
	return a;
}

START_TEST(compares_and_hashes_without_the_port)
{
	struct sock_addr a = addr("192.0.2.1:1"), b = addr("192.0.2.1:2"),
			 m = addr("[::ffff:192.0.2.1]:3"), c = addr("[::1]:1");

	ck_assert(sock_addr_eq_ip(&a, &b));
	ck_assert(sock_addr_eq_ip(&a, &m));
	ck_assert(!sock_addr_eq_ip(&a, &c));
	ck_assert_uint_eq(sock_addr_hash(&a), sock_addr_hash(&b));
	ck_assert_uint_eq(sock_addr_hash(&a), sock_addr_hash(&m));
	ck_assert_uint_ne(sock_addr_hash(&a), sock_addr_hash(&c));
}
END_TEST

START_TEST(knows_loopback)
{
	struct sock_addr a = addr("127.9.9.9"), b = addr("::1"),
			 c = addr("::ffff:127.0.0.1"), d = addr("192.0.2.1"),
			 e = addr("::2");

	ck_assert(sock_addr_loopback(&a));
	ck_assert(sock_addr_loopback(&b));
	ck_assert(sock_addr_loopback(&c));
	ck_assert(!sock_addr_loopback(&d));
	ck_assert(!sock_addr_loopback(&e));
}
END_TEST

static void
wait_for(int fd, short what)
{
	struct pollfd p = { fd, what, 0 };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
}

START_TEST(listens_connects_and_accepts)
{
	struct sock_addr a = addr(_i == 0 ? "127.0.0.1:1" : "[::1]:1");
	struct sock_addr peer, local;
	struct err why = ERR_INIT;
	int ls, c, s, on = 0;
	socklen_t len = sizeof(on);

	if (_i == 0)
		a.in.sin_port = 0;
	else
		a.in6.sin6_port = 0;
	if (sock_listen(&a, 10, &ls, &why) < 0 && _i == 1)
		return; /* a machine without IPv6 */
	ck_assert_int_eq(sock_local(ls, &a), 0);
	ck_assert_int_eq(sock_accept(ls, &peer), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(sock_connect(&a, NULL, &c, &why), 0);
	wait_for(ls, POLLIN);
	s = sock_accept(ls, &peer);
	ck_assert_int_ge(s, 0);
	ck_assert_int_eq(sock_local(c, &local), 0);
	ck_assert(sock_addr_eq_ip(&peer, &local));
	ck_assert_uint_eq(sock_addr_port(&peer), sock_addr_port(&local));
	ck_assert_int_eq(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	ck_assert_int_ne(on, 0);
	(void)close(s);
	(void)close(c);
	(void)close(ls);
}
END_TEST

START_TEST(tells_where_it_cannot_listen)
{
	struct sock_addr a = addr("192.0.2.1:25");
	struct err why = ERR_INIT;
	int fd;

	ck_assert_int_eq(sock_listen(&a, 10, &fd, &why), -1);
	ck_assert_str_eq(why.text,
	    "cannot listen on 192.0.2.1:25: Cannot assign requested address");
}
END_TEST

UNIT_SUITE(sock)
{
	tcase_add_loop_test(tc, parses_address, 0,
	    (int)(sizeof(parse_case) / sizeof(parse_case[0])));
	tcase_add_test(tc, refuses_address_with_nul);
	tcase_add_loop_test(tc, matches_network, 0,
	    (int)(sizeof(net_case) / sizeof(net_case[0])));
	tcase_add_test(tc, compares_and_hashes_without_the_port);
	tcase_add_test(tc, knows_loopback);
	tcase_add_loop_test(tc, listens_connects_and_accepts, 0, 2);
	tcase_add_test(tc, tells_where_it_cannot_listen);
}
