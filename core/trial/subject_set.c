/*
 * What plugins set in a trial. The relay's own functions say what it would
 * refuse (daemon/inbound_facts), so that a trial takes no more.
 */
#include "base/obj.h"
#include "queue/treat.h"
#include "relay/route.h"
#include "relay/way.h"
#include "tls/tlswant.h"
#include "trial/subject.h"

static const char *const settable[] = {
#define FACT(id, name, set, help) set,
#include "tbl/facts.h"
#undef FACT
};

static int
check(const struct subject *s, enum fact f, const char *value,
    struct err *why)
{
	struct str word;
	msec time;

	switch ((int)f) {
	case FACT_RCPT_ROUTE:
	case FACT_DELIVER_ROUTE:
		return route_check(s->relay, str_c(value), why);
	case FACT_RCPT_PROFILE:
		return way_profile_check(s->relay, value, why);
	case FACT_RCPT_BRANCH:
		return treat_is_word(str_c(value), why);
	case FACT_RCPT_AFTER:
		return treat_read_after(value, &word, &time, why);
	case FACT_MESSAGE_HOLD:
		return treat_read_hold(value, &time, why);
	case FACT_MESSAGE_QUARANTINE:
		if (value[0] == '\0')
			return err_text(why, "it needs a reason");
		break;
	}
	return 0;
}

static const char **
slot_of(struct subject *s, enum fact f, struct subject_rcpt *r)
{
	if (r == NULL)
		return &s->fact[f];
	switch ((int)f) {
	case FACT_RCPT_TLS:
		return &r->tls;
	case FACT_RCPT_ROUTE:
		return &r->route;
	case FACT_RCPT_PROFILE:
		return &r->profile;
	case FACT_MESSAGE_QUARANTINE:
		return &r->quarantine;
	case FACT_MESSAGE_HOLD:
		return &r->hold;
	case FACT_RCPT_BRANCH:
		return &r->word;
	case FACT_RCPT_AFTER:
		return &r->after;
	}
	return &s->fact[f];
}

/* What is said of all takes the place of what was said of one
 * (queue/treat.h). */
static void
for_all(struct subject *s, enum fact f)
{
	unsigned i;

	if (f != FACT_MESSAGE_HOLD && f != FACT_RCPT_BRANCH &&
	    f != FACT_RCPT_AFTER)
		return;
	for (i = 0; i <= s->nrcpt; i++) {
		if (s->rcpt[i] != NULL)
			*slot_of(s, f, s->rcpt[i]) = NULL;
	}
}

static int
set_one(struct subject *s, enum fact f, struct subject_rcpt *r,
    const char *value, struct err *why)
{
	const char **slot = slot_of(s, f, r);

	if (check(s, f, value, why) < 0)
		return -1;
	if (f == FACT_RCPT_TLS || f == FACT_DELIVER_TLS)
		return tlswant_raise(s->pool, *slot, value, RCPT_WANT_MAX,
		    slot, why);
	/* The first reason stays. */
	if (f == FACT_MESSAGE_QUARANTINE &&
	    (*slot != NULL || s->fact[f] != NULL))
		return 0;
	*slot = pool_strdup(s->pool, value);
	if (r == NULL)
		for_all(s, f);
	return 0;
}

int
subject_set(void *arg, enum fact f, int rcpt, const char *value,
    struct err *why)
{
	struct subject_rcpt *r;
	struct subject *s;
	unsigned i;

	OBJ_CAST(s, arg, SUBJECT_MAGIC);
	r = subject_at(s, rcpt);
	if (settable[f][0] == 'm' && (!s->message || s->at > HOOK_BRANCH))
		return err_text(why, "%s cannot be set now",
		    subject_fact_name(f));
	if ((f == FACT_RCPT_BRANCH || f == FACT_RCPT_AFTER) &&
	    s->at == HOOK_BRANCH)
		return err_text(why, "the branches are made");
	if (settable[f][0] == 'd' && s->at != HOOK_DELIVER)
		return err_text(why, "%s can be set at deliver",
		    subject_fact_name(f));
	if (s->at != HOOK_BRANCH || r == NULL)
		return set_one(s, f, settable[f][0] == 'd' ? NULL : r, value,
		    why);
	for (i = 0; i < s->nrcpt; i++) {
		if (s->rcpt[i]->branch == r->branch &&
		    set_one(s, f, s->rcpt[i], value, why) < 0)
			return -1;
	}
	return 0;
}
