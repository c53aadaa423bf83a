#include "mail/notes.h"

#include <string.h>

#include "base/codec.h"

#define NAME_MAX_OCTETS 64

struct note {
	const char *name, *value;
	size_t text; /* octets of its line */
};

struct notes {
	struct pool *pool;
	struct note *v; /* in the order of the names */
	unsigned n, room;
	size_t text;
};

static void make_room(struct notes *n);
static bool name_valid(const char *name);
static bool find(const struct notes *n, const char *name, unsigned *at_r);
static void write_one(const struct note *n, struct buf *dst);

struct notes *
notes_new(struct pool *pool)
{
	struct notes *n = POOL_NEW(pool, struct notes);

	n->pool = pool;
	return n;
}

struct notes *
notes_copy(struct pool *pool, const struct notes *from)
{
	struct notes *n = notes_new(pool);
	unsigned i;

	for (i = 0; from != NULL && i < from->n; i++) {
		if (notes_set(n, from->v[i].name, from->v[i].value, NULL) != 0)
			panic("a note that was taken is refused");
	}
	return n;
}

bool
notes_empty(const struct notes *n)
{
	return n == NULL || n->n == 0;
}

const char *
notes_get(const struct notes *n, const char *name)
{
	unsigned at;

	return n != NULL && find(n, name, &at) ? n->v[at].value : NULL;
}

int
notes_set(struct notes *n, const char *name, const char *value,
    struct err *why)
{
	struct note new = { name, value, 0 };
	size_t others = n->text;
	struct buf text;
	unsigned at;
	bool have;

	if (!name_valid(name))
		return err_text(why, "this is no name of a note");
	have = find(n, name, &at);
	others -= have ? n->v[at].text : 0;
	if (value == NULL) {
		n->text = others;
		n->n -= have;
		memmove(&n->v[at], &n->v[at + have],
		    (n->n - at) * sizeof(n->v[0]));
		return 0;
	}
	if (!have && n->n == NOTES_MAX)
		return err_text(why, "more than %d notes", NOTES_MAX);
	buf_init(&text, NOTES_TEXT_MAX - others);
	write_one(&new, &text);
	new.text = buf_len(&text);
	if (buf_full(&text)) {
		buf_fini(&text);
		return err_text(why, "more than %d octets of notes",
		    NOTES_TEXT_MAX);
	}
	buf_fini(&text);
	n->text = others + new.text;
	new.value = pool_strdup(n->pool, value);
	if (have) {
		new.name = n->v[at].name;
	} else {
		new.name = pool_strdup(n->pool, name);
		make_room(n);
		memmove(&n->v[at + 1], &n->v[at],
		    (n->n - at) * sizeof(n->v[0]));
		n->n++;
	}
	n->v[at] = new;
	return 0;
}

/* Most messages have none, and then a few. */
static void
make_room(struct notes *n)
{
	struct note *v;

	if (n->n < n->room)
		return;
	n->room = n->room == 0 ? 4 : n->room * 2;
	v = pool_alloc(n->pool, n->room * sizeof(*v));
	if (n->n > 0)
		memcpy(v, n->v, n->n * sizeof(*v));
	n->v = v;
}

bool
notes_at(const struct notes *n, unsigned i, const char **name_r,
    const char **value_r)
{
	if (n == NULL || i >= n->n)
		return false;
	*name_r = n->v[i].name;
	*value_r = n->v[i].value;
	return true;
}

void
notes_write(const struct notes *n, struct buf *dst)
{
	unsigned i;

	for (i = 0; n != NULL && i < n->n; i++)
		write_one(&n->v[i], dst);
}

int
notes_read(struct notes **n_r, struct pool *pool, struct str text,
    struct err *why)
{
	struct notes *n = notes_new(pool);
	char name[NAME_MAX_OCTETS + 1];
	struct str line, word;
	struct buf value;
	int rc = 0;

	buf_init(&value, NOTES_TEXT_MAX);
	while (rc == 0 && text.n > 0) {
		line = str_n(text.p, str_find(text, '\n'));
		word = str_n(line.p, str_find(line, ' '));
		buf_reset(&value);
		if (line.n == text.n || word.n == line.n ||
		    !str_copy(name, sizeof(name), word) ||
		    log_unclean(&value, str_n(line.p + word.n + 1,
			line.n - word.n - 1)) != 0 ||
		    str_find(buf_str(&value), '\0') < buf_len(&value))
			rc = err_text(why, "this is no note");
		else
			rc = notes_set(n, name, buf_p(&value), why);
		if (rc == 0)
			text = str_n(line.p + line.n + 1, text.n - line.n - 1);
	}
	buf_fini(&value);
	if (rc == 0)
		*n_r = n;
	return rc;
}

static bool
name_valid(const char *name)
{
	const char *p;

	for (p = name; (*p >= 'a' && *p <= 'z') || ch_digit(*p) ||
	    *p == '_' || *p == '.' || *p == '-';)
		p++;
	return *p == '\0' && p > name && p - name <= NAME_MAX_OCTETS;
}

/* at: where it is, or would be. */
static bool
find(const struct notes *n, const char *name, unsigned *at_r)
{
	unsigned i;
	int order = 1;

	for (i = 0; i < n->n; i++) {
		order = strcmp(n->v[i].name, name);
		if (order >= 0)
			break;
	}
	*at_r = i;
	return i < n->n && order == 0;
}

static void
write_one(const struct note *n, struct buf *dst)
{
	(void)buf_printf(dst, "%s ", n->name);
	(void)log_clean(dst, str_c(n->value), SIZE_MAX, false);
	(void)buf_add_char(dst, '\n');
}
