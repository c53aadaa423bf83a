/*
 * Reports: what became of recipients, and new messages, for the hooks queued,
 * delivered, deferred and bounced.
 *
 * A report is an event of its own with copies of what it is about; nobody
 * waits for it. Those of one call follow one another, so that a message with
 * many recipients is not as many events at once.
 *
 * A plugin is asked when a crash in it can undo nothing of what it is told:
 * when the client has its 250, and what a next hop took is marked so on the
 * disk. Else a message would travel twice.
 */
#include "base/log.h"
#include "base/obj.h"
#include "daemon/plugs_priv.h"
#include "relay/route.h"

#define TOLD_MAX 10000 /* that are under way; what comes then is lost */

struct told {
	unsigned magic;
#define TOLD_MAGIC 0x701d5a1du
	TAILQ_ENTRY(told) link;
	struct plugs_out *out;
	struct pool *pool;	/* this struct and what it points to */
	struct host_gen *gen;
	enum hook hook;
	struct qreport *v;	/* n of them; none: queued */
	unsigned n, next;
	struct rcpt **rcpt;	/* of each report; queued: of the message */
	struct out about_out;
	struct about about;
	struct hook_run *run;
	struct told_list *list;	/* it is in */
};

static struct told *told_new(struct plugs_out *p, enum hook hook,
    const struct envelope *env, unsigned nrcpt);
static void ask_sure(void *arg);
static void sure(struct told *t);
static void move(struct told *t, struct told_list *to);
static struct rcpt *copy_rcpt(struct pool *pool, const struct rcpt *r);
static const struct tls_info *copy_tls(struct pool *pool,
    const struct tls_info *is);
static void go_on(struct told *t);
static void said(void *arg, const struct hook_verdict *v);
static void told_free(struct told *t);

void
plugs_queued(void *arg, const struct envelope *env)
{
	struct plugs_out *p;
	struct told *t;
	unsigned i;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	t = told_new(p, HOOK_QUEUED, env, env->nrcpt);
	if (t == NULL)
		return;
	for (i = 0; i < env->nrcpt; i++)
		t->rcpt[i] = copy_rcpt(t->pool, env->rcpt[i]);
	t->about_out.rcpt = t->rcpt;
	t->about_out.n = env->nrcpt;
	t->n = 1;
	sure(t);
}

void
plugs_told(void *arg, enum queue_fate fate, const struct qunit *u,
    const struct qreport *v, unsigned n)
{
	static const enum hook hooks[QUEUE_FATES] = {
		[QUEUE_DELIVERED] = HOOK_DELIVERED,
		[QUEUE_DEFERRED] = HOOK_DEFERRED,
		[QUEUE_BOUNCED] = HOOK_BOUNCED,
	};
	struct plugs_out *p;
	struct qreport *to;
	struct told *t;
	unsigned i;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	t = told_new(p, hooks[fate], qunit_env(u), n);
	if (t == NULL)
		return;
	t->v = pool_dup(t->pool, v, n * sizeof(*v));
	t->n = n;
	for (i = 0; i < n; i++) {
		to = &t->v[i];
		to->status = pool_strdup(t->pool, v[i].status);
		to->text = pool_str(t->pool, v[i].text);
		to->remote = pool_str(t->pool, v[i].remote);
		/* One connection, and one want: the unit's. */
		if (i == 0) {
			t->about_out.tls = copy_tls(t->pool, v[i].over);
			t->about_out.want = v[i].needed == NULL ? NULL :
			    pool_strdup(t->pool, v[i].needed);
		}
		t->rcpt[i] = copy_rcpt(t->pool, qunit_rcpt(u, NULL)[v[i].i]);
	}
	t->about_out.hop = pool_str(t->pool,
	    route_key_hop(qunit_key(u))).p;
	t->about_out.attempt = qunit_attempts(u) + 1;
	t->about_out.n = 1;
}

void
plugs_durable(void *arg, uint64_t mid)
{
	struct told *t, *next;
	struct plugs_out *p;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	TAILQ_FOREACH_SAFE (t, &p->unsure[mid % PLUGS_UNSURE], link, next) {
		if (t->about.mid == mid)
			sure(t);
	}
}

void
plugs_told_init(struct plugs_out *p)
{
	unsigned i;

	TAILQ_INIT(&p->told);
	for (i = 0; i < PLUGS_UNSURE; i++)
		TAILQ_INIT(&p->unsure[i]);
	TAILQ_INIT(&p->sure);
	loop_timer_init(p->loop, &p->told_timer, ask_sure, p);
}

void
plugs_told_drop(struct plugs_out *p)
{
	struct told *t;
	unsigned i;

	loop_timer_clear(&p->told_timer);
	for (i = 0; i < PLUGS_UNSURE; i++) {
		while ((t = TAILQ_FIRST(&p->unsure[i])) != NULL)
			told_free(t);
	}
	while ((t = TAILQ_FIRST(&p->told)) != NULL ||
	    (t = TAILQ_FIRST(&p->sure)) != NULL)
		told_free(t);
	while (p->nspare > 0)
		pool_destroy(&p->spare[--p->nspare]);
}

