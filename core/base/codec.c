#include "base/codec.h"

#include <stdint.h>
#include <string.h>

#include "base/pool.h"

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "abcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";

static int b64_value(char c);
static int hex_value(char c);
static bool shows_itself(uint32_t cp);
static int escape(struct buf *dst, char c, char quote);
static int add_clean(struct buf *dst, struct str s, size_t max, bool utf8,
    char quote);

int
base64_encode(struct buf *dst, struct str src)
{
	const unsigned char *p = (const unsigned char *)src.p;
	size_t i, n = (src.n / 3 + (src.n % 3 > 0)) * 4;
	char *to = buf_room(dst, n);
	uint32_t v;

	if (to == NULL)
		return -1;
	for (i = 0; i < src.n; i += 3, to += 4) {
		v = (uint32_t)p[i] << 16;
		if (i + 1 < src.n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < src.n)
			v |= p[i + 2];
		to[0] = b64[v >> 18];
		to[1] = b64[v >> 12 & 63];
		to[2] = i + 1 < src.n ? b64[v >> 6 & 63] : '=';
		to[3] = i + 2 < src.n ? b64[v & 63] : '=';
	}
	buf_added(dst, n);
	return 0;
}

int
base64_decode(struct buf *dst, struct str src)
{
	size_t i, pad = 0, n;
	uint32_t v = 0;
	char out[3];
	int d;

	if (src.n % 4 != 0)
		return -1;
	while (pad < 2 && src.n > pad && src.p[src.n - 1 - pad] == '=')
		pad++;
	n = src.n - pad;
	for (i = 0; i < n; i++) {
		d = b64_value(src.p[i]);
		if (d < 0)
			return -1;
		v = v << 6 | (uint32_t)d;
		if (i % 4 != 3)
			continue;
		out[0] = (char)(v >> 16 & 0xff);
		out[1] = (char)(v >> 8 & 0xff);
		out[2] = (char)(v & 0xff);
		if (buf_add(dst, out, 3) != 0)
			return -1;
		v = 0;
	}
	if (pad == 0)
		return 0;
	/* The bits that no octet uses must be zero, or two texts mean one. */
	v <<= 6 * pad;
	if ((v & (pad == 2 ? 0xffffU : 0xffU)) != 0)
		return -1;
	out[0] = (char)(v >> 16 & 0xff);
	out[1] = (char)(v >> 8 & 0xff);
	return buf_add(dst, out, 3 - pad);
}

int
hex_encode(struct buf *dst, struct str src)
{
	char *to;
	size_t i;

	if (src.n > SIZE_MAX / 2 || (to = buf_room(dst, src.n * 2)) == NULL)
		return -1;
	for (i = 0; i < src.n; i++) {
		*to++ = hex_lower[(unsigned char)src.p[i] >> 4];
		*to++ = hex_lower[(unsigned char)src.p[i] & 15];
	}
	buf_added(dst, src.n * 2);
	return 0;
}

int
xtext_encode(struct buf *dst, struct str src)
{
	char code[3] = "+";
	size_t i;

	for (i = 0; i < src.n; i++) {
		unsigned char c = (unsigned char)src.p[i];

		if (c >= 33 && c <= 126 && c != '+' && c != '=') {
			if (buf_add_char(dst, (char)c) != 0)
				return -1;
			continue;
		}
		code[1] = hex_upper[c >> 4];
		code[2] = hex_upper[c & 15];
		if (buf_add(dst, code, 3) != 0)
			return -1;
	}
	return 0;
}

