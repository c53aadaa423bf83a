/*
 * What a destination may have: connections, messages on each, recipients in so
 * many minutes. Shares are counted in shared memory, for all workers.
 *
 * What a domain's blocks limit is counted by the domain, whichever way its
 * mail goes; else by the next hop, so that the domains of a route share its
 * limit. A limit by MX counts connections to an address, of all domains that
 * are limited so: it is there for the host, which does not care whose mail it
 * is.
 */
#include "relay/relay_priv.h"
#include "relay/route.h"
#include "relay/way.h"

#define HOST_KEY 0x686f7374ULL	/* an address, not a name that looks so */
#define RCPTS_KEY 0x7265637073ULL /* another thing of the same domain */

static msec	window(const struct dest *d);
static uint64_t	rcpts_key(const struct dest *d);

void
dest_limits(struct dest *d)
{
	const struct relay_conf *conf = d->relay->gen->conf;
	const struct relay_route *route = d->route;
	struct str domain = route_key_domain(d->key);
	struct relay_rules *r = &d->rules;

	memset(r, 0, sizeof(*r));
	if (domain.n > 0)
		(void)destmap_rules(d->relay->gen->destmap, domain, r);
	if (domain.n == 0 || r->concurrency == 0)
		domain = str_c(d->key);
	d->shm_key = hash_stable(domain.p, domain.n);
	way_limits(conf, route, r);
}

const struct queue_profile *
dest_profile(struct relay *r, const char *key)
{
	struct str domain = route_key_domain(key);
	struct str own = route_key_profile(key);
	struct relay_rules rules;
	enum way_says says;

	memset(&rules, 0, sizeof(rules));
	if (domain.n > 0)
		(void)destmap_rules(r->gen->destmap, domain, &rules);
	return way_profile(r->gen->conf, route_of_key(r->gen->conf, key),
	    &rules, own, &says);
}

bool
dest_share(struct dest *d, const struct host *h, uint64_t *key_r)
{
	struct relay *r = d->relay;
	char ip[SOCK_IP_MAX];

	*key_r = d->shm_key;
	if (d->rules.limit == RELAY_LIMIT_MX) {
		(void)sock_addr_ip_text(&h->addr, ip, sizeof(ip));
		*key_r = hash_stable(ip, strlen(ip)) ^ HOST_KEY;
	}
	return shm_acquire(r->w.shm, SHM_DEST, r->w.worker, *key_r,
	    d->rules.concurrency);
}

/* Never to a host of lower preference because of a limit of ours. */
void
dest_open(struct dest *d, struct dest_cand *cand)
{
	msec now = clock_now();
	unsigned i;

	if (conn_open(d, cand) == 0 || d->rules.limit != RELAY_LIMIT_MX)
		return;
	for (i = 0; i < d->ncand; i++) {
		struct dest_cand *c = &d->cand[i];

		if (c == cand || c->tried || c->mx != cand->mx ||
		    c->host->down_until > now)
			continue;
		if (conn_open(d, c) == 0)
			return;
	}
}

unsigned
dest_take_rcpts(struct dest *d, unsigned n)
{
	unsigned max = d->rules.recipients, sum, over;

	if (max == 0)
		return n;
	sum = shm_rate_by(d->relay->w.shm, d->relay->w.worker, rcpts_key(d),
	    window(d), n);
	over = sum > max ? sum - max : 0;
	return over < n ? n - over : 0;
}

msec
dest_wait(const struct dest *d)
{
	struct shm *shm = d->relay->w.shm;

	if (d->rules.recipients == 0 || shm_rate_by(shm, d->relay->w.worker,
	    rcpts_key(d), window(d), 0) < d->rules.recipients)
		return 0;
	return shm_rate_left(shm, rcpts_key(d), window(d));
}

static msec
window(const struct dest *d)
{
	return MINUTES(d->rules.minutes > 0 ? d->rules.minutes : 60);
}

static uint64_t
rcpts_key(const struct dest *d)
{
	struct str domain = route_key_domain(d->key);

	if (domain.n == 0)
		return d->shm_key ^ RCPTS_KEY;
	return hash_stable(domain.p, domain.n) ^ RCPTS_KEY;
}
