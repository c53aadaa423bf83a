/*
 * The server's limits: at the limit, one past it and far beyond; and what must
 * not be taken for the end of data.
 */
#include <stdlib.h>
#include <string.h>

#include "transcript.h"
#include "unit.h"

static void
limits(struct fake *f)
{
	f->conf.max_size = 100;
	f->conf.max_header = 40;
	f->conf.max_rcpt = 2;
	f->conf.max_hops = 2;
	f->conf.max_errors = 3;
	f->conf.max_bad_rcpt = 2;
	f->conf.max_commands = 4;
	f->conf.max_messages = 2;
}

static void
normalizing(struct fake *f)
{
	f->conf.normalize = true;
}

#define HELLO "S: 220 mx.example ESMTP Postern", "H: "
#define BYE "C: QUIT", "S: 221 2.0.0 Closing connection", "X: "
#define FROM "C: MAIL FROM:<a@b.c>", "S: 250 2.1.0 Sender ok"
#define TO "C: RCPT TO:<d@e.f>", "S: 250 2.1.5 Recipient ok"
#define DATA "C: DATA", "S: 354 End data with <CR><LF>.<CR><LF>"
#define DONE "S: 250 2.0.0 Message accepted"
#define BARE "S: 550 5.6.0 Message contains bare CR or LF"
#define TEN "0123456789"

