/*
 * STARTTLS and the handshake (RFC 3207; requirements.md 3.1).
 *
 * Three ends: TLS is up; it was not to be had before the 220, and the want
 * allows to go on in clear; or the connection ends. After a 220 there is
 * never clear text on this connection, whatever the want.
 */
#include <arpa/inet.h>

#include "base/obj.h"
#include "smtp/smtpc_priv.h"

static void handshake_done(void *arg, bool ok, const struct err *why);
static bool is_host_name(const char *host);
static void tell_refusal(struct smtpc *c, const char *what);

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
	bool clear_ok = tlswant_clear_ok(c->conf.want.level);

	if (!smtpc_tls_wanted(c))
		smtpc_auth_begin(c);
	else if (c->caps.starttls && c->conf.tlsctx != NULL)
		smtpc_command(c, SMTPC_AT_STARTTLS, STR("STARTTLS\r\n"));
	else if (clear_ok)
		smtpc_auth_begin(c);
	else if (!c->caps.starttls)
		smtpc_tls_refused(c, "STARTTLS not offered");
	else
		smtpc_tls_refused(c, "TLS is not available here");
}

void
smtpc_tls_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	static const char refused[] = "STARTTLS unexpected response";

	if (r->code / 100 == 2) {
		/* RFC 3207 6, CVE-2011-0411: what stands behind the 220 was
		 * said by somebody else. */
		if (smtpc_unasked(c))
			smtpc_end_protocol(c, "clear text behind STARTTLS");
		else
			smtpc_tls_handshake(c);
		return;
	}
	if (r->code / 100 == 3) {
		smtpc_end_protocol(c, "unexpected 3yz reply");
		return;
	}
	if (!tlswant_clear_ok(c->conf.want.level)) {
		smtpc_tls_refused(c, refused);
		return;
	}
	tell_refusal(c, refused);
	if (c->ended)
		return;
	if (r->code == 421)
		smtpc_end(c, r, false);
	else
		smtpc_auth_begin(c);
}

void
smtpc_tls_handshake(struct smtpc *c)
{
	struct tlsio_client client = { .want = &c->conf.want };

	if (c->conf.tlsctx == NULL) {
		smtpc_tls_refused(c, "TLS is not available here");
		return;
	}
	client.domain = c->conf.domain;
	client.sni = is_host_name(c->conf.host) ? c->conf.host : NULL;
	c->caps = (struct smtpc_caps){ 0 };
	smtpc_set_step(c, SMTPC_AT_HANDSHAKE);
	c->tls =
	    tlsio_start(c->stream, c->conf.tlsctx, &client, handshake_done, c);
}

void
smtpc_tls_failed(struct smtpc *c, const struct err *why)
{
	struct err e = ERR_INIT;
	struct smtpc_reply r;

	(void)err_set(&e, 0, "4.7.5", "%s", why->text);
	r = smtpc_reply_made(c, SMTPC_FAIL_TLS, &e);
	c->ops->tls(c->arg, NULL, &r);
	if (!c->ended)
		smtpc_end(c, &r, false);
}

/* Required, and not to be had. */
void
smtpc_tls_refused(struct smtpc *c, const char *what)
{
	tell_refusal(c, what);
	if (!c->ended)
		smtpc_end_fail(c, SMTPC_FAIL_TLS_REFUSED, !c->conf.implicit_tls,
		    "4.7.4", "%s", what);
}

static void
tell_refusal(struct smtpc *c, const char *what)
{
	struct err e = ERR_INIT;
	struct smtpc_reply r;

	(void)err_set(&e, 0, "4.7.4", "%s", what);
	r = smtpc_reply_made(c, SMTPC_FAIL_TLS_REFUSED, &e);
	c->ops->tls(c->arg, NULL, &r);
}

/* Verification is tlsio's; that it happened is asserted here once more. */
static void
handshake_done(void *arg, bool ok, const struct err *why)
{
	static const struct err unverified = { 0, "4.7.5",
		"certificate not verified" };
	struct smtpc *c;

	OBJ_CAST(c, arg, SMTPC_MAGIC);
	if (c->ended)
		return;
	if (ok && c->conf.want.level == TLSWANT_REQUIRED_VERIFY &&
	    !tlsio_info(c->tls)->verified) {
		ok = false;
		why = &unverified;
	}
	if (!ok) {
		smtpc_tls_failed(c, why);
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
