#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "mail/header.h"
#include "mail/notes.h"
#include "trial/drive.h"

#define TEXT_MAX (4 * 1024 * 1024)

static const char *text_of(const json_t *m, const char *key,
		    const char *otherwise);
static void	session(struct trial *t, const json_t *m);
static void	envelope(struct trial *t, const json_t *m, json_t *rcpts);
static void	content(struct trial *t, const json_t *m);
static json_t	*reply_of(const struct trial *t);
static void	describe(struct trial *t, json_t *rcpt, int i);
static void	hold(struct trial *t, json_t *o, int rcpt);
static void	add_others(struct trial *t, json_t *rcpts);
static json_t	*branches_of(struct trial *t);
static json_t	*finish(struct trial *t, json_t *rcpts);

static struct str
behind(const struct buf *b, size_t at)
{
	return str_n(buf_p(b) + at, buf_len(b) - at);
}

json_t *
drive_send(struct trial *t, const json_t *m)
{
	json_t *out = drive_message(t, m);

	if (t->subject->session)
		trial_disconnect(t);
	return out;
}

json_t *
drive_message(struct trial *t, const json_t *m)
{
	json_t *rcpts = json_array(), *out;
	size_t log, alerts;
	struct str s;

	if (t->subject->session)
		trial_disconnect(t);
	log = buf_len(&t->log);
	alerts = buf_len(&t->alerts);
	t->gone = false;
	err_clear(&t->broken);
	session(t, m);
	if (t->verdict.act == HOOK_GO && !t->gone)
		envelope(t, m, rcpts);
	out = finish(t, rcpts);
	s = behind(&t->log, log);
	(void)json_object_set_new(out, "log", json_stringn_nocheck(s.p, s.n));
	s = behind(&t->alerts, alerts);
	(void)json_object_set_new(out, "alerts", json_stringn_nocheck(s.p,
	    s.n));
	if (t->broken.text[0] != '\0')
		(void)json_object_set_new(out, "error",
		    json_string(t->broken.text));
	return out;
}

/* A copy: facts point to it. */
static const char *
keep(struct trial *t, const json_t *m, const char *key, const char *otherwise)
{
	return pool_strdup(t->pool, text_of(m, key, otherwise));
}

static const char *
text_of(const json_t *m, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(m, key));

	return s != NULL ? s : otherwise;
}

static void
session(struct trial *t, const json_t *m)
{
	const json_t *tls = json_object_get(m, "tls");
	const json_t *relay = json_object_get(m, "relay");
	struct trial_client c = { .ip = keep(t, m, "ip", "192.0.2.1"),
		.name = keep(t, m, "name", NULL),
		.helo = keep(t, m, "helo", "client.example"),
		.auth = keep(t, m, "auth", NULL),
		.listener = keep(t, m, "listener", NULL) };

	/* Who has authenticated may send to anywhere, as with the relay. */
	t->subject->fact[FACT_CLIENT_GROUP] = keep(t, m, "group", NULL);
	t->subject->fact[FACT_CLIENT_RELAY] = json_is_true(relay) ||
		(relay == NULL && c.auth != NULL) ? "yes" : NULL;
	t->subject->fact[FACT_MESSAGE_REQUIRETLS] =
	    json_is_true(json_object_get(m, "require_tls")) ? "yes" : NULL;
	if (json_is_true(tls)) {
		c.tls_version = "TLSv1.3";
		c.tls_cipher = "TLS_AES_256_GCM_SHA384";
	} else if (json_is_object(tls)) {
		c.tls_version = keep(t, tls, "version", "TLSv1.3");
		c.tls_cipher = keep(t, tls, "cipher",
		    "TLS_AES_256_GCM_SHA384");
		c.cert = keep(t, tls, "cert", NULL);
		c.sha256 = keep(t, tls, "sha256", NULL);
		c.subject = keep(t, tls, "subject", NULL);
		c.issuer = keep(t, tls, "issuer", NULL);
		c.names = keep(t, tls, "names", NULL);
	}
	trial_connect(t, &c);
}

/* By the server itself, which asks nobody then. */
static bool
refused(struct trial *t, enum hook at, const json_t *no)
{
	struct hook_verdict *v = &t->verdict;
	int code = (int)json_integer_value(json_object_get(no, "code"));

	if (no == NULL)
		return false;
	t->subject->at = at;
	*v = (struct hook_verdict){ .act = code < 500 ? HOOK_TEMPFAIL :
		HOOK_REJECT, .by = keep(t, no, "by", NULL) };
	(void)err_set(&v->reply, code, text_of(no, "enhanced", ""), "%s",
	    text_of(no, "text", ""));
	return true;
}

