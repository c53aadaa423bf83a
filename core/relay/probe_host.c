/*
 * One host of a tester: its connections, one after the other.
 *
 * The first goes through all stages. If the handshake fails, smaller offers are
 * made as delivery would for those who insist least. What other wants make of
 * the certificate is found out while it is there.
 */
#include <string.h>

#include "base/obj.h"
#include "relay/probe_priv.h"
#include "relay/relay_priv.h"
#include "tls/certchain.h"
#include "tls/tlspeer.h"

static void on_reverse(void *arg, const char *name, bool verified);
static void on_next(void *arg);
static void soon(struct probe_try *t, void (*then)(struct probe_try *t));
static void first(struct probe_try *t);
static void again(struct probe_try *t);
static const struct tlsref *refs_of(const struct probe_try *t,
    const struct tlswant *want);
static void on_connected(void *arg);
static void on_said(void *arg, const struct smtpc_reply *r, struct str line);
static void on_tls(void *arg, const struct tls_info *info,
    const struct smtpc_reply *why);
static void on_ready(void *arg);
static void on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r);
static void on_done(void *arg, const struct smtpc_reply *r);
static void on_closed(void *arg, const struct smtpc_reply *r);
static void keep_info(struct probe_try *t, const struct tls_info *info);
static void keep_checks(struct probe_try *t);
static void keep_check(struct probe_try *t, const struct tlswant *w);
static void keep_chain(struct probe_try *t);
static void stage(struct probe_try *t, enum probe_stage s, bool ok);
static void note_reply(struct probe_try *t, const struct smtpc_reply *r);
static void note(struct probe_try *t, enum probe_who who, struct str text);

static const struct smtpc_ops client_ops = {
	.connected = on_connected,
	.said = on_said,
	.tls = on_tls,
	.ready = on_ready,
	.rcpt = on_rcpt,
	.done = on_done,
	.closed = on_closed,
};

void
probe_try_start(struct probe_try *t)
{
	struct probe *p = t->probe;

	t->running = true;
	loop_timer_init(p->conf.loop, &t->next, on_next, t);
	t->want = p->conf.want;
	t->want.level = TLSWANT_PREFERRED_VERIFY;
	if (refs_need_ptr(&t->want))
		t->reverse = mx_reverse(p->conf.dns, &t->addr, on_reverse, t);
	else
		soon(t, first);
}

void
probe_try_stop(struct probe_try *t)
{
	OBJ_CHECK(t, PROBE_TRY_MAGIC);
	if (!t->running)
		return;
	t->running = false;
	mx_reverse_cancel(&t->reverse);
	loop_timer_clear(&t->next);
	smtpc_destroy(&t->client);
}

static void
on_reverse(void *arg, const char *name, bool verified)
{
	struct probe_try *t;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	(void)verified;
	t->reverse = NULL;
	t->h->ptr = name == NULL ? NULL : pool_strdup(t->probe->pool, name);
	soon(t, first);
}

/* From the loop, so that no client ends inside its own call. */
static void
soon(struct probe_try *t, void (*then)(struct probe_try *t))
{
	t->then = then;
	loop_timer_set(&t->next, 0);
}

static void
on_next(void *arg)
{
	struct probe_try *t;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	t->then(t);
}

static void
first(struct probe_try *t)
{
	struct probe *p = t->probe;
	struct smtpc_conf *c = &t->conf;
	bool v6 = t->addr.sa.sa_family == AF_INET6;

	c->want = t->want;
	c->helo = p->conf.helo;
	c->to = t->addr;
	c->from = v6 ? p->conf.bind_v6 : p->conf.bind_v4;
	c->host = t->h->name;
	c->domain = str_c(p->report.domain);
	c->tlsctx = p->conf.tlsctx;
	c->trust = p->conf.trust;
	c->refs = refs_of(t, &c->want);
	c->tls_step = t->step;
	c->implicit_tls = p->conf.implicit_tls;
	c->timeout_scale = p->conf.timeout_scale;
	t->tls_up = t->helo = t->once_more = false;
	clock_update();
	t->begun = t->last = clock_now();
	smtpc_destroy(&t->client);
	t->client = smtpc_new(p->conf.loop, c, &client_ops, t);
}

