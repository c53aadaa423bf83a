#include "cli/posttable.h"

#include <string.h>

#include "base/buf.h"
#include "cli/plainline.h"

static bool	is_space(char c);
static int	take(struct posttable *t, struct buf *text, int *line_r,
		    struct err *why);
static int	cut(struct pool *pool, struct str text,
		    struct posttable_row *row_r, struct err *why);

int
posttable_next(struct posttable *t, struct pool *pool,
    struct posttable_row *row_r, struct err *why)
{
	struct posttable_row row = { .line = 0 };
	struct buf text;
	int r;

	buf_init(&text, POSTTABLE_LINE_MAX);
	r = take(t, &text, &row.line, why);
	if (r > 0 && cut(pool, buf_str(&text), &row, why) != 0) {
		t->line = row.line;
		r = -1;
	}
	if (r > 0)
		*row_r = row;
	buf_fini(&text);
	return r;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

struct str
posttable_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool
posttable_word(struct str *rest, const char *seps, struct str *word_r)
{
	size_t n = 0;

	while (rest->n > 0 && strchr(seps, rest->p[0]) != NULL) {
		rest->p++;
		rest->n--;
	}
	while (n < rest->n && strchr(seps, rest->p[n]) == NULL)
		n++;
	*word_r = str_n(rest->p, n);
	*rest = str_n(rest->p + n, rest->n - n);
	return n > 0;
}

/* All lines of the next entry. A comment in between does not end it. */
static int
take(struct posttable *t, struct buf *text, int *line_r, struct err *why)
{
	struct str rest = t->rest, s, bare;
	int line = t->line;

	while (str_split(&rest, '\n', &s)) {
		line++;
		bare = posttable_trim(s);
		if (bare.n > 0 && bare.p[0] != '#') {
			if (!is_space(s.p[0]) && *line_r != 0)
				break;
			t->line = line;
			if (is_space(s.p[0]) && *line_r == 0)
				return err_text(why, "there is no line before "
				    "that this one could go on with");
			if (*line_r == 0)
				*line_r = line;
			if (plainline_check(s, why) != 0)
				return -1;
			if (buf_add_str(text, s) != 0)
				return err_text(why, "an entry of more than "
				    "%d octets", POSTTABLE_LINE_MAX);
		}
		t->rest = rest;
		t->line = line;
	}
	return *line_r != 0 ? 1 : 0;
}

/* At the first white space that is not in quotes. */
static int
cut(struct pool *pool, struct str text, struct posttable_row *row_r,
    struct err *why)
{
	bool quoted = false;
	struct str key, value;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		else if (is_space(text.p[i]) && !quoted)
			break;
		else if (text.p[i] == '"')
			quoted = !quoted;
	}
	if (quoted)
		return err_text(why, "a quote is not closed");
	key = posttable_trim(str_n(text.p, i));
	value = posttable_trim(str_n(text.p + i, text.n - i));
	if (key.n == 0 || value.n == 0)
		return err_text(why, "this is not \"key value\"");
	if (key.p[key.n - 1] == ':')
		return err_text(why, "\"%.*s\" ends with a colon, as in a "
		    "file of aliases", STR_FMT(key));
	row_r->key = pool_str(pool, key).p;
	row_r->value = pool_str(pool, value).p;
	return 0;
}
