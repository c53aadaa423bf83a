#include <stdlib.h>
#include <string.h>

#include "tls/tlswant_priv.h"

enum { TLS12 = 0x0303 };

/* Words of a list of ciphers or groups that is being met with another. */
struct words {
	struct str *v;
	size_t n;
};

static void max_attrs(struct tlswant *r, const struct tlswant *a,
    const struct tlswant *b, struct pool *pool);
static bool max_match(struct tlswant *r, const struct tlswant *a,
    const struct tlswant *b, struct pool *pool);
static unsigned strictness(enum tlswant_match m);
static const char *const *meet_names(
    const char *const *a, const char *const *b, struct pool *pool);
static const char *meet_name(const char *a, const char *b);
static bool below(const char *name, const char *dotted);
static uint16_t max_version(uint16_t a, uint16_t b, enum tlswant_level level);
static const char *
meet_words(const char *a, const char *b, struct pool *pool);
static void add_words(struct words *w, struct str list, struct str other,
    bool excluded);
static bool has_word(struct str list, struct str word);
static msec earlier(msec a, msec b);
static size_t count(const char *const *v);
static int compare_names(const void *a, const void *b);
static int compare_words(const void *a, const void *b);

void
tlswant_max(struct tlswant *r_r, const struct tlswant *a,
    const struct tlswant *b, struct pool *pool)
{
	struct tlswant r = a->level >= b->level ? *a : *b;

	if (a->level == b->level)
		max_attrs(&r, a, b, pool);
	r.min_version = max_version(a->min_version, b->min_version, r.level);
	r.requiretls = a->requiretls || b->requiretls;
	r.deadline = earlier(a->deadline, b->deadline);
	r.warn_after = earlier(a->warn_after, b->warn_after);
	*r_r = r;
}

int
tlswant_raise(struct pool *pool, const char *is, const char *more,
    size_t most, const char **want_r, struct err *why)
{
	struct tlswant a, b, both;
	struct buf text;
	int r = 0;

	if (tlswant_read(&b, str_c(more), pool, why) < 0)
		return -1;
	both = b;
	if (is != NULL && is[0] != '\0') {
		if (tlswant_read(&a, str_c(is), pool, why) < 0)
			return -1;
		tlswant_max(&both, &a, &b, pool);
	}
	buf_init(&text, most);
	tlswant_write(&both, &text);
	if (buf_full(&text))
		r = err_text(why, "it would be longer than %zu octets", most);
	else
		*want_r = pool_str(pool, buf_str(&text)).p;
	buf_fini(&text);
	return r;
}

const char *const *
tlswant_names(const char *const *names, struct pool *pool)
{
	size_t n = count(names), kept = 0, i, j;
	const char **v = pool_dup(pool, names, (n + 1) * sizeof(*v));

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			if (below(names[i], names[j]) ||
			    (j < i && strcmp(names[i], names[j]) == 0))
				break;
		}
		if (j == n)
			v[kept++] = names[i];
	}
	v[kept] = NULL;
	qsort(v, kept, sizeof(*v), compare_names);
	return v;
}

bool
tlswant_impossible(const struct tlswant *w)
{
	struct tlspin none = tlspin_impossible();
	unsigned i;

	for (i = 0; i < w->npin; i++) {
		if (memcmp(&w->pin[i], &none, sizeof(none)) == 0)
			return tlswant_verifies(w->level);
	}
	return false;
}

void
tlswant_despair(struct tlswant *w, struct pool *pool)
{
	struct tlspin none = tlspin_impossible();

	w->match = TLSWANT_MATCH_MX;
	w->names = NULL;
	w->ca = NULL;
	w->pin = pool_dup(pool, &none, sizeof(none));
	w->npin = 1;
}

/* Of equal levels. */
static void
max_attrs(struct tlswant *r, const struct tlswant *a, const struct tlswant *b,
    struct pool *pool)
{
	bool possible;

	r->ciphers = meet_words(a->ciphers, b->ciphers, pool);
	r->groups = meet_words(a->groups, b->groups, pool);
	if (!tlswant_verifies(r->level))
		return;
	possible = max_match(r, a, b, pool) && !tlswant_impossible(a) &&
		   !tlswant_impossible(b) &&
		   (a->ca == NULL || b->ca == NULL ||
		       strcmp(a->ca, b->ca) == 0);
	r->ca = a->ca != NULL ? a->ca : b->ca;
	r->pin = tlspin_meet(
	    a->pin, a->npin, b->pin, b->npin, &r->npin, pool);
	if (!possible || tlswant_impossible(r))
		tlswant_despair(r, pool);
}

/* False: no name is for both. The stricter brings its names along. */
static bool
max_match(struct tlswant *r, const struct tlswant *a, const struct tlswant *b,
    struct pool *pool)
{
	const struct tlswant *w =
	    strictness(a->match) >= strictness(b->match) ? a : b;

