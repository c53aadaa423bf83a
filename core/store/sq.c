#include "store/sq.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"
#include "store/store_vfs.h"

#define TIDY_PAGES 1024 /* as in its pragma */

#define VIEW_QUEUE                                                             \
	"CREATE VIEW v_queue AS SELECT m.mid AS mid,"                          \
	" datetime(m.queued / 1000, 'unixepoch') AS queued,"                   \
	" CASE m.hold WHEN 0 THEN 'active' WHEN 1 THEN 'held' "                \
	"ELSE 'frozen' END AS hold, m.sender AS sender, m.size AS size,"       \
	" (SELECT count(*) FROM recipient r WHERE r.mid = m.mid AND "          \
	"r.state = 0) AS waiting, m.client_ip AS client_ip, m.helo AS helo,"   \
	" m.listener AS listener, m.quarantine AS quarantine,"                 \
	" m.edits <> '' AS edited, m.waits_for AS waits_for FROM message m;"

#define VIEW_RECIPIENTS                                                        \
	"CREATE VIEW v_recipients AS SELECT mid, rid, addr,"                   \
	" CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'done'"                 \
	" WHEN 2 THEN 'bounced' WHEN 3 THEN 'deleted' ELSE 'moved' END"        \
	" AS state, attempts,"                                                 \
	" datetime(next / 1000, 'unixepoch') AS next, code, status, reason,"   \
	" remote, want AS tls, tls_reason, route,"                             \
	" profile AS bounce_profile, warned FROM recipient;"

/* Few messages share a body: only those are in the index. */
#define INDEX_SHARE                                                            \
	"CREATE INDEX message_share ON message(share) WHERE share <> 0;"

/*
 * The database of a worker. Views are for people: their columns stay, what
 * is below them may change with user_version.
 */
static const char schema[] =
    "CREATE TABLE message(mid INTEGER PRIMARY KEY, queued INTEGER NOT NULL,"
    " hold INTEGER NOT NULL, sender TEXT NOT NULL, size INTEGER NOT NULL,"
    " seg INTEGER NOT NULL, off INTEGER NOT NULL, len INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, icid INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " envid TEXT NOT NULL, client_ip TEXT NOT NULL, helo TEXT NOT NULL,"
    " auth TEXT NOT NULL, listener TEXT NOT NULL,"
    " edits TEXT NOT NULL DEFAULT '', notes TEXT NOT NULL DEFAULT '',"
    " quarantine TEXT NOT NULL DEFAULT '',"
    " not_before INTEGER NOT NULL DEFAULT 0,"
    " share INTEGER NOT NULL DEFAULT 0,"
    " waits_for TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE recipient(mid INTEGER NOT NULL, rid INTEGER NOT NULL,"
    " state INTEGER NOT NULL, warned INTEGER NOT NULL,"
    " attempts INTEGER NOT NULL, next INTEGER NOT NULL, addr TEXT NOT NULL,"
    " orcpt TEXT NOT NULL, notify INTEGER NOT NULL, code INTEGER NOT NULL,"
    " status TEXT NOT NULL, reason TEXT NOT NULL, remote TEXT NOT NULL,"
    " want TEXT NOT NULL DEFAULT '', tls_reason TEXT NOT NULL DEFAULT '',"
    " route TEXT NOT NULL DEFAULT '', profile TEXT NOT NULL DEFAULT '',"
    " warned_at INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(mid, rid)) WITHOUT ROWID;"
    "CREATE TABLE body(mid INTEGER PRIMARY KEY, data BLOB NOT NULL);"
    "CREATE TABLE corrupt(mid INTEGER PRIMARY KEY, at INTEGER NOT NULL,"
    " why TEXT NOT NULL, sender TEXT, recipients TEXT);"
    INDEX_SHARE VIEW_QUEUE VIEW_RECIPIENTS "PRAGMA user_version = 6;";

