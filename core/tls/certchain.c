#include "tls/certchain.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>

#include "base/die.h"
#include "tls/certpile_priv.h"

#define DEPTH_MAX 10
#define SOON ((msec)30 * 24 * 60 * 60 * 1000)
#define RSA_MIN 2048

enum end { END_ROOT, END_SELF, END_MISSING };

/* A way from a leaf to a root. */
struct way {
	X509 *x[DEPTH_MAX];
	unsigned n;
	X509 *root; /* which is trusted; may be the leaf */
	enum end end;
};

static void find(struct certchain *, enum certchain_level, const char *,
    const char *, ...) ATTR_PRINTF(4, 5);
static int leaf_of(const struct certpile *);
static void walk(struct way *, X509 *, const struct certpile *,
    const struct certpile *, msec);
static X509 *issuer_in(const struct certpile *, X509 *, bool, msec);
static bool issued(X509 *, X509 *);
static bool self_signed(X509 *);
static bool valid_at(X509 *, msec);
static bool in_way(const struct way *, const X509 *);
static void check_leaf(struct certchain *, const struct certpile *, unsigned,
    msec);
static void check_key(struct certchain *, X509 *);
static void check_others(struct certchain *, const struct certpile *,
    const struct way *, int);
static void check_order(struct certchain *, const struct certpile *,
    const struct way *, int);
static void check_dates(struct certchain *, const struct certpile *,
    const struct way *, msec);
static void check_end(struct certchain *, const struct certpile *,
    const struct way *);
static const char *subject(struct certchain *, X509 *, bool);
static bool has_root(X509 *, const struct certpile *, const struct certpile *,
    const struct certpile *, msec);

void
certchain_check(struct certchain *c, const struct certpile *served,
    const struct certpile *roots, msec now)
{
	int leaf = leaf_of(served);
	struct way w;
	unsigned i;

	c->verified = false;
	if (certpile_count(served) == 0) {
		find(c, CERTCHAIN_FAIL, "empty", "there is no certificate");
		return;
	}
	if (leaf < 0) {
		find(c, CERTCHAIN_FAIL, "key-mismatch", "no certificate is "
		    "that of the private key");
		leaf = 0;
	}
	walk(&w, certpile_x509(served, (unsigned)leaf), served, roots, now);
	check_leaf(c, served, (unsigned)leaf, now);
	check_order(c, served, &w, leaf);
	check_others(c, served, &w, leaf);
	check_dates(c, served, &w, now);
	check_end(c, served, &w);
	c->verified = w.end == END_ROOT;
	for (i = 0; i < c->n; i++)
		c->verified = c->verified && c->v[i].level != CERTCHAIN_FAIL;
	ERR_clear_error();
}

int
certchain_clean(const struct certpile *any, const struct certpile *roots,
    msec now, struct certpile *chain, struct err *why)
{
	int leaf = leaf_of(any);
	struct way w;
	unsigned i;

	if (leaf < 0)
		return err_text(why, certpile_count(any) == 0 ?
		    "there is no certificate" :
		    "none of the certificates is that of the private key");
	walk(&w, certpile_x509(any, (unsigned)leaf), any, roots, now);
	for (i = 0; i < w.n; i++) {
		if (i == 0 || !self_signed(w.x[i]))
			certpile_add(chain, w.x[i]);
	}
	ERR_clear_error();
	return 0;
}

