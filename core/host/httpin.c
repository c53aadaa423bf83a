#include "host/httpin.h"

#include <string.h>

#include "base/num.h"

static bool	in_line(const struct httpin *);
static int	take_line(struct httpin *, const char *, size_t, size_t *,
		    bool *, struct err *);
static int	got_line(struct httpin *, struct str, struct err *);
static int	got_status(struct httpin *, struct str, struct err *);
static int	got_field(struct httpin *, struct str, struct err *);
static int	got_length(struct httpin *, struct str, struct err *);
static int	got_coding(struct httpin *, struct str, struct err *);
static int	got_head(struct httpin *, struct err *);
static int	got_chunk_line(struct httpin *, struct str, struct err *);
static int	take_body(struct httpin *, const char *, size_t, size_t *,
		    struct err *);
static int	too_much(const struct httpin *, struct err *);

void
httpin_init(struct httpin *h, size_t body_max, bool no_body, bool sealed)
{
	memset(h, 0, sizeof(*h));
	h->no_body = no_body;
	h->sealed = sealed;
	buf_init(&h->line, HTTPIN_HEAD_MAX);
	buf_init(&h->body, body_max);
}

void
httpin_fini(struct httpin *h)
{
	buf_fini(&h->line);
	buf_fini(&h->body);
}

enum httpin_status
httpin_feed(struct httpin *h, const char *p, size_t n, size_t *used_r,
    struct err *why)
{
	size_t i = 0, used = 0;
	bool whole = false;
	int r;

	*used_r = 0;
	while (i < n && h->state != HTTPIN_AT_END) {
		if (!in_line(h)) {
			r = take_body(h, p + i, n - i, &used, why);
		} else {
			r = take_line(h, p + i, n - i, &used, &whole, why);
			if (r == 0 && whole) {
				r = got_line(h, buf_str(&h->line), why);
				buf_reset(&h->line);
			}
		}
		if (r != 0)
			return HTTPIN_BAD;
		i += used;
	}
	*used_r = i;
	return h->state == HTTPIN_AT_END ? HTTPIN_DONE : HTTPIN_MORE;
}

enum httpin_status
httpin_eof(struct httpin *h, struct err *why)
{
	if (h->state == HTTPIN_AT_END ||
	    (h->state == HTTPIN_AT_CLOSE && !h->sealed)) {
		h->state = HTTPIN_AT_END;
		return HTTPIN_DONE;
	}
	if (h->state == HTTPIN_AT_CLOSE)
		(void)err_text(why, "the answer has no length");
	else if (h->head == 0)
		(void)err_text(why, "the connection ended without an answer");
	else
		(void)err_text(why, "the answer was cut off");
	return HTTPIN_BAD;
}

static bool
in_line(const struct httpin *h)
{
	return h->state != HTTPIN_AT_LENGTH && h->state != HTTPIN_AT_CHUNK &&
	    h->state != HTTPIN_AT_CLOSE;
}

/* Gathers a line without its end. */
static int
take_line(struct httpin *h, const char *p, size_t n, size_t *used_r,
    bool *whole_r, struct err *why)
{
	const char *lf = memchr(p, '\n', n);
	size_t take = lf != NULL ? (size_t)(lf - p) + 1 : n, len;

	h->head += take;
	if (h->head > HTTPIN_HEAD_MAX)
		return err_text(why, "the head of the answer is longer than "
		    "%d octets", HTTPIN_HEAD_MAX);
	if (buf_add(&h->line, p, take) != 0)
		return err_text(why, "a line of the answer is too long");
	*used_r = take;
	*whole_r = lf != NULL;
	if (lf == NULL)
		return 0;
	len = buf_len(&h->line);
	if (len < 2 || buf_p(&h->line)[len - 2] != '\r')
		return err_text(why, "a line of the answer does not end with "
		    "CRLF");
	buf_truncate(&h->line, len - 2);
	return 0;
}

static int
got_line(struct httpin *h, struct str line, struct err *why)
{
	if (!httpin_text(line))
		return err_text(why, "control characters in the head of the "
		    "answer");
	switch (h->state) {
	case HTTPIN_AT_STATUS:
		return got_status(h, line, why);
	case HTTPIN_AT_FIELD:
		return line.n == 0 ? got_head(h, why) :
		    got_field(h, line, why);
	case HTTPIN_AT_CHUNK_LINE:
		return got_chunk_line(h, line, why);
	case HTTPIN_AT_CHUNK_END:
		if (line.n != 0)
			return err_text(why, "a chunk is longer than it says");
		h->state = HTTPIN_AT_CHUNK_LINE;
		return 0;
	case HTTPIN_AT_TRAILER:
		if (line.n == 0)
			h->state = HTTPIN_AT_END;
		else if (!httpin_token(str_n(line.p, str_find(line, ':'))))
			return err_text(why, "not a field in the trailer");
		return 0;
	case HTTPIN_AT_LENGTH:
	case HTTPIN_AT_CHUNK:
	case HTTPIN_AT_CLOSE:
	case HTTPIN_AT_END:
		break;
	}
	panic("a line in state %d", (int)h->state);
}

