#include "script.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"

#define WORDS_MAX 210
#define MATCH_STEPS 1000000

struct regex {
	pcre2_code *code;
	pcre2_match_context *context;
};

struct word_row {
	const char *word;
	unsigned min, max;
	bool step;
	const char *usage;
};

static const struct word_row rows[] = {
#define WORD(id, word, min, max, step, usage) { word, min, max, step, usage },
#include "words.h"
#undef WORD
};

static const char *const verdicts[] = {
	[PST_CONTINUE] = "continue", [PST_ACCEPT] = "accept",
	[PST_REJECT] = "reject", [PST_TEMPFAIL] = "tempfail",
	[PST_DISCARD] = "discard", [PST_QUARANTINE] = "quarantine",
	[PST_DISCONNECT] = "disconnect",
};
#define NVERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

/* One line under the knife. */
struct line {
	struct pool *pool;
	const struct outside *outside;
	struct str rest;
	bool regexes; /* a word that begins with '/' is one */
	struct script_word word[WORDS_MAX];
	unsigned n;
	struct err *why;
};

static int	parse_line(struct stmt *s, struct line *l);
static int	parse_header(struct stmt *s, struct line *l);
static int	next_word(struct line *l, struct script_word *w, bool *got_r);
static int	read_regex(struct line *l, struct script_word *w);
static int	read_quoted(struct line *l, struct buf *dst);
static bool	add_outside(struct line *l, struct buf *text);
static void	cut_key(struct line *l, struct script_word *w);
static int	read_want(struct stmt *s, struct line *l, unsigned at);
static int	find_row(struct str word, enum word_id *id_r);
static int	parse_lines(struct script *s, struct line *l, struct str text);

int
script_parse(struct script *s_r, struct pool *pool, const char *file,
    const struct outside *outside, struct str text, struct err *why)
{
	struct line *l = POOL_NEW(pool, struct line);

	*s_r = (struct script){ .file = pool_strdup(pool, file),
		.outside = outside, .pool = pool };
	l->pool = pool;
	l->outside = outside;
	l->why = why;
	if (text.n > SCRIPT_MAX)
		return err_text(why, "%s: above %d octets", file, SCRIPT_MAX);
	if (memchr(text.p != NULL ? text.p : "", '\0', text.n) != NULL)
		return err_text(why, "%s: is not text", file);
	return parse_lines(s_r, l, text);
}

static int
parse_lines(struct script *s, struct line *l, struct str text)
{
	const struct stmt **tail = &s->first;
	struct stmt *new;
	struct str piece;
	int number = 0;

	while (str_split(&text, '\n', &piece)) {
		number++;
		piece = str_trim(piece);
		if (piece.n > 0 && piece.p[piece.n - 1] == '\r')
			piece = str_trim(str_n(piece.p, piece.n - 1));
		if (piece.n == 0 || piece.p[0] == '#')
			continue;
		new = POOL_NEW(l->pool, struct stmt);
		new->line = number;
		new->text = pool_strndup(l->pool, piece.p, piece.n);
		l->rest = str_c(new->text);
		l->n = 0;
		if (piece.n > SCRIPT_LINE_MAX)
			(void)err_text(l->why, "the line is too long");
		if (piece.n > SCRIPT_LINE_MAX || parse_line(new, l) < 0)
			return err_prefix(l->why, "%s:%d: ", s->file, number);
		s->chaos = s->chaos || new->id == WORD_CHAOS;
		*tail = new;
		tail = (const struct stmt **)&new->next;
	}
	return 0;
}

static int
parse_line(struct stmt *s, struct line *l)
{
	const struct word_row *row;
	unsigned arrow = UINT32_MAX;
	struct script_word w;
	struct str first;
	bool got;

	(void)str_word(&l->rest, &first);
	if (find_row(first, &s->id) < 0)
		return err_text(l->why, "no statement is called \"%.*s\"",
		    STR_FMT(first));
	if (s->id == WORD_HEADER)
		return parse_header(s, l);
	row = &rows[s->id];
	l->regexes = s->id == WORD_EXPECT;
	for (;;) {
		if (next_word(l, &w, &got) < 0)
			return -1;
		if (!got)
			break;
		if (l->n == WORDS_MAX)
			return err_text(l->why, "too many words");
		if (!w.quoted && row->step && strcmp(w.s, "->") == 0) {
			arrow = l->n;
			l->regexes = true;
			continue;
		}
		if (!w.quoted && strcmp(w.s, "~") == 0)
			l->regexes = true;
		l->word[l->n++] = w;
	}
	s->n = arrow < l->n ? arrow : l->n;
	if (s->n < row->min || s->n > row->max)
		return err_text(l->why, "usage: %s", row->usage);
	if (arrow != UINT32_MAX && read_want(s, l, arrow) < 0)
		return -1;
	s->word = pool_dup(l->pool, l->word,
	    (s->n > 0 ? s->n : 1) * sizeof(l->word[0]));
	return 0;
}

