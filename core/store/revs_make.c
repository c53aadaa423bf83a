/*
 * The making of the configuration store: under a name of its own, so that
 * whoever finds the file finds all of it.
 */
#include "store/revs_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rand.h"
#include "base/sys.h"
#include "store/store_vfs.h"

static int fill(const struct revs *, const char *, struct err *);
static void drop(const char *);

/* Views are for people: their columns stay, what is below them may change
 * with user_version. */
static const char schema[] =
    "PRAGMA synchronous = FULL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE revision(n INTEGER PRIMARY KEY, parent INTEGER NOT NULL,"
    " at INTEGER NOT NULL, who TEXT NOT NULL, comment TEXT NOT NULL,"
    " changes INTEGER NOT NULL, objects INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, serial INTEGER NOT NULL, token TEXT NOT NULL,"
    " accepted INTEGER NOT NULL);"
    "CREATE TABLE object(kind TEXT NOT NULL, name TEXT NOT NULL,"
    " from_rev INTEGER NOT NULL, to_rev INTEGER NOT NULL,"
    " scope TEXT NOT NULL, who TEXT NOT NULL, at INTEGER NOT NULL,"
    " body TEXT NOT NULL, PRIMARY KEY(kind, name, from_rev)) WITHOUT ROWID;"
    "CREATE INDEX object_to ON object(to_rev);"
    "CREATE TABLE draft(kind TEXT NOT NULL, name TEXT NOT NULL,"
    " scope TEXT NOT NULL, body TEXT, who TEXT NOT NULL,"
    " at INTEGER NOT NULL, serial INTEGER NOT NULL,"
    " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
    "CREATE TABLE state(one INTEGER PRIMARY KEY CHECK(one = 1),"
    " head INTEGER NOT NULL, serial INTEGER NOT NULL);"
    "INSERT INTO state VALUES(1, 0, 0);"
    "CREATE VIEW v_revisions AS SELECT n AS revision,"
    " datetime(at / 1000, 'unixepoch') AS at, who, comment, changes, objects"
    " FROM revision WHERE accepted = 1;"
    "CREATE VIEW v_objects AS SELECT kind, name, scope, body, who,"
    " from_rev AS revision FROM object, state WHERE from_rev <= head AND"
    " to_rev > head;"
    "PRAGMA user_version = 1;"
    "COMMIT;"
    "PRAGMA journal_mode = WAL";

int
revs_make(struct revs *r, struct err *why)
{
	size_t room = strlen(r->at) + 64;
	char *path = mem_alloc(room);
	int rc;

	(void)snprintf(path, room, "%s.%ld-%016jx.new", r->at,
	    (long)getpid(), (uintmax_t)rand_u64());
	rc = fill(r, path, why);
	/* Or another was faster. */
	if (rc == 0 && (sys_fault_point(SYS_RENAME) ||
	    link(path, r->at) != 0) && errno != EEXIST)
		rc = err_errno(why, "%s", r->path);
	drop(path);
	mem_free(path);
	if (rc == 0 && sys_fsync(r->dir) != 0)
		rc = err_errno(why, "%s", r->path);
	return rc;
}

static int
fill(const struct revs *r, const char *path, struct err *why)
{
	struct revs new = { .path = r->path };
	int fd, rc;

	/* For its mode. */
	fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_errno(why, "%s", r->path);
	(void)close(fd);
	rc = sqlite3_open_v2(path, &new.db, SQLITE_OPEN_READWRITE |
	    SQLITE_OPEN_NOMUTEX, STORE_VFS);
	if (rc != SQLITE_OK)
		rc = revs_fail(&new, rc, why);
	else
		rc = revs_exec(&new, schema, why);
	(void)sqlite3_close_v2(new.db);
	return rc;
}

static void
drop(const char *path)
{
	static const char *const beside[] = { "", "-journal", "-wal", "-shm" };
	size_t room = strlen(path) + sizeof("-journal");
	char *name = mem_alloc(room);
	unsigned i;

	for (i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
		(void)snprintf(name, room, "%s%s", path, beside[i]);
		(void)unlink(name);
	}
	mem_free(name);
}
