/*
 * Recipients that come and go in a trial, as daemon/inbound_rcpt has them;
 * notices are lines of the log.
 */
#include "base/log.h"
#include "base/obj.h"
#include "trial/subject.h"

#define NOTICES 10

int
subject_find(const struct subject *s, const char *address)
{
	unsigned i;

	for (i = 0; i < s->nrcpt; i++) {
		if (str_ieq_c(s->rcpt[i]->addr.full, address))
			return (int)i;
	}
	return -1;
}

static bool
there(const struct subject *s, int rcpt)
{
	return rcpt >= 0 && (unsigned)rcpt < s->nrcpt;
}

bool
subject_dropped(void *arg, int rcpt)
{
	const struct subject *s = arg;

	return there(s, rcpt) && s->rcpt[rcpt]->dropped;
}

int
subject_add(void *arg, const char *address, int flags, struct err *why)
{
	struct subject *s = arg;
	struct addr a;
	int i;

	(void)flags; /* reports are no matter of a trial */
	if (addr_parse(s->pool, str_c(address), 0, &a, why) < 0)
		return -1;
	i = subject_find(s, address);
	if (i >= 0 && !s->rcpt[i]->dropped)
		return i;
	if (subject_rcpt(s, address, why) < 0)
		return -1;
	subject_rcpt_done(s, true);
	return (int)s->nrcpt - 1;
}

int
subject_drop(void *arg, int rcpt, const char *by, struct err *why)
{
	struct subject *s = arg;

	(void)by;
	if (!there(s, rcpt))
		return err_text(why, "there is no such recipient");
	s->rcpt[rcpt]->dropped = true;
	return 0;
}

int
subject_notify(void *arg, const struct about_notice *n, struct err *why)
{
	struct subject *s = arg;
	struct addr a;

	if (s->notices == NOTICES)
		return err_text(why, "a message has at most %d", NOTICES);
	if (s->fact[FACT_SENDER] == NULL || s->fact[FACT_SENDER][0] == '\0')
		return err_text(why, "the message is a report");
	if (addr_parse(s->pool, str_c(n->to), ADDR_UTF8_OK, &a, why) < 0)
		return -1;
	s->notices++;
	log_info("notice of %s to <%s>: %s", n->by, n->to, n->subject);
	return 0;
}