/* All behind the colon is the value, quotes and arrows included. */
static int
parse_header(struct stmt *s, struct line *l)
{
	struct str rest = str_trim(l->rest);
	struct script_word *w = pool_alloc(l->pool, 2 * sizeof(*w));
	size_t colon = str_find(rest, ':');

	if (colon == 0 || colon == rest.n)
		return err_text(l->why, "usage: %s", rows[WORD_HEADER].usage);
	w[0].s = pool_strndup(l->pool, rest.p, colon);
	rest = str_trim(str_n(rest.p + colon + 1, rest.n - colon - 1));
	w[1].s = pool_strndup(l->pool, rest.p, rest.n);
	s->word = w;
	s->n = 2;
	return 0;
}

static int
next_word(struct line *l, struct script_word *w, bool *got_r)
{
	struct buf text;
	int rc = 0;

	*w = (struct script_word){ 0 };
	while (l->rest.n > 0 && (l->rest.p[0] == ' ' || l->rest.p[0] == '\t'))
		l->rest = str_n(l->rest.p + 1, l->rest.n - 1);
	*got_r = l->rest.n > 0 && l->rest.p[0] != '#';
	if (!*got_r)
		return 0;
	if (l->regexes && l->rest.p[0] == '/')
		return read_regex(l, w);
	buf_init(&text, SCRIPT_LINE_MAX);
	while (rc == 0 && l->rest.n > 0 && l->rest.p[0] != ' ' &&
	    l->rest.p[0] != '\t') {
		if (l->rest.p[0] == '"') {
			w->quoted = true;
			rc = read_quoted(l, &text);
			continue;
		}
		if (l->rest.p[0] == '=' && w->key == NULL && !w->quoted &&
		    buf_len(&text) > 0)
			w->key = pool_strdup(l->pool, buf_p(&text));
		if (add_outside(l, &text))
			continue;
		(void)buf_add_char(&text, l->rest.p[0]);
		l->rest = str_n(l->rest.p + 1, l->rest.n - 1);
	}
	if (rc == 0 && memchr(buf_p(&text), '\0', buf_len(&text)) != NULL)
		rc = err_text(l->why, "\\x00 cannot be said");
	if (rc == 0) {
		w->s = pool_strdup(l->pool, buf_p(&text));
		cut_key(l, w);
	}
	buf_fini(&text);
	return rc;
}

/* "%/" and "%" alone or with a port, where a word, a value or an item of a
 * list begins. True: it was one, and it was added. */
static bool
add_outside(struct line *l, struct buf *text)
{
	struct str so_far = buf_str(text);
	char last = so_far.n > 0 ? so_far.p[so_far.n - 1] : '=';
	char next = l->rest.n > 1 ? l->rest.p[1] : ' ';

	if (l->rest.p[0] != '%' || strchr("={,:", last) == NULL ||
	    strchr("/: \t,}", next) == NULL)
		return false;
	(void)buf_add_c(text, next == '/' ? l->outside->folder :
					    l->outside->ip);
	l->rest = str_n(l->rest.p + 1, l->rest.n - 1);
	return true;
}

/* "a=b", but neither "=" nor an address or URL with a '=' in it. */
static void
cut_key(struct line *l, struct script_word *w)
{
	const char *p;

	(void)l;
	if (w->key == NULL)
		return;
	for (p = w->key; *p != '\0'; p++) {
		if (!ch_alnum(*p) && *p != '_' && *p != '.' && *p != '-') {
			w->key = NULL;
			return;
		}
	}
	w->value = w->s + strlen(w->key) + 1;
}

/* rest begins with the quote. */
static int
read_quoted(struct line *l, struct buf *dst)
{
	static const char from[] = "nrt\"\\", to[] = "\n\r\t\"\\";
	static const char hex[] = "0123456789abcdef";
	const char *p = l->rest.p + 1, *end = l->rest.p + l->rest.n;
	const char *at, *low;

	for (; p < end && *p != '"'; p++) {
		if (*p != '\\') {
			(void)buf_add_char(dst, *p);
			continue;
		}
		if (++p == end)
			break;
		at = strchr(from, *p);
		if (at != NULL && *p != '\0') {
			(void)buf_add_char(dst, to[at - from]);
			continue;
		}
		if (*p != 'x' || end - p < 3 || p[1] == '\0' || p[2] == '\0' ||
		    (at = strchr(hex, ch_lower(p[1]))) == NULL ||
		    (low = strchr(hex, ch_lower(p[2]))) == NULL)
			return err_text(l->why,
			    "\\%c means nothing in quotes", *p);
		(void)buf_add_char(dst, (char)((at - hex) * 16 + (low - hex)));
		p += 2;
	}
	if (p >= end)
		return err_text(l->why, "the quotes are not closed");
	l->rest = str_n(p + 1, (size_t)(end - p - 1));
	return 0;
}

static void
free_regex(void *arg)
{
	struct regex *r = arg;

	pcre2_code_free(r->code);
	pcre2_match_context_free(r->context);
}

