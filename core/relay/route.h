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
 * limits hold for all wants together. A bounce profile that is the recipient's
 * own (rcpt.profile) and not what holds there anyhow stands before the want,
 * as the first word behind the space, for the same reason:
 *
 *     example.net bounce_profile=patient required-verify match=hosted
 *
 * A recipient may have a route of its own (rcpt.route): the name of a route
 * block, or hosts as in one, "[192.0.2.1]:25 mx:example.net", with one blank
 * between them; a single word that has neither a port nor "mx:" is a name. The
 * key is that of the block, or "hosts:[192.0.2.1]:25,mx:example.net". Where
 * there is no such block (any more) the key names it all the same, and nothing
 * is sent.
 *
 * Where a destination block says more of a recipient's domain than its TLS, and
 * the mail goes by a route, the domain follows behind a slash, so that limits
 * count that domain's mail alone: "route:smart.example/example.net".
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include "relay/relay.h"

/* The route of a domain: exact name, then the longest ".parent", then "*";
 * NULL: by MX. */
const struct relay_route *route_find(const struct relay_conf *conf,
    struct str domain);
/* Is it a rcpt.route that leads somewhere? conf NULL: nobody knows which blocks
 * there are, and names are not looked for. */
int route_check(const struct relay_conf *conf, struct str text,
    struct err *why);
/* One of the hosts of a route. */
bool route_host_valid(struct str s);
/* The route that a key names, with or without a want; NULL: the key is a
 * domain. */
const struct relay_route *route_of_key(const struct relay_conf *conf,
    const char *key);
/* Writes the key without a want into dst, and returns the route or NULL. An
 * empty domain (postmaster) is our own. */
const struct relay_route *route_key(const struct relay_conf *conf,
    struct str domain, char *dst, size_t n);
/* A domain as keys have it. */
void route_domain(struct str domain, char *dst, size_t n);
/* So, for a recipient with a route of its own. */
const struct relay_route *route_key_own(const struct relay_conf *conf,
    struct str text, char *dst, size_t n);
/* The route of a key made of hosts, in pool; NULL: it is not one. */
const struct relay_route *route_of_hosts(const char *key, struct pool *pool);
/* Is it the key of a route, even of one that is not there? Else a domain. */
bool route_key_is_route(const char *key);
/* The domain whose destination blocks count there; n 0: none do. */
struct str route_key_domain(const char *key);
/* Takes a key apart. */
struct str route_key_hop(const char *key);
const char *route_key_want(const char *key); /* "" = that of delivery */
struct str route_key_profile(const char *key); /* n 0: none of its own */
#define ROUTE_KEY_PROFILE "bounce_profile="

#endif
