/*
 * How sessions end: time, clients that vanish or do not read, shutdown, owners
 * that change their mind.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "smtpd_fake.h"
#include "unit.h"

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

static void
up_to_data(struct fake *f)
{
	say(f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n");
	ck_assert_str_eq(last(f), "354 End data with <CR><LF>.<CR><LF>");
}

/* Half a line is no sign of life: the time-out is that of the whole line. */
START_TEST(waits_no_longer_than_the_idle_timeout_for_a_command)
{
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	fake_wait(&f, MINUTES(5) - 1);
	say(&f, "EHLO c\r\n");
	fake_wait(&f, MINUTES(3));
	say(&f, "NO");
	fake_wait(&f, MINUTES(2) - 1);
	ck_assert_ptr_nonnull(f.s);
	fake_wait(&f, 1);
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.4.2 Timeout exceeded");
	ck_assert_int_eq(f.how, SMTPD_END_CLOSED);
	ck_assert_int_eq(f.why.code, 421);
	fake_fini(&f);
}
END_TEST

START_TEST(waits_no_longer_than_the_data_timeout_for_content)
{
	struct fake f;
	int i;

	fake_init(&f);
	fake_start(&f);
	up_to_data(&f);
	for (i = 0; i < 4; i++) {
		fake_wait(&f, MINUTES(3) - 1);
		say(&f, "x");
	}
	fake_wait(&f, MINUTES(3) - 1);
	ck_assert_ptr_nonnull(f.s);
	fake_wait(&f, 1);
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.4.2 Timeout exceeded");
	ck_assert_uint_eq(f.messages, 0);
	fake_fini(&f);
}
END_TEST

START_TEST(a_session_ends_with_its_total_time)
{
	struct fake f;
	int i;

	fake_init(&f);
	f.conf.max_commands = 0;
	fake_start(&f);
	for (i = 0; i < 59; i++) {
		fake_wait(&f, MINUTES(1));
		say(&f, "NOOP\r\n");
	}
	fake_wait(&f, MINUTES(1) - 1);
	ck_assert_ptr_nonnull(f.s);
	fake_wait(&f, 1);
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.4.2 Session lasts too long");
	fake_fini(&f);
}
END_TEST

/* Unless a message is coming in: that may take as long again. */
START_TEST(a_message_is_not_cut_off_by_the_total_time)
{
	struct fake f;
	int i;

	fake_init(&f);
	fake_start(&f);
	for (i = 0; i < 59; i++) {
		fake_wait(&f, MINUTES(1));
		say(&f, "NOOP\r\n");
	}
	up_to_data(&f);
	for (i = 0; i < 60; i++) {
		fake_wait(&f, MINUTES(1));
		say(&f, "x\r\n");
	}
	ck_assert_ptr_nonnull(f.s);
	if (_i == 0) {
		say(&f, ".\r\n");
		ck_assert_uint_eq(f.messages, 1);
		fake_wait(&f, 1);
	} else {
		fake_wait(&f, MINUTES(1));
	}
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.4.2 Session lasts too long");
	fake_fini(&f);
}
END_TEST

START_TEST(a_good_message_makes_up_for_errors)
{
	struct fake f;
	int i;

	fake_init(&f);
	f.conf.max_errors = 1;
	f.conf.max_bad_rcpt = 1;
	fake_start(&f);
	say(&f, "EHLO c\r\n");
	for (i = 0; i < 5; i++) {
		say(&f, "X\r\nMAIL FROM:<>\r\nRCPT TO:<no@x.y>\r\n"
		    "RCPT TO:<a@b.c>\r\nDATA\r\n.\r\n");
		ck_assert_str_eq(last(&f), "250 2.0.0 Message accepted");
	}
	say(&f, "X\r\nX\r\n");
	ck_assert_ptr_null(f.s);
	fake_fini(&f);
}
END_TEST

static void
trickle(struct fake *f, unsigned seconds, unsigned octets)
{
	static const char text[] = "0123456789012345678901234567890123456789";

	for (; seconds > 0 && f->s != NULL; seconds--) {
		fake_wait(f, SECONDS(1));
		fake_send(f, text, octets);
	}
}

START_TEST(cuts_off_a_client_below_the_rate)
{
	struct fake f;

	fake_init(&f);
	f.conf.min_rate = 20;
	fake_start(&f);
	up_to_data(&f);
	trickle(&f, 100, 25);
	ck_assert_ptr_nonnull(f.s);
	trickle(&f, 300, 5);
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.4.2 Client is too slow");
	fake_fini(&f);
}
END_TEST

