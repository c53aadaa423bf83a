#include "smtp/smtpc.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "mail/addr.h"
#include "mail/status.h"
#include "smtp/smtpc_priv.h"

/* A peer that takes fewer octets than this in a step's time is stalled. */
enum { PROGRESS = 1024 };
enum { MAIL_MAX = ADDR_PATH_MAX + 32 };

static const unsigned patience_of[SMTPC_STEPS] = {
#define STEP(id, seconds, phrase) seconds,
#include "tbl/steps.h"
#undef STEP
};

static const char *const phrases[SMTPC_STEPS] = {
#define STEP(id, seconds, phrase) phrase,
#include "tbl/steps.h"
#undef STEP
};

#define TO(id) (1u << SMTPC_AT_##id)

/* Where each step may lead; the same step again is always right. */
static const unsigned may_lead_to[SMTPC_STEPS] = {
	[SMTPC_AT_CONNECT] = TO(BANNER) | TO(HANDSHAKE),
	[SMTPC_AT_BANNER] = TO(EHLO),
	[SMTPC_AT_EHLO] = TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(READY),
	[SMTPC_AT_HELO] = TO(READY),
	[SMTPC_AT_STARTTLS] = TO(HANDSHAKE) | TO(READY),
	[SMTPC_AT_HANDSHAKE] = TO(BANNER) | TO(EHLO),
	[SMTPC_AT_AUTH] = TO(READY),
	[SMTPC_AT_READY] = TO(RSET) | TO(MAIL) | TO(QUIT),
	[SMTPC_AT_RSET] = TO(MAIL) | TO(READY),
	[SMTPC_AT_MAIL] = TO(RCPT) | TO(READY),
	[SMTPC_AT_RCPT] = TO(DATA) | TO(READY),
	[SMTPC_AT_DATA] = TO(CONTENT) | TO(DOT) | TO(READY),
	[SMTPC_AT_CONTENT] = TO(DOT),
	[SMTPC_AT_DOT] = TO(READY),
};

static void on_connected(void *arg, struct stream *s, const struct err *why);
static void on_input(void *arg);
static void on_drained(void *arg);
static void on_closed(void *arg, enum stream_end how, const struct err *why);
static void on_timer(void *arg);
static void on_soon(void *arg);
static void have_reply(struct smtpc *c);
static void dispatch(struct smtpc *c, const struct smtpc_reply *r);
static void quit_anyhow(struct smtpc *c);
static void let_go(struct smtpc *c);
static void free_now(void *arg);

static const struct stream_ops stream_ops = {
	.input = on_input,
	.drained = on_drained,
	.closed = on_closed,
};

struct smtpc *
smtpc_new(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg)
{
	struct smtpc *c = smtpc_alloc(l, conf, ops, arg);

	smtpc_patience(c);
	/* Our timer knows that it is a timeout, so it shall be the first. */
	c->connecting = stream_connect(l, &c->conf.to,
	    c->conf.from.len == 0 ? NULL : &c->conf.from,
	    c->timer.node.key - clock_now() + SECONDS(1), on_connected, c);
	return c;
}

struct smtpc *
smtpc_alloc(struct loop *l, const struct smtpc_conf *conf,
    const struct smtpc_ops *ops, void *arg)
{
	struct smtpc *c;

	OBJ_NEW(c, SMTPC_MAGIC);
	c->loop = l;
	c->conf = *conf;
	c->ops = ops;
	c->arg = arg;
	c->step = SMTPC_AT_CONNECT;
	loop_timer_init(l, &c->timer, on_timer, c);
	loop_timer_init(l, &c->soon, on_soon, c);
	replyin_init(&c->in);
	return c;
}

void
smtpc_adopt(struct smtpc *c, struct stream *s)
{
	on_connected(c, s, NULL);
}

void
smtpc_quit(struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	if (c->ended)
		return;
	if (c->step != SMTPC_AT_READY || smtpc_unasked(c)) {
		smtpc_soon(c, quit_anyhow);
		return;
	}
	smtpc_command(c, SMTPC_AT_QUIT, STR("QUIT\r\n"));
}

