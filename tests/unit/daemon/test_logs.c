#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/scratch.h"
#include "daemon/logs.h"
#include "logs_util.h"
#include "unit.h"

/* Into "json" only and into "log" without its head. */
static void
open_both(void)
{
	logs_conf.file = scratch_path("log");
	logs_conf.json = scratch_path("json");
	logs_open_conf();
	ck_assert_int_eq(truncate(logs_conf.file, 0), 0);
}

static void
expect(const char *line, const char *json)
{
	const char *p;

	log_flush();
	p = scratch_read("log");
	ck_assert_msg(strncmp(p, STAMP, strlen(STAMP)) == 0, "%s", p);
	ck_assert_str_eq(p + strlen(STAMP), line);
	p = scratch_read("json");
	ck_assert_str_eq(p, json);
	ck_assert_int_eq(truncate(scratch_path("log"), 0), 0);
	ck_assert_int_eq(truncate(scratch_path("json"), 0), 0);
}

#define J "{\"time\":\"2018-04-17T00:57:53.123Z\",\"level\":\"info\","

START_TEST(begins_a_new_file_with_its_head_once)
{
	const char *p;
	struct stat st;
	off_t size;

	logs_conf.file = scratch_path("log");
	logs_open_conf();
	p = scratch_read("log");
	ck_assert_ptr_eq(strstr(p, STAMP "Info: Begin Logfile\n" STAMP
	    "Info: Version: "), p);
	ck_assert_ptr_nonnull(strstr(p, " SN: "));
	ck_assert_ptr_nonnull(strstr(p, STAMP
	    "Info: Time offset from UTC: 0 seconds\n"));
	ck_assert_int_eq(stat(logs_conf.file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0640);
	size = st.st_size;
	log_reopen();
	logs_open_conf();
	ck_assert_int_eq(stat(logs_conf.file, &st), 0);
	ck_assert_int_eq(st.st_size, size);
	/* After rotation the new file has one again. */
	ck_assert_int_eq(rename(logs_conf.file, scratch_path("old")), 0);
	mail_log(EV_ICID_CLOSE, U(1));
	log_reopen();
	ck_assert_ptr_nonnull(strstr(scratch_read("old"), "ICID 1 close\n"));
	mail_log(EV_ICID_CLOSE, U(2));
	log_flush();
	p = scratch_read("log");
	ck_assert_ptr_nonnull(strstr(p, "Begin Logfile"));
	ck_assert_ptr_nonnull(strstr(p, "ICID 2 close\n"));
	ck_assert_ptr_null(strstr(p, "ICID 1 close\n"));
}
END_TEST

START_TEST(writes_the_lines_of_the_grammar)
{
	static const unsigned rids[] = { 0, 1, 12 };

	open_both();
	mail_log(EV_NEW_ICID, U(5), "Data 1", "10.0.0.1", "192.0.2.7",
	    STR("mail.example.org"), "yes");
	expect("Info: New SMTP ICID 5 interface Data 1 (10.0.0.1) address "
	    "192.0.2.7 reverse dns host mail.example.org verified yes\n",
	    J "\"event\":\"connection\",\"icid\":5,\"interface\":\"Data 1\","
	    "\"interface_ip\":\"10.0.0.1\",\"client_ip\":\"192.0.2.7\","
	    "\"client_name\":\"mail.example.org\",\"verified\":\"yes\"}\n");
	mail_log(EV_MID_TO, U(7), U(5), U(0), STR("a@example.org"));
	expect("Info: MID 7 ICID 5 RID 0 To: <a@example.org>\n", J
	    "\"event\":\"to\",\"mid\":7,\"icid\":5,\"rid\":0,"
	    "\"to\":\"a@example.org\"}\n");
	mail_log(EV_DELIVERY_START, U(9), U(7), (struct log_rids){ rids, 3 });
	expect("Info: Delivery start DCID 9 MID 7 to RID [0, 1, 12]\n", J
	    "\"event\":\"delivery_start\",\"dcid\":9,\"mid\":7,"
	    "\"rids\":[0,1,12]}\n");
	mail_log(EV_BOUNCED, U(9), U(7), U(0), "5.1.0",
	    "Unknown address error", STR("550"), STR("no 'such'\nuser\r\n"));
	expect("Info: Bounced: DCID 9 MID 7 to RID 0 - 5.1.0 - Unknown "
	    "address error ('550', [\"no 'such'\", 'user']) []\n", J
	    "\"event\":\"bounced\",\"dcid\":9,\"mid\":7,\"rid\":0,"
	    "\"status\":\"5.1.0\",\"text\":\"Unknown address error\","
	    "\"code\":\"550\",\"reply\":[\"no 'such'\",\"user\"]}\n");
	mail_log(EV_DCID_TLS_FAILED, U(9), STR("(1, 'x')"), "reset");
	expect("Info: DCID 9 TLS failed: (1, 'x')\n", J
	    "\"event\":\"tls_out_failed\",\"dcid\":9,\"why\":\"(1, 'x')\","
	    "\"reason\":\"reset\"}\n");
	mail_log(EV_MID_SUBJECT, U(7), STR("it's\r\n folded"));
	expect("Info: MID 7 Subject \"it's\\r\\n folded\"\n", J
	    "\"event\":\"subject\",\"mid\":7,"
	    "\"subject\":\"it's\\u000d\\u000a folded\"}\n");
}
END_TEST

START_TEST(a_line_is_good_without_its_optional_parts)
{
	open_both();
	mail_log(EV_NEW_ICID, U(5), "", "::1", "::1", STR_NULL, NULL);
	expect("Info: New SMTP ICID 5 interface unknown (::1) address ::1 "
	    "reverse dns host unknown verified no\n", J
	    "\"event\":\"connection\",\"icid\":5,\"interface\":null,"
	    "\"interface_ip\":\"::1\",\"client_ip\":\"::1\","
	    "\"client_name\":null,\"verified\":null}\n");
	mail_log(EV_ICID_SG, U(5), "ACCEPT", NULL, STR_NULL);
	expect("Info: ICID 5 ACCEPT SG None SBRS not enabled country not "
	    "enabled\n", J "\"event\":\"sender_group\",\"icid\":5,"
	    "\"action\":\"ACCEPT\",\"group\":null,\"match\":\"\"}\n");
	mail_log(EV_ICID_SG, U(5), "ACCEPT", NULL, STR("ALL"));
	expect("Info: ICID 5 ACCEPT SG None match ALL SBRS not enabled "
	    "country not enabled\n", J "\"event\":\"sender_group\","
	    "\"icid\":5,\"action\":\"ACCEPT\",\"group\":null,"
	    "\"match\":\"ALL\"}\n");
	mail_log(EV_MID_FROM, U(1), U(2), STR_NULL);
	expect("Info: MID 1 ICID 2 From: <>\n", J "\"event\":\"from\","
	    "\"mid\":1,\"icid\":2,\"from\":\"\"}\n");
	mail_log(EV_DCID_TLS_OK, U(3), "TLSv1.3", "X", STR_NULL);
	expect("Info: DCID 3 TLS success protocol TLSv1.3 cipher X\n", J
	    "\"event\":\"tls_out\",\"dcid\":3,\"protocol\":\"TLSv1.3\","
	    "\"cipher\":\"X\",\"domain\":\"\"}\n");
	mail_log(EV_DELAYED, U(0), U(1), U(0), "4.0.0", "x", STR_NULL,
	    STR_NULL);
	expect("Info: Delayed: DCID 0 MID 1 to RID 0 - 4.0.0 - x ('000', []) "
	    "[]\n", J "\"event\":\"delayed\",\"dcid\":0,\"mid\":1,\"rid\":0,"
	    "\"status\":\"4.0.0\",\"text\":\"x\",\"code\":null,"
	    "\"reply\":[]}\n");
}
END_TEST

/* Any octets from outside: one line each, printable, in both forms. */
START_TEST(nothing_from_outside_breaks_or_forges_a_line)
{
	char junk[600];
	const char *p;
	size_t n, lines = 0, bad = 0;
	int i;

	open_both();
	rand_seed(3);
	for (i = 0; i < 300; i++) {
		n = rand_below(sizeof(junk));
		rand_bytes(junk, n);
		mail_log(EV_MID_SUBJECT, U(i), str_n(junk, n));
		mail_log(EV_MID_TO, U(i), U(i), U(0), str_n(junk, n));
		mail_log(EV_BOUNCED, U(9), U(7), U(0), "5.1.0", "x",
		    str_n(junk, n / 2), str_n(junk, n));
	}
	mail_log(EV_MID_SUBJECT, U(0), STR("\r\n" STAMP "Info: MID 9 queued"));
	log_flush();
	for (p = scratch_read("log"); *p != '\0'; p++) {
		lines += *p == '\n';
		bad += (unsigned char)*p < 0x20 && *p != '\n';
		bad += *p == 0x7f;
		if (*p == '\n' && p[1] != '\0')
			bad += strncmp(p + 1, STAMP, 20) != 0;
	}
	ck_assert_uint_eq(lines, 901);
	for (lines = 0, p = scratch_read("json"); *p != '\0'; p++) {
		lines += *p == '\n';
		bad += (unsigned char)*p < 0x20 && *p != '\n';
	}
	ck_assert_uint_eq(lines, 901);
	ck_assert_uint_eq(bad, 0);
}
END_TEST

START_TEST(long_text_is_cut)
{
	static char big[100000];

	open_both();
	memset(big, '\1', sizeof(big));
	mail_log(EV_MID_SUBJECT, U(1), str_n(big, sizeof(big)));
	mail_log(EV_BOUNCED, U(9), U(7), U(0), "5.1.0", "x",
	    str_n(big, sizeof(big)), str_n(big, sizeof(big)));
	log_flush();
	ck_assert_uint_lt(strlen(scratch_read("log")), 40000);
	ck_assert_ptr_nonnull(strstr(scratch_read("log"), "...'"));
}
END_TEST

START_TEST(free_lines_have_a_level_and_obey_it)
{
	enum log_level level;

	open_both();
	log_debug("hidden");
	log_warning("disk %s", "full\n");
	expect("Warning: disk full\\x0a\n", "{\"time\":"
	    "\"2018-04-17T00:57:53.123Z\",\"level\":\"warning\",\"event\":"
	    "\"text\",\"text\":\"disk full\\u000a\"}\n");
	ck_assert(log_would(LOG_LV_INFO));
	ck_assert(!log_would(LOG_LV_DEBUG));
	ck_assert_int_eq(log_level_parse(STR("DEBUG"), &level), 0);
	ck_assert_int_eq(level, LOG_LV_DEBUG);
	ck_assert_int_eq(log_level_parse(STR("loud"), &level), -1);
	ck_assert_str_eq(log_level_name(LOG_LV_CRITICAL), "Critical");
}
END_TEST

START_TEST(several_processes_append_whole_lines)
{
	enum { PROCS = 4, EACH = 3000 };
	const char *p, *line;
	pid_t pid[PROCS];
	int i, k, status, lines = 0;

	logs_conf.file = scratch_path("log");
	logs_open_conf();
	for (k = 0; k < PROCS; k++) {
		pid[k] = fork();
		if (pid[k] != 0)
			continue;
		logs_open_conf();
		for (i = 0; i < EACH; i++) {
			mail_log(EV_MID_READY, U(i), U(k),
			    STR("someone@example.org"));
			if (i % 17 == 0)
				log_flush();
			if (i % 1000 == 0)
				log_reopen();
		}
		logs_close();
		_exit(0);
	}
	for (k = 0; k < PROCS; k++) {
		ck_assert_int_eq(waitpid(pid[k], &status, 0), pid[k]);
		ck_assert_int_eq(status, 0);
	}
	for (line = scratch_read("log"); *line != '\0'; line = p + 1) {
		p = strchr(line, '\n');
		ck_assert_ptr_nonnull(p);
		ck_assert_int_eq(strncmp(line, STAMP "Info: ", 31), 0);
		lines++;
	}
	ck_assert_int_eq(lines, PROCS * EACH + 3);
}
END_TEST

START_TEST(a_missing_directory_is_tried_again_and_the_loss_told)
{
	const char *p;
	int i;

	logs_conf.file = scratch_path("later/log");
	/* The report on stderr is no news here. */
	(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	logs_open_conf();
	for (i = 0; i < 100000; i++) {
		mail_log(EV_MID_READY, U(i), U(1), STR("a@example.org"));
		if (i % 100 == 0)
			log_flush();
	}
	ck_assert_uint_gt(log_lost(), 10000);
	ck_assert_uint_eq(log_lost(), 0);
	ck_assert_int_eq(mkdir(scratch_path("later"), 0700), 0);
	log_flush();
	ck_assert_int_eq(access(logs_conf.file, F_OK), -1);
	clock_fake_advance(SECONDS(2));
	log_flush();
	p = scratch_read("later/log");
	ck_assert_ptr_nonnull(strstr(p, "MID 0 ready 1 bytes"));
	p = strstr(p, "Warning: Log: ");
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_nonnull(strstr(p, " lines were lost while this log "
	    "could not be written\n"));
	mail_log(EV_ICID_CLOSE, U(77));
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("later/log"), "ICID 77"));
}
END_TEST

