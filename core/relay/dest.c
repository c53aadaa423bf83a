#include <stdio.h>

#include "relay/relay_priv.h"
#include "relay/route.h"

static void read_key(struct dest *d, const char *key);
static void resolve(struct dest *d);
static void resolved(void *arg, const struct mx_result *mx);
static void set_route(struct dest *d);
static void fail_policy(struct dest *d, const char *text);
static void make_candidates(struct dest *d, const struct mx_result *mx);
static void drop_candidates(struct dest *d);
static void new_round(struct dest *d);
static void spread(struct dest *d);
static struct dest_cand *pick(struct dest *d);
static void on_timer(void *arg);
static void on_patience(void *arg);

struct dest *
dest_new(struct relay *r, struct qhop *hop)
{
	struct dest *d;

	OBJ_NEW(d, DEST_MAGIC);
	d->relay = r;
	d->hop = hop;
	read_key(d, qhop_key(hop));
	set_route(d);
	d->pool = pool_new(0);
	TAILQ_INIT(&d->conns);
	loop_timer_init(r->w.loop, &d->timer, on_timer, d);
	loop_timer_init(r->w.loop, &d->patience, on_patience, d);
	TAILQ_INSERT_TAIL(&r->dests, d, link);
	r->ndest++;
	qhop_data_set(hop, d);
	return d;
}

void
dest_destroy(struct dest **dp)
{
	struct dest *d = *dp;
	struct conn *c;

	if (d == NULL)
		return;
	OBJ_CHECK(d, DEST_MAGIC);
	while ((c = TAILQ_FIRST(&d->conns)) != NULL)
		conn_kill(&c);
	if (d->query != NULL)
		d->relay->peer->lookup_cancel(&d->query);
	policy_cancel(d);
	raise_unref(&d->raise);
	drop_candidates(d);
	loop_timer_clear(&d->timer);
	loop_timer_clear(&d->patience);
	dest_sated(d);
	TAILQ_REMOVE(&d->relay->dests, d, link);
	d->relay->ndest--;
	qhop_data_set(d->hop, NULL);
	pool_destroy(&d->pool);
	pool_destroy(&d->own);
	OBJ_FREE(d);
	*dp = NULL;
}

void
dest_settle(struct dest *d)
{
	OBJ_CHECK(d, DEST_MAGIC);
	if (d->nconn > 0 || qhop_due(d->hop) > 0 || d->taking)
		return;
	if (d->state == DEST_NEW || d->state == DEST_UP)
		dest_destroy(&d);
}

void
dest_kick(struct dest *d)
{
	OBJ_CHECK(d, DEST_MAGIC);
	if (d->relay->stopping || qhop_due(d->hop) == 0)
		return;
	switch (d->state) {
	case DEST_NEW:
		resolve(d);
		return;
	case DEST_UP:
		if (clock_now() >= d->mx_until && d->nopening == 0)
			resolve(d);
		else if (dest_may_send(d))
			spread(d);
		else if (dest_wait(d) > 0)
			loop_timer_set(&d->timer, dest_wait(d));
		return;
	case DEST_RESOLVING:
	case DEST_ASKING:
	case DEST_DOWN:
	case DEST_FAILING:
		return;
	}
	panic("destination in state %d", (int)d->state);
}

void
dest_renew(struct dest *d, bool settings)
{
	struct conn *c, *next;

	OBJ_CHECK(d, DEST_MAGIC);
	if (settings) {
		set_route(d);
		TAILQ_FOREACH_SAFE(c, &d->conns, link, next)
			conn_retire(c);
		if (d->query != NULL)
			d->relay->peer->lookup_cancel(&d->query);
		policy_cancel(d);
		if (d->state == DEST_RESOLVING || d->state == DEST_ASKING)
			d->state = DEST_NEW;
		raise_unref(&d->raise);
		d->policed = false;
	}
	d->backoff = 0;
	d->mx_until = 0;
	/* Who was not told of the failure yet is tried instead. */
	if (d->state == DEST_DOWN || d->state == DEST_FAILING) {
		loop_timer_clear(&d->timer);
		d->state = DEST_NEW;
	}
	if (qhop_due(d->hop) > 0)
		dest_kick(d);
	else
		dest_settle(d);
}

