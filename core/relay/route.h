/*
 * Which way mail for a domain goes: a static route, or the domain's MX.
 *
 * The key of a next hop names it in queue, log and shared memory: "route:D"
 * for the route whose domain is D (so that all domains of one smarthost share
 * its connections), else the domain in its ASCII form, lower case.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "relay/relay.h"

/* The route of a domain: exact name, then the longest ".parent", then "*";
 * NULL: by MX. */
const struct relay_route *route_find(const struct relay_conf *conf,
    struct str domain);
/* The route that a key names; NULL: the key is a domain. */
const struct relay_route *route_of_key(const struct relay_conf *conf,
    const char *key);
/* Writes the key into dst. An empty domain (postmaster) is our own. */
void route_key(const struct relay_conf *conf, struct str domain, char *dst,
    size_t n);

#endif
