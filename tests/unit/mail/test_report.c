#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/codec.h"
#include "mail/report.h"
#include "unit.h"

#define WALL ((msec)1523926673123)

static struct envelope *env;
static struct report_rcpt rr[2000];
static struct report r;
static struct buf b;
static bool utf8;

static void
begin(void)
{
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	buf_init(&b, 1 << 20);
	env = envelope_new();
	env->mid = 7;
	env->queued = WALL - HOURS(1);
	env->helo = STR("client.example");
	ck_assert_int_eq(addr_parse(env->pool, STR("from@example.org"), 0,
	    &env->sender, NULL), 0);
	memset(rr, 0, sizeof(rr));
	r = (struct report){
		.kind = REPORT_FAILED,
		.hostname = "mx.example.com",
		.postmaster = "postmaster@mx.example.com",
		.mid = 8,
		.now = WALL,
		.env = env,
		.rcpt = rr,
		.content = STR("Subject: hi\r\nTo: you\r\n\r\nbody\r\n"),
		.content_whole = true,
		.bound = 10240,
	};
}

static void
end(void)
{
	buf_fini(&b);
	envelope_destroy(&env);
}

static void
add(const char *to, const char *said)
{
	struct report_rcpt *x = &rr[r.nrcpt++];
	struct addr a;

	ck_assert_int_eq(addr_parse(env->pool, str_c(to), ADDR_UTF8_OK, &a,
	    NULL), 0);
	x->rcpt = envelope_add_rcpt(env, &a, STR_NULL, 0);
	x->action = "failed";
	x->status = "5.1.1";
	x->remote_mta = STR("mx.example.net");
	x->diagnostic = str_c(said);
	x->diagnostic_smtp = true;
	x->last_attempt = WALL - SECONDS(1);
}

static void
has(const char *text)
{
	ck_assert_msg(strstr(buf_p(&b), text) != NULL, "no '%s' in:\n%s",
	    text, buf_p(&b));
}

static void
has_not(const char *text)
{
	ck_assert_msg(strstr(buf_p(&b), text) == NULL, "'%s' in:\n%s", text,
	    buf_p(&b));
}

/* What holds for every report. */
static void
build(void)
{
	const char *p, *line;

	buf_reset(&b);
	ck_assert_int_eq(report_build(&b, &r, &utf8), 0);
	ck_assert_uint_le(buf_len(&b), 65536);
	ck_assert_uint_eq(strlen(buf_p(&b)), buf_len(&b));
	ck_assert_int_eq(strcmp(buf_p(&b) + buf_len(&b) - 4, "--\r\n"), 0);
	for (line = buf_p(&b); *line != '\0'; line = p + 2) {
		p = strstr(line, "\r\n");
		ck_assert_ptr_nonnull(p);
		ck_assert_int_le(p - line, 998);
		ck_assert_ptr_null(memchr(line, '\r', (size_t)(p - line)));
		ck_assert_ptr_null(memchr(line, '\n', (size_t)(p - line)));
	}
	if (!utf8)
		ck_assert(ascii_only(buf_str(&b)));
	has("Auto-Submitted: auto-replied\r\n");
	has("MIME-Version: 1.0\r\n");
}

START_TEST(tells_who_why_and_returns_the_message)
{
	add("to@example.net", "550 5.1.1 no such user");
	rr[0].rcpt = env->rcpt[0];
	env->rcpt[0]->orcpt = STR("rfc822;orig@example.net");
	env->envid = STR("QQ314");
	build();
	ck_assert(!utf8);
	has("From: Mail Delivery System <postmaster@mx.example.com>\r\n");
	has("To: <from@example.org>\r\n");
	has("Subject: Delivery Status Notification (Failure)\r\n");
	has("Content-Type: multipart/report; report-type=delivery-status;\r\n");
	has("<to@example.net>:\r\n    550 5.1.1 no such user\r\n");
	has("Content-Type: message/delivery-status\r\n");
	has("\r\n\r\nReporting-MTA: dns; mx.example.com\r\n"
	    "Original-Envelope-Id: QQ314\r\n"
	    "Received-From-MTA: dns; client.example\r\n"
	    "Arrival-Date: Mon, 16 Apr 2018 23:57:53 +0000\r\n"
	    "\r\n"
	    "Original-Recipient: rfc822;orig@example.net\r\n"
	    "Final-Recipient: rfc822; to@example.net\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.net\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
	    "Last-Attempt-Date: Tue, 17 Apr 2018 00:57:52 +0000\r\n");
	has("Content-Type: message/rfc822\r\n");
	has("\r\n\r\nSubject: hi\r\nTo: you\r\n\r\nbody\r\n\r\n--");
	has_not("Will-Retry-Until");
}
END_TEST

