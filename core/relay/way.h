/*
 * The way to a recipient: its next hop, what is wanted of the TLS there, and
 * what that comes to. Delivery makes its queue's keys of it; `postern
 * tls-test` and `postern explain` show it.
 */
#ifndef RELAY_WAY_H
#define RELAY_WAY_H

#include "mail/envelope.h"
#include "relay/destmap.h"
#include "relay/relay.h"

/* "hosts:", a route, and a domain */
#define WAY_HOP_MAX (RCPT_ROUTE_MAX + 8 + ADDR_DOMAIN_MAX + 2)

struct way {
	const struct relay_route *route; /* a block; NULL: by MX, or by hosts
					  * of its own (route_of_hosts()) */
	char hop[WAY_HOP_MAX];	/* the key without a want */
	struct relay_opinion v[RELAY_OPINIONS];
	unsigned n;
	struct relay_rules rules; /* of the blocks of the recipient's domain */
	/* Of the want that counts; "": that of delivery. Valid until the next
	 * call with that map. */
	const char *text;
};

void way_find(struct way *w, const struct relay_conf *conf,
    struct destmap *map, const struct relay_asks *asks, void *asks_arg,
    const struct queue_to *to);

/*
 * Which bounce profile holds there for a recipient, own being what is stored
 * with it (rcpt.profile): that of a rule before that of the destination's
 * blocks, of the route, of the listener, and "default". One that is not there
 * any more says nothing.
 */
enum way_says { WAY_DEFAULT, WAY_LISTENER, WAY_ROUTE, WAY_DESTINATION,
	WAY_RULE };
const struct queue_profile *way_profile(const struct relay_conf *conf,
    const struct relay_route *route, const struct relay_rules *rules,
    struct str own, enum way_says *says_r);
const struct queue_profile *way_profile_find(const struct relay_conf *conf,
    struct str name);	/* NULL: there is none */
/* Is it there? conf NULL: nobody knows which there are. */
int way_profile_check(const struct relay_conf *conf, const char *name,
    struct err *why);

/* Only hop, route and rules, for a domain; route "": as its blocks say. */
void way_hop(struct way *w, const struct relay_conf *conf,
    struct destmap *map, struct str domain, struct str route);

/* What the blocks do not say is as the route has it, else as delivery. */
void way_limits(const struct relay_conf *conf, const struct relay_route *route,
    struct relay_rules *r);
/* Does mail of that sender go out with a tag there? Reports come back only to
 * addresses of domains that we take mail for. */
bool way_tags(const struct relay_conf *conf, const struct relay_rules *r,
    const struct addr *sender);

/* A host there, by its name and whose MX it is (struct mx_host): which domain
 * its certificate must be for, and whether it stands in the route itself. */
const char *way_domain(const struct relay_route *route, const char *hop,
    const char *name, const char *domain);
bool way_routed(const struct relay_route *route, const char *name,
    const char *domain);
/* The domain that names are compared with: that of the route, where it speaks
 * for one alone, else way_domain(). */
struct str way_reference(const struct relay_route *route, bool routed,
    const char *domain);

#endif
