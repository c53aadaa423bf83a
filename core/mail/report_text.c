#include <string.h>

#include "base/codec.h"
#include "mail/report_priv.h"

#define WIDTH 76
#define LINE_MAX_OCTETS 998

void
report_text(struct buf *dst, struct str s, bool utf8, size_t max)
{
	uint32_t cp = 0;
	size_t n;

	s.n = s.n < max ? s.n : max;
	for (; s.n > 0; s.p += n, s.n -= n) {
		n = utf8 ? utf8_char(s, &cp) : 0;
		if (n > 1 && cp >= 0xa0 && cp != 0x2028 && cp != 0x2029) {
			(void)buf_add(dst, s.p, n);
		} else {
			n = 1;
			(void)buf_add_char(dst, ch_print(*s.p) ? *s.p :
			    memchr("\t\r\n", *s.p, 3) != NULL ? ' ' : '?');
		}
	}
}

void
report_folded(struct buf *dst, const char *prefix, struct str s, size_t max)
{
	size_t room = WIDTH - strlen(prefix), n;
	struct str rest, word;
	bool first = true;

	rest = str_n(s.p, s.n < max ? s.n : max);
	(void)buf_add_c(dst, prefix);
	while (str_word(&rest, &word)) {
		/* A reply's further lines become blanks. */
		for (; word.n > 0; word = str_n(word.p + n, word.n - n)) {
			n = word.n < WIDTH - 4 ? word.n : WIDTH - 4;
			if (!first && n + 1 > room) {
				(void)buf_add_c(dst, "\r\n    ");
				room = WIDTH - 4;
			} else if (!first) {
				(void)buf_add_char(dst, ' ');
				room--;
			}
			first = false;
			report_text(dst, str_n(word.p, n), false, n);
			room -= n < room ? n : room;
		}
	}
	(void)buf_add_c(dst, "\r\n");
}

bool
report_lines_fit(struct str s)
{
	size_t at = 0, n;
	struct str rest;

	if (s.n < 2 || memcmp(s.p + s.n - 2, "\r\n", 2) != 0 ||
	    str_find(s, '\0') < s.n)
		return false;
	while (at < s.n) {
		rest = str_n(s.p + at, s.n - at);
		n = str_find(rest, '\n');
		/* The first CR of the line stands before its LF. */
		if (n == 0 || n == rest.n || str_find(rest, '\r') != n - 1 ||
		    n - 1 > LINE_MAX_OCTETS)
			return false;
		at += n + 1;
	}
	return true;
}

struct str
report_header(struct str s, size_t max)
{
	size_t at = 0, n;

	while (at < s.n) {
		n = str_find(str_n(s.p + at, s.n - at), '\n');
		if (at + n >= s.n || at + n + 1 > max)
			break;
		/* The blank line is not part of it. */
		if (n <= 1)
			break;
		at += n + 1;
	}
	return str_n(s.p, at);
}

void
report_quoted_printable(struct buf *dst, struct str s, size_t max)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t limit = buf_len(dst) + (max > 8 ? max - 8 : 0), i, line = 0, n;
	char code[3] = "=";
	bool last;
	char c;

	for (i = 0; i < s.n && buf_len(dst) < limit; i++) {
		c = s.p[i];
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			(void)buf_add(dst, "\r\n", 2);
			line = 0;
			i++;
			continue;
		}
		last = i + 1 >= s.n || s.p[i + 1] == '\r';
		n = (ch_print(c) && c != '=' && !(c == ' ' && last)) ||
		    (c == '\t' && !last) ? 1 : 3;
		if (line + n > WIDTH - 1) {
			(void)buf_add(dst, "=\r\n", 3);
			line = 0;
		}
		line += n;
		code[1] = hex[(unsigned char)c >> 4];
		code[2] = hex[(unsigned char)c & 15];
		(void)buf_add(dst, n == 1 ? &c : code, n);
	}
	if (line > 0)
		(void)buf_add(dst, "\r\n", 2);
}
