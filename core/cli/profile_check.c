#include "cli/profile.h"

#include <string.h>

#include "base/file.h"
#include "tls/certmap.h"
#include "tls/certpile.h"
#include "tls/tlswant.h"

#define FILE_MAX (16 * 1024 * 1024)

static void
add(json_t *list, bool ok, const char *what, const char *where,
    const char *text, bool mends)
{
	(void)json_array_append_new(list, json_pack(
	    "{s:s, s:b, s:s, s:s, s:s}", "what", what, "ok", ok, "where",
	    where, "text", text, "remedy", mends ? "apply" : "you"));
}

/* "": it is well; else what is wrong with a chain as a partner sees it. */
static const char *
chain_trouble(struct profile *p, const char *file)
{
	struct certpile *pile = certpile_new();
	struct err why = ERR_INIT;
	const char *text = "";
	struct certfact f;
	struct buf raw;

	buf_init(&raw, FILE_MAX);
	if (file_read(&raw, file, &why) != 0 ||
	    certpile_read(pile, buf_str(&raw), file, NULL, &why) != 0) {
		text = pool_strdup(p->pool, why.text);
	} else {
		certpile_fact(pile, 0, p->pool, &f);
		if (f.self_signed)
			text = "the certificate is signed by itself: partners "
			    "cannot verify it";
		else if (f.not_after < clock_wall())
			text = "the certificate has expired";
	}
	buf_fini(&raw);
	certpile_destroy(&pile);
	return text;
}

static void
check_certificates(struct profile *p, json_t *list)
{
	const struct conf *c = p->conf;
	struct certmap map = { .pool = p->pool };
	const struct certmap_row *row;
	struct err why = ERR_INIT;
	const char *use, *text;
	unsigned i;

	if (conf_certs(c, NULL, &map, &why) != 0)
		add(list, false, "certificate", "tls", pool_strdup(p->pool,
		    why.text), false);
	for (i = 0; i < c->nlistener && why.text[0] == '\0'; i++) {
		use = pool_printf(p->pool, "listener:%s",
		    c->listener[i].name);
		row = certmap_find(&map, use, 0);
		text = row == NULL ? "no certificate of a CA: the "
		    "demonstration certificate is shown" :
		    chain_trouble(p, row->chain);
		add(list, text[0] == '\0', "certificate", use, text[0] == '\0'
		    ? pool_printf(p->pool, "issued by a CA: %s", row->name) :
		    text, false);
	}
}

static void
check_roots(struct profile *p, json_t *list)
{
	const char *file = p->conf->delivery.ca_file;
	struct certpile *pile = certpile_new();
	struct err why = ERR_INIT;
	struct buf raw;
	unsigned n = 0;

	buf_init(&raw, FILE_MAX);
	if (file_read(&raw, file, &why) == 0) {
		certpile_read_bundle(pile, buf_str(&raw));
		n = certpile_count(pile);
	}
	add(list, n > 0, "ca-list", "delivery", n > 0 ?
	    pool_printf(p->pool, "%u roots in %s", n, file) :
	    pool_printf(p->pool, "no list of CAs to verify hosts with: %s",
		why.text[0] != '\0' ? why.text : file), false);
	buf_fini(&raw);
	certpile_destroy(&pile);
}

static void
check_server(struct profile *p, json_t *list)
{
	static const char *const words[] = { "off", "preferred", "required" };
	const struct conf *c = p->conf;
	const struct conf_policy_flow *f;
	const struct conf_listener *l;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		l = &c->listener[i];
		add(list, l->implicit_tls || l->tls == SMTPD_TLS_REQUIRED,
		    "server-tls", pool_printf(p->pool, "listener \"%s\"",
			l->name), pool_printf(p->pool, "TLS %s",
			l->implicit_tls ? "from the first octet" :
			words[l->tls]), true);
	}
	for (i = 0; i < c->nflow; i++) {
		f = &c->flow[i];
		if (f->behavior == CONF_REJECT ||
		    f->behavior == CONF_TCPREFUSE || f->tls == -1)
			continue;
		add(list, f->tls == SMTPD_TLS_REQUIRED, "server-tls",
		    pool_printf(p->pool, "mail_flow_policy \"%s\"", f->name),
		    pool_printf(p->pool, "TLS %s", words[f->tls]), true);
	}
}