static const struct tlsref *
refs_of(const struct probe_try *t, const struct tlswant *want)
{
	struct refs_host rh = { .domain = str_c(t->probe->report.domain),
		.host = t->h->name, .route = t->h->route,
		.secure = t->h->secure, .ptr = t->h->ptr };

	return refs_make(want, &rh, t->probe->pool);
}

/* Behind a connection: the next, or the end. */
static void
again(struct probe_try *t)
{
	if (t->once_more) {
		first(t);
		return;
	}
	smtpc_destroy(&t->client);
	t->running = false;
	probe_try_ended(t);
}

static void
on_connected(void *arg)
{
	const struct stream *s;
	char text[SOCK_TEXT_MAX], local[SOCK_IP_MAX];
	struct probe_try *t;
	struct buf b;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	stage(t, PROBE_ANSWER, true);
	s = smtpc_stream(t->client);
	t->h->local = pool_strdup(t->probe->pool,
	    sock_addr_ip_text(stream_local(s), local, sizeof(local)));
	buf_init(&b, PROBE_TEXT_MAX);
	if (t->conf.tls_step > TLS_STEP_FULL)
		(void)buf_printf(&b, "Once more, with a smaller offer (step %u "
		    "of %d): ", (unsigned)t->conf.tls_step + 1, TLS_STEPS);
	(void)buf_printf(&b, "Connected to %s from interface %s",
	    sock_addr_text(&t->addr, text, sizeof(text)), local);
	note(t, PROBE_NOTE, buf_str(&b));
	buf_fini(&b);
}

static void
on_said(void *arg, const struct smtpc_reply *r, struct str line)
{
	struct probe_try *t;
	bool ok;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	if (r == NULL) {
		if (line.n >= 2)
			line.n -= 2; /* CRLF */
		note(t, PROBE_SENT, line);
		return;
	}
	note_reply(t, r);
	ok = r->code / 100 == 2;
	switch (r->step) {
	case SMTPC_AT_BANNER:
		stage(t, PROBE_CONNECT, ok);
		break;
	case SMTPC_AT_EHLO:
		t->helo = !ok;
		if (t->tls_up)
			stage(t, PROBE_SECURE, ok);
		if (!t->tls_up || t->conf.implicit_tls)
			stage(t, PROBE_HELO, ok);
		break;
	case SMTPC_AT_HELO:
		stage(t, PROBE_HELO, ok);
		break;
	default: /* the other steps are told of by other calls */
		break;
	}
}

static void
on_tls(void *arg, const struct tls_info *info, const struct smtpc_reply *why)
{
	/* Who wants least goes down the ladder farthest. */
	static const struct tlswant anything = { .level =
	    TLSWANT_OPPORTUNISTIC };
	enum tls_step next;
	struct probe_host *h;
	struct probe_try *t;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	h = t->h;
	t->tls_up = info != NULL;
	stage(t, PROBE_TLS, info != NULL);
	if (info != NULL) {
		h->no_tls = TLSR_NONE;
		h->step = t->conf.tls_step;
		keep_info(t, info);
		keep_chain(t);
		keep_checks(t);
		stage(t, PROBE_CERT, info->verified);
		return;
	}
	if (h->no_tls == TLSR_NONE)
		h->no_tls = h->first = why->tls_reason;
	h->begun = h->begun || why->tls_begun;
	next = conn_tls_next(&anything, t->step, why);
	t->once_more = next != t->step;
	t->step = next;
	note(t, PROBE_NOTE, why->text);
	if (why->tls_failure != NULL && why->tls_failure->text[0] != '\0')
		note(t, PROBE_NOTE, str_c(why->tls_failure->text));
	keep_chain(t);
}

