/*
 * A delivery, or a report of one, of the message that was sent last.
 */
#include <string.h>

#include "base/err.h"
#include "trial/drive.h"

static const char *value_of(struct trial *, const json_t *);
static bool	set_facts(struct trial *, const json_t *);
static int	rcpt_of(const struct trial *, const char *);
static json_t	*outcome(struct trial *, size_t, size_t);

static const struct {
	const char *word;
	enum hook hook;
} hooks[] = { { "deliver", HOOK_DELIVER }, { "queued", HOOK_QUEUED },
	{ "delivered", HOOK_DELIVERED }, { "deferred", HOOK_DEFERRED },
	{ "bounced", HOOK_BOUNCED } };

static json_t *
problem(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

json_t *
drive_deliver(struct trial *t, const json_t *m)
{
	const char *word = json_string_value(json_object_get(m, "hook"));
	const char *to = json_string_value(json_object_get(m, "rcpt"));
	struct subject *s = t->subject;
	size_t log = buf_len(&t->log), alerts = buf_len(&t->alerts), i;
	int rcpt;

	if (t->stage != TRIAL_EOM || s->nbranch == 0)
		return problem("no message was taken");
	for (i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (word != NULL && strcmp(word, hooks[i].word) == 0)
			break;
	}
	if (i == sizeof(hooks) / sizeof(hooks[0]))
		return problem("it is deliver, queued, delivered, deferred or "
		    "bounced");
	rcpt = to == NULL ? subject_branch(s, 0) : rcpt_of(t, to);
	if (rcpt < 0)
		return problem("rcpt is no recipient of this message");
	s->fact[FACT_DELIVER_TLS] = subject_ops.get(s, FACT_RCPT_TLS, rcpt,
	    t->pool);
	if (!set_facts(t, json_object_get(m, "facts")))
		return problem("facts are those of deliver and tls");
	(void)trial_ask(t, hooks[i].hook, rcpt);
	subject_end_event(s);
	return outcome(t, log, alerts);
}

/* The number of a recipient that somebody sends to. */
static int
rcpt_of(const struct trial *t, const char *address)
{
	int i = subject_find(t->subject, address);

	return i < 0 || t->subject->rcpt[i]->dropped ? -1 : i;
}

static const char *
value_of(struct trial *t, const json_t *v)
{
	if (json_is_integer(v))
		return pool_printf(t->pool, "%lld",
		    (long long)json_integer_value(v));
	return json_is_string(v) ?
	    pool_strdup(t->pool, json_string_value(v)) : NULL;
}

/* What the client's TLS was is not the delivery's. KEY is deliver.KEY or, with
 * a dot, a fact's name. */
static bool
set_facts(struct trial *t, const json_t *facts)
{
	struct subject *s = t->subject;
	const char *key, *name;
	const json_t *v;
	enum fact f;
	int i;

	for (i = FACT_TLS_VERSION; i <= FACT_TLS_CERT_WHY; i++)
		s->fact[i] = NULL;
	for (i = FACT_DELIVER_ROUTE; i <= FACT_DELIVER_REASON; i++)
		s->fact[i] = NULL;
	s->fact[FACT_DCID] = s->fact[FACT_DELIVER_ATTEMPT] = "1";
	json_object_foreach ((json_t *)(uintptr_t)facts, key, v) {
		name = strchr(key, '.') != NULL ? key :
		    pool_printf(t->pool, "deliver.%s", key);
		if (!subject_fact(name, &f) || f < FACT_TLS_VERSION ||
		    (f > FACT_TLS_CERT_WHY && f < FACT_DCID))
			return false;
		s->fact[f] = value_of(t, v);
	}
	return true;
}

static json_t *
lines(const struct buf *b, size_t from)
{
	return buf_len(b) > from ? json_stringn_nocheck(
	    (const char *)buf_p(b) + from, buf_len(b) - from) :
	    json_string("");
}

static json_t *
outcome(struct trial *t, size_t log, size_t alerts)
{
	const struct subject *s = t->subject;
	const struct hook_verdict *v = &t->verdict;
	const char *want = s->fact[FACT_DELIVER_TLS];
	bool goes = v->act == HOOK_GO;

	return json_pack("{s:s, s:{s:i, s:s, s:s}, s:s?, s:o, s:s?, s:o, "
	    "s:o}", "verdict", goes ? "accept" :
	    v->act == HOOK_REJECT ? "reject" :
	    "tempfail", "reply", "code", goes ? 0 : v->reply.code, "enhanced",
	    goes ? "" : v->reply.enh, "text", goes ? "" : v->reply.text,
	    "want", want, "tls", want == NULL ? json_null() :
	    json_stringn_nocheck(want, strcspn(want, " ")), "route",
	    s->fact[FACT_DELIVER_ROUTE], "log", lines(&t->log, log), "alerts",
	    lines(&t->alerts, alerts));
}