START_TEST(returns_the_header_if_the_message_may_not_be)
{
	static const struct {
		unsigned flags;
		bool whole;
		size_t bound;
		enum report_kind kind;
		bool all;
	} cases[] = {
		{ 0, true, 10240, REPORT_FAILED, true },
		{ ENV_RET_FULL, true, 10240, REPORT_FAILED, true },
		{ ENV_RET_HDRS, true, 10240, REPORT_FAILED, false },
		{ 0, false, 10240, REPORT_FAILED, false },
		{ 0, true, 31, REPORT_FAILED, true },
		{ 0, true, 30, REPORT_FAILED, false },
		{ 0, true, 10240, REPORT_DELAYED, false },
		{ 0, true, 10240, REPORT_SUCCESS, false },
	};
	size_t i;

	add("to@example.net", "x");
	ck_assert_uint_eq(r.content.n, 30);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		env->flags = cases[i].flags;
		r.content_whole = cases[i].whole;
		r.bound = cases[i].bound;
		r.kind = cases[i].kind;
		build();
		has("Subject: hi\r\nTo: you\r\n");
		if (cases[i].all)
			has("\r\n\r\nbody\r\n");
		else
			has_not("\r\n\r\nbody\r\n");
	}
}
END_TEST

START_TEST(is_seven_bit_whatever_is_returned)
{
	add("to@example.net", "550 \xff\xfe\r\n.\r\n\x1b[2J");
	r.content = STR("Subject: m\xc3\xbcll = x \r\n\r\n\xff\r\n");
	build();
	has("text/rfc822-headers");
	has("Content-Transfer-Encoding: quoted-printable\r\n");
	has("\r\n\r\nSubject: m=C3=BCll =3D x=20\r\n");
	has("550 ??  .  ?[2J");
}
END_TEST

START_TEST(lines_that_cannot_travel_are_encoded_or_left_out)
{
	static char line[3000];

	add("to@example.net", "x");
	memset(line, 'x', sizeof(line));
	memcpy(line, "Subject: ", 9);
	memcpy(line + sizeof(line) - 4, "\r\n\r\n", 4);
	r.content = str_n(line, sizeof(line));
	build();
	has("quoted-printable");
	r.content = STR("Subject: x\r\n\r\na\nb\r\n");
	build();
	has("text/rfc822-headers");
	has_not("a\nb");
	r.content = STR("");
	build();
	r.content = STR("no line end");
	build();
}
END_TEST

START_TEST(a_content_cannot_close_the_report)
{
	add("to@example.net", "x");
	r.content = STR("Subject: x\r\n\r\n--=_postern_8_162d11ba6e3_0--\r\n");
	build();
	has("boundary=\"=_postern_8_162d11ba6e3_1\"");
}
END_TEST

START_TEST(stays_below_64_kb_with_many_recipients)
{
	static char big[60000];
	char to[64];
	size_t i;

	for (i = 0; i < 2000; i++) {
		(void)snprintf(to, sizeof(to), "user%zu@example.net", i);
		add(to, "550 a rather long text that goes on and on and on "
		    "and on and on and on and on and on and on and on");
	}
	for (i = 0; i + 12 <= sizeof(big); i += 12)
		memcpy(big + i, "A: 67\xc3\xbc" "01\r\n", 12);
	r.content = str_n(big, i);
	r.content_whole = false;
	r.bound = sizeof(big);
	build();
	ck_assert_uint_gt(buf_len(&b), 50000);
	has("further recipients.\r\n");
	has("Final-Recipient: rfc822; user0@example.net\r\n");
	has("text/rfc822-headers");
}
END_TEST

START_TEST(long_diagnostics_are_folded_and_cut)
{
	static char said[5000];
	size_t i;

	for (i = 0; i < sizeof(said) - 1; i++)
		said[i] = i % 10 == 9 ? ' ' : 'x';
	add("to@example.net", said);
	build();
	has("Diagnostic-Code: smtp; xxxxxxxxx xxxxxxxxx xxxxxxxxx xxxxxxxxx "
	    "xxxxxxxxx\r\n    xxxx");
	memset(said, 'y', sizeof(said) - 1);
	build();
}
END_TEST

