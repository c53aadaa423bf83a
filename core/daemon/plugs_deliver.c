/*
 * The deliver hook: plugins are asked before a message is sent.
 */
#include "base/obj.h"
#include "daemon/plugs_priv.h"

struct ask {
	struct pending pending; /* first */
	struct plugs_out *out;
	struct pool *pool;	/* this struct and what it points to */
	struct out about_out;
	struct about about;
	struct hook_run *run;
	struct loop_timer timer; /* the answer comes from the loop */
	struct hook_verdict *said; /* NULL: it may be sent */
	relay_verdict_fn *fn;
	void *arg;
};

static void said(void *arg, const struct hook_verdict *v);
static void keep(struct ask *a, const struct hook_verdict *v);
static void tell(void *arg);
static void ask_free(struct ask *a);
static void ask_cancel(struct pending *p);

void *
plugs_deliver(void *arg, struct qunit *u, const struct relay_to *to,
    relay_verdict_fn *fn, void *fnarg)
{
	struct plugs_out *p;
	struct pool *pool;
	struct hook_verdict v;
	struct out *o;
	struct ask *a;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	if (!hook_wanted(p->gen, HOOK_DELIVER))
		return NULL;
	pool = plugs_pool(p);
	a = POOL_NEW(pool, struct ask);
	a->out = p;
	OBJ_INIT(&a->pending, PENDING_MAGIC);
	a->pending.cancel = ask_cancel;
	a->pool = pool;
	a->fn = fn;
	a->arg = fnarg;
	o = &a->about_out;
	o->pool = pool;
	o->conf = p->conf;
	o->hop = pool_strdup(pool, to->hop);
	o->host = pool_strdup(pool, to->host);
	o->ip = pool_strdup(pool, to->ip);
	o->want = pool_strdup(pool, to->want);
	o->port = to->port;
	o->tls = to->tls; /* the connection's, which takes us back if it ends */
	o->env = qunit_env(u);
	o->rcpt = qunit_rcpt(u, &o->n);
	o->attempt = qunit_attempts(u) + 1;
	a->about = (struct about){ .ops = &out_about,
		.arg = o,
		.icid = o->env->icid,
		.mid = qunit_mid(u),
		.dcid = to->dcid,
		.rcpt = -1 };
	loop_timer_init(p->loop, &a->timer, tell, a);
	if (!hook_ask(p->gen, HOOK_DELIVER, &a->about, &v, said, a, &a->run))
		return a;
	if (v.act == HOOK_GO && o->new_want == NULL && o->new_route == NULL) {
		ask_free(a);
		return NULL;
	}
	keep(a, &v);
	loop_timer_set(&a->timer, 0);
	return a;
}

static void
said(void *arg, const struct hook_verdict *v)
{
	struct ask *a = arg;

	OBJ_CHECK(&a->pending, PENDING_MAGIC);
	a->run = NULL;
	keep(a, v);
	tell(a);
}

/* It is large, and nearly always says nothing. */
static void
keep(struct ask *a, const struct hook_verdict *v)
{
	if (v->act != HOOK_GO)
		a->said = pool_dup(a->pool, v, sizeof(*v));
}

/* Of the verdicts that are none of this hook's, none gets through. */
static void
tell(void *arg)
{
	struct relay_verdict v = { .say = RELAY_DEFER };
	struct ask *a = arg;

	OBJ_CHECK(&a->pending, PENDING_MAGIC);
	if (a->said != NULL)
		v.reply = a->said->reply;
	switch (a->said != NULL ? a->said->act : HOOK_GO) {
	case HOOK_GO:
		v.say = RELAY_SEND;
		v.want = a->about_out.new_want;
		v.route = a->about_out.new_route;
		break;
	case HOOK_REJECT:
		v.say = RELAY_BOUNCE;
		break;
	case HOOK_TEMPFAIL:
	case HOOK_DISCARD:
	case HOOK_DISCONNECT_NOW:
		break;
	}
	a->fn(a->arg, &v);
	ask_free(a);
}

static void
ask_free(struct ask *a)
{
	struct plugs_out *p = a->out;
	struct pool *pool = a->pool;

	hook_cancel(&a->run);
	loop_timer_clear(&a->timer);
	out_end(&a->about_out);
	OBJ_FINI(&a->pending);
	plugs_pool_end(p, pool);
}

static void
ask_cancel(struct pending *p)
{
	ask_free((struct ask *)p);
}