static void
keep_info(struct probe_try *t, const struct tls_info *info)
{
	struct pool *pool = t->probe->pool;
	struct probe_host *h = t->h;
	struct probe_check *c = &h->check[0];
	const struct tlsref *ref = t->conf.refs;
	struct probe_ref *v;
	unsigned n = 0;

	h->version = pool_strdup(pool, info->version);
	h->cipher = pool_strdup(pool, info->cipher);
	h->group = pool_strdup(pool, info->group);
	h->bits = info->bits;
	h->alg_bits = info->alg_bits;
	h->ncheck = 1;
	c->want = t->probe->report.want;
	c->verified = info->verified;
	c->reason = info->reason;
	c->matched = probe_clean(pool, str_c(info->matched));
	c->matched_by = pool_strdup(pool, info->matched_by);
	while (ref[n].name.p != NULL)
		n++;
	v = pool_alloc(pool, (n + 1) * sizeof(*v));
	for (n = 0; ref[n].name.p != NULL; n++)
		v[n] = (struct probe_ref){ probe_clean(pool, ref[n].name),
			pool_printf(pool, "%s:%s", ref[n].how == TLSREF_CN ?
			"cn" : "san", tlsref_kind_word(ref[n].kind)),
			ref[n].how == TLSREF_CN };
	h->ref = v;
	note(t, PROBE_NOTE, str_c(pool_printf(pool, "Converted to TLS: %s, "
	    "%s (%d/%d bits)%s%s", h->version, h->cipher, h->bits,
	    h->alg_bits, h->group[0] != '\0' ? ", key agreement " : "",
	    h->group)));
	note(t, PROBE_NOTE, str_c(c->verified ?
	    pool_printf(pool, "Peer certificate verified: %s (%s)",
	    c->matched, c->matched_by) :
	    pool_printf(pool, "Peer certificate not verified: %s",
	    tls_reason_text(c->reason))));
}

/* What the levels that verify make of the same certificates. */
static void
keep_checks(struct probe_try *t)
{
	static const char *const wants[] = { "required-verify",
		"required-verify-hosted" };
	const struct tlswant *force = t->probe->conf.force;
	struct tlswant w;
	unsigned i;

	for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
		if (tlswant_read(&w, str_c(wants[i]), t->probe->pool,
			NULL) != 0)
			panic("want %s", wants[i]);
		keep_check(t, &w);
	}
	if (force != NULL && tlswant_verifies(force->level))
		keep_check(t, force);
}

static void
keep_check(struct probe_try *t, const struct tlswant *w)
{
	struct pool *pool = t->probe->pool;
	struct probe_host *h = t->h;
	struct probe_check *c;
	struct tlspeer v;

	if (probe_check_find(h, w, pool) != NULL)
		return;
	tlspeer_judge(smtpc_tlsio(t->client), w, refs_of(t, w),
	    t->probe->conf.trust, &v);
	c = &h->check[h->ncheck++];
	c->want = probe_want_text(w, pool);
	c->verified = v.verified;
	c->reason = v.reason;
	c->matched = probe_clean(pool, str_c(v.matched));
	c->matched_by = v.matched_by;
}

/* The chain in the order in which the peer showed it. */
static void
keep_chain(struct probe_try *t)
{
	const struct tlsio *io = smtpc_tlsio(t->client);
	struct certpile *all, *part;
	struct probe_host *h = t->h;
	struct certchain chain;
	struct str der;
	unsigned i, k;

	if (io == NULL || h->cert != NULL)
		return;
	all = certpile_new();
	for (i = 0; tlsio_chain_der(io, i, &der) == 0; i++)
		(void)certpile_read(all, der, "certificate", NULL, NULL);
	h->ncert = certpile_count(all);
	h->cert = pool_alloc(t->probe->pool, (h->ncert + 1) *
	    sizeof(*h->cert));
	for (i = 0; i < h->ncert; i++) {
		certpile_fact(all, i, t->probe->pool, &h->cert[i].fact);
		part = certpile_new();
		for (k = i; k < h->ncert; k++)
			certpile_copy(part, all, k);
		memset(&chain, 0, sizeof(chain));
		chain.pool = t->probe->pool;
		certchain_check(&chain, part, t->probe->conf.roots,
		    clock_wall());
		h->cert[i].validated = chain.verified;
		certpile_destroy(&part);
	}
	certpile_destroy(&all);
}

