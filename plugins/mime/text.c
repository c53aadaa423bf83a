#include "text.h"

#include <errno.h>
#include <gmime/gmime.h>
#include <string.h>

enum { TAG_MAX = 12, ENTITY_MAX = 12, PENDING = 16, CHARSET_MAX = 40 };

enum html { SHOWN, TAG_NAME, TAG, QUOTED, COMMENT, ENTITY, RAW, RAW_TAG };

struct text {
	struct look *k;
	GString *out; /* of found->texts; NULL: no more is kept */
	iconv_t cd;   /* (iconv_t)-1: UTF-8, or octets */
	bool started, known, html;
	char pending[PENDING]; /* of a character that is not whole yet */
	size_t npending;
	enum html state;
	char quote;
	char tag[TAG_MAX + 1], raw[TAG_MAX + 1];
	char entity[ENTITY_MAX + 1];
	unsigned ntag, nentity, dashes, nraw;
};

static void
put(struct text *t, gunichar c)
{
	struct found *f = t->k->found;
	char utf8[6];
	int n;

	if (c == 0 || c == '\r' || c == 0xad || c == 0xfeff ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2060 && c <= 0x2064) ||
	    t->out == NULL)
		return;
	if (c == 0xa0)
		c = ' ';
	n = g_unichar_to_utf8(c, utf8);
	if (f->text + (size_t)n > (size_t)t->k->lim->text) {
		f->text_cut = true;
		t->out = NULL;
		return;
	}
	f->text += (size_t)n;
	(void)g_string_append_len(t->out, utf8, n);
}

static void
put_entity(struct text *t)
{
	static const struct { const char *name; gunichar c; } known[] = {
		{ "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' },
		{ "apos", '\'' }, { "nbsp", ' ' }, { "shy", 0xad },
		{ "auml", 0xe4 }, { "ouml", 0xf6 }, { "uuml", 0xfc },
		{ "Auml", 0xc4 }, { "Ouml", 0xd6 }, { "Uuml", 0xdc },
		{ "szlig", 0xdf }, { "eacute", 0xe9 }, { "egrave", 0xe8 },
		{ "agrave", 0xe0 }, { "ccedil", 0xe7 }, { "euro", 0x20ac },
		{ "zwnj", 0x200c }, { "zwj", 0x200d },
	};
	const char *e = t->entity;
	gunichar c;
	size_t i;

	t->entity[t->nentity] = '\0';
	t->nentity = 0;
	t->state = SHOWN;
	if (e[0] == '#') {
		c = (gunichar)(e[1] == 'x' || e[1] == 'X' ?
		    g_ascii_strtoull(e + 2, NULL, 16) :
		    g_ascii_strtoull(e + 1, NULL, 10));
		if (g_unichar_validate(c))
			put(t, c);
		return;
	}
	for (i = 0; i < G_N_ELEMENTS(known); i++) {
		if (strcmp(known[i].name, e) == 0) {
			put(t, known[i].c);
			return;
		}
	}
	put(t, '&');
	for (; *e != '\0'; e++)
		put(t, (unsigned char)*e);
}

/* Tags within a word are not seen by who reads it; blocks and breaks are. */
static bool
inline_tag(const char *tag)
{
	static const char *const list[] = { "a", "b", "i", "u", "s", "em",
		"strong", "span", "font", "big", "small", "tt", "code", "sub",
		"sup", "ins", "del", "wbr", "abbr", "mark", "bdo", "nobr",
		"strike" };
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(list); i++) {
		if (strcmp(list[i], tag) == 0)
			return true;
	}
	return false;
}

static void
tag_ends(struct text *t)
{
	const char *name = t->tag[0] == '/' ? t->tag + 1 : t->tag;

	t->state = SHOWN;
	if (t->tag[0] != '!' && t->tag[0] != '?' && !inline_tag(name))
		put(t, '\n');
	if (strcmp(t->tag, "script") == 0 || strcmp(t->tag, "style") == 0) {
		g_strlcpy(t->raw, name, sizeof(t->raw));
		t->state = RAW;
	}
}