void
smtpc_destroy(struct smtpc **cp)
{
	struct smtpc *c = *cp;

	if (c == NULL)
		return;
	OBJ_CHECK(c, SMTPC_MAGIC);
	*cp = NULL;
	c->ended = true;
	let_go(c);
	loop_defer(c->loop, free_now, c);
}

void
smtpc_mail(struct smtpc *c, struct str sender)
{
	struct buf line;

	OBJ_CHECK(c, SMTPC_MAGIC);
	ASSERT(smtpc_is_ready(c) && sender.n <= ADDR_PATH_MAX);
	buf_init(&line, MAIL_MAX);
	(void)buf_printf(&line, "MAIL FROM:<%.*s>\r\n", STR_FMT(sender));
	smtpc_command(c, SMTPC_AT_MAIL, buf_str(&line));
	buf_fini(&line);
}

bool
smtpc_is_ready(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return !c->ended && c->step == SMTPC_AT_READY;
}

const struct tls_info *
smtpc_tls(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return c->tls_up ? tlsio_info(c->tls) : NULL;
}

const struct tlsio *
smtpc_tlsio(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return c->tls;
}

const struct stream *
smtpc_stream(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return c->stream;
}

bool
smtpc_offers_dsn(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return c->caps.dsn;
}

unsigned
smtpc_messages(const struct smtpc *c)
{
	OBJ_CHECK(c, SMTPC_MAGIC);
	return c->messages;
}

const char *
smtpc_step_phrase(enum smtpc_step step)
{
	ASSERT(step < SMTPC_STEPS);
	return phrases[step];
}

/* The only writer of c->step. */
void
smtpc_set_step(struct smtpc *c, enum smtpc_step step)
{
	if (step != c->step) {
		ASSERT((may_lead_to[c->step] & (1u << step)) != 0);
		log_debug("smtpc %p: no longer %s, now %s", (void *)c,
		    phrases[c->step], phrases[step]);
		c->step = step;
	}
	smtpc_patience(c);
}

void
smtpc_patience(struct smtpc *c)
{
	double scale = c->conf.timeout_scale;
	msec wait = SECONDS(patience_of[c->step]);

	if (wait == 0) {
		loop_timer_clear(&c->timer);
		return;
	}
	if (scale > 0)
		wait = (msec)((double)wait * scale);
	c->out_seen = c->stream == NULL ? 0 : stream_bytes_out(c->stream);
	loop_timer_set(&c->timer, wait > 0 ? wait : 1);
}

bool
smtpc_unasked(const struct smtpc *c)
{
	return replyin_begun(&c->in) || stream_in(c->stream).n > 0;
}

void
smtpc_command(struct smtpc *c, enum smtpc_step step, struct str line)
{
	if (smtpc_unasked(c)) {
		smtpc_end_protocol(c, "reply to nothing");
		return;
	}
	stream_write(c->stream, line.p, line.n);
	if (c->ops->said != NULL)
		c->ops->said(c->arg, NULL, line);
	smtpc_set_step(c, step);
}

void
smtpc_soon(struct smtpc *c, void (*fn)(struct smtpc *c))
{
	c->soon_fn = fn;
	loop_timer_set(&c->soon, 0);
}

void
smtpc_set_ready(struct smtpc *c)
{
	c->run.txn = NULL;
	smtpc_set_step(c, SMTPC_AT_READY);
}

void
smtpc_end(struct smtpc *c, const struct smtpc_reply *r, bool quit)
{
	ASSERT(!c->ended);
	c->ended = true;
	if (quit && c->stream != NULL) {
		stream_write(c->stream, "QUIT\r\n", 6);
		if (c->ops->said != NULL)
			c->ops->said(c->arg, NULL, STR("QUIT\r\n"));
	}
	let_go(c);
	c->ops->closed(c->arg, r);
}

