#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pg.h"

/*
 * A commit is one pipeline: BEGIN, the fence, the operations, COMMIT; one round
 * trip, one sync of the server's disk for the whole group. If the connection
 * is lost before the answer came, the next one looks at the lease's row, whose
 * seq says whether the commit was carried out, and sends it again if not. The
 * lock on that row makes the look wait for a server process that is still at
 * it.
 */

#define AGAIN_MS 100

enum tried {
	DONE,	/* durable */
	FAILED, /* why says it, for good */
	AGAIN,	/* a conflict: at once */
	LOST	/* the link is gone, and nobody knows */
};

struct pipe {
	struct pg *g;
	struct link *l;
	unsigned sent; /* commands whose results are to come */
	bool broken;
	int64_t deadline;
	struct pst_store_why *why;
};

static enum tried try_once(struct pg *g, const struct pst_store_op *const *op,
    size_t n, struct pst_store_why *why);
static int send_all(struct pipe *p, const struct pst_store_op *const *op,
    size_t n);
static int send_op(struct pipe *p, const struct pst_store_op *op);
static int send_put(struct pipe *p, const struct pst_store_op *op);
static enum tried results(struct pipe *p, int rc);
static void pause_ms(long ms);

int
pg_commit(void *store, const struct pst_store_op *const *op, size_t n,
    struct pst_store_why *why)
{
	struct pg *g = store;
	int64_t until = pg_now() + g->conf->patience;
	bool pending = false;
	int64_t seq = 0;

	if (g->down_since != 0) /* it was waited for before */
		until = 0;
	for (;;) {
		if (own_ready(g, why) == 0) {
			g->down_since = 0;
			if (pending && g->seq == seq)
				return 0;
			pending = false;
			seq = g->seq + 1;
			switch (try_once(g, op, n, why)) {
			case DONE:
				g->seq = seq;
				return 0;
			case FAILED:
				return -1;
			case AGAIN:
				break;
			case LOST:
				pending = true;
				break;
			}
		} else if (why->fail != PST_STORE_LATER) {
			break;
		}
		if (pg_now() >= until)
			break;
		pause_ms(AGAIN_MS);
	}
	if (g->down_since == 0 && g->link[PST_STORE_WRITER].c == NULL)
		g->down_since = pg_now();
	if (pending && why->fail != PST_STORE_TAKEN)
		why->fail = PST_STORE_UNKNOWN;
	return -1;
}

static void
pause_ms(long ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&pause, NULL);
}

static enum tried
try_once(struct pg *g, const struct pst_store_op *const *op, size_t n,
    struct pst_store_why *why)
{
	struct pipe p = { .g = g, .l = &g->link[PST_STORE_WRITER],
		.deadline = pg_now() + g->conf->statement_timeout + PG_MARGIN,
		.why = why };
	int64_t began = pg_now();
	enum tried t;

	if (PQenterPipelineMode(p.l->c) == 0) {
		(void)pg_fail(why, PST_STORE_LATER, "%s",
		    PQerrorMessage(p.l->c));
		link_drop(p.l);
		return LOST;
	}
	t = results(&p, send_all(&p, op, n));
	if (t == DONE)
		g->lease_end = began + g->conf->lease / 2;
	return t;
}

static int
send_stmt(struct pipe *p, enum pg_stmt id, const struct params *v)
{
	char name[8];

	(void)snprintf(name, sizeof(name), "s%d", (int)id);
	if (PQsendQueryPrepared(p->l->c, name, v->n, v->v, v->len, v->fmt,
		1) == 0) {
		p->broken = true;
		return -1;
	}
	p->sent++;
	return 0;
}

static int
send_sql(struct pipe *p, const char *sql)
{
	if (PQsendQueryParams(p->l->c, sql, 0, NULL, NULL, NULL, NULL, 0) ==
	    0) {
		p->broken = true;
		return -1;
	}
	p->sent++;
	return 0;
}

