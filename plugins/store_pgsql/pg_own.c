#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pg.h"

/*
 * Schema and lease.
 *
 * The lease is a row. Who takes it adds one to its token, and the first
 * statement of every commit changes that row on condition of the token, so that
 * the row's lock decides who was first: a commit that was on its way when
 * somebody took the lease either went before, and is seen by him, or fails.
 * The same row counts commits (seq), which tells after a lost connection
 * whether the last one was carried out.
 */

#define TRIES 20 /* several workers make the schema at once */

static int take(struct pg *g, struct pst_store_why *why);
static int schema_version(struct pg *g, struct link *l, int64_t *version_r,
    struct pst_store_why *why);
static int schema_raise(struct pg *g, struct link *l,
    struct pst_store_why *why);
static int schema_make(struct pg *g, struct link *l,
    struct pst_store_why *why);

#define VIEW_RECIPIENTS                                                        \
	"CREATE OR REPLACE VIEW v_recipients AS SELECT store, mid, rid,"       \
	" encode(addr, 'escape') AS addr,"                                     \
	" CASE state WHEN 0 THEN 'waiting' WHEN 1 THEN 'done'"                 \
	" WHEN 2 THEN 'bounced' WHEN 3 THEN 'deleted' ELSE 'moved' END"        \
	" AS state, attempts, to_timestamp(next / 1000) AS next, code,"        \
	" encode(status, 'escape') AS status,"                                 \
	" encode(reason, 'escape') AS reason,"                                 \
	" encode(remote, 'escape') AS remote, encode(want, 'escape') AS tls,"  \
	" encode(tls_reason, 'escape') AS tls_reason,"                         \
	" encode(route, 'escape') AS route,"                                   \
	" encode(profile, 'escape') AS bounce_profile, warned FROM recipient;"

/* Views are for people: their columns stay, what is below them may change
 * with the version. */
static const char schema[] =
    "CREATE TABLE lease(store integer PRIMARY KEY, owner text NOT NULL,"
    " host text NOT NULL, token bigint NOT NULL, seq bigint NOT NULL,"
    " until timestamptz NOT NULL);"
    "CREATE TABLE message(store integer NOT NULL, mid bigint NOT NULL,"
    " content bigint NOT NULL, queued bigint NOT NULL,"
    " hold smallint NOT NULL, sender bytea NOT NULL, size bigint NOT NULL,"
    " length bigint NOT NULL, sum bigint NOT NULL, icid bigint NOT NULL,"
    " flags bigint NOT NULL, envid bytea NOT NULL,"
    " client_ip bytea NOT NULL, helo bytea NOT NULL, auth bytea NOT NULL,"
    " listener bytea NOT NULL, edits bytea NOT NULL, notes bytea NOT NULL,"
    " quarantine bytea NOT NULL, not_before bigint NOT NULL,"
    " waits_for bytea NOT NULL,"
    " PRIMARY KEY(store, mid));"
    "CREATE INDEX message_content ON message(store, content);"
    "CREATE INDEX message_mid ON message(mid);"
    "CREATE TABLE recipient(store integer NOT NULL, mid bigint NOT NULL,"
    " rid bigint NOT NULL, state smallint NOT NULL, code integer NOT NULL,"
    " attempts bigint NOT NULL, notify bigint NOT NULL,"
    " next bigint NOT NULL, warned smallint NOT NULL, addr bytea NOT NULL,"
    " orcpt bytea NOT NULL, status bytea NOT NULL, reason bytea NOT NULL,"
    " remote bytea NOT NULL, tls_reason bytea NOT NULL,"
    " want bytea NOT NULL, route bytea NOT NULL,"
    " profile bytea NOT NULL DEFAULT '',"
    " warned_at bigint NOT NULL DEFAULT 0,"
    " PRIMARY KEY(store, mid, rid));"
    "CREATE TABLE body(store integer NOT NULL, mid bigint NOT NULL,"
    " seq bigint NOT NULL, data bytea NOT NULL,"
    " PRIMARY KEY(store, mid, seq));"
    "CREATE TABLE corrupt(store integer NOT NULL, mid bigint NOT NULL,"
    " content bigint NOT NULL, at timestamptz NOT NULL, why text NOT NULL,"
    " sender bytea, recipients text, PRIMARY KEY(store, mid));"
    "CREATE VIEW v_queue AS SELECT m.store AS store, m.mid AS mid,"
    " to_timestamp(m.queued / 1000) AS queued,"
    " CASE m.hold WHEN 0 THEN 'active' WHEN 1 THEN 'held'"
    " ELSE 'frozen' END AS hold, encode(m.sender, 'escape') AS sender,"
    " m.size AS size, (SELECT count(*) FROM recipient r WHERE"
    " r.store = m.store AND r.mid = m.mid AND r.state = 0) AS waiting,"
    " encode(m.client_ip, 'escape') AS client_ip,"
    " encode(m.helo, 'escape') AS helo,"
    " encode(m.listener, 'escape') AS listener,"
    " encode(m.quarantine, 'escape') AS quarantine,"
    " m.edits <> ''::bytea AS edited,"
    " encode(m.waits_for, 'escape') AS waits_for FROM message m;"
    VIEW_RECIPIENTS
    "CREATE VIEW v_stores AS SELECT store, host, until,"
    " (SELECT count(*) FROM message m WHERE m.store = l.store) AS messages"
    " FROM lease l;"
    "CREATE TABLE version(version integer NOT NULL);"
    "INSERT INTO version VALUES(2);";

