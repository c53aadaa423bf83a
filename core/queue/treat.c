#include "queue/treat.h"

#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/obj.h"
#include "mail/body.h"

#define TREAT_MAGIC 0x54726561U

/* Of a recipient, or of all. */
struct own {
	struct treatment is;
	struct edits *edits;
	struct bodyin in; /* of the body that is being written */
	bool writing;
};

struct treat {
	unsigned magic;
	struct pool *pool;
	struct store *store;
	bool utf8, done, failed;
	struct err why;
	uint64_t max_body;
	const char *by;
	struct own all;
	struct own **v; /* by index; NULL: as all */
	unsigned n;
};

static struct own *own_of(struct treat *t, int rcpt);
static void own_end(struct own *o);
static int fail(struct treat *t, struct err *why, const char *what);
static void share_body(struct treat *t, const struct body_ref *before);
static int body_sink(void *arg, const char *p, size_t n);

struct treat *
treat_new(struct store *store, bool utf8, uint64_t max_body)
{
	struct treat *t;

	OBJ_NEW(t, TREAT_MAGIC);
	t->pool = pool_new(0);
	t->store = store;
	t->utf8 = utf8;
	t->max_body = max_body;
	t->by = "";
	return t;
}

void
treat_destroy(struct treat **tp)
{
	struct treat *t = *tp;
	unsigned i;

	if (t == NULL)
		return;
	OBJ_CHECK(t, TREAT_MAGIC);
	own_end(&t->all);
	for (i = 0; i < t->n; i++) {
		if (t->v[i] != NULL)
			own_end(t->v[i]);
	}
	mem_free(t->v);
	pool_destroy(&t->pool);
	OBJ_FREE(t);
	*tp = NULL;
}

void
treat_by(struct treat *t, const char *instance)
{
	OBJ_CHECK(t, TREAT_MAGIC);
	if (strcmp(t->by, instance) != 0)
		t->by = pool_strdup(t->pool, instance);
}

int
treat_edit(struct treat *t, int rcpt, enum edit_op op, const char *name,
    unsigned nth, const char *value, struct err *why)
{
	struct own *o = own_of(t, rcpt);
	unsigned i;

	if (o->edits == NULL)
		o->edits = edits_copy(t->pool, t->all.edits);
	edits_set_utf8(o->edits, t->utf8);
	o->is.edits = o->edits;
	if (edits_add(o->edits, op, name, nth, value, why) != 0)
		return -1;
	for (i = 0; rcpt == TREAT_ALL && i < t->n; i++) {
		if (t->v[i] == NULL)
			continue;
		if (t->v[i]->edits == NULL)
			t->v[i]->is.edits = o->edits;
		else if (edits_add(t->v[i]->edits, op, name, nth, value,
		    why) != 0)
			return fail(t, why, "too many edits for a recipient");
	}
	return 0;
}

void
treat_quarantine(struct treat *t, int rcpt, const char *why)
{
	struct own *o = own_of(t, rcpt);
	struct buf text;
	unsigned i;

	buf_init(&text, 8192);
	(void)log_clean(&text, str_c(why), TREAT_REASON_MAX, false);
	if (buf_len(&text) > TREAT_REASON_MAX)
		buf_truncate(&text, TREAT_REASON_MAX);
	if (buf_len(&text) == 0)
		(void)buf_add_c(&text, "no reason was given");
	if (o->is.quarantine == NULL)
		o->is.quarantine = pool_strdup(t->pool, buf_p(&text));
	for (i = 0; rcpt == TREAT_ALL && i < t->n; i++) {
		if (t->v[i] != NULL && t->v[i]->is.quarantine == NULL)
			t->v[i]->is.quarantine = o->is.quarantine;
	}
	buf_fini(&text);
}

int
treat_hold(struct treat *t, int rcpt, msec hold, struct err *why)
{
	unsigned i;

	if (hold < 0 || hold > TREAT_HOLD_MAX)
		return err_text(why, "a hold is of 0 s to 30 days");
	own_of(t, rcpt)->is.hold = hold;
	for (i = 0; rcpt == TREAT_ALL && i < t->n; i++) {
		if (t->v[i] != NULL)
			t->v[i]->is.hold = hold;
	}
	return 0;
}

