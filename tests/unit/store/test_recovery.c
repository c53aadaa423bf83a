#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "store_util.h"

/* Damage of every kind: the store opens, says so, and goes on. */

static char *
path_of(const struct bench *b, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	return path;
}

static void
run_sql(const struct bench *b, const char *sql)
{
	char *said = NULL;
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path_of(b, "store-0.db"), &db),
	    SQLITE_OK);
	(void)sqlite3_exec(db, sql, NULL, NULL, &said);
	ck_assert_msg(said == NULL, "%s: %s", sql, said);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static int64_t
ask_sql(const struct bench *b, const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int64_t n;

	ck_assert_int_eq(sqlite3_open(path_of(b, "store-0.db"), &db),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return n;
}

/* Overwrites n octets at a place of a file. */
static void
scribble(const char *path, off_t at, size_t n)
{
	char junk[65536];
	int fd = open(path, O_WRONLY);

	memset(junk, 0xa5, sizeof(junk));
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_le(n, sizeof(junk));
	ck_assert_int_eq(pwrite(fd, junk, n, at), (ssize_t)n);
	(void)close(fd);
}

static const char *
segment(const struct bench *b, unsigned id)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/seg-0/%016x", b->dir, id);
	return path;
}

/* 1 in a row, 2 in segment 1, 3 in segment 2. */
static void
fill(struct bench *b)
{
	bench_init(b, false);
	bench_open(b);
	put(b, 1, 5000);
	put(b, 2, 50000);
	put(b, 3, 500000);
	bench_close(b);
}

struct damage {
	const char *sql;	/* done to the rows, or */
	unsigned segment;	/* this file */
	int how;		/* 'g'one, 's'hort, 'b'ad */
	unsigned mid;		/* the message that suffers */
	bool at_open;		/* it is noticed then */
};

static const struct damage damages[] = {
	{ NULL, 1, 'g', 2, true },
	{ NULL, 1, 's', 2, true },
	{ NULL, 1, 'b', 2, false },
	{ NULL, 2, 'g', 3, true },
	{ NULL, 2, 's', 3, true },
	{ NULL, 2, 'b', 3, false },
	{ "DELETE FROM body", 0, 0, 1, false },
	{ "UPDATE body SET data = zeroblob(5000)", 0, 0, 1, false },
	{ "UPDATE body SET data = 7", 0, 0, 1, false },
	{ "UPDATE message SET sender = 'a' || char(13,10) || '@b' "
	  "WHERE mid = 2", 0, 0, 2, false },
	{ "UPDATE message SET sender = '@' WHERE mid = 2", 0, 0, 2, false },
	{ "UPDATE message SET helo = char(10) WHERE mid = 3", 0, 0, 3,
	    false },
	{ "UPDATE message SET off = -5 WHERE mid = 2", 0, 0, 2, true },
	{ "UPDATE message SET len = -5 WHERE mid = 2", 0, 0, 2, true },
	{ "UPDATE message SET len = 9223372036854775807, off = 3 "
	  "WHERE mid = 2", 0, 0, 2, true },
	{ "UPDATE message SET seg = -1 WHERE mid = 2", 0, 0, 2, true },
	{ "UPDATE message SET seg = 'x' WHERE mid = 2", 0, 0, 2, true },
	{ "UPDATE message SET len = 49999 WHERE mid = 2", 0, 0, 2, false },
	{ "UPDATE recipient SET rid = 9 WHERE mid = 1 AND rid = 1", 0, 0, 1,
	    false },
	{ "UPDATE recipient SET state = -3 WHERE mid = 1 AND rid = 1", 0, 0,
	    1, false },
	{ "UPDATE recipient SET addr = '' WHERE mid = 1", 0, 0, 1, false },
	{ "UPDATE recipient SET addr = x'00ff40' WHERE mid = 1", 0, 0, 1,
	    false },
	{ "UPDATE recipient SET orcpt = 'a' || char(10) WHERE mid = 1", 0, 0,
	    1, false },
	{ "DELETE FROM recipient WHERE mid = 3", 0, 0, 3, false },
};
#define N_DAMAGES ((int)(sizeof(damages) / sizeof(damages[0])))

