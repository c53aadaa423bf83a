#include "daemon/plugs_priv.h"

#include <string.h>

#include <postern/tls_policy.h>

#include "base/mem.h"
#include "base/obj.h"
#include "mail/addr.h"

#define TTL_USUAL MINUTES(5)
#define TTL_MAX HOURS(24)

/* A next hop, about which one plugin after the other is asked. */
struct hop {
	struct pending pending; /* first */
	struct plugs_out *out;
	struct pool *pool;	/* this struct and what it points to */
	struct host_gen *gen;
	struct instance *i;
	struct op_run *run;
	struct loop_timer timer; /* the answer comes from the loop */
	struct pst_tls_hop q;
	struct tlswant want;
	bool wanted;
	const char *source;
	msec ttl;
	struct err why;
	bool failed;
	relay_policy_fn *fn;
	void *arg;
};

static unsigned tls_rcpt(void *arg, struct str domain, struct str local,
    struct relay_opinion *v);
static void *tls_hop(void *arg, const struct relay_hop *hop,
    relay_policy_fn *fn, void *fnarg);
static void hop_ask(struct hop *h);
static void hop_said(void *arg, const struct op_answer *a);
static void hop_heard(struct hop *h, const struct op_answer *a);
static void hop_end(void *arg);
static void hop_cancel(struct pending *p);
static void cancel(void *arg, void *pending);

const struct relay_asks plugs_out_asks = {
	.tls_rcpt = tls_rcpt,
	.tls_hop = tls_hop,
	.deliver = plugs_deliver,
	.cancel = cancel,
	.queued = plugs_queued,
	.told = plugs_told,
	.durable = plugs_durable,
};

struct plugs_out *
plugs_out_new(struct loop *l)
{
	struct plugs_out *p;

	OBJ_NEW(p, PLUGS_OUT_MAGIC);
	p->loop = l;
	p->pool = pool_new(0);
	plugs_told_init(p);
	return p;
}

static bool
is_ours(const struct conf *conf, const char *name)
{
	unsigned i;

	for (i = 0; i < conf->nplugin; i++)
		if (strcmp(conf->plugin[i].name, name) == 0)
			return conf->plugin[i].by != NULL;
	return false;
}

void
plugs_out_set(struct plugs_out *p, const struct conf *conf)
{
	struct instance *i;
	unsigned n = 0;

	OBJ_CHECK(p, PLUGS_OUT_MAGIC);
	host_gen_unref(&p->gen);
	p->gen = conf->plugins != NULL ? host_gen_ref(conf->plugins) : NULL;
	p->conf = &conf->relay_conf;
	p->npolicy = 0;
	pool_reset(p->pool);
	for (i = op_next(p->gen, PST_TLS_POLICY_RCPT, NULL); i != NULL;
	     i = op_next(p->gen, PST_TLS_POLICY_RCPT, i))
		n++;
	p->policy = pool_alloc(p->pool, (n + 1) * sizeof(*p->policy));
	for (i = op_next(p->gen, PST_TLS_POLICY_RCPT, NULL); i != NULL;
	     i = op_next(p->gen, PST_TLS_POLICY_RCPT, i))
		p->policy[p->npolicy++] = (struct policy_of){ .i = i,
			.ours = is_ours(conf, instance_name(i)),
			.fault = pool_printf(p->pool, "unreadable: %s failed",
			    instance_name(i)) };
}

void
plugs_out_destroy(struct plugs_out **pp)
{
	struct plugs_out *p = *pp;

	if (p == NULL)
		return;
	OBJ_CHECK(p, PLUGS_OUT_MAGIC);
	plugs_told_drop(p);
	host_gen_unref(&p->gen);
	pool_destroy(&p->pool);
	OBJ_FREE(p);
	*pp = NULL;
}

void
plugs_out_explain(struct plugs_out *p, struct pool *pool)
{
	OBJ_CHECK(p, PLUGS_OUT_MAGIC);
	p->explained = pool;
}

/* Not every plugin knows of entries. */
static void
explain(const struct plugs_out *p, struct instance *i,
    const struct pst_tls_rcpt *q, struct relay_opinion *v)
{
	struct pst_tls_entry e = { .size = sizeof(e), .domain = q->domain,
		.local = q->local };
	struct instance *next = NULL;
	struct op_answer a;

	while ((next = op_next(p->gen, PST_TLS_POLICY_ENTRY, next)) != NULL) {
		if (next != i)
			continue;
		op_now(i, PST_TLS_POLICY_ENTRY, NULL, &e, &a);
		v->entry = pool_strdup(p->explained, e.entry);
	}
}

/* An answer that is there in spite of a failure is none. */
static const char *
opinion(const struct policy_of *o, struct pst_tls_rcpt *q)
{
	struct op_answer a;

	q->want = NULL;
	op_now(o->i, PST_TLS_POLICY_RCPT, NULL, q, &a);
	if (a.verdict != PST_CONTINUE && a.verdict != PST_ACCEPT)
		return o->fault;
	return q->want;
}

