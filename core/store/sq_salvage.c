#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "store/sq.h"

/*
 * A damaged database is moved aside whole, and a new one gets what can be read
 * of it. Messages are found in order of MID; where the way is blocked by a
 * page that cannot be read, the search goes on behind it, in growing steps.
 */

#define STEPS_MAX 62 /* doublings: past any MID */

enum { MESSAGE, RECIPIENT, BODY, TABLES };

static const char *const select_sql[TABLES] = {
	[MESSAGE] = "SELECT * FROM message WHERE mid = ?",
	[RECIPIENT] = "SELECT * FROM recipient WHERE mid = ?",
	[BODY] = ("SELECT * FROM body WHERE mid = (SELECT iif(share <> 0, "
		  "share, mid) FROM message WHERE mid = ?)"),
};

/* Of a database before version 4. */
static const char *const old_body = "SELECT * FROM body WHERE mid = ?";

static const char *const insert_sql[TABLES] = {
	[MESSAGE] = ("INSERT INTO message "
		     "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,coalesce(?,''),"
		     "coalesce(?,''),coalesce(?,''),coalesce(?,0),"
		     "coalesce(?,0),coalesce(?,''))"),
	[RECIPIENT] = ("INSERT INTO recipient "
		       "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,"
		       "coalesce(?,''),coalesce(?,''),coalesce(?,''),"
		       "coalesce(?,''),coalesce(?,0))"),
	/* Those that share it bring it several times. */
	[BODY] = "INSERT OR IGNORE INTO body VALUES(?,?)",
};

struct salvage {
	sqlite3 *db, *old;
	sqlite3_stmt *next, *from[TABLES], *into[TABLES];
	uint64_t saved, lost;
};

static int move_aside(struct sq *q, char *to, struct err *why);
static void copy_all(struct salvage *v, const char *old);
static bool copy_message(struct salvage *v, uint64_t mid);

int
sq_salvage(struct sq *q, char *text_r, struct err *why)
{
	struct salvage v = { .db = NULL };
	char old[SEG_PATH_MAX];
	bool known;

	sq_close_db(q, true);
	if (move_aside(q, old, why) < 0)
		return -1;
	(void)atomic_fetch_add(&q->store->generation, 1);
	if (sq_open_db(q, why) < 0)
		return -1;
	v.db = q->db;
	copy_all(&v, old);
	known = v.saved + v.lost > 0;
	(void)snprintf(text_r, sizeof(why->text),
	    "%.150s was damaged and is now %.150s; %" PRIu64 " messages were "
	    "saved, %" PRIu64 " %s", q->store->db_path, old, v.saved, v.lost,
	    known ? "are known to be lost" : "known to be lost");
	return 0;
}

/* With its WAL, which SQLite looks for by name. */
static int
move_aside(struct sq *q, char *to, struct err *why)
{
	static const char *const ends[] = { "-wal", "-shm", "" };
	struct store *s = q->store;
	char from[SEG_PATH_MAX + 8], name[SEG_PATH_MAX + 8];
	unsigned i, n;

	if (file_mkdirs(s->corrupt_dir, 0700, why) < 0)
		return -1;
	for (n = 0; n < 1000; n++) {
		(void)snprintf(to, SEG_PATH_MAX, "%s/store-%u-%" PRId64
						 "-%u.db",
		    s->corrupt_dir, s->conf.index, clock_wall() / 1000, n);
		if (access(to, F_OK) < 0)
			break;
	}
	for (i = 0; i < 3; i++) {
		(void)snprintf(from, sizeof(from), "%s%s", s->db_path,
		    ends[i]);
		(void)snprintf(name, sizeof(name), "%s%s", to, ends[i]);
		if (sys_rename(from, name) < 0 && errno != ENOENT)
			return err_errno(why, "cannot move %s aside", from);
	}
	if (file_sync_dir(s->corrupt_dir, why) < 0)
		return -1;
	return file_sync_dir(s->conf.dir, why);
}

