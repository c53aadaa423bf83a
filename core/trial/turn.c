#include <string.h>

#include <postern/filter.h>

#include "mail/notes.h"
#include "trial/trial.h"

/* A filter/1 that has begun, and what it said before the end. */
struct trial_filter {
	struct instance *i;
	struct hook_verdict held;
	struct trial_filter *next;
};

/* ---- The session ------------------------------------------------------- */

void
trial_connect(struct trial *t, const struct trial_client *c)
{
	static const enum fact old[] = { FACT_CLIENT_HELO, FACT_CLIENT_NAME,
		FACT_CLIENT_VERIFIED, FACT_CLIENT_AUTH, FACT_TLS_VERSION,
		FACT_TLS_CIPHER };
	struct subject *sub = t->subject;
	const char **fact = sub->fact;
	size_t i;

	if (sub->session)
		trial_disconnect(t);
	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		fact[old[i]] = NULL;
	fact[FACT_ICID] = pool_printf(t->pool, "%u", (unsigned)++t->icid);
	fact[FACT_CLIENT_IP] = c->ip;
	fact[FACT_CLIENT_PORT] = c->port != NULL ? c->port : "40000";
	fact[FACT_CLIENT_NAME] = c->name;
	if (fact[FACT_CLIENT_NAME] != NULL)
		fact[FACT_CLIENT_VERIFIED] = "yes";
	if (c->listener != NULL)
		fact[FACT_LISTENER] = c->listener;
	sub->session = true;
	sub->session_notes = notes_new(t->pool);
	if (!trial_ask(t, HOOK_CONNECT, -1) || t->verdict.act != HOOK_GO)
		return;
	fact[FACT_CLIENT_HELO] = c->helo;
	fact[FACT_CLIENT_ESMTP] = "yes";
	if (c->helo != NULL &&
	    (!trial_ask(t, HOOK_HELO, -1) || t->verdict.act != HOOK_GO))
		return;
	fact[FACT_TLS_VERSION] = c->tls_version;
	fact[FACT_TLS_CIPHER] = c->tls_cipher;
	fact[FACT_TLS_CERT] = c->tls_version == NULL ? NULL :
	    c->cert != NULL ? c->cert : "none";
	fact[FACT_TLS_CERT_SHA256] = c->sha256;
	fact[FACT_TLS_CERT_SUBJECT] = c->subject;
	fact[FACT_TLS_CERT_ISSUER] = c->issuer;
	fact[FACT_TLS_CERT_NAMES] = c->names;
	if (c->tls_version != NULL &&
	    (!trial_ask(t, HOOK_TLS, -1) || t->verdict.act != HOOK_GO))
		return;
	fact[FACT_CLIENT_AUTH] = c->auth;
}

void
trial_helo(struct trial *t, const char *name)
{
	t->subject->fact[FACT_CLIENT_HELO] = name;
	if (trial_may(t, t->subject->session, "there is no session"))
		(void)trial_ask(t, HOOK_HELO, -1);
}

void
trial_tls(struct trial *t, const char *version, const char *cipher)
{
	t->subject->fact[FACT_TLS_VERSION] = version;
	t->subject->fact[FACT_TLS_CIPHER] = cipher;
	if (trial_may(t, t->subject->session, "there is no session"))
		(void)trial_ask(t, HOOK_TLS, -1);
}

void
trial_disconnect(struct trial *t)
{
	struct subject *sub = t->subject;

	if (!trial_may(t, sub->session, "there is no session"))
		return;
	subject_end_message(sub);
	if (trial_ask(t, HOOK_DISCONNECT, -1))
		subject_end_session(sub);
	t->stage = TRIAL_NONE;
}

void
trial_mail(struct trial *t, const char *from, const char *size,
    const char *envid)
{
	struct subject *sub = t->subject;

	if (!trial_may(t, sub->session, "there is no session"))
		return;
	subject_end_message(sub);
	t->filters = NULL;
	t->stage = TRIAL_NONE;
	sub->fact[FACT_MID] = pool_printf(t->pool, "%u", (unsigned)++t->mid);
	sub->fact[FACT_MESSAGE_SIZE] = size;
	sub->fact[FACT_MESSAGE_ENVID] = envid;
	if (subject_mail(sub, from, &t->broken) < 0)
		return;
	if (!trial_ask(t, HOOK_MAIL, -1))
		return;
	if (t->verdict.act == HOOK_GO || t->verdict.act == HOOK_DISCARD)
		t->stage = TRIAL_MAIL;
	else
		subject_end_message(sub);
}

