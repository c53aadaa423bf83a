/*
 * MAIL (RFC 5321 4.1.1.2), and the beginning and end of transactions.
 */
#include "smtp/smtpd_priv.h"

#include "base/mem.h"
#include "mail/addr.h"
#include "smtp/esmtp.h"

#define SCRATCH_FIRST 512 /* octets: one recipient with its parameters */

static unsigned
offers(const struct smtpd *s)
{
	return (s->conf->dsn ? ESMTP_DSN : 0u) |
	       (s->conf->smtputf8 ? ESMTP_SMTPUTF8 : 0u) |
	       (smtpd_requiretls_offered(s) ? ESMTP_REQUIRETLS : 0u);
}

static int
parse(struct smtpd *s, struct str arg, struct envelope *env, struct err *why)
{
	struct esmtp_mail m;
	struct str rest;

	if (!str_istarts(arg, "FROM:"))
		return err_set(
		    why, 501, "5.5.4", "Syntax: MAIL FROM:<address>");
	rest = str_trim(str_n(arg.p + 5, arg.n - 5));
	if (addr_parse_path(env->pool, &rest,
		ADDR_NULL_OK | (s->conf->smtputf8 ? ADDR_UTF8_OK : 0u),
		&env->sender, why) < 0)
		return -1;
	if (rest.n > 0 && rest.p[0] != ' ')
		return err_set(why, 501, "5.5.4",
		    "Syntax: MAIL FROM:<address> parameters");
	if (esmtp_mail(env->pool, rest, offers(s), &m, why) < 0)
		return -1;
	if (env->sender.utf8 && (m.flags & ENV_SMTPUTF8) == 0)
		return err_set(
		    why, 553, "5.6.7", "Address needs the SMTPUTF8 parameter");
	if (s->conf->max_size > 0 && m.size > s->conf->max_size) {
		smtpd_trouble(s, "Message size exceeds limit");
		return err_set(why, 552, "5.3.4", "Message size exceeds limit");
	}
	env->flags = m.flags;
	/* What comes back of it shall not tell more (RFC 8689 5). */
	if ((m.flags & ENV_REQUIRETLS) != 0)
		env->flags = (m.flags & ~(unsigned)ENV_RET_FULL) |
		    ENV_RET_HDRS;
	env->size = m.size;
	env->envid = m.envid;
	return 0;
}

static void
fill(struct smtpd *s, struct envelope *env)
{
	char ip[SOCK_IP_MAX];

	(void)sock_addr_ip_text(stream_peer(s->stream), ip, sizeof(ip));
	env->client_ip = pool_str(env->pool, str_c(ip));
	env->helo = pool_str(env->pool, str_c(s->facts.helo));
	env->auth = pool_str(env->pool, str_c(s->facts.auth));
	env->listener = s->conf->listener;
}

int
smtpd_mail_check(struct smtpd *s, struct str arg, struct err *why)
{
	struct envelope *env;

	if (s->conf->max_messages > 0 && s->messages >= s->conf->max_messages) {
		smtpd_trouble(s, "Too Many Messages");
		return err_set(
		    why, 421, "4.7.0", "Too many messages in this session");
	}
	env = envelope_new();
	if (parse(s, arg, env, why) < 0) {
		envelope_destroy(&env);
		return -1;
	}
	fill(s, env);
	s->env = env;
	return 0;
}

void
smtpd_mail_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->act != SMTPD_OK) {
		smtpd_txn_end(s);
		smtpd_refused(s, v);
		return;
	}
	s->begun = true;
	smtpd_set_state(s, ST_MAIL);
	smtpd_said_yes(s, v, "250 2.1.0 Sender ok");
}

void
smtpd_txn_end(struct smtpd *s)
{
	if (s->begun && s->env != NULL) {
		s->begun = false;
		s->ops->abort(s->arg, s->env);
	}
	s->begun = false;
	envelope_destroy(&s->env);
	pool_destroy(&s->scratch);
	if (s->reading)
		bodyin_fini(&s->body);
	s->reading = false;
	mem_free(s->body_no);
	s->body_no = NULL;
	buf_fini(&s->backlog);
	buf_init(&s->backlog, SIZE_MAX);
	s->rcpt = NULL;
	s->ended = s->rcpt_tried = s->framed = s->failed = s->last = false;
	s->too_big = s->header_too_big = false;
	s->dropped = 0;
	s->content = 0;
}

struct pool *
smtpd_scratch(struct smtpd *s)
{
	if (s->scratch == NULL)
		s->scratch = pool_new(SCRATCH_FIRST);
	else
		pool_reset(s->scratch);
	return s->scratch;
}
