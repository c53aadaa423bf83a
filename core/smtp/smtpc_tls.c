/*
 * STARTTLS and the handshake (RFC 3207; requirements.md 3.1).
 *
 * Three ends: TLS is up; it was not to be had before the 220, and the want
 * allows to go on in clear; or the connection ends. After a 220 there is
 * never clear text on this connection, whatever the want. Each way to fail
 * has its tls_reason here or in tlsio.
 */
#include <arpa/inet.h>

#include "base/obj.h"
#include "smtp/smtpc_priv.h"
#include "tls/tlsfail.h"

static void handshake_done(void *arg, bool ok, const struct err *why);
static bool is_host_name(const char *host);
static struct smtpc_reply refusal(const struct smtpc *c,
    enum tls_reason reason, const struct err *text,
    const struct smtpc_reply *said);
static void failed(struct smtpc *c, const struct tls_failure *f);
static void failure_text(const struct tls_failure *f, struct err *text_r);

bool
smtpc_tls_wanted(const struct smtpc *c)
{
	enum tlswant_level level = c->conf.want.level;

	if (c->tls_up || level == TLSWANT_NONE)
		return false;
	return !(c->conf.avoid_tls && tlswant_clear_ok(level));
}

void
smtpc_tls_begin(struct smtpc *c)
{
	static const char masked[] =
	    "STARTTLS not offered (masked; a middlebox is suspected)";

	if (!smtpc_tls_wanted(c))
		smtpc_auth_begin(c);
	else if (c->caps.starttls && c->conf.tlsctx != NULL)
		smtpc_command(c, SMTPC_AT_STARTTLS, STR("STARTTLS\r\n"));
	else if (!c->caps.starttls && c->caps.masked)
		smtpc_tls_refused(c, TLSR_BLOCKED, masked, NULL);
	else if (tlswant_clear_ok(c->conf.want.level))
		smtpc_auth_begin(c); /* nothing unusual */
	else if (c->caps.starttls)
		smtpc_tls_refused(c, TLSR_UNAVAILABLE, NULL, NULL);
	else
		smtpc_tls_refused(c, TLSR_NO_STARTTLS, NULL, NULL);
}

void
smtpc_tls_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	struct tls_failure f;

	if (r->code / 100 == 2) {
		c->in_seen = stream_bytes_in(c->stream);
		/* RFC 3207 6, CVE-2011-0411: what stands behind the 220 was
		 * said by somebody else. */
		if (smtpc_unasked(c)) {
			smtpc_set_step(c, SMTPC_AT_HANDSHAKE);
			tls_failure_set(&f, TLSR_INJECTION,
			    tls_reason_text(TLSR_INJECTION));
			failed(c, &f);
			return;
		}
		smtpc_tls_handshake(c);
		return;
	}
	/* Offered, and now unknown: that is not one host speaking. */
	if (r->code == 500 || r->code == 502)
		smtpc_tls_refused(
		    c, TLSR_BLOCKED, tls_reason_text(TLSR_REFUSED), r);
	else
		smtpc_tls_refused(c, TLSR_REFUSED, NULL, r);
}

void
smtpc_tls_handshake(struct smtpc *c)
{
	struct tlsio_client client = { .want = &c->conf.want };

	if (c->conf.tlsctx == NULL) {
		smtpc_tls_refused(c, TLSR_UNAVAILABLE, NULL, NULL);
		return;
	}
	client.domain = c->conf.domain;
	client.sni = is_host_name(c->conf.host) ? c->conf.host : NULL;
	client.refs = c->conf.refs;
	client.trust = c->conf.trust;
	client.cert = c->conf.cert;
	client.step = c->conf.tls_step;
	client.session = c->conf.tls_session;
	c->caps = (struct smtpc_caps){ 0 };
	c->in_seen = stream_bytes_in(c->stream);
	smtpc_set_step(c, SMTPC_AT_HANDSHAKE);
	c->tls =
	    tlsio_start(c->stream, c->conf.tlsctx, &client, handshake_done, c);
}

/* Before the 220: goes on in clear, or ends. text NULL: that of the reason. */
void
smtpc_tls_refused(struct smtpc *c, enum tls_reason reason, const char *text,
    const struct smtpc_reply *said)
{
	struct smtpc_reply r;
	struct err e;

	(void)err_set(&e, 0, tls_reason_status(reason), "%s",
	    text != NULL ? text : tls_reason_text(reason));
	r = refusal(c, reason, &e, said);
	c->ops->tls(c->arg, NULL, &r);
	if (c->ended)
		return;
	if (smtpc_clear_here(c->conf.want.level, c->conf.implicit_tls,
	    r.code)) {
		smtpc_auth_begin(c);
		return;
	}
	smtpc_end(c, &r, !c->conf.implicit_tls && r.code != 421);
}

/* Inside TLS, so that it is no matter of how to have it. */
void
smtpc_tls_lacks(struct smtpc *c, enum tls_reason reason)
{
	struct smtpc_reply r;
	struct err e;

	(void)err_set(&e, 0, tls_reason_status(reason), "%s",
	    tls_reason_text(reason));
	r = refusal(c, reason, &e, NULL);
	r.tls_begun = true;
	smtpc_end(c, &r, true);
}

