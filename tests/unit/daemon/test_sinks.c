#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/log.h"
#include "base/scratch.h"
#include "daemon/logs.h"
#include "logs_util.h"
#include "unit.h"

/* Each with what it shall have. */
START_TEST(several_mail_logs_have_a_level_each)
{
	const char *p;
	struct stat st;

	logs_conf.file = scratch_path("log");
	(void)snprintf(logs_conf.plugins, sizeof(logs_conf.plugins), "plugin "
	    "\"log_mail\" \"trouble\" { file = \"%s\", level = "
	    "\"warning\", head = false, mode = \"0600\" }",
	    scratch_path("trouble"));
	logs_open_conf();
	mail_log(EV_ICID_CLOSE, U(1));
	log_warning("oh");
	log_flush();
	p = scratch_read("log");
	ck_assert_ptr_nonnull(strstr(p, "Begin Logfile"));
	ck_assert_ptr_nonnull(strstr(p, "Info: ICID 1 close\n" STAMP
	    "Warning: oh\n"));
	ck_assert_str_eq(scratch_read("trouble"), STAMP "Warning: oh\n");
	ck_assert_int_eq(stat(scratch_path("trouble"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(the_head_names_the_machine_as_ever)
{
	char id[4096], serial[40];
	FILE *f = fopen("/etc/machine-id", "r");
	uint64_t h;
	size_t n;

	if (f == NULL)
		return;
	n = fread(id, 1, sizeof(id), f);
	ck_assert_int_eq(fclose(f), 0);
	h = hash_stable(id, n);
	(void)snprintf(serial, sizeof(serial), "Version: %s SN: %012" PRIX64
	    "-%04" PRIX64 "\n", PACKAGE_VERSION, h >> 16, h & 0xffff);
	logs_conf.file = scratch_path("log");
	logs_open_conf();
	ck_assert_ptr_nonnull(strstr(scratch_read("log"), serial));
}
END_TEST

START_TEST(a_sinks_mistake_leaves_the_log_as_it_is)
{
	static const struct {
		const char *options, *why;
	} row[] = {
		{ "", "file" },
		{ "file = \"x\", fiel = 1", "fiel" },
		{ "file = \"/x\", mode = \"rw\"", "mode" },
		{ "file = \"/x\", mode = \"0444\"", "mode" },
		{ "file = \"/x\", level = \"loud\"", "level" },
	};
	struct err why = ERR_INIT;
	struct conf *c;
	char text[500];
	size_t i;

	logs_conf.file = scratch_path("log");
	logs_open_conf();
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		(void)snprintf(text, sizeof(text), "plugin \"log_mail\" "
		    "{ %s }", row[i].options);
		ck_assert_int_eq(conf_parse(&c, "/test.lua", str_c(text),
		    &conf_reader_plain, &why), 0);
		ck_assert_msg(logs_open(c, &conf_reader_plain, false,
		    &why) == -1, "%s", row[i].options);
		ck_assert_msg(strstr(why.text, row[i].why) != NULL, "%s",
		    why.text);
		conf_unref(&c);
	}
	mail_log(EV_ICID_CLOSE, U(1));
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("log"), "ICID 1 close\n"));
}
END_TEST

START_TEST(what_the_log_says_of_itself_is_on_stderr_and_in_the_others)
{
	int fd = open(scratch_path("stderr"), O_WRONLY | O_CREAT, 0600);

	(void)dup2(fd, STDERR_FILENO);
	logs_conf.file = scratch_path("nowhere/log");
	logs_conf.json = scratch_path("json");
	logs_open_conf();
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("stderr"),
	    "nowhere/log: No such file or directory; trying again"));
	ck_assert_ptr_nonnull(strstr(scratch_read("json"),
	    "nowhere/log: No such file or directory; trying again"));
}
END_TEST