void
smtpc_end_fail(struct smtpc *c, enum smtpc_fail fail, bool quit,
    const char *enh, const char *fmt, ...)
{
	struct smtpc_reply r;
	char text[sizeof(((struct err *)NULL)->text)];
	struct err e = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)err_set(&e, 0, enh, "%s", text);
	r = smtpc_reply_made(c, fail, &e);
	smtpc_end(c, &r, quit);
}

/* Nothing is said to a peer that talks nonsense: who knows what it hears. */
void
smtpc_end_protocol(struct smtpc *c, const char *what)
{
	smtpc_end_fail(
	    c, SMTPC_FAIL_PROTOCOL, false, "4.5.0", "protocol error: %s", what);
}

struct smtpc_reply
smtpc_reply_made(
    const struct smtpc *c, enum smtpc_fail fail, const struct err *e)
{
	struct smtpc_reply r = { .step = c->step, .fail = fail };

	(void)str_copy(r.enh, sizeof(r.enh), str_c(e->enh));
	r.text = str_c(e->text);
	/* What garbles the answer to STARTTLS does not want it. */
	if (c->step == SMTPC_AT_STARTTLS)
		r.tls_reason = TLSR_BLOCKED;
	return r;
}

void
smtpc_keep(struct smtpc *c, const struct smtpc_reply *r)
{
	c->kept = *r;
	(void)str_copy(c->kept_text, sizeof(c->kept_text), r->text);
	c->kept.text = str_c(c->kept_text);
}

static void
on_connected(void *arg, struct stream *s, const struct err *why)
{
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	c->connecting = NULL;
	if (s == NULL) {
		smtpc_end_fail(
		    c, SMTPC_FAIL_NETWORK, false, "4.4.1", "%s", why->text);
		return;
	}
	c->stream = s;
	stream_ops_set(s, &stream_ops, c);
	c->ops->connected(c->arg);
	if (c->ended)
		return;
	if (c->conf.implicit_tls)
		smtpc_tls_handshake(c);
	else
		smtpc_set_step(c, SMTPC_AT_BANNER);
}

static void
on_input(void *arg)
{
	enum replyin_status st;
	struct err why = ERR_INIT;
	struct smtpc *c;
	struct str in;
	size_t used;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	while (!c->ended && (in = stream_in(c->stream)).n > 0) {
		if (c->step == SMTPC_AT_HANDSHAKE)
			return;
		st = replyin_feed(&c->in, in.p, in.n,
		    c->step == SMTPC_AT_EHLO ? REPLYIN_EHLO_LINES_MAX
					     : REPLYIN_LINES_MAX,
		    &used, &why);
		if (st == REPLYIN_BAD) {
			smtpc_end_fail(c, SMTPC_FAIL_PROTOCOL, false, why.enh,
			    "%s", why.text);
			return;
		}
		stream_consume(c->stream, used);
		if (st == REPLYIN_DONE)
			have_reply(c);
	}
}

static void
have_reply(struct smtpc *c)
{
	struct smtpc_reply r = { .code = c->in.code, .step = c->step };
	struct str rest;

	r.text = rest = buf_str(&c->in.text);
	if (!status_parse_enh(&rest, r.code, r.enh, sizeof(r.enh)))
		r.enh[0] = '\0';
	if (c->ops->said != NULL)
		c->ops->said(c->arg, &r, STR_NULL);
	/* The peer goes, whatever was asked. STARTTLS has its own verdict. */
	if (r.code == 421 && c->step != SMTPC_AT_STARTTLS &&
	    c->step != SMTPC_AT_QUIT)
		smtpc_end(c, &r, false);
	else
		dispatch(c, &r);
	if (!c->ended && c->step == SMTPC_AT_READY)
		replyin_shrink(&c->in);
}

