#include "mail/header.h"

#include <stdbool.h>
#include <string.h>

static bool field_name(struct str line, struct str *name_r, size_t *colon_r);
static size_t line_length(struct str s);

void
header_parse(struct pool *pool, struct str message, size_t max,
    struct header *h_r)
{
	struct str rest = message, name = STR_NULL, raw;
	struct header_field *v = NULL, *bigger;
	size_t n = 0, cap = 0, colon = 0, len;

	*h_r = (struct header){ NULL, 0, 0 };
	while ((len = line_length(rest)) > 0 &&
	    field_name(str_n(rest.p, len), &name, &colon)) {
		/* With the lines that begin with a blank: its folds. */
		while (len < rest.n &&
		    (rest.p[len] == ' ' || rest.p[len] == '\t'))
			len += line_length(str_n(rest.p + len, rest.n - len));
		raw = str_n(rest.p, len);
		rest = str_n(rest.p + len, rest.n - len);
		if (n >= max)
			continue;
		if (n == cap) {
			cap = cap > 0 ? cap * 2 : 32;
			bigger = pool_alloc(pool, cap * sizeof(*v));
			if (n > 0)
				memcpy(bigger, v, n * sizeof(*v));
			v = bigger;
		}
		v[n].name = name;
		v[n].raw = raw;
		if (raw.n >= 2 && memcmp(raw.p + raw.n - 2, "\r\n", 2) == 0)
			raw.n -= 2;
		v[n].value = raw.n > colon ?
		    str_n(raw.p + colon + 1, raw.n - colon - 1) : STR("");
		n++;
	}
	h_r->v = v;
	h_r->n = n;
	h_r->bytes = message.n - rest.n;
}

const struct header_field *
header_find(const struct header *h, const char *name, unsigned nth)
{
	size_t i;

	for (i = 0; i < h->n; i++) {
		if (str_ieq_c(h->v[i].name, name) && nth-- == 0)
			return &h->v[i];
	}
	return NULL;
}

struct str
header_unfold(struct pool *pool, struct str value)
{
	char *dst = pool_alloc(pool, value.n + 1);
	size_t i, n = 0;

	for (i = 0; i < value.n; i++) {
		if (value.p[i] == '\r' && i + 1 < value.n &&
		    value.p[i + 1] == '\n')
			i++;
		else
			dst[n++] = value.p[i];
	}
	return str_trim(str_n(dst, n));
}

/* As mail/body does it: printable octets, perhaps blanks, a colon. */
static bool
field_name(struct str line, struct str *name_r, size_t *colon_r)
{
	size_t n = 0, i;

	while (n < line.n && line.p[n] > ' ' && line.p[n] <= '~' &&
	    line.p[n] != ':')
		n++;
	for (i = n; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t');)
		i++;
	if (n == 0 || i >= line.n || line.p[i] != ':')
		return false;
	*name_r = str_n(line.p, n);
	*colon_r = i;
	return true;
}

/* Octets up to and with the first CRLF, or all. */
static size_t
line_length(struct str s)
{
	size_t at = 0;

	for (;;) {
		at += str_find(str_n(s.p + at, s.n - at), '\n');
		if (at >= s.n)
			return s.n;
		if (at > 0 && s.p[at - 1] == '\r')
			return at + 1;
		at++;
	}
}
