/*
 * A configuration store whose file is not what it was, and the making of one.
 */
#include "unit.h"

#include <stdio.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "revs_util.h"

/* By those who read and by those who would make one. */
static void
refused(struct place *p, const char *text)
{
	struct err why = ERR_INIT, no = ERR_INIT;
	struct revs *r = NULL;
	struct buf b;
	uint64_t n;

	buf_init(&b, 1000);
	ck_assert_int_eq(revs_read(p->path, 0, NULL, &b, &n, &why), -1);
	ck_assert_msg(strstr(why.text, text) != NULL, "%s", why.text);
	ck_assert_int_eq(revs_read_draft(p->path, &b, NULL), -1);
	ck_assert_int_eq(revs_open(&r, p->path, true, &no), -1);
	ck_assert_str_eq(no.text, why.text);
	buf_fini(&b);
}

START_TEST(what_is_lost_is_not_taken_for_what_never_was)
{
	struct place p;
	struct revs *r;
	sqlite3 *db;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	revs_close(&r);
	ck_assert_int_eq(truncate(p.path, 0), 0);
	refused(&p, "r.db is empty: what was committed is lost");
	ck_assert_int_eq(unlink(p.path), 0);
	ck_assert_int_eq(sqlite3_open(p.path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE a(b)", NULL, NULL,
	    NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	refused(&p, "r.db has no tables: what was committed is lost");
	ck_assert_int_eq(unlink(p.path), 0);
	r = must_open(&p);
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(a_file_that_was_moved_alone_is_missed)
{
	struct place p;
	struct revs *r;
	char away[120];

	place_init(&p);
	(void)snprintf(away, sizeof(away), "%s.away", p.path);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	ck_assert_int_eq(rename(p.path, away), 0);
	refused(&p, "r.db is gone, and ");
	ck_assert_int_eq(rename(away, p.path), 0);
	ck_assert_str_eq(content(&p, r, HEAD, 1), "a=1 ");
	revs_close(&r);
	ck_assert_int_eq(rename(p.path, away), 0);
	r = must_open(&p);
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(nobody_finds_a_file_that_is_being_made)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r;
	unsigned i, k;
	int status;
	struct buf b;
	uint64_t n;

	for (i = 0; i < 20; i++) {
		place_init(&p);
		for (k = 0; k < 4; k++) {
			if (fork() != 0)
				continue;
			_exit(revs_open(&r, p.path, true, NULL) == 0 &&
			    draft(r, "a", "1") == 0 ? 0 : 1);
		}
		buf_init(&b, 1000);
		for (k = 0; k < 20; k++)
			ck_assert_msg(revs_read(p.path, 0, NULL, &b, &n,
			    &why) == 0, "%s", why.text);
		for (k = 0; k < 4; k++) {
			ck_assert_int_gt(wait(&status), 0);
			ck_assert_int_eq(status, 0);
		}
		buf_fini(&b);
		place_fini(&p);
	}
}
END_TEST

UNIT_SUITE(revs_lost)
{
	tcase_add_test(tc, what_is_lost_is_not_taken_for_what_never_was);
	tcase_add_test(tc, a_file_that_was_moved_alone_is_missed);
	tcase_add_test(tc, nobody_finds_a_file_that_is_being_made);
}
