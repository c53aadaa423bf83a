#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg.h"

#define SQL_MAX 2048
#define PATTERN_MAX 1024

static int
reader_ready(struct pg *g, struct pst_store_why *why)
{
	if (atomic_load(&g->token) == 0)
		return pg_fail(why, PST_STORE_LATER,
		    "store %u is not ours yet", g->index);
	return link_open(g, &g->link[PST_STORE_READER], why);
}

static void
key(const struct pg *g, struct params *p, uint64_t mid)
{
	p->n = 0;
	params_number(p, g->index);
	params_number(p, (int64_t)mid);
}

static void
read_message(const PGresult *r, struct pst_store_message *m)
{
	m->queued = pg_int(r, 0, 0);
	m->hold = (int32_t)pg_int(r, 0, 1);
	m->sender = pg_bytes(r, 0, 2);
	m->octets = (uint64_t)pg_int(r, 0, 3);
	m->length = (uint64_t)pg_int(r, 0, 4);
	m->sum = (uint32_t)pg_int(r, 0, 5);
	m->icid = (uint64_t)pg_int(r, 0, 6);
	m->flags = (uint32_t)pg_int(r, 0, 7);
	m->envid = pg_bytes(r, 0, 8);
	m->client_ip = pg_bytes(r, 0, 9);
	m->helo = pg_bytes(r, 0, 10);
	m->auth = pg_bytes(r, 0, 11);
	m->listener = pg_bytes(r, 0, 12);
	m->edits = pg_bytes(r, 0, 13);
	m->notes = pg_bytes(r, 0, 14);
	m->quarantine = pg_bytes(r, 0, 15);
	m->not_before = pg_int(r, 0, 16);
	m->waits_for = pg_bytes(r, 0, 17);
}

static int
load_rcpts(struct pg *g, uint64_t mid, struct pst_store_load *to,
    struct pst_store_why *why)
{
	struct link *l = &g->link[PST_STORE_WRITER];
	struct params p;
	PGresult *r;
	int i, rc = 0;

	key(g, &p, mid);
	r = link_run(g, l, PG_LOAD_RCPT, &p, why);
	if (r == NULL)
		return -1;
	for (i = 0; rc == 0 && i < PQntuples(r); i++) {
		struct pst_store_rcpt row = { .size = sizeof(row) };

		row.rid = (uint32_t)pg_int(r, i, 0);
		row.state = (int32_t)pg_int(r, i, 1);
		row.code = (int32_t)pg_int(r, i, 2);
		row.attempts = (uint32_t)pg_int(r, i, 3);
		row.notify = (uint32_t)pg_int(r, i, 4);
		row.next = pg_int(r, i, 5);
		row.warnings = (uint32_t)pg_int(r, i, 6);
		row.warned = row.warnings > 0;
		row.addr = pg_bytes(r, i, 7);
		row.orcpt = pg_bytes(r, i, 8);
		row.status = pg_bytes(r, i, 9);
		row.reason = pg_bytes(r, i, 10);
		row.remote = pg_bytes(r, i, 11);
		row.tls_reason = pg_bytes(r, i, 12);
		row.want = pg_bytes(r, i, 13);
		row.route = pg_bytes(r, i, 14);
		row.bounce_profile = pg_bytes(r, i, 15);
		row.warned_at = pg_int(r, i, 16);
		rc = to->rcpt(to, &row, why);
	}
	PQclear(r);
	return rc;
}

/* With a lease that may have run out meanwhile nothing is read: what another
 * may be delivering is not ours to deliver. */
int
pg_load(void *store, uint64_t mid, struct pst_store_load *to,
    struct pst_store_why *why)
{
	struct pst_store_message m = { .size = sizeof(m), .mid = mid };
	struct pg *g = store;
	struct params p;
	PGresult *r;
	int rc = 0;

	if (own_ready(g, why) < 0 ||
	    (pg_now() >= g->lease_end && own_renew(g, why) < 0))
		return -1;
	key(g, &p, mid);
	r = link_run(g, &g->link[PST_STORE_WRITER], PG_LOAD, &p, why);
	if (r == NULL) {
		/* A damaged message is what the host finds damaged. */
		why->fail = PST_STORE_LATER;
		return -1;
	}
	if (PQntuples(r) == 1) {
		read_message(r, &m);
		rc = to->message(to, &m, why);
		if (rc == 0)
			rc = load_rcpts(g, mid, to, why);
	}
	PQclear(r);
	return rc;
}