bool
dest_may_send(const struct dest *d)
{
	return d->state != DEST_FAILING &&
	    (!d->policed || clock_now() < d->policy_until) &&
	    dest_wait(d) == 0;
}

void
dest_policed(struct dest *d, const struct err *why)
{
	char text[sizeof(why->text) + 128];

	ASSERT(d->state == DEST_ASKING);
	d->state = DEST_UP;
	if (why != NULL) {
		(void)snprintf(text, sizeof(text), "TLS policy of %.80s: %s",
		    d->key, why->text);
		fail_policy(d, text);
		d->fail.tls = TLSR_POLICY;
		dest_give_up(d);
		return;
	}
	if (d->policy_until < d->mx_until)
		d->mx_until = d->policy_until;
	dest_kick(d);
	dest_settle(d);
}

void
dest_proved(struct dest *d)
{
	d->proven = true;
	d->backoff = 0;
	d->fail.text[0] = '\0';
	new_round(d);
}

void
dest_host_failed(struct dest *d, struct host *h, const struct dest_fail *f)
{
	unsigned i;

	OBJ_CHECK(d, DEST_MAGIC);
	/* If TLS failed with one host of a round and another was out of reach,
	 * it is TLS that kept the mail from being delivered. */
	if (f->tls != TLSR_NONE || !d->tls_failed)
		d->fail = *f;
	d->tls_failed = d->tls_failed || f->tls != TLSR_NONE;
	d->proven = false;
	for (i = 0; i < d->ncand; i++)
		if (d->cand[i].host == h)
			d->cand[i].tried = true;
	if (d->relay->stopping || d->state != DEST_UP)
		return;
	if (pick(d) != NULL) {
		dest_kick(d);
		return;
	}
	if (d->nconn > 0) { /* those that work go on working */
		loop_timer_set(&d->patience, RELAY_PATIENCE);
		return;
	}
	dest_give_up(d);
}

void
dest_starves(struct dest *d, uint64_t shm_key)
{
	struct dest *o;
	struct conn *c;

	if (d->nconn > 0)
		return;
	if (!d->starving)
		d->relay->nstarving++;
	d->starving = true;
	d->starving_key = shm_key;
	if (d->asked)
		return;
	TAILQ_FOREACH(o, &d->relay->dests, link) {
		if (o == d)
			continue;
		TAILQ_FOREACH(c, &o->conns, link) {
			if (c->shm_key != shm_key ||
			    c->state == CONN_OPENING || c->retired)
				continue;
			d->asked = true;
			conn_retire(c);
			return;
		}
	}
}

void
dest_sated(struct dest *d)
{
	if (d->starving)
		d->relay->nstarving--;
	d->starving = d->asked = false;
}

struct dest *
dest_starving(struct dest *not, uint64_t shm_key)
{
	struct dest *d;

	if (not->relay->nstarving == 0)
		return NULL;
	TAILQ_FOREACH(d, &not->relay->dests, link) {
		if (d == not || !d->starving || d->starving_key != shm_key)
			continue;
		d->asked = false;
		return d;
	}
	return NULL;
}

const char *
dest_state_name(const struct dest *d)
{
	switch (d->state) {
	case DEST_NEW:
		return "new";
	case DEST_RESOLVING:
		return "resolving";
	case DEST_ASKING:
		return "asking";
	case DEST_UP:
		return "up";
	case DEST_DOWN:
		return "down";
	case DEST_FAILING:
		return "failing";
	}
	panic("destination in state %d", (int)d->state);
}

static void
read_key(struct dest *d, const char *key)
{
	struct err why = ERR_INIT;

	d->own = pool_new(0);
	d->key = pool_str(d->own, route_key_hop(key)).p;
	d->text = pool_strdup(d->own, route_key_want(key));
	d->unreadable = d->text[0] != '\0' &&
	    tlswant_read(&d->want, str_c(d->text), d->own, &why) == -1;
}

