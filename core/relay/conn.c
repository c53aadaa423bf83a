#include <stdio.h>

#include "base/codec.h"
#include "relay/relay_priv.h"

#define CONN_WHY_MAX 4096 /* octets of a reason in the log */
#define CONN_DETAIL_MAX 65536
#define SAID_MAX 256	  /* of an answer inside a reason */

static void fill_conf(struct conn *c, const struct dest_cand *cand);
static void on_connected(void *arg);
static void on_tls(void *arg, const struct tls_info *info,
    const struct smtpc_reply *why);
static void on_ready(void *arg);
static void on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r);
static void on_done(void *arg, const struct smtpc_reply *r);
static void on_closed(void *arg, const struct smtpc_reply *r);
static void taken(void *arg, struct qunit *u);
static void opening_failed(struct conn *c, const struct smtpc_reply *r);
static void log_failure(struct conn *c, const struct smtpc_reply *r);
static void make_fail(struct conn *c, const struct smtpc_reply *r,
    struct dest_fail *f);
static struct str details(const struct smtpc_reply *r, struct buf *b);
static void leave_idle(struct conn *c);
static void detach(struct conn *c);
static void release(struct conn *c);
static void on_idle(void *arg);

static const struct smtpc_ops client_ops = {
	.connected = on_connected,
	.tls = on_tls,
	.ready = on_ready,
	.rcpt = on_rcpt,
	.done = on_done,
	.closed = on_closed,
};

int
conn_open(struct dest *d, struct dest_cand *cand)
{
	struct relay *r = d->relay;
	struct conn *c;
	uint64_t key;

	if (r->nconn >= r->gen->conf->total) {
		if ((c = TAILQ_FIRST(&r->idle)) != NULL)
			conn_retire(c);
		return -1;
	}
	if (!dest_share(d, cand->host, &key)) {
		dest_starves(d, key);
		return -1;
	}
	dest_sated(d);
	OBJ_NEW(c, CONN_MAGIC);
	c->relay = r;
	c->dest = d;
	c->gen = r->gen;
	c->gen->refs++;
	c->shm_key = key;
	c->host = cand->host;
	c->host->refs++;
	c->host->conns++;
	c->name = mem_strdup(cand->name != NULL ? cand->name : "");
	c->domain = mem_strdup(way_domain(d->route, d->key, c->name,
	    cand->domain));
	c->state = CONN_OPENING;
	buf_init(&c->tls_why, CONN_WHY_MAX);
	buf_init(&c->tls_detail, CONN_DETAIL_MAX);
	loop_timer_init(r->w.loop, &c->timer, on_idle, c);
	TAILQ_INSERT_TAIL(&d->conns, c, link);
	d->nconn++;
	d->nopening++;
	r->nconn++;
	fill_conf(c, cand);
	conn_want_open(c);
	return 0;
}

void
conn_dial(struct conn *c)
{
	struct relay *r = c->relay;

	c->client = r->peer->open(r->w.loop, &c->conf, &client_ops, c);
}

void
conn_feed(struct conn *c)
{
	struct relay *r = c->relay;
	struct dest *d = c->dest;

	OBJ_CHECK(c, CONN_MAGIC);
	if (conn_is_full(c))
		c->retired = true;
	leave_idle(c);
	if (c->retired || r->stopping) {
		c->state = CONN_CLOSING;
		r->peer->quit(c->client);
		return;
	}
	if (qhop_due(d->hop) > 0 && dest_may_send(d)) {
		/* What was opened under one want serves no other. */
		ASSERT(c->gen != r->gen || c->want == relay_dest_want(d));
		c->state = CONN_TAKING;
		qhop_take(d->hop, taken, c);
		return;
	}
	c->state = CONN_IDLE;
	c->linked = true;
	TAILQ_INSERT_TAIL(&r->idle, c, idle_link);
	r->nidle++;
	loop_timer_set(&c->timer, r->gen->conf->idle);
	if (qhop_due(d->hop) > 0 && d->state == DEST_UP)
		loop_timer_set(&d->patience, 0); /* ask once more */
}

