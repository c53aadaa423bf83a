/*
 * TLS want: how a message must be protected on the wire (DESIGN.md 3).
 *
 * A level, how the certificate is matched, and how long to insist. The levels
 * sort by strength; wants of several sources combine by maximum. A want has one
 * text form, in which it is stored with a recipient, is part of a next hop's
 * key, and is shown:
 *
 *     required-verify match=hosted min=1.2 deadline=24h
 *
 * Equal texts are equal wants.
 */
#ifndef TLS_TLSWANT_H
#define TLS_TLSWANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

enum tlswant_level {
	TLSWANT_NONE,
	TLSWANT_OPPORTUNISTIC,
	TLSWANT_PREFERRED,
	TLSWANT_PREFERRED_VERIFY,
	TLSWANT_REQUIRED,
	TLSWANT_REQUIRED_VERIFY
};

/*
 * Which names the certificate may be for (requirements.md 4.1). The secure MX
 * means that DNSSEC or a static route vouches for the host's name.
 */
enum tlswant_match {
	TLSWANT_MATCH_MX,     /* default: the domain; the MX if secure */
	TLSWANT_MATCH_DOMAIN, /* the recipient's domain only */
	TLSWANT_MATCH_HOSTED, /* domain, MX or route host, secure or not; the
				 CN counts where there is no SAN at all */
	TLSWANT_MATCH_COMPAT, /* Cisco Verify: SAN = domain, CN = domain,
				 CN = name of the address (PTR) */
	TLSWANT_MATCH_NAMES   /* those of names[] and no other */
};

/* A key or certificate of the peer that is known beforehand. */
struct tlspin {
	bool spki;	     /* of the public key, else of the certificate */
	uint8_t sha256[32];
	msec from, until;    /* wall time in which it counts; 0: no bound */
};

/* Strings and arrays live in whatever pool it was made in. */
struct tlswant {
	enum tlswant_level level;
	enum tlswant_match match;
	/* With a leading dot: what is below. NULL: none given. In place of
	 * all others with MATCH_NAMES, else beside them. */
	const char *const *names;
	/* The leaf must be one of these, if any counts at the time; chain and
	 * name are then not asked for at the levels that verify. */
	const struct tlspin *pin;
	unsigned npin;
	const char *ca;	      /* roots for it alone; NULL: the common ones */
	uint16_t min_version; /* 0x0303 …; 0: the common one */
	const char *ciphers;  /* TLS 1.2 and below; NULL: the common ones */
	const char *groups;   /* NULL: the common ones */
	bool requiretls;      /* the host must offer REQUIRETLS and is given
			       * the message with it (RFC 8689);
			       * required-verify only */
	msec deadline;	      /* age at which mail that TLS failed goes back;
			       * 0: the profile's lifetime */
	msec warn_after;      /* age at which the sender is told of the delay;
			       * 0: as the profile says */
};

/* The words of the six levels only. */
bool tlswant_parse(struct str text, enum tlswant_level *level_r);
const char *tlswant_name(enum tlswant_level level);
/*
 * The text form. Also takes the aliases "forced" (required-verify, match mx,
 * deadline 24h), "required-verify-hosted" and "preferred-verify-hosted"
 * (match=hosted). Errors name the word. What it points to is in pool.
 */
int tlswant_read(struct tlswant *w_r, struct str text, struct pool *pool,
    struct err *why);
/* Adds the text form, the same for equal wants. */
void tlswant_write(const struct tlswant *w, struct buf *dst);
/* One pin as people write it: "sha256:HEX" (certificate) or "spki:BASE64",
 * with an optional "@FROM..UNTIL" of dates (2026-01-31), either may be missing;
 * both days count, in UTC. "none" is the pin that nothing meets.
 */
int tlspin_read(struct tlspin *p_r, struct str text, struct err *why);
void tlspin_write(const struct tlspin *p, struct buf *dst);
/* Is wall within its time? */
bool tlspin_counts(const struct tlspin *p, msec wall);

/*
 * The maximum of both: what meets *r_r meets a and b. The higher level brings
 * its match, names, pins, roots, ciphers and groups. Of equal levels the
 * stricter match counts with its names (names, domain, mx, hosted, compat), of
 * equal matches the names of both; a key that is pinned is stricter than any
 * match; of two lists of ciphers or groups, what is in both. A minimum version
 * counts whoever asks; deadlines and warnings: the earlier. Demands that
 * nothing could meet at once (no pin, name or file of roots in common) make a
 * want that no certificate meets (pin=none), no cipher or group in common one
 * that cannot be negotiated ("none"). Points into a, b and pool.
 */
void tlswant_max(struct tlswant *r_r, const struct tlswant *a,
    const struct tlswant *b, struct pool *pool);
/* The text form of the maximum of both texts, in pool; is: NULL or "": nothing
 * yet. -1: one is not readable, or it would be longer than most. */
int tlswant_raise(struct pool *pool, const char *is, const char *more,
    size_t most, const char **want_r, struct err *why);
/* Is clear text ever allowed under it? */
bool tlswant_clear_ok(enum tlswant_level level);
bool tlswant_verifies(enum tlswant_level level);
/* Is nothing sent over TLS whose certificate does not hold? */
bool tlswant_insists(enum tlswant_level level);
/* Equal wants share a connection; the key of pools and session caches. */
uint64_t tlswant_key(const struct tlswant *w, struct str domain);

#endif