static enum smtpd_step
never_now(void *arg, const char *p, size_t n)
{
	struct fake *f = arg;

	(void)buf_add(&f->content, p, n);
	return SMTPD_WAIT;
}

START_TEST(time_spent_by_its_owner_is_not_the_clients)
{
	struct smtpd_verdict ok = { .act = SMTPD_OK };
	struct fake f;

	fake_init(&f);
	f.conf.min_rate = 20;
	f.ops.body = never_now;
	fake_start(&f);
	up_to_data(&f);
	say(&f, "x");
	fake_wait(&f, MINUTES(30));
	ck_assert_ptr_nonnull(f.s);
	smtpd_answer(f.s, &ok);
	fake_wait(&f, SECONDS(8));
	say(&f, "\r\n.\r\n");
	ck_assert_ptr_nonnull(f.s);
	smtpd_answer(f.s, &ok);
	fake_run(&f);
	ck_assert_str_eq(last(&f), "250 2.0.0 Message accepted");
	fake_fini(&f);
}
END_TEST

START_TEST(a_client_that_hangs_up_ends_the_transaction)
{
	static const char *const says[] = {
		"", "EHLO c\r\n", "EHLO c\r\nMAIL FROM:<a@b.c>\r\n",
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx",
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nBDAT 9\r\nx",
		"HELO c\r\nMAIL FROM:<>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nx\r\n.\r",
	};
	struct fake f;

	fake_init(&f);
	f.wait = (_i & 1) != 0;
	fake_start(&f);
	say(&f, says[_i / 2]);
	fake_hang_up(&f);
	ck_assert_ptr_null(f.s);
	ck_assert_int_eq(f.how, SMTPD_END_LOST);
	ck_assert_uint_eq(f.messages, 0);
	fake_fini(&f);
}
END_TEST

/* echo … | nc: what came before the end of the stream counts. */
START_TEST(a_client_may_say_all_and_shut_its_side)
{
	static const char all[] = "EHLO c\r\nMAIL FROM:<a@b.c>\r\n"
	    "RCPT TO:<later@e.f>\r\nDATA\r\nx\r\n.\r\nMAIL FROM:<a@b.c>\r\n"
	    "RCPT TO:<later@e.f>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n";
	struct fake f;

	fake_init(&f);
	f.wait = f.body_wait = _i != 0;
	fake_start(&f);
	(void)!write(f.fd, all, sizeof(all) - 1);
	fake_shutdown(&f);
	ck_assert_ptr_null(f.s);
	ck_assert_uint_eq(f.messages, 2);
	ck_assert_str_eq(last(&f), "221 2.0.0 Closing connection");
	ck_assert_int_eq(f.how, SMTPD_END_QUIT);
	fake_fini(&f);
}
END_TEST

