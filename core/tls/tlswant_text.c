#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "tls/tlswant_priv.h"

enum { WORD_MAX = 1024, LEAST_WAIT = 1000 };

#define MOST_WAIT (366 * HOURS(24))

/* In the order in which they are written. */
enum attr {
	ATTR_MATCH,
	ATTR_NAMES,
	ATTR_PIN,
	ATTR_CA,
	ATTR_MIN,
	ATTR_CIPHERS,
	ATTR_GROUPS,
	ATTR_REQUIRETLS,
	ATTR_DEADLINE,
	ATTR_WARN_AFTER,
	ATTRS
};

static const char *const attr_name[ATTRS] = {
	[ATTR_MATCH] = "match",
	[ATTR_NAMES] = "names",
	[ATTR_PIN] = "pin",
	[ATTR_CA] = "ca",
	[ATTR_MIN] = "min",
	[ATTR_CIPHERS] = "ciphers",
	[ATTR_GROUPS] = "groups",
	[ATTR_REQUIRETLS] = "requiretls",
	[ATTR_DEADLINE] = "deadline",
	[ATTR_WARN_AFTER] = "warn_after",
};

/* "mx, domain, …" in errors is in the order of the manual page. */
static const char *const match_name[] = {
	[TLSWANT_MATCH_MX] = "mx",
	[TLSWANT_MATCH_DOMAIN] = "domain",
	[TLSWANT_MATCH_HOSTED] = "hosted",
	[TLSWANT_MATCH_COMPAT] = "compat",
	[TLSWANT_MATCH_NAMES] = "names",
};

