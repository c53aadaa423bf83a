/*
 * The reports we owe (RFC 3461 5.2, RFC 3464): which recipients are named,
 * whose message it becomes. Never about a message from <>; never twice, since
 * the queue puts the report into the transaction that marks the recipients.
 */
#include <string.h>

#include "queue/retry.h"
#include "relay/edited.h"
#include "relay/relay_priv.h"

struct bounce {
	unsigned magic;
#define BOUNCE_MAGIC 0xb0117ce5u
	struct pool *pool; /* this struct and all below */
	struct relay *relay;
	struct qunit *unit;
	enum report_kind kind;
	struct report_rcpt *rcpt;
	unsigned n;
	struct body_ref *body;
	struct edited edited; /* as it was, or would have been, sent */
};

static bool owed(const struct rcpt *rc, enum report_kind kind,
    const struct qreport *v);
static void name_rcpt(struct bounce *b, const struct rcpt *rc,
    const struct qreport *v);
static void was_read(void *arg, struct str content, const struct err *why);
static void write_report(struct bounce *b, struct str content);
static const struct addr *alternate(const struct bounce *b);
static struct envelope *make_envelope(const struct bounce *b, uint64_t mid,
    bool utf8);
static struct str want_of_report(const struct bounce *b, struct pool *pool);
static void written(void *arg, const struct err *why);

void
bounce_dsn(void *arg, struct qunit *u, enum report_kind kind,
    const struct qreport *v, unsigned n)
{
	struct pool *pool;
	struct bounce *b;
	struct relay *r;
	struct err why = ERR_INIT;
	struct str content;
	unsigned i;

	OBJ_CAST(r, arg, RELAY_MAGIC);
	pool = pool_new(0);
	b = POOL_NEW(pool, struct bounce);
	OBJ_INIT(b, BOUNCE_MAGIC);
	b->pool = pool;
	b->relay = r;
	b->unit = u;
	b->kind = kind;
	b->rcpt = pool_alloc(pool, n * sizeof(*b->rcpt));
	for (i = 0; i < n; i++) {
		const struct rcpt *rc = qunit_rcpt(u, NULL)[v[i].i];

		if (owed(rc, kind, &v[i]))
			name_rcpt(b, rc, &v[i]);
	}
	if (b->n == 0 || qunit_env(u)->sender.full.n == 0 ||
	    (qunit_profile(u)->quiet && kind != REPORT_SUCCESS)) {
		pool_destroy(&pool);
		queue_generate(r->queue, u, NULL, NULL);
		return;
	}
	/* One of its own: the unit's other reports are reading, too. */
	b->body = body_reader(qunit_body(u));
	if (edited_init(&b->edited, pool, qunit_env(u), b->body, &why) != 0)
		was_read(b, STR(""), &why);
	else if (body_read(b->body, b->edited.skip,
	    r->gen->conf->return_bound, &content, was_read, b))
		was_read(b, content, NULL);
}

static bool
owed(const struct rcpt *rc, enum report_kind kind, const struct qreport *v)
{
	switch (kind) {
	case REPORT_FAILED:
		return rc->notify == 0 || (rc->notify & NOTIFY_FAILURE) != 0;
	case REPORT_DELAYED:
		return rc->notify == 0 || (rc->notify & NOTIFY_DELAY) != 0;
	case REPORT_SUCCESS:
		return (rc->notify & NOTIFY_SUCCESS) != 0 && !v->dsn_passed;
	}
	panic("report of kind %d", (int)kind);
}

static void
name_rcpt(struct bounce *b, const struct rcpt *rc, const struct qreport *v)
{
	static const char *const action[] = {
		[REPORT_FAILED] = "failed",
		[REPORT_DELAYED] = "delayed",
		[REPORT_SUCCESS] = "relayed",
	};
	const struct envelope *env = qunit_env(b->unit);
	struct report_rcpt *rr = &b->rcpt[b->n++];
	struct queue_want want;

	rr->rcpt = rc;
	rr->action = action[b->kind];
	rr->status = pool_strdup(b->pool, v->status);
	rr->remote_mta = pool_str(b->pool, v->remote);
	rr->diagnostic = pool_str(b->pool, v->text);
	rr->diagnostic_smtp = v->code != 0;
	if (v->code != 0)
		rr->diagnostic = str_c(pool_printf(b->pool, "%d %.*s", v->code,
		    STR_FMT(v->text)));
	rr->last_attempt = clock_wall();
	qunit_want(b->unit, &want);
	rr->will_retry_until = env->queued +
	    retry_end(qunit_profile(b->unit), &want, v->tls);
}

