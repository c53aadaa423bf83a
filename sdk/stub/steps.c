#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "stub.h"

static void	session(struct stub *st, const struct stmt *s);
static void	fact(struct stub *st, const struct stmt *s);
static void	content(struct stub *st, const struct stmt *s);
static void	delivery(struct stub *st, const struct stmt *s, enum hook h);
static void	move_time(struct stub *st, const struct stmt *s);

void
step_run(struct stub *st, const struct stmt *s)
{
	const struct stmt *last = script_last_plugin(st->script);
	struct trial *t = &st->t;

	switch (s->id) {
	case WORD_FACT:
		fact(st, s);
		break;
	case WORD_SESSION:
		session(st, s);
		break;
	case WORD_HELO:
		trial_helo(t, s->word[0].s);
		break;
	case WORD_TLS:
		trial_tls(t, s->word[0].s, s->word[1].s);
		break;
	case WORD_MAIL:
		trial_mail(t, s->word[0].s, stmt_key(s, "size"),
		    stmt_key(s, "envid"));
		break;
	case WORD_RCPT:
		trial_rcpt(t, s->word[0].s);
		break;
	case WORD_HEADER:
	case WORD_BODY:
		content(st, s);
		break;
	case WORD_DATA:
		trial_data(t);
		break;
	case WORD_HEADERS:
		trial_headers(t);
		break;
	case WORD_EOM:
		trial_eom(t);
		break;
	case WORD_BRANCH:
		trial_branch(t);
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
		trial_disconnect(t);
		break;
	case WORD_OP:
		opcall_run(st, s);
		break;
	case WORD_FILE: /* others are there before plugins are */
		if (last == NULL || last->line < s->line)
			outside_file(st, s);
		break;
	case WORD_SMTP:
		outside_smtp(st, s);
		break;
	case WORD_CONNECT:
		outside_connect(st, s);
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

static void
fact(struct stub *st, const struct stmt *s)
{
	enum fact f;

	if (trial_may(&st->t, strcmp(s->word[1].s, "=") == 0,
		script_usage(s->id)) &&
	    trial_may(&st->t, subject_fact(s->word[0].s, &f),
		"no fact has that name"))
		st->t.subject->fact[f] = s->word[2].s;
}

static void
move_time(struct stub *st, const struct stmt *s)
{
	const char *p = s->word[0].s;
	msec by;

	if (trial_may(&st->t, p[0] == '+' &&
		num_duration(str_c(p + 1), &by) == 0, script_usage(s->id)))
		trial_settle(&st->t, by);
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
	struct trial_client c = { .ip = s->word[0].s,
		.port = argument(s, "port", 1), .name = argument(s, "name", 1),
		.helo = argument(s, "helo", 1), .auth = argument(s, "auth", 1),
		.listener = argument(s, "listener", 1),
		.tls_version = argument(s, "tls", 1),
		.tls_cipher = argument(s, "tls", 2) };

	trial_connect(&st->t, &c);
}

static void
content(struct stub *st, const struct stmt *s)
{
	const char *text = s->word[0].s;
	struct buf file;

	if (s->id == WORD_HEADER) {
		trial_header(&st->t, text, s->word[1].s);
		return;
	}
	if (text[0] != '@' || s->word[0].quoted) {
		trial_body(&st->t, str_c(text));
		return;
	}
	buf_init(&file, 64 * 1024 * 1024);
	if (file_read(&file, text + 1, &st->t.broken) == 0)
		trial_body(&st->t, buf_str(&file));
	buf_fini(&file);
}

/* KEY=VALUE are facts: deliver.KEY. */
static void
delivery(struct stub *st, const struct stmt *s, enum hook h)
{
	struct trial *t = &st->t;
	const char **fact = t->subject->fact;
	bool taken = t->stage == TRIAL_EOM;
	enum fact f;
	unsigned i;

	if (taken && h == HOOK_DELIVER) {
		fact[FACT_DCID] = "1";
		fact[FACT_DELIVER_ATTEMPT] = "1";
	}
	for (i = 0; taken && i < s->n; i++) {
		const struct script_word *w = &s->word[i];

		if (!trial_may(t, w->key != NULL && subject_fact(pool_printf(
			t->pool, "deliver.%s", w->key), &f), "KEY=VALUE sets "
			"the fact deliver.KEY; no fact is called so"))
			return;
		fact[f] = w->value;
	}
	trial_delivery(t, h);
}
