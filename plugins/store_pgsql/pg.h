/*
 * Private to the plugin: store_pgsql.c (options, table), pg_link.c (one
 * connection), pg_own.c (schema, lease), pg_commit.c, pg_read.c.
 *
 * A store has two connections, each used by one thread: the writer's, which
 * has the lease, and the reader's. A connection that is in doubt is closed and
 * made anew by whoever needs it next.
 */
#ifndef PLUGIN_STORE_PGSQL_PG_H
#define PLUGIN_STORE_PGSQL_PG_H

#include <libpq-fe.h>
#include <postern/store.h>
#include <stdatomic.h>

#define PG_PARAMS 32
#define PG_FENCED "22012" /* a division by zero: what FENCE says */
#define PG_VERSION 2	 /* of the schema */
#define PG_BACKOFF 1000	 /* ms between attempts to connect */
#define PG_HURRY 1000	 /* ms for what is asked last */
#define PG_MARGIN 2000	 /* ms that an answer may take beyond the server's
			  * own limit */

struct settings {
	const char *conninfo, *password, *schema;
	int64_t lease, connect_timeout, statement_timeout, patience;
};

/* STMT(id, SQL) */
#define PG_STMTS                                                               \
	STMT(TAKE, "INSERT INTO lease(store, owner, host, token, seq, until) " \
		   "VALUES($1, $2, $3, 1, 0, now() + $4::bigint * "            \
		   "interval '1 millisecond') ON CONFLICT (store) DO UPDATE "  \
		   "SET owner = excluded.owner, host = excluded.host, "        \
		   "token = lease.token + 1, until = excluded.until "          \
		   "WHERE lease.owner = excluded.owner OR "                    \
		   "lease.until < now() RETURNING token, seq")                 \
	STMT(RETAKE, "UPDATE lease SET token = token + 1, until = now() + "    \
		     "$3::bigint * interval '1 millisecond' WHERE store = $1 " \
		     "AND owner = $2 RETURNING token, seq")                    \
	STMT(HOLDER, "SELECT host FROM lease WHERE store = $1")                \
	/* An error if the lease is another's: what follows is not done. */    \
	STMT(FENCE, "WITH l AS (UPDATE lease SET seq = $3, until = now() + "   \
		    "$4::bigint * interval '1 millisecond' WHERE store = $1 "  \
		    "AND token = $2 RETURNING 1) SELECT 1 / count(*) FROM l")  \
	STMT(RELEASE, "UPDATE lease SET until = now() - interval '1 second' "  \
		      "WHERE store = $1 AND token = $2")                       \
	STMT(TOP, "SELECT coalesce(max(mid), 0)::bigint FROM message")         \
	STMT(PUT, "INSERT INTO message(store, mid, content, queued, hold, "    \
		  "sender, size, length, sum, icid, flags, envid, client_ip, " \
		  "helo, auth, listener, edits, notes, quarantine, "           \
		  "not_before, waits_for) VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,"  \
		  "$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21)")          \
	STMT(PUT_RCPT, "INSERT INTO recipient(store, mid, rid, state, code, "  \
		       "attempts, notify, next, warned, addr, orcpt, status, " \
		       "reason, remote, tls_reason, want, route, profile, "    \
		       "warned_at) VALUES($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11," \
		       "$12,$13,$14,$15,$16,$17,$18,$19)")                     \
	STMT(PUT_BODY, "INSERT INTO body(store, mid, seq, data) "              \
		       "VALUES($1,$2,$3,$4)")                                  \
	STMT(RCPT, "UPDATE recipient SET state = $4, code = $5, "              \
		   "attempts = $6, next = $7, warned = $8, status = $9, "      \
		   "reason = $10, remote = $11, tls_reason = $12, "            \
		   "warned_at = $13 "                                          \
		   "WHERE store = $1 AND mid = $2 AND rid = $3")               \
	STMT(TREAT, "UPDATE recipient SET want = $4, route = $5 "              \
		    "WHERE store = $1 AND mid = $2 AND rid = $3")              \
	STMT(HOLD, "UPDATE message SET hold = $3::smallint, quarantine = "     \
		   "CASE WHEN $3::smallint = 0 THEN ''::bytea ELSE "         \
		   "quarantine END "                                           \
		   "WHERE store = $1 AND mid = $2")                            \
	STMT(GO, "UPDATE message SET waits_for = ''::bytea "                   \
		 "WHERE store = $1 AND mid = $2")                              \
	STMT(GO_RCPT, "UPDATE recipient SET next = (SELECT m.not_before FROM " \
		      "message m WHERE m.store = $1 AND m.mid = $2) WHERE "    \
		      "store = $1 AND mid = $2 AND state = 0 AND "             \
		      "attempts = 0")                                          \
	/* The last of those that share it takes it along. */                  \
	STMT(DELETE_BODY, "DELETE FROM body b USING message m WHERE "          \
			  "m.store = $1 AND m.mid = $2 AND b.store = m.store " \
			  "AND b.mid = m.content AND NOT EXISTS (SELECT 1 "    \
			  "FROM message o WHERE o.store = m.store AND "        \
			  "o.content = m.content AND o.mid <> m.mid)")         \
	STMT(DELETE_RCPT, "DELETE FROM recipient WHERE store = $1 AND "        \
			  "mid = $2")                                          \
	STMT(DELETE, "DELETE FROM message WHERE store = $1 AND mid = $2")      \
	STMT(LOAD, "SELECT queued, hold, sender, size, length, sum, icid, "    \
		   "flags, envid, client_ip, helo, auth, listener, edits, "    \
		   "notes, quarantine, not_before, waits_for FROM message "    \
		   "WHERE store = $1 AND mid = $2")                            \
	STMT(LOAD_RCPT, "SELECT rid, state, code, attempts, notify, next, "    \
			"warned, addr, orcpt, status, reason, remote, "        \
			"tls_reason, want, route, profile, warned_at FROM "    \
			"recipient "                                           \
			"WHERE store = $1 AND mid = $2 ORDER BY rid")          \
	STMT(LOAD_BODY, "SELECT data FROM body WHERE store = $1 AND mid = "    \
			"(SELECT content FROM message WHERE store = $1 AND "   \
			"mid = $2) AND seq = $3")                              \
	STMT(LAST, "SELECT coalesce(max(mid), 0)::bigint FROM message "        \
		   "WHERE store = $1")                                         \
	STMT(ASIDE, "INSERT INTO corrupt(store, mid, content, at, why, "       \
		    "sender, recipients) SELECT m.store, m.mid, m.content, "   \
		    "now(), $3, m.sender, (SELECT string_agg("                 \
		    "encode(r.addr, 'escape'), ' ') FROM recipient r WHERE "   \
		    "r.store = m.store AND r.mid = m.mid) FROM message m "     \
		    "WHERE m.store = $1 AND m.mid = $2")

