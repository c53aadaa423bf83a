#include "mail/addr.h"

#include <string.h>

#include "base/codec.h"

/* What is wrong with the address of a sender (ADDR_NULL_OK) or recipient. */
static int bad(unsigned flags, struct err *why, const char *text);
static int mailbox(struct pool *pool, struct str *rest, unsigned flags,
    struct addr *a_r, struct err *why);
static int local_part(struct str *rest, unsigned flags, struct str *local_r,
    struct err *why);
static int domain_part(struct str *rest, unsigned flags, struct addr *a,
    struct err *why);
static int source_route(struct str *rest, unsigned flags, struct err *why);
static size_t unescape(struct str s, bool keep, char *dst);
static bool dot_string(struct str s);
static size_t text_char(struct str s, unsigned flags, bool quoted);
static void fill(struct pool *pool, struct str local, struct str domain,
    struct addr *a);

static void
skip(struct str *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

int
addr_parse_path(struct pool *pool, struct str *rest, unsigned flags,
    struct addr *a_r, struct err *why)
{
	struct str s = *rest;
	struct addr a;

	if (s.n == 0 || s.p[0] != '<')
		return bad(flags, why, "address must be in angle brackets");
	skip(&s, 1);
	if (s.n > 0 && s.p[0] == '>') {
		if ((flags & ADDR_NULL_OK) == 0)
			return bad(flags, why, "empty address");
		memset(&a, 0, sizeof(a));
		fill(pool, STR(""), STR(""), &a);
	} else {
		if (source_route(&s, flags, why) != 0 ||
		    mailbox(pool, &s, flags, &a, why) != 0)
			return -1;
		if (s.n == 0 || s.p[0] != '>')
			return bad(flags, why, "address is malformed");
	}
	skip(&s, 1);
	*rest = s;
	*a_r = a;
	return 0;
}

int
addr_parse(struct pool *pool, struct str text, unsigned flags,
    struct addr *a_r, struct err *why)
{
	struct str s = text;
	struct addr a;

	if (s.n == 0) {
		if ((flags & ADDR_NULL_OK) == 0)
			return bad(flags, why, "empty address");
		memset(&a, 0, sizeof(a));
		fill(pool, STR(""), STR(""), &a);
	} else if (mailbox(pool, &s, flags, &a, why) != 0) {
		return -1;
	}
	if (s.n > 0)
		return bad(flags, why, "address is malformed");
	*a_r = a;
	return 0;
}

bool
addr_listed(const char *const *list, const struct addr *a)
{
	char one[ADDR_LOCAL_MAX], other[ADDR_LOCAL_MAX];
	struct str entry, local;
	const char *at;
	size_t n = 0;

	if (a->local.n <= sizeof(one))
		n = addr_fold_local(a->local, one);
	for (; *list != NULL && a->domain.n > 0; list++) {
		entry = str_c(*list);
		at = strrchr(*list, '@');
		if (at != NULL) {
			local = str_n(entry.p, (size_t)(at - entry.p));
			if (local.n > sizeof(other) ||
			    !str_eq(str_n(one, n),
				str_n(other, addr_fold_local(local, other))))
				continue;
			entry = str_c(at + 1);
		}
		if (domain_matches(entry, a->domain))
			return true;
	}
	return false;
}

size_t
addr_fold_local(struct str s, char *dst)
{
	bool quoted = s.n > 1 && s.p[0] == '"' && s.p[s.n - 1] == '"';
	struct str in = quoted ? str_n(s.p + 1, s.n - 2) : s;
	size_t n = unescape(in, !quoted, dst);

	if (quoted && !dot_string(str_n(dst, n))) {
		n = unescape(in, true, dst + 1) + 1;
		dst[0] = dst[n++] = '"';
	}
	str_lower(dst, n);
	return n;
}

const char *
addr_fold(struct pool *pool, const struct addr *a)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	struct str domain = domain_fold(a->domain, folded, sizeof(folded));
	char *text = pool_alloc(pool, a->local.n + domain.n + 2);
	size_t n = addr_fold_local(a->local, text);

	if (a->domain.n > 0)
		text[n++] = '@';
	memcpy(text + n, domain.p, domain.n + 1);
	return text;
}

static int
bad(unsigned flags, struct err *why, const char *text)
{
	bool sender = (flags & ADDR_NULL_OK) != 0;

	return err_set(why, 501, sender ? "5.1.7" : "5.1.3", "%s %s",
	    sender ? "Sender" : "Recipient", text);
}

/* The backslashes go; with keep, but for those that a quoted string needs. */
static size_t
unescape(struct str s, bool keep, char *dst)
{
	size_t i, n = 0;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n) {
			i++;
			if (keep && (s.p[i] == '"' || s.p[i] == '\\'))
				dst[n++] = '\\';
		}
		dst[n++] = s.p[i];
	}
	return n;
}

/* It needs no quotes. */
static bool
dot_string(struct str s)
{
	struct str rest = s, local;
	struct err why = ERR_INIT;

	return s.n > 0 && s.p[0] != '"' &&
	    local_part(&rest, ADDR_UTF8_OK, &local, &why) == 0 && rest.n == 0;
}

/* "local@domain" at the front of rest; or postmaster alone. */
static int
mailbox(struct pool *pool, struct str *rest, unsigned flags, struct addr *a_r,
    struct err *why)
{
	struct str s = *rest, local;
	struct addr a;