static unsigned
tls_rcpt(void *arg, struct str domain, struct str local,
    struct relay_opinion *v)
{
	char folded[ADDR_DOMAIN_MAX + 2], before[ADDR_LOCAL_MAX + 1];
	struct pst_tls_rcpt q = { .size = sizeof(q), .local = before };
	struct plugs_out *p;
	unsigned i, n = 0;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	if (p->npolicy == 0)
		return 0;
	q.domain = domain_fold(domain, folded, sizeof(folded)).p;
	if (!str_copy(before, sizeof(before), local))
		before[0] = '\0'; /* longer than any address may have */
	for (i = 0; i < p->npolicy; i++) {
		if (n == RELAY_OPINIONS) { /* the strictest may be missing */
			v[n - 1].want = "unreadable: too many opinions";
			v[n - 1].who = NULL;
			break;
		}
		v[n].want = opinion(&p->policy[i], &q);
		v[n].ours = p->policy[i].ours;
		v[n].who = v[n].want == p->policy[i].fault ? NULL :
		    instance_name(p->policy[i].i);
		v[n].entry = NULL;
		if (p->explained != NULL)
			explain(p, p->policy[i].i, &q, &v[n]);
		if (v[n].want != NULL)
			n++;
	}
	return n;
}

static void *
tls_hop(void *arg, const struct relay_hop *hop, relay_policy_fn *fn,
    void *fnarg)
{
	const struct mx_result *mx = hop->mx;
	struct pst_tls_mx *v;
	struct plugs_out *p;
	struct pool *pool;
	struct hop *h;
	unsigned i;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	if (op_next(p->gen, PST_TLS_POLICY_DECIDE, NULL) == NULL)
		return NULL;
	pool = pool_new(0);
	h = POOL_NEW(pool, struct hop);
	OBJ_INIT(&h->pending, PENDING_MAGIC);
	h->pending.cancel = hop_cancel;
	h->out = p;
	h->pool = pool;
	h->gen = host_gen_ref(p->gen);
	h->fn = fn;
	h->arg = fnarg;
	h->ttl = TTL_MAX;
	v = pool_alloc(pool, (mx->nhost + 1) * sizeof(*v));
	for (i = 0; i < mx->nhost; i++) {
		v[i].name = pool_strdup(pool, mx->host[i].name);
		v[i].secure = mx->host[i].secure;
	}
	h->q.domain = pool_strdup(pool, hop->domain);
	h->q.route = hop->route;
	h->q.mx = v;
	h->q.count = mx->nhost;
	loop_timer_init(p->loop, &h->timer, hop_end, h);
	h->i = op_next(h->gen, PST_TLS_POLICY_DECIDE, NULL);
	hop_ask(h);
	return h;
}

/* Those that are left; the answer never comes from inside. */
static void
hop_ask(struct hop *h)
{
	struct op_answer a;

	while (h->i != NULL && !h->failed) {
		h->q.size = sizeof(h->q);
		h->q.want = h->q.source = NULL;
		h->q.ttl = 0;
		if (!op_ask(h->i, PST_TLS_POLICY_DECIDE, NULL, &h->q, &a,
			hop_said, h, &h->run))
			return;
		hop_heard(h, &a);
	}
	loop_timer_set(&h->timer, 0);
}

static void
hop_said(void *arg, const struct op_answer *a)
{
	struct hop *h = arg;

	OBJ_CHECK(&h->pending, PENDING_MAGIC);
	h->run = NULL;
	hop_heard(h, a);
	hop_ask(h);
}

/* Its texts are gone after this. */
static void
hop_heard(struct hop *h, const struct op_answer *a)
{
	const char *name = instance_name(h->i), *text;
	msec ttl = h->q.ttl > 0 ? SECONDS(h->q.ttl) : TTL_USUAL;
	struct tlswant one, old = h->want;

	h->i = op_next(h->gen, PST_TLS_POLICY_DECIDE, h->i);
	if (a->verdict != PST_CONTINUE && a->verdict != PST_ACCEPT) {
		h->failed = true;
		(void)err_set(&h->why, 451, "4.7.0", "%.40s: %.400s", name,
		    a->reply.text[0] != '\0' ? a->reply.text : "no answer");
		return;
	}
	if (ttl < h->ttl)
		h->ttl = ttl;
	if (h->q.want == NULL)
		return;
	text = pool_strdup(h->pool, h->q.want);
	if (tlswant_read(&one, str_c(text), h->pool, &h->why) == -1) {
		h->failed = true;
		(void)err_prefix(&h->why, "%.40s gave \"%.100s\": ", name,
		    text);
		return;
	}
	if (h->q.source == NULL)
		h->q.source = name;
	h->source = h->wanted ? pool_printf(h->pool, "%s, %s", h->source,
	    h->q.source) : pool_strdup(h->pool, h->q.source);
	if (h->wanted)
		tlswant_max(&h->want, &old, &one, h->pool);
	else
		h->want = one;
	h->wanted = true;
}

static void
hop_free(struct hop *h)
{
	struct pool *pool = h->pool;

	op_cancel(&h->run);
	loop_timer_clear(&h->timer);
	host_gen_unref(&h->gen);
	OBJ_FINI(&h->pending);
	pool_destroy(&pool);
}

static void
hop_end(void *arg)
{
	struct hop *h = arg;
	struct buf text;

	OBJ_CHECK(&h->pending, PENDING_MAGIC);
	buf_init(&text, 4 * 1024 * 1024);
	if (h->wanted)
		tlswant_write(&h->want, &text);
	h->fn(h->arg, h->wanted ? buf_p(&text) : NULL, h->source, h->ttl,
	    h->failed ? &h->why : NULL);
	buf_fini(&text);
	hop_free(h);
}

static void
hop_cancel(struct pending *p)
{
	hop_free((struct hop *)p);
}

static void
cancel(void *arg, void *pending)
{
	struct pending *p;

	(void)arg;
	OBJ_CAST(p, pending, PENDING_MAGIC);
	p->cancel(p);
}
