/*
 * The file of the configuration store: where it is, whose it is, its lock,
 * transactions.
 */
#include "store/revs_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "store/store_vfs.h"

#define PATIENCE SECONDS(10) /* for another's transaction */

static int open_dir(struct revs *, bool, bool *, struct err *);
static int guard_file(struct revs *, const char *, bool *, struct err *);
static int nothing_left(struct revs *, const char *, bool *, struct err *);
static int open_db(struct revs *, struct err *);
static int version(struct revs *, struct err *);

int
revs_open(struct revs **r_r, const char *path, bool edit, struct err *why)
{
	bool there = false;
	struct revs *r;

	store_vfs_init();
	OBJ_NEW(r, REVS_MAGIC);
	r->dir = r->lock = -1;
	r->path = mem_strdup(path);
	if (open_dir(r, edit, &there, why) != 0 ||
	    (there && open_db(r, why) != 0)) {
		revs_close(&r);
		return -1;
	}
	if (!there)
		revs_close(&r);
	*r_r = r;
	return 0;
}

void
revs_close(struct revs **rp)
{
	struct revs *r = *rp;

	if (r == NULL)
		return;
	OBJ_CHECK(r, REVS_MAGIC);
	*rp = NULL;
	(void)sqlite3_close_v2(r->db);
	file_close(&r->lock);
	file_close(&r->dir);
	mem_free(r->path);
	mem_free(r->at);
	OBJ_FREE(r);
}

static int
open_dir(struct revs *r, bool edit, bool *there_r, struct err *why)
{
	const char *slash = strrchr(r->path, '/'), *base;
	char at[64], *dir;
	struct stat st;
	int rc = 0;

	base = slash == NULL ? r->path : slash + 1;
	dir = slash == NULL ? mem_strdup(".") :
	    mem_strndup(r->path, slash == r->path ? 1 :
		(size_t)(slash - r->path));
	if (edit && access(dir, F_OK) != 0)
		rc = file_mkdirs(dir, 0700, why);
	if (rc == 0) {
		r->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
		if (r->dir == -1 && (errno != ENOENT || edit))
			rc = err_errno(why, "%s", dir);
		else if (r->dir != -1 && fstat(r->dir, &st) != 0)
			rc = err_errno(why, "%s", dir);
		else if (r->dir != -1)
			rc = file_guard(dir, &st, S_IFDIR, why);
	}
	mem_free(dir);
	if (rc != 0 || r->dir == -1)
		return rc;
	(void)snprintf(at, sizeof(at), "/proc/self/fd/%d/", r->dir);
	r->at = mem_alloc(strlen(at) + strlen(base) + 1);
	memcpy(r->at, at, strlen(at));
	memcpy(r->at + strlen(at), base, strlen(base) + 1);
	if (guard_file(r, base, there_r, why) != 0)
		return -1;
	if (*there_r || !edit)
		return 0;
	*there_r = true;
	return revs_make(r, why);
}

/* Looked at, not opened: closing a descriptor would end all locks that this
 * process has on the file. */
