#include "relay/route.h"

#include <stdio.h>

#include "base/codec.h"

#define KEY_PREFIX "route:"

const struct relay_route *
route_find(const struct relay_conf *conf, struct str domain)
{
	char a[ADDR_DOMAIN_MAX + 2], b[ADDR_DOMAIN_MAX + 2];
	const struct relay_route *best = NULL;
	size_t best_len = 0;
	unsigned i;

	domain = domain_fold(domain, a, sizeof(a));
	for (i = 0; i < conf->nroute; i++) {
		const struct relay_route *r = &conf->route[i];
		struct str pattern = domain_fold(str_c(r->domain), b,
		    sizeof(b));

		if (str_eq(pattern, domain))
			return r;
		if (!domain_matches(pattern, domain))
			continue;
		if (best == NULL || pattern.n > best_len) {
			best = r;
			best_len = pattern.n;
		}
	}
	return best;
}

const struct relay_route *
route_of_key(const struct relay_conf *conf, const char *key)
{
	size_t skip = sizeof(KEY_PREFIX) - 1;
	struct str hop = route_key_hop(key);
	unsigned i;

	if (strncmp(key, KEY_PREFIX, skip) != 0)
		return NULL;
	hop = str_n(hop.p + skip, hop.n - skip);
	for (i = 0; i < conf->nroute; i++)
		if (str_eq_c(hop, conf->route[i].domain))
			return &conf->route[i];
	return NULL;
}

struct str
route_key_hop(const char *key)
{
	return str_n(key, strcspn(key, " "));
}

const char *
route_key_want(const char *key)
{
	const char *space = strchr(key, ' ');

	return space != NULL ? space + 1 : "";
}

const struct relay_route *
route_key(const struct relay_conf *conf, struct str domain, char *dst,
    size_t n)
{
	const struct relay_route *r;

	if (domain.n == 0)
		domain = str_c(conf->hostname);
	r = route_find(conf, domain);
	if (r != NULL) {
		(void)snprintf(dst, n, KEY_PREFIX "%s", r->domain);
		return r;
	}
	if (ascii_only(domain) || domain_to_ascii(domain, dst, n) == -1)
		(void)str_copy(dst, n, domain);
	str_lower(dst, strlen(dst));
	return NULL;
}