/* A recipient that is refused is one less; without any that is the answer. */
static void
envelope(struct trial *t, const json_t *m, json_t *rcpts)
{
	const json_t *v = json_object_get(m, "rcpt");
	const json_t *no = json_object_get(m, "refused");
	const json_t *no_rcpt = json_object_get(no, "rcpt");
	struct hook_verdict last;
	unsigned taken = 0;
	size_t i;
	json_t *r;

	if (refused(t, HOOK_MAIL, json_object_get(no, "mail")))
		return;
	trial_mail(t, keep(t, m, "from", "sender@client.example"), NULL,
	    NULL);
	last = t->verdict;
	if (last.act != HOOK_GO || t->gone || t->broken.text[0] != '\0')
		return;
	for (i = 0; i < json_array_size(v) && !t->gone &&
	     t->broken.text[0] == '\0'; i++) {
		const char *to = json_string_value(json_array_get(v, i));

		if (to == NULL) {
			(void)err_text(&t->broken, "rcpt is a list of "
			    "addresses");
			return;
		}
		if (!refused(t, HOOK_RCPT, json_object_get(no_rcpt, to)))
			trial_rcpt(t, pool_strdup(t->pool, to));
		r = json_pack("{s:s, s:b, s:o}", "address", to, "taken",
		    t->verdict.act == HOOK_GO, "reply", reply_of(t));
		if (t->verdict.act != HOOK_GO && t->verdict.by != NULL)
			(void)json_object_set_new(r, "by",
			    json_string(t->verdict.by));
		(void)json_array_append_new(rcpts, r);
		taken += t->verdict.act == HOOK_GO;
		last = t->verdict;
	}
	if (taken > 0 && !t->gone && t->broken.text[0] == '\0')
		content(t, m);
}

static void
content(struct trial *t, const json_t *m)
{
	const json_t *v = json_object_get(m, "headers"), *f;
	size_t i;

	for (i = 0; i < json_array_size(v); i++) {
		const char *name, *value;

		f = json_array_get(v, i);
		name = json_string_value(json_array_get(f, 0));
		value = json_string_value(json_array_get(f, 1));
		if (name != NULL && value != NULL)
			trial_header(t, name, value);
	}
	trial_body(t, str_c(text_of(m, "body", "Hello.\n")));
	trial_data(t);
	if (t->verdict.act != HOOK_GO || t->gone)
		return;
	trial_headers(t);
	if (t->verdict.act != HOOK_GO || t->gone)
		return;
	trial_eom(t);
	if (t->verdict.act == HOOK_GO && !t->gone && t->stage == TRIAL_EOM)
		trial_branch(t);
}

static const char *
word_of(const struct trial *t)
{
	static const char *const words[] = { [PST_CONTINUE] = "accept",
		[PST_ACCEPT] = "accept", [PST_REJECT] = "reject",
		[PST_TEMPFAIL] = "tempfail", [PST_DISCARD] = "discard",
		[PST_QUARANTINE] = "quarantine",
		[PST_DISCONNECT] = "disconnect" };

	return words[trial_verdict(t)];
}

static json_t *
reply_of(const struct trial *t)
{
	const struct err *e = &t->verdict.reply;

	if (t->verdict.act == HOOK_GO || t->verdict.act == HOOK_DISCARD)
		return json_pack("{s:i, s:s, s:s}", "code", 250, "enhanced",
		    "2.0.0", "text", "Ok");
	return json_pack("{s:i, s:s, s:s}", "code", e->code, "enhanced",
	    e->enh, "text", e->text);
}

static void
set_fact(struct trial *t, json_t *o, const char *key, enum fact f, int rcpt)
{
	const char *s = subject_ops.get(t->subject, f, rcpt, t->pool);

	if (s != NULL && s[0] != '\0')
		(void)json_object_set_new(o, key, json_string_nocheck(s));
}

/* Seconds. */
static void
hold(struct trial *t, json_t *o, int rcpt)
{
	const char *s = subject_ops.get(t->subject, FACT_MESSAGE_HOLD, rcpt,
	    t->pool);
	uint64_t n;

	if (s != NULL && num_u64(str_c(s), UINT32_MAX, &n) == 0 && n > 0)
		(void)json_object_set_new(o, "hold",
		    json_integer((json_int_t)n));
}

static json_t *
header_of(struct trial *t, int rcpt)
{
	json_t *out = json_array();
	struct header h;
	struct buf text;
	size_t i;

	buf_init(&text, TEXT_MAX);
	subject_header_text(t->subject, rcpt, &text);
	header_parse(t->pool, pool_str(t->pool, buf_str(&text)), 100000, &h);
	for (i = 0; i < h.n; i++) {
		struct str v = header_unfold(t->pool, h.v[i].value);

		(void)json_array_append_new(out, json_pack("[s%, s%]",
		    h.v[i].name.p, h.v[i].name.n, v.p, v.n));
	}
	buf_fini(&text);
	return out;
}

