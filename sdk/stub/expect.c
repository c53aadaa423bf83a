#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "mail/header.h"
#include "mail/notes.h"
#include "stub.h"

/* An `expect` line taken apart. */
struct expected {
	bool no;
	const char *what, *name;
	const struct script_word *value; /* NULL: "none", or a regex alone */
	bool none;
	int rcpt;
};

static bool	take_apart(struct stub *st, const struct stmt *s,
		    struct expected *x);
static bool	look(struct stub *st, const struct expected *x, char *why,
		    size_t n);

void
tap_line(struct tap *t, bool ok, const struct script *script,
    const struct stmt *s, const char *why)
{
	t->n++;
	t->failed += !ok;
	if (ok && t->quiet)
		return;
	(void)fprintf(t->out, "%s %u - %s:%d: %s\n", ok ? "ok" : "not ok",
	    t->n, script->file, s->line, s->text);
	if (!ok)
		(void)fprintf(t->out, "# %s\n", why);
}

/* What the step's plugins said, of a hook or of an operation. */
static enum pst_verdict
said(const struct stub *st, const struct stmt *s, const struct err **reply_r)
{
	if (s->id == WORD_OP) {
		*reply_r = &st->t.op.reply;
		return (enum pst_verdict)st->t.op.verdict;
	}
	*reply_r = &st->t.verdict.reply;
	return trial_verdict(&st->t);
}

static bool
text_is(const struct script_word *w, struct str text)
{
	return w->regex != NULL ? regex_in(w->regex, text) :
				  str_eq_c(text, w->s);
}

void
expect_want(struct stub *st, const struct stmt *s)
{
	const struct script_want *w = &s->want;
	const struct err *reply;
	enum pst_verdict v = said(st, s, &reply);
	struct str text = str_c(reply->text);
	char why[900];
	bool ok;

	if (v == PST_QUARANTINE && s->id != WORD_OP)
		text = str_c(st->t.verdict.quarantine);
	ok = v == w->verdict && (w->code == 0 || w->code == reply->code) &&
	    (w->enhanced == NULL || strcmp(w->enhanced, reply->enh) == 0) &&
	    (w->text == NULL || text_is(w->text, text));
	if (reply->code != 0 && v != PST_CONTINUE)
		(void)snprintf(why, sizeof(why), "%s %d %s %s",
		    script_verdict(v), reply->code, reply->enh, reply->text);
	else
		(void)snprintf(why, sizeof(why), "%s %.*s", script_verdict(v),
		    v == PST_CONTINUE ? 0 : (int)text.n, text.p);
	tap_line(st->tap, ok, st->script, s, why);
}

static const char *const fault_names[FAULT_KINDS] = {
	[FAULT_NONE] = "nothing", [FAULT_GONE] = "the client goes",
	[FAULT_TIMEOUT] = "a request times out",
	[FAULT_ERROR] = "a request fails",
	[FAULT_SILENCE] = "a request is not answered",
	[FAULT_MEMORY] = "there is no memory",
};

/* In a run with a fault, at the step that met it. */
void
expect_never(struct stub *st, const struct stmt *s)
{
	const struct stmt *c;
	const struct err *reply;
	enum pst_verdict v = said(st, s, &reply);

	for (c = st->script->first; c != NULL; c = c->next) {
		if (c->id != WORD_CHAOS || !c->want.given ||
		    c->want.verdict != v ||
		    (c->n > 0 && strcmp(c->word[0].s, script_id(s->id)) != 0))
			continue;
		(void)buf_printf(&st->wrong, "line %d: when %s, \"%s\" says "
		    "%s\n", s->line, fault_names[st->fault.kind], s->text,
		    script_verdict(v));
	}
}

void
expect_run(struct stub *st, const struct stmt *s)
{
	struct expected x = { .rcpt = -1 };
	char why[1200] = "";
	bool ok;

	if (!take_apart(st, s, &x)) {
		if (st->t.broken.text[0] == '\0')
			(void)err_text(&st->t.broken, "usage: %s",
			    script_usage(s->id));
		(void)err_prefix(&st->t.broken, "%s:%d: ", st->script->file,
		    s->line);
		st->t.gone = true;
		return;
	}
	ok = look(st, &x, why, sizeof(why)) != x.no;
	tap_line(st->tap, ok, st->script, s, why[0] != '\0' ? why :
	    x.no ? "it is there" : "it is not there");
}

static bool
take_apart(struct stub *st, const struct stmt *s, struct expected *x)
{
	static const char *const named[] = { "header", "fact", "out", "count",
		"file" };
	const struct script_word *w = s->word, *end = s->word + s->n;
	size_t i;

	if (w < end && strcmp(w->s, "no") == 0) {
		x->no = true;
		w++;
	}
	if (w == end)
		return false;
	x->what = (w++)->s;
	for (i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (strcmp(named[i], x->what) != 0)
			continue;
		if (w == end)
			return false;
		x->name = (w++)->s;
	}
	if (w < end && !w->quoted && w->regex == NULL &&
	    (strcmp(w->s, "=") == 0 || strcmp(w->s, "~") == 0)) {
		if (++w == end)
			return false;
	} else if (w < end && !w->quoted && strcmp(w->s, "none") == 0) {
		x->none = true;
		w++;
	}
	if (w < end && !x->none && strcmp(w->s, "for") != 0)
		x->value = w++;
	if (w + 1 < end && strcmp(w->s, "for") == 0) {
		x->rcpt = subject_find(st->t.subject, w[1].s);
		if (x->rcpt < 0) {
			(void)err_text(&st->t.broken, "%s is no recipient",
			    w[1].s);
			return false;
		}
		w += 2;
	}
	return w == end;
}

