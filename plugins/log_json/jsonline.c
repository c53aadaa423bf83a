#include "jsonline.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void	stamp(struct jsonline *, int64_t);
static void	add_field(struct logkeep *, const struct pst_field *);
static void	add_lines(struct logkeep *, struct pst_str);
static void	add_number(struct logkeep *, int64_t);
static void	quote(struct logkeep *, struct pst_str);

bool
jsonline_add(struct jsonline *s, struct logkeep *k,
    const struct pst_log_record *r)
{
	static const char *const levels[] = { "critical", "warning", "info",
		"debug", "trace" };
	uint32_t i;

	stamp(s, r->wall);
	logkeep_begin(k);
	logkeep_add(k, "{\"time\":\"", 9);
	logkeep_add(k, s->stamp, s->n);
	logkeep_add(k, "\",\"level\":\"", 11);
	logkeep_add_c(k, levels[r->level <= PST_LOG_TRACE ? r->level :
							    PST_LOG_TRACE]);
	logkeep_add(k, "\",\"event\":\"", 11);
	logkeep_add_c(k, r->event != NULL ? r->event : "text");
	logkeep_add(k, "\"", 1);
	for (i = 0; i < r->count; i++)
		add_field(k, &r->field[i]);
	logkeep_add(k, "}", 1);
	return logkeep_line(k);
}

static void
stamp(struct jsonline *s, int64_t wall)
{
	struct tm tm;

	if (s->n > 0 && wall == s->last)
		return;
	logkeep_time(&tm, wall, true);
	s->n = (size_t)snprintf(s->stamp, sizeof(s->stamp),
	    "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)((wall % 1000 + 1000) % 1000));
	s->last = wall;
}

static void
add_field(struct logkeep *k, const struct pst_field *f)
{
	size_t i, from;

	logkeep_add(k, ",\"", 2);
	logkeep_add_c(k, f->name);
	logkeep_add(k, "\":", 2);
	switch (f->type) {
	case PST_F_TEXT:
		quote(k, f->text);
		break;
	case PST_F_NUMBER:
		add_number(k, f->number);
		break;
	case PST_F_NUMBERS:
		logkeep_add(k, "[", 1);
		for (i = from = 0; i <= f->text.n; i++) {
			if (i < f->text.n && f->text.p[i] != ' ')
				continue;
			logkeep_add(k, f->text.p + from, i - from);
			from = i + 1;
		}
		logkeep_add(k, "]", 1);
		break;
	case PST_F_LINES:
		logkeep_add(k, "[", 1);
		add_lines(k, f->text);
		logkeep_add(k, "]", 1);
		break;
	case PST_F_NULL:
		logkeep_add(k, "null", 4);
		break;
	}
}

static void
add_lines(struct logkeep *k, struct pst_str text)
{
	struct pst_str line;
	bool first = true;
	size_t n;

	for (; text.n > 0; text.p += n, text.n -= n) {
		n = logkeep_first(text.p, text.n);
		line = (struct pst_str){ text.p, n };
		if (line.p[line.n - 1] == '\n')
			line.n--;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (!first)
			logkeep_add(k, ",", 1);
		first = false;
		quote(k, line);
	}
}

static void
add_number(struct logkeep *k, int64_t number)
{
	uint64_t n = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	if (number < 0)
		logkeep_add(k, "-", 1);
	logkeep_add(k, digits + i, sizeof(digits) - i);
}

/* Octets of the character at the front, 0 if it is not UTF-8. */
static size_t
utf8(const unsigned char *p, size_t n, uint32_t *cp_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t i, len;
	uint32_t cp;

	if (p[0] < 0x80) {
		*cp_r = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	cp = p[0] & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*cp_r = cp;
	return len;
}

/* Not one that would act on a terminal, or be no character at all. */
static bool
shows_itself(uint32_t cp)
{
	return cp >= 0xa0 && cp != 0xad && !(cp >= 0x200b && cp <= 0x200f) &&
	    !(cp >= 0x2028 && cp <= 0x202e) &&
	    !(cp >= 0x2060 && cp <= 0x206f) && cp != 0x061c && cp != 0xfeff &&
	    !(cp >= 0xfff0 && cp <= 0xfffb) && (cp & 0xfffe) != 0xfffe &&
	    !(cp >= 0xe0000 && cp <= 0xe0fff);
}

static bool
plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
quote(struct logkeep *k, struct pst_str s)
{
	char code[16];
	uint32_t cp = 0;
	size_t run, n;

	logkeep_add(k, "\"", 1);
	for (; s.n > 0; s.p += n, s.n -= n) {
		for (run = 0; run < s.n && plain(s.p[run]);)
			run++;
		logkeep_add(k, s.p, run);
		n = run;
		if (run == s.n)
			continue;
		n = utf8((const unsigned char *)s.p + run, s.n - run, &cp);
		if (n == 0)
			logkeep_add(k, "\xef\xbf\xbd", 3);
		else if (n > 1 && shows_itself(cp))
			logkeep_add(k, s.p + run, n);
		else if (cp >= 0x10000)
			logkeep_add(k, code, (size_t)snprintf(code,
			    sizeof(code), "\\u%04x\\u%04x",
			    0xd800 + ((cp - 0x10000) >> 10),
			    0xdc00 + ((cp - 0x10000) & 0x3ff)));
		else if (cp == '"' || cp == '\\')
			logkeep_add(k, code, (size_t)snprintf(code,
			    sizeof(code), "\\%c", (int)cp));
		else
			logkeep_add(k, code, (size_t)snprintf(code,
			    sizeof(code), "\\u%04x", cp));
		n = run + (n > 0 ? n : 1);
	}
	logkeep_add(k, "\"", 1);
}
