#include "cli/profile.h"

#include <string.h>

#include "base/file.h"
#include "daemon/lister.h"
#include "tls/certchain.h"
#include "tls/certstore.h"

#define READ_MAX (16 * 1024 * 1024)

struct certs {
	struct profile *p;
	struct certlist *list;	/* what plugins have */
	struct certpile *roots; /* that we trust */
	json_t *into;
};

static void
read_roots(struct certs *c, const char *file)
{
	struct err no = ERR_INIT;
	struct buf raw;

	buf_init(&raw, READ_MAX);
	if (file_read(&raw, file, &no) == 0)
		certpile_read_bundle(c->roots, buf_str(&raw));
	buf_fini(&raw);
}

/* What is wrong with a chain as a partner sees it; NULL: nothing. */
static const char *
trouble(struct certs *c, const char *file, bool client)
{
	struct certchain found = { .pool = c->p->pool };
	struct certpile *pile = certpile_new();
	struct err why = ERR_INIT;
	const char *text = NULL;
	struct certfact f;
	struct buf raw;
	unsigned i;

	buf_init(&raw, READ_MAX);
	if (certlist_read(c->list, file, &raw, &why) != 0 ||
	    certpile_read(pile, buf_str(&raw), file, NULL, &why) != 0) {
		text = pool_strdup(c->p->pool, why.text);
	} else if (certpile_count(pile) == 0) {
		text = "there is no certificate in it";
	} else {
		certchain_check(&found, pile, c->roots, clock_wall());
		certpile_fact(pile, 0, c->p->pool, &f);
		if (f.self_signed)
			text = "signed by itself: partners cannot verify it";
		else if (client ? !f.client : !f.server)
			text = client ? "not for clients (extended key usage)" :
			    "not for servers (extended key usage)";
		for (i = 0; !found.verified && text == NULL && i < found.n;
		     i++) {
			if (found.v[i].level == CERTCHAIN_FAIL)
				text = found.v[i].text;
		}
		if (!found.verified && text == NULL)
			text = "no authority that is trusted here vouches "
			    "for it";
	}
	buf_fini(&raw);
	certpile_destroy(&pile);
	return text;
}

static void
check_use(struct certs *c, const struct certmap *map, const char *use,
    const char *none)
{
	bool client = strncmp(use, "listener:", 9) != 0;
	const struct certmap_row *row;
	const char *text;
	unsigned i;

	for (i = 0; (row = certmap_find(map, use, i)) != NULL; i++) {
		text = trouble(c, row->chain, client);
		profile_add(c->into, text == NULL, "certificate", use,
		    pool_printf(c->p->pool, "\"%s\": %s", row->name,
			text == NULL ? "issued by an authority" : text),
		    false);
	}
	if (i == 0 && none != NULL)
		profile_add(c->into, false, "certificate", use, none, false);
}

/* Those that would be shown, were TLS demanded already. Where none is set, our
 * own stand for it, which are none. */
static int
check_uses(struct certs *c, struct err *why)
{
	const struct conf *conf = c->p->conf;
	struct conf strict = *conf;
	struct certmap map = { .pool = c->p->pool };
	unsigned i;

	strict.top.tls_selfsigned = true;
	strict.listener = pool_dup(c->p->pool, conf->listener,
	    conf->nlistener * sizeof(*conf->listener));
	for (i = 0; i < strict.nlistener; i++)
		strict.listener[i].implicit_tls = true;
	if (conf_certs(&strict, c->list, &map, why) != 0)
		return -1;
	for (i = 0; i < conf->nlistener; i++)
		check_use(c, &map, pool_printf(c->p->pool, "listener:%s",
		    conf->listener[i].name), "there is none");
	check_use(c, &map, "outbound", "there is none: partners who ask who "
	    "we are are not told");
	for (i = 0; i < conf->ndestination; i++)
		check_use(c, &map, pool_printf(c->p->pool, "destination:%s",
		    conf->destination[i].name), NULL);
	return 0;
}

static int
open_certs(struct certs *c, struct err *why)
{
	const struct conf *conf = c->p->conf;
	struct certstore *cs = NULL;
	struct epoch *e = NULL;

	if (epoch_read(&e, confedit_file(c->p->ce), 1, why) != 0)
		return -1;
	/* What is missing then is told as a certificate that is not there. */
	(void)lister_run(e, &c->list, why);
	err_clear(why);
	epoch_destroy(&e);
	read_roots(c, conf->delivery.ca_file);
	if (certstore_open(&cs, conf->tls.store, c->list, why) != 0)
		return -1;
	read_roots(c, certstore_ca_path(cs));
	certstore_close(&cs);
	return 0;
}

void
profile_check_certs(struct profile *p, enum tlswant_level least, json_t *list)
{
	struct certs c = { .p = p, .into = list };
	struct err why = ERR_INIT;
	unsigned n;

	c.roots = certpile_new();
	if (open_certs(&c, &why) != 0 || check_uses(&c, &why) != 0)
		profile_add(list, false, "certificate", "tls",
		    pool_strdup(p->pool, why.text), false);
	n = certpile_count(c.roots);
	if (tlswant_verifies(least))
		profile_add(list, n > 0, "authorities", "delivery", n > 0 ?
		    pool_printf(p->pool, "%u to verify hosts with", n) :
		    pool_printf(p->pool, "none to verify hosts with in %s",
			p->conf->delivery.ca_file), false);
	certpile_destroy(&c.roots);
	certlist_destroy(&c.list);
}