static const struct {
	const char *text;
	uint16_t version;
} versions[] = {
	{ "1.0", 0x0301 },
	{ "1.1", 0x0302 },
	{ "1.2", 0x0303 },
	{ "1.3", 0x0304 },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A want while it is read. */
struct reading {
	struct tlswant w;
	struct pool *pool;
	bool given[ATTRS];
	bool match_fixed; /* by an alias */
};

static int read_level(struct reading *r, struct str word, struct err *why);
static int read_attr(struct reading *r, struct str word, struct err *why);
static int find_attr(struct str name, enum attr *a_r, struct err *why);
static int set_attr(
    struct reading *r, enum attr a, struct str value, struct err *why);
static int set_match(struct reading *r, struct str value, struct err *why);
static int set_names(struct reading *r, struct str value, struct err *why);
static const char *fold_name(struct str name, struct pool *pool);
static int set_pins(struct reading *r, struct str value, struct err *why);
static int set_min(struct reading *r, struct str value, struct err *why);
static int set_words(struct reading *r, enum attr a, struct str value,
    struct err *why);
static int set_requiretls(struct reading *r, struct str value,
    struct err *why);
static int set_wait(struct reading *r, enum attr a, struct str value,
    struct err *why);
static int check(struct reading *r, struct err *why);
static void write_match(const struct tlswant *w, struct buf *dst);
static void write_pins(const struct tlswant *w, struct buf *dst);
static void write_attr(struct buf *dst, enum attr a, const char *value);
static void write_wait(struct buf *dst, enum attr a, msec wait);

int
tlswant_read(struct tlswant *w_r, struct str text, struct pool *pool,
    struct err *why)
{
	struct reading r = { .pool = pool };
	struct str rest = text, word;

	if (text.n > TLSWANT_TEXT_MAX)
		return err_text(why, "a TLS want may have %d octets at most",
		    TLSWANT_TEXT_MAX);
	if (!str_word(&rest, &word))
		word = STR("");
	if (read_level(&r, word, why) < 0)
		return -1;
	while (str_word(&rest, &word)) {
		if (read_attr(&r, word, why) < 0)
			return -1;
	}
	if (check(&r, why) < 0)
		return -1;
	*w_r = r.w;
	return 0;
}

void
tlswant_write(const struct tlswant *w, struct buf *dst)
{
	size_t i;

	(void)buf_add_c(dst, tlswant_name(w->level));
	if (w->level == TLSWANT_NONE)
		return;
	if (tlswant_verifies(w->level)) {
		if (!tlswant_impossible(w))
			write_match(w, dst);
		write_pins(w, dst);
		if (w->ca != NULL && !tlswant_impossible(w))
			write_attr(dst, ATTR_CA, w->ca);
	}
	for (i = 0; i < COUNT(versions); i++) {
		if (versions[i].version == w->min_version)
			write_attr(dst, ATTR_MIN, versions[i].text);
	}
	if (w->ciphers != NULL)
		write_attr(dst, ATTR_CIPHERS, w->ciphers);
	if (w->groups != NULL)
		write_attr(dst, ATTR_GROUPS, w->groups);
	if (w->requiretls)
		write_attr(dst, ATTR_REQUIRETLS, "yes");
	write_wait(dst, ATTR_DEADLINE, w->deadline);
	write_wait(dst, ATTR_WARN_AFTER, w->warn_after);
}

static int
read_level(struct reading *r, struct str word, struct err *why)
{
	struct tlswant *w = &r->w;

	if (str_ieq_c(word, "forced")) {
		w->level = TLSWANT_REQUIRED_VERIFY;
		w->deadline = HOURS(24);
	} else if (str_ieq_c(word, "required-verify-hosted")) {
		w->level = TLSWANT_REQUIRED_VERIFY;
		w->match = TLSWANT_MATCH_HOSTED;
		r->match_fixed = true;
	} else if (str_ieq_c(word, "preferred-verify-hosted")) {
		w->level = TLSWANT_PREFERRED_VERIFY;
		w->match = TLSWANT_MATCH_HOSTED;
		r->match_fixed = true;
	} else if (!tlswant_parse(word, &w->level)) {
		return err_text(why,
		    "\"%.*s\" is no TLS level: none, opportunistic, "
		    "preferred, preferred-verify, preferred-verify-hosted, "
		    "required, required-verify, required-verify-hosted or "
		    "forced",
		    STR_FMT(word));
	}
	return 0;
}

static int
read_attr(struct reading *r, struct str word, struct err *why)
{
	size_t at = str_find(word, '=');
	struct str name = str_n(word.p, at), value = STR("");
	enum attr a = ATTRS;

	if (find_attr(name, &a, why) < 0)
		return -1;
	if (at < word.n)
		value = str_n(word.p + at + 1, word.n - at - 1);
	if (value.n == 0)
		return err_text(why, "\"%.*s\": %s= and a value is meant",
		    STR_FMT(word), attr_name[a]);
	if (r->given[a])
		return err_text(why, "\"%.*s\": %s is there twice",
		    STR_FMT(word), attr_name[a]);
	r->given[a] = true;
	return set_attr(r, a, value, why);
}

static int
find_attr(struct str name, enum attr *a_r, struct err *why)
{
	unsigned least = 64, d;
	size_t i, best = 0;

	for (i = 0; i < ATTRS; i++) {
		if (str_ieq_c(name, attr_name[i])) {
			*a_r = (enum attr)i;
			return 0;
		}
	}
	for (i = 0; i < ATTRS; i++) {
		d = str_distance(name, str_c(attr_name[i]));
		if (d < least) {
			least = d;
			best = i;
		}
	}
	if (least <= 2)
		return err_text(why,
		    "\"%.*s\" is no attribute of a TLS want (did you mean "
		    "\"%s\"?)",
		    STR_FMT(name), attr_name[best]);
	return err_text(why,
	    "\"%.*s\" is no attribute of a TLS want: match, names, pin, ca, "
	    "min, ciphers, groups, requiretls, deadline or warn_after",
	    STR_FMT(name));
}

static int
set_attr(struct reading *r, enum attr a, struct str value, struct err *why)
{
	switch (a) {
	case ATTR_MATCH:
		return set_match(r, value, why);
	case ATTR_NAMES:
		return set_names(r, value, why);
	case ATTR_PIN:
		return set_pins(r, value, why);
	case ATTR_MIN:
		return set_min(r, value, why);
	case ATTR_CA:
	case ATTR_CIPHERS:
	case ATTR_GROUPS:
		return set_words(r, a, value, why);
	case ATTR_REQUIRETLS:
		return set_requiretls(r, value, why);
	case ATTR_DEADLINE:
	case ATTR_WARN_AFTER:
		return set_wait(r, a, value, why);
	case ATTRS:
		break;
	}
	panic("attribute %d", (int)a);
}

static int
set_match(struct reading *r, struct str value, struct err *why)
{
	size_t i;

	for (i = 0; i < COUNT(match_name); i++) {
		if (!str_ieq_c(value, match_name[i]))
			continue;
		if (r->match_fixed && r->w.match != (enum tlswant_match)i)
			return err_text(why,
			    "match=%s: the level said hosted already",
			    match_name[i]);
		r->w.match = (enum tlswant_match)i;
		return 0;
	}
	return err_text(why,
	    "match=%.*s: it is mx, domain, hosted, compat or names",
	    STR_FMT(value));
}

static int
set_names(struct reading *r, struct str value, struct err *why)
{
	const char **v = pool_alloc(
	    r->pool, (TLSWANT_NAMES_MAX + 1) * sizeof(*v));
	struct str rest = value, name;
	unsigned n = 0;

	while (str_split(&rest, ',', &name)) {
		if (n == TLSWANT_NAMES_MAX)
			return err_text(why, "names: %d at most",
			    TLSWANT_NAMES_MAX);
		v[n] = fold_name(name, r->pool);
		if (v[n++] == NULL)
			return err_text(why,
			    "names: \"%.*s\" is neither a domain, nor a dot "
			    "and a domain (what is below it), nor an address",
			    STR_FMT(name));
	}
	r->w.names = tlswant_names(v, r->pool);
	return 0;
}

/* A-labels in small letters; NULL: no name. */
static const char *
fold_name(struct str name, struct pool *pool)
{
	char text[INET6_ADDRSTRLEN], folded[ADDR_DOMAIN_MAX + 1];
	size_t dot = name.n > 1 && name.p[0] == '.' ? 1 : 0;
	struct str domain = str_n(name.p + dot, name.n - dot);
	unsigned char bin[16];

	if (str_find(name, '\0') < name.n)
		return NULL;
	if (str_copy(text, sizeof(text), name)) {
		if (inet_pton(AF_INET6, text, bin) == 1)
			return pool_strdup(pool,
			    inet_ntop(AF_INET6, bin, text, sizeof(text)));
		if (inet_pton(AF_INET, text, bin) == 1)
			return pool_strdup(pool, text);
	}
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	/* What ends with a digit is meant as an address. */
	if (domain_to_ascii(domain, folded, sizeof(folded)) < 0 ||
	    ch_digit(folded[strlen(folded) - 1]))
		return NULL;
	return pool_printf(pool, "%s%s", dot > 0 ? "." : "", folded);
}

static int
set_pins(struct reading *r, struct str value, struct err *why)
{
	struct tlspin v[TLSWANT_PINS_MAX];
	struct str rest = value, text;
	unsigned n = 0;

	while (str_split(&rest, ',', &text)) {
		if (n == TLSWANT_PINS_MAX)
			return err_text(
			    why, "pin: %d at most", TLSWANT_PINS_MAX);
		if (tlspin_read(&v[n++], text, why) < 0)
			return err_prefix(why, "pin: ");
	}
	r->w.pin = tlspin_meet(v, n, NULL, 0, &r->w.npin, r->pool);
	return 0;
}

static int
set_min(struct reading *r, struct str value, struct err *why)
{
	size_t i;

	for (i = 0; i < COUNT(versions); i++) {
		if (str_eq_c(value, versions[i].text)) {
			r->w.min_version = versions[i].version;
			return 0;
		}
	}
	return err_text(why, "min=%.*s: it is 1.0, 1.1, 1.2 or 1.3",
	    STR_FMT(value));
}

static int
set_words(struct reading *r, enum attr a, struct str value, struct err *why)
{
	const char *text;
	size_t i;

	for (i = 0; i < value.n; i++) {
		if (!ch_print(value.p[i]))
			break;
	}
	if (i < value.n || value.n > WORD_MAX)
		return err_text(why, "%s: up to %d printable characters",
		    attr_name[a], WORD_MAX);
	if (a == ATTR_CA && value.p[0] != '/')
		return err_text(why, "ca=%.*s: the path begins with /",
		    STR_FMT(value));
	text = pool_str(r->pool, value).p;
	if (a == ATTR_CA)
		r->w.ca = text;
	else if (a == ATTR_CIPHERS)
		r->w.ciphers = text;
	else
		r->w.groups = text;
	return 0;
}

static int
set_requiretls(struct reading *r, struct str value, struct err *why)
{
	if (!str_ieq_c(value, "yes"))
		return err_text(why, "requiretls=%.*s: it is yes, or missing",
		    STR_FMT(value));
	r->w.requiretls = true;
	return 0;
}

static int
set_wait(struct reading *r, enum attr a, struct str value, struct err *why)
{
	msec wait;

	if (num_duration(value, &wait) < 0 || wait < LEAST_WAIT ||
	    wait > MOST_WAIT)
		return err_text(why,
		    "%s=%.*s: a time from 1s to 366d, as 90m or 1d12h",
		    attr_name[a], STR_FMT(value));
	if (a == ATTR_DEADLINE)
		r->w.deadline = wait;
	else
		r->w.warn_after = wait;
	return 0;
}

/* What no one can mean. */
static int
check(struct reading *r, struct err *why)
{
	struct tlswant *w = &r->w;
	const char *level = tlswant_name(w->level);
	size_t i;

	for (i = 0; i < ATTRS; i++) {
		if (!r->given[i])
			continue;
		if (w->level == TLSWANT_NONE)
			return err_text(why, "%s says nothing under none",
			    attr_name[i]);
		if (i <= ATTR_CA && !tlswant_verifies(w->level))
			return err_text(why,
			    "%s says nothing under %s, which looks at no "
			    "certificate: preferred-verify and "
			    "required-verify do",
			    attr_name[i], level);
	}
	if (w->requiretls && !tlswant_insists(w->level))
		return err_text(why, "requiretls is for required-verify, not "
		    "%s", level);
	if (w->min_version != 0 && w->min_version < 0x0303 &&
	    w->level >= TLSWANT_REQUIRED)
		return err_text(why,
		    "min=%s is not possible under %s: 1.2 or 1.3",
		    w->min_version == 0x0301 ? "1.0" : "1.1", level);
	if (r->given[ATTR_NAMES] && !r->given[ATTR_MATCH] && !r->match_fixed)
		w->match = TLSWANT_MATCH_NAMES;
	if (w->match == TLSWANT_MATCH_NAMES && !r->given[ATTR_NAMES])
		return err_text(why, "match=names: no names= says which");
	if (tlswant_impossible(w))
		tlswant_despair(w, r->pool);
	return 0;
}

static void
write_match(const struct tlswant *w, struct buf *dst)
{
	bool named = w->names != NULL && w->names[0] != NULL;
	const char *const *v;
	struct pool *pool;

	ASSERT((unsigned)w->match < COUNT(match_name));
	if (w->match != TLSWANT_MATCH_MX || named)
		write_attr(dst, ATTR_MATCH, match_name[w->match]);
	if (!named)
		return;
	pool = pool_new(0);
	v = tlswant_names(w->names, pool);
	write_attr(dst, ATTR_NAMES, *v++);
	for (; *v != NULL; v++)
		(void)buf_printf(dst, ",%s", *v);
	pool_destroy(&pool);
}

static void
write_pins(const struct tlswant *w, struct buf *dst)
{
	const struct tlspin *v;
	struct pool *pool;
	unsigned n, i;

	if (w->npin == 0)
		return;
	pool = pool_new(0);
	v = tlspin_meet(w->pin, w->npin, NULL, 0, &n, pool);
	write_attr(dst, ATTR_PIN, "");
	for (i = 0; i < n; i++) {
		if (i > 0)
			(void)buf_add_char(dst, ',');
		tlspin_write(&v[i], dst);
	}
	pool_destroy(&pool);
}

static void
write_attr(struct buf *dst, enum attr a, const char *value)
{
	(void)buf_printf(dst, " %s=%s", attr_name[a], value);
}

static void
write_wait(struct buf *dst, enum attr a, msec wait)
{
	char text[32];

	if (wait > 0)
		write_attr(dst, a, num_fmt_duration(text, sizeof(text), wait));
}