/* -1 without p->broken: p->why, of the host. */
static int
send_all(struct pipe *p, const struct pst_store_op *const *op, size_t n)
{
	struct params v = { .n = 0 };
	size_t i;

	params_number(&v, p->g->index);
	params_number(&v, atomic_load(&p->g->token));
	params_number(&v, p->g->seq + 1);
	params_number(&v, p->g->conf->lease);
	if (send_sql(p, "BEGIN") < 0 || send_stmt(p, PG_FENCE, &v) < 0)
		return -1;
	for (i = 0; i < n; i++) {
		if (send_op(p, op[i]) < 0)
			return -1;
	}
	return send_sql(p, "COMMIT");
}

static void
key(struct pipe *p, struct params *v, uint64_t mid)
{
	v->n = 0;
	params_number(v, p->g->index);
	params_number(v, (int64_t)mid);
}

static int
send_op(struct pipe *p, const struct pst_store_op *op)
{
	const struct pst_store_rcpt *r = op->count > 0 ? op->rcpt[0] : NULL;
	struct params v;

	key(p, &v, op->mid);
	switch (op->act) {
	case PST_STORE_PUT:
		return send_put(p, op);
	case PST_STORE_RCPT:
		params_number(&v, r->rid);
		params_number(&v, r->state);
		params_number(&v, r->code);
		params_number(&v, r->attempts);
		params_number(&v, r->next);
		params_number(&v, r->warnings);
		params_bytes(&v, r->status);
		params_bytes(&v, r->reason);
		params_bytes(&v, r->remote);
		params_bytes(&v, r->tls_reason);
		params_number(&v, r->warned_at);
		return send_stmt(p, PG_RCPT, &v);
	case PST_STORE_TREAT:
		params_number(&v, r->rid);
		params_bytes(&v, r->want);
		params_bytes(&v, r->route);
		return send_stmt(p, PG_TREAT, &v);
	case PST_STORE_HOLD:
		params_number(&v, op->hold);
		return send_stmt(p, PG_HOLD, &v);
	case PST_STORE_DELETE:
		if (send_stmt(p, PG_DELETE_BODY, &v) < 0 ||
		    send_stmt(p, PG_DELETE_RCPT, &v) < 0)
			return -1;
		return send_stmt(p, PG_DELETE, &v);
	case PST_STORE_GO:
		if (send_stmt(p, PG_GO, &v) < 0)
			return -1;
		return send_stmt(p, PG_GO_RCPT, &v);
	}
	return pg_fail(p->why, PST_STORE_BAD, "operation %d is not known",
	    (int)op->act);
}

static int
send_message(struct pipe *p, const struct pst_store_op *op)
{
	const struct pst_store_message *m = op->message;
	struct params v;

	key(p, &v, op->mid);
	params_number(&v, (int64_t)(op->share != 0 ? op->share : op->mid));
	params_number(&v, m->queued);
	params_number(&v, m->hold);
	params_bytes(&v, m->sender);
	params_number(&v, (int64_t)m->octets);
	params_number(&v, (int64_t)m->length);
	params_number(&v, m->sum);
	params_number(&v, (int64_t)m->icid);
	params_number(&v, m->flags);
	params_bytes(&v, m->envid);
	params_bytes(&v, m->client_ip);
	params_bytes(&v, m->helo);
	params_bytes(&v, m->auth);
	params_bytes(&v, m->listener);
	params_bytes(&v, m->edits);
	params_bytes(&v, m->notes);
	params_bytes(&v, m->quarantine);
	params_number(&v, m->not_before);
	params_bytes(&v, m->waits_for);
	return send_stmt(p, PG_PUT, &v);
}

static int
send_rcpt(struct pipe *p, uint64_t mid, const struct pst_store_rcpt *r)
{
	struct params v;

	key(p, &v, mid);
	params_number(&v, r->rid);
	params_number(&v, r->state);
	params_number(&v, r->code);
	params_number(&v, r->attempts);
	params_number(&v, r->notify);
	params_number(&v, r->next);
	params_number(&v, r->warnings);
	params_bytes(&v, r->addr);
	params_bytes(&v, r->orcpt);
	params_bytes(&v, r->status);
	params_bytes(&v, r->reason);
	params_bytes(&v, r->remote);
	params_bytes(&v, r->tls_reason);
	params_bytes(&v, r->want);
	params_bytes(&v, r->route);
	params_bytes(&v, r->bounce_profile);
	params_number(&v, r->warned_at);
	return send_stmt(p, PG_PUT_RCPT, &v);
}