/* Replies that nobody reads make the server stop reading commands. */
START_TEST(a_client_that_does_not_read_is_not_read)
{
	static const char text[] = "HELP\r\nHELP\r\nHELP\r\nHELP\r\nHELP\r\n";
	struct fake f;
	ssize_t n;
	size_t sent = 0;
	int i, full = 0;

	fake_init(&f);
	f.conf.max_commands = 0;
	fake_start(&f);
	for (i = 0; i < 400000 && full < 50; i++) {
		n = send(f.fd, text, sizeof(text) - 1,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		full = n < 0 ? full + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		loop_once(f.loop, false);
		ck_assert_uint_lt(stream_out_len(smtpd_stream(f.s)), 200000);
	}
	ck_assert_int_eq(full, 50);
	/* It goes on where it stopped once somebody reads. */
	fake_run(&f);
	ck_assert_uint_eq(buf_len(&f.replies),
	    strlen("220 mx.example ESMTP Postern\r\n") +
	    sent / 6 * strlen("214 2.0.0 See RFC 5321\r\n"));
	fake_fini(&f);
}
END_TEST

START_TEST(stops_at_once_when_nothing_is_in_transit)
{
	static const char *const says[] = {
		"", "EHLO c\r\n", "EHLO c\r\nMAIL FROM:<a@b.c>\r\n",
		"EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n",
	};
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	say(&f, says[_i]);
	smtpd_stop(f.s);
	fake_run(&f);
	ck_assert_ptr_null(f.s);
	ck_assert_str_eq(last(&f), "421 4.3.2 Service shutting down");
	fake_fini(&f);
}
END_TEST

/* A signal may come in the round in which the client was accepted. */
START_TEST(stops_before_it_has_begun)
{
	static const char *const said[] = {
		"421 4.3.2 Service shutting down\r\n",
		"",	/* nothing in clear where TLS is from the first octet */
	};
	struct fake f;

	fake_init(&f);
	f.stop = true;
	f.conf.implicit_tls = _i != 0;
	fake_start(&f);
	ck_assert_ptr_null(f.s);
	ck_assert(f.eof);
	ck_assert(str_eq_c(buf_str(&f.replies), said[_i]));
	fake_fini(&f);
}
END_TEST

START_TEST(stops_after_the_message_in_transit)
{
	static const char *const rest[] = {
		"x\r\n.\r\n",
		"x\r\n.\r\nQUIT\r\n",
	};
	struct fake f;

	fake_init(&f);
	f.wait = _i != 0;
	fake_start(&f);
	up_to_data(&f);
	smtpd_stop(f.s);
	fake_run(&f);
	ck_assert_ptr_nonnull(f.s);
	say(&f, rest[_i]);
	ck_assert_ptr_null(f.s);
	ck_assert_uint_eq(f.messages, 1);
	ck_assert_str_eq(last(&f), "421 4.3.2 Service shutting down");
	fake_fini(&f);
}
END_TEST

START_TEST(stops_after_all_chunks)
{
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	say(&f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n"
	    "BDAT 1\r\nx");
	smtpd_stop(f.s);
	fake_run(&f);
	ck_assert_ptr_nonnull(f.s);
	say(&f, "BDAT 1 LAST\r\nx");
	ck_assert_ptr_null(f.s);
	ck_assert_uint_eq(f.messages, 1);
	fake_fini(&f);
}
END_TEST

START_TEST(is_killed_without_a_word)
{
	struct fake f;
	size_t said;

	fake_init(&f);
	fake_start(&f);
	up_to_data(&f);
	said = buf_len(&f.replies);
	smtpd_kill(f.s);
	fake_run(&f);
	ck_assert_ptr_null(f.s);
	ck_assert(f.eof);
	ck_assert_uint_eq(buf_len(&f.replies), said);
	fake_fini(&f);
}
END_TEST

static enum smtpd_step
kill_rcpt(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)v;
	smtpd_kill(f->s);
	/* Both are still there. */
	(void)buf_printf(&f->log, "%.*s %.*s\n", STR_FMT(env->helo),
	    STR_FMT(rcpt->addr.full));
	return SMTPD_NOW;
}

static enum smtpd_step
kill_data(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)env;
	(void)v;
	smtpd_kill(f->s);
	return SMTPD_WAIT;
}

static enum smtpd_step
kill_body(void *arg, const char *p, size_t n)
{
	struct fake *f = arg;

	(void)p;
	(void)n;
	smtpd_kill(f->s);
	return SMTPD_NOW;
}

