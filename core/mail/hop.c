#include "mail/hop.h"

#include <string.h>

#include "mail/date.h"
#include "mail/header.h"

enum clause {
	C_NONE,
	C_FROM,
	C_BY,
	C_WITH,
	C_VIA,
	C_ID,
	C_FOR,
	C_TLS,
	C_COUNT
};

static size_t token(struct str s);
static bool blank(char c);
static bool is_comment(struct str s);
static enum clause clause_of(struct str word);
static void take_word(struct hop *h, enum clause c, struct str word);
static void take_comment(struct hop *h, enum clause c, struct str text);
static void look_for_tls(struct hop *h, struct str text);
static bool version_of(struct str word, struct str *version_r);
static void take_version(struct hop *h, struct str version, struct str rest);
static struct str version_form(struct pool *pool, struct str version);
static bool cipher_like(struct str word);
static void assignments(struct hop *h, struct str text);
static void slashes(struct hop *h, struct str with);
static void judge(struct hop *h);
static struct str clean_edges(struct str s);

void
hop_parse(struct pool *pool, struct str value, struct hop *h_r)
{
	struct str text = header_unfold(pool, value), rest = text, piece;
	struct hop h = { .tls = HOP_UNKNOWN };
	enum clause at = C_NONE, next;
	size_t n, date = text.n;

	while (rest.n > 0) {
		if (rest.p[0] == ';')
			date = text.n - rest.n;
		n = token(rest);
		piece = str_n(rest.p, n);
		rest = str_n(rest.p + n, rest.n - n);
		if (blank(piece.p[0]) || piece.p[0] == ';')
			continue;
		if (is_comment(piece)) {
			take_comment(&h, at, str_n(piece.p + 1, piece.n - 2));
			continue;
		}
		if (date < text.n)
			continue;
		next = clause_of(piece);
		if (next != C_NONE)
			at = next;
		else
			take_word(&h, at, piece);
	}
	if (date < text.n)
		h.dated = date_parse(str_n(text.p + date + 1,
		    text.n - date - 1), &h.when) == 0;
	judge(&h);
	h.version = version_form(pool, h.version);
	*h_r = h;
}

const char *
hop_tls_word(enum hop_tls tls)
{
	static const char *const words[] = { "unknown", "clear", "encrypted",
		"local" };

	return words[tls];
}

/* A comment, a run of blanks, a semicolon or a word; at least one octet. */
static size_t
token(struct str s)
{
	unsigned depth = 0;
	bool quoted = false;
	size_t i;

	if (s.p[0] == ';')
		return 1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && (quoted || depth > 0)) {
			i++;
		} else if (quoted) {
			quoted = s.p[i] != '"';
		} else if (s.p[i] == '(') {
			if (depth == 0 && i > 0)
				return i;
			depth++;
		} else if (depth > 0) {
			if (s.p[i] == ')' && --depth == 0)
				return i + 1;
		} else if (s.p[i] == '"') {
			quoted = true;
		} else if (s.p[i] == ';') {
			return i;
		} else if (blank(s.p[i]) != blank(s.p[0])) {
			return i;
		}
	}
	return s.n;
}

static bool
blank(char c)
{
	return (unsigned char)c <= ' ';
}

/* One without an end is a word like any other. */
static bool
is_comment(struct str s)
{
	return s.n >= 2 && s.p[0] == '(' && s.p[s.n - 1] == ')';
}

static enum clause
clause_of(struct str word)
{
	static const char *const words[C_COUNT] = { [C_FROM] = "from",
		[C_BY] = "by", [C_WITH] = "with", [C_VIA] = "via",
		[C_ID] = "id", [C_FOR] = "for", [C_TLS] = "tls" };
	enum clause c;

	for (c = C_FROM; c < C_COUNT; c++) {
		if (str_ieq_c(word, words[c]))
			return c;
	}
	return C_NONE;
}

/* The first word of a clause is its value; "with" has all of them, as in
 * "with Microsoft SMTP Server". */
