#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pg.h"

#define SQL_MAX 256

const char *const pg_sql[PG_STMT_COUNT] = {
#define STMT(id, sql) [PG_##id] = sql,
	PG_STMTS
#undef STMT
};

static int set_up(struct pg *g, struct link *l, struct pst_store_why *why);
static int prepare(struct pg *g, struct link *l, struct pst_store_why *why);
static PGresult *answer(struct pg *g, struct link *l, int sent,
    struct pst_store_why *why);
static int wait_for(struct link *l, short events, int64_t deadline);

int64_t
pg_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
pg_fail(struct pst_store_why *why, enum pst_store_fail fail, const char *fmt,
    ...)
{
	va_list ap;
	char *p;

	why->fail = fail;
	va_start(ap, fmt);
	(void)vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	/* libpq's lines end with one. */
	for (p = why->text; *p != '\0'; p++) {
		if (*p == '\n')
			*p = p[1] == '\0' ? '\0' : ' ';
	}
	return -1;
}

void
params_number(struct params *p, int64_t n)
{
	(void)snprintf(p->number[p->n], sizeof(p->number[p->n]), "%lld",
	    (long long)n);
	params_text(p, p->number[p->n]);
}

void
params_bytes(struct params *p, struct pst_str s)
{
	p->v[p->n] = s.p != NULL ? s.p : "";
	p->len[p->n] = (int)s.n;
	p->fmt[p->n++] = 1;
}

void
params_text(struct params *p, const char *s)
{
	p->v[p->n] = s;
	p->len[p->n] = 0;
	p->fmt[p->n++] = 0;
}

int
link_open(struct pg *g, struct link *l, struct pst_store_why *why)
{
	const struct settings *s = g->conf;
	char seconds[24], millis[24], name[48];
	const char *key[] = { "dbname", "connect_timeout", "tcp_user_timeout",
		"application_name", "target_session_attrs", "password", NULL };
	const char *value[] = { s->conninfo, seconds, millis, name,
		"read-write", s->password, NULL };

	if (l->c != NULL)
		return 0;
	if (pg_now() < l->not_before)
		return pg_fail(why, PST_STORE_LATER, "%s", l->trouble);
	(void)snprintf(seconds, sizeof(seconds), "%lld",
	    (long long)(s->connect_timeout + 999) / 1000);
	(void)snprintf(millis, sizeof(millis), "%lld",
	    (long long)(s->statement_timeout + PG_MARGIN));
	(void)snprintf(name, sizeof(name), "postern store %u", g->index);
	if (s->password[0] == '\0')
		key[5] = NULL;
	l->c = PQconnectdbParams(key, value, 1);
	if (l->c == NULL || PQstatus(l->c) != CONNECTION_OK) {
		(void)pg_fail(why, PST_STORE_LATER, "%s", l->c != NULL ?
			PQerrorMessage(l->c) : "there is no memory");
		link_drop(l);
	} else if (PQsetnonblocking(l->c, 1) == 0 && set_up(g, l, why) == 0) {
		return 0;
	} else {
		link_drop(l);
	}
	(void)snprintf(l->trouble, sizeof(l->trouble), "%.199s", why->text);
	l->not_before = pg_now() + PG_BACKOFF;
	return -1;
}

static int
set_up(struct pg *g, struct link *l, struct pst_store_why *why)
{
	char sql[SQL_MAX];
	PGresult *r;
	bool off;

	(void)snprintf(sql, sizeof(sql), "SET statement_timeout = %lld",
	    (long long)g->conf->statement_timeout);
	r = link_exec(g, l, sql, why);
	if (r == NULL)
		return -1;
	PQclear(r);
	/* What is committed is durable, whatever the server's default is. */
	r = link_exec(g, l, "SHOW synchronous_commit", why);
	if (r == NULL)
		return -1;
	off = strcmp(PQgetvalue(r, 0, 0), "off") == 0;
	PQclear(r);
	if (off) {
		r = link_exec(g, l, "SET synchronous_commit = on", why);
		if (r == NULL)
			return -1;
		PQclear(r);
	}
	/* Every statement goes by an index, whatever the tables looked like
	 * when it was planned. Not all servers know it. */
	r = link_exec(g, l, "SET enable_seqscan = off", why);
	PQclear(r);
	if (l->c == NULL)
		return -1;
	(void)snprintf(sql, sizeof(sql), "SET search_path = \"%s\"",
	    g->conf->schema);
	r = link_exec(g, l, sql, why);
	if (r == NULL)
		return -1;
	PQclear(r);
	if (schema_ready(g, l, why) < 0)
		return -1;
	return prepare(g, l, why);
}

