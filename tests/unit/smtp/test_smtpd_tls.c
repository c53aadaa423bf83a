/*
 * STARTTLS, TLS from the first octet, and what there is only inside: AUTH.
 */
#include <stdio.h>
#include <string.h>

#include "smtpd_fake.h"
#include "tls/tlsctx.h"
#include "tls/tlsio.h"
#include "unit.h"

/* The client's end: the fake's socket with a stream on it. */
struct client {
	struct fake f;
	struct tlsctx *server_ctx, *ctx;
	struct stream *stream;
	struct buf in;
	bool done, ok, closed;
};

static void
client_input(void *arg)
{
	struct client *c = arg;

	(void)buf_add_str(&c->in, stream_in(c->stream));
	stream_discard(c->stream);
}

static void
client_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct client *c = arg;

	(void)how;
	(void)why;
	c->closed = true;
}

static const struct stream_ops client_ops = {
	.input = client_input,
	.closed = client_closed,
};

static void
client_handshake(void *arg, bool ok, const struct err *why)
{
	struct client *c = arg;

	(void)why;
	c->done = true;
	c->ok = ok;
}

static void
client_init(struct client *c)
{
	struct tlsctx_conf conf = { .server = false };
	struct err why = ERR_INIT;

	memset(c, 0, sizeof(*c));
	fake_init(&c->f);
	buf_init(&c->in, 1 << 20);
	ck_assert_msg(tlsctx_new_selfsigned(&c->server_ctx, "mx.example",
	    &why) == 0, "%s", why.text);
	ck_assert_msg(tlsctx_new(&c->ctx, &conf, &why) == 0, "%s", why.text);
	c->f.conf.tls = SMTPD_TLS_PREFERRED;
	c->f.conf.tlsctx = c->server_ctx;
	c->f.conf.auth = true;
}

/* From here on the client's octets go through c->stream. */
static void
client_take(struct client *c)
{
	c->stream = stream_new(c->f.loop, c->f.fd, 65536, &client_ops, c);
	c->f.fd = -1;
}

static void
client_run(struct client *c)
{
	int i;

	for (i = 0; i < 30; i++)
		loop_once(c->f.loop, false);
}

static void
client_start_tls(struct client *c)
{
	static const struct tlswant want = { .level = TLSWANT_OPPORTUNISTIC };
	static const struct tlsio_client how = { .want = &want };

	if (c->stream == NULL)
		client_take(c);
	(void)tlsio_start(c->stream, c->ctx, &how, client_handshake, c);
	client_run(c);
}

static void
client_fini(struct client *c)
{
	stream_destroy(&c->stream);
	client_run(c);
	tlsctx_unref(&c->server_ctx);
	tlsctx_unref(&c->ctx);
	fake_fini(&c->f);
	buf_fini(&c->in);
}

/* Says it inside TLS; the answer is compared up to the end of want. */
static void
says(struct client *c, const char *text, const char *want)
{
	struct str got;

	buf_reset(&c->in);
	stream_printf(c->stream, "%s\r\n", text);
	client_run(c);
	got = buf_str(&c->in);
	ck_assert_msg(str_istarts(got, want), "%s\nsaid:   %.*s\nwanted: %s",
	    text, STR_FMT(got), want);
}

static void
in_clear(struct client *c, const char *text, const char *want)
{
	struct str got;

	buf_reset(&c->f.replies);
	fake_send(&c->f, text, strlen(text));
	got = buf_str(&c->f.replies);
	ck_assert_msg(str_istarts(got, want), "%s\nsaid:   %.*s\nwanted: %s",
	    text, STR_FMT(got), want);
}

#define READY "220 2.0.0 Ready to start TLS\r\n"

static void
up_to_tls(struct client *c)
{
	fake_start(&c->f);
	in_clear(c, "EHLO c\r\n", "250-mx.example\r\n");
	in_clear(c, "STARTTLS\r\n", READY);
	client_start_tls(c);
	ck_assert(c->done && c->ok);
	ck_assert_ptr_nonnull(smtpd_tls(c->f.s));
}

