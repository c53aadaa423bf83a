#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/alertbook.h"
#include "scratch.h"
#include "unit.h"

static struct alertbook *book;
static char spool[256], path[512];

static void
begin(void)
{
	(void)snprintf(spool, sizeof(spool), "%s", scratch());
	(void)snprintf(path, sizeof(path), "%s/alerts", spool);
	book = alertbook_new(spool);
}

static void
end(void)
{
	alertbook_destroy(&book);
	ck_assert_ptr_null(book);
	scratch_remove();
}

static void
add(const char *state, int episode, const char *text)
{
	json_t *j = json_pack("{s:s, s:s, s:s, s:i}", "type", "alert", "text",
	    text, "state", state, "episode", episode);

	alertbook_add(book, j, 1);
	json_decref(j);
}

static void
save(void)
{
	struct err why = ERR_INIT;

	ck_assert_int_eq(alertbook_save(book, json_array(), &why), 0);
	ck_assert(!alertbook_changed(book));
}

/* The texts that are kept, "a b c ". */
static const char *
kept(void)
{
	static char all[8192];
	struct err why = ERR_INIT;
	json_t *j = alertbook_read(spool, &why), *x;
	size_t i;

	ck_assert_msg(j != NULL, "%s", why.text);
	all[0] = '\0';
	json_array_foreach(json_object_get(j, "alerts"), i, x) {
		ck_assert_uint_lt(strlen(all), sizeof(all) - 100);
		(void)strcat(all, json_string_value(json_object_get(x,
		    "text")));
		(void)strcat(all, " ");
	}
	json_decref(j);
	return all;
}

START_TEST(keeps_the_last_update_of_an_episode)
{
	add("opened", 1, "a");
	add("updated", 1, "b");
	add("opened", 2, "c");
	ck_assert(alertbook_changed(book));
	add("updated", 1, "d");
	add("updated", 2, "e");
	add("resolved", 1, "f");
	add("updated", 1, "g");
	save();
	ck_assert_str_eq(kept(), "a c d e f g ");
}
END_TEST

START_TEST(keeps_so_many_and_goes_on_after_a_restart)
{
	struct err why = ERR_INIT;
	json_t *episodes;
	char text[16];
	int i;

	for (i = 0; i < ALERTBOOK_KEPT + 3; i++) {
		(void)snprintf(text, sizeof(text), "%d", i);
		add("", 0, text);
	}
	save();
	ck_assert_int_eq(strncmp(kept(), "3 4 ", 4), 0);
	alertbook_destroy(&book);
	book = alertbook_new(spool);
	ck_assert_int_eq(alertbook_load(book, &episodes, &why), 0);
	ck_assert(json_is_array(episodes));
	json_decref(episodes);
	add("", 0, "x");
	save();
	ck_assert_int_eq(strncmp(kept(), "4 5 ", 4), 0);
}
END_TEST

START_TEST(no_file_is_no_alerts)
{
	ck_assert_str_eq(kept(), "");
}
END_TEST

static void
refuses(const char *what)
{
	struct err why = ERR_INIT;
	json_t *episodes;

	ck_assert_ptr_null(alertbook_read(spool, &why));
	ck_assert_msg(strstr(why.text, what) != NULL, "%s", why.text);
	err_clear(&why);
	ck_assert_int_eq(alertbook_load(book, &episodes, &why), -1);
	ck_assert_ptr_null(episodes);
	/* The next one is ours again. */
	add("", 0, "new");
	save();
	ck_assert_str_eq(kept(), "new ");
}

START_TEST(refuses_a_file_that_others_may_write_to)
{
	add("", 0, "a");
	save();
	ck_assert_int_eq(chmod(path, 0620), 0);
	alertbook_destroy(&book);
	book = alertbook_new(spool);
	refuses("others may write");
}
END_TEST

START_TEST(refuses_a_link)
{
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	refuses("alerts");
}
END_TEST

START_TEST(refuses_what_is_not_json)
{
	struct err why = ERR_INIT;

	ck_assert_int_eq(file_replace(path, "[1, 2", 5, 0600, &why), 0);
	refuses("not what we wrote");
}
END_TEST

UNIT_SUITE(alertbook)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, keeps_the_last_update_of_an_episode);
	tcase_add_test(tc, keeps_so_many_and_goes_on_after_a_restart);
	tcase_add_test(tc, no_file_is_no_alerts);
	tcase_add_test(tc, refuses_a_file_that_others_may_write_to);
	tcase_add_test(tc, refuses_a_link);
	tcase_add_test(tc, refuses_what_is_not_json);
}
