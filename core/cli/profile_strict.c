#include "cli/profile.h"

#include <string.h>

#include "cli/config.h"

enum { TLS12 = 0x0303 };

const char *
profile_text(struct profile *p, const struct conf_object *o, const char *key)
{
	const struct conf_item *item = o == NULL ? NULL :
	    conf_object_get(o, key);
	struct buf text;
	const char *s;

	if (item == NULL)
		return NULL;
	buf_init(&text, CONF_OVER_MAX);
	conf_raw_write(item->value, &text);
	s = pool_str(p->pool, buf_str(&text)).p;
	buf_fini(&text);
	return s;
}

const char *
profile_spoken(struct profile *p, const struct conf_object *o,
    const char *key)
{
	const struct conf_item *item = conf_object_get(o, key);
	const char *list = "";
	unsigned i;

	if (item == NULL)
		return NULL;
	if (item->value->type == RAW_STRING)
		list = pool_str(p->pool, item->value->s).p;
	for (i = 0; item->value->type == RAW_LIST && i < item->value->n; i++)
		list = profile_joined(p, list, pool_str(p->pool,
		    item->value->v[i]->s).p);
	return list[0] != '\0' ? list : "\"\"";
}

const char *
profile_joined(struct profile *p, const char *list, const char *more)
{
	return list[0] == '\0' ? more : pool_printf(p->pool, "%s,%s", list,
	    more);
}

bool
profile_is(struct profile *p, const struct conf_object *o, const char *key,
    const char *value)
{
	const char *now = profile_text(p, o, key);
	struct conf_object want;

	return now != NULL && conf_object_new(p->pool, o->kind, o->name,
	    &want, NULL) == 0 && conf_object_set(p->pool, &want, key, value,
	    NULL) == 0 && strcmp(now, profile_text(p, &want, key)) == 0;
}

const char *
profile_now(struct profile *p, const char *kind, const char *name,
    const char *key)
{
	const char *text = profile_text(p, confedit_get(p->ce, kind, name),
	    key);

	return text != NULL ? text : profile_text(p, confedit_boot(p->ce,
	    kind, name), key);
}

void
profile_tell(struct profile *p, const char *kind, const char *name,
    const char *key, const char *before)
{
	const char *after = profile_now(p, kind, name, key);
	const char *what = name[0] == '\0' ? kind :
	    pool_printf(p->pool, "%s \"%s\"", kind, name);

	(void)json_array_append_new(p->changes, config_text(str_c(pool_printf(
	    p->pool, "%s: %s %s -> %s", what, key, before != NULL ? before :
	    "(default)", after != NULL ? after : "(default)"))));
}

int
profile_set(struct profile *p, const char *kind, const char *name,
    const char *key, const char *value, struct err *why)
{
	const struct conf_object *o = confedit_get(p->ce, kind, name);
	const struct conf_object *boot = confedit_boot(p->ce, kind, name);
	const char *before = profile_now(p, kind, name, key);

	if (profile_is(p, o != NULL && conf_object_get(o, key) != NULL ? o :
		boot, key, value))
		return 0;
	confedit_scope(p->ce, o != NULL ? o->node : p->node);
	if (confedit_set(p->ce, kind, name, key, value, why) != 0)
		return -1;
	profile_tell(p, kind, name, key, before);
	return 0;
}

int
profile_server(struct profile *p, enum smtpd_tls level, struct err *why)
{
	const struct conf *c = p->conf;
	const struct conf_listener *l;
	const struct conf_policy_flow *f;

	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		if (!l->implicit_tls && l->tls != (int)level &&
		    p->put(p, "listener", l->name, "tls",
			profile_words[level], why) != 0)
			return -1;
	}
	for (f = c->flow; f < c->flow + c->nflow; f++) {
		if (f->behavior <= CONF_RELAY && f->tls != -1 &&
		    f->tls < (int)level && p->put(p, "mail_flow_policy",
			f->name, "tls", profile_words[level], why) != 0)
			return -1;
	}
	return 0;
}

/* One of that level, with all that it asked for besides: not the maximum, in
 * which the higher of two levels brings its own names, roots and ciphers. */
