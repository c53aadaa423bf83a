#include <stdio.h>

#include "relay/batv.h"
#include "relay/edited.h"
#include "relay/relay_priv.h"
#include "relay/way.h"

#define PIECE_MAX (256 * 1024)

struct delivery {
	unsigned magic;
#define DELIVERY_MAGIC 0xd9e11fe7u
	struct pool *pool;	/* this struct and all below */
	struct conn *conn;
	struct qunit *unit;
	struct rcpt *const *rcpt;
	unsigned n;
	unsigned first, count;	/* the transaction that runs */
	unsigned accepted;	/* in it, at RCPT */
	struct qreport *v;
	bool *decided;
	unsigned *rids;		/* scratch for the log */
	struct body_ref *body;
	struct edited edited;
	uint64_t off;
	struct str piece;	/* read, not yet handed out */
	bool reading, have, broken;
	void *asked;		/* somebody, before anything is sent */
	struct smtpc_txn txn;
	struct addr sender;	/* with a tag */
	char remote[256];
};

static bool ask(struct delivery *dl);
static void said(void *arg, const struct relay_verdict *v);
static void decide_all(struct delivery *dl, enum qresult result,
    const struct err *why);
static bool treat(struct delivery *dl, const struct relay_verdict *v);
static bool take_slice(struct delivery *dl);
static void begin(struct delivery *dl);
static bool tagged(struct delivery *dl);
static void send_slice(struct delivery *dl);
static void unreadable(struct delivery *dl, const char *why);
static void finish(struct delivery *dl);
static void decide(struct delivery *dl, unsigned i,
    const struct smtpc_reply *r, const struct verdict *v);
static void log_done(struct delivery *dl, const struct smtpc_reply *r);
static enum smtpc_more next_piece(void *arg, struct str *piece_r);
static void was_read(void *arg, struct str piece, const struct err *why);
static bool stale(const struct delivery *dl, const struct smtpc_reply *r);

void
delivery_start(struct conn *c, struct qunit *u)
{
	struct pool *pool = pool_new(0);
	struct delivery *dl = POOL_NEW(pool, struct delivery);
	struct err why = ERR_INIT;

	OBJ_INIT(dl, DELIVERY_MAGIC);
	dl->pool = pool;
	dl->conn = c;
	dl->unit = u;
	dl->rcpt = qunit_rcpt(u, &dl->n);
	dl->v = pool_alloc(pool, dl->n * sizeof(*dl->v));
	dl->decided = pool_alloc(pool, dl->n * sizeof(*dl->decided));
	dl->rids = pool_alloc(pool, dl->n * sizeof(*dl->rids));
	dl->body = qunit_body(u);
	if (edited_init(&dl->edited, pool, qunit_env(u), dl->body, &why) != 0)
		unreadable(dl, why.text);
	conn_remote(c, dl->remote, sizeof(dl->remote));
	c->delivery = dl;
	if (!ask(dl))
		begin(dl);
}

bool
delivery_is_asking(const struct delivery *dl)
{
	OBJ_CHECK(dl, DELIVERY_MAGIC);
	return dl->asked != NULL;
}

void
delivery_rcpt(struct delivery *dl, unsigned i, const struct smtpc_reply *r)
{
	struct verdict v;

	OBJ_CHECK(dl, DELIVERY_MAGIC);
	ASSERT(i < dl->count);
	verdict_of_reply(r, dl->accepted, &v);
	if (v.result == QRESULT_DONE)
		dl->accepted++; /* the end of data decides */
	else
		decide(dl, dl->first + i, r, &v);
}

void
delivery_done(struct delivery *dl, const struct smtpc_reply *r)
{
	struct verdict v;
	unsigned i;

	OBJ_CHECK(dl, DELIVERY_MAGIC);
	if (r != NULL && !stale(dl, r)) {
		verdict_of_reply(r, 0, &v);
		if (v.result == QRESULT_DONE)
			log_done(dl, r);
		for (i = dl->first; i < dl->first + dl->count; i++)
			if (!dl->decided[i])
				decide(dl, i, r, &v);
	}
	dl->first += dl->count;
	if (dl->first < dl->n && !dl->conn->retired &&
	    !conn_is_full(dl->conn) &&
	    dl->conn->relay->peer->is_ready(dl->conn->client) &&
	    take_slice(dl))
		send_slice(dl);
	else
		finish(dl);
}

void
delivery_lost(struct delivery *dl, const struct smtpc_reply *r)
{
	struct verdict v;
	unsigned i;

	OBJ_CHECK(dl, DELIVERY_MAGIC);
	if (dl->asked != NULL)
		dl->count = dl->n;
	if (r != NULL && !stale(dl, r)) {
		verdict_of_reply(r, 0, &v);
		for (i = dl->first; i < dl->first + dl->count; i++)
			if (!dl->decided[i])
				decide(dl, i, r, &v);
		/* Others are tried before it, for longer than the pause of
		 * these recipients, so that their next try goes elsewhere. */
		if (v.host) {
			dl->conn->host->fails++;
			host_failed(dl->conn->relay, dl->conn->host);
		}
	}
	finish(dl);
}