unsigned
certchain_add_roots(struct certchain *c, struct certpile *list,
    const struct certpile *news, const struct certpile *system, msec now)
{
	unsigned i, n = certpile_count(news), added = 0;
	X509 *x;

	for (i = 0; i < n; i++) {
		x = certpile_x509(news, i);
		if (certpile_has(list, news, i)) {
			find(c, CERTCHAIN_WARN, "duplicate", "%s is in the "
			    "list already", subject(c, x, false));
		} else if (certchain_expired(news, i, now)) {
			find(c, CERTCHAIN_FAIL, "expired", "%s has expired",
			    subject(c, x, false));
		} else if (X509_check_ca(x) != 1) {
			find(c, CERTCHAIN_FAIL, "not-a-ca", "%s is no "
			    "certification authority (CA:TRUE is missing)",
			    subject(c, x, false));
		} else if (!has_root(x, list, news, system, now)) {
			find(c, CERTCHAIN_FAIL, "root-missing", "%s is an "
			    "intermediate whose root is neither in the list "
			    "nor in the system's", subject(c, x, false));
		} else {
			if (certpile_has(system, news, i))
				find(c, CERTCHAIN_NOTE, "in-system", "%s is "
				    "in the system's list as well",
				    subject(c, x, false));
			certpile_add(list, x);
			added++;
		}
	}
	ERR_clear_error();
	return added;
}

bool
certchain_expired(const struct certpile *p, unsigned i, msec now)
{
	time_t t = (time_t)(now / 1000);

	return X509_cmp_time(X509_get0_notAfter(certpile_x509(p, i)), &t) < 0;
}

static void
find(struct certchain *c, enum certchain_level level, const char *word,
    const char *fmt, ...)
{
	struct certchain_finding *v;
	char text[1024];
	va_list ap;

	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 8 : 2 * c->cap;
		v = pool_alloc(c->pool, c->cap * sizeof(*v));
		if (c->n > 0)
			memcpy(v, c->v, c->n * sizeof(*v));
		c->v = v;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->v[c->n].level = level;
	c->v[c->n].word = word;
	c->v[c->n++].text = pool_strdup(c->pool, text);
}

/* Of several for one key (a renewed one and the old) that which lasts. */
static int
leaf_of(const struct certpile *p)
{
	unsigned i, n = certpile_count(p);
	int best = -1, days, seconds;
	X509 *x;

	if (p->key == NULL)
		return n > 0 ? 0 : -1;
	for (i = 0; i < n; i++) {
		x = certpile_x509(p, i);
		if (X509_check_private_key(x, p->key) != 1)
			continue;
		if (best < 0 ||
		    (ASN1_TIME_diff(&days, &seconds,
			 X509_get0_notAfter(certpile_x509(p, (unsigned)best)),
			 X509_get0_notAfter(x)) == 1 &&
			(days > 0 || seconds > 0)))
			best = (int)i;
	}
	return best;
}

/* A trusted root ends the way as soon as it can. */
static void
walk(struct way *w, X509 *leaf, const struct certpile *served,
    const struct certpile *roots, msec now)
{
	X509 *x = leaf, *next;
	unsigned i;

	w->n = 0;
	w->root = NULL;
	while (w->n < DEPTH_MAX) {
		w->x[w->n++] = x;
		w->end = END_SELF;
		for (i = 0; self_signed(x) && i < certpile_count(roots); i++) {
			if (X509_cmp(certpile_x509(roots, i), x) != 0)
				continue;
			w->root = x;
			w->end = END_ROOT;
			return;
		}
		if (self_signed(x))
			return;
		w->root = issuer_in(roots, x, true, now);
		if (w->root != NULL) {
			w->end = END_ROOT;
			return;
		}
		w->end = END_MISSING;
		next = issuer_in(served, x, false, now);
		if (next == NULL)
			next = issuer_in(roots, x, false, now);
		if (next == NULL || in_way(w, next))
			return;
		x = next;
	}
	w->end = END_MISSING;
}

/* Who issued x, a valid one if there is; root: only one that is a root. */
static X509 *
issuer_in(const struct certpile *p, X509 *x, bool root, msec now)
{
	unsigned i, n = certpile_count(p);
	X509 *one, *found = NULL;

	for (i = 0; i < n; i++) {
		one = certpile_x509(p, i);
		if (!issued(one, x) || (root && !self_signed(one)))
			continue;
		if (valid_at(one, now))
			return one;
		if (!root && found == NULL)
			found = one;
	}
	return found;
}

