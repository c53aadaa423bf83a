/*
 * The queue in PostgreSQL. docs: README.md
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg.h"

#define SCHEMA_MAX 63

static int
pg_open(void *arg, const struct pst_store_open *how, void **store_r,
    struct pst_store_why *why)
{
	struct pg *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return pg_fail(why, PST_STORE_LATER, "there is no memory");
	g->conf = arg;
	g->index = how->index;
	(void)snprintf(g->owner, sizeof(g->owner), "%s", how->owner);
	(void)snprintf(g->host, sizeof(g->host), "%s", how->host);
	*store_r = g;
	return 0;
}

static void
pg_close(void *store)
{
	struct pg *g = store;

	own_release(g);
	link_drop(&g->link[PST_STORE_WRITER]);
	link_drop(&g->link[PST_STORE_READER]);
	free(g);
}

static int
pg_tick(void *store, uint64_t *mid_r, struct pst_store_why *why)
{
	struct pg *g = store;
	struct params p = { .n = 0 };
	PGresult *r;

	if (own_renew(g, why) < 0)
		return -1;
	g->down_since = 0;
	r = link_run(g, &g->link[PST_STORE_WRITER], PG_TOP, &p, why);
	if (r == NULL)
		return -1;
	*mid_r = (uint64_t)pg_int(r, 0, 0);
	PQclear(r);
	return 0;
}

/* The content stays for people, under the number that the row has. */
static int
pg_set_aside(void *store, uint64_t mid, const char *reason,
    struct pst_store_why *why)
{
	static const enum pg_stmt stmts[] = { PG_ASIDE, PG_DELETE_RCPT,
		PG_DELETE };
	struct link *l;
	struct pg *g = store;
	struct params p;
	PGresult *r = NULL;
	unsigned i;

	if (own_renew(g, why) < 0)
		return -1;
	l = &g->link[PST_STORE_WRITER];
	r = link_exec(g, l, "BEGIN", why);
	for (i = 0; r != NULL && i < 3; i++) {
		PQclear(r);
		p.n = 0;
		params_number(&p, g->index);
		params_number(&p, (int64_t)mid);
		if (stmts[i] == PG_ASIDE)
			params_text(&p, reason);
		r = link_run(g, l, stmts[i], &p, why);
	}
	if (r != NULL) {
		PQclear(r);
		r = link_exec(g, l, "COMMIT", why);
	}
	if (r == NULL)
		link_drop(l);
	PQclear(r);
	return r == NULL ? -1 : 0;
}

static const struct pst_store_ops ops = {
	.size = sizeof(ops),
	.open = pg_open,
	.close = pg_close,
	.tick = pg_tick,
	.commit = pg_commit,
	.load = pg_load,
	.content = pg_content,
	.set_aside = pg_set_aside,
	.scan = pg_scan,
	.stores = pg_stores,
};

static enum pst_verdict
table(struct pst_event *ev)
{
	struct pst_store *s = ev->arg;
	union {
		const void *conf;
		void *arg;
	} to = { .conf = ev->conf };

	s->ops = &ops;
	s->arg = to.arg;
	return PST_CONTINUE;
}

static const char *
check(const void *conf)
{
	const struct settings *s = conf;
	size_t i, n = strlen(s->schema);

	if (n == 0 || n > SCHEMA_MAX || s->schema[0] == '-')
		return "schema is a name of 1 to 63 letters";
	for (i = 0; i < n; i++) {
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_",
			s->schema[i]) == NULL)
			return "schema may have a to z, 0 to 9 and _ in it";
	}
	return NULL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_STORE_TABLE, table),
	PST_END,
};

static const struct pst_option options[] = {
	PST_STRING(struct settings, conninfo, NULL,
	    "where the database is, as libpq takes it: host=db.example "
	    "dbname=postern user=postern sslmode=verify-full"),
	PST_SECRET(struct settings, password, "", "the user's password"),
	PST_STRING(struct settings, schema, "postern",
	    "schema of the tables; made if it is not there"),
	PST_DURATION(struct settings, lease, "30s", "5s..1h",
	    "after this time without a sign of life another node may take "
	    "the stores over"),
	PST_DURATION(struct settings, connect_timeout, "5s", "2s..1m",
	    "longest time for a connection"),
	PST_DURATION(struct settings, statement_timeout, "10s", "1s..5m",
	    "longest time for a statement"),
	PST_DURATION(struct settings, patience, "5s", "0s..1m",
	    "how long a commit waits for a server that is gone before mail "
	    "is answered 451"),
	PST_END,
};

PST_PLUGIN(store_pgsql, .version = "1.0",
    .summary = "The queue in a PostgreSQL database",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct settings), .check = check);
