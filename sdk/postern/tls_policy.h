/*
 * postern/tls_policy.h - tls_policy/1: who demands what TLS on the way out.
 *
 * Everybody who provides it is asked, and the strictest answer counts, together
 * with what the configuration and the recipient itself demand; nobody can lower
 * it. Answers are wants in their text form (postern.lua(5), TLS WANTS):
 * "required-verify match=mx deadline=24h". An answer that cannot be read, a
 * failure and a timeout put the mail off: it is not sent with less.
 *
 * "tls_policy/1.rcpt": for a recipient, whenever its next hop is determined,
 * at start for everything that waits: be quick, PST_WAIT is not allowed.
 * "tls_policy/1.entry": which entry of what that answer was, for those who ask
 * `postern explain`; may be missing.
 * "tls_policy/1.decide": for a next hop, before connections are made, when its
 * hosts are known; may wait.
 */
#ifndef POSTERN_TLS_POLICY_H
#define POSTERN_TLS_POLICY_H

#include <postern/plugin.h>

#define PST_TLS_POLICY_RCPT "tls_policy/1.rcpt"	    /* struct pst_tls_rcpt */
#define PST_TLS_POLICY_ENTRY "tls_policy/1.entry"   /* struct pst_tls_entry */
#define PST_TLS_POLICY_DECIDE "tls_policy/1.decide" /* struct pst_tls_hop */

struct pst_tls_rcpt {
	uint32_t size;
	const char *domain; /* lower case, A-labels; our own name for mail to
			     * "postmaster" alone */
	const char *local;  /* before the @; "": any */
	const char *want;   /* out: NULL, or text that lives as long as the
			     * instance */
};

struct pst_tls_entry {
	uint32_t size;
	const char *domain, *local; /* as in struct pst_tls_rcpt */
	const char *entry;  /* out: NULL, or text in memory of the event:
			     * "/etc/postern/tls.txt:12 .example.net" */
};

struct pst_tls_mx {
	const char *name;
	bool secure; /* DNSSEC vouches for it, or a configured route */
};

struct pst_tls_hop {
	uint32_t size;
	const char *domain; /* next hop: recipients' domain, or the name of
			     * the route, "*" for hosts without one */
	bool route;	    /* the hosts are configured, not from DNS */
	uint32_t count;
	const struct pst_tls_mx *mx;
	const char *want;   /* out: NULL, or text in memory of the event */
	const char *source; /* out: "dane", "mta-sts": for the log */
	uint32_t ttl;	    /* out: seconds the answer holds; 0: 5 min */
};

#endif