START_TEST(changes_to_tls_and_begins_anew)
{
	struct client c;

	client_init(&c);
	c.f.wait = _i != 0;
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\n",
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n"
	    "250-ETRN\r\n250-STARTTLS\r\n250-8BITMIME\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n"
	    "250-SMTPUTF8\r\n250 LIMITS RCPTMAX=100\r\n");
	in_clear(&c, "starttls\r\n", READY);
	client_start_tls(&c);
	ck_assert(c.done && c.ok);
	ck_assert_uint_eq(smtpd_helo(c.f.s).n, 0);
	says(&c, "MAIL FROM:<>", "503 5.5.1 Send EHLO or HELO first\r\n");
	says(&c, "EHLO d",
	    "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n"
	    "250-ETRN\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-DSN\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
	    "250-AUTH PLAIN LOGIN\r\n250 LIMITS RCPTMAX=100\r\n");
	says(&c, "STARTTLS", "503 5.5.1 TLS is active already\r\n");
	says(&c, "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx\r\n.\r\n"
	    "QUIT", "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
	    "354 End data with <CR><LF>.<CR><LF>\r\n"
	    "250 2.0.0 Message accepted\r\n221 2.0.0 Closing connection\r\n");
	ck_assert(c.closed);
	ck_assert_str_eq(buf_p(&c.f.log), "connect\nehlo c\ntls ok\nehlo d\n"
	    "mail <a@b.c>\nrcpt 0 <d@e.f>\ndata\neom <a@b.c> <d@e.f> 3\n"
	    "x\r\n|\nclose quit\n");
	client_fini(&c);
}
END_TEST

/* CVE-2011-0411. */
START_TEST(discards_what_is_pipelined_behind_starttls)
{
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\nSTARTTLS\r\nRSET\r\nEHLO evil\r\n"
	    "MAIL FROM:<evil@b.c>\r\n", "250-mx.example\r\n");
	ck_assert_msg(str_iends(buf_str(&c.f.replies), READY), "%s",
	    buf_p(&c.f.replies));
	client_start_tls(&c);
	ck_assert(c.done && c.ok);
	says(&c, "RCPT TO:<a@b.c>", "503 5.5.1 Send EHLO or HELO first\r\n");
	ck_assert_str_eq(buf_p(&c.f.log), "connect\nehlo c\ntls ok\n");
	client_fini(&c);
}
END_TEST

START_TEST(forgets_the_transaction_that_was_begun_in_clear)
{
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\nMAIL FROM:<a@b.c>\r\n", "250-");
	if (_i != 0)
		in_clear(&c, "RCPT TO:<d@e.f>\r\n", "250 2.1.5");
	in_clear(&c, "STARTTLS\r\n", READY);
	client_start_tls(&c);
	ck_assert(c.done && c.ok);
	says(&c, "DATA", "503 5.5.1");
	ck_assert(str_iends(buf_str(&c.f.log), "abort <a@b.c>\ntls ok\n"));
	client_fini(&c);
}
END_TEST

START_TEST(says_nothing_in_clear_after_a_failed_handshake)
{
	static const struct {
		const char *p;
		size_t n;
	} garbage[] = {
		{ "EHLO x\r\nMAIL FROM:<a@b.c>\r\n", 27 },
		{ "\x16\x03\x01\x00\x05hello", 10 },
	};
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\n", "250-");
	in_clear(&c, "STARTTLS\r\n", READY);
	buf_reset(&c.f.replies);
	fake_send(&c.f, garbage[_i].p, garbage[_i].n);
	ck_assert_ptr_null(c.f.s);
	ck_assert(!str_istarts(buf_str(&c.f.replies), "4") &&
	    !str_istarts(buf_str(&c.f.replies), "5"));
	ck_assert_str_eq(buf_p(&c.f.log),
	    "connect\nehlo c\ntls failed\nclose lost\n");
	client_fini(&c);
}
END_TEST

START_TEST(waits_no_longer_than_the_tls_timeout)
{
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\nSTARTTLS\r\n", "250-");
	fake_wait(&c.f, MINUTES(1) - 1);
	ck_assert_ptr_nonnull(c.f.s);
	buf_reset(&c.f.replies);
	fake_wait(&c.f, 1);
	ck_assert_ptr_null(c.f.s);
	ck_assert_uint_eq(buf_len(&c.f.replies), 0);
	ck_assert_str_eq(buf_p(&c.f.log),
	    "connect\nehlo c\ntls failed\nclose closed\n");
	client_fini(&c);
}
END_TEST

START_TEST(notices_a_client_that_vanishes_in_the_handshake)
{
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\nSTARTTLS\r\n", "250-");
	fake_hang_up(&c.f);
	ck_assert_ptr_null(c.f.s);
	ck_assert_str_eq(buf_p(&c.f.log),
	    "connect\nehlo c\ntls failed\nclose lost\n");
	client_fini(&c);
}
END_TEST