static void
on_ready(void *arg)
{
	struct probe_host *h;
	struct probe_try *t;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	h = t->h;
	if (!t->tls_up && h->no_tls == TLSR_NONE)
		h->no_tls = t->helo ? TLSR_NO_ESMTP : TLSR_NO_STARTTLS;
	if (!t->tls_up && h->stage[PROBE_TLS].state == PROBE_UNTRIED) {
		stage(t, PROBE_TLS, false);
		note(t, PROBE_NOTE, str_c(tls_reason_text(h->no_tls)));
	}
	smtpc_mail(t->client, str_c(t->probe->conf.sender));
}

/* No recipient is ever named. */
static void
on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r)
{
	(void)arg;
	(void)r;
	panic("answer about recipient %u of none", i);
}

static void
on_done(void *arg, const struct smtpc_reply *r)
{
	struct probe_try *t;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	stage(t, PROBE_FROM, r->code / 100 == 2);
	smtpc_quit(t->client);
}

static void
on_closed(void *arg, const struct smtpc_reply *r)
{
	struct probe_try *t;
	enum probe_stage s;

	OBJ_CAST(t, arg, PROBE_TRY_MAGIC);
	if (r != NULL) {
		t->h->failure = pool_printf(t->probe->pool, "%s, %s",
		    probe_clean(t->probe->pool, r->text),
		    smtpc_step_phrase(r->step));
		/* Nothing came at the stage that was next. */
		for (s = 0; s < PROBE_STAGES; s++) {
			if (t->h->stage[s].state == PROBE_UNTRIED) {
				stage(t, s, false);
				break;
			}
			if (t->h->stage[s].state == PROBE_FAIL &&
			    s != PROBE_CERT)
				break;
		}
		note(t, PROBE_NOTE, str_c(t->h->failure));
		if (r->tls_reason != TLSR_NONE && !t->tls_up &&
		    t->h->no_tls == TLSR_NONE)
			t->h->no_tls = r->tls_reason;
	}
	if (t->h->failure[0] != '\0' && t->tls_up && r == NULL)
		t->h->failure = "";
	soon(t, again);
}

/* The first verdict holds, unless a weaker offer had the better one. */
static void
stage(struct probe_try *t, enum probe_stage s, bool ok)
{
	struct probe_result *r = &t->h->stage[s];
	msec now;

	clock_update();
	now = clock_now();
	if (r->state == PROBE_UNTRIED || (r->state == PROBE_FAIL && ok)) {
		r->state = ok ? PROBE_OK : PROBE_FAIL;
		r->ms = now - t->last;
	}
	t->last = now;
}

/* As it came: the code on every line. */
static void
note_reply(struct probe_try *t, const struct smtpc_reply *r)
{
	struct str rest = r->text, line = STR("");
	struct buf b;

	buf_init(&b, 2 * (size_t)PROBE_TEXT_MAX);
	(void)str_split(&rest, '\n', &line);
	for (;;) {
		(void)buf_printf(&b, "%d%c%.*s", r->code,
		    rest.n > 0 ? '-' : ' ', STR_FMT(line));
		if (rest.n == 0 || !str_split(&rest, '\n', &line))
			break;
		(void)buf_add_char(&b, '\n');
	}
	note(t, PROBE_RECEIVED, buf_str(&b));
	buf_fini(&b);
}

static void
note(struct probe_try *t, enum probe_who who, struct str text)
{
	struct probe_host *h = t->h;
	struct probe_line *l;

	if (h->nline == PROBE_LINES_MAX)
		return;
	clock_update();
	l = &h->line[h->nline++];
	l->at = clock_now() - t->begun;
	l->who = who;
	l->text = probe_clean(t->probe->pool, text);
}