bool
conn_is_full(const struct conn *c)
{
	unsigned max = c->dest->rules.max_messages;

	return max > 0 && c->sent >= max;
}

void
conn_next(struct conn *c)
{
	struct dest *d = c->dest;

	if (!c->relay->peer->is_ready(c->client)) {
		c->state = CONN_CLOSING; /* closed() follows */
		return;
	}
	c->state = CONN_READY;
	if (c->sending) /* not from inside send() */
		loop_timer_set(&c->timer, 0);
	else
		conn_feed(c);
	if (qhop_due(d->hop) > d->nconn)
		dest_kick(d);
}

void
conn_retire(struct conn *c)
{
	OBJ_CHECK(c, CONN_MAGIC);
	c->retired = true;
	if (c->state == CONN_IDLE)
		conn_feed(c);
	else if (c->state == CONN_OPENING)
		conn_kill(&c);
	else if (c->delivery != NULL && delivery_is_asking(c->delivery)) {
		/* Nothing is sent yet, and nothing will be. */
		delivery_abort(&c->delivery);
		conn_next(c);
	}
}

void
conn_kill(struct conn **cp)
{
	struct conn *c = *cp;

	OBJ_CHECK(c, CONN_MAGIC);
	delivery_abort(&c->delivery);
	c->relay->peer->reverse_cancel(&c->reverse);
	c->relay->peer->destroy(&c->client);
	if (c->dcid != 0)
		mail_log(EV_DCID_CLOSE, c->dcid);
	detach(c);
	if (c->state == CONN_TAKING)
		c->dead = true;
	else
		release(c);
	*cp = NULL;
}

struct conn *
conn_idle_of(struct dest *d)
{
	struct conn *c;

	TAILQ_FOREACH(c, &d->conns, link)
		if (c->state == CONN_IDLE)
			return c;
	return NULL;
}

void
conn_remote(const struct conn *c, char *dst, size_t n)
{
	char ip[SOCK_IP_MAX];

	(void)sock_addr_ip_text(&c->host->addr, ip, sizeof(ip));
	if (c->name[0] == '\0' || c->name[0] == '[')
		(void)snprintf(dst, n, "[%s]", ip);
	else
		(void)snprintf(dst, n, "%s", c->name);
}

struct dest_cand *
conn_cand(const struct conn *c)
{
	struct dest *d = c->dest;
	unsigned i;

	for (i = 0; i < d->ncand; i++)
		if (d->cand[i].host == c->host)
			return &d->cand[i];
	return NULL;
}

void
conn_count(const struct conn *c, unsigned metric)
{
	relay_count(c->relay, metric, 1);
}

static void
fill_conf(struct conn *c, const struct dest_cand *cand)
{
	const struct relay_conf *conf = c->gen->conf;
	const struct relay_route *route = c->dest->route;
	struct smtpc_conf *sc = &c->conf;
	bool v6 = cand->addr->sa.sa_family == AF_INET6;
	const char *from = v6 ? conf->bind_v6 : conf->bind_v4;
	struct err why;

	sc->helo = conf->hostname;
	sc->to = *cand->addr;
	if (from != NULL)
		(void)sock_addr_ip(str_c(from), 0, &sc->from, &why);
	sc->host = c->name;
	sc->domain = str_c(c->domain);
	sc->timeout_scale = conf->timeout_scale;
	if (route != NULL) {
		sc->implicit_tls = route->implicit_tls;
		sc->auth_user = route->auth_user;
		sc->auth_password = route->auth_password;
	}
	conn_want_conf(c, cand);
	conn_tls_conf(c, cand);
}

