#include "tls/certmap.h"

#include <string.h>

enum { FIELDS = 4 };

static void	field_write(struct buf *, const char *);
static int	field_read(struct pool *, struct str, const char **);

void
certmap_add(struct certmap *m, const char *use, const char *name,
    const char *chain, const char *key)
{
	struct certmap_row *v;

	if (m->n == m->cap) {
		m->cap = m->cap == 0 ? 8 : m->cap * 2;
		v = pool_alloc(m->pool, m->cap * sizeof(*v));
		if (m->n > 0)
			memcpy(v, m->row, m->n * sizeof(*v));
		m->row = v;
	}
	v = &m->row[m->n++];
	v->use = pool_strdup(m->pool, use);
	v->name = pool_strdup(m->pool, name);
	v->chain = pool_strdup(m->pool, chain);
	v->key = pool_strdup(m->pool, key);
}

const struct certmap_row *
certmap_find(const struct certmap *m, const char *use, unsigned i)
{
	unsigned k;

	for (k = 0; k < m->n; k++) {
		if (strcmp(m->row[k].use, use) == 0 && i-- == 0)
			return &m->row[k];
	}
	return NULL;
}

/* A line each, with tabs between the fields. */
void
certmap_write(const struct certmap *m, struct buf *dst)
{
	const struct certmap_row *r;
	unsigned i;

	for (i = 0; i < m->n; i++) {
		r = &m->row[i];
		field_write(dst, r->use);
		(void)buf_add_char(dst, '\t');
		field_write(dst, r->name);
		(void)buf_add_char(dst, '\t');
		field_write(dst, r->chain);
		(void)buf_add_char(dst, '\t');
		field_write(dst, r->key);
		(void)buf_add_char(dst, '\n');
	}
}

/* What would end a field, and the escape itself, as %09 and the like. */
static void
field_write(struct buf *dst, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '%' || *s == '\t' || *s == '\n')
			(void)buf_printf(dst, "%%%02x", (unsigned)*s);
		else
			(void)buf_add_char(dst, *s);
	}
}

int
certmap_read(struct certmap *m, struct str text, struct err *why)
{
	const char *f[FIELDS];
	struct str line, field;
	unsigned n, i;

	for (n = 1; str_split(&text, '\n', &line); n++) {
		for (i = 0; i < FIELDS; i++) {
			if (!str_split(&line, '\t', &field) ||
			    field.n == 0 ||
			    field_read(m->pool, field, &f[i]) != 0)
				return err_text(why, "line %u of a "
				    "certificate map is malformed", n);
		}
		if (line.n > 0)
			return err_text(why, "line %u of a certificate map "
			    "is malformed", n);
		certmap_add(m, f[0], f[1], f[2], f[3]);
	}
	return 0;
}

static int
field_read(struct pool *pool, struct str s, const char **text_r)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	char *out = pool_alloc(pool, s.n + 1);
	size_t i, n = 0;

	for (i = 0; i < s.n; i++) {
		out[n] = s.p[i];
		if (s.p[i] == '\0')
			return -1;
		if (s.p[i] == '%') {
			if (i + 2 >= s.n)
				return -1;
			high = memchr(digits, s.p[i + 1], 16);
			low = memchr(digits, s.p[i + 2], 16);
			if (high == NULL || low == NULL)
				return -1;
			out[n] = (char)((high - digits) * 16 + (low - digits));
			if (out[n] == '\0')
				return -1;
			i += 2;
		}
		n++;
	}
	*text_r = out;
	return 0;
}
