#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "pair.h"
#include "pki.h"
#include "unit.h"

enum { BIG = 3 * 1024 * 1024, TLS12 = 0x0303, TLS13 = 0x0304 };

static struct tlsctx *client, *server;
static struct tlswant want;
static struct tlsio_client how;

static struct tlsctx *
make(const struct tlsctx_conf *conf)
{
	struct tlsctx *ctx = NULL;
	struct err why = ERR_INIT;

	if (tlsctx_new(&ctx, conf, &why) < 0)
		ck_abort_msg("%s", why.text);
	return ctx;
}

static void
setup(void)
{
	pki_start();
	pair_start();
	memset(&want, 0, sizeof(want));
	memset(&how, 0, sizeof(how));
	how.want = &want;
	how.sni = "mx.corp.example";
	how.domain = STR("mx.corp.example");
	client = server = NULL;
}

static void
teardown(void)
{
	pair_stop();
	tlsctx_unref(&client);
	tlsctx_unref(&server);
	pki_stop();
}

/* Contexts: versions up to max, a certificate for mx.corp.example. */
static void
contexts(uint16_t max, const char *san, unsigned flags)
{
	struct tlsctx_conf c = { .max_version = max, .ca_file = pki_ca() };
	struct tlsctx_conf s = { .server = true, .max_version = max };

	s.cert_file = pki_issue("mx.pem", san, flags);
	client = make(&c);
	server = make(&s);
}

static void
talk(void)
{
	pair_s.echo = true;
	stream_write(pair_c.s, "hello", 5);
	pair_spin(4);
	ck_assert_str_eq(buf_p(&pair_s.got), "hello");
	ck_assert_str_eq(buf_p(&pair_c.got), "hello");
}

static const struct {
	uint16_t max;
	unsigned flags;
	const char *version, *cipher;
	int bits;
} hello_case[] = {
	{ TLS13, 0, "TLSv1.3", NULL, 0 },
	{ TLS13, PKI_RSA, "TLSv1.3", NULL, 0 },
	{ TLS12, 0, "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 256 },
	{ TLS12, PKI_RSA, "TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	    256 },
};

START_TEST(shakes_hands_and_talks)
{
	contexts(
	    hello_case[_i].max, "DNS:mx.corp.example", hello_case[_i].flags);
	want.level = TLSWANT_OPPORTUNISTIC;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert_str_eq(pair_c.why, "");
	ck_assert(pair_c.ok && pair_s.ok);
	ck_assert_str_eq(pair_c.info.version, hello_case[_i].version);
	ck_assert_str_eq(pair_c.info.cipher, pair_s.info.cipher);
	if (hello_case[_i].cipher != NULL)
		ck_assert_str_eq(pair_c.info.cipher, hello_case[_i].cipher);
	ck_assert_int_ge(pair_c.info.bits, 128);
	ck_assert_int_ge(pair_c.info.alg_bits, 128);
	ck_assert_str_ne(pair_c.info.group, "");
	ck_assert_str_eq(pair_s.sni, "mx.corp.example");
	ck_assert(pair_c.info.peer_cert && !pair_s.info.peer_cert);
	ck_assert_uint_eq(strlen(pair_c.info.fingerprint), 64);
	ck_assert_str_eq(pair_c.info.verify_why, "not-checked");
	ck_assert_str_eq(pair_s.info.verify_why, "no-certificate");
	ck_assert(!pair_c.info.verified && !pair_c.info.resumed);
	talk();
}
END_TEST

static const struct {
	const char *san;
	unsigned flags;
	const char *why; /* "" verified */
} verify_case[] = {
	{ "DNS:mx.corp.example", 0, "" },
	{ "DNS:MX.Corp.Example", 0, "" },
	{ "DNS:other.example,DNS:mx.corp.example", 0, "" },
	{ "DNS:*.corp.example", 0, "" },
	{ "DNS:mx.corp.example", PKI_RSA, "" },
	{ "DNS:other.example", 0, "name-mismatch" },
	{ "DNS:*.example", 0, "name-mismatch" },
	{ "DNS:*", 0, "name-mismatch" },
	{ "DNS:*.mx.corp.example", 0, "name-mismatch" },
	{ "DNS:m*.corp.example", 0, "name-mismatch" },
	{ "DNS:mx.corp.example", PKI_NO_SAN, "name-mismatch" },
	{ "DNS:mx.corp.example", PKI_EXPIRED, "certificate-expired" },
	{ "DNS:mx.corp.example", PKI_FUTURE, "certificate-not-yet-valid" },
	{ "DNS:mx.corp.example", PKI_CLIENT_ONLY, "wrong-purpose" },
	{ "DNS:mx.corp.example", PKI_SELF, "self-signed" },
};

START_TEST(enforces_the_verdict)
{
	const char *reason = verify_case[_i].why;
	char text[200] = "";

	contexts(TLS13, verify_case[_i].san, verify_case[_i].flags);
	want.level = TLSWANT_REQUIRED_VERIFY;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert_int_eq(pair_c.ok, reason[0] == '\0');
	ck_assert_str_eq(pair_c.info.verify_why, reason);
	if (pair_c.ok) {
		ck_assert(pair_c.info.verified);
		ck_assert_str_eq(pair_c.matched, "mx.corp.example");
		talk();
		return;
	}
	(void)snprintf(text, sizeof(text), "TLS handshake failed: %s", reason);
	ck_assert_str_eq(pair_c.why, text);
	pair_spin(3);
	ck_assert_uint_eq(pair_s.closed, 1);
}
END_TEST

START_TEST(records_the_verdict_without_enforcing)
{
	contexts(TLS12, verify_case[_i].san, verify_case[_i].flags);
	want.level = TLSWANT_PREFERRED_VERIFY;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok);
	ck_assert_str_eq(pair_c.info.verify_why, verify_case[_i].why);
	ck_assert_int_eq(pair_c.info.verified, verify_case[_i].why[0] == '\0');
	talk();
}
END_TEST

START_TEST(trusts_nobody_without_roots)
{
	struct tlsctx_conf c = { .server = false };
	struct tlsctx_conf s = { .server = true };

	s.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", 0);
	client = make(&c);
	server = make(&s);
	want.level = TLSWANT_REQUIRED_VERIFY;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(!pair_c.ok);
	ck_assert_str_eq(pair_c.info.verify_why, "untrusted");
}
END_TEST

START_TEST(matches_names_of_the_want)
{
	const char *names[] = { "nope.example", "192.0.2.1", NULL };

	contexts(TLS13, "DNS:a.example,IP:192.0.2.1", 0);
	want.level = TLSWANT_REQUIRED_VERIFY;
	want.names = names;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok);
	ck_assert_str_eq(pair_c.matched, "192.0.2.1");
}
END_TEST

