#include "cli/profile.h"

#include <string.h>
#include <sys/socket.h>

#include "base/die.h"
#include "cli/config.h"

enum { IPV4 = 1 << 0, IPV6 = 1 << 1, EVERYBODY = IPV4 | IPV6 };

const char *const profile_words[] = { [SMTPD_TLS_OFF] = "off",
	[SMTPD_TLS_PREFERRED] = "preferred",
	[SMTPD_TLS_REQUIRED] = "required" };

void
profile_add(json_t *list, bool ok, const char *what, const char *where,
    const char *text, bool mends)
{
	int r = json_array_append_new(list, json_pack(
	    "{s:s, s:b, s:o, s:o, s:s}", "what", what, "ok", (int)ok, "where",
	    config_text(str_c(where)), "text", config_text(str_c(text)),
	    "remedy", mends ? "apply" : "you"));

	/* What is missing and not told would be taken for there. */
	ASSERT(r == 0);
}

static void
check_server(struct profile *p, json_t *list)
{
	const struct conf *c = p->conf;
	const struct conf_policy_flow *f;
	const struct conf_listener *l;

	for (l = c->listener; l < c->listener + c->nlistener; l++)
		profile_add(list, l->implicit_tls ||
		    l->tls == SMTPD_TLS_REQUIRED, "server-tls",
		    pool_printf(p->pool, "listener \"%s\"", l->name),
		    l->implicit_tls ? "from the first octet" :
		    profile_words[l->tls], true);
	for (f = c->flow; f < c->flow + c->nflow; f++) {
		if (f->behavior <= CONF_RELAY && f->tls != -1)
			profile_add(list, f->tls == SMTPD_TLS_REQUIRED,
			    "server-tls", pool_printf(p->pool,
			    "mail_flow_policy \"%s\"", f->name),
			    profile_words[f->tls], true);
	}
}

static bool
lets_in(const struct conf *c, const struct conf_group *g)
{
	return c->flow[g->flow].behavior <= CONF_RELAY;
}

bool
profile_is_own(const struct conf_group *g)
{
	return strcmp(g->name, PROFILE_TRUSTED) == 0 ||
	    strcmp(g->name, PROFILE_STRANGERS) == 0;
}

static bool
is_mapped(const unsigned char *ip)
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip, prefix, sizeof(prefix)) == 0;
}

/* Which families are in it as a whole. */
static unsigned
families(const struct conf_group *g)
{
	const struct sgpat *pat;
	unsigned whole = 0;

	for (pat = g->pattern; pat < g->pattern + g->npattern; pat++) {
		if (pat->type == SGPAT_ALL)
			return EVERYBODY;
		if (pat->type == SGPAT_NET && pat->net.bits == 0)
			whole |= pat->net.family == AF_INET ? IPV4 : IPV6;
	}
	return whole;
}

/* More than a /8 of IPv4, or than IPv6's own private /7, is no list of sources:
 * so no two halves of a family pass for one. */
static bool
is_wide(const struct sgpat *pat)
{
	bool four = is_mapped(pat->low);

	if (pat->type == SGPAT_NET)
		return pat->net.bits < (pat->net.family == AF_INET ? 8 : 7);
	if (pat->type == SGPAT_RANGE)
		return pat->high[four ? 12 : 0] - pat->low[four ? 12 : 0] >
		    (four ? 1 : 2);
	return pat->type == SGPAT_ALL;
}

bool
profile_lets_all(const struct conf *c, const struct conf_group *g)
{
	unsigned i;

	for (i = 0; i < g->npattern && lets_in(c, g); i++) {
		if (is_wide(&g->pattern[i]))
			return true;
	}
	return false;
}

bool
profile_open(const struct conf *c, const struct conf_listener *l,
    unsigned *end_r)
{
	const struct conf_group *g;
	unsigned i, seen = 0;
	bool open = false;

	for (i = 0; i < l->ngroup && seen != EVERYBODY; i++) {
		g = l->group[i];
		if (c->flow[g->flow].behavior == CONF_CONTINUE)
			continue;
		open = open || profile_lets_all(c, g);
		seen |= families(g);
	}
	*end_r = i;
	return open || seen != EVERYBODY;
}

static bool
is_this_host(const char *net)
{
	return strncmp(net, "127.0.0.", 8) == 0 || strcmp(net, "::1") == 0 ||
	    strcmp(net, "::1/128") == 0;
}

/* Does a group that stays let anybody else in? */
static bool
lists_anybody(const struct conf *c, const struct conf_listener *l,
    unsigned end)
{
	const struct conf_group *g;
	unsigned i, k;

	for (i = 0; i < end; i++) {
		g = l->group[i];
		if (!lets_in(c, g) || profile_lets_all(c, g))
			continue;
		for (k = 0; k < g->npattern; k++) {
			if (!is_this_host(g->pattern[k].text))
				return true;
		}
	}
	return false;
}

static void
check_sources(struct profile *p, json_t *list)
{
	const struct conf *c = p->conf;
	const struct conf_nets *nets = &c->relay.networks;
	const struct conf_listener *l;
	bool open, listed, networks = false;
	unsigned i, end;
	const char *where;

	for (i = 0; i < nets->n; i++)
		networks = networks || !is_this_host(nets->text[i]);
	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		where = pool_printf(p->pool, "listener \"%s\"", l->name);
		open = profile_open(c, l, &end);
		profile_add(list, !open, "unknown-sources", where, open ?
		    "they are let in" : "denied", true);
		listed = lists_anybody(c, l, end) || (open && networks);
		profile_add(list, listed, "listed-sources", where, listed ?
		    "there are" : "no group and none of relay.networks lists "
		    "who may send: all would be denied but this host", false);
	}
}

/* Of what may be many, only those that are below are told. */
static void
check_client(struct profile *p, enum tlswant_level least, json_t *list)
{
	const struct conf *c = p->conf;
	const struct tlswant *w;
	unsigned i;

	profile_add(list, c->delivery.tls->level >= least, "client-tls",
	    "delivery", tlswant_name(c->delivery.tls->level), true);
	for (i = 0; i < c->ndestination; i++) {
		w = c->destination[i].tls;
		if (w != NULL && w->level < least)
			profile_add(list, false, "client-tls",
			    pool_printf(p->pool, "destination \"%s\"",
				c->destination[i].name),
			    tlswant_name(w->level), true);
	}
	for (i = 0; i < c->nroute; i++) {
		w = c->route[i].tls;
		if (w != NULL && w->level < least)
			profile_add(list, false, "client-tls",
			    pool_printf(p->pool, "route \"%s\"",
				c->route[i].name), tlswant_name(w->level),
			    true);
	}
}

void
profile_check(struct profile *p, enum tlswant_level least, json_t *list)
{
	profile_check_certs(p, least, list);
	check_sources(p, list);
	check_server(p, list);
	check_client(p, least, list);
}

bool
profile_holds(struct profile *p, enum tlswant_level least)
{
	json_t *list = json_array();
	const json_t *o;
	bool holds = true;
	size_t i;

	check_sources(p, list);
	check_server(p, list);
	check_client(p, least, list);
	json_array_foreach(list, i, o)
		holds = holds && (json_is_true(json_object_get(o, "ok")) ||
		    strcmp(json_string_value(json_object_get(o, "remedy")),
			"apply") != 0);
	json_decref(list);
	return holds;
}