static void
on_connected(void *arg)
{
	char ip[SOCK_IP_MAX];
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	conn_count(c, M_CONNS_OUT);
	c->dcid = ids_next(c->relay->w.ids, SHM_DCID);
	mail_log(EV_NEW_DCID, c->dcid,
	    c->relay->peer->local(c->client, c->local, sizeof(c->local)),
	    sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)),
	    (uint64_t)sock_addr_port(&c->host->addr));
}

static void
on_tls(void *arg, const struct tls_info *info, const struct smtpc_reply *why)
{
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	conn_tls_told(c, info, why);
}

static void
on_ready(void *arg)
{
	struct dest *d;
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	d = c->dest;
	ASSERT(c->state == CONN_OPENING);
	conn_tls_ready(c);
	d->nopening--;
	host_works(c->host);
	dest_proved(d);
	conn_feed(c);
	dest_kick(d);
}

/* What is wanted of the destination changed while the unit was read. */
static bool
is_outdated(const struct conn *c)
{
	return c->gen == c->relay->gen &&
	    (c->want != relay_dest_want(c->dest) || !dest_may_send(c->dest));
}

static void
taken(void *arg, struct qunit *u)
{
	struct dest_fail untried = { .result = QRESULT_AGAIN };
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	if (c->dead) {
		if (u != NULL)
			dest_tell(c->relay, u, &untried, NULL);
		release(c);
		return;
	}
	ASSERT(c->state == CONN_TAKING);
	if (u != NULL && is_outdated(c)) {
		dest_tell(c->relay, u, &untried, NULL);
		u = NULL;
	}
	if (u == NULL) {
		c->state = CONN_READY;
		loop_timer_set(&c->timer, 0);
		return;
	}
	c->state = CONN_BUSY;
	if (c->messages++ > 0)
		conn_count(c, M_CONNS_OUT_REUSED);
	delivery_start(c, u);
}

static void
on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r)
{
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	delivery_rcpt(c->delivery, i, r);
}

static void
on_done(void *arg, const struct smtpc_reply *r)
{
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	delivery_done(c->delivery, r);
	if (c->delivery == NULL) /* else more recipients of the message */
		conn_next(c);
}

static void
on_closed(void *arg, const struct smtpc_reply *r)
{
	struct relay *relay;
	struct dest *d;
	struct conn *c;
	bool opening;

	OBJ_CAST(c, arg, CONN_MAGIC);
	d = c->dest;
	relay = c->relay;
	opening = c->state == CONN_OPENING;
	if (r != NULL && (opening || c->delivery != NULL))
		log_failure(c, r);
	if (c->delivery != NULL) {
		if (r != NULL)
			conn_tls_failed(c, r);
		d->proven = false;
		delivery_lost(c->delivery, r);
	}
	if (c->dcid != 0)
		mail_log(EV_DCID_CLOSE, c->dcid);
	if (opening && r != NULL) {
		opening_failed(c, r); /* detaches */
	} else {
		detach(c);
	}
	relay->peer->destroy(&c->client);
	if (c->state == CONN_TAKING)
		c->dead = true; /* taken() frees it */
	else
		release(c);
	relay_check_stopped(relay);
}

static void
opening_failed(struct conn *c, const struct smtpc_reply *r)
{
	struct relay *relay = c->relay;
	struct dest *d = c->dest;
	struct host *h = c->host;
	struct dest_cand *cand = conn_cand(c);
	struct dest_fail f;

	if (conn_tls_again(c, r)) {
		detach(c);
		/* At once, so that the hosts are not looked up again before
		 * the end of the ladder. */
		if (relay->stopping || d->state != DEST_UP ||
		    qhop_due(d->hop) == 0 || conn_open(d, cand) == -1)
			dest_kick(d);
		return;
	}
	conn_count(c, M_CONNS_OUT_FAILED);
	conn_tls_failed(c, r);
	make_fail(c, r, &f);
	host_failed(relay, h);
	detach(c);
	dest_host_failed(d, h, &f);
}

