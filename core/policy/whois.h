/*
 * Who a client is, as its listener finds out before the greeting: its name,
 * what DNS lists say of it, and the sender group that follows. All questions
 * are asked at once; as soon as those that are still open cannot change
 * anything, it is known. What could not be found out is as if it were not so.
 */
#ifndef POLICY_WHOIS_H
#define POLICY_WHOIS_H

#include "net/dns.h"
#include "net/loop.h"
#include "policy/conf.h"

struct whois;

/* What points somewhere must stay until the end of it. */
struct whois_in {
	const struct conf *conf;
	const struct conf_listener *l;
	const struct sock_addr *addr;
	struct loop *loop;
	struct dns *dns;	/* NULL: nothing is asked */
	const char *name;	/* as if it had been found, and led back */
	void (*known)(void *arg); /* not from inside whois_new() */
	void (*silent)(void *arg, const char *zone); /* a list; or NULL */
	void *arg;
};

struct whois_is {
	const char *name;	/* as long as the whois; NULL: none */
	bool verified;		/* it leads back */
	const struct conf_group *group; /* NULL: in none */
	const struct sgpat *pattern;	/* of it, that matched */
	const struct sgpat *unasked; /* in front of that, what could not be
				      * said without the DNS; or NULL */
};

struct whois *whois_new(const struct whois_in *in);
void whois_destroy(struct whois **wp);
/* Is it known already? */
bool whois_known(struct whois *w, struct whois_is *is_r);

/* What a client of that group (NULL: of none) may. */
const struct conf_flow *whois_flow(const struct conf_listener *l,
    const struct conf_group *g);

#endif
