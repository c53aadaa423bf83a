#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/num.h"
#include "tls/tlswant_priv.h"

enum { SHA256_SIZE = 32 };

#define DAY     HOURS(24)
#define FOREVER INT64_MAX

/* While a list is made; its bounds are whole days, until FOREVER. */
struct pins {
	struct tlspin v[TLSWANT_PINS_MAX + 1];
	unsigned n;
};

static int read_hex(uint8_t *dst, struct str text);
static int read_base64(uint8_t *dst, struct str text);
static int read_dates(struct tlspin *p, struct str text);
static int read_date(struct str text, msec *day_r);
static msec days_from_civil(int64_t y, int64_t m, int64_t d);
static void write_date(msec day, struct buf *dst);
static bool impossible(const struct tlspin *p);
static struct tlspin whole_days(const struct tlspin *p);
static unsigned moments(const struct tlspin *v, unsigned n, msec *t);
static bool counts(const struct tlspin *p, msec t);
static bool has(const struct tlspin *v, unsigned n, const struct tlspin *key,
    msec t);
static void add_moment(struct pins *out, const struct tlspin *v, unsigned na,
    unsigned n, msec from, msec until);
static void add(struct pins *out, const struct tlspin *key, msec from,
    msec until);
static bool same_key(const struct tlspin *a, const struct tlspin *b);
static int compare_msec(const void *a, const void *b);
static int compare_pins(const void *a, const void *b);

int
tlspin_read(struct tlspin *p_r, struct str text, struct err *why)
{
	size_t at = str_find(text, '@');
	struct str key = str_n(text.p, at);
	struct tlspin p = { .spki = false };
	int result = -1;

	if (str_ieq_c(key, "none")) {
		p = tlspin_impossible();
		result = 0;
	} else if (str_istarts(key, "sha256:")) {
		result = read_hex(p.sha256, str_n(key.p + 7, key.n - 7));
	} else if (str_istarts(key, "spki:")) {
		p.spki = true;
		result = read_base64(p.sha256, str_n(key.p + 5, key.n - 5));
	}
	if (result < 0)
		return err_text(why,
		    "\"%.*s\" is no pin: sha256: and 64 hexadecimal digits, "
		    "spki: and 44 base64 characters, or none",
		    STR_FMT(text));
	if (at < text.n &&
	    read_dates(&p, str_n(text.p + at + 1, text.n - at - 1)) < 0)
		return err_text(why,
		    "\"%.*s\": behind @ come two dates as "
		    "2026-01-31..2026-12-31, the earlier first; either may be "
		    "missing",
		    STR_FMT(text));
	*p_r = p;
	return 0;
}

void
tlspin_write(const struct tlspin *p, struct buf *dst)
{
	struct str sha = str_n((const char *)p->sha256, sizeof(p->sha256));
	struct tlspin days = whole_days(p);

	if (impossible(p)) {
		(void)buf_add_c(dst, "none");
	} else if (p->spki) {
		(void)buf_add_c(dst, "spki:");
		(void)base64_encode(dst, sha);
	} else {
		(void)buf_add_c(dst, "sha256:");
		(void)hex_encode(dst, sha);
	}
	if (days.from == 0 && days.until == FOREVER)
		return;
	(void)buf_add_char(dst, '@');
	if (days.from != 0)
		write_date(days.from, dst);
	(void)buf_add_c(dst, "..");
	if (days.until != FOREVER)
		write_date(days.until - DAY, dst);
}

/* No one knows a certificate with this hash. */
struct tlspin
tlspin_impossible(void)
{
	return (struct tlspin){ .spki = false };
}

bool
tlspin_counts(const struct tlspin *p, msec wall)
{
	return wall >= p->from && (p->until == 0 || wall < p->until);
}

