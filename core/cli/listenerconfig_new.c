/*
 * New listeners, and the host access tables that they may begin with: public,
 * which takes mail of everybody to the recipients of the access table, and
 * private, which relays for those on a list and for nobody else.
 */
#include "cli/listenerconfig.h"

#include <jansson.h>
#include <string.h>

#include "cli/config.h"
#include "cli/profile.h"
#include "cli/prompt.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))

enum { SETTINGS_MAX = 8 };

struct setting {
	const char *key, *value;
};

struct default_policy {
	const char *name;
	enum conf_behavior behavior;
	struct setting settings[SETTINGS_MAX];
};

struct default_group {
	const char *name, *senders, *policy, *comment;
};

struct kind {
	const char *name;
	struct default_group group[6];
};

static const struct default_policy policies[] = {
	{ "TRUSTED", CONF_ACCEPT, { { "behavior", "accept" },
	    { "client_connections", "0" }, { "client_rate", "0" } } },
	{ "BLOCKED", CONF_REJECT, { { "behavior", "reject" } } },
	{ "THROTTLED", CONF_ACCEPT, { { "behavior", "accept" },
	    { "message_size", "10M" }, { "messages", "10" },
	    { "recipients", "100" }, { "recipients_per_hour", "20" },
	    { "client_connections", "10" }, { "sender_dns", "yes" } } },
	{ "ACCEPTED", CONF_ACCEPT, { { "behavior", "accept" } } },
	{ "RELAYED", CONF_RELAY, { { "behavior", "relay" } } },
};

static const struct kind kinds[] = {
	{ "public", {
	    { "WHITELIST", NULL, "TRUSTED", "Trusted: no limits of rate" },
	    { "BLACKLIST", NULL, "BLOCKED", "Rejected" },
	    { "SUSPECTLIST", NULL, "THROTTLED", "Suspicious: throttled" },
	    { "UNKNOWNLIST", NULL, "ACCEPTED",
		"Looked at and undecided: accepted" },
	    { "ALL_ACCEPTED", "ALL", "ACCEPTED", "Everybody else" },
	} },
	{ "private", {
	    { "RELAYLIST", NULL, "RELAYED", "Only these may relay" },
	    { "ALL_BLOCKED", "ALL", "BLOCKED", "Everybody else" },
	} },
};

/* What there is of the name: none, one that does not do the same, one that
 * does. */
enum there { THERE_NOT, THERE_OTHER, THERE_SAME };

static const struct kind *
kind_of(const char *word)
{
	size_t i;

	for (i = 0; i < NELEM(kinds); i++) {
		if (str_ieq_c(str_c(word), kinds[i].name))
			return &kinds[i];
	}
	return NULL;
}

static const struct default_policy *
policy_of(const char *name)
{
	const struct default_policy *p = policies;

	while (strcmp(p->name, name) != 0)
		p++;
	return p;
}

static const struct conf_policy_flow *
flow_of(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->nflow; i++) {
		if (strcmp(c->flow[i].name, name) == 0)
			return &c->flow[i];
	}
	return NULL;
}

/* By a group of another listener? */
static bool
policy_used(const struct conf *c, const char *name, const char *listener)
{
	const struct conf_listener *l;
	unsigned i;

	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		for (i = 0; i < l->ngroup; i++) {
			if (strcmp(l->name, listener) != 0 &&
			    strcmp(l->group[i]->policy, name) == 0)
				return true;
		}
	}
	return false;
}

/* Nobody else's, and the store can say all of it. */
static bool
ours(struct listenerconfig *lc, const char *kind, const char *name, bool used)
{
	return !used && confedit_boot(lc->ce, kind, name) == NULL;
}

static int
put(struct listenerconfig *lc, const char *kind, const char *name,
    const struct setting *s, struct err *why)
{
	struct pool *pool = confedit_pool(lc->ce);
	struct conf_object o;

	if (conf_object_new(pool, kind, name, &o, why) != 0)
		return -1;
	for (; s->key != NULL; s++) {
		if (s->value != NULL &&
		    conf_object_set(pool, &o, s->key, s->value, why) != 0)
			return -1;
	}
	confedit_put(lc->ce, &o);
	return 0;
}

/* One that is there is kept if it does the same; a reset makes it new. */
static int
default_policy(struct listenerconfig *lc, const struct conf *c,
    const struct default_policy *p, bool reset, struct err *why)
{
	const struct conf_policy_flow *f = flow_of(c, p->name);

	if (f == NULL || (reset && ours(lc, "mail_flow_policy", p->name,
		policy_used(c, p->name, lc->arg[0]))))
		return put(lc, "mail_flow_policy", p->name, p->settings, why);
	return f->behavior == (int)p->behavior ? 0 : err_text(why,
	    "mail_flow_policy \"%s\" is there already and does something else "
	    "than %s", p->name, p->settings[0].value);
}