static const struct transcript cases[] = {
{ "size at the limit", limits, {
	HELLO, "C: MAIL FROM:<> SIZE=100", "S: 250 2.1.0 Sender ok", TO, DATA,
	"C: ", "C: " TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456", "C: .",
	DONE, BYE } },
{ "size one past the limit", limits, {
	HELLO, "C: MAIL FROM:<> SIZE=101",
	"S: 552 5.3.4 Message size exceeds limit", FROM, TO, DATA,
	"C: ", "C: " TEN TEN TEN TEN TEN TEN TEN TEN TEN "1234567", "C: .",
	"S: 552 5.3.4 Message size exceeds limit", FROM, TO,
	"R: BDAT 100\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345678",
	"S: 250 2.0.0 100 octets received",
	"R: BDAT 1 LAST\r\nx", "S: 552 5.3.4 Message size exceeds limit", BYE,
	"O: connect", "O: ehlo c", "O: trouble Message size exceeds limit",
	"O: mail <a@b.c>", "O: rcpt 0 <d@e.f>", "O: data",
	"O: trouble Message size exceeds limit", "O: abort <a@b.c>",
	"O: mail <a@b.c>", "O: rcpt 0 <d@e.f>", "O: data",
	"O: trouble Message size exceeds limit", "O: abort <a@b.c>",
	"O: close quit" } },
{ "a chunk that is too much", limits, {
	HELLO, FROM, TO,
	"R: BDAT 101\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456789",
	"S: 552 5.3.4 Message size exceeds limit",
	"R: BDAT 6 LAST\r\nQUIT\r\n",
	"S: 503 5.5.1 A chunk was refused, send RSET", BYE } },
{ "header at the limit", limits, {
	HELLO, FROM, TO, DATA, "C: A: " TEN TEN TEN "12345", "C: ", "C: x",
	"C: .", DONE, BYE } },
{ "header one past the limit", limits, {
	HELLO, FROM, TO, DATA, "C: A: " TEN TEN TEN "123456", "C: ", "C: x",
	"C: .", "S: 552 5.3.4 Message header size exceeds limit", BYE } },
{ "recipients", limits, {
	HELLO, FROM, TO, TO, "C: RCPT TO:<g@h.i>",
	"S: 452 4.5.3 Too many recipients", "C: RCPT TO:<g@h.i>",
	"S: 452 4.5.3 Too many recipients", "C: RCPT TO:<g@h.i>",
	"S: 452 4.5.3 Too many recipients", "C: RCPT TO:<g@h.i>",
	"S: 452 4.5.3 Too many recipients", DATA, "C: .", DONE, BYE } },
{ "hops at the limit", limits, {
	HELLO, FROM, TO, DATA, "C: Received: a", "C: received: b", "C: ",
	"C: Received: c", "C: .", DONE, BYE } },
{ "hops one past the limit", limits, {
	HELLO, FROM, TO, DATA, "C: Received: a", "C: received: b",
	"C: RECEIVED:", "C: .", "S: 554 5.4.6 Too many hops", BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: trouble Message loop", "O: abort <a@b.c>",
	"O: close quit" } },
{ "errors", limits, {
	HELLO, FROM, "C: X", "S: 500 5.5.1 ...", "C: X", "S: 500 5.5.1 ...",
	"C: X", "S: 500 5.5.1 ...", "C: X", "S: 421 4.7.0 Too many errors",
	"X: ", "C: NOOP" } },
{ "refused recipients", limits, {
	HELLO, FROM, "C: RCPT TO:<no@x.y>", "S: 550 5.7.1 ...",
	"C: RCPT TO:<temp@x.y>", "S: 450 4.7.1 ...",
	"C: RCPT TO:<no@x.y>", "S: 550 5.7.1 ...",
	"C: RCPT TO:<no@x.y>", "S: 421 4.7.0 Too many refused recipients",
	"X: " } },
{ "commands without a message", limits, {
	HELLO, "C: NOOP", "S: 250 2.0.0 Ok", FROM, TO, "C: RSET",
	"S: 250 2.0.0 Ok", "C: NOOP", "S: 250 2.0.0 Ok", "C: NOOP",
	"S: 421 4.7.0 Too many commands without a message", "X: " } },
{ "messages", limits, {
	HELLO, FROM, TO, DATA, "C: .", DONE, FROM, TO, DATA, "C: .", DONE,
	"C: MAIL FROM:<>", "S: 421 4.7.0 Too many messages in this session",
	"X: ",
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 0", "O: |", "O: mail <a@b.c>",
	"O: rcpt 0 <d@e.f>", "O: data", "O: eom <a@b.c> <d@e.f> 0", "O: |",
	"O: trouble Too Many Messages", "O: close closed" } },
/* What others have taken for the end of data: none ends it here, and what
 * stands behind it is never a command. */
{ "smuggling: LF . LF", NULL, {
	HELLO, FROM, TO, DATA, "R: x\n.\nRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: LF . CRLF", NULL, {
	HELLO, FROM, TO, DATA, "R: x\n.\r\nRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: CRLF . LF", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r\n.\nRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: CR . CR", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r.\rRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: CR . CRLF", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r.\r\nRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: CRLF . CR", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r\n.\rRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: LF . CR", NULL, {
	HELLO, FROM, TO, DATA, "R: x\n.\rRSET\r\n.\r\n", BARE, BYE } },
{ "smuggling: CR CRLF . CRLF", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r\r\n.\r\n", BARE, BYE } },
{ "smuggling: NUL", NULL, {
	HELLO, FROM, TO, DATA, "R: x\r\n\\0.\r\nRSET\r\n.\\0\r\n.\r\n",
	"S: 550 5.6.0 Message contains NUL", BYE } },
{ "smuggling into a normalizing server", normalizing, {
	HELLO, FROM, TO, DATA,
	"R: x\n.\nRSET\r.\rRSET\n.\r\nQUIT\r\n.\nQUIT\r\n.\r\n", DONE, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 38",
	"O: x\r\n.\r\nRSET\r\n.\r\nRSET\r\n.\r\nQUIT\r\n\r\nQUIT\r\n|",
	"O: close quit" } },
{ "bare line ends in chunks, normalized", normalizing, {
	HELLO, FROM, TO, "R: BDAT 3\r\nx\ny", "S: 250 2.0.0 3 octets received",
	"R: BDAT 2 LAST\r\nz\r", DONE, BYE,
	"O: connect", "O: ehlo c", "O: mail <a@b.c>", "O: rcpt 0 <d@e.f>",
	"O: data", "O: eom <a@b.c> <d@e.f> 7", "O: x\r\nyz\r\n|",
	"O: close quit" } },
};

#define N_CASES (sizeof(cases) / sizeof(cases[0]))

START_TEST(keeps_its_limits)
{
	transcript_play(&cases[_i]);
}
END_TEST

static void
say(struct fake *f, const char *text)
{
	fake_send(f, text, strlen(text));
}

/* The last reply line, without CRLF. */
static const char *
last(struct fake *f)
{
	static char line[1024];
	struct str all = buf_str(&f->replies);
	size_t at;

	ck_assert_uint_gt(all.n, 2);
	at = all.n - 2;
	while (at > 0 && all.p[at - 1] != '\n')
		at--;
	(void)str_copy(line, sizeof(line), str_n(all.p + at, all.n - 2 - at));
	return line;
}

/* Lines of exactly n octets with CRLF: "NOOP xxx". */
static void
say_line(struct fake *f, const char *verb, size_t n)
{
	char *p = malloc(n);

	ck_assert_ptr_nonnull(p);
	memset(p, 'x', n);
	memcpy(p, verb, strlen(verb));
	memcpy(p + n - 2, "\r\n", 2);
	fake_send(f, p, n);
	free(p);
}

START_TEST(refuses_lines_past_their_limit)
{
	static const struct {
		const char *verb;
		size_t limit;
		const char *ok;
	} lines[] = {
		{ "NOOP ", 512, "250 " },
		{ "MAIL FROM:<a@b.c> ENVID=", 2048, "501 5.5.4" },
		{ "RCPT TO:<a@b.c> ", 2048, "503 5.5.1" },
		{ "AUTH PLAIN ", 12288, "502 5.5.1" },
		{ "", 512, "500 5.5.1" },
	};
	struct fake f;
	size_t len;

	fake_init(&f);
	fake_start(&f);
	say(&f, "EHLO c\r\n");
	len = lines[_i].limit;
	say_line(&f, lines[_i].verb, len);
	ck_assert_msg(str_istarts(str_c(last(&f)), lines[_i].ok), "%s",
	    last(&f));
	say_line(&f, lines[_i].verb, len + 1);
	ck_assert_str_eq(last(&f), "500 5.5.2 Line too long");
	say(&f, "NOOP\r\n");
	ck_assert_str_eq(last(&f), "250 2.0.0 Ok");
	say_line(&f, lines[_i].verb, 3 << 20);
	ck_assert_str_eq(last(&f), "500 5.5.2 Line too long");
	say(&f, "NOOP\r\n");
	ck_assert_str_eq(last(&f), "250 2.0.0 Ok");
	fake_fini(&f);
}
END_TEST

START_TEST(host_names_end_at_255_octets)
{
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	say_line(&f, "EHLO ", 5 + 255 + 2);
	ck_assert_msg(str_istarts(str_c(last(&f)), "250 "), "%s", last(&f));
	say_line(&f, "EHLO ", 5 + 256 + 2);
	ck_assert_str_eq(last(&f), "501 5.5.4 Host name too long");
	fake_fini(&f);
}
END_TEST

UNIT_SUITE(smtpd_limits)
{
	tcase_add_loop_test(tc, keeps_its_limits, 0, N_CASES);
	tcase_add_loop_test(tc, refuses_lines_past_their_limit, 0, 5);
	tcase_add_test(tc, host_names_end_at_255_octets);
}