int
treat_is_word(struct str s, struct err *why)
{
	size_t i;

	for (i = 0; i < s.n && i < TREAT_WORD_MAX; i++) {
		if (!ch_alnum(s.p[i]) && strchr("_.-", s.p[i]) == NULL)
			break;
	}
	if (i < s.n)
		return err_text(why, "a branch's word has up to %d letters, "
		    "digits, _, . and -", TREAT_WORD_MAX);
	return 0;
}

int
treat_read_after(const char *value, struct str *word_r, msec *wait_r,
    struct err *why)
{
	struct str rest = str_c(value), word = STR("");
	uint64_t n = 0;

	if (rest.n > 0 && (!str_split(&rest, ' ', &word) || word.n == 0 ||
		treat_is_word(word, NULL) < 0 ||
		num_u64(rest, TREAT_HOLD_MAX / SECONDS(1), &n) < 0))
		return err_text(why, "\"%s\" is not the word of a branch and "
		    "a number of seconds up to 30 days", value);
	*word_r = word;
	*wait_r = SECONDS((msec)n);
	return 0;
}

int
treat_read_hold(const char *value, msec *hold_r, struct err *why)
{
	uint64_t n;

	if (num_u64(str_c(value), TREAT_HOLD_MAX / SECONDS(1), &n) < 0)
		return err_text(why, "\"%s\" is not a number of seconds up "
		    "to 30 days", value);
	*hold_r = SECONDS((msec)n);
	return 0;
}

/* NULL for "". */
static int
read_word(struct treat *t, const char *word, const char **word_r,
    struct err *why)
{
	if (treat_is_word(str_c(word), why) < 0)
		return -1;
	*word_r = word[0] != '\0' ? pool_strdup(t->pool, word) : NULL;
	return 0;
}

void
treat_forget(struct treat *t, int rcpt)
{
	OBJ_CHECK(t, TREAT_MAGIC);
	if ((unsigned)rcpt >= t->n || t->v[rcpt] == NULL)
		return;
	own_end(t->v[rcpt]);
	t->v[rcpt] = NULL;
}

int
treat_word(struct treat *t, int rcpt, const char *word, struct err *why)
{
	const char *is;
	unsigned i;

	if (read_word(t, word, &is, why) != 0)
		return -1;
	own_of(t, rcpt)->is.word = is;
	for (i = 0; rcpt == TREAT_ALL && i < t->n; i++) {
		if (t->v[i] != NULL)
			t->v[i]->is.word = is;
	}
	return 0;
}

int
treat_after(struct treat *t, int rcpt, const char *word, msec wait,
    struct err *why)
{
	const char *is;
	unsigned i;

	if (wait < 0 || wait > TREAT_HOLD_MAX)
		return err_text(why, "a branch waits 0 s to 30 days for "
		    "another");
	if (read_word(t, word, &is, why) != 0)
		return -1;
	own_of(t, rcpt)->is.after = is;
	own_of(t, rcpt)->is.wait = is != NULL ? wait : 0;
	for (i = 0; rcpt == TREAT_ALL && i < t->n; i++) {
		if (t->v[i] == NULL)
			continue;
		t->v[i]->is.after = is;
		t->v[i]->is.wait = is != NULL ? wait : 0;
	}
	return 0;
}

/* Those who have a body of their own keep it. */
static void
share_body(struct treat *t, const struct body_ref *before)
{
	unsigned i;

	for (i = 0; i < t->n; i++) {
		if (t->v[i] == NULL || t->v[i]->is.body != before)
			continue;
		body_unref(&t->v[i]->is.body);
		t->v[i]->is.body = body_ref(t->all.is.body);
	}
}