/* From version 1; workers may do it at once. */
static const char to_version_2[] =
    "BEGIN; SELECT version FROM version FOR UPDATE;"
    "ALTER TABLE recipient ADD COLUMN IF NOT EXISTS"
    " profile bytea NOT NULL DEFAULT '';"
    "ALTER TABLE recipient ADD COLUMN IF NOT EXISTS"
    " warned_at bigint NOT NULL DEFAULT 0;"
    VIEW_RECIPIENTS
    "UPDATE version SET version = 2 WHERE version = 1; COMMIT";

int
own_ready(struct pg *g, struct pst_store_why *why)
{
	struct link *l = &g->link[PST_STORE_WRITER];

	if (l->c != NULL && atomic_load(&g->token) != 0)
		return 0;
	if (link_open(g, l, why) < 0)
		return -1;
	return take(g, why);
}

int
own_renew(struct pg *g, struct pst_store_why *why)
{
	struct link *l = &g->link[PST_STORE_WRITER];
	struct params p = { .n = 0 };
	int64_t began = pg_now();
	PGresult *r;

	if (own_ready(g, why) < 0)
		return -1;
	params_number(&p, g->index);
	params_number(&p, atomic_load(&g->token));
	params_number(&p, g->seq);
	params_number(&p, g->conf->lease);
	r = link_run(g, l, PG_FENCE, &p, why);
	if (r == NULL) {
		if (strcmp(l->state, PG_FENCED) == 0) {
			own_lost(g);
			return pg_fail(why, PST_STORE_TAKEN,
			    "store %u was taken over by another", g->index);
		}
		return -1;
	}
	PQclear(r);
	g->lease_end = began + g->conf->lease / 2;
	return 0;
}

void
own_lost(struct pg *g)
{
	atomic_store(&g->token, 0);
}

void
own_release(struct pg *g)
{
	struct link *l = &g->link[PST_STORE_WRITER];
	struct pst_store_why why = { .size = sizeof(why) };
	struct params p = { .n = 0 };

	if (l->c == NULL || atomic_load(&g->token) == 0)
		return;
	params_number(&p, g->index);
	params_number(&p, atomic_load(&g->token));
	l->last = true;
	PQclear(link_run(g, l, PG_RELEASE, &p, &why));
}

/* Who has had it in this life gets it back only if nobody else had it since:
 * what he remembers of it would not be true any more. */
