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

static int	check(const struct words *, const char *, const char *,
		    const char *, struct err *);
static int	check_want(const struct words *, const char *,
		    const struct tlswant *, struct err *);

int
conf_tls_words(const struct conf *c, conf_note_fn *fn, void *arg,
    struct err *why)
{
	const struct words w = { c, fn, arg };
	const struct conf_listener *l;
	unsigned i;
	int r;

	r = check(&w, "tls", c->tls.ciphers, c->tls.groups, why);
	for (i = 0; r == 0 && i < c->nlistener; i++) {
		l = &c->listener[i];
		r = check(&w, pool_printf(c->pool, "listener \"%s\"", l->name),
		    l->tls_ciphers, l->tls_groups, why);
	}
	if (r == 0)
		r = check_want(&w, "delivery", c->delivery.tls, why);
	for (i = 0; r == 0 && i < c->ndestination; i++) {
		if (c->destination[i].tls != NULL)
			r = check_want(&w, pool_printf(c->pool,
			    "destination \"%s\"", c->destination[i].name),
			    c->destination[i].tls, why);
	}
	for (i = 0; r == 0 && i < c->nroute; i++) {
		if (c->route[i].tls != NULL)
			r = check_want(&w, pool_printf(c->pool,
			    "route \"%s\"", c->route[i].name),
			    c->route[i].tls, why);
	}
	return r;
}

static int
check_want(const struct words *w, const char *where,
    const struct tlswant *want, struct err *why)
{
	if (want == NULL)
		return 0;
	return check(w, where, want->ciphers != NULL ? want->ciphers : "",
	    want->groups != NULL ? want->groups : "", why);
}

static int
check(const struct words *w, const char *where, const char *ciphers,
    const char *groups, struct err *why)
{
	struct buf unknown;
	int r = 0;

	buf_init(&unknown, UNKNOWN_MAX);
	if (ciphers[0] != '\0')
		r = tlsctx_check_ciphers(ciphers, &unknown, why);
	if (r == 0 && buf_len(&unknown) > 0 && w->fn != NULL)
		w->fn(w->arg, pool_printf(w->c->pool, "%s: %s: ciphers that "
		    "the TLS library does not know are ignored: %.*s",
		    w->c->file, where, STR_FMT(buf_str(&unknown))));
	if (r == 0 && groups[0] != '\0')
		r = tlsctx_check_groups(groups, why);
	buf_fini(&unknown);
	return r == 0 ? 0 : err_prefix(why, "%s: %s: ", w->c->file, where);
}