int
pg_content(void *store, enum pst_store_thread thread, uint64_t mid,
    struct pst_store_sink *to, struct pst_store_why *why)
{
	struct pg *g = store;
	struct pst_str s;
	struct params p;
	PGresult *r;
	int64_t seq;
	int rc = thread == PST_STORE_WRITER ? own_ready(g, why) :
					      reader_ready(g, why);

	for (seq = 0; rc == 0; seq++) {
		key(g, &p, mid);
		params_number(&p, seq);
		r = link_run(g, &g->link[thread], PG_LOAD_BODY, &p, why);
		if (r == NULL) {
			why->fail = PST_STORE_LATER;
			return -1;
		}
		if (PQntuples(r) == 0) {
			PQclear(r);
			break;
		}
		s = pg_bytes(r, 0, 0);
		rc = to->write(to, s.p, s.n, why);
		PQclear(r);
	}
	return rc;
}

/* ---- scans ---- */

struct query {
	char text[SQL_MAX];
	struct params p;
	char *pattern[4];
	int npattern;
};

/* A ? is the parameter that was bound last. */
static void
add(struct query *q, const char *text)
{
	size_t n = strlen(q->text);

	for (; *text != '\0' && n < sizeof(q->text) - 1; text++) {
		if (*text != '?')
			q->text[n++] = *text;
		else
			n += (size_t)snprintf(q->text + n,
			    sizeof(q->text) - n, "$%d", q->p.n);
	}
	q->text[n] = '\0';
}

static void
add_number(struct query *q, const char *text, int64_t n)
{
	params_number(&q->p, n);
	add(q, text);
}

/* "*@example" of people becomes "%@example" of LIKE, matched against the
 * octets as encode(…, 'escape') writes them. */
static int
add_pattern(struct query *q, const char *text, const char *before,
    const char *pattern, const char *after)
{
	size_t max = strlen(pattern) * 5 + 8, n = 0;
	char *to = malloc(max);
	unsigned char c;

	if (to == NULL)
		return -1;
	n += (size_t)snprintf(to, max, "%s", before);
	for (; (c = (unsigned char)*pattern) != '\0'; pattern++) {
		if (c == '*')
			n += (size_t)snprintf(to + n, max - n, "%%");
		else if (c == '%' || c == '_')
			n += (size_t)snprintf(to + n, max - n, "\\%c", c);
		else if (c == '\\')
			n += (size_t)snprintf(to + n, max - n, "\\\\\\\\");
		else if (c > 0x7f)
			n += (size_t)snprintf(to + n, max - n, "\\\\%03o", c);
		else
			n += (size_t)snprintf(to + n, max - n, "%c", c);
	}
	(void)snprintf(to + n, max - n, "%s", after);
	q->pattern[q->npattern++] = to;
	params_text(&q->p, to);
	add(q, text);
	return 0;
}

static int
build(struct query *q, const struct pg *g, const struct pst_store_scan *s)
{
	int rc = 0;

	add(q, "SELECT r.mid, r.rid, r.attempts, r.next, r.addr, m.queued, "
	       "m.hold, m.sender, m.size, r.status, r.reason, r.remote, "
	       "r.code, r.want, r.tls_reason, r.route, m.quarantine, "
	       "substr(m.edits, 1, 1), m.waits_for, m.not_before, "
	       "r.profile "
	       "FROM recipient r JOIN message m ON "
	       "m.store = r.store AND m.mid = r.mid WHERE r.state = 0");
	add_number(q, " AND r.store = ?", g->index);
	add_number(q, " AND (r.mid, r.rid) > (?", (int64_t)s->after_mid);
	add_number(q, ", ?)",
	    s->after_mid == 0 ? -1 : (int64_t)s->after_rid);
	add_number(q, " AND r.mid <= ?", (int64_t)s->last);
	if (s->mid != 0)
		add_number(q, " AND r.mid = ?", (int64_t)s->mid);
	if (s->older > 0)
		add_number(q, " AND m.queued <= ?", s->older);
	if (s->newer > 0)
		add_number(q, " AND m.queued >= ?", s->newer);
	if (s->hold >= 0)
		add_number(q, " AND m.hold = ?", s->hold);
	if (s->sender != NULL)
		rc |= add_pattern(q,
		    " AND encode(m.sender, 'escape') ILIKE ?", "",
		    s->sender, "");
	if (s->rcpt != NULL)
		rc |= add_pattern(q,
		    " AND encode(r.addr, 'escape') ILIKE ?", "", s->rcpt,
		    "");
	if (s->domain != NULL)
		rc |= add_pattern(q,
		    " AND encode(r.addr, 'escape') ILIKE ?", "%@",
		    s->domain, "");
	if (s->reason != NULL)
		rc |= add_pattern(q, " AND encode(r.status, 'escape') || ' ' "
		    "|| encode(r.reason, 'escape') ILIKE ?", "%", s->reason,
		    "%");
	add_number(q, " ORDER BY r.mid, r.rid LIMIT ?", s->max);
	return rc;
}