START_TEST(speaks_tls_from_the_first_octet)
{
	struct client c;

	client_init(&c);
	c.f.conf.implicit_tls = true;
	c.f.conf.tls = SMTPD_TLS_REQUIRED;
	c.f.wait = _i != 0;
	fake_start(&c.f);
	ck_assert_uint_eq(buf_len(&c.f.replies), 0);
	client_start_tls(&c);
	ck_assert(c.done && c.ok);
	ck_assert_str_eq(buf_p(&c.in), "220 mx.example ESMTP Postern\r\n");
	says(&c, "HELO x", "250 mx.example\r\n");
	says(&c, "STARTTLS", "503 5.5.1");
	says(&c, "MAIL FROM:<>", "250 2.1.0");
	client_fini(&c);
}
END_TEST

START_TEST(required_is_satisfied_by_tls)
{
	struct client c;

	client_init(&c);
	c.f.conf.tls = SMTPD_TLS_REQUIRED;
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\n", "250-");
	in_clear(&c, "MAIL FROM:<>\r\n", "530 5.7.0");
	in_clear(&c, "STARTTLS\r\n", READY);
	client_start_tls(&c);
	ck_assert(c.done && c.ok);
	says(&c, "EHLO x\r\nMAIL FROM:<>", "250-");
	ck_assert(str_iends(buf_str(&c.in), "250 2.1.0 Sender ok\r\n"));
	client_fini(&c);
}
END_TEST

START_TEST(the_owner_may_refuse_after_the_handshake)
{
	struct client c;

	client_init(&c);
	c.f.tls.act = _i == 0 ? SMTPD_REFUSE : SMTPD_CLOSE;
	(void)err_set(&c.f.tls.reply, 554, "5.7.0", "Bad certificate");
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\n", "250-");
	in_clear(&c, "STARTTLS\r\n", READY);
	client_start_tls(&c);
	if (_i == 0) {
		says(&c, "EHLO x", "554 5.7.0 Bad certificate\r\n");
		says(&c, "MAIL FROM:<>", "554 5.7.0 Bad certificate\r\n");
		says(&c, "NOOP", "250 ");
		says(&c, "QUIT", "221 ");
	} else {
		ck_assert_str_eq(buf_p(&c.in), "554 5.7.0 Bad certificate\r\n");
	}
	ck_assert(c.closed);
	client_fini(&c);
}
END_TEST

/* base64 of \0u\0p, \0u\0wrong, a\0u\0p, u\0p, \0\0p, u, p */
#define PLAIN_OK "AHUAcA=="
#define PLAIN_WRONG "AHUAd3Jvbmc="
#define PLAIN_OTHER "YQB1AHA="
#define PLAIN_HALF "dQBw"
#define PLAIN_EMPTY "AABw"
#define DONE "235 2.7.0 Authentication successful\r\n"
#define MALFORMED "501 5.5.2 Malformed response\r\n"
#define INVALID "535 5.7.8 Authentication credentials invalid\r\n"

static const struct {
	const char *say[6][2];
	const char *log; /* behind the second EHLO */
} auths[] = {
	{ { { "AUTH PLAIN " PLAIN_OK, DONE },
	    { "AUTH PLAIN " PLAIN_OK, "503 5.5.1 Already authenticated\r\n" },
	    { "MAIL FROM:<>", "250 2.1.0" } },
	    "auth u p\nmail <> auth=u\n" },
	{ { { "auth plain", "334 \r\n" }, { PLAIN_OK, DONE } },
	    "auth u p\n" },
	{ { { "AUTH PLAIN " PLAIN_WRONG, INVALID },
	    { "AUTH PLAIN " PLAIN_OK, DONE } },
	    "auth u wrong\nauth u p\n" },
	{ { { "AUTH PLAIN " PLAIN_OTHER, INVALID },
	    { "AUTH PLAIN " PLAIN_HALF, MALFORMED },
	    { "AUTH PLAIN " PLAIN_EMPTY, MALFORMED },
	    { "AUTH PLAIN =", MALFORMED },
	    { "AUTH PLAIN !", "501 5.5.2 Cannot decode response\r\n" },
	    { "AUTH PLAIN a b", "501 5.5.4" } }, "" },
	{ { { "AUTH PLAIN", "334 \r\n" },
	    { "*", "501 5.0.0 Authentication cancelled\r\n" },
	    { "NOOP", "250 " }, { "AUTH PLAIN", "334 \r\n" },
	    { "", MALFORMED } }, "" },
	{ { { "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n" },
	    { "dQ==", "334 UGFzc3dvcmQ6\r\n" }, { "cA==", DONE } },
	    "auth u p\n" },
	{ { { "AUTH LOGIN dQ==", "334 UGFzc3dvcmQ6\r\n" }, { "cA==", DONE } },
	    "auth u p\n" },
	{ { { "AUTH LOGIN", "334 VXNlcm5hbWU6\r\n" }, { "", MALFORMED },
	    { "AUTH LOGIN dQo=", MALFORMED },
	    { "AUTH LOGIN dQ==", "334 UGFzc3dvcmQ6\r\n" },
	    { "*", "501 5.0.0" }, { "NOOP", "250 " } }, "" },
	{ { { "AUTH LOGIN dQ==", "334 " }, { "d3Jvbmc=", INVALID } },
	    "auth u wrong\n" },
	{ { { "AUTH", "501 5.5.4 Syntax: AUTH mechanism\r\n" },
	    { "AUTH CRAM-MD5", "504 5.5.4 Mechanism not supported\r\n" },
	    { "MAIL FROM:<>", "250 " },
	    { "AUTH PLAIN " PLAIN_OK,
		"503 5.5.1 Not while a message is being sent\r\n" },
	    { "RSET", "250 " }, { "AUTH PLAIN " PLAIN_OK, DONE } },
	    "mail <>\nabort <>\nauth u p\n" },
	{ { { "AUTH PLAIN", "334 \r\n" }, { "A\nB", "500 5.5.2 Line ends" },
	    { "NOOP", "250 " } }, "" },
	{ { { "HELO x", "250 " },
	    { "AUTH PLAIN " PLAIN_OK, "503 5.5.1 Send EHLO first\r\n" } },
	    "helo x\n" },
};