void
trial_rcpt(struct trial *t, const char *to)
{
	struct subject *sub = t->subject;

	if (!trial_may(t, t->stage == TRIAL_MAIL, "there is no message to "
		"add a recipient to") ||
	    subject_rcpt(sub, to, &t->broken) < 0)
		return;
	if (trial_ask(t, HOOK_RCPT, (int)sub->nrcpt))
		subject_rcpt_done(sub, t->verdict.act == HOOK_GO);
}

/* ---- The message ------------------------------------------------------- */

/* LF and CRLF are line ends of the message. */
static void
add_lines(struct buf *dst, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		(void)buf_add_str(dst, line);
		(void)buf_add_c(dst, "\r\n");
	}
}

static void
begin_content(struct trial *t)
{
	struct subject *sub = t->subject;

	if (buf_len(&sub->content) > 0)
		return;
	(void)buf_printf(&sub->content, "Received: from %s ([%s]) by "
	    "%s with ESMTP id %s\r\n",
	    sub->fact[FACT_CLIENT_HELO] != NULL ?
	    sub->fact[FACT_CLIENT_HELO] : "unknown",
	    sub->fact[FACT_CLIENT_IP], sub->fact[FACT_HOST],
	    sub->fact[FACT_MID]);
}

static void
end_header(struct trial *t)
{
	struct subject *sub = t->subject;

	begin_content(t);
	if (sub->body_at == 0) {
		(void)buf_add_c(&sub->content, "\r\n");
		sub->body_at = buf_len(&sub->content);
	}
}

static bool
may_have(struct trial *t, bool body)
{
	return trial_may(t, t->stage == TRIAL_MAIL || t->stage == TRIAL_DATA ||
		(t->stage == TRIAL_HEADERS && body),
	    "there is no message for it");
}

void
trial_header(struct trial *t, const char *name, const char *value)
{
	if (!may_have(t, false) || !trial_may(t, t->subject->body_at == 0,
		"the header has ended"))
		return;
	begin_content(t);
	(void)buf_printf(&t->subject->content, "%s: %s\r\n", name, value);
}

void
trial_body(struct trial *t, struct str text)
{
	if (!may_have(t, true))
		return;
	end_header(t);
	add_lines(&t->subject->content, text);
}

/* What an operation said, as the hooks' verdict. */
static void
take_op(const struct trial *t, struct hook_verdict *v, const char *by)
{
	switch (t->op.verdict) {
	case PST_REJECT:
		v->act = HOOK_REJECT;
		break;
	case PST_DISCARD:
		v->act = HOOK_DISCARD;
		break;
	case PST_QUARANTINE:
		(void)str_copy(v->quarantine, sizeof(v->quarantine),
		    str_c(t->op.reply.text[0] != '\0' ? t->op.reply.text :
							 by));
		return;
	case PST_CONTINUE:
	case PST_ACCEPT:
		return;
	default:
		v->act = HOOK_TEMPFAIL;
		break;
	}
	v->reply = t->op.reply;
	v->by = by;
}

static bool
filters_begin(struct trial *t)
{
	struct trial_filter *f, **tail = &t->filters;
	struct instance *i = NULL;

	while ((i = op_next(t->gen, PST_FILTER_BEGIN, i)) != NULL) {
		if (!trial_ask_op(t, i, PST_FILTER_BEGIN, true, NULL))
			return false;
		f = POOL_NEW(t->pool, struct trial_filter);
		take_op(t, &f->held, instance_name(i));
		if (t->op.verdict == PST_CONTINUE)
			f->i = i;
		*tail = f;
		tail = &f->next;
	}
	return true;
}

