#include "mail/body.h"

#include <string.h>

#include "base/die.h"

#define CAPTURED 998

/* Framing: where the next octet stands. */
enum { LINE_START, IN_LINE, AFTER_CR, AFTER_DOT, AFTER_DOT_CR, ENDED };

/* Header: the same one level up, on content. */
enum { H_START, H_NAME, H_NAME_WS, H_LEAD, H_VALUE, H_CR, H_BLANK };

/* One feed: [span, p) is content that has not been handed out yet. */
struct feed {
	struct bodyin *b;
	const char *span, *p, *end;
	bodyin_sink *sink;
	void *arg;
	bool stopped;
};

static bool step(struct feed *f);
static void in_line(struct feed *f);
static void bare(struct feed *f, const char *at);
static void after_cr(struct feed *f);
static void line_end(struct bodyin *b);
static void flush(struct feed *f, const char *to);
static void emit(struct feed *f, const char *p, size_t n);
static void look(struct bodyin *b, const char *p, size_t n);
static void header_ends(struct bodyin *b, uint64_t at);
static void all_read(struct bodyin *b);
static void captured(struct bodyin *b);
static const char *header(struct bodyin *b, const char *p, const char *end);
static unsigned scan(const char *p, size_t n);

enum { SEEN_NUL = 1, SEEN_8BIT = 2 };

void
bodyin_init(struct bodyin *b, bool framed, bool normalize)
{
	memset(b, 0, sizeof(*b));
	b->framed = framed;
	b->normalize = normalize;
	b->in_header = true;
	b->state = LINE_START;
	b->hstate = H_START;
	buf_init(&b->message_id, CAPTURED);
	buf_init(&b->subject, CAPTURED);
}

void
bodyin_fini(struct bodyin *b)
{
	buf_fini(&b->message_id);
	buf_fini(&b->subject);
}

enum bodyin_status
bodyin_feed(struct bodyin *b, const char *p, size_t n, size_t *used_r,
    bodyin_sink *sink, void *arg)
{
	struct feed f = { b, p, p, p + n, sink, arg, false };

	ASSERT(b->state != ENDED);
	while (f.p < f.end && !f.stopped) {
		if (step(&f)) {
			b->state = ENDED;
			all_read(b);
			*used_r = (size_t)(f.p - p);
			return BODYIN_END;
		}
	}
	if (!f.stopped)
		flush(&f, f.p);
	*used_r = n;
	return f.stopped ? BODYIN_STOP : BODYIN_MORE;
}

void
bodyin_finish(struct bodyin *b, bodyin_sink *sink, void *arg)
{
	struct feed f = { b, NULL, NULL, NULL, sink, arg, false };

	ASSERT(b->framed && b->state != ENDED);
	if (b->state == AFTER_CR)
		after_cr(&f);
	if (b->state == IN_LINE && b->line > 0) {
		b->unended = true;
		if (b->normalize)
			emit(&f, "\r\n", 2);
		line_end(b);
	}
	b->state = ENDED;
	all_read(b);
}

/* Takes at least one octet or changes the state; true at the end of data. */
static bool
step(struct feed *f)
{
	struct bodyin *b = f->b;

	switch (b->state) {
	case LINE_START:
		if (*f->p == '.' && !b->framed) {
			flush(f, f->p);
			f->span = ++f->p;
			b->state = AFTER_DOT;
			break;
		}
		in_line(f);
		break;
	case IN_LINE:
		in_line(f);
		break;
	case AFTER_CR:
		if (*f->p != '\n') {
			after_cr(f);
			break;
		}
		emit(f, "\r\n", 2);
		f->span = ++f->p;
		line_end(b);
		b->state = LINE_START;
		break;
	case AFTER_DOT:
		/* Whatever follows, this dot was stuffed or ends the data. */
		b->state = IN_LINE;
		if (*f->p == '\r') {
			f->span = ++f->p;
			b->state = AFTER_DOT_CR;
		}
		break;
	case AFTER_DOT_CR:
		if (*f->p == '\n') {
			f->span = ++f->p;
			return true;
		}
		after_cr(f);
		break;
	default:
		panic("state %u", b->state);
	}
	return false;
}