static int
prepare(struct pg *g, struct link *l, struct pst_store_why *why)
{
	char name[8];
	PGresult *r;
	int i;

	for (i = 0; i < PG_STMT_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "s%d", i);
		r = answer(g, l,
		    PQsendPrepare(l->c, name, pg_sql[i], 0, NULL), why);
		if (r == NULL)
			return -1;
		PQclear(r);
	}
	return 0;
}

void
link_drop(struct link *l)
{
	PQfinish(l->c);
	l->c = NULL;
}

static int
wait_for(struct link *l, short events, int64_t deadline)
{
	struct pollfd p = { .fd = PQsocket(l->c), .events = events };
	int64_t left;
	int rc;

	do {
		left = deadline - pg_now();
		if (p.fd < 0 || left <= 0)
			return -1;
		rc = poll(&p, 1, (int)left);
	} while (rc < 0 && errno == EINTR);
	if (rc <= 0)
		return -1;
	if ((p.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
	    PQconsumeInput(l->c) == 0)
		return -1;
	return 0;
}

int
link_flush(struct link *l, int64_t deadline)
{
	int rc;

	while ((rc = PQflush(l->c)) > 0) {
		if (wait_for(l, POLLIN | POLLOUT, deadline) < 0)
			return -1;
	}
	return rc;
}

PGresult *
link_result(struct link *l, int64_t deadline)
{
	while (PQisBusy(l->c)) {
		if (wait_for(l, POLLIN, deadline) < 0)
			return NULL;
	}
	return PQgetResult(l->c);
}

static bool
is_good(const PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

static PGresult *
answer(struct pg *g, struct link *l, int sent, struct pst_store_why *why)
{
	int64_t deadline = pg_now() + (l->last ? PG_HURRY :
		g->conf->statement_timeout + PG_MARGIN);
	PGresult *r = NULL, *more, *last;

	if (sent == 1 && link_flush(l, deadline) == 0)
		r = link_result(l, deadline);
	if (r == NULL) {
		(void)pg_fail(why, PST_STORE_LATER, "the server does not "
		    "answer: %s", PQerrorMessage(l->c));
		link_drop(l);
		return NULL;
	}
	/* The first that is bad, or the last. */
	while ((more = link_result(l, deadline)) != NULL) {
		last = is_good(r) ? more : r;
		PQclear(last == r ? more : r);
		r = last;
	}
	if (!is_good(r)) {
		pg_sort(r, l, why);
		PQclear(r);
		r = NULL;
	}
	if (PQstatus(l->c) != CONNECTION_OK || PQisBusy(l->c))
		link_drop(l);
	return r;
}

PGresult *
link_exec(struct pg *g, struct link *l, const char *sql,
    struct pst_store_why *why)
{
	return answer(g, l, PQsendQuery(l->c, sql), why);
}

PGresult *
link_query(struct pg *g, struct link *l, const char *sql,
    const struct params *p, struct pst_store_why *why)
{
	return answer(g, l, PQsendQueryParams(l->c, sql, p->n, NULL, p->v,
	    p->len, p->fmt, 1), why);
}

PGresult *
link_run(struct pg *g, struct link *l, enum pg_stmt id,
    const struct params *p, struct pst_store_why *why)
{
	char name[8];

	(void)snprintf(name, sizeof(name), "s%d", (int)id);
	return answer(g, l, PQsendQueryPrepared(l->c, name, p->n, p->v, p->len,
	    p->fmt, 1), why);
}

/*
 * 22 and 23: the values. 42: the statement, or rights that are missing. 53100:
 * the disk is full. All else passes: connections, conflicts (40), cancelled
 * statements and shutdowns (57), servers that only read (25006).
 */
void
pg_sort(const PGresult *r, struct link *l, struct pst_store_why *why)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	enum pst_store_fail fail = PST_STORE_LATER;

	(void)snprintf(l->state, sizeof(l->state), "%s",
	    state != NULL ? state : "");
	if (strncmp(l->state, "22", 2) == 0 ||
	    strncmp(l->state, "23", 2) == 0 || strncmp(l->state, "42", 2) == 0)
		fail = PST_STORE_BAD;
	else if (strcmp(l->state, "53100") == 0)
		fail = PST_STORE_FULL;
	(void)pg_fail(why, fail, "%s (%s)", text != NULL ? text :
	    l->c != NULL ? PQerrorMessage(l->c) : "no answer", l->state);
}

int64_t
pg_int(const PGresult *r, int row, int column)
{
	const unsigned char *p =
	    (const unsigned char *)PQgetvalue(r, row, column);
	int i, n = PQgetlength(r, row, column);
	uint64_t v = 0;

	if (n == 0 || n > 8)
		return 0;
	if ((p[0] & 0x80) != 0 && n > 1)
		v = UINT64_MAX;
	for (i = 0; i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

struct pst_str
pg_bytes(const PGresult *r, int row, int column)
{
	return (struct pst_str){ PQgetvalue(r, row, column),
		(size_t)PQgetlength(r, row, column) };
}
