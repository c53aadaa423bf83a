/*
 * From a domain to the hosts that take its mail (RFC 5321 5.1, RFC 7505).
 *
 * MX, else the implicit MX (A/AAAA of the domain itself); null MX; CNAMEs
 * followed; hosts of equal preference in random order; addresses of both
 * families by the preference asked for, each family shuffled. Hosts whose
 * addresses could not be found now are listed with naddr 0 and temporary set;
 * hosts that have none are left out. At most 20 hosts and 32 addresses.
 */
#ifndef NET_MX_H
#define NET_MX_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/pool.h"
#include "net/dns.h"
#include "net/sock.h"

enum mx_ip { MX_PREFER_V6, MX_PREFER_V4, MX_REQUIRE_V6, MX_REQUIRE_V4 };

enum mx_status {
	MX_OK,
	MX_NULL,     /* "MX 0 .": 5.1.10 (RFC 7505) */
	MX_NXDOMAIN, /* no such domain: 5.1.2 */
	MX_NOHOST,   /* domain exists, no MX and no address: 5.1.2 */
	MX_FAIL	     /* temporary: 4.4.3 */
};

struct mx_host {
	const char *name;	/* as in the MX record or route */
	const char *domain;	/* whose MX it is, else name: what nobody
				   between us and the DNS can change */
	unsigned pref;
	bool secure;		/* name came from signed data or a route */
	bool addr_secure;	/* addresses came from signed data, or are
				   literals */
	bool temporary;		/* addresses: lookup failed for now */
	struct sock_addr *addr;	/* port filled in */
	unsigned naddr;
};

struct mx_result {
	enum mx_status status;
	const char *why;	/* for a person; NULL when MX_OK */
	struct mx_host *host;
	unsigned nhost;
	uint32_t ttl;
};

struct mx_query;
typedef void mx_fn(void *arg, const struct mx_result *r);

/* domain may be a literal, "[192.0.2.1]" or "[IPv6:2001:db8::1]". fn is
 * called once, from the loop; it must forget its pointer. The result lives in
 * pool, which must outlive the query. */
struct mx_query *mx_lookup(struct dns *d, struct pool *pool,
    const char *domain, uint16_t port, enum mx_ip ip, mx_fn *fn, void *arg);
/* A static list "host:port", "[ip]:port", tried in order; names that are to
 * be looked up by MX are written "mx:domain[:port]". */
struct mx_query *mx_hosts(struct dns *d, struct pool *pool,
    const char *const *hosts, uint16_t port, enum mx_ip ip, mx_fn *fn,
    void *arg);
void mx_cancel(struct mx_query **qp);

/* Reverse name with forward confirmation: NULL if there is none. The name is
 * made of letters, digits, '-', '_' and dots only and valid during fn. */
struct mx_reverse;
typedef void mx_reverse_fn(void *arg, const char *name, bool verified);
struct mx_reverse *mx_reverse(struct dns *d, const struct sock_addr *a,
    mx_reverse_fn *fn, void *arg);
/* During fn, where it is not verified: because an answer did not come? */
bool mx_reverse_failed(const struct mx_reverse *r);
void mx_reverse_cancel(struct mx_reverse **rp);
/* The name that the question is for, "1.2.0.192.in-addr.arpa". */
void mx_reverse_name(const struct sock_addr *a, struct buf *name);

#endif
