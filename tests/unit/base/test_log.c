#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <postern/log_sink.h>

#include "base/clock.h"
#include "base/log.h"
#include "scratch.h"
#include "unit.h"

#define STAMP "Tue Apr 17 00:57:53 2018 "
#define U(n) ((uint64_t)(n))

/* A sink that writes down what it is asked. */
struct seen {
	struct log_sink sink;
	char text[16384];
	bool complains, refuses, fails, dies;
};

static struct seen one, two;
static struct log_conf conf;

static void note(struct seen *, const char *, ...) ATTR_PRINTF(2, 3);

static void
note(struct seen *s, const char *fmt, ...)
{
	size_t n = strlen(s->text);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(s->text + n, sizeof(s->text) - n, fmt, ap);
	va_end(ap);
}

static bool
emit(void *arg, const struct pst_log_record *r)
{
	struct seen *s = arg;
	uint32_t i;

	ck_assert_uint_eq(r->size, sizeof(*r));
	ck_assert_int_eq(r->text.p[r->text.n], 0);
	note(s, "%d %s %s", (int)r->level, r->event != NULL ? r->event : "-",
	    r->text.p);
	for (i = 0; i < r->count; i++) {
		const struct pst_field *f = &r->field[i];

		if (f->type == PST_F_NUMBER)
			note(s, "|%s=%jd", f->name, (intmax_t)f->number);
		else
			note(s, "|%s:%d=%s", f->name, (int)f->type,
			    f->text.p);
		ck_assert(f->type == PST_F_NUMBER ||
		    f->text.p[f->text.n] == '\0');
	}
	note(s, "\n");
	if (s->complains) {
		log_warning("cannot write \"%s\"", r->text.p);
		mail_log(EV_ICID_CLOSE, U(99));
	}
	if (s->dies)
		fatal("a sink's end");
	return !s->refuses;
}

static bool
flush(void *arg)
{
	const struct seen *s = arg;

	note(arg, "flush\n");
	return !s->fails;
}

static bool
reopen(void *arg)
{
	note(arg, "reopen\n");
	return true;
}

static void
sink(struct seen *s, bool fields)
{
	s->sink = (struct log_sink){ .fields = fields, .emit = emit,
		.flush = flush, .reopen = reopen, .arg = s };
}

static void
begin(void)
{
	(void)scratch();
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	clock_fake(1523926673123);
	memset(&conf, 0, sizeof(conf));
	conf.level = LOG_LV_INFO;
	sink(&one, true);
	sink(&two, false);
}

static void
end(void)
{
	log_close();
	scratch_remove();
}

static void
open_both(void)
{
	struct log_sink v[2] = { one.sink, two.sink };

	log_open(&conf);
	log_sinks_set(v, 2);
	one.text[0] = two.text[0] = '\0';
}

/* stderr of this process goes to the file "stderr". */
static void
err_file(void)
{
	int fd = open(scratch_path("stderr"), O_WRONLY | O_CREAT | O_APPEND,
	    0600);

	ck_assert_int_ge(fd, 0);
	(void)dup2(fd, STDERR_FILENO);
	(void)close(fd);
}

START_TEST(a_record_has_line_and_fields)
{
	static const unsigned rids[] = { 0, 1, 12 };

	open_both();
	mail_log(EV_DELIVERY_START, U(9), U(7), (struct log_rids){ rids, 3 });
	ck_assert_str_eq(one.text, "2 delivery_start Delivery start DCID 9 "
	    "MID 7 to RID [0, 1, 12]|dcid=9|mid=7|rids:2=0, 1, 12\n");
	ck_assert_str_eq(two.text, "2 delivery_start Delivery start DCID 9 "
	    "MID 7 to RID [0, 1, 12]\n");
	one.text[0] = '\0';
	mail_log(EV_BOUNCED, U(9), U(7), U(0), "5.1.0", "x", STR_NULL,
	    STR("no 'such'\nuser"));
	ck_assert_str_eq(one.text, "2 bounced Bounced: DCID 9 MID 7 to RID 0 "
	    "- 5.1.0 - x ('000', [\"no 'such'\", 'user']) []|dcid=9|mid=7|"
	    "rid=0|status:0=5.1.0|text:0=x|code:4=|"
	    "reply:3=no 'such'\nuser\n");
	one.text[0] = '\0';
	log_warning("disk %s", "full\n");
	ck_assert_str_eq(one.text,
	    "1 - disk full\\x0a|text:0=disk full\n\n");
}
END_TEST