/* Of a recipient that was taken: what holds for it. */
static void
describe(struct trial *t, json_t *o, int i)
{
	struct subject *s = t->subject;
	const char *want;
	json_t *header;

	set_fact(t, o, "want", FACT_RCPT_TLS, i);
	want = json_string_value(json_object_get(o, "want"));
	(void)json_object_set_new(o, "tls", want == NULL ? json_null() :
	    json_stringn_nocheck(want, strcspn(want, " ")));
	set_fact(t, o, "route", FACT_RCPT_ROUTE, i);
	set_fact(t, o, "bounce_profile", FACT_RCPT_PROFILE, i);
	set_fact(t, o, "quarantine", FACT_MESSAGE_QUARANTINE, i);
	hold(t, o, i);
	if (s->rcpt[i]->dropped)
		(void)json_object_set_new(o, "dropped", json_true());
	else if (s->nbranch > 0)
		(void)json_object_set_new(o, "branch",
		    json_integer(s->rcpt[i]->branch));
	if (s->body_at != 0) {
		header = header_of(t, i);
		(void)json_object_set_new(o, "header",
		    header != NULL ? header : json_null());
	}
}

static json_t *
branches_of(struct trial *t)
{
	struct subject *s = t->subject;
	json_t *out = json_array(), *b, *rcpts;
	unsigned i, k;
	int first;

	for (k = 0; k < s->nbranch; k++) {
		rcpts = json_array();
		for (i = 0; i < s->nrcpt; i++) {
			if (!s->rcpt[i]->dropped && s->rcpt[i]->branch == k)
				(void)json_array_append_new(rcpts,
				    json_stringn_nocheck(
					s->rcpt[i]->addr.full.p,
					s->rcpt[i]->addr.full.n));
		}
		b = json_pack("{s:o}", "rcpt", rcpts);
		first = subject_branch(s, k);
		set_fact(t, b, "quarantine", FACT_MESSAGE_QUARANTINE, first);
		hold(t, b, first);
		(void)json_array_append_new(out, b);
	}
	return out;
}

/* Those that a plugin has added. */
static void
add_others(struct trial *t, json_t *rcpts)
{
	struct subject *s = t->subject;
	size_t k, known = json_array_size(rcpts);
	const char *address;
	unsigned i;
	json_t *o;

	for (i = 0; i < s->nrcpt; i++) {
		for (k = 0; k < known; k++) {
			address = json_string_value(json_object_get(
			    json_array_get(rcpts, k), "address"));
			if (str_ieq_c(s->rcpt[i]->addr.full, address))
				break;
		}
		if (k < known)
			continue;
		o = json_pack("{s:s%, s:b, s:b}", "address",
		    s->rcpt[i]->addr.full.p, s->rcpt[i]->addr.full.n, "taken",
		    1, "added", 1);
		describe(t, o, (int)i);
		(void)json_array_append_new(rcpts, o);
	}
}

static void
put_notes(json_t *o, const struct notes *notes)
{
	const char *name, *value;
	unsigned i;

	for (i = 0; notes != NULL && notes_at(notes, i, &name, &value); i++)
		(void)json_object_set_new(o, name, json_string(value));
}

/* Of the message and its branches; without one, of the session. */
static json_t *
notes_of(struct subject *s)
{
	json_t *o = json_object();
	unsigned i;

	put_notes(o, subject_notes(s, -1));
	for (i = 0; i < s->nbranch; i++)
		put_notes(o, subject_notes(s, subject_branch(s, i)));
	return o;
}

static json_t *
finish(struct trial *t, json_t *rcpts)
{
	struct subject *s = t->subject;
	json_t *out, *o;
	size_t k;
	int i;

	for (k = 0; k < json_array_size(rcpts); k++) {
		o = json_array_get(rcpts, k);
		i = subject_find(s, json_string_value(json_object_get(o,
		    "address")));
		if (i >= 0)
			describe(t, o, i);
	}
	add_others(t, rcpts);
	out = json_pack("{s:s, s:s, s:o, s:s?, s:o, s:o, s:o}", "stage",
	    hook_word(s->at), "verdict", word_of(t), "reply", reply_of(t),
	    "by", t->verdict.by, "rcpt", rcpts, "branches", branches_of(t),
	    "notes", notes_of(s));
	ASSERT(out != NULL);
	return out;
}
