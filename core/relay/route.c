#include "relay/route.h"

#include <string.h>

#include "base/codec.h"
#include "base/num.h"

#define KEY_PREFIX "route:"
#define HOSTS_PREFIX "hosts:"
#define HOSTS_MAX 20

static const struct relay_route *block_of(const struct relay_conf *conf,
    struct str name);
static bool is_name(struct str text);

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
	hop.n = str_find(hop, '/');
	for (i = 0; i < conf->nroute; i++)
		if (str_eq_c(hop, conf->route[i].domain))
			return &conf->route[i];
	return NULL;
}

struct str
route_key_domain(const char *key)
{
	struct str hop = route_key_hop(key);
	size_t slash;

	if (!route_key_is_route(key))
		return hop;
	slash = str_find(hop, '/');
	if (slash == hop.n)
		return STR_NULL;
	return str_n(hop.p + slash + 1, hop.n - slash - 1);
}

struct str
route_key_hop(const char *key)
{
	return str_n(key, strcspn(key, " "));
}

struct str
route_key_profile(const char *key)
{
	const char *space = strchr(key, ' ');
	size_t n = sizeof(ROUTE_KEY_PROFILE) - 1;

	if (space == NULL || strncmp(space + 1, ROUTE_KEY_PROFILE, n) != 0)
		return STR_NULL;
	return str_n(space + 1 + n, strcspn(space + 1 + n, " "));
}

const char *
route_key_want(const char *key)
{
	const char *space = strchr(key, ' ');
	struct str own = route_key_profile(key);

	if (own.n > 0)
		space = own.p[own.n] == ' ' ? own.p + own.n : NULL;
	return space != NULL ? space + 1 : "";
}

/* For each recipient at the start. What does not fit is cut. */
static void
key_put(char *dst, size_t n, const char *prefix, struct str text)
{
	size_t before = strlen(prefix);

	ASSERT(n > before);
	memcpy(dst, prefix, before);
	if (text.n > n - before - 1)
		text.n = n - before - 1;
	if (text.n > 0)
		memcpy(dst + before, text.p, text.n);
	dst[before + text.n] = '\0';
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
		key_put(dst, n, KEY_PREFIX, str_c(r->domain));
		return r;
	}
	route_domain(domain, dst, n);
	return NULL;
}

void
route_domain(struct str domain, char *dst, size_t n)
{
	if (ascii_only(domain) || domain_to_ascii(domain, dst, n) == -1)
		(void)str_copy(dst, n, domain);
	str_lower(dst, strlen(dst));
}

const struct relay_route *
route_key_own(const struct relay_conf *conf, struct str text, char *dst,
    size_t n)
{
	const struct relay_route *r = NULL;
	char *p;

	if (is_name(text)) {
		r = block_of(conf, text);
		if (r != NULL)
			text = str_c(r->domain);
		key_put(dst, n, KEY_PREFIX, text);
	} else {
		key_put(dst, n, HOSTS_PREFIX, text);
		str_lower(dst, strlen(dst));
	}
	for (p = strchr(dst, ' '); p != NULL; p = strchr(p, ' '))
		*p = ',';
	return r;
}

const struct relay_route *
route_of_hosts(const char *key, struct pool *pool)
{
	size_t skip = sizeof(HOSTS_PREFIX) - 1;
	struct str rest = route_key_hop(key), host;
	struct relay_route *r;
	const char **v;
	unsigned n = 0;

	if (strncmp(key, HOSTS_PREFIX, skip) != 0)
		return NULL;
	rest = str_n(rest.p + skip, rest.n - skip);
	rest.n = str_find(rest, '/');
	r = POOL_NEW(pool, struct relay_route);
	v = pool_alloc(pool, (HOSTS_MAX + 1) * sizeof(*v));
	while (n < HOSTS_MAX && str_split(&rest, ',', &host)) {
		if (!route_host_valid(host))
			return NULL;
		v[n++] = pool_str(pool, host).p;
	}
	r->domain = "*"; /* they speak for nobody */
	r->hosts = v;
	r->ip = -1;
	return r;
}

bool
route_key_is_route(const char *key)
{
	return strncmp(key, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0 ||
	    strncmp(key, HOSTS_PREFIX, sizeof(HOSTS_PREFIX) - 1) == 0;
}

static int
name_check(const struct relay_conf *conf, struct str name, struct err *why)
{
	struct sock_addr a;

	if (conf != NULL && block_of(conf, name) != NULL)
		return 0;
	if (sock_addr_ip(name, 25, &a, NULL) == 0)
		return err_text(why, "there is no route \"%.*s\"; as a host "
		    "it has a port: %.*s:25", STR_FMT(name), STR_FMT(name));
	if (conf == NULL)
		return 0;
	return err_text(why, "there is no route \"%.*s\"", STR_FMT(name));
}

int
route_check(const struct relay_conf *conf, struct str text, struct err *why)
{
	struct str rest = text, host;
	unsigned n = 0;

	if (text.n == 0 || text.n > RCPT_ROUTE_MAX)
		return err_text(why, "a route of %zu octets", text.n);
	if (is_name(text))
		return name_check(conf, text, why);
	while (str_split(&rest, ' ', &host)) {
		if (!route_host_valid(host))
			return err_text(why, "\"%.*s\" is no host:port, "
			    "[address]:port or mx:domain", STR_FMT(host));
		if (++n > HOSTS_MAX)
			return err_text(why, "more than %d hosts", HOSTS_MAX);
	}
	return 0;
}

/* What net/mx.h makes of it at the first message would be a bounce. */
bool
route_host_valid(struct str s)
{
	bool by_mx = str_istarts(s, "mx:");
	struct sock_addr a;
	uint64_t port;
	size_t end;

	if (by_mx)
		s = str_n(s.p + 3, s.n - 3);
	end = str_find(s, ':');
	if (s.n > 0 && s.p[0] == '[') {
		end = str_find(s, ']') + 1;
		if (by_mx || end > s.n || (end < s.n && s.p[end] != ':'))
			return false;
	}
	if (end < s.n && (num_u64(str_n(s.p + end + 1, s.n - end - 1), 65535,
	    &port) < 0 || port == 0))
		return false;
	s.n = end;
	if (s.n > 0 && s.p[0] == '[') {
		s = str_n(s.p + 1, s.n - 2);
		if (str_istarts(s, "IPv6:"))
			s = str_n(s.p + 5, s.n - 5);
		return sock_addr_ip(s, 25, &a, NULL) == 0;
	}
	/* A private network's names may have what no domain has: a_b. */
	for (end = 0; end < s.n; end++) {
		if ((unsigned char)s.p[end] <= ' ' ||
		    strchr("[]/@,;<>()\"", s.p[end]) != NULL)
			return false;
	}
	return s.n > 0 && s.n <= ADDR_DOMAIN_MAX;
}

static const struct relay_route *
block_of(const struct relay_conf *conf, struct str name)
{
	unsigned i;

	for (i = 0; i < conf->nroute; i++)
		if (str_ieq(name, str_c(conf->route[i].domain)))
			return &conf->route[i];
	return NULL;
}

/* One word; behind an address literal a port makes it a host. */
static bool
is_name(struct str text)
{
	size_t end = str_find(text, ']');

	if (str_find(text, ' ') < text.n || str_istarts(text, "mx:"))
		return false;
	if (text.n > 0 && text.p[0] == '[')
		return end + 1 >= text.n;
	return str_find(text, ':') == text.n;
}
