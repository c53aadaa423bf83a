#include "mail/edits.h"

#include <limits.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"

#define LINE_MAX_OCTETS 998 /* RFC 5322 2.1.1 */

struct edit {
	enum edit_op op;
	unsigned nth;
	const char *name, *value; /* value: "" of EDIT_DELETE */
	struct edit *next;
};

struct edits {
	struct pool *pool;
	struct edit *first, **last;
	unsigned n;
	size_t text; /* octets of the text form */
	bool utf8;
};

/* A field on its way out: as it was, or of an edit. */
struct field {
	struct str name;
	struct str raw;
	const struct edit *edit; /* or NULL */
};

struct fields {
	struct field *v;
	size_t n, keep;
};

static const char *const words[] = {
	[EDIT_ADD] = "add",
	[EDIT_INSERT] = "insert",
	[EDIT_SET] = "set",
	[EDIT_DELETE] = "delete",
};

static int check_name(const char *name, struct err *why);
static int check_value(const struct edits *e, const char *name,
    const char *value, struct err *why);
static void write_one(const struct edit *e, struct buf *dst);
static int read_line(struct edits *e, struct str line, struct buf *value,
    struct err *why);
static void apply_one(struct fields *f, const struct edit *e);
static void write_field(const struct field *f, struct buf *dst);

struct edits *
edits_new(struct pool *pool)
{
	struct edits *e = POOL_NEW(pool, struct edits);

	e->pool = pool;
	e->last = &e->first;
	return e;
}

struct edits *
edits_copy(struct pool *pool, const struct edits *from)
{
	struct edits *e = edits_new(pool);
	const struct edit *i;

	if (from == NULL)
		return e;
	e->utf8 = true;
	for (i = from->first; i != NULL; i = i->next) {
		if (edits_add(e, i->op, i->name, i->nth, i->value, NULL) != 0)
			panic("an edit that was taken is refused");
	}
	e->utf8 = from->utf8;
	return e;
}

void
edits_set_utf8(struct edits *e, bool on)
{
	e->utf8 = on;
}

bool
edits_has_utf8(const struct edits *e)
{
	const struct edit *i;

	for (i = e != NULL ? e->first : NULL; i != NULL; i = i->next) {
		if (!ascii_only(str_c(i->value)))
			return true;
	}
	return false;
}

int
edits_add(struct edits *e, enum edit_op op, const char *name, unsigned nth,
    const char *value, struct err *why)
{
	struct edit *i;
	struct buf text;

	ASSERT(op <= EDIT_DELETE && name != NULL);
	ASSERT(value != NULL || op == EDIT_DELETE);
	if (op == EDIT_DELETE)
		value = "";
	if (e->n == EDITS_MAX)
		return err_text(why, "more than %d edits", EDITS_MAX);
	if (nth > INT_MAX)
		return err_text(why, "%u is not a field's number", nth);
	if (check_name(name, why) != 0 ||
	    check_value(e, name, value, why) != 0)
		return -1;
	i = &(struct edit){ op, op == EDIT_SET || op == EDIT_DELETE ? nth : 0,
		name, value, NULL };
	buf_init(&text, EDITS_TEXT_MAX - e->text);
	write_one(i, &text);
	if (buf_full(&text)) {
		buf_fini(&text);
		return err_text(why, "more than %d octets of edits",
		    EDITS_TEXT_MAX);
	}
	e->text += buf_len(&text);
	buf_fini(&text);
	i = pool_dup(e->pool, i, sizeof(*i));
	i->name = pool_strdup(e->pool, name);
	i->value = pool_strdup(e->pool, value);
	*e->last = i;
	e->last = &i->next;
	e->n++;
	return 0;
}

bool
edits_empty(const struct edits *e)
{
	return e == NULL || e->n == 0;
}

bool
edits_equal(const struct edits *a, const struct edits *b)
{
	const struct edit *i = a != NULL ? a->first : NULL;
	const struct edit *j = b != NULL ? b->first : NULL;

	for (; i != NULL && j != NULL; i = i->next, j = j->next) {
		if (i->op != j->op || i->nth != j->nth ||
		    strcmp(i->name, j->name) != 0 ||
		    strcmp(i->value, j->value) != 0)
			return false;
	}
	return i == NULL && j == NULL;
}

void
edits_write(const struct edits *e, struct buf *dst)
{
	const struct edit *i;

	for (i = e != NULL ? e->first : NULL; i != NULL; i = i->next)
		write_one(i, dst);
}

int
edits_read(struct edits **e_r, struct pool *pool, struct str text,
    struct err *why)
{
	struct edits *e = edits_new(pool);
	struct str line;
	struct buf value;
	int rc = 0;

	e->utf8 = true;
	buf_init(&value, EDITS_TEXT_MAX);
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		rc = err_text(why, "the last edit is cut");
	while (rc == 0 && text.n > 0) {
		line = str_n(text.p, str_find(text, '\n'));
		text = str_n(text.p + line.n + 1, text.n - line.n - 1);
		rc = read_line(e, line, &value, why);
	}
	buf_fini(&value);
	e->utf8 = false;
	if (rc == 0)
		*e_r = e;
	return rc;
}

void
edits_apply(const struct edits *e, const struct header *h, size_t keep,
    struct buf *dst)
{
	struct fields f = { NULL, h->n, keep < h->n ? keep : h->n };
	size_t i, bytes = 0, most = h->n + (e != NULL ? e->n : 0);
	const struct edit *j;