static int
default_group(struct listenerconfig *lc, const struct conf *c,
    const struct default_group *d, bool reset, struct err *why)
{
	const struct conf_group *g = hat_group(c, d->name);
	const struct setting s[] = { { "senders", d->senders },
		{ "policy", d->policy }, { "comment", d->comment },
		{ NULL, NULL } };
	bool same;

	if (g == NULL || (reset && ours(lc, "sender_group", d->name,
		hat_used(c, d->name, lc->arg[0]))))
		return put(lc, "sender_group", d->name, s, why);
	same = strcmp(g->policy, d->policy) == 0 && (d->senders == NULL ||
	    (g->npattern == 1 && g->pattern[0].type == SGPAT_ALL));
	return same ? 0 : err_text(why, "sender_group \"%s\" is there already "
	    "and does not have %s%s%s", d->name, d->policy,
	    d->senders != NULL ? " for " : "",
	    d->senders != NULL ? d->senders : "");
}

static int
default_table(struct listenerconfig *lc, const struct kind *k, bool reset,
    struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const struct default_group *d;
	const char *list = "";

	if (c == NULL)
		return -1;
	for (d = k->group; d < k->group + NELEM(k->group) && d->name != NULL;
	     d++) {
		if (default_policy(lc, c, policy_of(d->policy), reset,
			why) != 0 || default_group(lc, c, d, reset, why) != 0)
			return -1;
		list = pool_printf(lc->pool, "%s%s%s", list,
		    list[0] != '\0' ? "," : "", d->name);
	}
	return confedit_set(lc->ce, "listener", lc->arg[0], "sender_groups",
	    list, why);
}

int
listener_list(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const struct conf_listener *l;
	char text[SOCK_TEXT_MAX];
	json_t *all, *where;
	struct buf line;
	unsigned i;

	if (c == NULL)
		return -1;
	all = json_array();
	if (!lc->json)
		prompt_text("Currently configured listeners:\n", 0);
	buf_init(&line, SIZE_MAX);
	for (l = c->listener; l < c->listener + c->nlistener; l++) {
		where = json_array();
		buf_reset(&line);
		(void)buf_printf(&line, "%u. %s (on",
		    (unsigned)(l - c->listener) + 1, l->name);
		for (i = 0; i < l->address.n; i++) {
			(void)sock_addr_text(&l->address.v[i], text,
			    sizeof(text));
			(void)json_array_append_new(where, json_string(text));
			(void)buf_printf(&line, "%s %s", i > 0 ? "," : "",
			    text);
		}
		(void)buf_printf(&line, ") TLS %s, %u sender groups\n",
		    profile_words[l->tls], l->ngroup);
		if (!lc->json)
			prompt_text(buf_p(&line), 4);
		(void)json_array_append_new(all, json_pack(
		    "{s:s, s:o, s:s, s:i}", "listener", l->name, "address",
		    where, "tls", profile_words[l->tls], "sender_groups",
		    (int)l->ngroup));
	}
	buf_fini(&line);
	if (lc->json)
		config_print(all);
	else
		json_decref(all);
	return 0;
}

/* LISTENER [public|private] KEY=VALUE … */
int
listener_new(struct listenerconfig *lc, struct err *why)
{
	const struct kind *k = kind_of(lc->arg[1]);

	if (listenerconfig_known(lc, "listener", lc->arg[0]))
		return err_text(why, "listener \"%.60s\" is there already",
		    lc->arg[0]);
	if (confedit_new(lc->ce, "listener", lc->arg[0], why) != 0 ||
	    (k != NULL && default_table(lc, k, false, why) != 0))
		return -1;
	return listenerconfig_set(lc, k != NULL ? 2 : 1, "listener",
	    lc->arg[0], why);
}

/* LISTENER public|private */
int
listener_reset(struct listenerconfig *lc, struct err *why)
{
	const struct kind *k = kind_of(lc->arg[1]);

	if (k == NULL)
		return err_text(why, "\"%.60s\" is neither public nor private",
		    lc->arg[1]);
	if (listenerconfig_conf(lc, why) == NULL ||
	    listenerconfig_find(lc, lc->arg[0], why) == NULL)
		return -1;
	return default_table(lc, k, true, why);
}