static bool
filters_chunk(struct trial *t, size_t off, size_t end)
{
	const char *all = buf_p(&t->subject->content);
	struct pst_chunk c = { .size = sizeof(c), .offset = off,
		.data = { all + off, end - off } };
	struct trial_filter *f;

	for (f = t->filters; f != NULL && end > off; f = f->next) {
		if (f->i == NULL)
			continue;
		if (!trial_ask_op(t, f->i, PST_FILTER_CHUNK, true, &c))
			return false;
		take_op(t, &f->held, instance_name(f->i));
		if (t->op.verdict != PST_CONTINUE)
			f->i = NULL;
	}
	return true;
}

/* False: it is over; else t->verdict is what they say. */
static bool
filters_end(struct trial *t)
{
	struct hook_verdict v = { .act = HOOK_GO };
	struct trial_filter *f;

	for (f = t->filters; f != NULL && v.act == HOOK_GO; f = f->next) {
		if (f->held.act != HOOK_GO || f->held.quarantine[0] != '\0')
			v = f->held;
		if (f->i == NULL)
			continue;
		if (!trial_ask_op(t, f->i, PST_FILTER_END, true, NULL))
			return false;
		take_op(t, &v, instance_name(f->i));
	}
	t->verdict = v;
	return true;
}

void
trial_data(struct trial *t)
{
	if (!trial_may(t, t->stage == TRIAL_MAIL, "there is no message"))
		return;
	if (trial_ask(t, HOOK_DATA, -1) && t->verdict.act == HOOK_GO) {
		struct hook_verdict v = t->verdict;

		t->stage = TRIAL_DATA;
		if (filters_begin(t))
			t->verdict = v;
	}
}

void
trial_headers(struct trial *t)
{
	if (t->stage == TRIAL_MAIL) {
		trial_data(t);
		if (t->gone || t->stage != TRIAL_DATA)
			return;
	}
	if (!trial_may(t, t->stage == TRIAL_DATA, "there is no message"))
		return;
	end_header(t);
	if (filters_chunk(t, 0, t->subject->body_at) &&
	    trial_ask(t, HOOK_HEADERS, -1) && t->verdict.act == HOOK_GO)
		t->stage = TRIAL_HEADERS;
}

void
trial_eom(struct trial *t)
{
	struct hook_verdict before = { .act = HOOK_GO };
	struct hook_verdict filtered;

	if (t->stage < TRIAL_HEADERS) {
		trial_headers(t);
		if (t->gone || t->stage != TRIAL_HEADERS)
			return;
		before = t->verdict;
	}
	if (!trial_may(t, t->stage == TRIAL_HEADERS, "there is no message") ||
	    !filters_chunk(t, t->subject->body_at,
		buf_len(&t->subject->content)) || !filters_end(t))
		return;
	filtered = t->verdict;
	if (filtered.act != HOOK_GO || !trial_ask(t, HOOK_EOM, -1))
		return;
	/* Quarantine sticks. */
	if (t->verdict.quarantine[0] == '\0')
		(void)str_copy(t->verdict.quarantine,
		    sizeof(t->verdict.quarantine),
		    str_c(filtered.quarantine[0] != '\0' ?
			filtered.quarantine : before.quarantine));
	if (t->verdict.act == HOOK_GO) {
		t->stage = TRIAL_EOM;
		subject_split(t->subject);
	}
}

/* ---- Behind the last dot ----------------------------------------------- */

void
trial_branch(struct trial *t)
{
	struct hook_verdict worst = { .act = HOOK_GO };
	struct subject *sub = t->subject;
	unsigned b;

	if (!trial_may(t, t->stage == TRIAL_EOM, "no message was taken"))
		return;
	for (b = 0; b < sub->nbranch; b++) {
		if (!trial_ask(t, HOOK_BRANCH, subject_branch(sub, b)))
			return;
		if (worst.act == HOOK_GO && worst.quarantine[0] == '\0')
			worst = t->verdict;
	}
	t->verdict = worst;
}

void
trial_delivery(struct trial *t, enum hook h)
{
	struct hook_verdict worst = { .act = HOOK_GO };
	struct subject *sub = t->subject;
	unsigned i;

	if (!trial_may(t, t->stage == TRIAL_EOM, "no message was taken"))
		return;
	for (i = 0; i < sub->nbranch; i++) {
		bool over = !trial_ask(t, h, subject_branch(sub, i));

		subject_end_event(sub);
		if (over)
			return;
		if (worst.act == HOOK_GO)
			worst = t->verdict;
	}
	t->verdict = worst;
}
