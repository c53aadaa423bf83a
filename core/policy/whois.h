/*
 * Who a client is, as its listener finds out before the greeting: its name,
 * what DNS lists say of it, and the sender group that follows. All questions
 * are asked at once; as soon as those that are still open cannot change
 * anything, it is known.
 *
 * Where an answer cannot be had, the client may be in a group or not. It is
 * treated as in the first that it surely is in, with no more than it might in
 * each before that; if one of those rejects, or would not relay where that
 * does, it is put off, because neither may be done for good on a guess. A
 * listener with lookup_failure = "ignore" takes no answer for a no.
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
	/* In front of it, those that it may be in: nobody answered. */
	const struct conf_group *const *maybe; /* as long as the whois */
	unsigned nmaybe;
};

struct whois *whois_new(const struct whois_in *in);
void whois_destroy(struct whois **wp);
/* Is it known already? */
bool whois_known(struct whois *w, struct whois_is *is_r);

/* When it is known: lowers what the client may to what it may in each of these
 * groups. relays: so far it does, by its group or network. -1: it is put off
 * with that reply. */
int whois_doubt(struct whois *w, struct pool *pool, bool relays,
    const struct conf_flow **f, struct err *reply);

/* What a client of that group (NULL: of none) may. */
const struct conf_flow *whois_flow(const struct conf_listener *l,
    const struct conf_group *g);

#endif
