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

static const char copy_one[] =
    "INSERT INTO message SELECT * FROM old.message WHERE mid = ?1";
static const char copy_rcpt[] =
    "INSERT INTO recipient SELECT * FROM old.recipient WHERE mid = ?1";
static const char copy_body[] =
    "INSERT INTO body SELECT * FROM old.body WHERE mid = ?1";

struct salvage {
	sqlite3 *db;
	sqlite3_stmt *next, *message, *rcpt, *body;
	uint64_t saved, lost;
};

static int move_aside(struct sq *q, char *to, struct err *why);
static void copy_all(struct sq *q, struct salvage *v, const char *old);
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
	copy_all(q, &v, old);
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
copy_all(struct sq *q, struct salvage *v, const char *old)
{
	sqlite3_stmt *attach = prepare(v->db, "ATTACH ? AS old");
	uint64_t mid = 0, n = 0;

	sq_bind_str(attach, 1, str_c(old));
	if (sqlite3_step(attach) == SQLITE_DONE) {
		v->next = prepare(v->db, "SELECT mid FROM old.message "
					 "WHERE mid > ? ORDER BY mid LIMIT 1");
		v->message = prepare(v->db, copy_one);
		v->rcpt = prepare(v->db, copy_rcpt);
		v->body = prepare(v->db, copy_body);
	}
	(void)sqlite3_finalize(attach);
	if (v->next != NULL && v->message != NULL && v->rcpt != NULL &&
	    v->body != NULL) {
		(void)sqlite3_exec(v->db, "BEGIN", NULL, NULL, NULL);
		while ((mid = next_mid(v, mid)) != 0) {
			if (copy_message(v, mid))
				v->saved++;
			else
				v->lost++;
			if (++n % 1000 == 0)
				(void)sqlite3_exec(v->db, "COMMIT; BEGIN",
				    NULL, NULL, NULL);
		}
		(void)sqlite3_exec(v->db, "COMMIT", NULL, NULL, NULL);
	}
	(void)sqlite3_finalize(v->next);
	(void)sqlite3_finalize(v->message);
	(void)sqlite3_finalize(v->rcpt);
	(void)sqlite3_finalize(v->body);
	(void)sqlite3_exec(v->db, "DETACH old", NULL, NULL, NULL);
	(void)q;
}

static int
copy_rows(sqlite3_stmt *st, uint64_t mid)
{
	int rc;

	sq_bind_u64(st, 1, mid);
	rc = sqlite3_step(st);
	(void)sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : -1;
}

/* Whole or not at all; its body may be in a segment. */
static bool
copy_message(struct salvage *v, uint64_t mid)
{
	bool ok;

	(void)sqlite3_exec(v->db, "SAVEPOINT one", NULL, NULL, NULL);
	ok = copy_rows(v->message, mid) == 0 &&
	    copy_rows(v->rcpt, mid) == 0 && sqlite3_changes(v->db) > 0 &&
	    copy_rows(v->body, mid) == 0;
	(void)sqlite3_exec(v->db, ok ? "RELEASE one" : "ROLLBACK TO one; "
							"RELEASE one",
	    NULL, NULL, NULL);
	return ok;
}