static const char *
raised(struct profile *p, const struct tlswant *w, enum tlswant_level level)
{
	struct tlswant both = *w;
	struct buf text;
	const char *s;

	both.level = level;
	if (both.min_version < TLS12 && level >= TLSWANT_REQUIRED)
		both.min_version = 0;
	if (p->unverified && w->level < TLSWANT_REQUIRED) {
		both.match = TLSWANT_MATCH_MX;
		both.names = NULL;
		both.npin = 0;
		both.ca = NULL;
	}
	buf_init(&text, CONF_OVER_MAX);
	tlswant_write(&both, &text);
	s = pool_str(p->pool, buf_str(&text)).p;
	buf_fini(&text);
	return s;
}

int
profile_client(struct profile *p, enum tlswant_level level, struct err *why)
{
	const struct tlswant *w = p->conf->delivery.tls;

	return p->put(p, "delivery", "", "tls", w->level < level ?
	    raised(p, w, level) : tlswant_name(level), why);
}

static int
raise_one(struct profile *p, const char *kind, const char *name,
    const struct tlswant *w, enum tlswant_level least, struct err *why)
{
	if (w == NULL || w->level >= least)
		return 0;
	return p->put(p, kind, name, "tls", raised(p, w, least), why);
}

int
profile_raise(struct profile *p, enum tlswant_level least, struct err *why)
{
	const struct conf *c = p->conf;
	unsigned i;

	if (profile_server(p, SMTPD_TLS_REQUIRED, why) != 0 ||
	    raise_one(p, "delivery", "", c->delivery.tls, least, why) != 0)
		return -1;
	for (i = 0; i < c->ndestination; i++) {
		if (raise_one(p, "destination", c->destination[i].name,
			c->destination[i].tls, least, why) != 0)
			return -1;
	}
	for (i = 0; i < c->nroute; i++) {
		if (raise_one(p, "route", c->route[i].name, c->route[i].tls,
			least, why) != 0)
			return -1;
	}
	return 0;
}

/* Networks that could relay without a group are in one from now on. *there_r:
 * there are such. */
static int
trusted_group(struct profile *p, bool *there_r, struct err *why)
{
	const struct conf_nets *nets = &p->conf->relay.networks;
	const char *list = "";
	unsigned i;

	*there_r = nets->n > 0;
	for (i = 0; i < nets->n; i++)
		list = profile_joined(p, list, nets->text[i]);
	if (nets->n == 0)
		return 0;
	if (p->put(p, "mail_flow_policy", PROFILE_RELAY, "behavior", "relay",
		why) != 0 || p->put(p, "mail_flow_policy", PROFILE_RELAY,
		"tls", "required", why) != 0 || p->put(p, "sender_group",
		PROFILE_TRUSTED, "senders", list, why) != 0)
		return -1;
	return p->put(p, "sender_group", PROFILE_TRUSTED, "policy",
	    PROFILE_RELAY, why);
}

/* Who is in none of its groups is in one of ours. */
static int
close_listener(struct profile *p, const struct conf_listener *l,
    unsigned end, bool trusted, struct err *why)
{
	const char *list = "";
	unsigned i;

	for (i = 0; i < end; i++) {
		if (!profile_is_own(l->group[i]) &&
		    !profile_lets_all(p->conf, l->group[i]))
			list = profile_joined(p, list, l->group[i]->name);
	}
	if (trusted)
		list = profile_joined(p, list, PROFILE_TRUSTED);
	return p->put(p, "listener", l->name, "sender_groups",
	    profile_joined(p, list, PROFILE_STRANGERS), why);
}

int
profile_apply(struct profile *p, enum tlswant_level least, struct err *why)
{
	const struct conf *c = p->conf;
	bool trusted, asked = false;
	unsigned i, end;

	if (profile_raise(p, least, why) != 0 ||
	    p->put(p, "mail_flow_policy", PROFILE_REJECT, "behavior",
		"reject", why) != 0 ||
	    p->put(p, "sender_group", PROFILE_STRANGERS, "senders", "ALL",
		why) != 0 ||
	    p->put(p, "sender_group", PROFILE_STRANGERS, "policy",
		PROFILE_REJECT, why) != 0)
		return -1;
	for (i = 0; i < c->nlistener; i++) {
		if (!profile_open(c, &c->listener[i], &end))
			continue;
		if (!asked && trusted_group(p, &trusted, why) != 0)
			return -1;
		asked = true;
		if (close_listener(p, &c->listener[i], end, trusted,
			why) != 0)
			return -1;
	}
	return 0;
}
