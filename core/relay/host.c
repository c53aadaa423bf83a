#include "relay/relay_priv.h"

/*
 * What is known about an address. Entries of no interest are swept when the
 * table has grown, so that strangers' DNS cannot fill the memory.
 */
#define HOST_SWEEP_AT 4096
#define HOST_HISTORY_MAX 16384 /* beyond, good histories go as well */

static void sweep_one(struct hash_node *node, void *arg);
static void free_one(struct hash_node *node, void *arg);

struct host *
host_get(struct relay *r, const struct sock_addr *a)
{
	uint64_t key = sock_addr_hash(a);
	struct hash_node *n;
	struct host *h;

	for (n = hash_first(&r->hosts, key); n != NULL; n = hash_next(n)) {
		h = COLL_OF(n, struct host, node);
		if (sock_addr_eq_ip(&h->addr, a) &&
		    sock_addr_port(&h->addr) == sock_addr_port(a)) {
			h->refs++;
			return h;
		}
	}
	if (r->hosts.n >= r->sweep_at) {
		hash_each(&r->hosts, sweep_one, r);
		r->sweep_at = r->hosts.n * 2 > HOST_SWEEP_AT ?
		    r->hosts.n * 2 : HOST_SWEEP_AT;
	}
	h = mem_zalloc(sizeof(*h));
	h->addr = *a;
	h->refs = 1;
	hash_add(&r->hosts, &h->node, key);
	return h;
}

void
host_failed(struct relay *r, struct host *h)
{
	const struct relay_conf *conf = r->gen->conf;
	msec pause = conf->host_backoff;
	unsigned i;

	for (i = 0; i < h->fails && pause < conf->host_backoff_max; i++)
		pause *= 2;
	if (pause > conf->host_backoff_max)
		pause = conf->host_backoff_max;
	h->fails++;
	h->down_until = clock_now() + pause;
}

void
host_works(struct host *h)
{
	h->fails = 0;
	h->down_until = 0;
}

bool
host_had_tls(const struct host *h)
{
	return h->tls_good != 0 &&
	    clock_now() - h->tls_good < RELAY_TLS_HISTORY;
}

void
host_release(struct host *h)
{
	ASSERT(h->refs > 0);
	h->refs--;
}

void
host_free_all(struct relay *r)
{
	hash_each(&r->hosts, free_one, r);
	hash_fini(&r->hosts);
}

static void
sweep_one(struct hash_node *node, void *arg)
{
	struct relay *r = arg;
	struct host *h = COLL_OF(node, struct host, node);
	msec now = clock_now();

	if (h->refs > 0 || h->down_until > now || h->clear_until > now ||
	    h->cut_until > now || h->step_until > now)
		return;
	if (host_had_tls(h) && r->hosts.n < HOST_HISTORY_MAX)
		return;
	hash_remove(&r->hosts, node);
	mem_free(h);
}

static void
free_one(struct hash_node *node, void *arg)
{
	struct relay *r = arg;

	hash_remove(&r->hosts, node);
	mem_free(COLL_OF(node, struct host, node));
}
