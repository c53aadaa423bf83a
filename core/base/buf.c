#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define FIRST 64

static int refuse(struct buf *b);
static bool reserve(struct buf *b, size_t n);

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void
buf_fini(struct buf *b)
{
	mem_free(b->mem);
	*b = (struct buf){ .max = b->max };
}

void
buf_reset(struct buf *b)
{
	b->off = b->len = 0;
	b->full = false;
	if (b->mem != NULL)
		b->mem[0] = '\0';
}

void
buf_shrink(struct buf *b)
{
	if (b->len > 0)
		return;
	mem_free(b->mem);
	b->mem = NULL;
	b->off = b->cap = 0;
}

int
buf_add(struct buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return refuse(b);
	if (n > 0)
		memcpy(b->mem + b->off + b->len, p, n);
	buf_added(b, n);
	return 0;
}

int
buf_add_c(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_str(struct buf *b, struct str s)
{
	return buf_add(b, s.p, s.n);
}

int
buf_add_char(struct buf *b, char c)
{
	char *p;

	if (!reserve(b, 1))
		return refuse(b);
	p = b->mem + b->off + b->len++;
	p[0] = c;
	p[1] = '\0';
	return 0;
}

int
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

int
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	/* Try what is there; only what does not fit is measured first. */
	room = b->mem == NULL ? 0 : b->cap - b->off - b->len;
	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->mem + b->off + b->len : NULL, room, fmt,
	    again);
	va_end(again);
	ASSERT(n >= 0);
	if (!reserve(b, (size_t)n)) {
		if (b->mem != NULL)
			b->mem[b->off + b->len] = '\0';
		return refuse(b);
	}
	if ((size_t)n >= room)
		(void)vsnprintf(b->mem + b->off + b->len, (size_t)n + 1, fmt,
		    ap);
	b->len += (size_t)n;
	return 0;
}

char *
buf_room(struct buf *b, size_t n)
{
	if (!reserve(b, n)) {
		(void)refuse(b);
		return NULL;
	}
	return b->mem + b->off + b->len;
}

void
buf_added(struct buf *b, size_t n)
{
	ASSERT(b->mem != NULL && n < b->cap - b->off - b->len);
	b->len += n;
	b->mem[b->off + b->len] = '\0';
}

char *
buf_p(const struct buf *b)
{
	static char none[1];

	return b->mem == NULL ? none : b->mem + b->off;
}

size_t
buf_len(const struct buf *b)
{
	return b->len;
}

struct str
buf_str(const struct buf *b)
{
	return str_n(buf_p(b), b->len);
}

void
buf_consume(struct buf *b, size_t n)
{
	ASSERT(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0 && b->mem != NULL) {
		b->off = 0;
		b->mem[0] = '\0';
	}
}

void
buf_truncate(struct buf *b, size_t n)
{
	ASSERT(n <= b->len);
	b->len = n;
	if (b->mem != NULL)
		b->mem[b->off + n] = '\0';
}

bool
buf_full(const struct buf *b)
{
	return b->full;
}

char *
buf_steal(struct buf *b)
{
	char *s;

	if (b->mem == NULL)
		return mem_strdup("");
	if (b->off > 0)
		memmove(b->mem, b->mem + b->off, b->len + 1);
	s = b->mem;
	*b = (struct buf){ .max = b->max };
	return s;
}

static int
refuse(struct buf *b)
{
	b->full = true;
	return -1;
}

/* Makes room for n more bytes and the NUL; false past the ceiling. */
static bool
reserve(struct buf *b, size_t n)
{
	size_t need, cap;

	if (n > b->max - b->len)
		return false;
	ASSERT(n < SIZE_MAX / 8);
	need = b->len + n + 1;
	if (need <= b->cap - b->off)
		return true;
	/* Move down only if that frees half: consuming stays linear. */
	if (need <= b->cap && b->off >= b->cap / 2) {
		memmove(b->mem, b->mem + b->off, b->len + 1);
		b->off = 0;
		return true;
	}
	cap = b->cap > 0 ? b->cap : FIRST;
	while (cap < need)
		cap *= 2;
	if (b->off > 0 && cap == b->cap)
		cap *= 2;
	/* The ceiling itself is never exceeded by doubling. */
	if (cap - 1 > b->max)
		cap = b->max + 1;
	if (b->off > 0) {
		memmove(b->mem, b->mem + b->off, b->len + 1);
		b->off = 0;
	}
	if (cap > b->cap) {
		b->mem = mem_realloc(b->mem, cap);
		b->cap = cap;
		b->mem[b->len] = '\0';
	}
	return true;
}
