/*
 * Questions to the owner that are open when the client vanishes, and recipients
 * that are dropped without a word.
 */
#include <string.h>

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

static enum smtpd_step
never_answered(void *arg, struct smtpd_verdict *v)
{
	(void)arg;
	(void)v;
	return SMTPD_WAIT;
}

static enum smtpd_step
mail_never(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	(void)env;
	return never_answered(arg, v);
}

static enum smtpd_step
rcpt_never(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	(void)rcpt;
	return mail_never(arg, env, v);
}

static enum smtpd_step
body_never(void *arg, const char *p, size_t n)
{
	(void)arg;
	(void)p;
	(void)n;
	return SMTPD_WAIT;
}

/* Its answer would be for nobody: nothing of the client's is left to do. */
START_TEST(a_client_that_vanishes_takes_an_open_question_back)
{
	struct fake f;

	fake_init(&f);
	switch (_i) {
	case 0:
		f.ops.connect = never_answered;
		break;
	case 1:
		f.ops.helo = never_answered;
		break;
	case 2:
		f.ops.mail = mail_never;
		break;
	case 3:
		f.ops.rcpt = rcpt_never;
		break;
	case 4:
		f.ops.data = mail_never;
		break;
	default:
		f.ops.body = body_never;
		break;
	}
	fake_start(&f);
	if (_i > 0)
		say(&f, "EHLO c\r\n");
	if (_i > 1)
		say(&f, "MAIL FROM:<a@b.c>\r\n");
	if (_i > 2)
		say(&f, "RCPT TO:<d@e.f>\r\n");
	if (_i > 3)
		say(&f, "DATA\r\n");
	if (_i > 4)
		say(&f, "x\r\n");
	ck_assert_ptr_nonnull(f.s);
	fake_hang_up(&f);
	ck_assert_ptr_null(f.s);
	ck_assert_int_eq(f.how, SMTPD_END_LOST);
	ck_assert_uint_eq(f.messages, 0);
	fake_fini(&f);
}
END_TEST

static enum smtpd_step
eom_never(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)facts;
	(void)v;
	f->envelopes--;
	envelope_destroy(&env);
	return SMTPD_WAIT;
}

START_TEST(a_message_that_has_ended_outlives_its_client)
{
	struct smtpd_verdict ok = { .act = SMTPD_OK };
	struct fake f;

	fake_init(&f);
	f.ops.eom = eom_never;
	fake_start(&f);
	up_to_data(&f);
	say(&f, "x\r\n.\r\n");
	fake_hang_up(&f);
	ck_assert_ptr_nonnull(f.s);
	smtpd_answer(f.s, &ok);
	fake_run(&f);
	ck_assert_ptr_null(f.s);
	ck_assert_int_eq(f.how, SMTPD_END_LOST);
	fake_fini(&f);
}
END_TEST

static enum smtpd_step
rcpt_drop(void *arg, struct envelope *env, struct rcpt *rcpt,
    struct smtpd_verdict *v)
{
	(void)arg;
	(void)env;
	if (str_istarts(rcpt->addr.full, "drop"))
		v->act = SMTPD_DROP;
	return SMTPD_NOW;
}

static enum smtpd_step
data_yes(void *arg, struct envelope *env, struct smtpd_verdict *v)
{
	(void)arg;
	(void)env;
	(void)v;
	return SMTPD_NOW;
}

static enum smtpd_step
eom_counts(void *arg, struct envelope *env, const struct bodyin *facts,
    struct smtpd_verdict *v)
{
	struct fake *f = arg;

	(void)facts;
	(void)v;
	(void)buf_printf(&f->log, "%u recipients\n", env->nrcpt);
	f->envelopes--;
	envelope_destroy(&env);
	return SMTPD_NOW;
}

START_TEST(a_recipient_may_be_dropped_without_a_word)
{
	struct fake f;

	fake_init(&f);
	f.ops.rcpt = rcpt_drop;
	f.ops.data = data_yes;
	f.ops.eom = eom_counts;
	f.conf.max_rcpt = 2;
	fake_start(&f);
	say(&f, "EHLO c\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<drop@e.f>\r\n");
	ck_assert_str_eq(last(&f), "250 2.1.5 Recipient ok");
	if (_i == 0)
		say(&f, "RCPT TO:<d@e.f>\r\n");
	else
		say(&f, "RCPT TO:<drop2@e.f>\r\n");
	say(&f, "RCPT TO:<e@e.f>\r\n");
	ck_assert_str_eq(last(&f), "452 4.5.3 Too many recipients");
	say(&f, "DATA\r\n.\r\n");
	ck_assert_str_eq(last(&f), "250 2.0.0 Message accepted");
	ck_assert_ptr_nonnull(strstr(buf_p(&f.log), _i == 0 ?
	    "1 recipients" : "0 recipients"));
	/* Of this message only. */
	say(&f, "MAIL FROM:<a@b.c>\r\nDATA\r\n");
	ck_assert_str_eq(last(&f), "503 5.5.1 Send RCPT first");
	fake_fini(&f);
}
END_TEST

UNIT_SUITE(smtpd_owner)
{
	tcase_add_loop_test(tc,
	    a_client_that_vanishes_takes_an_open_question_back, 0, 6);
	tcase_add_test(tc, a_message_that_has_ended_outlives_its_client);
	tcase_add_loop_test(tc, a_recipient_may_be_dropped_without_a_word, 0,
	    2);
}