START_TEST(sets_one_damaged_message_aside)
{
	static const uint64_t sizes[] = { 0, 5000, 50000, 500000 };
	const struct damage *d = &damages[_i];
	struct bench b;
	unsigned i;

	fill(&b);
	if (d->sql != NULL)
		run_sql(&b, d->sql);
	else if (d->how == 'g')
		ck_assert_int_eq(unlink(segment(&b, d->segment)), 0);
	else if (d->how == 's')
		ck_assert_int_eq(truncate(segment(&b, d->segment), 40000), 0);
	else
		scribble(segment(&b, d->segment), 30000, 1);
	bench_open(&b);
	for (i = 1; i <= 3; i++) {
		if (i != d->mid) {
			ck_assert_msg(load_whole(&b, i, sizes[i]),
			    "damage %d: MID %u", _i, i);
			continue;
		}
		ck_assert(!load(&b, i));
		ck_assert_int_eq(b.failed, !d->at_open);
		/* The second time it is simply not there. */
		ck_assert(!load(&b, i));
		ck_assert(!b.failed);
	}
	put(&b, 9, 50000);
	ck_assert(load_whole(&b, 9, 50000));
	bench_close(&b);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM corrupt"), 1);
	ck_assert_int_eq(ask_sql(&b, "SELECT mid FROM corrupt"), d->mid);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM message"), 3);
	bench_fini(&b);
}
END_TEST

START_TEST(keeps_the_octets_of_what_it_sets_aside)
{
	struct bench b;
	struct stat st;

	fill(&b);
	scribble(segment(&b, 1), 30000, 1);
	bench_open(&b);
	ck_assert(!load(&b, 2));
	ck_assert_int_eq(stat(path_of(&b, "corrupt/store-0-2.eml"), &st), 0);
	ck_assert_int_eq(st.st_size, 50000);
	bench_fini(&b);
}
END_TEST

START_TEST(removes_segments_that_no_row_refers_to)
{
	struct bench b;
	int fd;

	fill(&b);
	fd = open(segment(&b, 0x77), O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	/* What is not ours stays. */
	fd = open(path_of(&b, "seg-0/README"), O_WRONLY | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
	(void)close(fd);
	bench_open(&b);
	ck_assert_int_lt(access(segment(&b, 0x77), F_OK), 0);
	ck_assert_int_eq(access(path_of(&b, "seg-0/README"), F_OK), 0);
	/* Its number is not used again either. */
	put(&b, 4, 50000);
	ck_assert_int_eq(access(segment(&b, 0x78), F_OK), 0);
	bench_fini(&b);
}
END_TEST

START_TEST(starts_anew_when_the_database_is_none)
{
	struct bench b;
	struct stat st;

	fill(&b);
	scribble(path_of(&b, "store-0.db"), 0, 4096);
	bench_open(&b);
	ck_assert(!load(&b, 1) && !b.failed);
	put(&b, 9, 50000);
	ck_assert(load_whole(&b, 9, 50000));
	/* Nothing is thrown away: database and segments are kept. */
	ck_assert_uint_ge(count_files(path_of(&b, "corrupt")), 3);
	(void)snprintf(b.text, sizeof(b.text), "%s/corrupt/%016x", b.dir, 2);
	ck_assert_int_eq(stat(b.text, &st), 0);
	ck_assert_int_eq(st.st_size, 500000);
	bench_fini(&b);
}
END_TEST

/* So far no message had edits, notes or a body of others. */
static const char to_version_3[] =
    "BEGIN; DROP VIEW v_queue; DROP INDEX message_share;"
    "ALTER TABLE message DROP COLUMN edits;"
    "ALTER TABLE message DROP COLUMN notes;"
    "ALTER TABLE message DROP COLUMN quarantine;"
    "ALTER TABLE message DROP COLUMN not_before;"
    "ALTER TABLE message DROP COLUMN share;"
    "ALTER TABLE message DROP COLUMN waits_for;"
    "DROP VIEW v_recipients;"
    "ALTER TABLE recipient DROP COLUMN profile;"
    "ALTER TABLE recipient DROP COLUMN warned_at;"
    "CREATE VIEW v_recipients AS SELECT mid FROM recipient;"
    "CREATE VIEW v_queue AS SELECT m.mid AS mid FROM message m;"
    "PRAGMA user_version = 3; COMMIT";

/* Makes of the database what version 1 would have made: no want and no TLS
 * reason with a recipient. */
static const char to_version_1[] =
    "PRAGMA legacy_alter_table = ON; BEGIN; DROP VIEW v_recipients;"
    "CREATE TABLE old(mid INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " state INTEGER NOT NULL, warned INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, next INTEGER NOT NULL, addr TEXT NOT NULL,"
    " orcpt TEXT NOT NULL, notify INTEGER NOT NULL, code INTEGER NOT NULL,"
    " status TEXT NOT NULL, reason TEXT NOT NULL, remote TEXT NOT NULL,"
    " PRIMARY KEY(mid, rid)) WITHOUT ROWID;"
    "INSERT INTO old SELECT mid, rid, state, warned, attempts, next, addr,"
    " orcpt, notify, code, status, reason, remote FROM recipient;"
    "DROP TABLE recipient; ALTER TABLE old RENAME TO recipient;"
    "CREATE VIEW v_recipients AS SELECT mid, rid, addr,"
    " CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'done'"
    " WHEN 2 THEN 'bounced' ELSE 'deleted' END AS state, attempts,"
    " datetime(next / 1000, 'unixepoch') AS next, code, status, reason,"
    " remote FROM recipient; PRAGMA user_version = 1; COMMIT";

START_TEST(takes_over_the_database_of_the_version_before)
{
	struct store_rcpt later = { .rid = 1, .attempts = 3, .next = 99,
		.code = 451, .status = "4.7.1", .text = "later",
		.remote = "mx", .tls = TLSR_NAME };
	struct store_txn *t;
	struct bench b;

	fill(&b);
	bench_open(&b);
	t = store_txn_new(b.store);
	store_rcpt(t, 2, &later);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	bench_close(&b);
	run_sql(&b, to_version_3);
	run_sql(&b, to_version_1);
	bench_open(&b);
	ck_assert(load_whole(&b, 1, 5000));
	ck_assert(load(&b, 2));
	ck_assert_uint_eq(b.loaded.env->nrcpt, 2);
	ck_assert_uint_eq(b.loaded.env->rcpt[1]->want.n, 0);
	ck_assert_uint_eq(b.loaded.rcpt[1].attempts, 3);
	ck_assert_str_eq(b.loaded.rcpt[1].text, "later");
	ck_assert_int_eq(b.loaded.rcpt[1].tls, TLSR_NONE);
	forget_loaded(&b);
	t = store_txn_new(b.store);
	store_rcpt(t, 2, &later);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(!b.failed);
	ck_assert(load(&b, 2));
	ck_assert_int_eq(b.loaded.rcpt[1].tls, TLSR_NAME);
	bench_close(&b);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM v_recipients WHERE "
				     "tls = ''"), 6);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM v_recipients WHERE "
				     "tls_reason = 'name-mismatch'"), 1);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM v_queue WHERE "
				     "quarantine = '' AND NOT edited AND "
				     "waits_for = ''"), 3);
	bench_fini(&b);
}
END_TEST