/* Runs to the end of the line or of what there is. */
static void
in_line(struct feed *f)
{
	struct bodyin *b = f->b;
	size_t n = (size_t)(f->end - f->p);
	const char *lf = memchr(f->p, '\n', n), *cr;

	b->state = IN_LINE;
	if (lf != NULL)
		n = (size_t)(lf - f->p);
	cr = memchr(f->p, '\r', n);
	if (cr == NULL && lf == NULL) {
		b->line += (unsigned)n;
		f->p = f->end;
	} else if (cr == NULL) {
		b->bare_lf = true;
		bare(f, lf);
	} else if (cr + 1 == lf) {
		b->line += (unsigned)(n - 1);
		line_end(b);
		f->p = lf + 1;
		b->state = LINE_START;
	} else if (cr + 1 == f->end) {
		b->line += (unsigned)(n - 1);
		flush(f, cr);
		f->span = f->p = f->end;
		b->state = AFTER_CR;
	} else {
		b->bare_cr = true;
		bare(f, cr);
	}
}

/*
 * A CR or LF of its own. Normalized it ends a line of the content, but not one
 * of the protocol: a dot behind it is just a dot.
 */
static void
bare(struct feed *f, const char *at)
{
	struct bodyin *b = f->b;

	b->line += (unsigned)(at - f->p);
	f->p = at + 1;
	if (!b->normalize) {
		b->line++;
		return;
	}
	flush(f, at);
	emit(f, "\r\n", 2);
	f->span = f->p;
	line_end(b);
}

/* A CR was kept back, and no LF has followed. */
static void
after_cr(struct feed *f)
{
	struct bodyin *b = f->b;

	b->bare_cr = true;
	b->state = IN_LINE;
	if (b->normalize) {
		emit(f, "\r\n", 2);
		line_end(b);
	} else {
		emit(f, "\r", 1);
		b->line++;
	}
}

static void
line_end(struct bodyin *b)
{
	if (b->line > b->long_line)
		b->long_line = b->line;
	b->line = 0;
}

static void
flush(struct feed *f, const char *to)
{
	if (to > f->span)
		emit(f, f->span, (size_t)(to - f->span));
	f->span = to;
}

static void
emit(struct feed *f, const char *p, size_t n)
{
	if (f->stopped)
		return;
	look(f->b, p, n);
	if (f->sink(f->arg, p, n) != 0)
		f->stopped = true;
}

/* What the content tells about itself. */
static void
look(struct bodyin *b, const char *p, size_t n)
{
	const char *end = p + n, *body = p;
	unsigned seen;

	if (b->in_header) {
		body = header(b, p, end);
		b->header_bytes = b->in_header ? b->bytes + n :
		    b->header_bytes;
		seen = scan(p, (size_t)(body - p));
		b->nul = b->nul || (seen & SEEN_NUL) != 0;
		b->header_utf8 = b->header_utf8 || (seen & SEEN_8BIT) != 0;
	}
	seen = scan(body, (size_t)(end - body));
	b->nul = b->nul || (seen & SEEN_NUL) != 0;
	b->eightbit = b->eightbit || (seen & SEEN_8BIT) != 0;
	b->bytes += n;
}

static void
header_ends(struct bodyin *b, uint64_t at)
{
	captured(b);
	b->in_header = false;
	b->header_bytes = at;
}

/* The content ends: a header without a body, perhaps in half a line. */
static void
all_read(struct bodyin *b)
{
	if (!b->in_header)
		return;
	if (b->hstate == H_NAME || b->hstate == H_NAME_WS ||
	    b->hstate == H_BLANK)
		header_ends(b, b->field_at);
	else
		header_ends(b, b->bytes);
}

/* Which of the fields we care about has just been named. */
static void
field_named(struct bodyin *b)
{
	struct str name = str_n(b->name, b->name_len);

	b->capture = NULL;
	if (str_ieq(name, STR("Received")))
		b->received++;
	else if (str_ieq(name, STR("Message-ID")) && b->message_id.mem == NULL)
		b->capture = &b->message_id;
	else if (str_ieq(name, STR("Subject")) && b->subject.mem == NULL)
		b->capture = &b->subject;
	/* Marks it as seen: the first one counts, even if empty. */
	if (b->capture != NULL)
		(void)buf_room(b->capture, 1);
}