/* migrations[i] leads from version i + 1 to i + 2. */
static const char *const migrations[] = {
	"BEGIN IMMEDIATE;"
	"ALTER TABLE recipient ADD COLUMN want TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE recipient ADD COLUMN tls_reason TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 2;"
	"COMMIT",
	"BEGIN IMMEDIATE;"
	"ALTER TABLE recipient ADD COLUMN route TEXT NOT NULL DEFAULT '';"
	"PRAGMA user_version = 3;"
	"COMMIT",
	"BEGIN IMMEDIATE;"
	"ALTER TABLE message ADD COLUMN edits TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE message ADD COLUMN notes TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE message ADD COLUMN quarantine TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE message ADD COLUMN not_before INTEGER NOT NULL "
	"DEFAULT 0;"
	"ALTER TABLE message ADD COLUMN share INTEGER NOT NULL DEFAULT 0;"
	"DROP VIEW IF EXISTS v_recipients;" VIEW_RECIPIENTS INDEX_SHARE
	"PRAGMA user_version = 4;"
	"COMMIT",
	"BEGIN IMMEDIATE;"
	"ALTER TABLE message ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';"
	"DROP VIEW IF EXISTS v_queue;" VIEW_QUEUE
	"PRAGMA user_version = 5;"
	"COMMIT",
	"BEGIN IMMEDIATE;"
	"ALTER TABLE recipient ADD COLUMN profile TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE recipient ADD COLUMN warned_at INTEGER NOT NULL "
	"DEFAULT 0;"
	"DROP VIEW IF EXISTS v_recipients;" VIEW_RECIPIENTS
	"PRAGMA user_version = 6;"
	"COMMIT",
};

static const char *const sql[SQ_STMT_COUNT] = {
#define STMT(id, text) [SQ_##id] = text,
	SQ_STMTS
#undef STMT
};

static int sq_open(void **e_r, struct store *s, struct err *why);
static void sq_close(void *e);
static int take_lock(struct sq *q, struct err *why);
static int check_version(struct sq *q, struct err *why);
static int recover(struct sq *q, struct err *why);

const struct store_engine store_sqlite = {
	.open = sq_open,
	.close = sq_close,
	.commit = sq_commit,
	.load = sq_load,
	.set_aside = sq_set_aside,
	.thin = sq_thin,
	.members = sq_members,
	.tidy = sq_tidy,
	.walk = sq_walk,
};

int
sq_open_db(struct sq *q, struct err *why)
{
	const char *path = q->store->db_path;
	int rc, i;

	rc = sqlite3_open_v2(path, &q->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	    STORE_VFS);
	if (rc == SQLITE_OK) {
		sq_settings(q->db);
		rc = sqlite3_exec(q->db,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
		    NULL, NULL, NULL);
	}
	if (rc != SQLITE_OK)
		return sq_err(q->db, rc, why, path);
	if (check_version(q, why) < 0)
		return -1;
	for (i = 0; i < SQ_STMT_COUNT; i++) {
		rc = sqlite3_prepare_v3(q->db, sql[i], -1,
		    SQLITE_PREPARE_PERSISTENT, &q->st[i], NULL);
		if (rc != SQLITE_OK)
			return sq_err(q->db, rc, why, path);
	}
	store_vfs_gather(q->db);
	sq_grow_init(q);
	return 0;
}