/* In script and style until their own end. */
static void
raw(struct text *t, gunichar c)
{
	if (t->state == RAW) {
		if (c == '<') {
			t->state = RAW_TAG;
			t->nraw = 0;
		}
		return;
	}
	if (c == '<') {
		t->nraw = 0;
		return;
	}
	if (t->nraw == 0 && c == '/') {
		t->nraw = 1;
		return;
	}
	if (t->nraw > 0 && t->raw[t->nraw - 1] != '\0' &&
	    (gunichar)t->raw[t->nraw - 1] == g_unichar_tolower(c)) {
		t->nraw++;
		return;
	}
	t->state = RAW;
	if (t->nraw == 0 || t->raw[t->nraw - 1] != '\0')
		return;
	t->state = c == '>' ? SHOWN : TAG;
	t->tag[0] = '!';
	t->tag[1] = '\0';
}

static void
in_tag_name(struct text *t, gunichar c)
{
	if (t->ntag == 0 && !g_unichar_isalpha(c) && c != '/' && c != '!' &&
	    c != '?') {
		t->state = SHOWN;
		put(t, '<');
		if (c == '<')
			t->state = TAG_NAME;
		else
			put(t, c);
		return;
	}
	if (c == '>' || g_unichar_isspace(c) ||
	    (c == '/' && t->ntag > 0)) {
		t->tag[t->ntag] = '\0';
		t->state = TAG;
		if (c == '>')
			tag_ends(t);
		return;
	}
	if (t->ntag < TAG_MAX)
		t->tag[t->ntag++] = c < 0x80 ?
		    g_ascii_tolower((gchar)c) : '?';
	if (t->ntag == 3 && memcmp(t->tag, "!--", 3) == 0) {
		t->state = COMMENT;
		t->dashes = 2;
	}
}

static void
html(struct text *t, gunichar c)
{
	switch (t->state) {
	case SHOWN:
		if (c == '<') {
			t->state = TAG_NAME;
			t->ntag = 0;
		} else if (c == '&') {
			t->state = ENTITY;
			t->nentity = 0;
		} else {
			put(t, c);
		}
		return;
	case ENTITY:
		if (t->nentity < ENTITY_MAX && c < 0x80 &&
		    (g_ascii_isalnum((gchar)c) ||
		    (c == '#' && t->nentity == 0))) {
			t->entity[t->nentity++] = (char)c;
			return;
		}
		put_entity(t);
		if (c != ';')
			html(t, c);
		return;
	case TAG_NAME:
		in_tag_name(t, c);
		return;
	case TAG:
		if (c == '>')
			tag_ends(t);
		else if (c == '"' || c == '\'') {
			t->quote = (char)c;
			t->state = QUOTED;
		}
		return;
	case QUOTED:
		if (c == (gunichar)t->quote)
			t->state = TAG;
		return;
	case COMMENT:
		if (c == '>' && t->dashes >= 2)
			t->state = SHOWN;
		else
			t->dashes = c == '-' ? t->dashes + 1 : 0;
		return;
	case RAW:
	case RAW_TAG:
		raw(t, c);
		return;
	}
}

static void
shown(struct text *t, gunichar c)
{
	if (t->html)
		html(t, c);
	else
		put(t, c);
}

/* UTF-8, and what is not is one character an octet. Keeps what may become a
 * whole character. */
static void
octets(struct text *t, const char *p, size_t n, bool last)
{
	const char *end = p + n;
	gunichar c;

	while (p < end) {
		if ((unsigned char)*p < 0x80) {
			shown(t, (unsigned char)*p++);
			continue;
		}
		c = g_utf8_get_char_validated(p, end - p);
		if (c == (gunichar)-2 && !last && end - p < 6) {
			t->npending = (size_t)(end - p);
			memcpy(t->pending, p, t->npending);
			return;
		}
		if (c == (gunichar)-1 || c == (gunichar)-2) {
			shown(t, (unsigned char)*p++);
			continue;
		}
		shown(t, c);
		p = g_utf8_next_char(p);
	}
}

