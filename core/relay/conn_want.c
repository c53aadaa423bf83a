/*
 * What a connection asks of its peer: names, roots, our own certificate, and
 * the sessions it may resume. The name of the address is looked up first
 * where the want compares it.
 */
#include "relay/refs.h"
#include "relay/relay_priv.h"

static void make_refs(struct conn *c, const char *ptr);
static struct str reference_domain(const struct conn *c);
static uint64_t session_key(const struct conn *c);
static void have_ptr(void *arg, const char *name, bool verified);

void
conn_want_conf(struct conn *c, const struct dest_cand *cand)
{
	const struct relay_conf *conf = c->gen->conf;
	struct smtpc_conf *sc = &c->conf;
	unsigned i;

	c->want = relay_dest_want(c->dest);
	c->raise = raise_ref(c->dest->raise);
	sc->want = *c->want;
	sc->tlsctx = conf->tlsctx;
	sc->cert = relay_dest_cert(c->dest);
	for (i = 0; sc->want.ca != NULL && i < conf->ntrust; i++)
		if (strcmp(conf->trust[i].ca, sc->want.ca) == 0)
			sc->trust = conf->trust[i].trust;
	c->secure = cand->secure;
	c->routed = way_routed(c->dest->route, c->name, cand->domain);
	sc->tls_session = session_key(c);
}

void
conn_want_open(struct conn *c)
{
	struct relay *r = c->relay;

	if (refs_need_ptr(&c->conf.want)) {
		c->reverse = r->peer->reverse(
		    r->w.dns, &c->host->addr, have_ptr, c);
		return;
	}
	make_refs(c, NULL);
	conn_dial(c);
}

/* A name that is not found is no reason to wait: the others may match. */
static void
have_ptr(void *arg, const char *name, bool verified)
{
	struct conn *c;

	OBJ_CAST(c, arg, CONN_MAGIC);
	c->reverse = NULL;
	log_debug("name of the address: %s (%s)", name != NULL ? name : "none",
	    verified ? "confirmed" : "not confirmed");
	make_refs(c, name);
	conn_dial(c);
}

static void
make_refs(struct conn *c, const char *ptr)
{
	struct refs_host h = { .domain = reference_domain(c),
		.host = c->name,
		.route = c->routed,
		.secure = c->secure,
		.ptr = ptr };

	if (!tlswant_verifies(c->conf.want.level))
		return;
	c->pool = pool_new(0);
	c->conf.refs = refs_make(&c->conf.want, &h, c->pool);
}

static struct str
reference_domain(const struct conn *c)
{
	return way_reference(c->dest->route, c->routed, c->domain);
}

/* tlsio adds the rest of what must be equal. */
static uint64_t
session_key(const struct conn *c)
{
	uint64_t key[3];

	key[0] = sock_addr_hash(&c->host->addr) ^
	    sock_addr_port(&c->host->addr);
	key[1] = tlswant_key(&c->conf.want, reference_domain(c));
	key[2] = hash_stable(c->name, strlen(c->name));
	return hash_stable(key, sizeof(key));
}
