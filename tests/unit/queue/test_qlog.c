#include "unit.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "logfile.h"
#include "queue_util.h"

/* The lines that the queue owes the mail log, in their order. */

static char log_path[96];

static void
begin(struct world *w)
{
	struct log_conf conf = { .level = LOG_LV_INFO, .sync = true };

	setenv("TZ", "UTC", 1);
	world_init(w, true);
	(void)snprintf(log_path, sizeof(log_path), "%s/mail.log", w->b.dir);
	log_open(&conf);
	log_to_file(log_path);
	world_open(w);
}

/* The lines since the last call, without time, each behind a LF. */
static const char *
lines(struct world *w)
{
	static char text[65536];
	struct err why = ERR_INIT;
	struct str rest, line;
	struct buf b;
	size_t n = 0, at;

	world_run(w, 50);
	log_flush();
	buf_init(&b, sizeof(text));
	ck_assert_int_eq(file_read(&b, log_path, &why), 0);
	rest = buf_str(&b);
	text[0] = '\0';
	while (str_split(&rest, '\n', &line)) {
		for (at = 24; at < line.n && line.p[at - 1] != ':';)
			at++;
		if (line.n < 26 || strstr(line.p, "Info: ") == NULL)
			continue;
		line = str_n(line.p + 31, line.n - 31);
		if (!str_istarts(line, "MID ") &&
		    !str_istarts(line, "Start ") &&
		    !str_istarts(line, "Message ") &&
		    !str_istarts(line, "Bounced") &&
		    !str_istarts(line, "Delayed") &&
		    !str_istarts(line, "Double"))
			continue;
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\n%.*s",
		    STR_FMT(line));
	}
	buf_fini(&b);
	ck_assert_int_eq(truncate(log_path, 0), 0);
	return text;
}

START_TEST(logs_a_bounce_and_what_it_becomes)
{
	const char *const to[] = { "r0@b.test", "r1@b.test" };
	struct world w;

	begin(&w);
	(void)submit(&w, "a@a.test", to, 2);
	w.answer_of[0] = 250;
	tell(&w, take(&w, "b.test"), 550);
	ck_assert_str_eq(lines(&w),
	    "\nBounced: DCID 9 MID 100 to RID 1 - 5.1.1 - "
	    "Bad destination email address ('550', ['never']) []"
	    "\nStart MID 101 ICID 0"
	    "\nMID 101 was generated for bounce of MID 100"
	    "\nMID 101 ICID 0 From: <>"
	    "\nMID 101 ICID 0 RID 0 To: <a@a.test>"
	    "\nMID 101 ready 600 bytes from <>"
	    "\nMessage finished MID 100 done"
	    "\nMID 101 queued for delivery");
	w.answer_of[0] = 0;
	tell(&w, take(&w, "a.test"), 550);
	ck_assert_str_eq(lines(&w),
	    "\nDouble bounce: MID 101 to RID 0 - 5.1.1 - never"
	    "\nMessage finished MID 101 aborted");
	world_fini(&w);
	log_close();
}
END_TEST

START_TEST(logs_a_delay_and_until_when)
{
	const char *const to[] = { "r0@b.test", "r1@b.test", "r2@b.test" };
	struct world w;

	begin(&w);
	(void)submit(&w, "a@a.test", to, 3);
	w.answer_of[1] = 250;
	tell(&w, take(&w, "b.test"), 451);
	/* The fake clock began at 2023-11-14 22:13:20. */
	ck_assert_str_eq(lines(&w),
	    "\nDelayed: DCID 9 MID 100 to RID 0 - 4.2.1 - "
	    "Mailbox disabled "
	    "('451', ['later']) []"
	    "\nDelayed: DCID 9 MID 100 to RID 2 - 4.2.1 - "
	    "Mailbox disabled "
	    "('451', ['later']) []"
	    "\nMID 100 to RID [0, 2] pending till Tue Nov 14 22:14:20 2023 "
	    "[default]");
	world_fini(&w);
	log_close();
}
END_TEST

START_TEST(logs_an_expired_message_with_its_last_reply)
{
	struct world w;

	begin(&w);
	w.profile.lifetime = SECONDS(90);
	w.profile.max_retry = SECONDS(60);
	(void)submit_one(&w, "a@a.test", "r0@b.test");
	tell(&w, take(&w, "b.test"), 451);
	world_run(&w, SECONDS(60));
	tell(&w, take(&w, "b.test"), 451);
	(void)lines(&w);
	world_run(&w, SECONDS(61));
	ck_assert_str_eq(lines(&w),
	    "\nBounced: DCID 0 MID 100 to RID 0 - 5.4.7 - Delivery expired "
	    "('451', ['later']) []"
	    "\nStart MID 101 ICID 0"
	    "\nMID 101 was generated for bounce of MID 100"
	    "\nMID 101 ICID 0 From: <>"
	    "\nMID 101 ICID 0 RID 0 To: <a@a.test>"
	    "\nMID 101 ready 600 bytes from <>"
	    "\nMessage finished MID 100 done"
	    "\nMID 101 queued for delivery");
	world_fini(&w);
	log_close();
}
END_TEST

START_TEST(logs_what_the_administrator_deletes)
{
	struct store_filter one = { .hold = -1, .mid = 100 };
	struct world w;

	begin(&w);
	(void)submit_one(&w, "a@a.test", "r0@b.test");
	(void)lines(&w);
	ck_assert_uint_eq(act(&w, QUEUE_DELETE, &one), 1);
	ck_assert_str_eq(lines(&w), "\nMessage finished MID 100 aborted");
	world_fini(&w);
	log_close();
}
END_TEST

UNIT_SUITE(qlog)
{
	tcase_add_test(tc, logs_a_bounce_and_what_it_becomes);
	tcase_add_test(tc, logs_a_delay_and_until_when);
	tcase_add_test(tc, logs_an_expired_message_with_its_last_reply);
	tcase_add_test(tc, logs_what_the_administrator_deletes);
}