START_TEST(fields_are_cut_and_never_torn)
{
	static char big[100000];
	static unsigned rids[5000];

	open_both();
	memset(big, 'x', sizeof(big));
	mail_log(EV_BOUNCED, U(9), U(7), U(0), "5.1.0", "x",
	    str_n(big, sizeof(big)), str_n(big, sizeof(big)));
	ck_assert_uint_eq(strlen(strstr(one.text, "|reply:3=")), 9 + 4096 + 1);
	ck_assert_uint_eq((size_t)(strstr(one.text, "|reply:3=") -
	    strstr(one.text, "|code:0=")), 8 + 2048);
	one.text[0] = '\0';
	mail_log(EV_DELIVERY_START, U(9), U(7),
	    (struct log_rids){ rids, 5000 });
	ck_assert_ptr_nonnull(strstr(one.text, "Delivery start"));
}
END_TEST

START_TEST(lines_are_flushed_at_once_only_if_wanted)
{
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	ck_assert_ptr_null(strstr(two.text, "flush"));
	log_flush();
	ck_assert_str_eq(two.text, "2 client_close ICID 1 close\nflush\n");
	conf.sync = true;
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	ck_assert_str_eq(two.text, "2 client_close ICID 1 close\nflush\n");
	log_reopen();
	ck_assert_ptr_nonnull(strstr(two.text, "flush\nreopen\n"));
}
END_TEST

START_TEST(sinks_are_flushed_before_others_take_over)
{
	log_open(&conf);
	log_sinks_set(&one.sink, 1);
	mail_log(EV_ICID_CLOSE, U(1));
	one.text[0] = '\0';
	log_sinks_set(&two.sink, 1);
	ck_assert_str_eq(one.text, "flush\n");
	/* So that files are opened. */
	ck_assert_str_eq(two.text, "flush\n");
	mail_log(EV_ICID_CLOSE, U(2));
	ck_assert_str_eq(one.text, "flush\n");
	ck_assert_ptr_nonnull(strstr(two.text, "ICID 2 close"));
}
END_TEST

START_TEST(what_a_sink_says_goes_to_the_others_and_stderr)
{
	err_file();
	one.complains = true;
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	ck_assert_str_eq(two.text, "2 client_close ICID 1 close\n"
	    "1 - cannot write \"ICID 1 close\"\n"
	    "2 client_close ICID 99 close\n");
	ck_assert_ptr_null(strstr(one.text, "cannot write"));
	log_flush();
	ck_assert_str_eq(scratch_read("stderr"), STAMP "Warning: cannot write "
	    "\"ICID 1 close\"\n" STAMP "Info: ICID 99 close\n");
}
END_TEST

/* Two that complain of each other's complaints. */
START_TEST(sinks_that_complain_do_not_go_round_in_circles)
{
	const char *p;
	unsigned i, n = 0;

	err_file();
	one.complains = two.complains = true;
	open_both();
	for (i = 0; i < 100; i++)
		mail_log(EV_ICID_CLOSE, U(1));
	ck_assert_uint_gt(log_lost(), 100);
	for (p = two.text; (p = strchr(p, '\n')) != NULL; p++)
		n++;
	ck_assert_uint_ge(n, 100);
	ck_assert_uint_le(n, 100 + 32);
}
END_TEST

START_TEST(a_sink_that_keeps_nothing_is_counted_and_harms_nobody)
{
	one.refuses = true;
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	mail_log(EV_ICID_CLOSE, U(2));
	ck_assert_uint_eq(log_lost(), 2);
	ck_assert_uint_eq(log_lost(), 0);
	ck_assert_ptr_nonnull(strstr(two.text, "ICID 2 close"));
}
END_TEST

START_TEST(what_a_sink_cannot_keep_or_write_goes_to_stderr)
{
	err_file();
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	log_flush();
	one.refuses = true;
	mail_log(EV_ICID_CLOSE, U(2));
	one.refuses = false;
	one.fails = true;
	log_flush();
	mail_log(EV_ICID_CLOSE, U(3));
	one.fails = false;
	log_flush();
	mail_log(EV_ICID_CLOSE, U(4));
	log_flush();
	ck_assert_str_eq(scratch_read("stderr"), STAMP
	    "Info: ICID 2 close\n" STAMP "Info: ICID 3 close\n");
	ck_assert_uint_eq(log_lost(), 1);
}
END_TEST

START_TEST(records_of_other_processes_go_to_who_wants_them)
{
	struct pst_log_record r = { .size = sizeof(r),
		.level = PST_LOG_INFO, .text = { "from afar", 9 } };

	two.sink.passed = true;
	open_both();
	log_pass(&r);
	ck_assert_str_eq(one.text, "");
	ck_assert_str_eq(two.text, "2 - from afar\n");
}
END_TEST

