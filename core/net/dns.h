/*
 * DNS, asynchronous and validating (libunbound on our loop).
 *
 * An answer is always delivered from the loop, never from inside the call that
 * asked, though libunbound calls back at once for cached names. dns_new() is
 * called after fork(): a resolver belongs to one loop.
 *
 * DNSSEC is validated only if trust_anchor is given (Debian's package
 * dns-root-data has the root's, /usr/share/dns/root.key): servers that cannot
 * carry signatures would turn every answer bogus otherwise. Without it no
 * answer is secure.
 *
 * records is a file of resource records, one a line, as in a zone file with
 * full names ("mx.example.com. 300 IN A 192.0.2.1"; TTL and class may be
 * left out; ';' begins a comment). Each name in it and everything below that
 * name is answered from the file alone: another type is "no data", another
 * name "no such domain". A SOA record makes its name the top of such a zone;
 * with one for "." nothing is ever asked outside. CNAMEs are followed, out of
 * the file as well. Only localhost and the reserved zones of RFC 6761 and
 * 7686 but "test" are built in.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pool.h"
#include "net/loop.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

enum dns_status {
	DNS_OK,	      /* at least one record */
	DNS_NODATA,   /* the name exists, the type does not */
	DNS_NXDOMAIN, /* the name does not exist */
	DNS_FAIL,     /* no answer, SERVFAIL, timeout: temporary */
	DNS_BOGUS     /* validation failed: treat as temporary, say so */
};

struct dns_rr {
	enum dns_type type;
	uint16_t pref;	   /* MX */
	const char *name;  /* MX, CNAME, PTR: host, no final dot, "" = root */
	const unsigned char *data; /* rdata as it was */
	unsigned len;
};

struct dns_answer {
	enum dns_status status;
	bool secure;	   /* validated by DNSSEC */
	const char *canon; /* name after CNAMEs, without final dot */
	uint32_t ttl;	   /* seconds */
	const struct dns_rr *rr;
	unsigned n;
	const char *why;   /* text for DNS_FAIL and DNS_BOGUS */
};

struct dns_conf {
	const char *const *servers; /* "IP@port", NULL-terminated; none:
				       resolv.conf */
	const char *records;	    /* file of RRs answered locally, or NULL */
	const char *trust_anchor;   /* file of DS or DNSKEY, or NULL: DNSSEC
				       is not validated */
	msec timeout;		    /* of a question; 0: 10 s */
};

struct dns;
struct dns_query;

typedef void dns_fn(void *arg, const struct dns_answer *a);

int dns_new(struct dns **dns_r, struct loop *l, const struct dns_conf *conf,
    struct err *why);
/* Questions that wait are forgotten, their fn is not called. */
void dns_destroy(struct dns **dp);
struct loop *dns_loop(struct dns *d);

/* Questions asked, those that local records answered included, and those of
 * them without an answer: neither records nor that there are none. */
struct dns_stats {
	uint64_t queries, failed;
};
void dns_stats(const struct dns *d, struct dns_stats *st);

/* The answer is valid during fn only. A name that cannot be one does not
 * exist (DNS_NXDOMAIN). */
struct dns_query *dns_ask(struct dns *d, const char *name, enum dns_type type,
    dns_fn *fn, void *arg);
/* Sets *qp NULL; fn will not be called. fn itself must forget its pointer. */
void dns_cancel(struct dns_query **qp);

#endif