static bool
issued(X509 *issuer, X509 *x)
{
	EVP_PKEY *key;
	bool is;

	if (X509_NAME_cmp(X509_get_subject_name(issuer),
		X509_get_issuer_name(x)) != 0)
		return false;
	key = X509_get_pubkey(issuer);
	is = key != NULL && X509_verify(x, key) == 1;
	EVP_PKEY_free(key);
	ERR_clear_error();
	return is;
}

static bool
self_signed(X509 *x)
{
	return issued(x, x);
}

static bool
valid_at(X509 *x, msec now)
{
	time_t t = (time_t)(now / 1000);

	return X509_cmp_time(X509_get0_notAfter(x), &t) > 0 &&
	    X509_cmp_time(X509_get0_notBefore(x), &t) < 0;
}

static bool
in_way(const struct way *w, const X509 *x)
{
	unsigned i;

	for (i = 0; i < w->n; i++) {
		if (X509_cmp(w->x[i], x) == 0)
			return true;
	}
	return false;
}

static void
check_leaf(struct certchain *c, const struct certpile *p, unsigned i,
    msec now)
{
	struct certfact f;
	X509 *x = certpile_x509(p, i);

	certpile_fact(p, i, c->pool, &f);
	if (f.name[0] == NULL && f.cn[0] == '\0')
		find(c, CERTCHAIN_FAIL, "no-name", "the certificate has no "
		    "name of a host");
	else if (f.name[0] == NULL)
		find(c, CERTCHAIN_WARN, "cn-only", "the certificate has no "
		    "subject alternative name; many peers pass over the "
		    "common name \"%s\"", f.cn);
	if (f.ca && !self_signed(x))
		find(c, CERTCHAIN_WARN, "leaf-is-ca", "the certificate of the "
		    "key is that of a certification authority");
	/* The error value of no such extension is: anything goes. */
	if ((X509_get_extended_key_usage(x) & XKU_SSL_SERVER) == 0)
		find(c, CERTCHAIN_WARN, "wrong-purpose", "the certificate is "
		    "not for servers (extended key usage)");
	if (valid_at(x, now) && !valid_at(x, now + SOON))
		find(c, CERTCHAIN_WARN, "expires-soon", "the certificate "
		    "expires within 30 days");
	check_key(c, x);
}

static void
check_key(struct certchain *c, X509 *x)
{
	EVP_PKEY *key = X509_get_pubkey(x);

	if (key == NULL)
		find(c, CERTCHAIN_FAIL, "weak-key", "the certificate's key is "
		    "of no kind that TLS here can use");
	else if (EVP_PKEY_id(key) == EVP_PKEY_RSA &&
	    EVP_PKEY_bits(key) < RSA_MIN)
		find(c, CERTCHAIN_WARN, "weak-key", "the RSA key has only %d "
		    "bits", EVP_PKEY_bits(key));
	EVP_PKEY_free(key);
}

static void
check_order(struct certchain *c, const struct certpile *p,
    const struct way *w, int leaf)
{
	unsigned i, k, n = certpile_count(p), last = 0;

	if (leaf != 0)
		find(c, CERTCHAIN_FAIL, "misordered", "certificate %d is that "
		    "of the key; it must come first", leaf + 1);
	for (i = 1; i < w->n; i++) {
		for (k = 0; k < n; k++) {
			if (X509_cmp(certpile_x509(p, k), w->x[i]) == 0)
				break;
		}
		if (k == n)
			continue;
		if (k < last)
			find(c, CERTCHAIN_FAIL, "misordered", "certificate %u "
			    "(%s) must come before certificate %u", last + 1,
			    subject(c, certpile_x509(p, last), false), k + 1);
		last = k;
	}
}

