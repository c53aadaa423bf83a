/*
 * What counts on the way to a recipient: what was wanted of its TLS, put
 * together, the certificate that is shown there, and the limits.
 *
 * What the route wants and opinions of ours (those of destination blocks) stand
 * in place of what delivery wants in general; with what is stored with the
 * recipient and what others want it is the maximum of all (tls/tlswant.h), so
 * that nobody else can lower it.
 *
 * The certificate is that of the nearest destination block that names one, by
 * hash: of the domain, of its nearest parent (".example.net"), then "*". A- and
 * U-labels and cases are the same. So with limits and the like (struct
 * relay_rules), each for itself.
 *
 * Belongs to a generation of the configuration, to which it points.
 */
#ifndef RELAY_DESTMAP_H
#define RELAY_DESTMAP_H

#include "relay/relay.h"

#define RELAY_WANT_MAX (4 * 1024 * 1024) /* octets: a boot file has fewer */

struct destmap;

struct destmap *destmap_new(const struct relay_conf *conf);
void destmap_destroy(struct destmap **mp);

struct destmap_to {
	const struct relay_route *route; /* that it goes by, or NULL */
	struct str want;	  /* stored with it; "" = none */
	const struct relay_opinion *v;
	unsigned n;
};

/* The text of the want that counts; "" if it is that of delivery. If one of
 * them cannot be read, neither can the text, so that nobody takes it for less.
 * Valid until the next call. */
const char *destmap_text(struct destmap *m, const struct destmap_to *to);
const char *destmap_usual(const struct destmap *m); /* that of delivery */
/* The maximum of such a text and another want, so. */
const char *destmap_both(struct destmap *m, const char *text,
    const char *more);
/* What such a text means; NULL: unreadable. Valid until the next call. */
const struct tlswant *destmap_want(struct destmap *m, const char *text);
/* What the blocks say of a domain, each thing as the nearest that says it;
 * false: nothing, or no more than a route. */
bool destmap_rules(struct destmap *m, struct str domain,
    struct relay_rules *r_r);
/* Of the nearest block that names one, else of delivery; NULL: none. */
struct tlsident *destmap_cert(struct destmap *m, struct str domain);
/* That block; NULL: none of them. */
const struct relay_destination *destmap_cert_block(struct destmap *m,
    struct str domain);

#endif