int
treat_body(struct treat *t, int rcpt, struct str header, const void *p,
    size_t n, struct err *why)
{
	struct own *o = own_of(t, rcpt);
	struct body_ref *before = o->is.body;
	size_t used;

	if (t->failed)
		return fail(t, why, "");
	if (!o->writing) {
		o->is.body = body_new(t->store, NULL, NULL);
		if (rcpt == TREAT_ALL)
			share_body(t, before);
		body_unref(&before);
		(void)body_write(o->is.body, header.p, header.n);
		bodyin_init(&o->in, true, true);
		(void)bodyin_feed(&o->in, "\r\n", 2, &used, body_sink, o);
		o->writing = true;
	}
	if (body_size(o->is.body) + 2 * n > t->max_body)
		return fail(t, why, "a new body larger than messages may be");
	(void)bodyin_feed(&o->in, p, n, &used, body_sink, o);
	if (o->in.nul)
		return fail(t, why, "a new body with NUL");
	return 0;
}

const struct treatment *
treat_of(const struct treat *t, int rcpt)
{
	OBJ_CHECK(t, TREAT_MAGIC);
	if (rcpt >= 0 && (unsigned)rcpt < t->n && t->v[rcpt] != NULL)
		return &t->v[rcpt]->is;
	return &t->all.is;
}

static void
finish(struct own *o)
{
	if (!o->writing)
		return;
	bodyin_finish(&o->in, body_sink, o);
	o->is.eightbit = o->in.eightbit;
	bodyin_fini(&o->in);
	body_finish(o->is.body);
	o->writing = false;
}

int
treat_check(struct treat *t, struct err *why)
{
	unsigned i;

	OBJ_CHECK(t, TREAT_MAGIC);
	t->done = true;
	finish(&t->all);
	for (i = 0; i < t->n; i++) {
		if (t->v[i] == NULL)
			continue;
		finish(t->v[i]);
		if (t->v[i]->is.body == t->all.is.body)
			t->v[i]->is.eightbit = t->all.is.eightbit;
	}
	return t->failed ? fail(t, why, "") : 0;
}

/* Octets that are not in memory any more differ. */
static bool
body_equal(struct body_ref *a, struct body_ref *b)
{
	struct str s, t;

	if (a == NULL || b == NULL || a == b)
		return a == b;
	s = body_memory(a);
	t = body_memory(b);
	return s.p != NULL && t.p != NULL && str_eq(s, t);
}

static bool
text_equal(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool
treatment_equal(const struct treatment *a, const struct treatment *b)
{
	if (a == b)
		return true;
	if (!text_equal(a->quarantine, b->quarantine) ||
	    !text_equal(a->word, b->word) || !text_equal(a->after, b->after))
		return false;
	return a->hold == b->hold && a->wait == b->wait &&
	    edits_equal(a->edits, b->edits) &&
	    body_equal(a->body, b->body);
}

/* A recipient's own is made by the first word about it. */
static struct own *
own_of(struct treat *t, int rcpt)
{
	unsigned i = (unsigned)rcpt;
	struct own *o;

	OBJ_CHECK(t, TREAT_MAGIC);
	ASSERT(!t->done);
	if (rcpt == TREAT_ALL) {
		t->all.is.by = t->by;
		return &t->all;
	}
	if (i >= t->n) {
		t->v = mem_realloc(t->v, (i + 1) * sizeof(struct own *));
		memset(t->v + t->n, 0, (i + 1 - t->n) * sizeof(struct own *));
		t->n = i + 1;
	}
	if (t->v[i] == NULL) {
		o = t->v[i] = POOL_NEW(t->pool, struct own);
		o->is = t->all.is;
		if (o->is.body != NULL)
			(void)body_ref(o->is.body);
	}
	t->v[i]->is.by = t->by;
	return t->v[i];
}

static void
own_end(struct own *o)
{
	if (o->writing)
		bodyin_fini(&o->in);
	body_unref(&o->is.body);
}

/* What cannot be as it was asked for is not sent otherwise. */
static int
fail(struct treat *t, struct err *why, const char *what)
{
	if (!t->failed)
		(void)err_set(&t->why, 451, "4.3.0", "%s", what);
	t->failed = true;
	if (why != NULL)
		*why = t->why;
	return -1;
}

static int
body_sink(void *arg, const char *p, size_t n)
{
	struct own *o = arg;

	(void)body_write(o->is.body, p, n);
	return 0;
}