static void
converted(struct text *t, const char *p, size_t n, bool last)
{
	char out[4096], *to, *from = (char *)(uintptr_t)p;
	size_t room, r;

	for (;;) {
		const char *q;

		to = out;
		room = sizeof(out);
		r = iconv(t->cd, &from, &n, &to, &room);
		for (q = out; q < to; q = g_utf8_next_char(q))
			shown(t, g_utf8_get_char(q));
		if (r != (size_t)-1 || (errno == EINVAL && n < PENDING))
			break;
		if (errno == E2BIG && to > out)
			continue;
		if (n == 0)
			break;
		/* Not of that set: as if it were alone. */
		shown(t, (unsigned char)*from);
		from++;
		n--;
	}
	if (!last) {
		memcpy(t->pending, from, n);
		t->npending = n;
		return;
	}
	for (; n > 0; n--)
		shown(t, (unsigned char)*from++);
}

static void
feed(struct text *t, const char *p, size_t n, bool last)
{
	if (t->cd != (iconv_t)-1)
		converted(t, p, n, last);
	else
		octets(t, p, n, last);
}

/* Names that strangers choose: those of character sets, and nothing that has a
 * meaning to iconv_open() besides. */
static iconv_t
converter(const char *charset)
{
	static const char *const plain[] = { "utf-8", "utf8", "us-ascii",
		"ascii", "ansi_x3.4-1968", "iso-2022-cn-ext" };
	size_t i;

	for (i = 0; charset[i] != '\0'; i++) {
		if (i >= CHARSET_MAX || (!g_ascii_isalnum(charset[i]) &&
		    strchr("._:-", charset[i]) == NULL))
			return (iconv_t)-1;
	}
	for (i = 0; i < G_N_ELEMENTS(plain); i++) {
		if (g_ascii_strcasecmp(plain[i], charset) == 0)
			return (iconv_t)-1;
	}
	return i == 0 ? (iconv_t)-1 :
	    g_mime_iconv_open("UTF-8", charset);
}

struct text *
text_new(struct look *k, const char *charset, bool is_html)
{
	struct text *t = g_new0(struct text, 1);

	t->k = k;
	t->html = is_html;
	t->cd = (iconv_t)-1;
	t->known = charset != NULL && charset[0] != '\0';
	if (t->known)
		t->cd = converter(charset);
	t->out = g_string_new(NULL);
	g_ptr_array_add(k->found->texts, t->out);
	return t;
}

/* What has no character set may say so by its first two octets. */
static void
start(struct text *t, const char *p, size_t n)
{
	t->started = true;
	if (t->known || n < 2)
		return;
	if (memcmp(p, "\xff\xfe", 2) == 0)
		t->cd = g_mime_iconv_open("UTF-8", "UTF-16LE");
	else if (memcmp(p, "\xfe\xff", 2) == 0)
		t->cd = g_mime_iconv_open("UTF-8", "UTF-16BE");
}

void
text_feed(struct text *t, const char *p, size_t n)
{
	char joined[PENDING + 64];
	size_t some;

	if (n == 0 || t->out == NULL)
		return;
	if (!t->started)
		start(t, p, n);
	while (t->npending > 0 && n > 0) {
		some = n < 64 ? n : 64;
		memcpy(joined, t->pending, t->npending);
		memcpy(joined + t->npending, p, some);
		p += some;
		n -= some;
		some += t->npending;
		t->npending = 0;
		feed(t, joined, some, false);
	}
	if (n > 0)
		feed(t, p, n, false);
}

void
text_end(struct text *t)
{
	if (t == NULL)
		return;
	if (t->npending > 0) {
		char rest[PENDING];
		size_t n = t->npending;

		memcpy(rest, t->pending, n);
		t->npending = 0;
		feed(t, rest, n, true);
	}
	if (t->state == ENTITY)
		put_entity(t);
	if (t->cd != (iconv_t)-1)
		(void)g_mime_iconv_close(t->cd);
	g_free(t);
}