START_TEST(authenticates)
{
	static const char before[] = "connect\nehlo c\ntls ok\nehlo d\n";
	struct client c;
	size_t i;

	client_init(&c);
	c.f.wait = (_i & 1) != 0;
	_i /= 2;
	up_to_tls(&c);
	says(&c, "EHLO d", "250-");
	for (i = 0; i < 6 && auths[_i].say[i][0] != NULL; i++)
		says(&c, auths[_i].say[i][0], auths[_i].say[i][1]);
	ck_assert(str_istarts(buf_str(&c.f.log), before));
	ck_assert_str_eq(buf_p(&c.f.log) + strlen(before), auths[_i].log);
	client_fini(&c);
}
END_TEST

START_TEST(authenticates_inside_tls_only)
{
	struct client c;

	client_init(&c);
	fake_start(&c.f);
	in_clear(&c, "EHLO c\r\n", "250-");
	ck_assert_ptr_null(strstr(buf_p(&c.f.replies), "AUTH"));
	in_clear(&c, "AUTH PLAIN " PLAIN_OK "\r\n",
	    "538 5.7.11 Encryption required for authentication\r\n");
	client_fini(&c);
}
END_TEST

START_TEST(counts_failed_authentications)
{
	struct client c;
	int i;

	client_init(&c);
	c.f.conf.max_errors = 3;
	up_to_tls(&c);
	says(&c, "EHLO d", "250-");
	for (i = 0; i < 3; i++)
		says(&c, "AUTH PLAIN " PLAIN_WRONG, INVALID);
	says(&c, "AUTH PLAIN " PLAIN_WRONG, "421 4.7.0 Too many errors\r\n");
	ck_assert(c.closed);
	client_fini(&c);
}
END_TEST

UNIT_SUITE(smtpd_tls)
{
	tcase_add_loop_test(tc, changes_to_tls_and_begins_anew, 0, 2);
	tcase_add_test(tc, discards_what_is_pipelined_behind_starttls);
	tcase_add_loop_test(tc,
	    forgets_the_transaction_that_was_begun_in_clear, 0, 2);
	tcase_add_loop_test(tc,
	    says_nothing_in_clear_after_a_failed_handshake, 0, 2);
	tcase_add_test(tc, waits_no_longer_than_the_tls_timeout);
	tcase_add_test(tc, notices_a_client_that_vanishes_in_the_handshake);
	tcase_add_loop_test(tc, speaks_tls_from_the_first_octet, 0, 2);
	tcase_add_test(tc, required_is_satisfied_by_tls);
	tcase_add_loop_test(tc, the_owner_may_refuse_after_the_handshake, 0,
	    2);
	tcase_add_loop_test(tc, authenticates, 0,
	    2 * sizeof(auths) / sizeof(auths[0]));
	tcase_add_test(tc, authenticates_inside_tls_only);
	tcase_add_test(tc, counts_failed_authentications);
}
