/*
 * The small ones: RSET NOOP VRFY HELP ETRN QUIT.
 */
#include "smtp/smtpd_priv.h"

#include "mail/addr.h"

int
smtpd_rset_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)s;
	(void)arg;
	(void)why;
	return 0;
}

void
smtpd_rset_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_txn_end(s);
	if (s->dead)
		return;
	if (s->state != ST_START)
		smtpd_set_state(s, ST_READY);
	smtpd_say(s, "250 2.0.0 Ok");
}

int
smtpd_noop_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)s;
	(void)arg;
	(void)why;
	return 0;
}

void
smtpd_noop_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_say(s, "250 2.0.0 Ok");
}

int
smtpd_vrfy_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)s;
	if (arg.n == 0)
		return err_set(why, 501, "5.5.4", "Syntax: VRFY address");
	return 0;
}

void
smtpd_vrfy_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_say(s, "252 2.0.0 Cannot verify, but will try to deliver");
}

int
smtpd_help_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)s;
	(void)arg;
	(void)why;
	return 0;
}

void
smtpd_help_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_say(s, "214 2.0.0 See RFC 5321");
}

/* "example.org", "@example.org" (with sub-domains), "#queue" (RFC 1985 5). */
int
smtpd_etrn_check(struct smtpd *s, struct str arg, struct err *why)
{
	bool subdomains = arg.n > 0 && arg.p[0] == '@';

	if (!s->conf->etrn)
		return err_set(why, 502, "5.5.1", "Command not implemented");
	if (arg.n > 0 && arg.p[0] == '#')
		return err_set(
		    why, 459, "4.5.4", "Named queues are not supported");
	if (subdomains)
		arg = str_n(arg.p + 1, arg.n - 1);
	if (!domain_valid(arg, false))
		return err_set(why, 501, "5.5.4", "Syntax: ETRN domain");
	s->etrn = arg;
	s->subdomains = subdomains;
	return 0;
}

void
smtpd_etrn_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct smtpd_verdict no = *v;

	s->etrn = STR_NULL;
	if (v->act == SMTPD_OK) {
		smtpd_said_yes(s, v, "250 2.0.0 Queuing for node started");
		return;
	}
	if (no.reply.code == 0)
		(void)err_set(&no.reply, 458, "4.3.0",
		    "Unable to queue messages for node");
	smtpd_refused(s, &no);
}

int
smtpd_quit_check(struct smtpd *s, struct str arg, struct err *why)
{
	(void)s;
	(void)arg;
	(void)why;
	return 0;
}

void
smtpd_quit_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	(void)v;
	smtpd_close(s, SMTPD_END_QUIT, 221, "2.0.0", "Closing connection");
}