static int
take(struct pg *g, struct pst_store_why *why)
{
	struct link *l = &g->link[PST_STORE_WRITER];
	struct params p = { .n = 0 }, q = { .n = 0 };
	int64_t began = pg_now();
	PGresult *r;

	atomic_store(&g->token, 0);
	params_number(&p, g->index);
	params_text(&p, g->owner);
	if (!g->had)
		params_text(&p, g->host);
	params_number(&p, g->conf->lease);
	r = link_run(g, l, g->had ? PG_RETAKE : PG_TAKE, &p, why);
	if (r == NULL)
		return -1;
	if (PQntuples(r) == 1) {
		atomic_store(&g->token, pg_int(r, 0, 0));
		g->seq = pg_int(r, 0, 1);
		g->had = true;
		g->lease_end = began + g->conf->lease / 2;
		PQclear(r);
		return 0;
	}
	PQclear(r);
	params_number(&q, g->index);
	r = link_run(g, l, PG_HOLDER, &q, why);
	if (r == NULL)
		return -1;
	(void)pg_fail(why, PST_STORE_TAKEN, "store %u is in use by %.*s",
	    g->index, PQntuples(r) == 1 ? PQgetlength(r, 0, 0) : 0,
	    PQntuples(r) == 1 ? PQgetvalue(r, 0, 0) : "");
	PQclear(r);
	return -1;
}

int
schema_ready(struct pg *g, struct link *l, struct pst_store_why *why)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	int64_t version = 0;
	int i;

	for (i = 0; i < TRIES; i++) {
		if (schema_version(g, l, &version, why) < 0)
			return -1;
		if (version > PG_VERSION)
			return pg_fail(why, PST_STORE_BAD, "schema %s was made "
			    "by a newer Postern (version %lld)",
			    g->conf->schema, (long long)version);
		if (version == PG_VERSION ||
		    (version == 0 ? schema_make(g, l, why) :
			schema_raise(g, l, why)) == 0)
			return 0;
		/* Perhaps another worker made it first. */
		if (l->c == NULL)
			return -1;
		(void)nanosleep(&pause, NULL);
	}
	return -1;
}

/* 0: there is none. */
static int
schema_version(struct pg *g, struct link *l, int64_t *version_r,
    struct pst_store_why *why)
{
	struct params p = { .n = 0 };
	PGresult *r;
	bool there;

	params_text(&p, g->conf->schema);
	r = link_query(g, l, "SELECT 1 FROM information_schema.tables WHERE "
	    "table_schema = $1 AND table_name = 'version'", &p, why);
	if (r == NULL)
		return -1;
	there = PQntuples(r) > 0;
	PQclear(r);
	*version_r = 0;
	if (!there)
		return 0;
	p.n = 0;
	r = link_query(g, l, "SELECT version FROM version", &p, why);
	if (r == NULL)
		return -1;
	if (PQntuples(r) > 0)
		*version_r = pg_int(r, 0, 0);
	PQclear(r);
	return 0;
}

static int
schema_raise(struct pg *g, struct link *l, struct pst_store_why *why)
{
	struct pst_store_why ignored = { .size = sizeof(ignored) };
	PGresult *r = link_exec(g, l, to_version_2, why);

	PQclear(r);
	if (r == NULL && l->c != NULL)
		PQclear(link_exec(g, l, "ROLLBACK", &ignored));
	return r != NULL ? 0 : -1;
}

static int
schema_make(struct pg *g, struct link *l, struct pst_store_why *why)
{
	char sql[sizeof(schema) + 256];
	struct pst_store_why ignored = { .size = sizeof(ignored) };
	struct params p = { .n = 0 };
	PGresult *r;
	bool there;

	/* Making one needs rights that it may do without. */
	params_text(&p, g->conf->schema);
	r = link_query(g, l, "SELECT 1 FROM pg_catalog.pg_namespace "
	    "WHERE nspname = $1", &p, why);
	if (r == NULL)
		return -1;
	there = PQntuples(r) > 0;
	PQclear(r);
	(void)snprintf(sql, sizeof(sql), "BEGIN;%s%s%s%sCOMMIT",
	    there ? "" : "CREATE SCHEMA \"", there ? "" : g->conf->schema,
	    there ? "" : "\";", schema);
	r = link_exec(g, l, sql, why);
	if (r == NULL) {
		if (l->c != NULL)
			PQclear(link_exec(g, l, "ROLLBACK", &ignored));
		return -1;
	}
	PQclear(r);
	/* Mail does not become smaller. Not all servers know it. */
	r = link_exec(g, l, "ALTER TABLE body ALTER COLUMN data SET STORAGE "
	    "EXTERNAL", &ignored);
	PQclear(r);
	return l->c != NULL ? 0 : -1;
}
