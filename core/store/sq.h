/*
 * The SQLite engine's inside: sq.c (opening, statements, recovery),
 * sq_commit.c, sq_load.c, sq_walk.c (the reader's connection), sq_salvage.c.
 *
 * The writer owns db and segs. The reader has a connection of its own, which
 * it opens again when the generation of the database file has changed.
 */
#ifndef STORE_SQ_H
#define STORE_SQ_H

#include <sqlite3.h>

#include "store/segment.h"
#include "store/store_priv.h"

#define SQ_MAGIC 0x53714c69U

#define SQ_SCHEMA_VERSION 6

/* STMT(id, SQL) */
#define SQ_STMTS                                                               \
	STMT(BEGIN, "BEGIN IMMEDIATE")                                         \
	STMT(COMMIT, "COMMIT")                                                 \
	STMT(PUT, "INSERT INTO message(mid, queued, hold, sender, size, seg, " \
		  "off, len, sum, icid, flags, envid, client_ip, helo, auth, " \
		  "listener, edits, notes, quarantine, not_before, share, "    \
		  "waits_for) "                                                \
		  "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")       \
	STMT(PUT_RCPT, "INSERT INTO recipient(mid, rid, state, warned, "       \
		       "attempts, next, addr, orcpt, notify, code, status, "   \
		       "reason, remote, want, tls_reason, route, profile, "    \
		       "warned_at) "                                           \
		       "VALUES(?,?,?,?,0,?,?,?,?,0,'','','',?,'',?,?,?)")      \
	STMT(PUT_BODY, "INSERT INTO body(mid, data) VALUES(?,?)")              \
	STMT(RCPT, "UPDATE recipient SET state=?, warned=?, attempts=?, "      \
		   "next=?, code=?, status=?, reason=?, remote=?, "            \
		   "tls_reason=?, warned_at=? WHERE mid=? AND rid=?")          \
	STMT(TREAT, "UPDATE recipient SET want=?, route=? "                    \
		    "WHERE mid=? AND rid=?")                                   \
	STMT(GO, "UPDATE message SET waits_for='' WHERE mid=?")                \
	STMT(GO_RCPT, "UPDATE recipient SET next=(SELECT not_before FROM "     \
		      "message m WHERE m.mid=?1) "                             \
		      "WHERE mid=?1 AND state=0 AND attempts=0")               \
	STMT(HOLD, "UPDATE message SET hold=?1, quarantine="                   \
		   "iif(?1=0, '', quarantine) WHERE mid=?2")                   \
	STMT(PLACE, "SELECT seg, off, len, sum, share FROM message "           \
		    "WHERE mid=?")                                             \
	STMT(DELETE, "DELETE FROM message WHERE mid=?")                        \
	STMT(DELETE_RCPT, "DELETE FROM recipient WHERE mid=?")                 \
	/* The last of those that share it takes it along. */                  \
	STMT(DELETE_BODY, "DELETE FROM body WHERE mid=?1 AND NOT EXISTS("      \
			  "SELECT 1 FROM message WHERE mid=?1) AND NOT "       \
			  "EXISTS(SELECT 1 FROM message WHERE share=?1 AND "   \
			  "share <> 0)")                                       \
	STMT(MOVE, "UPDATE message SET seg=?, off=? WHERE mid=? AND seg=?")    \
	STMT(MEMBERS, "SELECT mid FROM message WHERE seg=? LIMIT ?")           \
	STMT(LOAD, "SELECT queued, hold, sender, size, seg, off, len, sum, "   \
		   "icid, flags, envid, client_ip, helo, auth, listener, "     \
		   "edits, notes, quarantine, not_before, share, waits_for "   \
		   "FROM message WHERE mid=?")                                 \
	STMT(LOAD_RCPT, "SELECT rid, state, warned, attempts, next, addr, "    \
			"orcpt, notify, code, status, reason, remote, "        \
			"want, tls_reason, route, profile, warned_at "         \
			"FROM recipient WHERE mid=? ORDER BY rid")             \
	STMT(LOAD_BODY, "SELECT data FROM body WHERE mid=?")                   \
	STMT(PAGES, "PRAGMA page_count")                                       \
	STMT(ASIDE, "INSERT OR REPLACE INTO corrupt(mid, at, why, sender, "    \
		    "recipients) SELECT mid, ?2, ?3, sender, (SELECT "         \
		    "group_concat(addr, ' ') FROM recipient r WHERE "          \
		    "r.mid = m.mid) FROM message m WHERE mid = ?1")

enum sq_stmt {
#define STMT(id, sql) SQ_##id,
	SQ_STMTS
#undef STMT
	    SQ_STMT_COUNT
};

struct sq {
	unsigned magic;
	struct store *store;
	int lock;		/* SPOOL/store-N.lock */
	sqlite3 *db;		/* NULL: to be opened again */
	sqlite3_stmt *st[SQ_STMT_COUNT];
	struct segs *segs;
	/* SPOOL/store-N.reserve is there: room for deletes on a full disk. */
	bool reserved;
	struct store_ghosts ghosts;
	/* The reader's. */
	sqlite3 *rdb;
	unsigned rgeneration;
};

/* Opens the database, making or migrating the schema. */
int sq_open_db(struct sq *q, struct err *why);
/* careful: without the checkpoint SQLite does when the last one closes. */
void sq_close_db(struct sq *q, bool careful);
int sq_make_schema(sqlite3 *db);
void sq_settings(sqlite3 *db);
/* why from SQLite's result; the code depends on what went wrong. */
int sq_err(sqlite3 *db, int rc, struct err *why, const char *what);
bool sq_is_damage(int rc); /* the file is not, or no longer, a database */
/* Steps a statement that gives no rows, and resets it. */
int sq_step(struct sq *q, enum sq_stmt id);
void sq_bind_str(sqlite3_stmt *st, int i, struct str s);
void sq_bind_u64(sqlite3_stmt *st, int i, uint64_t n);
struct str sq_column(sqlite3_stmt *st, int i); /* valid until the next step */
void sq_rollback(struct sq *q);

/*
 * sq_room.c. The reserve is room that only what frees room may use; false:
 * there is none, so no new mail is taken. sq_spend() gives it back to the disk.
 * sq_grow(): within a transaction, so that the file has room for all of its
 * pages; an SQLite result, SQLITE_FULL if it cannot have it.
 */
bool sq_reserve(struct sq *q);
void sq_spend(struct sq *q);
/* A disk with less is full, whatever the error says: a database cannot be
 * opened without room for its index in shared memory. */
#define SQ_LITTLE (512 * 1024)
void sq_grow_init(struct sq *q);
int sq_grow(struct sq *q);

bool sq_commit(void *e, struct store_txn **v, size_t n);
/* What was refused and may be there all the same goes now. */
void sq_drop_ghosts(struct sq *q);
void sq_cut_wal(struct sq *q);
bool sq_tidy(void *e);
uint64_t sq_thin(void *e);
size_t sq_members(void *e, uint64_t seg, uint64_t *mid, size_t max);
void sq_load(void *e, struct store_load_job *job);
void sq_set_aside(void *e, uint64_t mid, const char *why);
void sq_walk(void *e, struct store_walk *w, size_t max);
void sq_walk_close(struct sq *q);

/* Moves the damaged database to SPOOL/corrupt/, makes a new one and takes
 * over what can be read; text_r (of 496 octets) says what became of it. */
int sq_salvage(struct sq *q, char *text_r, struct err *why);

#endif