	r->match = w->match;
	r->names = w->names;
	if (a->match == b->match)
		r->names = meet_names(a->names, b->names, pool);
	return r->match != TLSWANT_MATCH_NAMES || count(r->names) > 0;
}

static unsigned
strictness(enum tlswant_match m)
{
	switch (m) {
	case TLSWANT_MATCH_NAMES:
		return 4;
	case TLSWANT_MATCH_DOMAIN:
		return 3;
	case TLSWANT_MATCH_MX:
		return 2;
	case TLSWANT_MATCH_HOSTED:
		return 1;
	case TLSWANT_MATCH_COMPAT:
		return 0;
	}
	panic("match %d", (int)m);
}

/* Two names meet in the one that is below the other: no list gets longer. */
static const char *const *
meet_names(const char *const *a, const char *const *b, struct pool *pool)
{
	size_t na = count(a), nb = count(b), n = 0, i, j;
	const char **v, *name;

	if (na == 0 || nb == 0)
		return NULL;
	a = tlswant_names(a, pool);
	b = tlswant_names(b, pool);
	na = count(a);
	nb = count(b);
	v = pool_alloc(pool, (na + nb + 1) * sizeof(*v));
	for (i = 0; i < na; i++) {
		for (j = 0; j < nb; j++) {
			name = meet_name(a[i], b[j]);
			if (name == NULL)
				continue;
			ASSERT(n < na + nb);
			v[n++] = name;
		}
	}
	return n == 0 ? NULL : tlswant_names(v, pool);
}

static const char *
meet_name(const char *a, const char *b)
{
	if (strcmp(a, b) == 0 || below(a, b))
		return a;
	return below(b, a) ? b : NULL;
}

/* ".b.example" is below ".example", and "b.example" is. */
static bool
below(const char *name, const char *dotted)
{
	size_t n = strlen(name), d = strlen(dotted);

	return dotted[0] == '.' && n > d && strcmp(name + n - d, dotted) == 0;
}

/* An exception below 1.2 yields to who asks for none. */
static uint16_t
max_version(uint16_t a, uint16_t b, enum tlswant_level level)
{
	uint16_t most = a > b ? a : b;

	if (most < TLS12 && (a == 0 || b == 0 || level >= TLSWANT_REQUIRED))
		return 0;
	return most;
}

/*
 * What either list allows and no list forbids. Words in common, in the order
 * of their octets (so that it does not matter who asks first), and behind
 * them what is excluded. "none", which no library knows, where nothing is
 * common: then there is no TLS, rather than one that somebody ruled out.
 */
static const char *
meet_words(const char *a, const char *b, struct pool *pool)
{
	struct words w = { NULL, 0 };
	struct str x = str_c(a), y = str_c(b);
	struct buf text;
	const char *list;
	size_t i;

	if (a == NULL || b == NULL)
		return a == NULL ? b : a;
	if (strcmp(a, b) == 0)
		return a;
	w.v = pool_alloc(pool, (x.n + y.n + 2) * sizeof(*w.v));
	add_words(&w, x, y, false);
	if (w.n == 0)
		return "none";
	qsort(w.v, w.n, sizeof(*w.v), compare_words);
	i = w.n;
	add_words(&w, x, STR_NULL, true);
	add_words(&w, y, STR_NULL, true);
	qsort(w.v + i, w.n - i, sizeof(*w.v), compare_words);
	buf_init(&text, x.n + y.n + 2);
	for (i = 0; i < w.n; i++) {
		if (i > 0 && str_eq(w.v[i], w.v[i - 1]))
			continue;
		if (buf_len(&text) > 0)
			(void)buf_add_char(&text, ':');
		(void)buf_add_str(&text, w.v[i]);
	}
	list = pool_str(pool, buf_str(&text)).p;
	buf_fini(&text);
	return list;
}

/* Of list: what is excluded, or what is not and is in other too. Words that
 * only sort ("+RSA", "@STRENGTH") are dropped. */
static void
add_words(struct words *w, struct str list, struct str other, bool excluded)
{
	struct str word;

	while (str_split(&list, ':', &word)) {
		if (word.n == 0 || word.p[0] == '+' || word.p[0] == '@')
			continue;
		if ((word.p[0] == '!') != excluded ||
		    (!excluded && !has_word(other, word)))
			continue;
		w->v[w->n++] = word;
	}
}

static bool
has_word(struct str list, struct str word)
{
	struct str other;

	while (str_split(&list, ':', &other)) {
		if (str_eq(other, word))
			return true;
	}
	return false;
}

static msec
earlier(msec a, msec b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return a < b ? a : b;
}

static size_t
count(const char *const *v)
{
	size_t n = 0;

	while (v != NULL && v[n] != NULL)
		n++;
	return n;
}

static int
compare_names(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
compare_words(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}
