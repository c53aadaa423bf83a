/*
 * STARTTLS (RFC 3207), and TLS from the first octet (RFC 8314 3.3).
 *
 * Whatever the client sent behind the command, and whatever it said before it,
 * is thrown away: an attacker may have said it (CVE-2011-0411).
 */
#include "smtp/smtpd_priv.h"

#include "base/mem.h"
#include "base/obj.h"

static void on_handshake(void *arg, bool ok, const struct err *why);

bool
smtpd_requiretls_offered(const struct smtpd *s)
{
	return s->conf->requiretls && s->tls_up;
}

/* Required and not usable is offered and answered 454 (requirements 3.2). */
bool
smtpd_tls_offered(const struct smtpd *s)
{
	if (s->tls_up)
		return false;
	switch (s->conf->tls) {
	case SMTPD_TLS_OFF:
		return false;
	case SMTPD_TLS_PREFERRED:
		return s->conf->tlsctx != NULL;
	case SMTPD_TLS_REQUIRED:
		return true;
	}
	panic("no such level: %d", (int)s->conf->tls);
}

int
smtpd_starttls_check(struct smtpd *s, struct str arg, struct err *why)
{
	if (arg.n > 0)
		return err_set(why, 501, "5.5.4", "STARTTLS takes no argument");
	if (s->tls_up)
		return err_set(why, 503, "5.5.1", "TLS is active already");
	if (s->conf->tls == SMTPD_TLS_OFF)
		return err_set(why, 502, "5.5.1", "Command not implemented");
	if (s->conf->tlsctx == NULL)
		return err_set(why, 454, "4.7.0",
		    "TLS not available due to local problem");
	return 0;
}

void
smtpd_starttls_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_txn_end(s);
	if (s->dead)
		return;
	smtpd_say(s, "220 2.0.0 Ready to start TLS");
	s->take = 0;
	stream_discard(s->stream);
	smtpd_forget(s);
	smtpd_tls_start(s);
}

void
smtpd_tls_start(struct smtpd *s)
{
	stream_discard(s->stream);
	smtpd_set_state(s, ST_TLS);
	s->tlsio =
	    tlsio_start(s->stream, s->conf->tlsctx, NULL, on_handshake, s);
}

static void
on_handshake(void *arg, bool ok, const struct err *why)
{
	struct smtpd_verdict v = { .act = SMTPD_OK };
	struct smtpd *s;

	OBJ_CAST(s, arg, SMTPD_MAGIC);
	if (s->dead || s->state != ST_TLS)
		return;
	if (!ok) {
		smtpd_tls_lost(s, SMTPD_END_LOST, why);
		return;
	}
	s->tls_up = true;
	if (s->ops->tls != NULL &&
	    s->ops->tls(s->arg, true, NULL, &v) == SMTPD_WAIT)
		smtpd_ask(s, ASKED_TLS);
	else
		smtpd_resume(s, ASKED_TLS, &v);
}

/* There is no command to answer; a refusal is the answer to all that come. */
void
smtpd_tls_answered(struct smtpd *s, const struct smtpd_verdict *v)
{
	bool greeted = !s->conf->implicit_tls;

	if (v->act == SMTPD_OK && greeted) {
		smtpd_set_state(s, ST_START);
	} else if (v->act == SMTPD_OK) {
		smtpd_greet(s);
	} else if (v->act == SMTPD_REFUSE && greeted && v->reply.code != 421) {
		s->refusal = mem_dup(&v->reply, sizeof(v->reply));
		smtpd_set_state(s, ST_REFUSED);
	} else {
		smtpd_answer_no(s, v);
		if (!s->dead && s->state == ST_TLS)
			smtpd_set_state(s, ST_REFUSED);
	}
}

/* Nothing in clear after a 220 (requirements IN-5); a handshake that fails is
 * a client that is lost (requirements 3.2). */
void
smtpd_tls_lost(struct smtpd *s, enum smtpd_end how, const struct err *why)
{
	struct smtpd_verdict v = { .act = SMTPD_CLOSE };
	struct err kept = ERR_INIT;

	if (why != NULL)
		kept = *why;
	else
		(void)err_set(&kept, 0, "", "connection lost");
	if (s->ops->tls != NULL && !s->tls_up)
		(void)s->ops->tls(s->arg, false, &kept, &v);
	smtpd_end(s, how, &kept);
}
