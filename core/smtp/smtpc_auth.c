/*
 * AUTH PLAIN and LOGIN (RFC 4954, RFC 4616), never in clear.
 */
#include <string.h>

#include "base/codec.h"
#include "smtp/smtpc_priv.h"

enum { SECRET_MAX = 1024 };

static void send_plain(struct smtpc *c);
static void send_base64(struct smtpc *c, const char *prefix, struct str secret);
static void wipe(struct buf *b);

/* Also the way on without AUTH: the connection is ready. */
void
smtpc_auth_begin(struct smtpc *c)
{
	if (smtpc_unasked(c)) {
		smtpc_end_protocol(c, "reply to nothing");
		return;
	}
	if (c->conf.want.requiretls && !(c->tls_up && c->caps.requiretls)) {
		smtpc_tls_lacks(c, TLSR_NO_REQUIRETLS);
		return;
	}
	if (c->conf.auth_user == NULL) {
		smtpc_set_ready(c);
		c->ops->ready(c->arg);
		return;
	}
	if (!c->tls_up) {
		smtpc_end_fail(
		    c, SMTPC_FAIL_AUTH, true, "4.7.11", "no AUTH without TLS");
	} else if (c->caps.auth_plain) {
		c->auth_state = AUTH_PLAIN;
		send_plain(c);
	} else if (c->caps.auth_login) {
		c->auth_state = AUTH_LOGIN_USER;
		smtpc_command(c, SMTPC_AT_AUTH, STR("AUTH LOGIN\r\n"));
	} else {
		smtpc_end_fail(c, SMTPC_FAIL_AUTH, true, "4.7.4",
		    "neither AUTH PLAIN nor AUTH LOGIN is offered");
	}
}

void
smtpc_auth_answer(struct smtpc *c, const struct smtpc_reply *r)
{
	switch (r->code / 100) {
	case 2:
		if (smtpc_unasked(c)) {
			smtpc_end_protocol(c, "reply to nothing");
			return;
		}
		smtpc_set_ready(c);
		c->ops->ready(c->arg);
		return;
	case 3:
		if (c->auth_state == AUTH_LOGIN_USER) {
			c->auth_state = AUTH_LOGIN_PASSWORD;
			send_base64(c, "", str_c(c->conf.auth_user));
		} else if (c->auth_state == AUTH_LOGIN_PASSWORD) {
			c->auth_state = AUTH_PLAIN; /* nothing more to give */
			send_base64(c, "", str_c(c->conf.auth_password));
		} else {
			smtpc_end_protocol(c, "unexpected 3yz reply");
		}
		return;
	}
	smtpc_end(c, r, true);
}

static void
send_plain(struct smtpc *c)
{
	struct buf secret;

	buf_init(&secret, SECRET_MAX);
	(void)buf_add_char(&secret, '\0');
	(void)buf_add_c(&secret, c->conf.auth_user);
	(void)buf_add_char(&secret, '\0');
	(void)buf_add_c(&secret, c->conf.auth_password);
	if (buf_full(&secret))
		smtpc_end_fail(c, SMTPC_FAIL_AUTH, true, "4.3.5",
		    "user name or password is too long");
	else
		send_base64(c, "AUTH PLAIN ", buf_str(&secret));
	wipe(&secret);
}

static void
send_base64(struct smtpc *c, const char *prefix, struct str secret)
{
	struct buf line;

	buf_init(&line, (size_t)2 * SECRET_MAX);
	(void)buf_add_c(&line, prefix);
	(void)base64_encode(&line, secret);
	(void)buf_add_c(&line, "\r\n");
	if (buf_full(&line))
		smtpc_end_fail(c, SMTPC_FAIL_AUTH, true, "4.3.5",
		    "user name or password is too long");
	else
		smtpc_command(c, SMTPC_AT_AUTH, buf_str(&line));
	wipe(&line);
}

static void
wipe(struct buf *b)
{
	if (b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	buf_fini(b);
}
