#include "cli/profile.h"

#include <string.h>

#include "tls/tlswant.h"

/* What an object says of a key now, as text: for the comparison and for people.
 */
static const char *
is_now(struct profile *p, const char *kind, const char *name, const char *key)
{
	const struct conf_object *o = confedit_get(p->ce, kind, name);
	const struct conf_item *item = o == NULL ? NULL :
	    conf_object_get(o, key);
	struct buf text;
	const char *s = "";

	if (item == NULL) {
		o = confedit_boot(p->ce, kind, name);
		item = o == NULL ? NULL : conf_object_get(o, key);
	}
	if (item == NULL)
		return s;
	buf_init(&text, CONF_OVER_MAX);
	conf_raw_write(item->value, &text);
	s = pool_str(p->pool, buf_str(&text)).p;
	buf_fini(&text);
	return s;
}

int
profile_set(struct profile *p, const char *kind, const char *name,
    const char *key, const char *value, struct err *why)
{
	const char *before = is_now(p, kind, name, key), *after;

	if (confedit_set(p->ce, kind, name, key, value, why) != 0)
		return -1;
	after = is_now(p, kind, name, key);
	if (strcmp(before, after) != 0)
		(void)json_array_append_new(p->changes, json_sprintf(
		    "%s%s%s%s: %s %s -> %s", kind, name[0] != '\0' ? " \"" :
		    "", name, name[0] != '\0' ? "\"" : "", key,
		    before[0] != '\0' ? before : "(default)",
		    after[0] != '\0' ? after : "(default)"));
	return 0;
}

/* A policy that demands more keeps it, one that lets nobody in is of no
 * matter. */
int
profile_server(struct profile *p, int level, struct err *why)
{
	static const char *const words[] = { "off", "preferred", "required" };
	const struct conf *c = p->conf;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		if (!c->listener[i].implicit_tls && profile_set(p, "listener",
			c->listener[i].name, "tls", words[level], why) != 0)
			return -1;
	}
	for (i = 0; i < c->nflow; i++) {
		if (c->flow[i].tls == -1 || c->flow[i].tls >= level ||
		    c->flow[i].behavior == CONF_REJECT ||
		    c->flow[i].behavior == CONF_TCPREFUSE)
			continue;
		if (profile_set(p, "mail_flow_policy", c->flow[i].name,
			"tls", words[level], why) != 0)
			return -1;
	}
	return 0;
}

int
profile_client(struct profile *p, const char *want, struct err *why)
{
	return profile_set(p, "delivery", "", "tls", want, why);
}

/* A want that verifies, and all that it asked for besides. */
static const char *
verifying(struct profile *p, const struct tlswant *w)
{
	struct tlswant least, both;
	const char *s;
	struct buf text;

	(void)tlswant_read(&least, STR("required-verify"), p->pool, NULL);
	tlswant_max(&both, w, &least, p->pool);
	buf_init(&text, CONF_OVER_MAX);
	tlswant_write(&both, &text);
	s = pool_str(p->pool, buf_str(&text)).p;
	buf_fini(&text);
	return s;
}

static int
raise(struct profile *p, const char *kind, const char *name,
    const struct tlswant *w, struct err *why)
{
	if (w == NULL || w->level >= TLSWANT_REQUIRED_VERIFY)
		return 0;
	return profile_set(p, kind, name, "tls", verifying(p, w), why);
}

static int
client_side(struct profile *p, struct err *why)
{
	const struct conf *c = p->conf;
	unsigned i;

	if (raise(p, "delivery", "", c->delivery.tls, why) != 0)
		return -1;
	for (i = 0; i < c->ndestination; i++)
		if (raise(p, "destination", c->destination[i].name,
			c->destination[i].tls, why) != 0)
			return -1;
	for (i = 0; i < c->nroute; i++)
		if (raise(p, "route", c->route[i].name, c->route[i].tls,
			why) != 0)
			return -1;
	return 0;
}

static const char *
joined(struct profile *p, const char *list, const char *more)
{
	return list[0] == '\0' ? more : pool_printf(p->pool, "%s,%s", list,
	    more);
}

/* Networks that could relay without a group have one from now on. */
static int
trusted_group(struct profile *p, bool *is_r, struct err *why)
{
	const struct conf_nets *nets = &p->conf->relay.networks;
	const char *list = "";
	unsigned i;

	*is_r = nets->n > 0;
	for (i = 0; i < nets->n; i++)
		list = joined(p, list, nets->text[i]);
	if (!*is_r)
		return 0;
	if (profile_set(p, "mail_flow_policy", PROFILE_RELAY, "behavior",
		"relay", why) != 0 ||
	    profile_set(p, "mail_flow_policy", PROFILE_RELAY, "tls",
		"required", why) != 0 ||
	    profile_set(p, "sender_group", PROFILE_TRUSTED, "senders", list,
		why) != 0)
		return -1;
	return profile_set(p, "sender_group", PROFILE_TRUSTED, "policy",
	    PROFILE_RELAY, why);
}

/* Everybody who is in no group before that one is rejected. */
static int
close_listener(struct profile *p, const struct conf_listener *l, bool trusted,
    struct err *why)
{
	const char *list = trusted ? PROFILE_TRUSTED : "";
	const struct conf_group *g;
	unsigned i;

	for (i = 0; i < l->ngroup; i++) {
		g = l->group[i];
		if (strcmp(g->name, PROFILE_TRUSTED) == 0 ||
		    strcmp(g->name, PROFILE_STRANGERS) == 0)
			continue;
		if (profile_is_all(g) && profile_lets_in(p->conf, g))
			continue; /* it lists nobody */
		list = joined(p, list, g->name);
	}
	return profile_set(p, "listener", l->name, "sender_groups",
	    joined(p, list, PROFILE_STRANGERS), why);
}

int
profile_apply(struct profile *p, struct err *why)
{
	const struct conf *c = p->conf;
	bool trusted;
	unsigned i;

	if (profile_server(p, SMTPD_TLS_REQUIRED, why) != 0 ||
	    client_side(p, why) != 0 ||
	    profile_set(p, "mail_flow_policy", PROFILE_REJECT, "behavior",
		"reject", why) != 0 ||
	    profile_set(p, "sender_group", PROFILE_STRANGERS, "senders",
		"ALL", why) != 0 ||
	    profile_set(p, "sender_group", PROFILE_STRANGERS, "policy",
		PROFILE_REJECT, why) != 0 ||
	    trusted_group(p, &trusted, why) != 0)
		return -1;
	for (i = 0; i < c->nlistener; i++)
		if (close_listener(p, &c->listener[i], trusted, why) != 0)
			return -1;
	return 0;
}