static void
was_read(void *arg, struct str content, const struct err *why)
{
	struct pool *pool;
	struct bounce *b;

	OBJ_CAST(b, arg, BOUNCE_MAGIC);
	pool = b->pool;
	if (why != NULL) {
		log_warning("MID %llu: content unreadable, its report goes "
		    "without: %s", (unsigned long long)qunit_mid(b->unit),
		    why->text);
		content = STR("");
	}
	write_report(b, content);
	body_unref(&b->body);
	OBJ_FINI(b);
	pool_destroy(&pool);
}

static struct str
with_header(const struct bounce *b, struct str rest)
{
	struct str head = b->edited.head;
	char *all;

	if (head.n == 0)
		return rest;
	all = pool_alloc(b->pool, head.n + rest.n);
	memcpy(all, head.p, head.n);
	if (rest.n > 0)
		memcpy(all + head.n, rest.p, rest.n);
	return str_n(all, head.n + rest.n);
}

static void
write_report(struct bounce *b, struct str content)
{
	struct relay *r = b->relay;
	const struct relay_conf *conf = r->gen->conf;
	const struct envelope *of = qunit_env(b->unit);
	struct report rep = {
		.kind = b->kind,
		.hostname = conf->hostname,
		.postmaster = conf->postmaster,
		.to = alternate(b),
		.plain = qunit_profile(b->unit)->plain,
		/* It goes without REQUIRETLS, which hardly a way back has. */
		.redacted = (of->flags & ENV_REQUIRETLS) != 0,
		.mid = ids_next(r->w.ids, SHM_MID),
		.now = clock_wall(),
		.env = of,
		.rcpt = b->rcpt,
		.nrcpt = b->n,
		.bound = conf->return_bound,
	};
	struct body_ref *body;
	struct envelope *env;
	struct buf text;
	bool utf8 = false;

	content = with_header(b, content);
	if (content.n > conf->return_bound)
		content.n = conf->return_bound;
	rep.content = content;
	rep.content_whole = content.n == b->edited.size;
	buf_init(&text, 64 * 1024);
	if (report_build(&text, &rep, &utf8) == -1)
		panic("a report of over 64 KB");
	body = body_new(r->w.store, written, NULL);
	(void)body_write(body, buf_p(&text), buf_len(&text));
	body_finish(body);
	env = make_envelope(b, rep.mid, utf8);
	env->size = buf_len(&text);
	buf_fini(&text);
	relay_count(r, M_REPORTS, 1);
	queue_generate(r->queue, b->unit, env, body);
}

/* Who asked to be told of success or waits is told so. */
static const struct addr *
alternate(const struct bounce *b)
{
	return b->kind == REPORT_FAILED ?
	    qunit_profile(b->unit)->alternate : NULL;
}

static struct envelope *
make_envelope(const struct bounce *b, uint64_t mid, bool utf8)
{
	const struct addr *to = alternate(b) != NULL ? alternate(b) :
	    &qunit_env(b->unit)->sender;
	struct envelope *env = envelope_new();
	struct rcpt *rc;

	env->mid = mid;
	env->queued = clock_wall();
	env->sender.full = STR("");
	env->sender.local = STR("");
	env->sender.domain = STR("");
	env->flags = ENV_GENERATED;
	if (utf8)
		env->flags |= ENV_SMTPUTF8 | ENV_8BITMIME;
	env->envid = env->client_ip = env->helo = env->auth = STR("");
	env->listener = "";
	rc = envelope_add_rcpt(env, to, STR(""), 0);
	rc->want = want_of_report(b, env->pool);
	return env;
}

/* What required TLS protected is not returned with less. Names, pins and
 * deadline were those of the other destination. */
static struct str
want_of_report(const struct bounce *b, struct pool *pool)
{
	struct tlswant want = { .match = TLSWANT_MATCH_MX };
	struct queue_want of;
	struct buf text;
	struct str s;

	qunit_want(b->unit, &of);
	if (!retry_report_bound(of.level))
		return STR("");
	want.level = of.level;
	buf_init(&text, RCPT_WANT_MAX);
	tlswant_write(&want, &text);
	s = pool_str(pool, buf_str(&text));
	buf_fini(&text);
	return s;
}

/* A report is smaller than what a body keeps in memory; errors come out of
 * the commit. */
static void
written(void *arg ATTR_UNUSED, const struct err *why ATTR_UNUSED)
{
}