/* Every page in turn: whatever can be read is saved, nothing crashes. */
START_TEST(saves_what_can_be_read_of_a_damaged_database)
{
	struct bench b;
	unsigned i, found;
	off_t page, pages;

	bench_init(&b, false);
	bench_open(&b);
	for (i = 1; i <= 200; i++)
		put(&b, i, 100);
	bench_close(&b);
	pages = count_pages(path_of(&b, "store-0.db"));
	ck_assert_int_ge(pages, 10);
	bench_fini(&b);
	for (page = 1; page < pages; page += 1 + pages / 12) {
		bench_init(&b, false);
		bench_open(&b);
		for (i = 1; i <= 200; i++)
			put(&b, i, 100);
		bench_close(&b);
		if (_i >= 1)
			run_sql(&b, to_version_3);
		if (_i == 2)
			run_sql(&b, to_version_1);
		scribble(path_of(&b, "store-0.db"), page * 4096, 4096);
		bench_open(&b);
		for (i = 1, found = 0; i <= 200; i++)
			found += load_whole(&b, i, 100);
		/* A leaf takes some dozens with it, a root more. */
		ck_assert_msg(found >= 90 || page <= 6, "page %d: %u",
		    (int)page, found);
		put(&b, 300, 100);
		ck_assert(!b.failed);
		ck_assert(load_whole(&b, 300, 100));
		bench_fini(&b);
	}
}
END_TEST

START_TEST(refuses_the_database_of_a_newer_version)
{
	struct err why = ERR_INIT;
	struct bench b;

	fill(&b);
	run_sql(&b, "PRAGMA user_version = 99");
	ck_assert_int_eq(store_open(&b.store, b.loop, &b.conf, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "newer"));
	bench_fini(&b);
}
END_TEST

START_TEST(shows_the_queue_to_the_administrator)
{
	struct bench b;

	fill(&b);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM v_queue WHERE "
				     "hold = 'active' AND waiting = 2"), 3);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM v_recipients WHERE "
				     "state = 'waiting' AND addr LIKE 'r%'"),
	    6);
	bench_fini(&b);
}
END_TEST

UNIT_SUITE(recovery)
{
	tcase_add_loop_test(tc, sets_one_damaged_message_aside, 0, N_DAMAGES);
	tcase_add_test(tc, keeps_the_octets_of_what_it_sets_aside);
	tcase_add_test(tc, removes_segments_that_no_row_refers_to);
	tcase_add_test(tc, starts_anew_when_the_database_is_none);
	tcase_add_test(tc, takes_over_the_database_of_the_version_before);
	tcase_add_loop_test(tc, saves_what_can_be_read_of_a_damaged_database,
	    0, 3);
	tcase_add_test(tc, refuses_the_database_of_a_newer_version);
	tcase_add_test(tc, shows_the_queue_to_the_administrator);
}