START_TEST(a_delay_says_until_when)
{
	add("to@example.net", "451 later");
	rr[0].action = "delayed";
	rr[0].status = "4.0.0";
	rr[0].will_retry_until = WALL + HOURS(71);
	r.kind = REPORT_DELAYED;
	build();
	has("(Delay)");
	has("Action: delayed\r\n");
	has("Will-Retry-Until: Thu, 19 Apr 2018 23:57:53 +0000\r\n");
	rr[0].diagnostic_smtp = false;
	build();
	has("Diagnostic-Code: x-postern; 451 later\r\n");
}
END_TEST

START_TEST(utf8_addresses_make_a_global_report)
{
	add("m\xc3\xbcller@example.net", "550 no");
	r.content = STR("Subject: \xc3\xbc\r\n\r\n\xc3\xbc\r\n");
	build();
	ck_assert(utf8);
	has("report-type=global-delivery-status;");
	has("Content-Type: message/global-delivery-status\r\n");
	has("Final-Recipient: utf-8; m\xc3\xbcller@example.net\r\n");
	has("Content-Type: message/global\r\n");
	env->flags = ENV_RET_HDRS;
	build();
	has("Content-Type: message/global-headers\r\n");
}
END_TEST

START_TEST(says_so_if_it_does_not_fit_the_buffer)
{
	add("to@example.net", "x");
	buf_fini(&b);
	buf_init(&b, 1000);
	ck_assert_int_eq(report_build(&b, &r, &utf8), -1);
}
END_TEST

START_TEST(a_plain_one_is_text_with_the_header_and_no_more)
{
	struct addr boss;

	add("gone@example.net", "550 5.1.1 no such user");
	ck_assert_int_eq(addr_parse(env->pool, STR("boss@example.com"), 0,
	    &boss, NULL), 0);
	r.plain = true;
	r.to = &boss;
	r.content = STR("Subject: caf\xe9\r\nTo: you\r\n\r\nbody\r\n");
	ck_assert_int_eq(report_build(&b, &r, &utf8), 0);
	has("To: <boss@example.com>\r\n");
	has("Content-Type: text/plain; charset=us-ascii\r\n");
	has("<gone@example.net>:\r\n    550 5.1.1 no such user\r\n");
	has("\r\n\r\nSubject: caf?\r\nTo: you\r\n");
	has_not("multipart");
	has_not("body");
	has_not("attached");
}
END_TEST

START_TEST(a_redacted_one_has_nothing_of_the_message)
{
	unsigned i;

	for (i = 0; i < 2; i++) {
		if (i > 0) {
			end();
			begin();
		}
		add("gone@example.net", "550 5.1.1 no such user");
		r.plain = i > 0;
		r.redacted = true;
		r.content = STR("Subject: secret\r\nTo: you\r\n\r\nbody\r\n");
		r.content_whole = true;
		ck_assert_int_eq(report_build(&b, &r, &utf8), 0);
		has("<gone@example.net>:\r\n    550 5.1.1 no such user\r\n");
		has_not("secret");
		has_not("body");
		has_not("attached");
	}
}
END_TEST

START_TEST(a_plain_one_has_a_largest_size)
{
	static char header[200000];
	unsigned i;

	for (i = 0; i < 2000; i++)
		add("gone@example.net", "550 5.1.1 no such user");
	for (i = 0; i + 2 <= sizeof(header); i += 2)
		memcpy(header + i, "A\n", 2);
	r.plain = true;
	r.bound = sizeof(header);
	r.content = str_n(header, sizeof(header));
	ck_assert_int_eq(report_build(&b, &r, &utf8), 0);
	ck_assert_uint_le(buf_len(&b), 65536);
}
END_TEST

UNIT_SUITE(report)
{
	tcase_add_test(tc, a_plain_one_is_text_with_the_header_and_no_more);
	tcase_add_test(tc, a_redacted_one_has_nothing_of_the_message);
	tcase_add_test(tc, a_plain_one_has_a_largest_size);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, tells_who_why_and_returns_the_message);
	tcase_add_test(tc, returns_the_header_if_the_message_may_not_be);
	tcase_add_test(tc, is_seven_bit_whatever_is_returned);
	tcase_add_test(tc, lines_that_cannot_travel_are_encoded_or_left_out);
	tcase_add_test(tc, a_content_cannot_close_the_report);
	tcase_add_test(tc, stays_below_64_kb_with_many_recipients);
	tcase_add_test(tc, long_diagnostics_are_folded_and_cut);
	tcase_add_test(tc, a_delay_says_until_when);
	tcase_add_test(tc, utf8_addresses_make_a_global_report);
	tcase_add_test(tc, says_so_if_it_does_not_fit_the_buffer);
}
