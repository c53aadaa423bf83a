#include <string.h>

#include <postern/filter.h>

#include "base/file.h"
#include "base/num.h"
#include "stub.h"

/* How far a message got. */
enum { STAGE_NONE, STAGE_MAIL, STAGE_DATA, STAGE_HEADERS, STAGE_EOM };

/* A filter/1 that has begun, and what it said before the end. */
struct filter {
	struct instance *i;
	struct hook_verdict held;
	struct filter *next;
};

static void	session(struct stub *st, const struct stmt *s);
static void	fact(struct stub *st, const struct stmt *s);
static void	mail(struct stub *st, const struct stmt *s);
static void	rcpt(struct stub *st, const struct stmt *s);
static void	content(struct stub *st, const struct stmt *s);
static void	data(struct stub *st);
static void	headers(struct stub *st);
static void	eom(struct stub *st);
static void	branch(struct stub *st);
static void	delivery(struct stub *st, const struct stmt *s, enum hook h);
static void	disconnect(struct stub *st);
static void	move_time(struct stub *st, const struct stmt *s);
static bool	may(struct stub *st, bool ok, const char *why);

void
step_run(struct stub *st, const struct stmt *s)
{
	struct subject *sub = st->subject;

	switch (s->id) {
	case WORD_FACT:
		fact(st, s);
		break;
	case WORD_SESSION:
		session(st, s);
		break;
	case WORD_HELO:
		sub->fact[FACT_CLIENT_HELO] = s->word[0].s;
		if (may(st, sub->session, "there is no session"))
			(void)stub_ask(st, HOOK_HELO, -1);
		break;
	case WORD_TLS:
		sub->fact[FACT_TLS_VERSION] = s->word[0].s;
		sub->fact[FACT_TLS_CIPHER] = s->word[1].s;
		if (may(st, sub->session, "there is no session"))
			(void)stub_ask(st, HOOK_TLS, -1);
		break;
	case WORD_MAIL:
		mail(st, s);
		break;
	case WORD_RCPT:
		rcpt(st, s);
		break;
	case WORD_HEADER:
	case WORD_BODY:
		content(st, s);
		break;
	case WORD_DATA:
		data(st);
		break;
	case WORD_HEADERS:
		headers(st);
		break;
	case WORD_EOM:
		eom(st);
		break;
	case WORD_BRANCH:
		branch(st);
		break;
	case WORD_DELIVER:
		delivery(st, s, HOOK_DELIVER);
		break;
	case WORD_QUEUED:
		delivery(st, s, HOOK_QUEUED);
		break;
	case WORD_DELIVERED:
		delivery(st, s, HOOK_DELIVERED);
		break;
	case WORD_DEFERRED:
		delivery(st, s, HOOK_DEFERRED);
		break;
	case WORD_BOUNCED:
		delivery(st, s, HOOK_BOUNCED);
		break;
	case WORD_DISCONNECT:
		disconnect(st);
		break;
	case WORD_OP:
		opcall_run(st, s);
		break;
	case WORD_TIME:
		move_time(st, s);
		break;
	case WORD_PLUGIN:
	case WORD_DNS:
	case WORD_HTTP:
	case WORD_LOOKUP:
	case WORD_EXPECT:
	case WORD_CHAOS:
	case WORD_COUNT:
		break;
	}
}

/* Marks the script as wrong unless ok; with a fault a step may have been
 * refused that later ones count on, and they are passed over. */
static bool
may(struct stub *st, bool ok, const char *why)
{
	if (!ok && st->tap != NULL)
		(void)err_text(&st->broken, "%s", why);
	return ok;
}

static void
fact(struct stub *st, const struct stmt *s)
{
	enum fact f;

	if (may(st, strcmp(s->word[1].s, "=") == 0, script_usage(s->id)) &&
	    may(st, subject_fact(s->word[0].s, &f), "no fact has that name"))
		st->subject->fact[f] = s->word[2].s;
}

static void
move_time(struct stub *st, const struct stmt *s)
{
	const char *p = s->word[0].s;
	msec by;

	if (may(st, p[0] == '+' && num_duration(str_c(p + 1), &by) == 0,
		script_usage(s->id)))
		stub_settle(st, by);
}