START_TEST(trusts_what_is_listed_even_a_leaf)
{
	struct tlsctx_conf c = { .server = false };
	struct tlsctx_conf s = { .server = true };

	s.cert_file = c.ca_file =
	    pki_issue("mx.pem", "DNS:mx.corp.example", PKI_SELF);
	client = make(&c);
	server = make(&s);
	want.level = TLSWANT_REQUIRED_VERIFY;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert_str_eq(pair_c.why, "");
	ck_assert(pair_c.ok);
}
END_TEST

START_TEST(resumes_and_verifies_again)
{
	uint16_t max = _i < 2 ? TLS13 : TLS12;
	bool enforce = _i % 2 != 0;
	struct tls_ticket_keys keys = { .n = 1 };

	contexts(max, "DNS:mx.corp.example", 0);
	memset(keys.key[0], 7, sizeof(keys.key[0]));
	tlsctx_ticket_keys(server, &keys);
	want.level = TLSWANT_REQUIRED_VERIFY;
	how.session = 99;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok && !pair_c.info.resumed);
	talk();
	pair_again();
	/* A session of another want would be a hole: here it is a test. */
	if (enforce)
		how.domain = STR("other.example");
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert_int_eq(pair_c.ok, !enforce);
	if (enforce) {
		ck_assert_str_eq(pair_c.info.verify_why, "name-mismatch");
		return;
	}
	ck_assert(pair_c.info.resumed && pair_s.info.resumed);
	ck_assert(pair_c.info.verified);
	ck_assert_uint_eq(strlen(pair_c.info.fingerprint), 64);
	talk();
	pair_again();
	how.session = 100;
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok && !pair_c.info.resumed);
}
END_TEST

START_TEST(another_worker_takes_the_ticket)
{
	struct tlsctx_conf s = { .server = true };
	struct tls_ticket_keys keys = { .n = 1 };
	bool turned = _i % 2 != 0, known = _i < 4;

	contexts(_i < 2 ? TLS13 : TLS12, "DNS:mx.corp.example", 0);
	s.cert_file = pki_path("mx.pem");
	memset(keys.key[0], 9, sizeof(keys.key[0]));
	tlsctx_ticket_keys(server, &keys);
	how.session = 5;
	pair_tls(client, server, &how);
	pair_shake();
	talk();
	pair_again();
	tlsctx_unref(&server);
	server = make(&s);
	if (turned) {
		keys.n = 2;
		memcpy(keys.key[1], keys.key[0], sizeof(keys.key[1]));
		memset(keys.key[0], 11, sizeof(keys.key[0]));
	}
	if (!known)
		memset(keys.key, 12, sizeof(keys.key));
	tlsctx_ticket_keys(server, &keys);
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok);
	ck_assert_int_eq(pair_c.info.resumed, known);
}
END_TEST

