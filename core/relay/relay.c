#include "relay/relay.h"

#include "base/codec.h"
#include "relay/relay_priv.h"
#include "relay/route.h"

static struct relay_gen *gen_new(struct relay *r,
    const struct relay_conf *conf);
static const char *hop_key(void *arg, const struct queue_to *to);
static const char *own_profile(const struct relay *r, struct str profile);
static const struct queue_profile *profile(void *arg, const char *key);
static void want(void *arg, const char *key, struct queue_want *w_r);
static void due(void *arg, struct qhop *hop);
static void queued(void *arg, const struct envelope *env);
static void durable(void *arg, uint64_t mid);
static void held(void *arg, const struct qunit *u, const struct rcpt *rc,
    struct str why);
static void tell_watch(struct relay *r, enum queue_fate fate,
    const struct qunit *u, const struct qreport *v, unsigned n);
static void told(void *arg, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n);
static void chain_text(const struct smtpc *c, struct buf *dst);
static const char *local_text(const struct smtpc *c, char *dst, size_t n);
static void list_dest(const struct dest *d, struct buf *b);

static const struct relay_peer real_peer = {
	.lookup = mx_lookup,
	.hosts = mx_hosts,
	.lookup_cancel = mx_cancel,
	.reverse = mx_reverse,
	.reverse_cancel = mx_reverse_cancel,
	.open = smtpc_new,
	.send = smtpc_send,
	.source_ready = smtpc_source_ready,
	.quit = smtpc_quit,
	.destroy = smtpc_destroy,
	.is_ready = smtpc_is_ready,
	.offers_dsn = smtpc_offers_dsn,
	.tls = smtpc_tls,
	.tls_chain = chain_text,
	.local = local_text,
};

static const struct queue_ops queue_ops = {
	.hop_key = hop_key,
	.profile = profile,
	.want = want,
	.due = due,
	.dsn = bounce_dsn,
	.queued = queued,
	.told = told,
	.held = held,
	.durable = durable,
};

static const struct relay_asks nobody;

struct relay *
relay_new(const struct relay_world *w, const struct relay_conf *conf)
{
	struct relay *r;

	OBJ_NEW(r, RELAY_MAGIC);
	r->w = *w;
	r->peer = w->peer != NULL ? w->peer : &real_peer;
	r->asks = w->asks != NULL ? w->asks : &nobody;
	TAILQ_INIT(&r->dests);
	TAILQ_INIT(&r->idle);
	hash_init(&r->hosts);
	policy_init(r);
	buf_init(&r->key, RELAY_WANT_MAX + WAY_HOP_MAX);
	r->gen = gen_new(r, conf);
	return r;
}

const struct queue_ops *
relay_queue_ops(void)
{
	return &queue_ops;
}

void
relay_queue_set(struct relay *r, struct queue *q)
{
	OBJ_CHECK(r, RELAY_MAGIC);
	r->queue = q;
}

void
relay_conf_set(struct relay *r, const struct relay_conf *conf, loop_fn *old,
    void *arg)
{
	struct relay_gen *gen = r->gen;
	struct dest *d, *next;

	OBJ_CHECK(r, RELAY_MAGIC);
	gen->old = old;
	gen->arg = arg;
	r->gen = gen_new(r, conf);
	TAILQ_FOREACH_SAFE(d, &r->dests, link, next)
		dest_renew(d, true);
	relay_gen_unref(&gen);
}

static struct relay_gen *
gen_new(struct relay *r, const struct relay_conf *conf)
{
	struct relay_gen *gen = mem_zalloc(sizeof(*gen));

	gen->relay = r;
	gen->conf = conf;
	gen->destmap = destmap_new(conf);
	gen->refs = 1;
	return gen;
}

void
relay_gen_unref(struct relay_gen **gp)
{
	struct relay_gen *gen = *gp;

	*gp = NULL;
	ASSERT(gen->refs > 0);
	if (--gen->refs > 0)
		return;
	if (gen->old != NULL)
		loop_defer(gen->relay->w.loop, gen->old, gen->arg);
	destmap_destroy(&gen->destmap);
	mem_free(gen);
}

void
relay_stop(struct relay *r, loop_fn *done, void *arg)
{
	struct dest *d, *next_dest;
	struct conn *c, *next;

	OBJ_CHECK(r, RELAY_MAGIC);
	r->stopping = true;
	r->stopped = done;
	r->stopped_arg = arg;
	TAILQ_FOREACH_SAFE(d, &r->dests, link, next_dest) {
		loop_timer_clear(&d->timer);
		loop_timer_clear(&d->patience);
		TAILQ_FOREACH_SAFE(c, &d->conns, link, next)
			conn_retire(c);
	}
	relay_check_stopped(r);
}