START_TEST(may_be_killed_inside_a_question)
{
	struct fake f;

	fake_init(&f);
	if (_i == 0)
		f.ops.rcpt = kill_rcpt;
	else if (_i <= 2)
		f.ops.data = kill_data;
	else
		f.ops.body = kill_body;
	fake_start(&f);
	say(&f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n");
	if ((_i & 1) == 0)
		say(&f, "DATA\r\n..x\r\n..y\r\n.\r\nQUIT\r\n");
	else
		say(&f, "BDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\nQUIT\r\n");
	ck_assert_ptr_null(f.s);
	ck_assert(f.eof);
	ck_assert_uint_eq(f.messages, 0);
	fake_fini(&f);
}
END_TEST

static enum smtpd_step
never_answered(void *arg, struct smtpd_verdict *v)
{
	(void)arg;
	(void)v;
	return SMTPD_WAIT;
}

START_TEST(may_be_killed_while_a_question_is_open)
{
	struct fake f;

	fake_init(&f);
	f.ops.helo = never_answered;
	fake_start(&f);
	say(&f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\n");
	/* Neither time nor the end of the client ends it. */
	fake_wait(&f, HOURS(3));
	fake_hang_up(&f);
	ck_assert_ptr_nonnull(f.s);
	smtpd_kill(f.s);
	ck_assert_ptr_null(f.s);
	fake_fini(&f);
}
END_TEST

START_TEST(tells_its_state)
{
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	ck_assert_str_eq(smtpd_state_name(f.s), "greeted");
	up_to_data(&f);
	ck_assert_str_eq(smtpd_state_name(f.s), "data");
	ck_assert(str_eq_c(smtpd_helo(f.s), "c") && smtpd_esmtp(f.s));
	ck_assert_ptr_null(smtpd_auth(f.s));
	ck_assert_ptr_null(smtpd_tls(f.s));
	fake_fini(&f);
}
END_TEST

static void
abort_with_no_question(void *arg, struct envelope *env)
{
	struct fake *f = arg;

	(void)env;
	ck_assert_uint_eq(f->questions, 0);
	f->envelopes--;
}

/* The CR is kept for the next read: its line end is a piece of its own. */
START_TEST(a_chunk_too_many_waits_for_the_last_piece)
{
	struct fake f;

	fake_init(&f);
	f.conf.max_size = 10;
	f.body_wait = true;
	f.ops.abort = abort_with_no_question;
	fake_start(&f);
	say(&f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\n"
	    "BDAT 20\r\na\r");
	say(&f, "\n34567890123456789");
	ck_assert_str_eq(last(&f), "552 5.3.4 Message size exceeds limit");
	ck_assert_uint_eq(f.refused, 1);
	say(&f, "RSET\r\n");
	ck_assert_str_eq(last(&f), "250 2.0.0 Ok");
	fake_fini(&f);
}
END_TEST

START_TEST(the_owner_may_refuse_in_the_middle_of_content)
{
	struct fake f;

	fake_init(&f);
	fake_start(&f);
	up_to_data(&f);
	f.body_wait = true;
	f.body.act = SMTPD_REFUSE;
	(void)err_set(&f.body.reply, 452, "4.3.1", "Disk full");
	say(&f, "x\r\n");
	say(&f, "..y\r\n..z\r\n");
	ck_assert_uint_eq(buf_len(&f.content), 3);
	say(&f, ".\r\n");
	ck_assert_str_eq(last(&f), "452 4.3.1 Disk full");
	ck_assert_uint_eq(f.messages, 0);
	f.body_wait = false;
	say(&f, "MAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\n.\r\n");
	ck_assert_str_eq(last(&f), "250 2.0.0 Message accepted");
	fake_fini(&f);
}
END_TEST

/* Whatever the owner says becomes one printable line of at most 512. */
START_TEST(cleans_the_owners_words)
{
	struct fake f;
	struct err *e;

	fake_init(&f);
	e = &f.connect.reply;
	f.connect.act = SMTPD_CLOSE;
	e->code = 554;
	(void)str_copy(e->enh, sizeof(e->enh), STR("2.0.0"));
	memset(e->text, 'x', sizeof(e->text) - 1);
	memcpy(e->text, "a\r\n250 b\x1b\xff", 10);
	fake_start(&f);
	ck_assert_uint_le(buf_len(&f.replies), 512);
	ck_assert_msg(str_istarts(buf_str(&f.replies),
	    "554 5.0.0 a??250 b??xxx"), "%s", buf_p(&f.replies));
	ck_assert_ptr_null(f.s);
	fake_fini(&f);
}
END_TEST

UNIT_SUITE(smtpd_life)
{
	tcase_add_test(tc,
	    waits_no_longer_than_the_idle_timeout_for_a_command);
	tcase_add_test(tc,
	    waits_no_longer_than_the_data_timeout_for_content);
	tcase_add_test(tc, a_session_ends_with_its_total_time);
	tcase_add_loop_test(tc, a_message_is_not_cut_off_by_the_total_time,
	    0, 2);
	tcase_add_test(tc, a_good_message_makes_up_for_errors);
	tcase_add_test(tc, cuts_off_a_client_below_the_rate);
	tcase_add_test(tc, time_spent_by_its_owner_is_not_the_clients);
	tcase_add_loop_test(tc, a_client_that_hangs_up_ends_the_transaction,
	    0, 12);
	tcase_add_loop_test(tc, a_client_may_say_all_and_shut_its_side, 0, 2);
	tcase_add_test(tc, a_client_that_does_not_read_is_not_read);
	tcase_add_loop_test(tc, stops_at_once_when_nothing_is_in_transit, 0,
	    4);
	tcase_add_loop_test(tc, stops_before_it_has_begun, 0, 2);
	tcase_add_loop_test(tc, stops_after_the_message_in_transit, 0, 2);
	tcase_add_test(tc, stops_after_all_chunks);
	tcase_add_test(tc, is_killed_without_a_word);
	tcase_add_loop_test(tc, may_be_killed_inside_a_question, 0, 5);
	tcase_add_test(tc, may_be_killed_while_a_question_is_open);
	tcase_add_test(tc, tells_its_state);
	tcase_add_test(tc, a_chunk_too_many_waits_for_the_last_piece);
	tcase_add_test(tc, the_owner_may_refuse_in_the_middle_of_content);
	tcase_add_test(tc, cleans_the_owners_words);
}