	memset(&a, 0, sizeof(a));
	if (local_part(&s, flags, &local, why) != 0)
		return -1;
	if (s.n == 0 || s.p[0] != '@') {
		if ((flags & ADDR_POSTMASTER_OK) == 0 ||
		    !str_ieq_c(local, "postmaster"))
			return bad(flags, why, "address has no domain");
		fill(pool, local, STR(""), &a);
	} else {
		skip(&s, 1);
		if (domain_part(&s, flags, &a, why) != 0)
			return -1;
		if (local.n + 1 + a.domain.n + 2 > ADDR_PATH_MAX)
			return bad(flags, why, "address is too long");
		fill(pool, local, a.domain, &a);
	}
	*rest = s;
	*a_r = a;
	return 0;
}

/* Dot-string or Quoted-string (RFC 5321 4.1.2, RFC 6531 3.3). */
static int
local_part(struct str *rest, unsigned flags, struct str *local_r,
    struct err *why)
{
	struct str s = *rest;
	bool quoted = s.n > 0 && s.p[0] == '"';
	size_t i = quoted ? 1 : 0, n, start = i;

	while (i < s.n) {
		if (quoted && s.p[i] == '"')
			break;
		if (!quoted && s.p[i] == '.' && i > start) {
			/* No two dots, none at the end. */
			start = ++i;
			continue;
		}
		n = text_char(str_n(s.p + i, s.n - i), flags, quoted);
		if (n == 0)
			break;
		i += n;
	}
	if (i < s.n && (unsigned char)s.p[i] >= 0x80)
		return (flags & ADDR_UTF8_OK) != 0 ?
		    bad(flags, why, "address is not valid UTF-8") :
		    err_set(why, 553, "5.6.7", "Non-ASCII address needs "
			"SMTPUTF8");
	if (quoted) {
		if (i >= s.n || s.p[i] != '"')
			return bad(flags, why, "local part is malformed");
		i++;
	} else if (i == start) {
		return bad(flags, why, "local part is malformed");
	}
	if (i > ADDR_LOCAL_MAX)
		return bad(flags, why, "local part is too long");
	*local_r = str_n(s.p, i);
	*rest = str_n(s.p + i, s.n - i);
	return 0;
}

static int
domain_part(struct str *rest, unsigned flags, struct addr *a, struct err *why)
{
	bool utf8 = (flags & ADDR_UTF8_OK) != 0;
	char ip[64], ascii[ADDR_DOMAIN_MAX + 1];
	struct str s = *rest;
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '[') {
		n = str_find(s, ']');
		if (n < s.n)
			n++;
		a->literal = true;
		if (!domain_literal(str_n(s.p, n), ip, sizeof(ip)))
			return bad(flags, why, "address literal is malformed");
	} else {
		while (n < s.n && (ch_alnum(s.p[n]) || s.p[n] == '-' ||
		    s.p[n] == '.' || (unsigned char)s.p[n] >= 0x80))
			n++;
		if (!utf8 && !ascii_only(str_n(s.p, n)))
			return err_set(why, 553, "5.6.7", "Non-ASCII address "
			    "needs SMTPUTF8");
		if (n > ADDR_DOMAIN_MAX)
			return bad(flags, why, "domain is too long");
		if (!domain_valid(str_n(s.p, n), utf8) ||
		    (utf8 && domain_to_ascii(str_n(s.p, n), ascii,
		    sizeof(ascii)) != 0))
			return bad(flags, why, "domain is malformed");
	}
	a->domain = str_n(s.p, n);
	*rest = str_n(s.p + n, s.n - n);
	return 0;
}

/* "@one,@two:" is read and dropped (RFC 5321 appendix C). */
static int
source_route(struct str *rest, unsigned flags, struct err *why)
{
	struct str s = *rest;
	struct addr hop;

	if (s.n == 0 || s.p[0] != '@')
		return 0;
	for (;;) {
		memset(&hop, 0, sizeof(hop));
		if (s.n == 0 || s.p[0] != '@')
			return bad(flags, why, "source route is malformed");
		skip(&s, 1);
		if (domain_part(&s, flags, &hop, why) != 0)
			return -1;
		if (s.n == 0 || (s.p[0] != ',' && s.p[0] != ':'))
			return bad(flags, why, "source route is malformed");
		skip(&s, 1);
		if (s.p[-1] == ':')
			break;
	}
	*rest = s;
	return 0;
}

/* Octets of one character of a local part, 0 if it cannot be there. */
static size_t
text_char(struct str s, unsigned flags, bool quoted)
{
	static const char atext[] = "!#$%&'*+-/=?^_`{|}~";
	uint32_t cp = 0;
	char c = s.p[0];
	size_t n;

	if ((unsigned char)c >= 0x80) {
		n = (flags & ADDR_UTF8_OK) != 0 ? utf8_char(s, &cp) : 0;
		/* C1 controls and separators have no place in a line. */
		return cp < 0xa0 || cp == 0x2028 || cp == 0x2029 ? 0 : n;
	}
	if (!quoted)
		return ch_alnum(c) || (c != '\0' && strchr(atext, c) != NULL);
	if (c == '\\')
		return s.n >= 2 && ch_print(s.p[1]) ? 2 : 0;
	return ch_print(c) && c != '"';
}

static void
fill(struct pool *pool, struct str local, struct str domain, struct addr *a)
{
	size_t n = domain.n > 0 ? local.n + 1 + domain.n : local.n;
	char *full = pool_alloc(pool, n + 1);

	if (local.n > 0)
		memcpy(full, local.p, local.n);
	a->full = str_n(full, n);
	a->local = str_n(full, local.n);
	a->domain = str_n(full + n, 0);
	if (domain.n > 0) {
		full[local.n] = '@';
		memcpy(full + local.n + 1, domain.p, domain.n);
		/* Only letters: "[IPv6:" keeps its looks. */
		if (!a->literal)
			str_lower(full + local.n + 1, domain.n);
		a->domain = str_n(full + local.n + 1, domain.n);
	}
	a->utf8 = !ascii_only(a->full);
}