static void
set_route(struct dest *d)
{
	const struct relay_conf *conf = d->relay->gen->conf;

	if (d->hosts == NULL)
		d->hosts = route_of_hosts(d->key, d->own);
	d->route = d->hosts != NULL ? d->hosts : route_of_key(conf, d->key);
	dest_limits(d);
}

/* What was asked for cannot be known, so nothing is sent. */
static void
fail_policy(struct dest *d, const char *text)
{
	memset(&d->fail, 0, sizeof(d->fail));
	d->fail.result = QRESULT_RETRY;
	(void)str_copy(d->fail.status, sizeof(d->fail.status), STR("4.7.0"));
	(void)str_copy(d->fail.text, sizeof(d->fail.text), str_c(text));
}

static bool
is_impossible(struct dest *d)
{
	char text[sizeof(d->fail.text)];

	if (d->unreadable) {
		(void)snprintf(text, sizeof(text),
		    "the TLS want \"%.200s\" is not readable", d->text);
		fail_policy(d, text);
	} else if (d->route == NULL && route_key_is_route(d->key)) {
		/* Never by MX instead. */
		(void)snprintf(text, sizeof(text), "there is no route \"%.200s"
		    "\"", strchr(d->key, ':') + 1);
		fail_policy(d, text);
		(void)str_copy(d->fail.status, sizeof(d->fail.status),
		    STR("4.3.5"));
	} else {
		return false;
	}
	dest_give_up(d);
	return true;
}

static void
resolve(struct dest *d)
{
	struct relay *r = d->relay;
	const struct relay_conf *conf = r->gen->conf;
	enum mx_ip ip = (enum mx_ip)(d->rules.ip - 1);

	drop_candidates(d);
	if (is_impossible(d))
		return;
	d->state = DEST_RESOLVING;
	if (d->route != NULL) {
		d->query = r->peer->hosts(r->w.dns, d->pool, d->route->hosts,
		    conf->port, ip, resolved, d);
		return;
	}
	d->query = r->peer->lookup(r->w.dns, d->pool, d->key, conf->port, ip,
	    resolved, d);
}

/* Nobody has a say any more: what was raised comes down. */
static void
unpolice(struct dest *d)
{
	struct conn *c, *next;

	d->policed = false;
	if (d->raise == NULL)
		return;
	TAILQ_FOREACH_SAFE(c, &d->conns, link, next)
		conn_retire(c);
	raise_unref(&d->raise);
}

static void
resolved(void *arg, const struct mx_result *mx)
{
	struct verdict v;
	struct dest *d;
	msec ttl;

	OBJ_CAST(d, arg, DEST_MAGIC);
	d->query = NULL;
	ttl = SECONDS(mx->ttl);
	if (ttl < RELAY_MX_MIN)
		ttl = RELAY_MX_MIN;
	if (ttl > RELAY_MX_MAX)
		ttl = RELAY_MX_MAX;
	d->mx_until = clock_now() + ttl;
	if (mx->status == MX_OK)
		make_candidates(d, mx);
	if (d->ncand > 0 && policy_ask(d, mx)) {
		d->state = DEST_ASKING;
		return;
	}
	d->state = DEST_UP;
	if (d->ncand > 0) {
		unpolice(d);
		dest_kick(d);
		dest_settle(d);
		return;
	}
	verdict_of_mx(mx, &v);
	memset(&d->fail, 0, sizeof(d->fail));
	d->fail.result = v.result;
	(void)snprintf(d->fail.status, sizeof(d->fail.status), "%s", v.status);
	(void)snprintf(d->fail.text, sizeof(d->fail.text), "%s",
	    mx->why != NULL ? mx->why : "no address found for its hosts");
	dest_give_up(d);
}