static void
log_failure(struct conn *c, const struct smtpc_reply *r)
{
	char ip[SOCK_IP_MAX];
	struct buf b;

	buf_init(&b, CONN_WHY_MAX);
	mail_log(EV_CONN_ERROR, c->dcid, c->conf.domain,
	    sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)),
	    (uint64_t)sock_addr_port(&c->host->addr), details(r, &b),
	    c->local, verdict_reason(r));
	buf_fini(&b);
	conn_tls_log(c, r);
}

/* "454-'4.7.0 TLS not available'" if it is about an answer that has a text of
 * ours as well. */
static struct str
details(const struct smtpc_reply *r, struct buf *b)
{
	if (r->said.n == 0)
		return r->text;
	(void)buf_printf(b, "%d-", r->code);
	(void)log_repr(b, r->said, SAID_MAX);
	return buf_str(b);
}

static void
make_fail(struct conn *c, const struct smtpc_reply *r, struct dest_fail *f)
{
	struct verdict v;
	struct buf b;

	memset(f, 0, sizeof(*f));
	verdict_of_reply(r, 0, &v);
	f->result = QRESULT_RETRY;
	f->code = v.code;
	f->tls = v.tls;
	f->dcid = c->dcid;
	f->tls = r->tls_reason;
	(void)snprintf(f->status, sizeof(f->status), "%s", v.status);
	buf_init(&b, CONN_WHY_MAX);
	(void)buf_add_str(&b, r->text);
	if (r->said.n > 0)
		(void)buf_printf(&b, ": %d %.*s", r->code,
		    STR_FMT(str_n(r->said.p, r->said.n < SAID_MAX ?
			r->said.n : SAID_MAX)));
	if (r->tls_reason != TLSR_NONE)
		(void)buf_printf(
		    &b, " (reason: %s)", tls_reason_word(r->tls_reason));
	if (r->fail != SMTPC_FAIL_NONE)
		(void)buf_printf(&b, " %s", smtpc_step_phrase(r->step));
	(void)str_copy(f->text, sizeof(f->text), buf_str(&b));
	buf_fini(&b);
	conn_remote(c, f->remote, sizeof(f->remote));
}

static void
leave_idle(struct conn *c)
{
	loop_timer_clear(&c->timer);
	if (!c->linked)
		return;
	c->linked = false;
	TAILQ_REMOVE(&c->relay->idle, c, idle_link);
	c->relay->nidle--;
}

/* Out of its destination and of every count; the struct stays. */
static void
detach(struct conn *c)
{
	struct relay *r = c->relay;
	struct dest *d = c->dest, *other;

	leave_idle(c);
	if (c->state == CONN_OPENING)
		d->nopening--;
	TAILQ_REMOVE(&d->conns, c, link);
	d->nconn--;
	r->nconn--;
	c->host->conns--;
	host_release(c->host);
	shm_release(r->w.shm, SHM_DEST, r->w.worker, c->shm_key);
	relay_gen_unref(&c->gen);
	c->dest = NULL;
	other = dest_starving(d, c->shm_key);
	if (other != NULL)
		loop_timer_set(&other->patience, 0);
	if (r->stopping || d->state == DEST_DOWN || d->state == DEST_FAILING)
		return;
	if (qhop_due(d->hop) > 0)
		loop_timer_set(&d->patience,
		    other != NULL ? RELAY_PATIENCE : 0);
	else
		loop_timer_set(&d->timer, 0); /* settles it */
}

static void
release(struct conn *c)
{
	loop_timer_clear(&c->timer);
	mem_free(c->name);
	mem_free(c->domain);
	buf_fini(&c->tls_why);
	buf_fini(&c->tls_detail);
	pool_destroy(&c->pool);
	raise_unref(&c->raise);
	OBJ_FREE(c);
}

/* Idle for long enough, or asked to look for the next unit. */
static void
on_idle(void *arg)
{
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	if (c->state == CONN_IDLE)
		c->retired = true;
	conn_feed(c);
}