struct pool *
plugs_pool(struct plugs_out *p)
{
	return p->nspare > 0 ? p->spare[--p->nspare] : pool_new(PLUGS_POOL);
}

void
plugs_pool_end(struct plugs_out *p, struct pool *pool)
{
	if (p->nspare == PLUGS_SPARE) {
		pool_destroy(&pool);
		return;
	}
	pool_reset(pool);
	p->spare[p->nspare++] = pool;
}

static void
ask_sure(void *arg)
{
	struct plugs_out *p;
	struct told *t;

	OBJ_CAST(p, arg, PLUGS_OUT_MAGIC);
	while ((t = TAILQ_FIRST(&p->sure)) != NULL) {
		move(t, &p->told);
		go_on(t);
	}
}

/* From the loop: whoever says so has more to do. */
static void
sure(struct told *t)
{
	struct plugs_out *p = t->out;

	move(t, &p->sure);
	if (!loop_timer_armed(&p->told_timer))
		loop_timer_set(&p->told_timer, 0);
}

static void
move(struct told *t, struct told_list *to)
{
	TAILQ_REMOVE(t->list, t, link);
	t->list = to;
	TAILQ_INSERT_TAIL(to, t, link);
}

static struct addr
copy_addr(struct pool *pool, const struct addr *a)
{
	struct addr to = *a;

	to.full = pool_str(pool, a->full);
	to.local = pool_str(pool, a->local);
	to.domain = pool_str(pool, a->domain);
	return to;
}

/* NULL: nobody wants to know, or too many are still at it. */
static struct told *
told_new(struct plugs_out *p, enum hook hook, const struct envelope *env,
    unsigned nrcpt)
{
	struct envelope *copy;
	struct pool *pool;
	struct told *t;

	if (!hook_wanted(p->gen, hook))
		return NULL;
	if (p->ntold >= TOLD_MAX) {
		if (p->warned == 0 || clock_now() - p->warned >= MINUTES(1)) {
			log_warning("plugins are behind by %u reports: those "
			    "that follow are not made", p->ntold);
			p->warned = clock_now();
		}
		return NULL;
	}
	pool = plugs_pool(p);
	t = POOL_NEW(pool, struct told);
	OBJ_INIT(t, TOLD_MAGIC);
	t->out = p;
	t->pool = pool;
	t->gen = host_gen_ref(p->gen);
	t->hook = hook;
	t->rcpt = pool_alloc(pool, nrcpt * sizeof(struct rcpt *));
	copy = pool_dup(pool, env, sizeof(*env));
	copy->sender = copy_addr(pool, &env->sender);
	copy->envid = pool_str(pool, env->envid);
	copy->notes = pool_str(pool, env->notes);
	t->about_out.env = copy;
	t->about_out.pool = pool;
	t->about = (struct about){ .ops = &out_about,
		.arg = &t->about_out,
		.icid = env->icid,
		.mid = env->mid,
		.rcpt = -1 };
	t->list = &p->unsure[env->mid % PLUGS_UNSURE];
	TAILQ_INSERT_TAIL(t->list, t, link);
	p->ntold++;
	return t;
}

static struct rcpt *
copy_rcpt(struct pool *pool, const struct rcpt *r)
{
	struct rcpt *to = pool_dup(pool, r, sizeof(*r));

	to->addr = copy_addr(pool, &r->addr);
	to->want = pool_str(pool, r->want);
	to->route = pool_str(pool, r->route);
	to->profile = pool_str(pool, r->profile);
	to->orcpt = STR("");
	return to;
}

/* What there are facts of. */
static const struct tls_info *
copy_tls(struct pool *pool, const struct tls_info *is)
{
	struct tls_info *to;

	if (is == NULL)
		return NULL;
	to = POOL_NEW(pool, struct tls_info);
	to->version = pool_strdup(pool, is->version);
	to->cipher = pool_strdup(pool, is->cipher);
	to->bits = is->bits;
	to->resumed = is->resumed;
	to->verified = is->verified;
	to->verify_why = pool_strdup(pool, is->verify_why);
	(void)str_copy(to->fingerprint, sizeof(to->fingerprint),
	    str_c(is->fingerprint));
	return to;
}

static void
go_on(struct told *t)
{
	struct hook_verdict v;
	unsigned i;

	while (t->next < t->n) {
		i = t->next++;
		out_end(&t->about_out);
		if (t->v != NULL) {
			t->about_out.rcpt = &t->rcpt[i];
			t->about_out.report = &t->v[i];
			t->about.dcid = t->v[i].dcid;
		}
		if (!hook_ask(t->gen, t->hook, &t->about, &v, said, t,
			&t->run))
			return;
	}
	told_free(t);
}

static void
said(void *arg, const struct hook_verdict *v)
{
	struct told *t;

	(void)v;
	OBJ_CAST(t, arg, TOLD_MAGIC);
	t->run = NULL;
	go_on(t);
}

static void
told_free(struct told *t)
{
	struct plugs_out *p = t->out;
	struct pool *pool = t->pool;

	hook_cancel(&t->run);
	out_end(&t->about_out);
	TAILQ_REMOVE(t->list, t, link);
	p->ntold--;
	host_gen_unref(&t->gen);
	OBJ_FINI(t);
	plugs_pool_end(p, pool);
}
