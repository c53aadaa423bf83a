/*
 * Private to `postern explain`: what is known of a message's way, as one JSON
 * object; the text for people is made of that.
 *
 *   cli_explain   the command line
 *   explain_rcpt  a recipient: next hop, TLS, names, certificate, schedule
 *   explain_hosts the hosts of its next hop and the names there
 *   explain_text  the tree
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <jansson.h>

#include "base/buf.h"
#include "cli/policy.h"
#include "cli/tables.h"
#include "relay/way.h"
#include "tls/certmap.h"

struct explain {
	struct pool *pool;
	struct conf *conf;
	struct relay_conf relay; /* its, with the names of certificates */
	struct destmap *map;
	struct loop *loop;
	struct dns *dns;	/* NULL: names are not looked up */
	struct tables tables;
	struct certmap certs;
	struct err no_certs;	/* why they are not known, or "" */
};

/*
 * o is a recipient that is taken, with what the policy wants for it; here are
 * added: hop, tls, names, certificate, schedule, failures. tried: what the
 * policy tried. -1: nothing would be sent; o says why ("error").
 */
int explain_rcpt(struct explain *e, json_t *o, const json_t *tried);
/* Hosts with their names; way: of hop, route: its block or hosts. */
void explain_hosts(struct explain *e, json_t *o, const struct way *way,
    const struct relay_route *route, const struct tlswant *want);
void explain_text(const json_t *all, struct buf *dst);

/* "FILE:LINE" of the boot file. */
const char *explain_place(struct explain *e, int line);
void explain_put(json_t *o, const char *key, const char *value);

#endif