static void
capture(struct bodyin *b, const char *p, size_t n)
{
	size_t room;

	if (b->capture == NULL)
		return;
	room = CAPTURED - buf_len(b->capture);
	(void)buf_add(b->capture, p, n < room ? n : room);
}

/* Trailing blanks are no part of a value. */
static void
captured(struct bodyin *b)
{
	struct str s;

	if (b->capture == NULL)
		return;
	s = buf_str(b->capture);
	while (s.n > 0 && memchr(" \t\r\n", s.p[s.n - 1], 4) != NULL)
		s.n--;
	buf_truncate(b->capture, s.n);
	b->capture = NULL;
}

static void
header_start(struct bodyin *b, char c, uint64_t at)
{
	if ((c == ' ' || c == '\t') && at > 0) {
		if (b->capture == &b->subject && buf_len(b->capture) > 0)
			capture(b, "\r\n", 2);
		b->hstate = b->capture != NULL && buf_len(b->capture) == 0 ?
		    H_LEAD : H_VALUE;
		return;
	}
	captured(b);
	b->field_at = at;
	b->name_len = 0;
	b->hstate = c == '\r' ? H_BLANK : H_NAME;
}

/* Octets of a field's name; NULL: this is no field. */
static const char *
header_name(struct bodyin *b, const char *p, const char *end)
{
	unsigned n = b->name_len;

	while (p < end && b->hstate == H_NAME && *p > ' ' && *p <= '~' &&
	    *p != ':') {
		/* Longer names are none of ours. */
		if (n < sizeof(b->name))
			b->name[n++] = *p;
		p++;
	}
	b->name_len = n;
	if (p == end)
		return p;
	if (n > 0 && *p == ':') {
		field_named(b);
		b->hstate = H_LEAD;
		return p + 1;
	}
	if (n > 0 && (*p == ' ' || *p == '\t')) {
		b->hstate = H_NAME_WS;
		return p + 1;
	}
	return NULL;
}

/* Reads header from p; where it ends the body begins. */
static const char *
header(struct bodyin *b, const char *p, const char *end)
{
	const char *from = p, *cr, *next;
	uint64_t base = b->bytes;

	while (p < end) {
		switch (b->hstate) {
		case H_START:
			header_start(b, *p, base + (uint64_t)(p - from));
			p += b->hstate == H_BLANK ? 1 : 0;
			break;
		case H_NAME:
		case H_NAME_WS:
			next = header_name(b, p, end);
			if (next == NULL) {
				header_ends(b, b->field_at);
				return p;
			}
			p = next;
			break;
		case H_LEAD:
			while (p < end && (*p == ' ' || *p == '\t'))
				p++;
			if (p < end)
				b->hstate = H_VALUE;
			break;
		case H_VALUE:
			cr = memchr(p, '\r', (size_t)(end - p));
			capture(b, p, (size_t)((cr != NULL ? cr : end) - p));
			p = cr != NULL ? cr + 1 : end;
			if (cr != NULL)
				b->hstate = H_CR;
			break;
		case H_CR:
			b->hstate = *p == '\n' ? H_START : H_VALUE;
			if (*p == '\n')
				p++;
			else
				capture(b, "\r", 1);
			break;
		case H_BLANK:
			header_ends(b, b->field_at);
			return *p == '\n' ? p + 1 : p;
		default:
			panic("header state %u", b->hstate);
		}
	}
	return p;
}

/* Eight octets at a time: zero ones and those above 127. */
static unsigned
scan(const char *p, size_t n)
{
	const uint64_t low = 0x0101010101010101ULL, high = low << 7;
	uint64_t v, eight = 0, zero = 0;

	for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		eight |= v;
		zero |= (v - low) & ~v;
	}
	v = low;
	if (n > 0)
		memcpy(&v, p, n);
	eight |= v;
	zero |= (v - low) & ~v;
	return ((zero & high) != 0 ? SEEN_NUL : 0) |
	    ((eight & high) != 0 ? SEEN_8BIT : 0);
}