START_TEST(levels_have_names_and_are_obeyed)
{
	enum log_level level;

	open_both();
	log_debug("hidden");
	ck_assert_str_eq(one.text, "");
	ck_assert(log_would(LOG_LV_INFO));
	ck_assert(!log_would(LOG_LV_DEBUG));
	log_level_set(LOG_LV_DEBUG);
	log_debug("shown");
	ck_assert_str_eq(two.text, "3 - shown\n");
	ck_assert_int_eq(log_level_parse(STR("DEBUG"), &level), 0);
	ck_assert_int_eq(level, LOG_LV_DEBUG);
	ck_assert_int_eq(log_level_parse(STR("loud"), &level), -1);
	ck_assert_str_eq(log_level_name(LOG_LV_CRITICAL), "Critical");
}
END_TEST

START_TEST(stderr_gets_the_lines_if_it_shall)
{
	err_file();
	conf.stderr_on = true;
	open_both();
	mail_log(EV_ICID_CLOSE, U(1));
	log_flush();
	ck_assert_str_eq(scratch_read("stderr"), STAMP
	    "Info: ICID 1 close\n");
	log_close();
	/* Not opened, warnings go there nevertheless. */
	log_warning("too late");
	log_info("hidden");
	ck_assert_str_eq(scratch_read("stderr"), STAMP
	    "Info: ICID 1 close\n" STAMP "Warning: too late\n");
}
END_TEST

START_TEST(stderr_that_nobody_reads_does_not_block)
{
	int fd[2], i;

	ck_assert_int_eq(pipe(fd), 0);
	(void)dup2(fd[1], STDERR_FILENO);
	conf.stderr_on = true;
	log_open(&conf);
	for (i = 0; i < 200000; i++) {
		mail_log(EV_MID_READY, U(i), U(1), STR("a@example.org"));
		if (i % 1000 == 0)
			log_flush();
	}
	ck_assert_uint_gt(log_lost(), 1000);
}
END_TEST

START_TEST(a_child_does_not_repeat_what_stderr_did_not_take)
{
	int status;
	pid_t pid;

	err_file();
	conf.stderr_on = true;
	log_open(&conf);
	mail_log(EV_ICID_CLOSE, U(1));
	pid = fork();
	if (pid == 0) {
		log_open(&conf);
		mail_log(EV_ICID_CLOSE, U(2));
		log_close();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	log_flush();
	ck_assert_str_eq(scratch_read("stderr"), STAMP
	    "Info: ICID 2 close\n" STAMP "Info: ICID 1 close\n");
}
END_TEST

static bool
to_file(void *arg, const struct pst_log_record *r)
{
	FILE *f = fopen(scratch_path("words"), "a");

	(void)arg;
	ck_assert_ptr_nonnull(f);
	(void)fprintf(f, "%s\n", r->text.p);
	return fclose(f) == 0;
}

START_TEST(last_words_reach_the_sinks_that_do_not_say_them)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		err_file();
		one.dies = true;
		two.sink.emit = to_file;
		open_both();
		mail_log(EV_ICID_CLOSE, U(1));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_ptr_nonnull(strstr(scratch_read("words"),
	    "a sink's end\n"));
}
END_TEST

UNIT_SUITE(log)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_record_has_line_and_fields);
	tcase_add_test(tc, fields_are_cut_and_never_torn);
	tcase_add_test(tc, lines_are_flushed_at_once_only_if_wanted);
	tcase_add_test(tc, sinks_are_flushed_before_others_take_over);
	tcase_add_test(tc, what_a_sink_says_goes_to_the_others_and_stderr);
	tcase_add_test(tc, sinks_that_complain_do_not_go_round_in_circles);
	tcase_add_test(tc,
	    a_sink_that_keeps_nothing_is_counted_and_harms_nobody);
	tcase_add_test(tc, what_a_sink_cannot_keep_or_write_goes_to_stderr);
	tcase_add_test(tc, records_of_other_processes_go_to_who_wants_them);
	tcase_add_test(tc, levels_have_names_and_are_obeyed);
	tcase_add_test(tc, stderr_gets_the_lines_if_it_shall);
	tcase_add_test(tc, stderr_that_nobody_reads_does_not_block);
	tcase_add_test(tc, a_child_does_not_repeat_what_stderr_did_not_take);
	tcase_add_test(tc, last_words_reach_the_sinks_that_do_not_say_them);
}