	f.v = mem_array(most + 1, sizeof(*f.v));
	for (i = 0; i < h->n; i++) {
		f.v[i].name = h->v[i].name;
		f.v[i].raw = h->v[i].raw;
		bytes += h->v[i].raw.n;
	}
	/* What is not indexed stays behind the others, as one without name. */
	if (h->n > 0 && h->bytes > bytes)
		f.v[f.n++].raw = str_n(f.v[h->n - 1].raw.p +
		    f.v[h->n - 1].raw.n, h->bytes - bytes);
	for (j = e != NULL ? e->first : NULL; j != NULL; j = j->next)
		apply_one(&f, j);
	for (i = 0; i < f.n; i++)
		write_field(&f.v[i], dst);
	mem_free(f.v);
}

static int
check_name(const char *name, struct err *why)
{
	const char *p;

	for (p = name; *p > ' ' && *p <= '~' && *p != ':';)
		p++;
	if (*p != '\0' || p == name)
		return err_text(why, "this is no name of a header field");
	return 0;
}

static int
check_value(const struct edits *e, const char *name, const char *value,
    struct err *why)
{
	struct str all = str_c(value), line;
	size_t n = strlen(name) + 2, len;
	bool first = true;

	if (str_find(all, '\r') < all.n)
		return err_text(why, "%.80s: CR in a value", name);
	if (!ascii_only(all) && !e->utf8)
		return err_text(why, "%.80s: not ASCII, in a message without "
		    "SMTPUTF8", name);
	if (!utf8_valid(all))
		return err_text(why, "%.80s: not UTF-8", name);
	for (;;) {
		len = str_find(all, '\n');
		line = str_n(all.p, len);
		if (!first && str_trim(line).n == 0)
			return err_text(why, "%.80s: a folded line without "
			    "text", name);
		if (n + line.n > LINE_MAX_OCTETS)
			return err_text(why, "%.80s: a line of more than %d "
			    "octets", name, LINE_MAX_OCTETS);
		if (len >= all.n)
			return 0;
		all = str_n(all.p + len + 1, all.n - len - 1);
		first = false;
		n = 1; /* the blank that may be put in front */
		if (all.n == 0)
			return err_text(why, "%.80s: a folded line without "
			    "text", name);
	}
}

static void
write_one(const struct edit *e, struct buf *dst)
{
	(void)buf_printf(dst, "%s %u %s ", words[e->op], e->nth, e->name);
	(void)log_clean(dst, str_c(e->value), SIZE_MAX, false);
	(void)buf_add_char(dst, '\n');
}

/* "set 0 Subject the value" */
static int
read_line(struct edits *e, struct str line, struct buf *value,
    struct err *why)
{
	struct str word[3];
	char name[LINE_MAX_OCTETS + 1];
	uint64_t nth = 0;
	unsigned op, i;

	for (i = 0; i < 3; i++) {
		word[i] = str_n(line.p, str_find(line, ' '));
		if (word[i].n >= line.n)
			return err_text(why, "an edit is cut");
		line = str_n(line.p + word[i].n + 1, line.n - word[i].n - 1);
	}
	for (op = 0; op <= EDIT_DELETE && !str_eq_c(word[0], words[op]);)
		op++;
	if (op > EDIT_DELETE || num_u64(word[1], INT_MAX, &nth) != 0 ||
	    !str_copy(name, sizeof(name), word[2]))
		return err_text(why, "this is no edit");
	buf_reset(value);
	if (log_unclean(value, line) != 0 ||
	    str_find(buf_str(value), '\0') < buf_len(value))
		return err_text(why, "an edit's value is not as it was "
		    "written");
	if (op == EDIT_DELETE && line.n > 0)
		return err_text(why, "a deletion has a value");
	return edits_add(e, (enum edit_op)op, name, (unsigned)nth,
	    buf_p(value), why);
}

static void
apply_one(struct fields *f, const struct edit *e)
{
	struct field new = { str_c(e->name), STR_NULL, e };
	unsigned nth = e->nth;
	size_t at;

	at = e->op == EDIT_INSERT ? f->keep : f->n;
	if (e->op == EDIT_SET || e->op == EDIT_DELETE) {
		for (at = 0; at < f->n; at++) {
			if (str_ieq(f->v[at].name, new.name) && nth-- == 0)
				break;
		}
	}
	if (at < f->n && e->op == EDIT_SET) {
		f->v[at] = new;
		return;
	}
	if (e->op == EDIT_DELETE) {
		if (at == f->n)
			return;
		f->n--;
		f->keep -= at < f->keep;
		memmove(&f->v[at], &f->v[at + 1],
		    (f->n - at) * sizeof(f->v[0]));
		return;
	}
	memmove(&f->v[at + 1], &f->v[at], (f->n - at) * sizeof(f->v[0]));
	f->v[at] = new;
	f->n++;
}

static void
write_field(const struct field *f, struct buf *dst)
{
	const char *p;

	if (f->edit == NULL) {
		(void)buf_add_str(dst, f->raw);
		if (f->raw.n < 2 ||
		    memcmp(f->raw.p + f->raw.n - 2, "\r\n", 2) != 0)
			(void)buf_add_c(dst, "\r\n");
		return;
	}
	p = f->edit->value;
	(void)buf_printf(dst, "%s:", f->edit->name);
	if (*p != '\0' && *p != ' ' && *p != '\t' && *p != '\n')
		(void)buf_add_char(dst, ' ');
	for (; *p != '\0'; p++) {
		if (*p != '\n') {
			(void)buf_add_char(dst, *p);
			continue;
		}
		(void)buf_add_c(dst, "\r\n");
		if (p[1] != ' ' && p[1] != '\t')
			(void)buf_add_char(dst, ' ');
	}
	(void)buf_add_c(dst, "\r\n");
}