int
xtext_decode(struct buf *dst, struct str src)
{
	int hi, lo;
	size_t i;
	char c;

	for (i = 0; i < src.n; i++) {
		c = src.p[i];
		if (c < 33 || c > 126 || c == '=')
			return -1;
		if (c == '+') {
			/* Capital digits only (RFC 3461 4). */
			if (src.n - i < 3 || src.p[i + 1] > 'F' ||
			    src.p[i + 2] > 'F')
				return -1;
			hi = hex_value(src.p[i + 1]);
			lo = hex_value(src.p[i + 2]);
			if (hi < 0 || lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			if ((unsigned char)c < 0x20 || c == 0x7f)
				return -1;
			i += 2;
		}
		if (buf_add_char(dst, c) != 0)
			return -1;
	}
	return 0;
}

size_t
utf8_char(struct str s, uint32_t *cp_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	size_t i, len;
	uint32_t cp;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80) {
		*cp_r = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (s.n < len)
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

bool
utf8_valid(struct str s)
{
	uint32_t cp;
	size_t n;

	for (; s.n > 0; s.p += n, s.n -= n) {
		n = utf8_char(s, &cp);
		if (n == 0)
			return false;
	}
	return true;
}

bool
ascii_only(struct str s)
{
	unsigned char any = 0;
	size_t i;

	for (i = 0; i < s.n; i++)
		any |= (unsigned char)s.p[i];
	return any < 0x80;
}

const char *
text_clean(struct pool *pool, struct str s, size_t max)
{
	char *dst = pool_alloc(pool, s.n + 1);
	size_t i, n, len = 0;
	uint32_t cp;

	for (i = 0; i < s.n; i += n) {
		n = utf8_char(str_n(s.p + i, s.n - i), &cp);
		if (len + (n > 0 ? n : 1) > max)
			break;
		if (n == 1 ? ch_print(s.p[i]) : n > 0 && shows_itself(cp)) {
			memcpy(dst + len, s.p + i, n);
			len += n;
			continue;
		}
		dst[len++] = s.p[i] >= '\t' && s.p[i] <= '\r' ? ' ' : '?';
		n += n == 0;
	}
	dst[len] = '\0';
	return dst;
}

/* Characters that would act on a terminal, spelt out. */
static int
json_hidden(struct buf *dst, uint32_t cp)
{
	if (cp < 0x10000)
		return buf_printf(dst, "\\u%04x", cp);
	cp -= 0x10000;
	return buf_printf(dst, "\\u%04x\\u%04x", 0xd800 + (cp >> 10),
	    0xdc00 + (cp & 0x3ff));
}

int
json_quote(struct buf *dst, struct str s)
{
	char code[7] = "\\u00";
	size_t run, n;
	uint32_t cp = 0;

	if (buf_add_char(dst, '"') != 0)
		return -1;
	while (s.n > 0) {
		for (run = 0; run < s.n; run++) {
			if (!ch_print(s.p[run]) || s.p[run] == '"' ||
			    s.p[run] == '\\')
				break;
		}
		if (buf_add(dst, s.p, run) != 0)
			return -1;
		s = str_n(s.p + run, s.n - run);
		if (s.n == 0)
			break;
		n = utf8_char(s, &cp);
		if (n > 1 && shows_itself(cp)) {
			if (buf_add(dst, s.p, n) != 0)
				return -1;
		} else if (n > 1) {
			if (json_hidden(dst, cp) != 0)
				return -1;
		} else if (n == 1 && cp >= 0x20 && cp < 0x7f) {
			code[1] = s.p[0];
			if (buf_add(dst, code, 2) != 0)
				return -1;
			code[1] = 'u';
		} else if (n == 1) {
			code[4] = hex_lower[cp >> 4];
			code[5] = hex_lower[cp & 15];
			if (buf_add(dst, code, 6) != 0)
				return -1;
		} else if (buf_add_c(dst, "\xef\xbf\xbd") != 0) {
			return -1;
		}
		n = n > 0 ? n : 1;
		s = str_n(s.p + n, s.n - n);
	}
	return buf_add_char(dst, '"');
}

int
log_clean(struct buf *dst, struct str s, size_t max, bool utf8)
{
	return add_clean(dst, s, max, utf8, '\0');
}

int
log_repr(struct buf *dst, struct str s, size_t max)
{
	struct str seen = str_n(s.p, s.n < max ? s.n : max);
	char quote = '\'';

	if (str_find(seen, '\'') < seen.n && str_find(seen, '"') == seen.n)
		quote = '"';
	if (buf_add_char(dst, quote) != 0 ||
	    add_clean(dst, s, max, false, quote) != 0)
		return -1;
	return buf_add_char(dst, quote);
}

int
log_unclean(struct buf *dst, struct str s)
{
	size_t i;
	int hi, lo;
	char c;

	for (i = 0; i < s.n; i++) {
		c = s.p[i];
		if (!ch_print(c))
			return -1;
		if (c == '\\' && s.n - i >= 2 && s.p[i + 1] == '\\') {
			i++;
		} else if (c == '\\') {
			if (s.n - i < 4 || s.p[i + 1] != 'x')
				return -1;
			hi = hex_value(s.p[i + 2]);
			lo = hex_value(s.p[i + 3]);
			c = (char)(hi << 4 | lo);
			if (hi < 0 || lo < 0 || ch_print(c))
				return -1;
			i += 3;
		}
		if (buf_add_char(dst, c) != 0)
			return -1;
	}
	return 0;
}

static int
b64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ch_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Characters that neither control a terminal nor change the order or the
 * lines of the text around them: no C1, no bidirectional or line separators,
 * no byte-order mark, nothing outside the basic plane that is a tag.
 */
static bool
shows_itself(uint32_t cp)
{
	return cp >= 0xa0 && cp != 0xad && !(cp >= 0x200b && cp <= 0x200f) &&
	    !(cp >= 0x2028 && cp <= 0x202e) &&
	    !(cp >= 0x2060 && cp <= 0x206f) && cp != 0x061c && cp != 0xfeff &&
	    !(cp >= 0xfff0 && cp <= 0xfffb) && (cp & 0xfffe) != 0xfffe &&
	    !(cp >= 0xe0000 && cp <= 0xe0fff);
}

static int
escape(struct buf *dst, char c, char quote)
{
	unsigned char u = (unsigned char)c;
	char code[4] = "\\x";

	if (c == '\\' || (quote != '\0' && c == quote)) {
		code[1] = c;
		return buf_add(dst, code, 2);
	}
	if (quote != '\0' && (c == '\r' || c == '\n' || c == '\t')) {
		code[1] = c == '\r' ? 'r' : c == '\n' ? 'n' : 't';
		return buf_add(dst, code, 2);
	}
	code[2] = hex_lower[u >> 4];
	code[3] = hex_lower[u & 15];
	return buf_add(dst, code, 4);
}

static int
add_clean(struct buf *dst, struct str s, size_t max, bool utf8, char quote)
{
	bool cut = s.n > max;
	uint32_t cp = 0;
	size_t run, n;

	if (cut)
		s.n = max;
	while (s.n > 0) {
		for (run = 0; run < s.n; run++) {
			if (!ch_print(s.p[run]) || s.p[run] == '\\' ||
			    (quote != '\0' && s.p[run] == quote))
				break;
		}
		if (buf_add(dst, s.p, run) != 0)
			return -1;
		s = str_n(s.p + run, s.n - run);
		if (s.n == 0)
			break;
		n = utf8 ? utf8_char(s, &cp) : 0;
		if (n > 1 && shows_itself(cp)) {
			if (buf_add(dst, s.p, n) != 0)
				return -1;
		} else {
			n = 1;
			if (escape(dst, s.p[0], quote) != 0)
				return -1;
		}
		s = str_n(s.p + n, s.n - n);
	}
	return cut ? buf_add_c(dst, "...") : 0;
}