static sqlite3_stmt *
prepare(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;

	(void)sqlite3_prepare_v2(db, sql, -1, &st, NULL);
	return st;
}

/* The next MID above from, or 0. */
static uint64_t
next_mid(struct salvage *v, uint64_t from)
{
	uint64_t step, mid = 0;
	int rc, i;

	for (i = 0, step = 0; i < STEPS_MAX; i++, step = step * 2 + 1) {
		if (step > INT64_MAX - from)
			break;
		sq_bind_u64(v->next, 1, from + step);
		rc = sqlite3_step(v->next);
		if (rc == SQLITE_ROW)
			mid = (uint64_t)sqlite3_column_int64(v->next, 0);
		(void)sqlite3_reset(v->next);
		if (rc == SQLITE_DONE || mid != 0)
			break;
	}
	return mid;
}

static void
copy_all(struct salvage *v, const char *old)
{
	uint64_t mid = 0, n = 0;
	bool ready = true;
	int i;

	if (sqlite3_open_v2(old, &v->old,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK)
		v->next = prepare(v->old, "SELECT mid FROM message "
					  "WHERE mid > ? ORDER BY mid LIMIT 1");
	for (i = 0; v->next != NULL && i < TABLES; i++) {
		v->from[i] = prepare(v->old, select_sql[i]);
		if (v->from[i] == NULL && i == BODY)
			v->from[i] = prepare(v->old, old_body);
		v->into[i] = prepare(v->db, insert_sql[i]);
		ready = ready && v->from[i] != NULL && v->into[i] != NULL;
	}
	(void)sqlite3_exec(v->db, "BEGIN", NULL, NULL, NULL);
	while (v->next != NULL && ready && (mid = next_mid(v, mid)) != 0) {
		if (copy_message(v, mid))
			v->saved++;
		else
			v->lost++;
		if (++n % 1000 == 0)
			(void)sqlite3_exec(v->db, "COMMIT; BEGIN", NULL, NULL,
			    NULL);
	}
	(void)sqlite3_exec(v->db, "COMMIT", NULL, NULL, NULL);
	for (i = 0; i < TABLES; i++) {
		(void)sqlite3_finalize(v->from[i]);
		(void)sqlite3_finalize(v->into[i]);
	}
	(void)sqlite3_finalize(v->next);
	(void)sqlite3_close_v2(v->old);
}

/* Returns the number of rows, or -1. Columns that a database of an older
 * version lacks stay NULL. */
static int
copy_rows(sqlite3_stmt *src, sqlite3_stmt *dst, uint64_t mid)
{
	int rc, i, n = 0;

	sq_bind_u64(src, 1, mid);
	while ((rc = sqlite3_step(src)) == SQLITE_ROW) {
		for (i = 0; i < sqlite3_column_count(src); i++)
			(void)sqlite3_bind_value(dst, i + 1,
			    sqlite3_column_value(src, i));
		rc = sqlite3_step(dst);
		(void)sqlite3_reset(dst);
		if (rc != SQLITE_DONE)
			break;
		n++;
	}
	(void)sqlite3_reset(src);
	return rc == SQLITE_DONE ? n : -1;
}

/* Whole or not at all; its body may be in a segment. */
static bool
copy_message(struct salvage *v, uint64_t mid)
{
	bool ok;

	(void)sqlite3_exec(v->db, "SAVEPOINT one", NULL, NULL, NULL);
	ok = copy_rows(v->from[MESSAGE], v->into[MESSAGE], mid) == 1 &&
	    copy_rows(v->from[RECIPIENT], v->into[RECIPIENT], mid) > 0 &&
	    copy_rows(v->from[BODY], v->into[BODY], mid) >= 0;
	(void)sqlite3_exec(v->db,
	    ok ? "RELEASE one" : "ROLLBACK TO one; RELEASE one", NULL, NULL,
	    NULL);
	return ok;
}