static void
take_word(struct hop *h, enum clause c, struct str word)
{
	struct str *dst = NULL;

	switch (c) {
	case C_FROM:
		dst = &h->from;
		break;
	case C_BY:
		dst = &h->by;
		break;
	case C_ID:
		dst = &h->id;
		break;
	case C_WITH:
		if (h->with.n > 0 && word.p >= h->with.p + h->with.n &&
		    memchr(h->with.p, '(', (size_t)(word.p - h->with.p)) ==
		    NULL)
			h->with.n = (size_t)(word.p + word.n - h->with.p);
		dst = &h->with;
		break;
	case C_TLS:
		if (h->cipher.n == 0 && cipher_like(word))
			h->cipher = clean_edges(word);
		return;
	case C_NONE:
	case C_VIA:
	case C_FOR:
	case C_COUNT:
		return;
	}
	if (dst->n == 0)
		*dst = word;
}

static void
take_comment(struct hop *h, enum clause c, struct str text)
{
	if (c == C_FROM && h->from_info.n == 0 && h->by.n == 0 &&
	    !str_istarts(text, "using "))
		h->from_info = text;
	/* What the client said of itself (HELO, ident) is no testimony. */
	if (c != C_FROM || str_istarts(text, "using ") ||
	    str_istarts(text, "version="))
		look_for_tls(h, text);
}

/*
 * "using TLSv1.3 with cipher X (256/256 bits)", "TLS1.3", "TLSv1.2:X:256",
 * "version=TLS1_3, cipher=X, bits=256/256", "X encrypted", "TLS".
 */
static void
look_for_tls(struct hop *h, struct str text)
{
	struct str rest = text, word, version, before = STR_NULL;

	if (h->version.n > 0 && h->cipher.n > 0)
		return;
	while (str_word(&rest, &word)) {
		if (memchr(word.p, '=', word.n) != NULL) {
			assignments(h, word);
		} else if (version_of(word, &version)) {
			take_version(h, version, str_n(version.p + version.n,
			    word.n - (size_t)(version.p + version.n - word.p)));
		} else if (str_ieq_c(before, "cipher") && h->cipher.n == 0 &&
		    h->version.n > 0) {
			h->cipher = clean_edges(word);
		} else if (str_ieq_c(word, "encrypted") && before.n > 0 &&
		    cipher_like(before) && h->cipher.n == 0) {
			h->cipher = clean_edges(before);
		} else if (str_istarts(word, "bits") && h->bits.n == 0 &&
		    h->cipher.n > 0 && before.n > 0) {
			before = clean_edges(before);
			if (before.n > 0 && ch_digit(before.p[0]))
				h->bits = before;
		}
		before = word;
	}
	/* Older Exchange: "Microsoft SMTP Server (TLS)". */
	if (str_ieq_c(text, "TLS") && h->version.n == 0)
		h->version = text;
}

/* "TLSv1.3", "TLS1.2", "TLS1_3", "SSLv3", perhaps with ":…" behind it. */
static bool
version_of(struct str word, struct str *version_r)
{
	struct str v = clean_edges(word);
	size_t i;

	if (!str_istarts(v, "TLS") && !str_istarts(v, "SSL"))
		return false;
	i = 3;
	if (i < v.n && (v.p[i] == 'v' || v.p[i] == 'V'))
		i++;
	if (i >= v.n || !ch_digit(v.p[i]))
		return false;
	while (i < v.n && (ch_digit(v.p[i]) || v.p[i] == '.' || v.p[i] == '_'))
		i++;
	if (i < v.n && v.p[i] != ':')
		return false;
	*version_r = str_n(v.p, i);
	return true;
}

/* rest: ":cipher:bits" and more, or nothing. */
static void
take_version(struct hop *h, struct str version, struct str rest)
{
	struct str piece;

	if (h->version.n > 0)
		return;
	h->version = version;
	(void)str_split(&rest, ':', &piece);
	if (!str_split(&rest, ':', &piece) || !cipher_like(piece))
		return;
	h->cipher = clean_edges(piece);
	if (str_split(&rest, ':', &piece) && piece.n > 0 &&
	    ch_digit(piece.p[0]))
		h->bits = clean_edges(piece);
}