struct tlspin *
tlspin_meet(const struct tlspin *a, unsigned na, const struct tlspin *b,
    unsigned nb, unsigned *n_r, struct pool *pool)
{
	unsigned n = na + nb, nt, i;
	struct tlspin *v = pool_alloc(pool, (n + 1) * sizeof(*v)), *dst;
	msec *t = pool_alloc(pool, (2 * (size_t)n + 2) * sizeof(*t));
	struct pins *out = POOL_NEW(pool, struct pins);

	for (i = 0; i < n; i++)
		v[i] = whole_days(i < na ? &a[i] : &b[i - na]);
	nt = moments(v, n, t);
	for (i = 0; i + 1 < nt; i++)
		add_moment(out, v, na, n, t[i], t[i + 1]);
	if (out->n > TLSWANT_PINS_MAX) {
		out->n = 0;
		v[0] = tlspin_impossible();
		add(out, &v[0], 0, FOREVER);
	}
	dst = pool_dup(pool, out->v, (out->n + 1) * sizeof(*dst));
	for (i = 0; i < out->n; i++) {
		if (dst[i].until == FOREVER)
			dst[i].until = 0;
	}
	qsort(dst, out->n, sizeof(*dst), compare_pins);
	*n_r = out->n;
	return dst;
}

/* With colons between the octets, as openssl prints it, or without. */
static int
read_hex(uint8_t *dst, struct str text)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;
	size_t n = 0, i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == ':' && n > 0 && n % 2 == 0 &&
		    text.p[i - 1] != ':' && i + 1 < text.n)
			continue;
		digit = text.p[i] == '\0'
			    ? NULL
			    : strchr(digits, ch_lower(text.p[i]));
		if (digit == NULL || n == 2 * SHA256_SIZE)
			return -1;
		dst[n / 2] = (uint8_t)(dst[n / 2] << 4 | (digit - digits));
		n++;
	}
	return n == 2 * SHA256_SIZE ? 0 : -1;
}

static int
read_base64(uint8_t *dst, struct str text)
{
	struct buf bytes;
	int result = -1;

	buf_init(&bytes, 64);
	if (text.n == 44 && base64_decode(&bytes, text) == 0 &&
	    buf_len(&bytes) == SHA256_SIZE) {
		memcpy(dst, buf_p(&bytes), SHA256_SIZE);
		result = 0;
	}
	buf_fini(&bytes);
	return result;
}

/* Both days count, in UTC. */
static int
read_dates(struct tlspin *p, struct str text)
{
	size_t dots = str_find(text, '.');
	struct str from = str_n(text.p, dots), until;

	if (text.n < dots + 2 || text.p[dots + 1] != '.')
		return -1;
	until = str_n(text.p + dots + 2, text.n - dots - 2);
	if ((from.n == 0 && until.n == 0) ||
	    (from.n > 0 && read_date(from, &p->from) < 0) ||
	    (until.n > 0 && read_date(until, &p->until) < 0) ||
	    (from.n > 0 && until.n > 0 && p->from > p->until))
		return -1;
	if (until.n > 0)
		p->until += DAY;
	return 0;
}