/* A disk that is full in the middle of a line. */
START_TEST(a_torn_line_never_joins_another)
{
	struct rlimit rl = { 1000, RLIM_INFINITY };
	const char *p, *line;
	int i;

	(void)signal(SIGXFSZ, SIG_IGN);
	logs_conf.file = scratch_path("log");
	logs_open_conf();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	for (i = 0; i < 50; i++)
		mail_log(EV_MID_READY, U(i), U(1), STR("a@example.org"));
	log_flush();
	rl.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &rl), 0);
	clock_fake_advance(SECONDS(2));
	log_flush();
	for (line = scratch_read("log"); *line != '\0'; line = p + 1) {
		p = strchr(line, '\n');
		ck_assert_ptr_nonnull(p);
		ck_assert_int_eq(strncmp(line, "Tue Apr 17 00:57:5",
		    p - line < 18 ? (size_t)(p - line) : 18), 0);
	}
	p = scratch_read("log");
	ck_assert_ptr_nonnull(strstr(p, "MID 49 ready"));
	ck_assert_ptr_nonnull(strstr(p, "Log: 1 lines were lost"));
}
END_TEST

START_TEST(a_child_does_not_repeat_its_parents_lines)
{
	const char *p;
	pid_t pid;

	logs_conf.file = scratch_path("log");
	logs_open_conf();
	mail_log(EV_ICID_CLOSE, U(1));
	pid = fork();
	if (pid == 0) {
		logs_open_conf();
		mail_log(EV_ICID_CLOSE, U(2));
		logs_close();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	log_flush();
	p = strstr(scratch_read("log"), "ICID 1 close");
	ck_assert_ptr_nonnull(p);
	ck_assert_ptr_null(strstr(p + 1, "ICID 1 close"));
	ck_assert_ptr_nonnull(strstr(scratch_read("log"), "ICID 2 close"));
}
END_TEST

static int
listen_as_syslog(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	(void)unlink(path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

START_TEST(syslog_gets_a_datagram_for_each_line)
{
	const char *path = scratch_path("dev");
	char got[200];
	ssize_t n;
	int fd, i;

	(void)snprintf(logs_conf.plugins, sizeof(logs_conf.plugins),
	    "plugin \"log_syslog\" { socket = \"%s\" }", path);
	/* The report on stderr is no news here. */
	(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	logs_open_conf();
	log_info("one");
	log_flush();
	/* The daemon starts late, and is restarted. */
	for (i = 0; i < 2; i++) {
		fd = listen_as_syslog(path);
		log_warning("two");
		clock_fake_advance(SECONDS(2));
		log_flush();
		clock_fake_advance(SECONDS(2));
		log_flush();
		n = recv(fd, got, sizeof(got), 0);
		ck_assert_int_gt(n, 0);
		if (i == 0) {
			ck_assert(str_eq_c(str_n(got, (size_t)n), "<166>"
			    "Apr 17 00:57:53 mail_logs: Info: one"));
			n = recv(fd, got, sizeof(got), 0);
			ck_assert_int_gt(n, 0);
		}
		ck_assert_int_eq(memcmp(got, "<164>Apr 17 ", 12), 0);
		ck_assert_int_lt(recv(fd, got, sizeof(got), 0), 0);
		(void)close(fd);
	}
}
END_TEST

START_TEST(last_words_reach_the_file)
{
	int status;
	pid_t pid;

	logs_conf.file = scratch_path("log");
	pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		logs_open_conf();
		fatal("no more %s", "disk");
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_ptr_nonnull(strstr(scratch_read("log"),
	    "Critical: no more disk\n"));
}
END_TEST

UNIT_SUITE(logs)
{
	tcase_add_checked_fixture(tc, logs_begin, logs_end);
	tcase_add_test(tc, begins_a_new_file_with_its_head_once);
	tcase_add_test(tc, writes_the_lines_of_the_grammar);
	tcase_add_test(tc, a_line_is_good_without_its_optional_parts);
	tcase_add_test(tc, nothing_from_outside_breaks_or_forges_a_line);
	tcase_add_test(tc, long_text_is_cut);
	tcase_add_test(tc, free_lines_have_a_level_and_obey_it);
	tcase_add_test(tc, several_processes_append_whole_lines);
	tcase_add_test(tc,
	    a_missing_directory_is_tried_again_and_the_loss_told);
	tcase_add_test(tc, a_torn_line_never_joins_another);
	tcase_add_test(tc, a_child_does_not_repeat_its_parents_lines);
	tcase_add_test(tc, syslog_gets_a_datagram_for_each_line);
	tcase_add_test(tc, last_words_reach_the_file);
}