/* What is there and not needed. */
static void
check_others(struct certchain *c, const struct certpile *p,
    const struct way *w, int leaf)
{
	unsigned i, k, n = certpile_count(p);
	X509 *x;

	for (i = 0; i < n; i++) {
		x = certpile_x509(p, i);
		for (k = 0; k < i; k++) {
			if (X509_cmp(certpile_x509(p, k), x) == 0)
				break;
		}
		if (k < i)
			find(c, CERTCHAIN_FAIL, "duplicate", "certificate %u "
			    "(%s) is certificate %u again", i + 1,
			    subject(c, x, false), k + 1);
		else if ((int)i != leaf && self_signed(x) &&
		    (w->root == NULL || X509_cmp(w->root, x) == 0 ||
			in_way(w, x)))
			find(c, CERTCHAIN_WARN, "root-included", "certificate "
			    "%u (%s) is a root, which need not be sent",
			    i + 1, subject(c, x, false));
		else if (!in_way(w, x))
			find(c, CERTCHAIN_FAIL, "foreign", "certificate %u "
			    "(%s) does not belong to the chain", i + 1,
			    subject(c, x, false));
	}
}

static void
check_dates(struct certchain *c, const struct certpile *p,
    const struct way *w, msec now)
{
	time_t t = (time_t)(now / 1000);
	unsigned i;

	(void)p;
	for (i = 0; i < w->n; i++) {
		if (X509_cmp_time(X509_get0_notAfter(w->x[i]), &t) < 0)
			find(c, CERTCHAIN_FAIL, "expired", "%s has expired",
			    subject(c, w->x[i], false));
		else if (X509_cmp_time(X509_get0_notBefore(w->x[i]), &t) > 0)
			find(c, CERTCHAIN_FAIL, "not-yet-valid", "%s is not "
			    "valid yet", subject(c, w->x[i], false));
	}
}

static void
check_end(struct certchain *c, const struct certpile *p, const struct way *w)
{
	X509 *last = w->x[w->n - 1];
	unsigned i, k, n = certpile_count(p);

	for (i = 1; i < w->n; i++) {
		for (k = 0; k < n; k++) {
			if (X509_cmp(certpile_x509(p, k), w->x[i]) == 0)
				break;
		}
		if (k == n && !self_signed(w->x[i]))
			find(c, CERTCHAIN_FAIL, "missing-intermediate",
			    "%s is missing from the chain",
			    subject(c, w->x[i], false));
	}
	if (w->end == END_ROOT)
		return;
	if (w->end == END_MISSING)
		find(c, CERTCHAIN_FAIL, "missing-intermediate", "the chain "
		    "ends at %s, whose issuer (%s) is missing",
		    subject(c, last, false), subject(c, last, true));
	else if (w->n == 1)
		find(c, CERTCHAIN_WARN, "self-signed", "the certificate is "
		    "signed by itself: it encrypts, but nobody can verify it; "
		    "a CA-signed one is recommended");
	else
		find(c, CERTCHAIN_FAIL, "untrusted", "the chain ends at the "
		    "root %s, which is not trusted here",
		    subject(c, last, false));
}

static const char *
subject(struct certchain *c, X509 *x, bool issuer)
{
	struct certpile *p = certpile_new();
	struct certfact f;

	certpile_add(p, x);
	certpile_fact(p, 0, c->pool, &f);
	certpile_destroy(&p);
	return pool_printf(c->pool, "\"%.200s\"", issuer ? f.issuer :
	    f.subject);
}

/* Is x a root, or do its issuers end in one of these? */
static bool
has_root(X509 *x, const struct certpile *list, const struct certpile *news,
    const struct certpile *system, msec now)
{
	struct certpile *all = certpile_new();
	const struct certpile *from[] = { list, news, system };
	unsigned i, k;
	struct way w;

	for (k = 0; k < 3; k++) {
		for (i = 0; i < certpile_count(from[k]); i++)
			certpile_add(all, certpile_x509(from[k], i));
	}
	walk(&w, x, news, all, now);
	certpile_destroy(&all);
	return w.end == END_ROOT && valid_at(w.root, now);
}