void
delivery_abort(struct delivery **dlp)
{
	if (*dlp != NULL)
		finish(*dlp);
	ASSERT(*dlp == NULL);
}

static bool
ask(struct delivery *dl)
{
	struct conn *c = dl->conn;
	struct relay *r = c->relay;
	char ip[SOCK_IP_MAX];
	struct relay_to to = { .hop = c->dest->key,
		.host = c->name,
		.ip = sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)),
		.want = relay_dest_text(c->dest),
		.port = sock_addr_port(&c->host->addr),
		.dcid = c->dcid };

	if (r->asks->deliver == NULL)
		return false;
	to.tls = r->peer->tls(c->client);
	dl->asked = r->asks->deliver(r->w.asks_arg, dl->unit, &to, said, dl);
	return dl->asked != NULL;
}

static void
said(void *arg, const struct relay_verdict *v)
{
	struct delivery *dl;
	struct conn *c;

	OBJ_CAST(dl, arg, DELIVERY_MAGIC);
	c = dl->conn;
	dl->asked = NULL;
	switch (v->say) {
	case RELAY_SEND:
		if (!treat(dl, v)) {
			begin(dl);
			return;
		}
		break;
	case RELAY_DEFER:
		decide_all(dl, QRESULT_RETRY, &v->reply);
		break;
	case RELAY_BOUNCE:
		decide_all(dl, QRESULT_BOUNCE, &v->reply);
		break;
	}
	finish(dl);
	conn_next(c);
}

/* In our words: no host has said anything. */
static void
decide_all(struct delivery *dl, enum qresult result, const struct err *why)
{
	struct qreport *q;
	unsigned i;

	for (i = 0; i < dl->n; i++) {
		q = &dl->v[i];
		dl->decided[i] = true;
		q->result = result;
		q->status = pool_strdup(dl->pool, why->enh);
		q->text = str_c(pool_strdup(dl->pool, why->text));
		q->dcid = dl->conn->dcid;
	}
}

/* Recipients that are to go another way, or with more, go back; nobody is sent
 * to on this connection then. */
static bool
treat(struct delivery *dl, const struct relay_verdict *v)
{
	struct log_rids rids = { dl->rids, 0 };
	struct err why = ERR_INIT;
	struct treat t;
	unsigned i;
	int r;

	for (i = 0; i < dl->n; i++) {
		r = treat_rcpt(dl->conn->relay, dl->rcpt[i],
		    qunit_key(dl->unit), v, &t, dl->pool, &why);
		if (r == -1) {
			decide_all(dl, QRESULT_RETRY, &why);
			return true;
		}
		if (r == 0)
			continue;
		dl->v[i].want = t.want;
		dl->v[i].route = t.route;
		dl->rids[rids.n++] = dl->rcpt[i]->rid;
	}
	if (rids.n == 0)
		return false;
	mail_log(EV_DELIVERY_TREATED, dl->conn->dcid, qunit_mid(dl->unit), rids,
	    str_c(v->want), str_c(v->route));
	return true;
}

/* Who comes next: as many recipients as may be sent now; false: none. */
static bool
take_slice(struct delivery *dl)
{
	const struct relay_conf *conf = dl->conn->gen->conf;
	const struct relay_route *route = dl->conn->dest->route;
	unsigned max = conf->max_rcpt;

	if (route != NULL && route->max_rcpt > 0)
		max = route->max_rcpt;
	dl->count = dl->n - dl->first;
	if (max > 0 && dl->count > max)
		dl->count = max;
	dl->count = dest_take_rcpts(dl->conn->dest, dl->count);
	return dl->count > 0;
}

/* Nobody wants it to go otherwise: what was asked for is there. */
static void
begin(struct delivery *dl)
{
	struct conn *c = dl->conn;

	if (!take_slice(dl)) {
		finish(dl);
		conn_next(c);
		return;
	}
	queue_secured(dl->conn->relay->queue, dl->unit);
	send_slice(dl);
}

static bool
tagged(struct delivery *dl)
{
	const struct relay_conf *conf = dl->conn->relay->gen->conf;
	const struct addr *from = &qunit_env(dl->unit)->sender;

	return way_tags(conf, &dl->conn->dest->rules, from) &&
	    batv_tag(conf->batv, from, clock_wall(), dl->pool, &dl->sender);
}

static void
send_slice(struct delivery *dl)
{
	struct log_rids rids;
	struct conn *c = dl->conn;
	unsigned i;

	dl->accepted = 0;
	dl->off = dl->edited.skip;
	dl->have = false;
	for (i = 0; i < dl->count; i++)
		dl->rids[i] = dl->rcpt[dl->first + i]->rid;
	rids.v = dl->rids;
	rids.n = dl->count;
	mail_log(EV_DELIVERY_START, c->dcid, qunit_mid(dl->unit), rids);
	dl->txn.env = qunit_env(dl->unit);
	dl->txn.sender = tagged(dl) ? &dl->sender : NULL;
	dl->txn.rcpt = dl->rcpt + dl->first;
	dl->txn.nrcpt = dl->count;
	dl->txn.header = dl->edited.head;
	dl->txn.size = dl->edited.size;
	dl->txn.source.next = next_piece;
	dl->txn.source.arg = dl;
	dl->txn.dsn_relay = true;
	c->sent++;
	c->sending++;
	c->relay->peer->send(c->client, &dl->txn);
	c->sending--;
}