static void
dispatch(struct smtpc *c, const struct smtpc_reply *r)
{
	if (c->step == SMTPC_AT_MAIL && c->run.txn == NULL) {
		smtpc_set_ready(c);
		c->needs_rset = true;
		c->ops->done(c->arg, r);
		return;
	}
	switch (c->step) {
	case SMTPC_AT_BANNER:
		smtpc_hello_banner(c, r);
		return;
	case SMTPC_AT_EHLO:
		smtpc_hello_ehlo(c, r);
		return;
	case SMTPC_AT_HELO:
		smtpc_hello_helo(c, r);
		return;
	case SMTPC_AT_STARTTLS:
		smtpc_tls_answer(c, r);
		return;
	case SMTPC_AT_AUTH:
		smtpc_auth_answer(c, r);
		return;
	case SMTPC_AT_RSET:
	case SMTPC_AT_MAIL:
	case SMTPC_AT_RCPT:
	case SMTPC_AT_DATA:
	case SMTPC_AT_DOT:
		smtpc_txn_answer(c, r);
		return;
	case SMTPC_AT_CONTENT:
		smtpc_txn_early(c, r);
		return;
	case SMTPC_AT_QUIT:
		smtpc_end(c, NULL, false);
		return;
	case SMTPC_AT_READY:
		smtpc_end_protocol(c, "reply to nothing");
		return;
	case SMTPC_AT_CONNECT:
	case SMTPC_AT_HANDSHAKE:
	case SMTPC_STEPS:
		break;
	}
	panic("reply at step %d", (int)c->step);
}

static void
on_drained(void *arg)
{
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (!c->ended)
		smtpc_txn_drained(c);
}

static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	static const struct err lost = { 0, "4.4.2", "connection lost" };
	enum smtpc_fail fail =
	    how == STREAM_RESET ? SMTPC_FAIL_NETWORK : SMTPC_FAIL_LOST;
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (c->ended)
		return;
	if (why == NULL || why->text[0] == '\0')
		why = &lost;
	if (c->step == SMTPC_AT_QUIT)
		smtpc_end(c, NULL, false);
	else if (c->step == SMTPC_AT_HANDSHAKE)
		smtpc_tls_broken(c, how, why);
	else if (c->step == SMTPC_AT_STARTTLS)
		smtpc_tls_cut(c, fail, why);
	else if (!smtpc_tls_disowned(c))
		smtpc_end_fail(c, fail, false, "4.4.2", "%s", why->text);
}

static void
on_timer(void *arg)
{
	static const struct err late = { 0, "4.4.2", "timed out" };
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (c->stream != NULL && stream_out_len(c->stream) > 0 &&
	    stream_bytes_out(c->stream) - c->out_seen >= PROGRESS) {
		smtpc_patience(c);
		return;
	}
	if (c->step == SMTPC_AT_CONTENT && c->run.source_late &&
	    stream_out_len(c->stream) == 0) {
		smtpc_patience(c); /* it is we who are late */
		return;
	}
	if (c->step == SMTPC_AT_QUIT)
		smtpc_end(c, NULL, false);
	else if (c->step == SMTPC_AT_HANDSHAKE)
		smtpc_tls_late(c);
	else if (c->step == SMTPC_AT_STARTTLS)
		smtpc_tls_cut(c, SMTPC_FAIL_TIMEOUT, &late);
	else
		smtpc_end_fail(
		    c, SMTPC_FAIL_TIMEOUT, false, late.enh, "%s", late.text);
}

static void
on_soon(void *arg)
{
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (!c->ended)
		c->soon_fn(c);
}

static void
quit_anyhow(struct smtpc *c)
{
	smtpc_end(c, NULL, true);
}

static void
let_go(struct smtpc *c)
{
	loop_timer_clear(&c->timer);
	loop_timer_clear(&c->soon);
	stream_connect_cancel(&c->connecting);
	stream_destroy(&c->stream);
	c->tls = NULL;
	c->tls_up = false;
	c->run.txn = NULL;
}

static void
free_now(void *arg)
{
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	replyin_fini(&c->in);
	OBJ_FREE(c);
}
