#include "cli/posttls.h"

#include <string.h>

#include "base/codec.h"
#include "cli/posttable.h"
#include "mail/addr.h"
#include "tls/tlswant.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define SEPS ", \t\r\v\f"
#define WANT_MAX 16384
#define DIGEST 32 /* octets of SHA-256 */

enum level {
	LV_NONE, LV_MAY, LV_ENCRYPT, LV_DANE, LV_DANE_ONLY, LV_FINGERPRINT,
	LV_VERIFY, LV_SECURE, LEVELS
};

static const char *const levels[LEVELS] = { "none", "may", "encrypt", "dane",
	"dane-only", "fingerprint", "verify", "secure" };

/* An entry while it is read. */
struct entry {
	struct pool *pool;
	const char *domain;
	enum level level;
	struct posttls *p;
	struct buf match; /* with a blank between the values */
	struct str once[6]; /* see attributes */
	const char *ca;
	const char *min;
	bool sts;	    /* has attributes of plug-ins */
	bool impossible;    /* nothing that we have is as strong */
};

enum attribute {
	AT_CIPHERS, AT_PROTOCOLS, AT_EXCLUDE, AT_SERVERNAME, AT_REUSE, AT_RPK
};

static const char *const attributes[] = { "ciphers", "protocols", "exclude",
	"servername", "connection_reuse", "enable_rpk" };

static int	level_of(struct str word, enum level *level_r);
static int	attribute(struct entry *e, struct str word, struct err *why);
static int	protocols(struct entry *e, struct str value, struct err *why);
static void	exclude(struct entry *e, struct str value);
static int	others(struct entry *e, struct err *why);
static void	write(struct entry *e, struct buf *dst);

static void
left(struct entry *e, const char *word, const char *reason,
    const char *instead)
{
	struct posttls *p = e->p;

	if (p->nleft < POSTTLS_LEFT)
		p->left[p->nleft++] = (struct posttls_left){ word, reason,
			instead };
}

/* The first reason is told. */
static void
stronger(struct entry *e, const char *text)
{
	if (e->p->stronger == NULL)
		e->p->stronger = text;
}

int
posttls_read(struct pool *pool, const char *domain, const char *value,
    struct posttls *p, struct err *why)
{
	struct entry e = { .pool = pool, .domain = domain, .p = p };
	struct str rest = str_c(value), word;
	struct err no = ERR_INIT;
	struct tlswant w;
	struct buf text;
	int r = 0;

	*p = (struct posttls){ .want = NULL };
	if (!posttable_word(&rest, SEPS, &word))
		return err_text(why, "there is no level");
	if (level_of(word, &e.level) != 0)
		return err_text(why, "\"%.*s\" is no level: none, may, "
		    "encrypt, dane, dane-only, fingerprint, verify or secure",
		    STR_FMT(word));
	buf_init(&e.match, POSTTABLE_LINE_MAX);
	/* Postfix reads no attributes where there is no TLS. */
	while (r == 0 && e.level != LV_NONE &&
	    posttable_word(&rest, SEPS, &word))
		r = attribute(&e, word, why);
	if (r == 0)
		r = others(&e, why);
	buf_init(&text, WANT_MAX);
	if (r == 0)
		write(&e, &text);
	if (r == 0 && !e.impossible) {
		if (buf_full(&text))
			left(&e, "match", "too many names", "fewer names");
		else if (tlswant_read(&w, buf_str(&text), pool, &no) != 0)
			left(&e, pool_strdup(pool, value),
			    pool_strdup(pool, no.text), "another entry");
		else {
			buf_reset(&text);
			tlswant_write(&w, &text); /* its one form */
			p->want = pool_str(pool, buf_str(&text)).p;
		}
	}
	buf_fini(&text);
	buf_fini(&e.match);
	return r;
}

static int
level_of(struct str word, enum level *level_r)
{
	unsigned i;

	for (i = 0; i < LEVELS; i++) {
		if (str_ieq_c(word, levels[i])) {
			*level_r = (enum level)i;
			return 0;
		}
	}
	return -1;
}