void
relay_check_stopped(struct relay *r)
{
	loop_fn *done = r->stopped;

	if (!r->stopping || r->nconn > 0 || done == NULL)
		return;
	r->stopped = NULL;
	loop_defer(r->w.loop, done, r->stopped_arg);
}

void
relay_destroy(struct relay **rp)
{
	struct relay *r = *rp;
	struct dest *d;

	if (r == NULL)
		return;
	OBJ_CHECK(r, RELAY_MAGIC);
	r->stopping = true;
	while ((d = TAILQ_FIRST(&r->dests)) != NULL)
		dest_destroy(&d);
	host_free_all(r);
	policy_fini(r);
	relay_gen_unref(&r->gen);
	buf_fini(&r->key);
	OBJ_FREE(r);
	*rp = NULL;
}

void
relay_wake(struct relay *r, struct str domain, bool subdomains)
{
	struct dest *d, *next;
	struct str key;
	size_t up;

	OBJ_CHECK(r, RELAY_MAGIC);
	if (domain.n > 0)
		way_hop(&r->way, r->gen->conf, r->gen->destmap, domain,
		    STR(""));
	TAILQ_FOREACH_SAFE(d, &r->dests, link, next) {
		key = str_c(d->key);
		up = strlen(r->way.hop);
		if (domain.n == 0 || strcmp(d->key, r->way.hop) == 0 ||
		    (subdomains && key.n > up && key.p[key.n - up - 1] == '.' &&
		    str_iends(key, r->way.hop)))
			dest_renew(d, false);
	}
}

void
relay_tls_watch(struct relay *r, bool on)
{
	OBJ_CHECK(r, RELAY_MAGIC);
	r->watched = on && r->w.tls_told != NULL;
}

void
relay_stats(const struct relay *r, struct relay_stats *st)
{
	const struct dest *d;

	memset(st, 0, sizeof(*st));
	st->connections = r->nconn;
	st->idle = r->nidle;
	st->hops = r->ndest;
	TAILQ_FOREACH(d, &r->dests, link)
		if (d->state == DEST_DOWN)
			st->hops_down++;
}

void
relay_list(struct relay *r, relay_row_fn *fn, void *arg)
{
	struct dest *d;
	struct buf b;

	OBJ_CHECK(r, RELAY_MAGIC);
	buf_init(&b, 64 * 1024 * 1024);
	TAILQ_FOREACH(d, &r->dests, link) {
		buf_reset(&b);
		list_dest(d, &b);
		fn(arg, buf_str(&b));
	}
	buf_fini(&b);
}

const struct tlswant *
relay_dest_want(const struct dest *d)
{
	if (d->raise != NULL)
		return &d->raise->want;
	return d->text[0] != '\0' ? &d->want : &d->relay->gen->conf->tls;
}

const char *
relay_dest_text(const struct dest *d)
{
	if (d->raise != NULL)
		return d->raise->text;
	return d->text[0] != '\0' ? d->text :
	    destmap_usual(d->relay->gen->destmap);
}

/* A route may lead to hosts that have nothing to do with the recipient's
 * domain: only a block of the same name speaks of them. */
struct tlsident *
relay_dest_cert(const struct dest *d)
{
	return destmap_cert(d->relay->gen->destmap,
	    str_c(d->route != NULL ? d->route->domain : d->key));
}

static const char *
hop_key(void *arg, const struct queue_to *to)
{
	const char *own;
	struct relay *r;
	struct way *w;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	w = &r->way;
	way_find(w, r->gen->conf, r->gen->destmap, r->asks, r->w.asks_arg, to);
	own = to->profile.n == 0 ? NULL : own_profile(r, to->profile);
	if (w->text[0] == '\0' && own == NULL)
		return w->hop;
	buf_reset(&r->key);
	/* For each recipient at the start. */
	if (buf_add_c(&r->key, w->hop) == -1 ||
	    (own != NULL && buf_add_c(&r->key, " " ROUTE_KEY_PROFILE) == -1) ||
	    (own != NULL && buf_add_c(&r->key, own) == -1) ||
	    (w->text[0] != '\0' && buf_add_char(&r->key, ' ') == -1) ||
	    buf_add_c(&r->key, w->text) == -1)
		panic("a next hop's key of %zu octets", strlen(w->text));
	return buf_p(&r->key);
}

/* Its name, if it is another one than what holds on that way anyhow. */
static const char *
own_profile(const struct relay *r, struct str profile)
{
	const struct relay_conf *conf = r->gen->conf;
	const struct way *w = &r->way;
	const struct queue_profile *p;
	enum way_says says;

	p = way_profile(conf, w->route, &w->rules, profile, &says);
	if ((says != WAY_RULE && says != WAY_LISTENER) ||
	    p == way_profile(conf, w->route, &w->rules, STR(""), &says))
		return NULL;
	return p->name;
}

