/*
 * Cipher and group lists of the settings: a list of which nothing is left is
 * an error, a word that the library does not know is worth a warning.
 */
#include "policy/conf_priv.h"
#include "tls/tlsctx.h"

enum { UNKNOWN_MAX = 4096 };

struct words {
	const struct conf *c;
	conf_note_fn *fn;
	void *arg;
};

/* A block of them; the settings are in tls = "…", or of their own. */
struct where {
	enum conf_scope_id id;
	const char *name, *ciphers, *groups;
};

static int	check(const struct words *, const struct where *,
		    const char *, const char *, struct err *);
static int	check_want(const struct words *, enum conf_scope_id,
		    const char *, const struct tlswant *, struct err *);

int
conf_tls_words(const struct conf *c, conf_note_fn *fn, void *arg,
    struct err *why)
{
	const struct where tls = { CONF_SCOPE_TLS, "", "ciphers", "groups" };
	struct where own = { .id = CONF_SCOPE_LISTENER,
		.ciphers = "tls_ciphers", .groups = "tls_groups" };
	const struct words w = { c, fn, arg };
	const struct conf_listener *l;
	unsigned i;
	int r;

	r = check(&w, &tls, c->tls.ciphers, c->tls.groups, why);
	for (i = 0; r == 0 && i < c->nlistener; i++) {
		l = &c->listener[i];
		own.name = l->name;
		r = check(&w, &own, l->tls_ciphers, l->tls_groups, why);
	}
	if (r == 0)
		r = check_want(&w, CONF_SCOPE_DELIVERY, "", c->delivery.tls,
		    why);
	for (i = 0; r == 0 && i < c->ndestination; i++)
		r = check_want(&w, CONF_SCOPE_DESTINATION,
		    c->destination[i].name, c->destination[i].tls, why);
	for (i = 0; r == 0 && i < c->nroute; i++)
		r = check_want(&w, CONF_SCOPE_ROUTE, c->route[i].name,
		    c->route[i].tls, why);
	return r;
}

static int
check_want(const struct words *w, enum conf_scope_id id, const char *name,
    const struct tlswant *want, struct err *why)
{
	const struct where where = { id, name, "tls", "tls" };

	if (want == NULL)
		return 0;
	return check(w, &where, want->ciphers != NULL ? want->ciphers : "",
	    want->groups != NULL ? want->groups : "", why);
}

static int
check(const struct words *w, const struct where *at, const char *ciphers,
    const char *groups, struct err *why)
{
	const char *key = at->ciphers;
	struct buf unknown;
	int r = 0;

	buf_init(&unknown, UNKNOWN_MAX);
	if (ciphers[0] != '\0')
		r = tlsctx_check_ciphers(ciphers, &unknown, why);
	if (r == 0 && buf_len(&unknown) > 0 && w->fn != NULL)
		w->fn(w->arg, pool_printf(w->c->pool, "%s: ciphers that "
		    "the TLS library does not know are ignored: %.*s",
		    conf_at(w->c, at->id, at->name, key),
		    STR_FMT(buf_str(&unknown))));
	if (r == 0 && groups[0] != '\0') {
		key = at->groups;
		r = tlsctx_check_groups(groups, why);
	}
	buf_fini(&unknown);
	return r == 0 ? 0 : conf_blame(w->c, at->id, at->name, key, why);
}