static int
read_date(struct str text, msec *day_r)
{
	static const uint64_t days[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	uint64_t y, m, d;
	bool leap;

	if (text.n != 10 || text.p[4] != '-' || text.p[7] != '-' ||
	    num_u64(str_n(text.p, 4), 9999, &y) < 0 ||
	    num_u64(str_n(text.p + 5, 2), 12, &m) < 0 ||
	    num_u64(str_n(text.p + 8, 2), 31, &d) < 0)
		return -1;
	leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	/* The first day of all is the mark of no bound. */
	if (y < 1971 || m == 0 || d == 0 || d > days[m - 1] ||
	    (m == 2 && d == 29 && !leap))
		return -1;
	*day_r = days_from_civil((int64_t)y, (int64_t)m, (int64_t)d) * DAY;
	return 0;
}

/* Days since 1970-01-01; the year begins in March, so that leap days end it. */
static msec
days_from_civil(int64_t y, int64_t m, int64_t d)
{
	int64_t day_of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	if (m <= 2)
		y--;
	return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static void
write_date(msec day, struct buf *dst)
{
	char text[40];

	clock_rfc3339(text, sizeof(text), day);
	(void)buf_add(dst, text, str_find(str_c(text), 'T'));
}

static bool
impossible(const struct tlspin *p)
{
	struct tlspin none = tlspin_impossible();

	return same_key(p, &none);
}

/* Bounds between days do not come from texts: the window grows. */
static struct tlspin
whole_days(const struct tlspin *p)
{
	struct tlspin w = *p;
	msec last = FOREVER / DAY * DAY - DAY;

	w.from = p->from <= 0 ? 0 : p->from - p->from % DAY;
	if (p->until == 0 || p->until > last)
		w.until = FOREVER;
	else
		w.until = (p->until + DAY - 1) / DAY * DAY;
	return w;
}

/* Where anything begins or ends, each once, in order. */
static unsigned
moments(const struct tlspin *v, unsigned n, msec *t)
{
	unsigned i, nt = 0, kept = 0;

	for (i = 0; i < n; i++) {
		t[nt++] = v[i].from;
		t[nt++] = v[i].until;
	}
	qsort(t, nt, sizeof(*t), compare_msec);
	for (i = 0; i < nt; i++) {
		if (kept == 0 || t[kept - 1] != t[i])
			t[kept++] = t[i];
	}
	return kept;
}

static bool
counts(const struct tlspin *p, msec t)
{
	return p->from <= t && t < p->until;
}

static bool
has(const struct tlspin *v, unsigned n, const struct tlspin *key, msec t)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (counts(&v[i], t) && (key == NULL || same_key(&v[i], key)))
			return true;
	}
	return false;
}

/* What v demands between two moments; its first na are of one list. */
static void
add_moment(struct pins *out, const struct tlspin *v, unsigned na, unsigned n,
    msec from, msec until)
{
	bool any_a = has(v, na, NULL, from);
	bool any_b = has(v + na, n - na, NULL, from);
	struct tlspin none = tlspin_impossible();
	unsigned before = out->n, i;
	bool met = false;

	if (!any_a && !any_b)
		return;
	for (i = 0; i < n && !has(v, n, &none, from); i++) {
		if (!counts(&v[i], from) ||
		    (any_a && !has(v, na, &v[i], from)) ||
		    (any_b && !has(v + na, n - na, &v[i], from)))
			continue;
		add(out, &v[i], from, until);
		met = true;
	}
	ASSERT(met || out->n == before);
	if (!met)
		add(out, &none, from, until);
}

/* One more than fits is kept, to show that it was too many. */
static void
add(struct pins *out, const struct tlspin *key, msec from, msec until)
{
	unsigned i;

	for (i = 0; i < out->n; i++) {
		if (!same_key(&out->v[i], key))
			continue;
		if (out->v[i].from <= from && until <= out->v[i].until)
			return;
		if (out->v[i].until == from) {
			out->v[i].until = until;
			return;
		}
	}
	if (out->n > TLSWANT_PINS_MAX)
		return;
	out->v[out->n] = *key;
	out->v[out->n].from = from;
	out->v[out->n].until = until;
	out->n++;
}

static bool
same_key(const struct tlspin *a, const struct tlspin *b)
{
	return a->spki == b->spki &&
	       memcmp(a->sha256, b->sha256, sizeof(a->sha256)) == 0;
}

static int
compare_msec(const void *a, const void *b)
{
	const msec *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int
compare_pins(const void *a, const void *b)
{
	const struct tlspin *x = a, *y = b;
	int order = memcmp(x->sha256, y->sha256, sizeof(x->sha256));

	if (x->spki != y->spki)
		return x->spki ? 1 : -1;
	return order != 0 ? order : compare_msec(&x->from, &y->from);
}