static const struct queue_profile *
profile(void *arg, const char *key)
{
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	return dest_profile(r, key);
}

/* What cannot be read may have been the strictest. */
static void
want(void *arg, const char *key, struct queue_want *w_r)
{
	const struct tlswant *w;
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	w = policy_want(r, key);
	w_r->level = w != NULL ? w->level : TLSWANT_REQUIRED_VERIFY;
	w_r->deadline = w != NULL ? w->deadline : 0;
	w_r->warn_after = w != NULL ? w->warn_after : 0;
}

static void
due(void *arg, struct qhop *hop)
{
	struct relay *r;
	struct dest *d;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	d = qhop_data(hop);
	if (d == NULL)
		d = dest_new(r, hop);
	dest_kick(d);
}

void
relay_count(const struct relay *r, unsigned metric, uint64_t n)
{
	shm_metric_add(r->w.shm, r->w.worker, metric, (int64_t)n);
}

static void
queued(void *arg, const struct envelope *env)
{
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	if (r->asks->queued != NULL)
		r->asks->queued(r->w.asks_arg, env);
}

static void
told(void *arg, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n)
{
	static const unsigned metric[QUEUE_FATES] = {
		[QUEUE_DELIVERED] = M_RCPTS_DELIVERED,
		[QUEUE_DEFERRED] = M_RCPTS_DEFERRED,
		[QUEUE_BOUNCED] = M_RCPTS_BOUNCED,
	};
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	relay_count(r, metric[fate], n);
	if (r->asks->told != NULL)
		r->asks->told(r->w.asks_arg, fate, u, v, n);
	if (r->watched && fate != QUEUE_DEFERRED)
		tell_watch(r, fate, u, v, n);
}

/* Once for each run of recipients of one domain: most often there is one. */
static void
tell_watch(struct relay *r, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n)
{
	struct rcpt *const *rc = qunit_rcpt(u, NULL);
	const struct tlswant *w = policy_want(r, qunit_key(u));
	char name[WAY_HOP_MAX];
	struct str domain, last = STR_NULL;
	unsigned i;

	if (w == NULL || w->level < TLSWANT_REQUIRED)
		return;
	for (i = 0; i < n; i++) {
		domain = rc[v[i].i]->addr.domain;
		if (i > 0 && str_ieq(domain, last))
			continue;
		last = domain;
		route_domain(domain, name, sizeof(name));
		r->w.tls_told(r->w.alert_arg, str_c(name), fate);
	}
}

static void
held(void *arg, const struct qunit *u, const struct rcpt *rc, struct str why)
{
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	if (r->w.held_alert != NULL)
		r->w.held_alert(r->w.alert_arg, qunit_mid(u), &rc->addr, why);
}

static void
durable(void *arg, uint64_t mid)
{
	struct relay *r;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	if (r->asks->durable != NULL)
		r->asks->durable(r->w.asks_arg, mid);
}

static void
chain_text(const struct smtpc *c, struct buf *dst)
{
	const struct tlsio *t = smtpc_tlsio(c);

	if (t != NULL)
		tlsio_chain_text(t, dst);
}

static const char *
local_text(const struct smtpc *c, char *dst, size_t n)
{
	const struct stream *s = smtpc_stream(c);

	if (s == NULL) {
		(void)str_copy(dst, n, STR("-"));
		return dst;
	}
	return sock_addr_ip_text(stream_local(s), dst, n);
}

static void
list_dest(const struct dest *d, struct buf *b)
{
	msec now = clock_now();
	msec wait = 0;

	if (d->state == DEST_DOWN && loop_timer_armed(&d->timer))
		wait = d->timer.node.key - now;
	(void)buf_add_c(b, "{\"hop\":");
	(void)json_quote(b, str_c(d->key));
	(void)buf_add_c(b, ",\"tls\":");
	(void)json_quote(b, str_c(relay_dest_text(d)));
	(void)buf_add_c(b, ",\"tls_source\":");
	(void)json_quote(b, str_c(d->raise != NULL ? d->raise->source : ""));
	(void)buf_add_c(b, ",\"key\":");
	(void)json_quote(b, str_c(qhop_key(d->hop)));
	(void)buf_printf(b,
	    ",\"due\":%u,\"connections\":%u,\"state\":\"%s\",\"wait\":%lld",
	    qhop_due(d->hop), d->nconn, dest_state_name(d),
	    (long long)(wait > 0 ? wait / 1000 : 0));
	(void)buf_add_c(b, ",\"last_error\":");
	(void)json_quote(b, str_c(d->fail.text));
	(void)buf_add_c(b, "}");
}