static int
attribute(struct entry *e, struct str word, struct err *why)
{
	size_t at = str_find(word, '='), i = 0;
	struct str name = str_n(word.p, at), value;

	if (at == word.n || at + 1 == word.n || at == 0)
		return err_text(why, "\"%.*s\" is no attribute with a value",
		    STR_FMT(word));
	value = str_n(word.p + at + 1, word.n - at - 1);
	if (str_ieq_c(name, "match")) {
		if (e->level < LV_FINGERPRINT)
			return err_text(why, "match says nothing at level %s",
			    levels[e->level]);
		(void)buf_add_str(&e->match, value);
		(void)buf_add_char(&e->match, ' ');
		return 0;
	}
	if (str_ieq_c(name, "tafile")) {
		if (e->ca != NULL && e->level >= LV_VERIFY &&
		    !e->impossible) {
			left(e, "tafile", "more than one file of trust "
			    "anchors", "one file with all of them");
			e->impossible = true;
		}
		e->ca = pool_str(e->pool, value).p;
		return 0;
	}
	if (str_istarts(name, "policy_") || str_ieq_c(name, "mx_host_pattern"))
	{
		if (!e->sts)
			left(e, pool_str(e->pool, word).p, "attributes of "
			    "MTA-STS plug-ins are not read",
			    "nothing, for a fixed table");
		e->sts = true;
		return 0;
	}
	while (i < NELEM(attributes) && !str_ieq_c(name, attributes[i]))
		i++;
	if (i == NELEM(attributes))
		return err_text(why, "\"%.*s\" is no attribute",
		    STR_FMT(name));
	if (e->once[i].n > 0)
		return err_text(why, "%s is there twice", attributes[i]);
	e->once[i] = value;
	return 0;
}

static int
others(struct entry *e, struct err *why)
{
	static const char *const grades[] = { "export", "low", "medium",
		"high", "null" };
	struct str s = e->once[AT_CIPHERS];
	size_t i = 0;

	/* We have none below high: each grade is met. */
	while (s.n > 0 && i < NELEM(grades) && !str_ieq_c(s, grades[i]))
		i++;
	if (i == NELEM(grades))
		return err_text(why, "\"%.*s\" is no grade of ciphers",
		    STR_FMT(s));
	if (e->once[AT_PROTOCOLS].n > 0 &&
	    protocols(e, e->once[AT_PROTOCOLS], why) != 0)
		return -1;
	if (e->once[AT_EXCLUDE].n > 0)
		exclude(e, e->once[AT_EXCLUDE]);
	s = e->once[AT_SERVERNAME];
	if (s.n > 0 && !str_ieq_c(s, "hostname"))
		left(e, pool_printf(e->pool, "servername=%.*s", STR_FMT(s)),
		    "the name sent to the server (SNI) is that of the host",
		    "a route to a host of that name");
	s = e->once[AT_REUSE];
	if (s.n > 0 && !str_ieq_c(s, "yes") && !str_ieq_c(s, "no"))
		return err_text(why, "connection_reuse=%.*s: yes or no",
		    STR_FMT(s));
	e->p->once = str_ieq_c(s, "no");
	if (str_ieq_c(e->once[AT_RPK], "yes"))
		stronger(e, "raw public keys are not used");
	return 0;
}

