#include "policy/admit.h"

#include "base/clock.h"
#include "mail/addr.h"
#include "relay/batv.h"

enum admit
admit_client(const struct conf_flow *f, struct err *reply)
{
	const struct conf_policy_flow *p = f->policy;

	if (p != NULL && p->behavior == CONF_TCPREFUSE)
		return ADMIT_RESET;
	if (p == NULL || p->behavior != CONF_REJECT)
		return ADMIT_YES;
	(void)err_set(reply, (int)p->reject_code,
	    p->reject_code < 500 ? "4.7.1" : "5.7.1", "%s", p->reject_text);
	return ADMIT_REFUSE;
}

static const struct conf_exception *
exception(const struct conf *conf, const struct conf_flow *f,
    const struct addr *sender)
{
	return f->policy == NULL || !f->policy->sender_exceptions ||
	    sender->domain.n == 0 ? NULL : conf_exception(conf, sender);
}

enum admit
admit_sender(const struct admit_sender *s, struct err *reply)
{
	const struct conf_flow *f = s->flow;
	const struct conf_exception *e;

	/* Senders that are taken inside TLS only (requirements.md 3.2). */
	if (!s->tls && addr_listed(f->tls_senders, s->sender)) {
		(void)err_set(reply, 530, "5.7.0",
		    "Must issue a STARTTLS command first");
		return ADMIT_TLS;
	}
	if (f->policy != NULL && f->policy->auth == CONF_AUTH_REQUIRED &&
	    s->auth == NULL) {
		(void)err_set(reply, 530, "5.7.0", "Authentication required");
		return ADMIT_AUTH;
	}
	e = exception(s->conf, f, s->sender);
	if (e != NULL && e->access != 0) {
		(void)err_set(reply, (int)e->code,
		    e->code < 500 ? "4.7.1" : "5.7.1", "%s", e->text);
		return ADMIT_REFUSE;
	}
	return ADMIT_YES;
}

bool
admit_domain_asked(const struct conf *conf, const struct conf_flow *f,
    const struct addr *sender)
{
	return f->policy != NULL && f->policy->sender_dns &&
	    sender->domain.n > 0 && exception(conf, f, sender) == NULL;
}

enum admit
admit_domain(const struct conf_flow *f, enum mx_status status,
    struct err *reply)
{
	const struct conf_policy_flow *p = f->policy;
	bool later = status == MX_FAIL;
	unsigned code = later ? p->sender_dns_fail_code : p->sender_dns_code;

	switch (status) {
	case MX_OK:
		return ADMIT_YES;
	case MX_NULL: /* it says that it sends no mail (RFC 7505 4.2) */
	case MX_NXDOMAIN:
	case MX_NOHOST:
	case MX_FAIL:
		break;
	}
	(void)err_set(reply, (int)code, code < 500 ? "4.1.8" : "5.1.8",
	    "%s", later ? p->sender_dns_fail_text : p->sender_dns_text);
	return ADMIT_REFUSE;
}

static bool
refuses_untagged(const struct conf *c, const struct conf_flow *f)
{
	return (f != NULL && f->policy != NULL &&
	    f->policy->untagged_bounces != -1 ?
	    f->policy->untagged_bounces : c->relay.untagged_bounces) == 1;
}

enum admit
admit_tag(const struct conf *c, const struct conf_flow *f, bool relay,
    const struct addr *sender, struct addr *rcpt, struct err *reply)
{
	bool report = sender->full.n == 0;
	enum batv_is is;

	if (c->relay_conf.batv == NULL)
		return ADMIT_YES;
	is = batv_untag(c->relay_conf.batv, rcpt, clock_wall());
	if (is == BATV_GOOD || !report || relay ||
	    (is == BATV_NONE && (!refuses_untagged(c, f) ||
		str_ieq_c(rcpt->local, "postmaster"))) ||
	    !addr_listed(c->relay_conf.ours, rcpt))
		return ADMIT_YES;
	(void)err_set(reply, 550, "5.7.1", is == BATV_BAD ?
	    "This report's address is not or no longer one of ours" :
	    "This report is not about a message of ours");
	return ADMIT_REFUSE;
}