static void
make_candidates(struct dest *d, const struct mx_result *mx)
{
	unsigned i, j;

	d->cand = pool_alloc(d->pool, RELAY_MAX_HOSTS * sizeof(*d->cand));
	for (i = 0; i < mx->nhost; i++)
		for (j = 0; j < mx->host[i].naddr; j++) {
			struct dest_cand *c = &d->cand[d->ncand];

			if (d->ncand == RELAY_MAX_HOSTS)
				return;
			c->addr = &mx->host[i].addr[j];
			c->name = mx->host[i].name;
			c->domain = mx->host[i].domain;
			c->secure = mx->host[i].secure;
			/* Addresses of one host are tried in their order. */
			c->pref = mx->host[i].pref * 64 + i;
			c->mx = mx->host[i].pref;
			c->host = host_get(d->relay, c->addr);
			d->ncand++;
		}
}

static void
drop_candidates(struct dest *d)
{
	unsigned i;

	for (i = 0; i < d->ncand; i++)
		host_release(d->cand[i].host);
	d->ncand = 0;
	d->cand = NULL;
	d->tls_failed = false;
	pool_reset(d->pool);
}

/* Each host may be tried once more. */
static void
new_round(struct dest *d)
{
	unsigned i;

	for (i = 0; i < d->ncand; i++)
		d->cand[i].tried = false;
	d->tls_failed = false;
}

/* Brings due units and connections together. */
static void
spread(struct dest *d)
{
	struct dest_cand *cand;
	struct conn *c;
	unsigned due;

	/* What the window has left may be taken meanwhile, by this worker or by
	 * another; then a connection that is fed is idle again. */
	while (qhop_due(d->hop) > 0 && dest_may_send(d) &&
	    (c = conn_idle_of(d)) != NULL)
		conn_feed(c);
	due = qhop_due(d->hop);
	if (due == 0)
		return;
	if (!dest_may_send(d)) {
		if (dest_wait(d) > 0)
			loop_timer_set(&d->timer, dest_wait(d));
		return;
	}
	loop_timer_set(&d->patience, RELAY_PATIENCE);
	if (d->nopening >= due || (d->nopening > 0 && !d->proven))
		return;
	if (d->nconn > 0 && due <= d->nconn)
		return; /* they will be through with it soon */
	cand = pick(d);
	if (cand == NULL && d->nconn > 0)
		return;
	if (cand == NULL) {
		new_round(d);
		cand = pick(d);
	}
	ASSERT(cand != NULL);
	dest_open(d, cand);
}

/* The best untried address: one that is not down, then by preference, then
 * the one with the fewest connections. */
static struct dest_cand *
pick(struct dest *d)
{
	struct dest_cand *best = NULL;
	msec now = clock_now();
	bool best_down = false;
	unsigned i;

	for (i = 0; i < d->ncand; i++) {
		struct dest_cand *c = &d->cand[i];
		bool down = c->host->down_until > now;

		if (c->tried)
			continue;
		if (best == NULL || (best_down && !down)) {
			best = c;
			best_down = down;
			continue;
		}
		if (down != best_down || c->pref > best->pref)
			continue;
		if (c->pref < best->pref ||
		    c->host->conns < best->host->conns)
			best = c;
	}
	return best;
}

static void
on_timer(void *arg)
{
	struct dest *d;

	OBJ_CAST(d, arg, DEST_MAGIC);
	if (d->state == DEST_FAILING) {
		dest_tell_slice(d);
		return;
	}
	if (d->state == DEST_DOWN) {
		d->state = DEST_NEW;
		d->mx_until = 0;
	}
	if (qhop_due(d->hop) > 0)
		dest_kick(d);
	else
		dest_settle(d);
}

static void
on_patience(void *arg)
{
	struct dest_cand *cand;
	struct dest *d;

	OBJ_CAST(d, arg, DEST_MAGIC);
	if (d->relay->stopping || d->state != DEST_UP ||
	    qhop_due(d->hop) == 0)
		return;
	if (d->nconn == 0 || !dest_may_send(d)) {
		dest_kick(d);
		return;
	}
	loop_timer_set(&d->patience, RELAY_PATIENCE);
	if (d->nopening > 0)
		return;
	cand = pick(d);
	if (cand != NULL) {
		dest_open(d, cand);
		return;
	}
	new_round(d);
}