bool
smtpc_clear_here(enum tlswant_level level, bool implicit_tls, int code)
{
	return tlswant_clear_ok(level) && !implicit_tls && code != 421 &&
	    code / 100 != 3;
}

/* The connection went between STARTTLS and its answer. */
void
smtpc_tls_cut(struct smtpc *c, enum smtpc_fail fail, const struct err *why)
{
	struct smtpc_reply r;
	struct err e = ERR_INIT;

	(void)err_set(&e, 0, tls_reason_status(TLSR_BLOCKED), "%s (%s)",
	    tls_reason_text(TLSR_BLOCKED), why->text);
	r = refusal(c, TLSR_BLOCKED, &e, NULL);
	r.fail = fail;
	c->ops->tls(c->arg, NULL, &r);
	if (!c->ended)
		smtpc_end(c, &r, false);
}

void
smtpc_tls_broken(struct smtpc *c, enum stream_end how, const struct err *why)
{
	struct tls_failure f;

	if (how == STREAM_RESET)
		tls_failure_broken(&f, why);
	else
		tls_failure_set(&f, TLSR_RESET, why->text);
	failed(c, &f);
}

/* A peer that does not answer the first flight at all may never see it. */
void
smtpc_tls_late(struct smtpc *c)
{
	bool silent = stream_bytes_in(c->stream) == c->in_seen;
	struct tls_failure f;

	if (silent && !c->conf.implicit_tls)
		tls_failure_set(
		    &f, TLSR_BLOCKED, "no answer to the client hello");
	else
		tls_failure_set(&f, TLSR_TIMEOUT, "timed out");
	failed(c, &f);
}

/* In TLS 1.3 we are done before the peer has seen our certificate, or that we
 * have none; its alert comes in place of its first words. */
bool
smtpc_tls_disowned(struct smtpc *c)
{
	struct tls_failure f;

	if (!c->tls_up ||
	    (c->step != SMTPC_AT_EHLO && c->step != SMTPC_AT_BANNER))
		return false;
	f = *tlsio_failure(c->tls);
	if (f.reason == TLSR_NONE || f.alert < 0 || f.alert_sent)
		return false;
	failed(c, &f);
	return true;
}

static struct smtpc_reply
refusal(const struct smtpc *c, enum tls_reason reason, const struct err *text,
    const struct smtpc_reply *said)
{
	struct smtpc_reply r =
	    smtpc_reply_made(c, SMTPC_FAIL_TLS_REFUSED, text);

	r.tls_reason = reason;
	r.tls_begun = c->conf.implicit_tls;
	if (said != NULL) {
		r.code = said->code;
		r.said = said->text;
	}
	return r;
}

static void
failed(struct smtpc *c, const struct tls_failure *f)
{
	struct smtpc_reply r;
	struct err e;

	failure_text(f, &e);
	r = smtpc_reply_made(c, SMTPC_FAIL_TLS, &e);
	r.tls_reason = f->reason;
	r.tls_begun = true;
	r.tls_cert = c->tls != NULL && tlsio_info(c->tls)->peer_cert;
	r.tls_failure = f;
	c->ops->tls(c->arg, NULL, &r);
	if (!c->ended)
		smtpc_end(c, &r, false);
}

static void
failure_text(const struct tls_failure *f, struct err *text_r)
{
	const char *status = tls_reason_status(f->reason);
	const char *text = tls_reason_text(f->reason);

	if (f->alert >= 0 && !f->alert_sent)
		(void)err_set(text_r, 0, status, "%s (%s)", text,
		    tls_alert_name(f->alert));
	else if (f->names[0] != '\0')
		(void)err_set(text_r, 0, status, "%s: %s", text, f->names);
	else
		(void)err_set(text_r, 0, status, "%s", text);
}

/* Verification is tlsio's; that it happened is asserted here once more. */
static void
handshake_done(void *arg, bool ok, const struct err *why)
{
	struct tls_failure f;
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (c->ended)
		return;
	if (ok && tlswant_insists(c->conf.want.level) &&
	    !tlsio_info(c->tls)->verified) {
		tls_failure_set(&f, TLSR_INVALID, "certificate not verified");
		failed(c, &f);
		return;
	}
	if (!ok) {
		f = *tlsio_failure(c->tls);
		if (f.reason == TLSR_NONE)
			tls_failure_set(&f, TLSR_PROTOCOL, why->text);
		failed(c, &f);
		return;
	}
	c->tls_up = true;
	c->ops->tls(c->arg, tlsio_info(c->tls), NULL);
	if (c->ended)
		return;
	if (c->conf.implicit_tls)
		smtpc_set_step(c, SMTPC_AT_BANNER);
	else
		smtpc_hello_begin(c);
}

/* RFC 6066 3: no literal addresses in SNI. */
static bool
is_host_name(const char *host)
{
	unsigned char ip[sizeof(struct in6_addr)];

	return host != NULL && host[0] != '\0' && host[0] != '[' &&
	       inet_pton(AF_INET, host, ip) != 1 &&
	       inet_pton(AF_INET6, host, ip) != 1;
}