/* Each piece is on its way before the next is asked for. */
static int
send_content(struct pipe *p, const struct pst_store_op *op)
{
	struct pst_str piece;
	uint64_t offset = 0;
	struct params v;
	int64_t i;

	for (i = 0;; i++) {
		if (op->content(op, &offset, &piece, p->why) < 0)
			return -1;
		if (piece.n == 0)
			return 0;
		key(p, &v, op->mid);
		params_number(&v, i);
		params_bytes(&v, piece);
		if (send_stmt(p, PG_PUT_BODY, &v) < 0)
			return -1;
		/* A large one may take its time as long as it moves. */
		p->deadline = pg_now() + p->g->conf->statement_timeout +
		    PG_MARGIN;
		if (link_flush(p->l, p->deadline) < 0) {
			p->broken = true;
			return -1;
		}
	}
}

static int
send_put(struct pipe *p, const struct pst_store_op *op)
{
	uint32_t i;

	if (send_message(p, op) < 0)
		return -1;
	for (i = 0; i < op->count; i++) {
		if (send_rcpt(p, op->mid, op->rcpt[i]) < 0)
			return -1;
	}
	return op->share == 0 ? send_content(p, op) : 0;
}

static enum tried
lost(struct pipe *p)
{
	(void)pg_fail(p->why, PST_STORE_LATER, "the server does not answer: "
	    "%s", PQerrorMessage(p->l->c));
	link_drop(p->l);
	return LOST;
}

/* After a failure inside the pipeline the transaction is over. */
static enum tried
refused(struct pipe *p, bool failed)
{
	struct pst_store_why ignored = { .size = sizeof(ignored) };
	struct link *l = p->l;
	char state[6];

	if (PQexitPipelineMode(l->c) == 0 || PQstatus(l->c) != CONNECTION_OK)
		return lost(p);
	if (!failed)
		return DONE;
	(void)snprintf(state, sizeof(state), "%s", l->state);
	if (PQtransactionStatus(l->c) != PQTRANS_IDLE)
		PQclear(link_exec(p->g, l, "ROLLBACK", &ignored));
	if (strcmp(state, PG_FENCED) == 0) {
		own_lost(p->g);
		(void)pg_fail(p->why, PST_STORE_TAKEN,
		    "store %u was taken over by another", p->g->index);
		return FAILED;
	}
	/* It shuts down, or cannot say: the lease's row will. */
	if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 ||
	    strcmp(state, "40003") == 0) {
		link_drop(l);
		return LOST;
	}
	/* It only reads: another one is the first now. */
	if (strcmp(state, "25006") == 0)
		link_drop(l);
	return l->c == NULL || strncmp(state, "40", 2) == 0 ? AGAIN : FAILED;
}

/*
 * What became of it. After rc -1 from the host's side the commit was not sent
 * and must not be: dropping the link ends the transaction.
 */
static enum tried
results(struct pipe *p, int rc)
{
	bool failed = false, end = false;
	PGresult *r;

	if (rc < 0 && !p->broken) {
		link_drop(p->l);
		return FAILED;
	}
	if (rc < 0 || PQpipelineSync(p->l->c) == 0 ||
	    link_flush(p->l, p->deadline) < 0)
		return lost(p);
	while (!end) {
		r = link_result(p->l, p->deadline);
		if (r == NULL) {
			/* Between the results of two commands. */
			if (p->sent-- == 0 ||
			    PQstatus(p->l->c) != CONNECTION_OK ||
			    pg_now() >= p->deadline)
				return lost(p);
			continue;
		}
		switch (PQresultStatus(r)) {
		case PGRES_PIPELINE_SYNC:
			end = true;
			break;
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_PIPELINE_ABORTED:
			break;
		default:
			if (!failed)
				pg_sort(r, p->l, p->why);
			failed = true;
			break;
		}
		PQclear(r);
	}
	return refused(p, failed);
}