/* Without a sign: these and no others. */
static int
protocols(struct entry *e, struct str value, struct err *why)
{
	static const char *const names[] = { "SSLv2", "SSLv3", "TLSv1",
		"TLSv1.1", "TLSv1.2", "TLSv1.3" };
	static const char *const ours[] = { NULL, NULL, NULL, NULL, "1.2",
		"1.3" };
	bool only = false, in[NELEM(names)] = { false },
	    out[NELEM(names)] = { false };
	struct str rest = value, s;
	size_t i, j, skip, least = NELEM(names);

	while (posttable_word(&rest, ":", &s)) {
		skip = str_istarts(s, ">=") || str_istarts(s, "<=") ? 2 :
		    s.p[0] == '!' ? 1 : 0;
		for (i = 0; i < NELEM(names); i++) {
			if (str_ieq_c(str_n(s.p + skip, s.n - skip), names[i]))
				break;
		}
		if (i == NELEM(names))
			return err_text(why, "\"%.*s\" is no protocol: SSLv2, "
			    "SSLv3, TLSv1, TLSv1.1, TLSv1.2 or TLSv1.3, with "
			    "!, >= or <= in front", STR_FMT(s));
		only = only || skip == 0;
		in[i] = in[i] || skip == 0;
		for (j = 0; skip > 0 && j < NELEM(names); j++)
			out[j] = out[j] || (s.p[0] == '!' ? j == i :
			    s.p[0] == '>' ? j < i : j > i);
	}
	for (i = NELEM(names); i-- > 0;) {
		if (!out[i] && (!only || in[i]))
			least = i;
	}
	if (least == NELEM(names))
		return err_text(why, "protocols=%.*s leaves none",
		    STR_FMT(value));
	e->min = ours[least];
	for (i = least < 4 ? 4 : least; i < NELEM(names); i++) {
		if (out[i] || (only && !in[i]))
			left(e, pool_printf(e->pool, "protocols=%.*s",
			    STR_FMT(value)), "a protocol above the lowest "
			    "cannot be left out", "min= in the TLS setting, "
			    "as it is now");
	}
	return 0;
}

/* A word of suites that we never offer excludes nothing. */
static void
exclude(struct entry *e, struct str value)
{
	static const char *const absent[] = { "aNULL", "eNULL", "NULL", "EXP",
		"EXPORT", "EXPORT40", "EXPORT56", "LOW", "MEDIUM", "RC2",
		"RC4", "DES", "3DES", "MD5", "SEED", "IDEA", "CAMELLIA",
		"CAMELLIA128", "CAMELLIA256", "ARIA", "ARIA128", "ARIA256",
		"aDSS", "DSS", "PSK", "kPSK", "aPSK", "SRP", "kSRP", "aSRP",
		"ADH", "AECDH", "DH", "DHE", "EDH", "kDH", "kDHE", "kEDH",
		"aDH", "kDHr", "kDHd", "kECDH", "aECDH", "KRB5", "SSLv2" };
	struct str rest = value, s, part;
	bool known;
	size_t i;

	while (posttable_word(&rest, ":", &s)) {
		known = false;
		for (part = s; !known && posttable_word(&s, "+", &part);) {
			for (i = 0; !known && i < NELEM(absent); i++)
				known = str_ieq_c(part, absent[i]);
		}
		if (known)
			continue;
		left(e, pool_printf(e->pool, "exclude=%.*s", STR_FMT(value)),
		    "suites cannot be taken out of the list",
		    "ciphers= or min=1.3 in the TLS setting");
		return;
	}
}

/* "AA:BB:…" to octets. */
static bool
digest(struct str s, unsigned char *dst)
{
	static const char hex[] = "0123456789abcdef";
	const char *at;
	unsigned n = 0;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == ':')
			continue;
		at = memchr(hex, ch_lower(s.p[i]), 16);
		if (at == NULL || n == 2 * DIGEST)
			return false;
		dst[n / 2] = (unsigned char)(n % 2 == 0 ? at - hex :
		    dst[n / 2] << 4 | (at - hex));
		n++;
	}
	return n == 2 * DIGEST;
}