START_TEST(moves_megabytes_both_ways)
{
	char *p = mem_alloc(BIG);
	unsigned i;

	rand_bytes(p, BIG);
	contexts(_i == 0 ? TLS13 : TLS12, "DNS:mx.corp.example", 0);
	pair_tls(client, server, &how);
	pair_shake();
	pair_s.echo = pair_s.pause_each = true;
	stream_in_max_set(pair_s.s, 20000);
	stream_write(pair_c.s, p, BIG);
	for (i = 0; i < 100000 && buf_len(&pair_c.got) < BIG; i++) {
		pair_spin(1);
		stream_resume(pair_s.s);
	}
	ck_assert(str_eq(buf_str(&pair_c.got), str_n(p, BIG)));
	mem_free(p);
}
END_TEST

START_TEST(says_goodbye)
{
	contexts(TLS13, "DNS:mx.corp.example", 0);
	pair_tls(client, server, &how);
	pair_shake();
	stream_write(pair_c.s, "last", 4);
	stream_finish(pair_c.s);
	pair_spin(4);
	ck_assert_str_eq(buf_p(&pair_s.got), "last");
	ck_assert_uint_eq(pair_s.closed, 1);
	ck_assert_int_eq(pair_s.how, STREAM_EOF);
}
END_TEST

START_TEST(end_without_goodbye_is_an_end)
{
	contexts(TLS13, "DNS:mx.corp.example", 0);
	pair_tls(client, server, &how);
	pair_shake();
	stream_write(pair_c.s, "last", 4);
	stream_destroy(&pair_c.s);
	pair_spin(4);
	ck_assert_str_eq(buf_p(&pair_s.got), "last");
	ck_assert_uint_eq(pair_s.closed, 1);
	ck_assert_int_eq(pair_s.how, STREAM_EOF);
}
END_TEST

/* Octets of one end's flight, then the line is cut. */
START_TEST(fails_when_the_peer_leaves_in_the_middle)
{
	char raw[65536];
	ssize_t n;
	int fd;

	contexts(TLS13, "DNS:mx.corp.example", 0);
	fd = dup(stream_fd(pair_s.s));
	stream_pause(pair_s.s);
	pair_tls(client, NULL, &how);
	pair_spin(2);
	n = recv(fd, raw, sizeof(raw), MSG_DONTWAIT);
	ck_assert_int_gt(n, 100);
	if (_i > 0)
		ck_assert_int_eq(send(fd, "\x16\x03\x03\0\x7a", _i, 0), _i);
	(void)shutdown(fd, SHUT_RDWR);
	pair_spin(3);
	ck_assert_uint_eq(pair_c.shaken, 1);
	ck_assert(!pair_c.ok);
	ck_assert_str_eq(
	    pair_c.why, "TLS handshake failed: the peer closed the connection");
	ck_assert_uint_eq(pair_c.closed, 1);
	(void)close(fd);
}
END_TEST

#define G(text)                                                                \
	{                                                                      \
		text, sizeof(text) - 1                                         \
	}

static const struct str garbage[] = { G("220 mail.example ESMTP\r\n"),
	G("GET / HTTP/1.1\r\n\r\n"), G("\x16\x03\x01\xff\xff"),
	G("\x15\x03\x01\0\2\2\x28") };

START_TEST(fails_on_garbage)
{
	bool is_client = _i % 2 == 0;
	struct end *e = is_client ? &pair_c : &pair_s;
	struct stream *peer = is_client ? pair_s.s : pair_c.s;

	contexts(TLS13, "DNS:mx.corp.example", 0);
	stream_pause(peer);
	pair_tls(is_client ? client : NULL, is_client ? NULL : server, &how);
	stream_write(peer, garbage[_i / 2].p, garbage[_i / 2].n);
	pair_spin(4);
	ck_assert_uint_eq(e->shaken, 1);
	ck_assert(!e->ok);
	ck_assert(str_istarts(str_c(e->why), "TLS handshake failed: "));
	ck_assert_uint_eq(e->closed, 1);
	stream_write(e->s, "clear text", 10);
	pair_spin(3);
	ck_assert_ptr_null(
	    memmem(stream_in(pair_s.s).p, stream_in(pair_s.s).n, "clear", 5));
}
END_TEST