/* Up to the '/' that ends a word; "\/" is one within. */
static int
read_regex(struct line *l, struct script_word *w)
{
	const char *p = l->rest.p + 1, *end = l->rest.p + l->rest.n;
	struct regex *r;
	PCRE2_SIZE off;
	int code;

	while (p < end && !(*p == '/' &&
	    (p + 1 == end || p[1] == ' ' || p[1] == '\t')))
		p += *p == '\\' && p + 1 < end ? 2 : 1;
	if (p >= end)
		return err_text(l->why, "the expression has no / at its end");
	w->s = pool_strndup(l->pool, l->rest.p + 1,
	    (size_t)(p - l->rest.p - 1));
	l->rest = str_n(p + 1, (size_t)(end - p - 1));
	if (strlen(w->s) > SCRIPT_REGEX_MAX)
		return err_text(l->why, "the expression is too long");
	r = POOL_NEW(l->pool, struct regex);
	r->code = pcre2_compile((PCRE2_SPTR)w->s, PCRE2_ZERO_TERMINATED,
	    PCRE2_MULTILINE, &code, &off, NULL);
	if (r->code == NULL) {
		PCRE2_UCHAR text[200];

		(void)pcre2_get_error_message(code, text, sizeof(text));
		return err_text(l->why, "/%s/: %s", w->s, (char *)text);
	}
	r->context = pcre2_match_context_create(NULL);
	ASSERT(r->context != NULL);
	(void)pcre2_set_match_limit(r->context, MATCH_STEPS);
	pool_defer(l->pool, free_regex, r);
	w->regex = r;
	return 0;
}

bool
regex_in(const struct regex *r, struct str text)
{
	pcre2_match_data *m;
	int rc;

	m = pcre2_match_data_create_from_pattern(r->code, NULL);
	ASSERT(m != NULL);
	rc = pcre2_match(r->code, (PCRE2_SPTR)(text.p != NULL ? text.p : ""),
	    text.n, 0, 0, m, r->context);
	pcre2_match_data_free(m);
	return rc >= 0;
}

/* [never] VERDICT [CODE] [X.Y.Z] [/REGEX/ | TEXT] from word `at` on. */
static int
read_want(struct stmt *s, struct line *l, unsigned at)
{
	struct script_want *want = &s->want;
	const struct script_word *w;
	uint64_t code;
	size_t i;

	want->given = true;
	if (at < l->n && strcmp(l->word[at].s, "never") == 0) {
		want->never = true;
		at++;
	}
	for (i = 0; at < l->n && i < NVERDICTS; i++) {
		if (strcmp(l->word[at].s, verdicts[i]) == 0)
			break;
	}
	if (at >= l->n || i == NVERDICTS)
		return err_text(l->why, "behind \"->\" stands one of continue, "
		    "accept, reject, tempfail, discard, quarantine, "
		    "disconnect%s%s", at < l->n ? ", not " : "",
		    at < l->n ? l->word[at].s : "");
	if (want->never != (s->id == WORD_CHAOS))
		return err_text(l->why, "\"never\" goes with chaos alone");
	want->verdict = (enum pst_verdict)i;
	for (at++; at < l->n; at++) {
		w = &l->word[at];
		if (w->regex == NULL && !w->quoted && want->code == 0 &&
		    num_u64(str_c(w->s), 599, &code) == 0)
			want->code = (int)code;
		else if (w->regex == NULL && !w->quoted &&
		    want->enhanced == NULL && ch_digit(w->s[0]))
			want->enhanced = w->s;
		else if (want->text == NULL && (w->regex != NULL || w->quoted))
			want->text = pool_dup(l->pool, w, sizeof(*w));
		else
			return err_text(l->why, "what is \"%s\"? A verdict is "
			    "followed by CODE, X.Y.Z and /REGEX/", w->s);
	}
	return 0;
}

static int
find_row(struct str word, enum word_id *id_r)
{
	unsigned i;

	for (i = 0; i < WORD_COUNT; i++) {
		if (str_eq_c(word, rows[i].word)) {
			*id_r = (enum word_id)i;
			return 0;
		}
	}
	return -1;
}

const struct stmt *
script_last_plugin(const struct script *script)
{
	const struct stmt *s, *last = NULL;

	for (s = script->first; s != NULL; s = s->next) {
		if (s->id == WORD_PLUGIN)
			last = s;
	}
	return last;
}

const char *
script_usage(enum word_id id)
{
	ASSERT(id < WORD_COUNT);
	return rows[id].usage;
}

const char *
script_id(enum word_id id)
{
	ASSERT(id < WORD_COUNT);
	return rows[id].word;
}

const char *
script_verdict(enum pst_verdict v)
{
	return (size_t)v < NVERDICTS ? verdicts[v] : "?";
}

const char *
stmt_key(const struct stmt *s, const char *key)
{
	unsigned i;

	for (i = 0; i < s->n; i++) {
		if (s->word[i].key != NULL && strcmp(s->word[i].key, key) == 0)
			return s->word[i].value;
	}
	return NULL;
}
