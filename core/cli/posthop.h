/*
 * A next hop of Postfix, "[host]:port", "domain" and so on, as a host of ours
 * (relay/route.h): "host:25", "[192.0.2.1]:25", "mx:domain". One hop has one
 * form.
 */
#ifndef CLI_POSTHOP_H
#define CLI_POSTHOP_H

#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

/* NULL: it is none, or none that we could reach. */
const char *posthop_host(struct pool *pool, struct str hop, struct err *why);
/* The host itself as a computer: no MX is asked for. port 0: 25. */
const char *posthop_direct(struct pool *pool, struct str name, unsigned port,
    struct err *why);
/* A number or a name that Postfix's documents use; 0: neither. */
unsigned posthop_port(struct str s);
/* What stands behind mx: or in front of the port, without brackets. */
struct str posthop_name(const char *host);

#endif
