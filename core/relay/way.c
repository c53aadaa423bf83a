#include "relay/way.h"

#include <string.h>

#include "mail/addr.h"
#include "relay/route.h"

void
way_find(struct way *w, const struct relay_conf *conf, struct destmap *map,
    const struct relay_asks *asks, void *asks_arg, const struct queue_to *to)
{
	struct destmap_to d = { .want = to->want, .v = w->v };
	struct str domain = to->domain;

	if (domain.n == 0)
		domain = str_c(conf->hostname);
	way_hop(w, conf, map, domain, to->route);
	w->n = asks->tls_rcpt == NULL ? 0 : asks->tls_rcpt(asks_arg, domain,
	    to->local, w->v);
	d.route = w->route;
	d.n = w->n;
	w->text = destmap_text(map, &d);
}

void
way_hop(struct way *w, const struct relay_conf *conf, struct destmap *map,
    struct str domain, struct str route)
{
	bool apart = destmap_rules(map, domain, &w->rules);
	size_t n;

	if (route.n == 0 && w->rules.route != NULL)
		route = str_c(w->rules.route);
	w->route = route.n > 0 ? route_key_own(conf, route, w->hop,
	    sizeof(w->hop)) : route_key(conf, domain, w->hop, sizeof(w->hop));
	if (!apart || !route_key_is_route(w->hop))
		return;
	n = strlen(w->hop);
	w->hop[n++] = '/';
	route_domain(domain, w->hop + n, sizeof(w->hop) - n);
}

void
way_limits(const struct relay_conf *conf, const struct relay_route *route,
    struct relay_rules *r)
{
	if (r->concurrency == 0)
		r->concurrency = route != NULL && route->concurrency > 0 ?
		    route->concurrency : conf->concurrency;
	if (r->max_messages == 0)
		r->max_messages = route != NULL && route->max_messages > 0 ?
		    route->max_messages : conf->max_messages;
	if (r->ip == 0)
		r->ip = 1 + (route != NULL && route->ip >= 0 ?
		    (unsigned)route->ip : (unsigned)conf->ip);
	if (r->limit == RELAY_LIMIT_UNSET)
		r->limit = conf->rules.limit;
	if (r->recipients == 0)
		r->recipients = conf->rules.recipients;
	if (r->minutes == 0)
		r->minutes = conf->rules.minutes;
	if (r->tag == RELAY_TAG_UNSET)
		r->tag = conf->rules.tag;
}

bool
way_tags(const struct relay_conf *conf, const struct relay_rules *r,
    const struct addr *sender)
{
	return r->tag == RELAY_TAG_ON && conf->batv != NULL &&
	    conf->ours != NULL && addr_listed(conf->ours, sender);
}

const struct queue_profile *
way_profile_find(const struct relay_conf *conf, struct str name)
{
	unsigned i;

	for (i = 0; i < conf->nprofiles; i++) {
		if (str_eq_c(name, conf->profiles[i].name))
			return &conf->profiles[i];
	}
	return NULL;
}

int
way_profile_check(const struct relay_conf *conf, const char *name,
    struct err *why)
{
	if (conf == NULL || way_profile_find(conf, str_c(name)) != NULL)
		return 0;
	return err_text(why, "no bounce_profile \"%s\"", name);
}

const struct queue_profile *
way_profile(const struct relay_conf *conf, const struct relay_route *route,
    const struct relay_rules *rules, struct str own, enum way_says *says_r)
{
	const struct queue_profile *p = NULL;
	bool weak = own.n > 0 && own.p[0] == '?';

	if (own.n > 0)
		p = way_profile_find(conf,
		    weak ? str_n(own.p + 1, own.n - 1) : own);
	*says_r = WAY_RULE;
	if (p != NULL && !weak)
		return p;
	*says_r = WAY_DESTINATION;
	if (rules->profile != NULL)
		return rules->profile;
	*says_r = WAY_ROUTE;
	if (route != NULL && route->profile != NULL)
		return route->profile;
	*says_r = p != NULL ? WAY_LISTENER : WAY_DEFAULT;
	return p != NULL ? p : conf->profile;
}

/* A route is trusted as it is written; names from an MX are not. */
const char *
way_domain(const struct relay_route *route, const char *hop, const char *name,
    const char *domain)
{
	if (route == NULL)
		return hop;
	return domain != NULL ? domain : name;
}

/* Else it was found by MX from it. */
bool
way_routed(const struct relay_route *route, const char *name,
    const char *domain)
{
	return route != NULL && domain != NULL && strcmp(domain, name) == 0;
}

/* A route for one domain speaks for that domain, one for many cannot. */
struct str
way_reference(const struct relay_route *route, bool routed,
    const char *domain)
{
	if (routed && route->domain[0] != '.' && route->domain[0] != '*')
		return str_c(route->domain);
	return str_c(domain);
}