static void
take(struct pst_store_scan *s, const PGresult *r, int i)
{
	struct pst_store_message m = { .size = sizeof(m) };
	struct pst_store_rcpt row = { .size = sizeof(row) };

	m.mid = (uint64_t)pg_int(r, i, 0);
	row.rid = (uint32_t)pg_int(r, i, 1);
	row.attempts = (uint32_t)pg_int(r, i, 2);
	row.next = pg_int(r, i, 3);
	row.addr = pg_bytes(r, i, 4);
	m.queued = pg_int(r, i, 5);
	m.hold = (int32_t)pg_int(r, i, 6);
	m.sender = pg_bytes(r, i, 7);
	m.octets = (uint64_t)pg_int(r, i, 8);
	row.status = pg_bytes(r, i, 9);
	row.reason = pg_bytes(r, i, 10);
	row.remote = pg_bytes(r, i, 11);
	row.code = (int32_t)pg_int(r, i, 12);
	row.want = pg_bytes(r, i, 13);
	row.tls_reason = pg_bytes(r, i, 14);
	row.route = pg_bytes(r, i, 15);
	m.quarantine = pg_bytes(r, i, 16);
	m.edits = pg_bytes(r, i, 17);
	m.waits_for = pg_bytes(r, i, 18);
	m.not_before = pg_int(r, i, 19);
	row.bounce_profile = pg_bytes(r, i, 20);
	s->row(s, &m, &row);
}

int
pg_scan(void *store, struct pst_store_scan *s, struct pst_store_why *why)
{
	struct pg *g = store;
	struct link *l = &g->link[PST_STORE_READER];
	struct query q = { .npattern = 0 };
	PGresult *r;
	int i, rc = -1;

	if (reader_ready(g, why) < 0)
		return -1;
	if (s->last == 0) {
		params_number(&q.p, g->index);
		r = link_run(g, l, PG_LAST, &q.p, why);
		if (r == NULL)
			return -1;
		s->last = (uint64_t)pg_int(r, 0, 0);
		PQclear(r);
		q.p.n = 0;
	}
	if (build(&q, g, s) < 0)
		(void)pg_fail(why, PST_STORE_LATER, "there is no memory");
	else if ((r = link_query(g, l, q.text, &q.p, why)) != NULL) {
		for (i = 0; i < PQntuples(r); i++)
			take(s, r, i);
		PQclear(r);
		rc = 0;
	}
	for (i = 0; i < q.npattern; i++)
		free(q.pattern[i]);
	return rc;
}

int
pg_stores(void *arg, uint32_t *v, uint32_t max, struct pst_store_why *why)
{
	struct pg g = { .conf = arg };
	struct link *l = &g.link[PST_STORE_READER];
	struct params p = { .n = 0 };
	PGresult *r;
	int i, n = -1;

	if (link_open(&g, l, why) < 0)
		return -1;
	params_number(&p, max);
	r = link_query(&g, l, "SELECT store FROM lease WHERE EXISTS (SELECT 1 "
	    "FROM message m WHERE m.store = lease.store) ORDER BY store "
	    "LIMIT $1", &p, why);
	if (r != NULL) {
		n = PQntuples(r);
		for (i = 0; i < n; i++)
			v[i] = (uint32_t)pg_int(r, i, 0);
		PQclear(r);
	}
	link_drop(l);
	return n;
}
