/*
 * Which way mail for a domain goes: a static route, or the domain's MX.
 *
 * The key of a next hop names it in queue and log: "route:D" for the route
 * whose domain is D (so that all domains of one smarthost share its
 * connections), else the domain in its ASCII form, lower case. Where the TLS
 * want is not that of delivery, its text follows behind a space, so that what
 * is wanted differently waits, fails and travels apart:
 *
 *     example.net required-verify match=hosted
 *
 * What is in front of the space names the destination in shared memory: its
 * limits hold for all wants together.
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "relay/relay.h"

/* The route of a domain: exact name, then the longest ".parent", then "*";
 * NULL: by MX. */
const struct relay_route *route_find(const struct relay_conf *conf,
    struct str domain);
/* The route that a key names, with or without a want; NULL: the key is a
 * domain. */
const struct relay_route *route_of_key(const struct relay_conf *conf,
    const char *key);
/* Writes the key without a want into dst, and returns the route or NULL. An
 * empty domain (postmaster) is our own. */
const struct relay_route *route_key(const struct relay_conf *conf,
    struct str domain, char *dst, size_t n);
/* Takes a key apart. */
struct str route_key_hop(const char *key);
const char *route_key_want(const char *key); /* "" = that of delivery */

#endif