static int
guard_file(struct revs *r, const char *base, bool *there_r, struct err *why)
{
	struct stat st;

	*there_r = fstatat(r->dir, base, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (!*there_r && errno != ENOENT)
		return err_errno(why, "%s", r->path);
	if (!*there_r)
		return nothing_left(r, base, there_r, why);
	if (file_guard(r->path, &st, S_IFREG, why) != 0)
		return -1;
	/* SQLite would drop what is in the file beside it. */
	return st.st_size > 0 ? 0 : revs_lost(r, "is empty", why);
}

/* What was committed may be in the file beside it. */
static int
nothing_left(struct revs *r, const char *base, bool *there_r, struct err *why)
{
	size_t room = strlen(base) + sizeof("-wal");
	char *wal = mem_alloc(room);
	struct stat st;
	bool left;

	(void)snprintf(wal, room, "%s-wal", base);
	left = fstatat(r->dir, wal, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size > 0;
	mem_free(wal);
	if (!left)
		return 0;
	/* Or it was made just now. */
	if (fstatat(r->dir, base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_text(why, "%s is gone, and %s-wal has changes of "
		    "it: put it back, or move that away, too", r->path,
		    r->path);
	return guard_file(r, base, there_r, why);
}

static int
open_db(struct revs *r, struct err *why)
{
	int rc, persist = 1;

	rc = sqlite3_open_v2(r->at, &r->db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, STORE_VFS);
	if (rc != SQLITE_OK)
		return revs_fail(r, rc, why);
	(void)sqlite3_busy_timeout(r->db, (int)PATIENCE);
	/* The files beside it stay, so that a full disk can be read from. */
	(void)sqlite3_file_control(r->db, "main", SQLITE_FCNTL_PERSIST_WAL,
	    &persist);
	if (revs_exec(r, "PRAGMA trusted_schema = OFF;"
	    "PRAGMA temp_store = MEMORY;"
	    "PRAGMA journal_size_limit = 0;"
	    "PRAGMA synchronous = FULL", why) != 0)
		return -1;
	return version(r, why);
}

static int
version(struct revs *r, struct err *why)
{
	sqlite3_stmt *st;
	uint64_t n;

	st = revs_prepare(r, "PRAGMA user_version", why);
	if (st == NULL || revs_number(r, st, &n, why) != 0)
		return -1;
	if (n > REVS_VERSION)
		return err_text(why, "%s was made by a newer Postern "
		    "(version %ju)", r->path, (uintmax_t)n);
	return n > 0 ? 0 : revs_lost(r, "has no tables", why);
}

int
revs_lost(struct revs *r, const char *what, struct err *why)
{
	return err_text(why, "%s %s: what was committed is lost; put a copy "
	    "of it in its place, or move it and the files beside it away to "
	    "go on without", r->path, what);
}

int
revs_lock(struct revs *r, const char *who, struct err *why)
{
	size_t room = strlen(r->at) + sizeof(".lock");
	char text[256], *path = mem_alloc(room);
	ssize_t n;
	int rc = 0;

	(void)snprintf(path, room, "%s.lock", r->at);
	r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	mem_free(path);
	if (r->lock == -1)
		return err_errno(why, "%s.lock", r->path);
	if (flock(r->lock, LOCK_EX | LOCK_NB) != 0) {
		n = pread(r->lock, text, sizeof(text) - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		rc = err_text(why, "%s: %s is committing; try again",
		    r->path, n > 0 ? text : "somebody");
		file_close(&r->lock);
		return rc;
	}
	(void)snprintf(text, sizeof(text), "%.200s (process %ld)", who,
	    (long)getpid());
	if (sys_ftruncate(r->lock, 0) != 0 ||
	    sys_pwrite_all(r->lock, text, strlen(text), 0) != 0)
		return err_errno(why, "%s.lock", r->path);
	return 0;
}

void
revs_unlock(struct revs *r)
{
	file_close(&r->lock);
}

const char *
revs_beside(const struct revs *r, struct pool *pool, const char *suffix)
{
	return pool_printf(pool, "%s%s", r->at, suffix);
}

int
revs_begin(struct revs *r, bool write, struct err *why)
{
	OBJ_CHECK(r, REVS_MAGIC);
	ASSERT(!r->in);
	if (revs_exec(r, write ? "BEGIN IMMEDIATE" : "BEGIN", why) != 0)
		return -1;
	r->in = true;
	r->write = write;
	return 0;
}

int
revs_end(struct revs *r, bool commit, struct err *why)
{
	int rc;

	ASSERT(r->in);
	r->in = false;
	rc = commit ? revs_exec(r, "COMMIT", why) : 0;
	if (sqlite3_get_autocommit(r->db) == 0)
		(void)sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int
revs_fail(struct revs *r, int rc, struct err *why)
{
	const char *text = r->db != NULL ? sqlite3_errmsg(r->db) :
	    sqlite3_errstr(rc);

	if ((rc & 0xff) == SQLITE_BUSY)
		text = "somebody else is changing it";
	return err_set(why, 451, "4.3.0", "%s: %s", r->path, text);
}

int
revs_exec(struct revs *r, const char *sql, struct err *why)
{
	int rc = sqlite3_exec(r->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : revs_fail(r, rc, why);
}

sqlite3_stmt *
revs_prepare(struct revs *r, const char *sql, struct err *why)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(r->db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK)
		return st;
	(void)revs_fail(r, rc, why);
	return NULL;
}

void
revs_bind(sqlite3_stmt *st, int i, struct str s)
{
	if (s.p == NULL)
		(void)sqlite3_bind_null(st, i);
	else
		(void)sqlite3_bind_text(st, i, s.p, (int)s.n, SQLITE_STATIC);
}

void
revs_bind_n(sqlite3_stmt *st, int i, uint64_t n)
{
	(void)sqlite3_bind_int64(st, i, (sqlite3_int64)n);
}

const char *
revs_column(sqlite3_stmt *st, int i)
{
	const char *p = (const char *)sqlite3_column_text(st, i);

	return p != NULL ? p : "";
}

int
revs_run(struct revs *r, sqlite3_stmt *st, struct err *why)
{
	int rc = sqlite3_step(st);

	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		(void)revs_fail(r, rc, why);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

int
revs_number(struct revs *r, sqlite3_stmt *st, uint64_t *n_r, struct err *why)
{
	int rc = sqlite3_step(st);

	*n_r = 0;
	if (rc == SQLITE_ROW)
		*n_r = (uint64_t)sqlite3_column_int64(st, 0);
	else if (rc != SQLITE_DONE)
		(void)revs_fail(r, rc, why);
	(void)sqlite3_finalize(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}