/* Every recipient without a decision was not tried. */
static void
finish(struct delivery *dl)
{
	struct conn *c = dl->conn;
	struct pool *pool = dl->pool;
	const struct tls_info *over = NULL;
	unsigned i;

	if (dl->reading)
		body_read_cancel(dl->body);
	if (dl->asked != NULL)
		c->relay->asks->cancel(c->relay->w.asks_arg, dl->asked);
	if (c->relay->asks->told != NULL)
		over = c->relay->peer->tls(c->client);
	for (i = 0; i < dl->n; i++) {
		dl->v[i].i = i;
		dl->v[i].needed = relay_dest_text(c->dest);
		dl->v[i].over = over;
		if (!dl->decided[i])
			dl->v[i].result = QRESULT_AGAIN;
	}
	c->delivery = NULL;
	queue_report(c->relay->queue, dl->unit, dl->v, dl->n);
	OBJ_FINI(dl);
	pool_destroy(&pool);
}

static void
decide(struct delivery *dl, unsigned i, const struct smtpc_reply *r,
    const struct verdict *v)
{
	struct qreport *q = &dl->v[i];

	dl->decided[i] = true;
	q->result = v->result;
	q->code = v->code;
	q->tls = v->tls;
	q->status = pool_strdup(dl->pool, v->status);
	q->text = pool_str(dl->pool, r->text);
	if (r->fail != SMTPC_FAIL_NONE && r->fail != SMTPC_FAIL_DEMAND)
		q->text = str_c(pool_printf(dl->pool, "%.*s %s",
		    STR_FMT(r->text), smtpc_step_phrase(r->step)));
	q->remote = str_c(dl->remote);
	q->dcid = dl->conn->dcid;
	q->dsn_passed =
	    dl->conn->relay->peer->offers_dsn(dl->conn->client);
}

static void
log_done(struct delivery *dl, const struct smtpc_reply *r)
{
	uint64_t mid = qunit_mid(dl->unit);
	struct log_rids rids = { dl->rids, 0 };
	unsigned i;

	for (i = dl->first; i < dl->first + dl->count; i++)
		if (!dl->decided[i])
			dl->rids[rids.n++] = dl->rcpt[i]->rid;
	conn_count(dl->conn,
	    dl->conn->tls_up ? M_MESSAGES_OUT_TLS : M_MESSAGES_OUT_CLEAR);
	relay_count(dl->conn->relay, M_BYTES_OUT, dl->edited.size);
	mail_log(EV_MESSAGE_DONE, dl->conn->dcid, mid, rids);
	mail_log(EV_RESPONSE, mid, rids, r->text);
}

static enum smtpc_more
next_piece(void *arg, struct str *piece_r)
{
	struct delivery *dl;

	OBJ_CAST(dl, arg, DELIVERY_MAGIC);
	if (dl->broken)
		return SMTPC_MORE_ERROR;
	if (dl->off >= body_size(dl->body))
		return SMTPC_MORE_EOF;
	if (!dl->have) {
		dl->reading = true;
		if (!body_read(dl->body, dl->off, PIECE_MAX, &dl->piece,
		        was_read, dl))
			return SMTPC_MORE_LATER;
		dl->reading = false;
	}
	dl->have = false;
	dl->off += dl->piece.n;
	*piece_r = dl->piece;
	return SMTPC_MORE_DATA;
}

static void
was_read(void *arg, struct str piece, const struct err *why)
{
	struct delivery *dl;

	OBJ_CAST(dl, arg, DELIVERY_MAGIC);
	dl->reading = false;
	dl->have = true;
	dl->piece = piece;
	if (why != NULL || piece.n == 0)
		unreadable(dl, why != NULL ? why->text :
					     "shorter than recorded");
	dl->conn->relay->peer->source_ready(dl->conn->client);
}

/* The connection will be closed before the end of the data. */
static void
unreadable(struct delivery *dl, const char *why)
{
	dl->broken = true;
	log_warning("MID %llu: content unreadable: %s",
	    (unsigned long long)qunit_mid(dl->unit), why);
}

/* A kept connection that the peer had given up before our MAIL arrived says
 * nothing about the message. */
static bool
stale(const struct delivery *dl, const struct smtpc_reply *r)
{
	if (dl->conn->messages <= 1 || dl->first > 0)
		return false;
	if (r->step != SMTPC_AT_MAIL && r->step != SMTPC_AT_READY)
		return false;
	return r->fail == SMTPC_FAIL_LOST || r->fail == SMTPC_FAIL_NETWORK ||
	    r->code == 421;
}
