/*
 * RCPT (RFC 5321 4.1.1.3).
 *
 * A recipient is parsed into scratch memory and goes into the envelope when it
 * is accepted, so that refused ones, however many, cost nothing.
 */
#include "smtp/smtpd_priv.h"

#include "smtp/esmtp.h"

static unsigned
offers(const struct smtpd *s)
{
	return (s->conf->dsn ? ESMTP_DSN : 0u) |
	       ((s->env->flags & ENV_SMTPUTF8) != 0 ? ESMTP_SMTPUTF8 : 0u);
}

static int
parse(struct smtpd *s, struct str arg, struct rcpt *rcpt, struct err *why)
{
	struct esmtp_rcpt r;
	struct str rest;

	if (!str_istarts(arg, "TO:"))
		return err_set(why, 501, "5.5.4", "Syntax: RCPT TO:<address>");
	rest = str_trim(str_n(arg.p + 3, arg.n - 3));
	if (addr_parse_path(s->scratch, &rest,
		ADDR_POSTMASTER_OK |
		    ((s->env->flags & ENV_SMTPUTF8) != 0 ? ADDR_UTF8_OK : 0u),
		&rcpt->addr, why) < 0)
		return -1;
	if (rest.n > 0 && rest.p[0] != ' ')
		return err_set(
		    why, 501, "5.5.4", "Syntax: RCPT TO:<address> parameters");
	if (esmtp_rcpt(s->scratch, rest, offers(s), &r, why) < 0)
		return -1;
	rcpt->rid = s->env->nrcpt;
	rcpt->orcpt = r.orcpt;
	rcpt->notify = r.notify;
	return 0;
}

int
smtpd_rcpt_check(struct smtpd *s, struct str arg, struct err *why)
{
	struct rcpt *rcpt;

	s->rcpt_tried = true;
	if (s->conf->max_rcpt > 0 &&
	    s->env->nrcpt + s->dropped >= s->conf->max_rcpt)
		return err_set(why, 452, "4.5.3", "Too many recipients");
	rcpt = POOL_NEW(smtpd_scratch(s), struct rcpt);
	if (parse(s, arg, rcpt, why) < 0)
		return -1;
	s->rcpt = rcpt;
	return 0;
}

static void
refused(struct smtpd *s, const struct smtpd_verdict *v)
{
	if (v->reply.code >= 500 &&
	    smtpd_too_many(s, &s->bad_rcpts, s->conf->max_bad_rcpt,
		"Too many refused recipients"))
		return;
	smtpd_answer_no(s, v);
}

void
smtpd_rcpt_act(struct smtpd *s, const struct smtpd_verdict *v)
{
	struct rcpt *r = s->rcpt;

	s->rcpt = NULL;
	if (v->act != SMTPD_OK && v->act != SMTPD_DROP) {
		refused(s, v);
		return;
	}
	if (v->act == SMTPD_DROP)
		s->dropped++;
	else
		(void)envelope_add_rcpt(
		    s->env, &r->addr, r->orcpt, r->notify);
	if (s->state == ST_MAIL)
		smtpd_set_state(s, ST_RCPT);
	smtpd_said_yes(s, v, "250 2.1.5 Recipient ok");
}