/* Compares one thing that is or is not there. */
static bool
compare(const struct expected *x, const char *have, char *why, size_t n)
{
	(void)snprintf(why, n, "%s%s", have == NULL ? "there is none" :
	    "it is: ", have != NULL ? have : "");
	if (x->none)
		return have == NULL;
	return have != NULL &&
	    (x->value == NULL || text_is(x->value, str_c(have)));
}

/* Any field of that name will do. */
static bool
look_header(struct stub *st, const struct expected *x, char *why, size_t n)
{
	const struct header_field *f;
	struct header h;
	struct buf text;
	unsigned nth = 0;
	bool ok = false;

	buf_init(&text, 4 * 1024 * 1024);
	subject_header_text(st->t.subject, x->rcpt, &text);
	header_parse(st->t.pool, buf_str(&text), 100000, &h);
	if (header_find(&h, x->name, 0) == NULL)
		ok = compare(x, NULL, why, n);
	while (!ok && (f = header_find(&h, x->name, nth++)) != NULL) {
		struct str v = header_unfold(st->t.pool, f->value);

		ok = compare(x, pool_strndup(st->t.pool, v.p, v.n), why, n);
	}
	buf_fini(&text);
	return ok;
}

static const char *
fact_of(struct stub *st, const struct expected *x)
{
	struct subject *sub = st->t.subject;
	const struct notes *notes;
	enum fact f;

	if (strncmp(x->name, "note.", 5) == 0) {
		notes = subject_notes(sub, x->rcpt);
		return notes != NULL ? notes_get(notes, x->name + 5) : NULL;
	}
	if (!subject_fact(x->name, &f)) {
		(void)err_text(&st->t.broken, "no fact is called %s", x->name);
		return NULL;
	}
	return subject_ops.get(sub, f, x->rcpt, st->t.pool);
}

/* Summed over the instances that have it. */
static int64_t
count_of(const struct stub *st, const char *metric)
{
	struct shm_named named;
	int64_t sum = 0;
	char name[160];
	unsigned i, j;

	for (i = 0; shm_named_at(st->t.shm, i, &named); i++) {
		const char *p = named.name;

		if (strncmp(p, "postern_", 8) == 0)
			p += 8;
		for (j = 0; j < st->t.conf->nplugin; j++) {
			(void)snprintf(name, sizeof(name), "plugin_%s_%s",
			    st->t.conf->plugin[j].name, metric);
			str_lower(name, strlen(name));
			name[strcspn(name, "-.")] = name[strcspn(name,
			    "-.")] == '\0' ? '\0' : '_';
			if (strcmp(p, name) == 0)
				sum += named.value;
		}
	}
	return sum;
}

static bool
look(struct stub *st, const struct expected *x, char *why, size_t n)
{
	struct subject *sub = st->t.subject;
	const char *have = NULL;
	struct str all = STR_NULL;
	unsigned i;

	if (strcmp(x->what, "header") == 0)
		return look_header(st, x, why, n);
	if (strcmp(x->what, "log") == 0)
		all = stub_log(st);
	else if (strcmp(x->what, "alert") == 0)
		all = buf_str(&st->t.alerts);
	else if (strcmp(x->what, "http") == 0)
		all = canned_requests(st->t.canned);
	else if (strcmp(x->what, "body") == 0)
		all = subject_body_of(sub, x->rcpt);
	if (all.p != NULL) {
		(void)snprintf(why, n, "there is: %.*s",
		    (int)(all.n < 1000 ? all.n : 1000), all.p);
		return x->value != NULL && text_is(x->value, all);
	}
	if (strcmp(x->what, "fact") == 0)
		have = fact_of(st, x);
	else if (strcmp(x->what, "count") == 0)
		have = pool_printf(st->t.pool, "%" PRId64,
		    count_of(st, x->name));
	else if (strcmp(x->what, "file") == 0)
		have = outside_read(st, x->name);
	else if (strcmp(x->what, "branches") == 0)
		have = pool_printf(st->t.pool, "%u", sub->nbranch);
	else if (strcmp(x->what, "rcpts") == 0)
		have = pool_printf(st->t.pool, "%u", sub->nrcpt);
	else if (strcmp(x->what, "out") == 0) {
		for (i = 0; i < st->nout; i++) {
			if (strcmp(st->out[i].name, x->name) == 0)
				have = st->out[i].value;
		}
	} else
		(void)err_text(&st->t.broken, "expect header, body, fact, "
		    "file, out, count, log, alert, http, branches or rcpts, "
		    "not %s",
		    x->what);
	return compare(x, have, why, n);
}
