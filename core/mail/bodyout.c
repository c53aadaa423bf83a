#include <string.h>

#include "base/die.h"
#include "mail/body.h"

enum { OUT_START, OUT_LINE, OUT_CR };

static void put(struct buf *dst, const char *p, size_t n);
static const char *put_line(struct bodyout *b, const char *p, const char *end,
    struct buf *dst);

void
bodyout_init(struct bodyout *b)
{
	b->state = OUT_START;
	b->bare = false;
}

void
bodyout_feed(struct bodyout *b, const char *p, size_t n, struct buf *dst)
{
	const char *end = p + n;

	while (p < end) {
		switch (b->state) {
		case OUT_START:
			if (*p == '.')
				put(dst, ".", 1);
			b->state = OUT_LINE;
			break;
		case OUT_LINE:
			p = put_line(b, p, end, dst);
			break;
		case OUT_CR:
			put(dst, "\r\n", 2);
			b->state = OUT_START;
			if (*p == '\n')
				p++;
			else
				b->bare = true;
			break;
		default:
			panic("state %u", b->state);
		}
	}
}

void
bodyout_end(struct bodyout *b, struct buf *dst)
{
	if (b->state == OUT_CR)
		b->bare = true;
	if (b->state != OUT_START)
		put(dst, "\r\n", 2);
	put(dst, ".\r\n", 3);
	b->state = OUT_START;
}

bool
bodyout_plain(struct bodyout *b, const char *p, size_t n)
{
	const char *end = p + n, *lf;
	unsigned state = b->state;

	if (n == 0)
		return true;
	if (state == OUT_CR)
		return false;
	while (p < end) {
		if (state == OUT_START && *p == '.')
			return false;
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL) {
			if (memchr(p, '\r', (size_t)(end - p)) != NULL)
				return false;
			state = OUT_LINE;
			break;
		}
		if (lf == p || lf[-1] != '\r' ||
		    memchr(p, '\r', (size_t)(lf - p) - 1) != NULL)
			return false;
		state = OUT_START;
		p = lf + 1;
	}
	b->state = state;
	return true;
}

static void
put(struct buf *dst, const char *p, size_t n)
{
	if (buf_add(dst, p, n) != 0)
		panic("no room for a stuffed body");
}

/* From inside a line over its end, if that is there. */
static const char *
put_line(struct bodyout *b, const char *p, const char *end, struct buf *dst)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));
	const char *stop = lf != NULL ? lf : end;
	const char *cr = memchr(p, '\r', (size_t)(stop - p));

	if (cr == NULL) {
		put(dst, p, (size_t)(stop - p));
		if (lf == NULL)
			return end;
		b->bare = true;
		put(dst, "\r\n", 2);
		b->state = OUT_START;
		return lf + 1;
	}
	if (cr + 1 == lf) {
		put(dst, p, (size_t)(lf + 1 - p));
		b->state = OUT_START;
		return lf + 1;
	}
	/* Kept back: the next octet tells what it is. */
	put(dst, p, (size_t)(cr - p));
	b->state = OUT_CR;
	return cr + 1;
}
