/*
 * Addresses and domains (RFC 5321 4.1.2, 4.5.3.1; RFC 6531).
 *
 * Syntax only. An address is kept as it was written, cut in two: the local
 * part (quotes kept, case kept) and the domain (lower case; A- or U-labels as
 * given; address literal with its brackets). Source routes are dropped
 * (RFC 5321 appendix C). "postmaster" without a domain is allowed in RCPT
 * (RFC 5321 4.5.1) and has an empty domain.
 */
#ifndef MAIL_ADDR_H
#define MAIL_ADDR_H

#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define ADDR_LOCAL_MAX 64   /* octets, RFC 5321 4.5.3.1.1 */
#define ADDR_DOMAIN_MAX 255 /* octets, RFC 5321 4.5.3.1.2 */
#define ADDR_PATH_MAX 256   /* octets with < and >, RFC 5321 4.5.3.1.3 */

struct addr {
	struct str full;   /* "local@domain", NUL behind; "" = null sender */
	struct str local;  /* points into full */
	struct str domain; /* points into full; "" for null and postmaster */
	bool utf8;	   /* needs SMTPUTF8 */
	bool literal;	   /* domain is an address literal */
};

enum addr_flags {
	ADDR_NULL_OK = 1 << 0,	     /* <> (MAIL) */
	ADDR_POSTMASTER_OK = 1 << 1, /* <postmaster> (RCPT) */
	ADDR_UTF8_OK = 1 << 2,	     /* SMTPUTF8 was asked for */
};

/*
 * Parses a path with its angle brackets at the front of *rest and moves *rest
 * behind it. Fills why with 501 5.1.7/5.1.3, 553 5.6.7 (UTF-8 without
 * SMTPUTF8) and the like. *a_r points into pool memory.
 */
int addr_parse_path(struct pool *pool, struct str *rest, unsigned flags,
    struct addr *a_r, struct err *why);
/* "local@domain" alone, as in a configuration or on a command line. */
int addr_parse(struct pool *pool, struct str text, unsigned flags,
    struct addr *a_r, struct err *why);
/* Is it one of the addresses of that list, which ends with NULL, or in one of
 * its domains (domain_matches())? Spellings do not count. */
bool addr_listed(const char *const *list, const struct addr *a);

/* What two spellings of a mailbox have in common (RFC 5321 4.1.2, RFC 5890):
 * the local part without needless quotes and backslashes, in lower case, though
 * a host may tell cases apart; the domain as domain_fold() has it. A NUL is
 * behind; "" is the null sender. */
const char *addr_fold(struct pool *pool, const struct addr *a);
/* The local part alone, into s.n octets or more; no NUL. */
size_t addr_fold_local(struct str s, char *dst);

/* A host or domain name: letters, digits, hyphens, 63/255 octets, no trailing
 * dot; UTF-8 labels only if utf8. Address literals are not domains. */
bool domain_valid(struct str s, bool utf8);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]"; the bare address goes to ip_r. */
bool domain_literal(struct str s, char *ip_r, size_t n);
/* A-label form, lower case, into dst (libidn2 nontransitional, NFC input, LDH
 * checked by us); -1 if there is none. ASCII input is only checked, folded. */
int domain_to_ascii(struct str s, char *dst, size_t n);
/* What two spellings of a domain have in common: the A-label form, lower
 * case; a leading dot stays, and what has no such form is only folded. */
struct str domain_fold(struct str s, char *dst, size_t n);
/* domain = "example.org" matches itself; ".example.org" its sub-domains;
 * "*" everything. U-labels and A-labels are the same, case does not count. */
bool domain_matches(struct str pattern, struct str domain);

#endif