/* Until it works again, each line is in both places or will be. */
START_TEST(a_file_that_cannot_be_written_alerts_once_and_loses_nothing)
{
	int fd = open(scratch_path("stderr"), O_WRONLY | O_CREAT, 0600);
	json_t *alert;

	(void)dup2(fd, STDERR_FILENO);
	logs_conf.file = scratch_path("later/log");
	logs_open_conf();
	mail_log(EV_ICID_CLOSE, U(1));
	log_flush();
	clock_fake_advance(SECONDS(2));
	log_flush();
	alert = logs_alert();
	ck_assert_ptr_nonnull(alert);
	ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(alert,
	    "text")), "later/log cannot be written: No such file"));
	ck_assert_str_eq(json_string_value(json_object_get(alert, "class")),
	    "System");
	json_decref(alert);
	ck_assert_ptr_null(logs_alert());
	ck_assert_ptr_nonnull(strstr(scratch_read("stderr"), "ICID 1 close"));
	ck_assert_int_eq(mkdir(scratch_path("later"), 0700), 0);
	clock_fake_advance(SECONDS(2));
	log_flush();
	mail_log(EV_ICID_CLOSE, U(2));
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("later/log"),
	    "ICID 1 close"));
	ck_assert_ptr_nonnull(strstr(scratch_read("later/log"),
	    "ICID 2 close"));
	ck_assert_ptr_nonnull(strstr(scratch_read("stderr"),
	    "can be written again"));
	ck_assert_ptr_null(strstr(scratch_read("stderr"), "ICID 2 close"));
}
END_TEST

/* As a worker would get them. */
static json_t *sent;
static bool takes;

static bool
take(void *arg, json_t *msg)
{
	(void)arg;
	json_decref(sent);
	sent = msg;
	return takes;
}

START_TEST(records_for_elsewhere_are_kept_until_they_are_taken)
{
	static const unsigned rids[] = { 4, 5 };
	const json_t *v, *r;
	char *text;
	int i;

	logs_conf.file = scratch_path("log");
	logs_pass_on(take, NULL);
	logs_open_conf();
	mail_log(EV_DELIVERY_START, U(9), U(7), (struct log_rids){ rids, 2 });
	log_warning("odd \"%c\"", 1);
	log_flush();
	log_flush();
	v = json_object_get(sent, "records");
	ck_assert_uint_eq(json_array_size(v), 2);
	takes = true;
	log_flush();
	r = json_array_get(json_object_get(sent, "records"), 0);
	text = json_dumps(r, JSON_COMPACT | JSON_SORT_KEYS);
	ck_assert_str_eq(text, "{\"event\":\"delivery_start\",\"fields\":"
	    "[[\"dcid\",1,9,\"\"],[\"mid\",1,7,\"\"],"
	    "[\"rids\",2,0,\"4, 5\"]],\"level\":2,\"text\":"
	    "\"Delivery start DCID 9 MID 7 to RID [4, 5]\","
	    "\"wall\":1523926673123}");
	free(text);
	json_decref(sent);
	sent = NULL;
	log_flush();
	ck_assert_ptr_null(sent);
	/* While nobody takes them, only so many are kept. */
	takes = false;
	for (i = 0; i < 10000; i++)
		mail_log(EV_ICID_CLOSE, U(i));
	ck_assert_uint_gt(log_lost(), 1000);
	log_flush();
	logs_passed(sent);
	json_decref(sent);
	sent = NULL;
}
END_TEST

UNIT_SUITE(sinks)
{
	tcase_add_checked_fixture(tc, logs_begin, logs_end);
	tcase_add_test(tc, several_mail_logs_have_a_level_each);
	tcase_add_test(tc, the_head_names_the_machine_as_ever);
	tcase_add_test(tc, a_sinks_mistake_leaves_the_log_as_it_is);
	tcase_add_test(tc,
	    what_the_log_says_of_itself_is_on_stderr_and_in_the_others);
	tcase_add_test(tc,
	    a_file_that_cannot_be_written_alerts_once_and_loses_nothing);
	tcase_add_test(tc,
	    records_for_elsewhere_are_kept_until_they_are_taken);
}