/* HTTP/1.1 200 OK */
static int
got_status(struct httpin *h, struct str line, struct err *why)
{
	uint64_t code;

	if (line.n < 12 || !(str_eq(str_n(line.p, 7), STR("HTTP/1."))) ||
	    (line.p[7] != '0' && line.p[7] != '1') || line.p[8] != ' ' ||
	    (line.n > 12 && line.p[12] != ' ') ||
	    num_u64(str_n(line.p + 9, 3), 599, &code) != 0 || code < 100)
		return err_text(why, "the answer is not HTTP");
	h->minor = line.p[7] == '1';
	h->code = (unsigned)code;
	h->has_length = h->chunked = false;
	h->state = HTTPIN_AT_FIELD;
	return 0;
}

static int
got_field(struct httpin *h, struct str line, struct err *why)
{
	size_t colon = str_find(line, ':');
	struct str name = str_n(line.p, colon), value;

	if (colon == line.n || !httpin_token(name))
		return err_text(why, "not a field in the head of the answer");
	value = str_trim(str_n(line.p + colon + 1, line.n - colon - 1));
	if (str_ieq_c(name, "Content-Length"))
		return got_length(h, value, why);
	if (str_ieq_c(name, "Transfer-Encoding"))
		return got_coding(h, value, why);
	return 0;
}

static int
got_length(struct httpin *h, struct str value, struct err *why)
{
	uint64_t n;

	if (num_u64(value, INT64_MAX, &n) != 0 ||
	    (h->has_length && n != h->left))
		return err_text(why, "the length of the answer is not clear");
	h->has_length = true;
	h->left = n;
	return 0;
}

static int
got_coding(struct httpin *h, struct str value, struct err *why)
{
	if (!str_ieq_c(value, "chunked") || h->chunked || h->minor == 0)
		return err_text(why, "the answer has a transfer coding that "
		    "is not known");
	h->chunked = true;
	return 0;
}

/* The head is complete: how does the body end? */
static int
got_head(struct httpin *h, struct err *why)
{
	if (h->has_length && h->chunked)
		return err_text(why, "the length of the answer is not clear");
	if (h->code == 101)
		return err_text(why, "the server changes to another protocol");
	if (h->code < 200) {
		if (++h->interim > HTTPIN_INTERIM_MAX)
			return err_text(why, "too many interim answers");
		h->state = HTTPIN_AT_STATUS;
	} else if (h->no_body || h->code == 204 || h->code == 304) {
		h->state = HTTPIN_AT_END;
	} else if (h->chunked) {
		h->state = HTTPIN_AT_CHUNK_LINE;
	} else if (h->has_length) {
		if (h->left > h->body.max)
			return too_much(h, why);
		h->state = h->left > 0 ? HTTPIN_AT_LENGTH : HTTPIN_AT_END;
	} else {
		h->state = HTTPIN_AT_CLOSE;
	}
	return 0;
}

/* Hexadecimal digits; what follows a ";" is of no interest. */
static int
got_chunk_line(struct httpin *h, struct str line, struct err *why)
{
	struct str size = str_trim(str_n(line.p, str_find(line, ';')));
	uint64_t n = 0;
	size_t i;
	char c;

	if (size.n == 0 || size.n > 15)
		return err_text(why, "not a size of a chunk");
	for (i = 0; i < size.n; i++) {
		c = ch_lower(size.p[i]);
		if (!ch_digit(c) && (c < 'a' || c > 'f'))
			return err_text(why, "not a size of a chunk");
		n = n * 16 + (uint64_t)(ch_digit(c) ? c - '0' : c - 'a' + 10);
	}
	if (n > h->body.max - buf_len(&h->body))
		return too_much(h, why);
	h->left = n;
	h->state = n > 0 ? HTTPIN_AT_CHUNK : HTTPIN_AT_TRAILER;
	return 0;
}

static int
take_body(struct httpin *h, const char *p, size_t n, size_t *used_r,
    struct err *why)
{
	if (h->state != HTTPIN_AT_CLOSE && n > h->left)
		n = (size_t)h->left;
	if (buf_add(&h->body, p, n) != 0)
		return too_much(h, why);
	*used_r = n;
	if (h->state == HTTPIN_AT_CLOSE)
		return 0;
	h->left -= n;
	if (h->left == 0)
		h->state = h->state == HTTPIN_AT_CHUNK ? HTTPIN_AT_CHUNK_END :
		    HTTPIN_AT_END;
	return 0;
}

static int
too_much(const struct httpin *h, struct err *why)
{
	return err_text(why, "the answer is larger than %zu octets",
	    h->body.max);
}

bool
httpin_token(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (!ch_alnum(s.p[i]) &&
		    (s.p[i] == '\0' ||
			strchr("!#$%&'*+-.^_`|~", s.p[i]) == NULL))
			return false;
	}
	return s.n > 0;
}

bool
httpin_text(struct str s)
{
	unsigned char c;
	size_t i;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}
