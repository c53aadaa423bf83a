#include "smtp/cmdline.h"

static enum cmdline_status
spoiled(struct cmdline *c, char ch, size_t limit, size_t at)
{
	if (c->cr || ch == '\n')
		return CMDLINE_BARE;
	if (ch == '\0')
		return CMDLINE_NUL;
	if (at >= limit)
		return CMDLINE_LONG;
	return CMDLINE_MORE;
}

static enum cmdline_status
skip(struct cmdline *c, const char *p, size_t n, size_t *used_r)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (c->cr && p[i] == '\n') {
			*c = (struct cmdline){ 0, false, false };
			*used_r = i + 1;
			return CMDLINE_SKIPPED;
		}
		c->cr = p[i] == '\r';
	}
	*used_r = n;
	return CMDLINE_MORE;
}

enum cmdline_status
cmdline_scan(
    struct cmdline *c, const char *p, size_t n, size_t limit, size_t *used_r)
{
	enum cmdline_status st;
	size_t i;

	if (c->skip)
		return skip(c, p, n, used_r);
	for (i = c->seen; i < n; i++) {
		if (c->cr && p[i] == '\n') {
			*c = (struct cmdline){ 0, false, false };
			*used_r = i + 1;
			return i < limit ? CMDLINE_LINE : CMDLINE_LONG;
		}
		st = spoiled(c, p[i], limit, i);
		c->cr = p[i] == '\r';
		if (st != CMDLINE_MORE) {
			c->skip = true;
			c->seen = 0;
			*used_r = i + 1;
			return st;
		}
	}
	c->seen = n;
	*used_r = 0;
	return CMDLINE_MORE;
}

size_t
cmdline_limit(const char *p, size_t n)
{
	struct str s = str_n(p, n);

	if (n < 4)
		return CMDLINE_MAX;
	if (str_istarts(s, "MAIL") || str_istarts(s, "RCPT"))
		return CMDLINE_PARAM_MAX;
	if (str_istarts(s, "AUTH"))
		return CMDLINE_AUTH_MAX;
	return CMDLINE_MAX;
}

void
cmdline_split(struct str line, struct str *verb_r, struct str *arg_r)
{
	size_t n;

	for (n = 0; n < line.n; n++) {
		if (line.p[n] == ' ' || line.p[n] == '\t')
			break;
	}
	*verb_r = str_n(line.p, n);
	*arg_r = str_trim(str_n(line.p + n, line.n - n));
}
