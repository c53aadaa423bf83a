/*
 * What a destination's certificate may be for, from a want and what is known
 * of the host (requirements.md 4.1). The one place that turns `match` into
 * names: delivery, `postern tls-test` and `postern tlsverify` ask it.
 */
#ifndef RELAY_REFS_H
#define RELAY_REFS_H

#include <stdbool.h>

#include "base/pool.h"
#include "tls/tlsref.h"
#include "tls/tlswant.h"

struct refs_host {
	struct str domain; /* next-hop domain: the recipient's, or that of an
			    * mx: route */
	const char *host;  /* MX or route host; "" or literal: none */
	bool route;	   /* host is of a static route */
	bool secure;	   /* DNSSEC vouches for the MX records */
	const char *ptr;   /* name of the address, forward-confirmed or not;
			    * NULL: unknown */
};

/* In the order of comparison, a NULL name at the end; in pool. */
const struct tlsref *refs_make(const struct tlswant *want,
    const struct refs_host *h, struct pool *pool);
/* Must the name of the address be looked up first? */
bool refs_need_ptr(const struct tlswant *want);

#endif