enum pg_stmt {
#define STMT(id, sql) PG_##id,
	PG_STMTS
#undef STMT
	    PG_STMT_COUNT
};

extern const char *const pg_sql[PG_STMT_COUNT];

struct link {
	PGconn *c;	  /* NULL: to be made */
	int64_t not_before; /* no attempt to connect until then */
	char trouble[200]; /* why there is none */
	char state[6];	  /* SQLSTATE of the last failure */
	bool last;	  /* what is asked now is the last: at once or never */
};

struct pg {
	const struct settings *conf;
	unsigned index;
	char owner[64], host[256];
	struct link link[2]; /* by enum pst_store_thread */
	/* The writer's: the lease. Token 0: it is not ours. */
	_Atomic int64_t token;
	bool had;
	int64_t seq;	  /* of the last commit */
	int64_t lease_end; /* by our clock, early */
	int64_t down_since; /* 0: the server answers */
};

/* What is bound to a statement. */
struct params {
	int n;
	const char *v[PG_PARAMS];
	int len[PG_PARAMS], fmt[PG_PARAMS];
	char number[PG_PARAMS][24];
};

/* pg_link.c */
int64_t pg_now(void); /* ms, monotonic */
int pg_fail(struct pst_store_why *why, enum pst_store_fail fail,
    const char *fmt, ...) PST_PRINTF(3, 4);
void params_number(struct params *p, int64_t n);
void params_bytes(struct params *p, struct pst_str s);
void params_text(struct params *p, const char *s);
/* A connection with session settings and statements, no more; -1: why. */
int link_open(struct pg *g, struct link *l, struct pst_store_why *why);
void link_drop(struct link *l);
/* Sends what is queued; takes in what comes meanwhile. -1: the link is bad. */
int link_flush(struct link *l, int64_t deadline);
/* The next result, within the time; NULL: none, or the link is bad. */
PGresult *link_result(struct link *l, int64_t deadline);
/* One command without and with parameters: its result, which is good, or NULL
 * and why; the link is dropped if it is in doubt. */
PGresult *link_exec(struct pg *g, struct link *l, const char *sql,
    struct pst_store_why *why);
PGresult *link_query(struct pg *g, struct link *l, const char *sql,
    const struct params *p, struct pst_store_why *why);
PGresult *link_run(struct pg *g, struct link *l, enum pg_stmt id,
    const struct params *p, struct pst_store_why *why);
/* Sorts what the server said. */
void pg_sort(const PGresult *r, struct link *l, struct pst_store_why *why);
int64_t pg_int(const PGresult *r, int row, int column);
struct pst_str pg_bytes(const PGresult *r, int row, int column);

/* pg_own.c: the writer's link, with schema and lease. */
int own_ready(struct pg *g, struct pst_store_why *why);
/* The same after a while: the lease is surely ours. */
int own_renew(struct pg *g, struct pst_store_why *why);
void own_release(struct pg *g);
void own_lost(struct pg *g);
int schema_ready(struct pg *g, struct link *l, struct pst_store_why *why);

/* pg_commit.c */
int pg_commit(void *store, const struct pst_store_op *const *op, size_t n,
    struct pst_store_why *why);
/* pg_read.c */
int pg_load(void *store, uint64_t mid, struct pst_store_load *to,
    struct pst_store_why *why);
int pg_content(void *store, enum pst_store_thread thread, uint64_t mid,
    struct pst_store_sink *to, struct pst_store_why *why);
int pg_scan(void *store, struct pst_store_scan *scan,
    struct pst_store_why *why);
int pg_stores(void *arg, uint32_t *v, uint32_t max, struct pst_store_why *why);

#endif