void
sq_close_db(struct sq *q, bool careful)
{
	int i;

	if (q->db == NULL)
		return;
	for (i = 0; i < SQ_STMT_COUNT; i++) {
		(void)sqlite3_finalize(q->st[i]);
		q->st[i] = NULL;
	}
	if (careful)
		(void)sqlite3_db_config(q->db,
		    SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	(void)sqlite3_close_v2(q->db);
	q->db = NULL;
}

int
sq_make_schema(sqlite3 *db)
{
	int rc;

	rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

/* Measured with 64 messages of 4 KB in a commit: 4 KB pages write least, a
 * WAL of 8 MB costs no more than one of 32, a database that can shrink 1 KB of
 * writes a message, and Debian's SQLite overwrites what is deleted unless told
 * otherwise (18 us a message instead of 16). */
void
sq_settings(sqlite3 *db)
{
	(void)sqlite3_busy_timeout(db, (int)SECONDS(5));
	(void)sqlite3_exec(db,
	    "PRAGMA page_size = 4096;"
	    "PRAGMA auto_vacuum = INCREMENTAL;"
	    "PRAGMA cache_size = -8192;"
	    "PRAGMA temp_store = MEMORY;"
	    "PRAGMA secure_delete = OFF;"
	    "PRAGMA wal_autocheckpoint = 2048;"
	    "PRAGMA journal_size_limit = 16777216;"
	    "PRAGMA trusted_schema = OFF",
	    NULL, NULL, NULL);
}

int
sq_err(sqlite3 *db, int rc, struct err *why, const char *what)
{
	bool full = (rc & 0xff) == SQLITE_FULL;

	return err_set(why, full ? 452 : 451, full ? "4.3.1" : "4.3.0",
	    "%s: %s", what,
	    db != NULL && sqlite3_errcode(db) == rc ? sqlite3_errmsg(db) :
						      sqlite3_errstr(rc));
}

bool
sq_is_damage(int rc)
{
	rc &= 0xff;
	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

int
sq_step(struct sq *q, enum sq_stmt id)
{
	int rc = sqlite3_step(q->st[id]);

	(void)sqlite3_reset(q->st[id]);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

void
sq_bind_str(sqlite3_stmt *st, int i, struct str s)
{
	(void)sqlite3_bind_text(st, i, s.n > 0 ? s.p : "", (int)s.n,
	    SQLITE_STATIC);
}

void
sq_bind_u64(sqlite3_stmt *st, int i, uint64_t n)
{
	(void)sqlite3_bind_int64(st, i, (sqlite3_int64)n);
}

struct str
sq_column(sqlite3_stmt *st, int i)
{
	const char *p = (const char *)sqlite3_column_text(st, i);

	if (p == NULL)
		return str_n("", 0);
	return str_n(p, (size_t)sqlite3_column_bytes(st, i));
}

void
sq_rollback(struct sq *q)
{
	if (q->db != NULL && sqlite3_get_autocommit(q->db) == 0)
		(void)sqlite3_exec(q->db, "ROLLBACK", NULL, NULL, NULL);
}

static int64_t
ask(struct sq *q, const char *question)
{
	sqlite3_stmt *st = NULL;
	int64_t n = 0;

	(void)sqlite3_prepare_v2(q->db, question, -1, &st, NULL);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return n;
}

/*
 * Gives the disk back what a backlog took: free pages, when they are many and
 * more than a quarter, some at a time; and the WAL. Then there may be room for
 * the reserve again.
 */
bool
sq_tidy(void *e)
{
	int64_t unused;
	struct sq *q;

	OBJ_CAST(q, e, SQ_MAGIC);
	if (q->db == NULL)
		return false;
	unused = ask(q, "PRAGMA freelist_count");
	if (unused >= TIDY_PAGES &&
	    unused > ask(q, "PRAGMA page_count") / 4) {
		(void)sqlite3_exec(q->db, "PRAGMA incremental_vacuum(1024)",
		    NULL, NULL, NULL);
		unused -= TIDY_PAGES;
	}
	sq_cut_wal(q);
	if (store_room(q->store, 0))
		(void)sq_reserve(q);
	return unused >= TIDY_PAGES &&
	    unused > ask(q, "PRAGMA page_count") / 4;
}

/* Not at the price of waiting for a reader. */
void
sq_cut_wal(struct sq *q)
{
	(void)sqlite3_busy_timeout(q->db, 0);
	(void)sqlite3_wal_checkpoint_v2(q->db, NULL,
	    SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	(void)sqlite3_busy_timeout(q->db, (int)SECONDS(5));
}

static int
sq_open(void **e_r, struct store *s, struct err *why)
{
	char text[sizeof(why->text)];
	const char *keep = NULL;
	struct sq *q;
	int rc;

	store_vfs_init();
	if (file_mkdirs(s->conf.dir, 0700, why) < 0)
		return -1;
	OBJ_NEW(q, SQ_MAGIC);
	q->store = s;
	q->lock = -1;
	q->rgeneration = UINT32_MAX;
	if (take_lock(q, why) < 0 ||
	    segs_open(&q->segs, s->seg_dir, s->conf.segment_size,
		&s->next_seg, why) < 0) {
		sq_close(q);
		return -1;
	}
	rc = sq_open_db(q, why);
	if (rc < 0 && !store_room(s, SQ_LITTLE)) {
		sq_close_db(q, true);
		sq_spend(q);
		rc = sq_open_db(q, why);
	}
	if (rc == 0)
		rc = recover(q, why);
	if (rc < 0 && q->db != NULL && sq_is_damage(sqlite3_errcode(q->db))) {
		rc = sq_salvage(q, text, why);
		if (rc == 0) {
			log_warning("%s", text);
			keep = s->corrupt_dir;
			rc = recover(q, why);
		}
	}
	if (rc == 0)
		rc = file_sync_dir(s->conf.dir, why);
	if (rc < 0) {
		sq_close(q);
		return -1;
	}
	(void)sq_reserve(q);
	segs_sweep(q->segs, keep);
	*e_r = q;
	return 0;
}

static void
sq_close(void *e)
{
	struct sq *q;

	OBJ_CAST(q, e, SQ_MAGIC);
	sq_drop_ghosts(q);
	sq_walk_close(q);
	sq_close_db(q, false);
	segs_close(&q->segs);
	file_close(&q->lock);
	mem_free(q->ghosts.v);
	OBJ_FREE(q);
}

/* Two processes on one store would deliver everything twice. */
static int
take_lock(struct sq *q, struct err *why)
{
	char path[SEG_PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/store-%u.lock",
	    q->store->conf.dir, q->store->conf.index);
	q->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (q->lock < 0)
		return err_errno(why, "%s", path);
	if (flock(q->lock, LOCK_EX | LOCK_NB) < 0)
		return err_set(why, 451, "4.3.0",
		    "%s is in use by another process", q->store->db_path);
	return 0;
}

static int
check_version(struct sq *q, struct err *why)
{
	const char *path = q->store->db_path;
	sqlite3_stmt *st = NULL;
	int rc, version = 0;

	rc = sqlite3_prepare_v2(q->db, "PRAGMA user_version", -1, &st, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(st);
		version = sqlite3_column_int(st, 0);
		(void)sqlite3_finalize(st);
	}
	if (rc != SQLITE_ROW)
		return sq_err(q->db, rc, why, path);
	if (version == 0)
		rc = sq_make_schema(q->db);
	else if (version > SQ_SCHEMA_VERSION)
		return err_set(why, 451, "4.3.0",
		    "%s was made by a newer Postern (version %d)", path,
		    version);
	else
		for (rc = SQLITE_OK;
		     rc == SQLITE_OK && version < SQ_SCHEMA_VERSION; version++)
			rc = sqlite3_exec(q->db, migrations[version - 1],
			    NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : sq_err(q->db, rc, why, path);
}

struct bad {
	uint64_t *mid;
	size_t n, cap;
};

static void
add_bad(struct bad *bad, uint64_t mid)
{
	if (bad->n == bad->cap) {
		bad->cap = bad->cap == 0 ? 64 : bad->cap * 2;
		bad->mid = mem_realloc(bad->mid, bad->cap * sizeof(*bad->mid));
	}
	bad->mid[bad->n++] = mid;
}

/* Counts what rows refer to, segment by segment, and finds the messages
 * whose octets cannot be there. */
static int
count_segments(struct sq *q, struct bad *bad)
{
	sqlite3_int64 mid, seg, off, len;
	sqlite3_stmt *st = NULL;
	uint64_t size;
	int rc;

	rc = sqlite3_prepare_v2(q->db,
	    "SELECT mid, seg, off, len FROM message WHERE seg <> 0", -1, &st,
	    NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		mid = sqlite3_column_int64(st, 0);
		seg = sqlite3_column_int64(st, 1);
		off = sqlite3_column_int64(st, 2);
		len = sqlite3_column_int64(st, 3);
		if (seg < 0 || off < 0 || len < 0 ||
		    !segs_size(q->segs, (uint64_t)seg, &size) ||
		    (uint64_t)off > size ||
		    (uint64_t)len > size - (uint64_t)off)
			add_bad(bad, (uint64_t)mid);
		else
			segs_account(q->segs, (uint64_t)seg, len);
	}
	(void)sqlite3_finalize(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Reads both tables once, so that a damaged page is found now and not in the
 * middle of the work. */
static int
recover(struct sq *q, struct err *why)
{
	struct bad bad = { NULL, 0, 0 };
	size_t i;
	int rc;

	rc = count_segments(q, &bad);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(q->db, "SELECT sum(attempts) FROM recipient",
		    NULL, NULL, NULL);
	if (rc != SQLITE_OK) {
		mem_free(bad.mid);
		return sq_err(q->db, rc, why, q->store->db_path);
	}
	for (i = 0; i < bad.n; i++) {
		log_warning("MID %llu is set aside: its body is not in %s",
		    (unsigned long long)bad.mid[i], q->store->seg_dir);
		sq_set_aside(q, bad.mid[i], "the body is missing");
	}
	mem_free(bad.mid);
	return 0;
}