/* Postfix compares with certificate and key. */
static void
write_pins(struct entry *e, struct buf *dst)
{
	struct str rest = buf_str(&e->match), s;
	unsigned char d[DIGEST];
	struct str of = str_n((const char *)d, DIGEST);
	const char *sep = " pin=";

	(void)buf_add_c(dst, "required-verify");
	while (posttable_word(&rest, "| ", &s)) {
		if (!digest(s, d)) {
			stronger(e, "fingerprints that are not SHA-256 do not "
			    "count");
			continue;
		}
		(void)buf_printf(dst, "%ssha256:", sep);
		(void)hex_encode(dst, of);
		(void)buf_add_c(dst, ",spki:");
		(void)base64_encode(dst, of);
		sep = ",";
	}
	if (sep[0] == ',')
		return;
	e->impossible = true;
	left(e, "fingerprint", e->match.len == 0 ? "the fingerprints are in "
	    "smtp_tls_fingerprint_cert_match, which is not in the table" :
	    "none of the fingerprints is SHA-256",
	    "match= with SHA-256 digests");
}

struct names {
	bool mx, domain, below; /* hostname, nexthop, dot-nexthop */
	struct buf list;
};

static void
name(struct names *n, const char *dot, struct str s)
{
	(void)buf_printf(&n->list, "%s%s%.*s", buf_len(&n->list) > 0 ? "," :
	    "", dot, STR_FMT(s));
}

/* Whose certificate it may be. */
static void
write_match(struct entry *e, struct buf *dst)
{
	bool parent = e->domain[0] == '.';
	struct names n = { .mx = e->level == LV_VERIFY,
		.domain = e->level == LV_SECURE,
		.below = e->level == LV_SECURE };
	struct str rest = buf_str(&e->match), s;

	buf_init(&n.list, WANT_MAX);
	if (rest.n > 0)
		n.mx = n.domain = n.below = false;
	while (posttable_word(&rest, ": ", &s)) {
		if (str_ieq_c(s, "hostname"))
			n.mx = true;
		else if (str_ieq_c(s, "nexthop"))
			n.domain = true;
		else if (str_ieq_c(s, "dot-nexthop"))
			n.below = true;
		else
			name(&n, "", s);
	}
	if (n.domain && !parent)
		name(&n, "", str_c(e->domain));
	if (n.below && !parent && domain_valid(str_c(e->domain), true) &&
	    !ch_digit(e->domain[strlen(e->domain) - 1]))
		name(&n, ".", str_c(e->domain));
	else if (n.below && parent)
		stronger(e, "names below the domain do not count");
	if (n.mx)
		(void)buf_add_c(dst, "required-verify match=hosted");
	else if (n.domain && parent)
		(void)buf_add_c(dst, "required-verify match=domain");
	else
		(void)buf_add_c(dst, "required-verify match=names");
	if (buf_len(&n.list) > 0) {
		(void)buf_printf(dst, " names=%s", buf_p(&n.list));
	} else if (!n.mx && !n.domain) {
		e->impossible = true;
		left(e, "dot-nexthop", "an entry for many domains cannot name "
		    "what is below each", "an entry for each domain");
	}
	if (buf_full(&n.list))
		dst->full = true;
	buf_fini(&n.list);
}

static void
write(struct entry *e, struct buf *dst)
{
	switch (e->level) {
	case LV_NONE:
		(void)buf_add_c(dst, "none");
		return;
	case LV_MAY:
		(void)buf_add_c(dst, "opportunistic");
		break;
	case LV_ENCRYPT:
		(void)buf_add_c(dst, "required");
		break;
	case LV_DANE:
		(void)buf_add_c(dst, "required-verify");
		stronger(e, "there is no DANE yet: the certificate must be of "
		    "a known authority, for the domain, or nothing is sent");
		break;
	case LV_DANE_ONLY:
		(void)buf_add_c(dst, "required-verify");
		stronger(e, "there is no DANE yet: in place of a TLSA record "
		    "an authority must vouch for the domain's name");
		break;
	case LV_FINGERPRINT:
		write_pins(e, dst);
		break;
	case LV_VERIFY:
	case LV_SECURE:
		write_match(e, dst);
		break;
	case LEVELS:
		panic("level");
	}
	if (e->ca != NULL && e->level >= LV_VERIFY)
		(void)buf_printf(dst, " ca=%s", e->ca);
	if (e->min != NULL)
		(void)buf_printf(dst, " min=%s", e->min);
}
