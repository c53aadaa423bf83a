/*
 * The destination table: what the configuration demands of the way to a
 * recipient, found by hash, however many blocks there are.
 *
 * The nearest block that says something counts: that of the address, then of
 * the domain, of its nearest parent (".example.net"), then "*". Spelling does
 * not matter: A- and U-labels are the same, and so are cases and quotes of a
 * local part. It stands, with that of the route, in place of what delivery
 * wants in general; with what is stored with the recipient and what others want
 * it is the maximum of all (tls/tlswant.h), so that nobody else can lower it.
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
	struct str domain, local; /* of the recipient; local "": any */
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
/* Of the nearest block that names one, else of delivery; NULL: none. */
struct tlsident *destmap_cert(struct destmap *m, struct str domain);

#endif
