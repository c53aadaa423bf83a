#include "smtp/replyin.h"

enum { CODE_LEN = 3 };

static void begin(struct replyin *r);
static enum replyin_status bad(struct err *why, const char *what);
static enum replyin_status
octet(struct replyin *r, char c, unsigned max_lines, struct err *why);
static enum replyin_status
digit(struct replyin *r, char c, unsigned max_lines, struct err *why);
static enum replyin_status
separator(struct replyin *r, char c, struct err *why);
static size_t text_run(const char *p, size_t n);

void
replyin_init(struct replyin *r)
{
	*r = (struct replyin){ 0 };
	buf_init(&r->text, REPLYIN_BYTES_MAX);
}

void
replyin_fini(struct replyin *r)
{
	buf_fini(&r->text);
}

void
replyin_shrink(struct replyin *r)
{
	begin(r);
	buf_shrink(&r->text);
}

bool
replyin_begun(const struct replyin *r)
{
	return r->bytes > 0 && !r->done;
}

/*
 * The text of a line is taken as a run, all else octet by octet. The text
 * buffer cannot overflow: its ceiling is that of the octets.
 */
enum replyin_status
replyin_feed(struct replyin *r, const char *p, size_t n, unsigned max_lines,
    size_t *used_r, struct err *why)
{
	enum replyin_status st = REPLYIN_MORE;
	size_t i = 0, run;

	if (r->done)
		begin(r);
	while (i < n && st == REPLYIN_MORE) {
		run = 0;
		if (r->line > CODE_LEN && !r->cr)
			run = text_run(p + i, n - i);
		if (r->line + run > REPLYIN_LINE_MAX)
			return bad(why, "line of a reply is too long");
		if (r->bytes + (run > 0 ? run : 1) > REPLYIN_BYTES_MAX)
			return bad(why, "reply is too long");
		if (run > 0) {
			(void)buf_add(&r->text, p + i, run);
			r->line += run;
		} else {
			st = octet(r, p[i], max_lines, why);
			run = 1;
		}
		i += run;
		r->bytes += run;
	}
	*used_r = i;
	r->done = st == REPLYIN_DONE;
	return st;
}

static void
begin(struct replyin *r)
{
	buf_reset(&r->text);
	r->code = r->line_code = 0;
	r->last = r->cr = r->done = false;
	r->lines = 0;
	r->line = r->bytes = 0;
}

static enum replyin_status
bad(struct err *why, const char *what)
{
	(void)err_set(why, 0, "4.5.0", "protocol error: %s", what);
	return REPLYIN_BAD;
}

static size_t
text_run(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\r' || p[i] == '\n' || p[i] == '\0')
			break;
	}
	return i;
}

static enum replyin_status
octet(struct replyin *r, char c, unsigned max_lines, struct err *why)
{
	if (r->cr) {
		if (c != '\n')
			return bad(why, "bare CR in a reply");
		r->cr = false;
		r->line = 0;
		return r->last ? REPLYIN_DONE : REPLYIN_MORE;
	}
	if (r->line < CODE_LEN)
		return digit(r, c, max_lines, why);
	if (r->line == CODE_LEN)
		return separator(r, c, why);
	if (c != '\r')
		return bad(
		    why, c == '\0' ? "NUL in a reply" : "bare LF in a reply");
	r->cr = true;
	return REPLYIN_MORE;
}

static enum replyin_status
digit(struct replyin *r, char c, unsigned max_lines, struct err *why)
{
	if (r->line == 0) {
		if (r->lines == max_lines)
			return bad(why, "reply has too many lines");
		if (r->lines > 0)
			(void)buf_add_char(&r->text, '\n');
		r->lines++;
		r->line_code = 0;
	}
	/* There is no 1yz in SMTP, and nothing above 5yz. */
	if (!ch_digit(c) || (r->line == 0 && (c < '2' || c > '5')))
		return bad(why, "a reply does not begin with a code");
	r->line_code = r->line_code * 10 + (c - '0');
	r->line++;
	return REPLYIN_MORE;
}

static enum replyin_status
separator(struct replyin *r, char c, struct err *why)
{
	if (r->code != 0 && r->code != r->line_code)
		return bad(why, "codes differ inside a reply");
	if (c != ' ' && c != '-' && c != '\r')
		return bad(why, "a reply does not begin with a code");
	r->code = r->line_code;
	r->last = c != '-';
	r->cr = c == '\r';
	r->line++;
	return REPLYIN_MORE;
}