bool
profile_lets_in(const struct conf *c, const struct conf_group *g)
{
	return c->flow[g->flow].behavior == CONF_ACCEPT ||
	    c->flow[g->flow].behavior == CONF_RELAY;
}

bool
profile_is_all(const struct conf_group *g)
{
	unsigned i;

	for (i = 0; i < g->npattern; i++) {
		if (g->pattern[i].type == SGPAT_ALL)
			return true;
	}
	return false;
}

/* Who is let in by an entry that says who it is; and whether anybody else is:
 * all groups in front of the first with ALL let in whom they list. */
static void
check_sources(struct profile *p, json_t *list)
{
	const struct conf *c = p->conf;
	const struct conf_nets *nets = &c->relay.networks;
	bool trusted, closed, networks = false;
	const struct conf_listener *l;
	const struct conf_group *g;
	const char *where;
	unsigned i, k;

	for (i = 0; i < nets->n; i++)
		networks = networks || (strncmp(nets->text[i], "127.", 4) !=
		    0 && strncmp(nets->text[i], "::1", 3) != 0);
	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		where = pool_printf(p->pool, "listener \"%s\"", l->name);
		trusted = networks;
		closed = false;
		for (k = 0; k < l->ngroup && !closed; k++) {
			g = l->group[k];
			if (profile_is_all(g) && profile_lets_in(c, g))
				break;
			closed = profile_is_all(g);
			trusted = trusted || (profile_lets_in(c, g) &&
			    g->npattern > 0);
		}
		add(list, closed, "unknown-sources", where, closed ?
		    "rejected" : "mail from unknown sources is accepted",
		    true);
		add(list, trusted, "trusted-sources", where, trusted ?
		    "listed" : "no sender group and no relay.networks lists "
		    "who may send: nobody but this host could", false);
	}
}

static void
check_want(struct profile *p, json_t *list, const char *where,
    const struct tlswant *w)
{
	bool ok = w->level >= TLSWANT_REQUIRED_VERIFY;
	const char *level = tlswant_name(w->level);

	add(list, ok, "client-tls", where, ok ? level : pool_printf(p->pool,
	    "%s: its certificate is not verified", level), true);
}

static void
check_client(struct profile *p, json_t *list)
{
	const struct conf *c = p->conf;
	unsigned i;

	check_want(p, list, "delivery", c->delivery.tls);
	for (i = 0; i < c->ndestination; i++)
		if (c->destination[i].tls != NULL)
			check_want(p, list, pool_printf(p->pool,
			    "destination \"%s\"", c->destination[i].name),
			    c->destination[i].tls);
	for (i = 0; i < c->nroute; i++)
		if (c->route[i].tls != NULL)
			check_want(p, list, pool_printf(p->pool,
			    "route \"%s\"", c->route[i].name),
			    c->route[i].tls);
}

json_t *
profile_check(struct profile *p)
{
	json_t *list = json_array();

	check_certificates(p, list);
	check_roots(p, list);
	check_server(p, list);
	check_sources(p, list);
	check_client(p, list);
	return list;
}

bool
profile_unmet(const json_t *checks)
{
	const json_t *o;
	size_t i;

	for (i = 0; i < json_array_size(checks); i++) {
		o = json_array_get(checks, i);
		if (!json_is_true(json_object_get(o, "ok")) &&
		    strcmp(json_string_value(json_object_get(o, "remedy")),
			"you") == 0)
			return true;
	}
	return false;
}
