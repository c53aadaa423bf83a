#include "cli/csv.h"

#include "base/buf.h"
#include "cli/plainline.h"

static int	field(struct csv *c, struct str *s, struct pool *pool,
		    const char **field_r, struct err *why);

void
csv_init(struct csv *c, struct str text)
{
	*c = (struct csv){ .rest = plainline_text(text) };
}

int
csv_next(struct csv *c, struct pool *pool,
    const char *field_r[CSV_FIELDS_MAX], struct err *why)
{
	struct str s = STR_NULL;
	int n = 0, r;

	while (str_trim(s).n == 0) {
		if (!str_split(&c->rest, '\n', &s))
			return 0;
		c->line++;
		if (s.n > 0 && s.p[s.n - 1] == '\r')
			s.n--;
	}
	if (s.n > CSV_LINE_MAX)
		return err_text(why, "a line of more than %d octets",
		    CSV_LINE_MAX);
	if (plainline_check(s, why) != 0)
		return -1;
	if (c->sep == '\0')
		c->sep = str_find(s, ';') < str_find(s, ',') ? ';' : ',';
	do {
		if (n == CSV_FIELDS_MAX)
			return err_text(why, "more than %d fields",
			    CSV_FIELDS_MAX);
		r = field(c, &s, pool, &field_r[n++], why);
	} while (r > 0);
	return r < 0 ? -1 : n;
}

/* 1: there is another behind it. */
static int
field(struct csv *c, struct str *s, struct pool *pool, const char **field_r,
    struct err *why)
{
	struct str rest = str_trim(*s);
	bool closed = false;
	size_t i = str_find(*s, c->sep);
	struct buf b;

	if (rest.n == 0 || rest.p[0] != '"') {
		rest = str_trim(str_n(s->p, i));
		if (str_find(rest, '"') < rest.n)
			return err_text(why, "a quote within a field without "
			    "quotes");
		*field_r = pool_str(pool, rest).p;
		if (i == s->n)
			return 0;
		*s = str_n(s->p + i + 1, s->n - i - 1);
		return 1;
	}
	buf_init(&b, CSV_LINE_MAX);
	for (i = 1; i < rest.n && !closed; i++) {
		closed = rest.p[i] == '"' &&
		    (i + 1 == rest.n || rest.p[i + 1] != '"');
		if (!closed)
			(void)buf_add_char(&b, rest.p[i]);
		if (!closed && rest.p[i] == '"')
			i++;
	}
	*field_r = pool_str(pool, buf_str(&b)).p;
	buf_fini(&b);
	if (!closed)
		return err_text(why, "a quote is not closed");
	rest = str_trim(str_n(rest.p + i, rest.n - i));
	if (rest.n > 0 && rest.p[0] != c->sep)
		return err_text(why, "something stands behind a quote");
	*s = rest.n > 0 ? str_n(rest.p + 1, rest.n - 1) : rest;
	return rest.n > 0 ? 1 : 0;
}
