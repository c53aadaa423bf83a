/*
 * Which certificate serves what: boot file first, then what the store's
 * administrator assigned, then the certificates of our own.
 */
#include <string.h>
#include <unistd.h>

#include "policy/conf_priv.h"
#include "tls/certstore.h"

struct job {
	const struct conf *c;
	struct certmap *map;
	struct certstore *cs;
};

static int	listener_certs(struct job *, const struct conf_listener *,
		    struct err *);
static int	client_cert(struct job *, const char *, const char *,
		    struct err *);
static int	other_uses(struct job *, struct err *);
static int	add_named(struct job *, const char *, const char *,
		    struct err *);
static int	add_assigned(struct job *, const char *, bool *, struct err *);
static void	add_default(struct job *, const char *);

int
conf_certs(const struct conf *c, const struct certlist *list,
    struct certmap *map, struct err *why)
{
	struct job j = { .c = c, .map = map };
	const struct conf_destination *d;
	int r = 0;
	unsigned i;

	if (certstore_open(&j.cs, c->tls.store, list, why) != 0)
		return -1;
	for (i = 0; r == 0 && i < c->nlistener; i++)
		r = listener_certs(&j, &c->listener[i], why);
	if (r == 0)
		r = client_cert(&j, "outbound", c->delivery.certificate, why);
	if (r != 0 && i == c->nlistener && c->delivery.certificate[0] != '\0')
		r = conf_blame(c, CONF_SCOPE_DELIVERY, "", "certificate",
		    why);
	for (i = 0; r == 0 && i < c->ndestination; i++) {
		d = &c->destination[i];
		r = client_cert(&j, pool_printf(map->pool, "destination:%s",
		    d->name), d->certificate, why);
		if (r != 0)
			r = conf_blame(c, CONF_SCOPE_DESTINATION, d->name,
			    "certificate", why);
	}
	if (r == 0)
		r = other_uses(&j, why);
	certstore_close(&j.cs);
	return r;
}

bool
conf_listener_wants_tls(const struct conf_listener *l)
{
	unsigned i;

	for (i = 0; i < l->nflow; i++) {
		if (l->flow[i].smtpd.tls != SMTPD_TLS_OFF)
			return true;
	}
	return l->implicit_tls;
}

static bool
demands_tls(const struct conf_listener *l)
{
	unsigned i;

	for (i = 0; i < l->nflow; i++) {
		if (l->flow[i].smtpd.tls == SMTPD_TLS_REQUIRED)
			return true;
	}
	return l->implicit_tls;
}

static int
listener_certs(struct job *j, const struct conf_listener *l, struct err *why)
{
	const char *use, *const *name;
	bool any = false;
	int r = 0;

	if (!conf_listener_wants_tls(l))
		return 0;
	use = pool_printf(j->map->pool, "listener:%s", l->name);
	if (l->cert[0] != '\0') {
		certmap_add(j->map, use, l->cert, l->cert,
		    l->key[0] != '\0' ? l->key : l->cert);
		return 0;
	}
	for (name = l->certificates; r == 0 && *name != NULL; name++)
		r = add_named(j, use, *name, why);
	if (name == l->certificates)
		r = add_assigned(j, use, &any, why);
	else
		any = true;
	if (r == 0 && !any && j->c->top.tls_selfsigned)
		add_default(j, use);
	else if (r == 0 && !any && !demands_tls(l))
		return 0; /* STARTTLS is not offered */
	else if (r == 0 && !any)
		r = err_text(why, "TLS is demanded, but there is no cert");
	return r == 0 ? 0 : conf_blame(j->c, CONF_SCOPE_LISTENER, l->name,
	    l->certificates[0] != NULL ? "certificates" : "tls", why);
}

/* Our own are for servers: nobody could make anything of them in a client. */
static int
client_cert(struct job *j, const char *use, const char *name, struct err *why)
{
	bool any;

	if (name[0] != '\0')
		return add_named(j, use, name, why);
	return add_assigned(j, use, &any, why);
}

/* Those that no setting names: "https", "service:NAME". */
static int
other_uses(struct job *j, struct err *why)
{
	const char *use, *name;
	unsigned i;

	for (i = 0; certstore_use(j->cs, i, &use, &name); i++) {
		if ((strcmp(use, "https") == 0 ||
			str_istarts(str_c(use), "service:")) &&
		    add_named(j, use, name, why) != 0)
			return err_prefix(why, "%s/assign: %s: ",
			    j->c->tls.store, use);
	}
	return 0;
}

static int
add_named(struct job *j, const char *use, const char *name, struct err *why)
{
	const char *chain, *key;

	if (certstore_find(j->cs, name, &chain, &key, why) != 0)
		return -1;
	certmap_add(j->map, use, name, chain, key);
	return 0;
}

static int
add_assigned(struct job *j, const char *use, bool *any_r, struct err *why)
{
	const char *name;
	unsigned i;

	for (i = 0; (name = certstore_assigned(j->cs, use, i)) != NULL; i++) {
		if (add_named(j, use, name, why) != 0)
			return -1;
	}
	*any_r = i > 0;
	return 0;
}

/* The one that costs less is first; those who cannot use it get the other. */
static void
add_default(struct job *j, const char *use)
{
	(void)add_named(j, use, CERTSTORE_DEFAULT_EC, NULL);
	(void)add_named(j, use, CERTSTORE_DEFAULT, NULL);
}

bool
conf_wants_default(const struct conf *c)
{
	const struct conf_listener *l;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		l = &c->listener[i];
		if (l->cert[0] == '\0' && l->certificates[0] == NULL &&
		    c->top.tls_selfsigned && conf_listener_wants_tls(l))
			return true;
	}
	return false;
}

const char *
conf_default_ca(void)
{
	return conf_param_find(&conf_scopes[CONF_SCOPE_DELIVERY],
	    "ca_file")->def;
}

const char *
conf_store_ca(const struct conf *c, struct pool *pool)
{
	return pool_printf(pool, "%s/ca.pem", c->tls.store);
}

/* Lists of roots and of what was revoked: whoever reads them need not be able
 * to tell what a path is for. */
int
conf_tls_files(const struct conf *c, conf_file_fn *fn, void *arg,
    struct err *why)
{
	const struct tlswant *want;
	const char *const *p, *ca;
	struct pool *pool;
	unsigned i;
	int r = 0;

	for (i = 0; r == 0 && i < c->nlistener; i++) {
		if (c->listener[i].client_ca[0] != '\0')
			r = fn(arg, c->listener[i].client_ca, why);
	}
	if (r == 0 && access(c->delivery.ca_file, F_OK) == 0)
		r = fn(arg, c->delivery.ca_file, why);
	for (p = c->tls.crls; r == 0 && *p != NULL; p++)
		r = fn(arg, *p, why);
	for (i = 0; r == 0 && (want = conf_want(c, i)) != NULL; i++) {
		if (want->ca != NULL)
			r = fn(arg, want->ca, why);
	}
	pool = pool_new(0);
	ca = conf_store_ca(c, pool);
	if (r == 0 && access(ca, F_OK) == 0)
		r = fn(arg, ca, why);
	pool_destroy(&pool);
	return r;
}

const struct tlswant *
conf_want(const struct conf *c, unsigned i)
{
	static const struct tlswant none;
	const struct tlswant *w;

	if (i == 0)
		w = c->delivery.tls;
	else if (--i < c->ndestination)
		w = c->destination[i].tls;
	else if ((i -= c->ndestination) < c->nroute)
		w = c->route[i].tls;
	else
		return NULL;
	return w != NULL ? w : &none;
}