/* "TLS1_3" and "TLS1.3" are TLSv1.3. */
static struct str
version_form(struct pool *pool, struct str version)
{
	char *p;
	size_t i;

	if (version.n < 4 || !ch_digit(version.p[version.n - 1]))
		return version;
	i = ch_digit(version.p[3]) ? 3 : 4;
	p = pool_printf(pool, "%sv%.*s", ch_lower(version.p[0]) == 't' ?
	    "TLS" : "SSL", STR_FMT(str_n(version.p + i, version.n - i)));
	for (i = 0; p[i] != '\0'; i++) {
		if (p[i] == '_')
			p[i] = '.';
	}
	return str_c(p);
}

static bool
cipher_like(struct str word)
{
	size_t i;

	word = clean_edges(word);
	if (word.n < 3 || !ch_alpha(word.p[0]))
		return false;
	for (i = 0; i < word.n; i++) {
		if (!ch_alnum(word.p[i]) && word.p[i] != '-' &&
		    word.p[i] != '_' && word.p[i] != '.' && word.p[i] != '+')
			return false;
	}
	return true;
}

/* "version=TLS1_2," */
static void
assignments(struct hop *h, struct str text)
{
	size_t eq = str_find(text, '=');
	struct str name = clean_edges(str_n(text.p, eq)), value, version;

	value = clean_edges(str_n(text.p + eq + 1, text.n - eq - 1));
	if (str_ieq_c(name, "version") && h->version.n == 0 &&
	    version_of(value, &version))
		h->version = version;
	else if (str_ieq_c(name, "cipher") && h->cipher.n == 0 &&
	    cipher_like(value))
		h->cipher = value;
	else if (str_ieq_c(name, "bits") && h->bits.n == 0 && value.n > 0 &&
	    ch_digit(value.p[0]))
		h->bits = value;
}

/* Cisco: "ESMTP/TLS/DHE-RSA-AES256-SHA". */
static void
slashes(struct hop *h, struct str with)
{
	struct str piece;
	bool tls = false;

	while (str_split(&with, '/', &piece)) {
		if (tls && h->cipher.n == 0 && cipher_like(piece))
			h->cipher = clean_edges(piece);
		tls = tls || str_ieq_c(piece, "TLS") ||
		    str_ieq_c(piece, "SSL");
	}
	if (tls && h->version.n == 0)
		h->version = STR("TLS");
}

/*
 * A word of RFC 3848 or 6531 with an S means TLS, without it: none, unless a
 * comment has the proof: many servers say ESMTP whatever happened.
 */
static void
judge(struct hop *h)
{
	static const char *const encrypted[] = { "ESMTPS", "ESMTPSA", "LMTPS",
		"LMTPSA", "SMTPS", "SMTPSA", "UTF8SMTPS", "UTF8SMTPSA",
		"UTF8LMTPS", "UTF8LMTPSA", "HTTPS", "ASMTPS" };
	static const char *const clear[] = { "SMTP", "ESMTP", "ESMTPA", "LMTP",
		"LMTPA", "SMTPA", "UTF8SMTP", "UTF8SMTPA", "UTF8LMTP",
		"UTF8LMTPA", "HTTP", "ASMTP" };
	struct str rest, word;
	unsigned i;

	slashes(h, h->with);
	if (h->version.n > 0 || h->cipher.n > 0) {
		h->tls = HOP_ENCRYPTED;
		return;
	}
	if (h->from.n == 0 || str_ieq_c(h->with, "local")) {
		h->tls = HOP_LOCAL;
		if (h->from.n == 0 && h->by.n == 0)
			h->tls = HOP_UNKNOWN;
	}
	rest = h->with;
	while (str_word(&rest, &word)) {
		for (i = 0; i < sizeof(encrypted) / sizeof(encrypted[0]); i++) {
			if (str_ieq_c(word, encrypted[i]))
				h->tls = HOP_ENCRYPTED;
		}
		for (i = 0; i < sizeof(clear) / sizeof(clear[0]); i++) {
			if (h->tls == HOP_UNKNOWN && str_ieq_c(word, clear[i]))
				h->tls = HOP_CLEAR;
		}
	}
}

static struct str
clean_edges(struct str s)
{
	while (s.n > 0 && strchr(" ,;:()[]<>\"", s.p[0]) != NULL) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && strchr(" ,;:()[]<>\"", s.p[s.n - 1]) != NULL)
		s.n--;
	return s;
}