/* ---- The session ------------------------------------------------------- */

static const char *
argument(const struct stmt *s, const char *word, unsigned nth)
{
	unsigned i;

	for (i = 1; i + nth < s->n; i++) {
		if (strcmp(s->word[i].s, word) == 0)
			return s->word[i + nth].s;
	}
	return NULL;
}

static void
session(struct stub *st, const struct stmt *s)
{
	static const enum fact old[] = { FACT_CLIENT_HELO, FACT_CLIENT_NAME,
		FACT_CLIENT_VERIFIED, FACT_CLIENT_AUTH, FACT_TLS_VERSION,
		FACT_TLS_CIPHER };
	struct subject *sub = st->subject;
	const char **fact = sub->fact, *word;
	size_t i;

	if (sub->session)
		disconnect(st);
	for (i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		fact[old[i]] = NULL;
	fact[FACT_ICID] = pool_printf(st->pool, "%u", (unsigned)++st->icid);
	fact[FACT_CLIENT_IP] = s->word[0].s;
	word = argument(s, "port", 1);
	fact[FACT_CLIENT_PORT] = word != NULL ? word : "40000";
	fact[FACT_CLIENT_NAME] = argument(s, "name", 1);
	if (fact[FACT_CLIENT_NAME] != NULL)
		fact[FACT_CLIENT_VERIFIED] = "yes";
	word = argument(s, "listener", 1);
	if (word != NULL)
		fact[FACT_LISTENER] = word;
	sub->session = true;
	if (!stub_ask(st, HOOK_CONNECT, -1) || st->verdict.act != HOOK_GO)
		return;
	fact[FACT_CLIENT_HELO] = argument(s, "helo", 1);
	fact[FACT_CLIENT_ESMTP] = "yes";
	if (fact[FACT_CLIENT_HELO] != NULL &&
	    (!stub_ask(st, HOOK_HELO, -1) || st->verdict.act != HOOK_GO))
		return;
	fact[FACT_TLS_VERSION] = argument(s, "tls", 1);
	fact[FACT_TLS_CIPHER] = argument(s, "tls", 2);
	if (fact[FACT_TLS_VERSION] != NULL &&
	    (!stub_ask(st, HOOK_TLS, -1) || st->verdict.act != HOOK_GO))
		return;
	fact[FACT_CLIENT_AUTH] = argument(s, "auth", 1);
}

static void
disconnect(struct stub *st)
{
	struct subject *sub = st->subject;

	if (!may(st, sub->session, "there is no session"))
		return;
	subject_end_message(sub);
	if (stub_ask(st, HOOK_DISCONNECT, -1))
		subject_end_session(sub);
	st->stage = STAGE_NONE;
}

static void
mail(struct stub *st, const struct stmt *s)
{
	struct subject *sub = st->subject;

	if (!may(st, sub->session, "there is no session"))
		return;
	subject_end_message(sub);
	st->filters = NULL;
	st->stage = STAGE_NONE;
	sub->fact[FACT_MID] = pool_printf(st->pool, "%u", (unsigned)++st->mid);
	sub->fact[FACT_MESSAGE_SIZE] = stmt_key(s, "size");
	sub->fact[FACT_MESSAGE_ENVID] = stmt_key(s, "envid");
	if (subject_mail(sub, s->word[0].s, &st->broken) < 0)
		return;
	if (!stub_ask(st, HOOK_MAIL, -1))
		return;
	if (st->verdict.act == HOOK_GO || st->verdict.act == HOOK_DISCARD)
		st->stage = STAGE_MAIL;
	else
		subject_end_message(sub);
}

static void
rcpt(struct stub *st, const struct stmt *s)
{
	struct subject *sub = st->subject;

	if (!may(st, st->stage == STAGE_MAIL, "there is no message to add a "
		"recipient to") ||
	    subject_rcpt(sub, s->word[0].s, &st->broken) < 0)
		return;
	if (stub_ask(st, HOOK_RCPT, (int)sub->nrcpt))
		subject_rcpt_done(sub, st->verdict.act == HOOK_GO);
}

/* ---- The message ------------------------------------------------------- */

/* LF and CRLF in a script are line ends of the message. */
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
begin_content(struct stub *st)
{
	struct subject *sub = st->subject;

	if (buf_len(&sub->content) > 0)
		return;
	(void)buf_printf(&sub->content, "Received: from %s ([%s]) by "
	    "stub.example with ESMTP id %s\r\n",
	    sub->fact[FACT_CLIENT_HELO] != NULL ?
	    sub->fact[FACT_CLIENT_HELO] : "unknown",
	    sub->fact[FACT_CLIENT_IP], sub->fact[FACT_MID]);
}

static void
end_header(struct stub *st)
{
	struct subject *sub = st->subject;

	begin_content(st);
	if (sub->body_at == 0) {
		(void)buf_add_c(&sub->content, "\r\n");
		sub->body_at = buf_len(&sub->content);
	}
}

static void
content(struct stub *st, const struct stmt *s)
{
	struct subject *sub = st->subject;
	const char *text = s->word[0].s;
	struct buf file;

	if (!may(st, st->stage == STAGE_MAIL || st->stage == STAGE_DATA ||
		(st->stage == STAGE_HEADERS && s->id == WORD_BODY),
		"there is no message for it"))
		return;
	if (s->id == WORD_HEADER) {
		if (!may(st, sub->body_at == 0, "the header has ended"))
			return;
		begin_content(st);
		(void)buf_printf(&sub->content, "%s: %s\r\n", text,
		    s->word[1].s);
		return;
	}
	end_header(st);
	if (text[0] != '@' || s->word[0].quoted) {
		add_lines(&sub->content, str_c(text));
		return;
	}
	buf_init(&file, 64 * 1024 * 1024);
	if (file_read(&file, text + 1, &st->broken) == 0)
		add_lines(&sub->content, buf_str(&file));
	buf_fini(&file);
}

/* What an operation said, as the hooks' verdict. */
static void
take_op(const struct stub *st, struct hook_verdict *v, const char *by)
{
	switch (st->op.verdict) {
	case PST_REJECT:
		v->act = HOOK_REJECT;
		break;
	case PST_DISCARD:
		v->act = HOOK_DISCARD;
		break;
	case PST_QUARANTINE:
		(void)str_copy(v->quarantine, sizeof(v->quarantine),
		    str_c(st->op.reply.text[0] != '\0' ? st->op.reply.text :
							 by));
		return;
	case PST_CONTINUE:
	case PST_ACCEPT:
		return;
	default:
		v->act = HOOK_TEMPFAIL;
		break;
	}
	v->reply = st->op.reply;
	v->by = by;
}

static bool
filters_begin(struct stub *st)
{
	struct filter *f, **tail = &st->filters;
	struct instance *i = NULL;

	while ((i = op_next(st->gen, PST_FILTER_BEGIN, i)) != NULL) {
		if (!stub_ask_op(st, i, PST_FILTER_BEGIN, true, NULL))
			return false;
		f = POOL_NEW(st->pool, struct filter);
		take_op(st, &f->held, instance_name(i));
		if (st->op.verdict == PST_CONTINUE)
			f->i = i;
		*tail = f;
		tail = &f->next;
	}
	return true;
}

static bool
filters_chunk(struct stub *st, size_t off, size_t end)
{
	const char *all = buf_p(&st->subject->content);
	struct pst_chunk c = { .size = sizeof(c), .offset = off,
		.data = { all + off, end - off } };
	struct filter *f;

	for (f = st->filters; f != NULL && end > off; f = f->next) {
		if (f->i == NULL)
			continue;
		if (!stub_ask_op(st, f->i, PST_FILTER_CHUNK, true, &c))
			return false;
		take_op(st, &f->held, instance_name(f->i));
		if (st->op.verdict != PST_CONTINUE)
			f->i = NULL;
	}
	return true;
}

/* False: it is over; else st->verdict is what they say. */
static bool
filters_end(struct stub *st)
{
	struct hook_verdict v = { .act = HOOK_GO };
	struct filter *f;

	for (f = st->filters; f != NULL && v.act == HOOK_GO; f = f->next) {
		if (f->held.act != HOOK_GO || f->held.quarantine[0] != '\0')
			v = f->held;
		if (f->i == NULL)
			continue;
		if (!stub_ask_op(st, f->i, PST_FILTER_END, true, NULL))
			return false;
		take_op(st, &v, instance_name(f->i));
	}
	st->verdict = v;
	return true;
}

static void
data(struct stub *st)
{
	if (!may(st, st->stage == STAGE_MAIL, "there is no message"))
		return;
	if (stub_ask(st, HOOK_DATA, -1) && st->verdict.act == HOOK_GO) {
		struct hook_verdict v = st->verdict;

		st->stage = STAGE_DATA;
		if (filters_begin(st))
			st->verdict = v;
	}
}

static void
headers(struct stub *st)
{
	if (st->stage == STAGE_MAIL) {
		data(st);
		if (st->gone || st->stage != STAGE_DATA)
			return;
	}
	if (!may(st, st->stage == STAGE_DATA, "there is no message"))
		return;
	end_header(st);
	if (filters_chunk(st, 0, st->subject->body_at) &&
	    stub_ask(st, HOOK_HEADERS, -1) && st->verdict.act == HOOK_GO)
		st->stage = STAGE_HEADERS;
}

static void
eom(struct stub *st)
{
	struct hook_verdict before = { .act = HOOK_GO };
	struct hook_verdict filtered;

	if (st->stage < STAGE_HEADERS) {
		headers(st);
		if (st->gone || st->stage != STAGE_HEADERS)
			return;
		before = st->verdict;
	}
	if (!may(st, st->stage == STAGE_HEADERS, "there is no message") ||
	    !filters_chunk(st, st->subject->body_at,
		buf_len(&st->subject->content)) || !filters_end(st))
		return;
	filtered = st->verdict;
	if (filtered.act != HOOK_GO || !stub_ask(st, HOOK_EOM, -1))
		return;
	/* Quarantine sticks. */
	if (st->verdict.quarantine[0] == '\0')
		(void)str_copy(st->verdict.quarantine,
		    sizeof(st->verdict.quarantine),
		    str_c(filtered.quarantine[0] != '\0' ?
			filtered.quarantine : before.quarantine));
	if (st->verdict.act == HOOK_GO) {
		st->stage = STAGE_EOM;
		subject_split(st->subject);
	}
}

/* ---- Behind the last dot ----------------------------------------------- */

static void
branch(struct stub *st)
{
	struct hook_verdict worst = { .act = HOOK_GO };
	struct subject *sub = st->subject;
	unsigned b;

	if (!may(st, st->stage == STAGE_EOM, "no message was taken"))
		return;
	for (b = 0; b < sub->nbranch; b++) {
		if (!stub_ask(st, HOOK_BRANCH, subject_branch(sub, b)))
			return;
		if (worst.act == HOOK_GO && worst.quarantine[0] == '\0')
			worst = st->verdict;
	}
	st->verdict = worst;
}

/* KEY=VALUE are facts: deliver.KEY. */
static void
delivery(struct stub *st, const struct stmt *s, enum hook h)
{
	struct hook_verdict worst = { .act = HOOK_GO };
	struct subject *sub = st->subject;
	enum fact f;
	unsigned i;

	if (!may(st, st->stage == STAGE_EOM, "no message was taken"))
		return;
	if (h == HOOK_DELIVER) {
		sub->fact[FACT_DCID] = "1";
		sub->fact[FACT_DELIVER_ATTEMPT] = "1";
	}
	for (i = 0; i < s->n; i++) {
		const struct script_word *w = &s->word[i];

		if (!may(st, w->key != NULL && subject_fact(pool_printf(
			st->pool, "deliver.%s", w->key), &f), "KEY=VALUE sets "
			"the fact deliver.KEY; no fact is called so"))
			return;
		sub->fact[f] = w->value;
	}
	for (i = 0; i < sub->nbranch; i++) {
		bool over = !stub_ask(st, h, subject_branch(sub, i));

		subject_end_event(sub);
		if (over)
			return;
		if (worst.act == HOOK_GO)
			worst = st->verdict;
	}
	st->verdict = worst;
}