/* One octet of the client's or the server's flights is turned over. */
START_TEST(survives_any_spoiled_octet)
{
	char raw[65536];
	unsigned round, to_server;
	int fc[2], i;
	ssize_t n;
	size_t at = (size_t)_i * 37;

	contexts(_i % 2 == 0 ? TLS13 : TLS12, "DNS:mx.corp.example", 0);
	/* The ends do not see each other: we carry. */
	stream_destroy(&pair_c.s);
	stream_destroy(&pair_s.s);
	buf_fini(&pair_c.got);
	buf_fini(&pair_s.got);
	pair_spin(1);
	for (i = 0; i < 2; i++) {
		struct end *e = i == 0 ? &pair_c : &pair_s;
		int fd[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		pair_end(e, fd[0]);
		fc[i] = fd[1];
	}
	pair_tls(client, server, &how);
	for (round = 0; round < 40; round++) {
		pair_spin(1);
		to_server = round % 2;
		n = recv(fc[to_server ? 0 : 1], raw, sizeof(raw), MSG_DONTWAIT);
		if (n <= 0)
			continue;
		if (at < (size_t)n)
			raw[at] = (char)(raw[at] ^ 0x55);
		at = at < (size_t)n ? SIZE_MAX : at - (size_t)n;
		(void)send(fc[to_server ? 1 : 0], raw, (size_t)n, MSG_NOSIGNAL);
	}
	ck_assert_uint_le(pair_c.shaken, 1);
	ck_assert_uint_le(pair_s.shaken, 1);
	(void)close(fc[0]);
	(void)close(fc[1]);
	pair_spin(3);
	ck_assert_uint_eq(pair_c.shaken, 1);
	ck_assert_uint_eq(pair_s.shaken, 1);
}
END_TEST

START_TEST(may_be_destroyed_in_the_handshake)
{
	contexts(TLS13, "DNS:mx.corp.example", 0);
	if (_i == 0)
		pair_c.destroy_on_shake = true;
	else
		pair_s.destroy_on_shake = true;
	if (_i == 2) {
		pair_c.destroy_on_shake = true;
		want.level = TLSWANT_REQUIRED_VERIFY;
		how.domain = STR("other.example");
	}
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(_i == 0 || pair_s.s == NULL);
}
END_TEST

START_TEST(client_may_show_a_certificate)
{
	struct tlsctx_conf c = { .server = false };
	struct tlsctx_conf s = {
		.server = true, .request_client_cert = true, .ca_file = pki_ca()
	};

	s.cert_file = pki_issue("mx.pem", "DNS:mx.corp.example", 0);
	if (_i == 0)
		c.cert_file =
		    pki_issue("me.pem", "DNS:me.example", PKI_CLIENT_ONLY);
	client = make(&c);
	server = make(&s);
	pair_tls(client, server, &how);
	pair_shake();
	ck_assert(pair_c.ok && pair_s.ok);
	ck_assert_int_eq(pair_s.info.peer_cert, _i == 0);
	ck_assert_int_eq(pair_s.info.verified, _i == 0);
	talk();
}
END_TEST

/* A socket that is closed with something unread breaks the connection. */
START_TEST(hears_of_a_reset_in_the_handshake)
{
	int fd;

	contexts(TLS13, "DNS:mx.corp.example", 0);
	fd = dup(stream_fd(pair_c.s));
	stream_destroy(&pair_c.s);
	pair_tls(NULL, server, &how);
	pair_spin(1);
	stream_filter_raw(pair_s.s, "never read", 10);
	pair_spin(1);
	ck_assert_int_eq(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
	(void)close(fd);
	pair_spin(3);
	ck_assert_uint_eq(pair_s.shaken, 1);
	ck_assert(!pair_s.ok);
	ck_assert_uint_eq(pair_s.closed, 1);
	ck_assert_int_eq(pair_s.how, STREAM_RESET);
}
END_TEST

#define COUNT(v) ((int)(sizeof(v) / sizeof((v)[0])))

UNIT_SUITE(tlsio)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, shakes_hands_and_talks, 0, COUNT(hello_case));
	tcase_add_loop_test(tc, enforces_the_verdict, 0, COUNT(verify_case));
	tcase_add_loop_test(
	    tc, records_the_verdict_without_enforcing, 0, COUNT(verify_case));
	tcase_add_test(tc, trusts_nobody_without_roots);
	tcase_add_test(tc, matches_names_of_the_want);
	tcase_add_test(tc, trusts_what_is_listed_even_a_leaf);
	tcase_add_loop_test(tc, resumes_and_verifies_again, 0, 4);
	tcase_add_loop_test(tc, another_worker_takes_the_ticket, 0, 6);
	tcase_add_loop_test(tc, moves_megabytes_both_ways, 0, 2);
	tcase_add_test(tc, says_goodbye);
	tcase_add_test(tc, end_without_goodbye_is_an_end);
	tcase_add_loop_test(tc, fails_when_the_peer_leaves_in_the_middle, 0, 6);
	tcase_add_loop_test(tc, fails_on_garbage, 0, 2 * COUNT(garbage));
	tcase_add_loop_test(tc, survives_any_spoiled_octet, 0, 60);
	tcase_add_loop_test(tc, may_be_destroyed_in_the_handshake, 0, 3);
	tcase_add_loop_test(tc, client_may_show_a_certificate, 0, 2);
	tcase_add_test(tc, hears_of_a_reset_in_the_handshake);
}
