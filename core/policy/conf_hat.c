/*
 * Sender groups and mail flow policies: each policy is made ready for each
 * listener, so that nobody looks settings up while a client waits.
 */
#include "policy/conf_priv.h"

#include <string.h>

#include "mail/addr.h"
#include "policy/conf_object.h"

static int	build_group(struct conf *, struct conf_group *, struct err *);
static int	zone_number(struct conf *, const char *, unsigned *,
		    struct err *);
static int	check_flow(const struct conf *, const struct conf_policy_flow *,
		    bool, struct err *);
static int	check_recipients(const struct conf *, enum conf_scope_id,
		    const char *, unsigned, struct err *);
static int	check_addresses(const struct conf *, unsigned, struct err *);
static int	check_senders(const struct conf *, enum conf_scope_id,
		    const char *, const char *const *, struct err *);
static int	build_listener(struct conf *, struct conf_listener *,
		    struct err *);
static bool	asks_name(const struct conf_group *);
static void	build_own(const struct conf *, const struct conf_listener *,
		    struct conf_flow *);
static int	build_flow(struct conf *, const struct conf_listener *,
		    const struct conf_policy_flow *, struct conf_flow *,
		    struct err *);
static bool	is_set(const struct conf_policy_flow *, const char *);

/* What is counted before anybody knows the group, and what a policy has one
 * word for. */
static const char *const not_here[] = { "connections",
	"relay_client_connections", "relay_client_rate" };

/* RFC 5321, 4.5.3.1.8: what everybody may send. */
enum { RECIPIENTS_LEAST = 100 };

int
conf_build_hat(struct conf *c, const struct conf_reader *reader,
    struct err *why)
{
	/* A reader of nothing only looks at the settings. */
	bool read = reader->read != conf_reader_none.read;
	unsigned i;

	c->zone = pool_alloc(c->pool, SGPAT_ZONES * sizeof(*c->zone));
	for (i = 0; i < c->nflow; i++) {
		if (check_flow(c, &c->flow[i], read, why) != 0)
			return -1;
	}
	for (i = 0; i < c->ngroup; i++) {
		if (build_group(c, &c->group[i], why) != 0)
			return -1;
	}
	if (check_recipients(c, CONF_SCOPE_LIMITS, "", c->limits.recipients,
		why) != 0)
		return -1;
	for (i = 0; i < c->nlistener; i++) {
		if (check_senders(c, CONF_SCOPE_LISTENER, c->listener[i].name,
			c->listener[i].tls_senders, why) != 0 ||
		    check_recipients(c, CONF_SCOPE_LISTENER,
			c->listener[i].name, c->listener[i].limits.recipients,
			why) != 0)
			return -1;
		if (build_listener(c, &c->listener[i], why) != 0)
			return conf_blame(c, CONF_SCOPE_LISTENER,
			    c->listener[i].name, "sender_groups", why);
		if (check_addresses(c, i, why) != 0)
			return conf_blame(c, CONF_SCOPE_LISTENER,
			    c->listener[i].name, "address", why);
	}
	return 0;
}

static int
check_recipients(const struct conf *c, enum conf_scope_id id, const char *name,
    unsigned n, struct err *why)
{
	if (n >= RECIPIENTS_LEAST)
		return 0;
	(void)err_text(why, "recipients must be at least %d; fewer are for a "
	    "mail_flow_policy", RECIPIENTS_LEAST);
	return conf_blame(c, id, name, "recipients", why);
}

/* None has an address that it, or one before it, has already. */
static int
check_addresses(const struct conf *c, unsigned i, struct err *why)
{
	const struct conf_addrs *mine = &c->listener[i].address, *other;
	char text[SOCK_TEXT_MAX], before[SOCK_TEXT_MAX];
	unsigned j, k, n;

	for (k = 0; k < mine->n; k++) {
		(void)sock_addr_text(&mine->v[k], text, sizeof(text));
		for (j = 0; j <= i; j++) {
			other = &c->listener[j].address;
			for (n = 0; n < (j < i ? other->n : k); n++) {
				(void)sock_addr_text(&other->v[n], before,
				    sizeof(before));
				if (strcmp(text, before) == 0)
					return err_text(why, "%s is there "
					    "already in listener \"%s\"",
					    text, c->listener[j].name);
			}
		}
	}
	return 0;
}

static int
build_group(struct conf *c, struct conf_group *g, struct err *why)
{
	const char *const *p;
	struct sgpat *pat;
	unsigned n = 0;

	for (p = g->senders; *p != NULL; p++)
		n++;
	g->pattern = pool_alloc(c->pool, (n + 1) * sizeof(*g->pattern));
	for (p = g->senders; *p != NULL; p++) {
		pat = &g->pattern[g->npattern++];
		if (sgpat_parse(c->pool, *p, pat, why) != 0 ||
		    (pat->type == SGPAT_DNSLIST &&
			zone_number(c, pat->name, &pat->zone, why) != 0)) {
			(void)err_prefix(why, "senders: ");
			return conf_blame(c, CONF_SCOPE_GROUP, g->name,
			    "senders", why);
		}
	}
	for (n = 0; n < c->nflow; n++) {
		if (strcmp(c->flow[n].name, g->policy) == 0) {
			g->flow = n;
			return 0;
		}
	}
	(void)err_text(why, "no mail_flow_policy \"%.60s\"", g->policy);
	return conf_blame(c, CONF_SCOPE_GROUP, g->name, "policy", why);
}

static int
zone_number(struct conf *c, const char *zone, unsigned *n_r, struct err *why)
{
	unsigned i;

	for (i = 0; i < c->nzone; i++) {
		if (str_ieq_c(str_c(zone), c->zone[i]))
			break;
	}
	if (i == SGPAT_ZONES)
		return err_text(why, "more than %d DNS lists", SGPAT_ZONES);
	if (i == c->nzone)
		c->zone[c->nzone++] = zone;
	*n_r = i;
	return 0;
}

static int
check_flow(const struct conf *c, const struct conf_policy_flow *f, bool read,
    struct err *why)
{
	size_t i;

	for (i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++) {
		if (!is_set(f, not_here[i]))
			continue;
		(void)err_text(why, "%s is for listeners, not for policies%s",
		    not_here[i], i == 0 ? "" :
		    strcmp(not_here[i], "relay_client_rate") == 0 ?
		    "; there it is client_rate" :
		    "; there it is client_connections");
		return conf_blame(c, CONF_SCOPE_FLOW, f->name, not_here[i],
		    why);
	}
	if (f->auth == CONF_AUTH_REQUIRED && c->nuser == 0 &&
	    (read || c->relay.users[0] == '\0') &&
	    c->relay.user_table[0] == '\0') {
		(void)err_text(why, "auth is required, but relay { } has no "
		    "users");
		return conf_blame(c, CONF_SCOPE_FLOW, f->name, "auth", why);
	}
	return check_senders(c, CONF_SCOPE_FLOW, f->name, f->tls_senders,
	    why);
}

static int
check_senders(const struct conf *c, enum conf_scope_id id, const char *name,
    const char *const *p, struct err *why)
{
	struct str s;
	size_t at;

	for (; *p != NULL; p++) {
		s = str_c(*p);
		at = str_find(s, '@');
		if (at > 0 && at < s.n)
			s = str_n(s.p + at + 1, s.n - at - 1);
		else if (s.p[0] == '.')
			s = str_n(s.p + 1, s.n - 1);
		if (domain_valid(s, true))
			continue;
		(void)err_text(why, "tls_senders: \"%s\" is no address, "
		    "domain or .domain", *p);
		return conf_blame(c, id, name, "tls_senders", why);
	}
	return 0;
}

static int
build_listener(struct conf *c, struct conf_listener *l, struct err *why)
{
	const char *const *p;
	unsigned i, n = 0;

	for (p = l->sender_groups; *p != NULL; p++)
		n++;
	l->group = pool_alloc(c->pool, (n + 1) * sizeof(struct conf_group *));
	for (p = l->sender_groups; *p != NULL; p++) {
		for (i = 0; i < c->ngroup; i++) {
			if (strcmp(c->group[i].name, *p) == 0)
				break;
		}
		if (i == c->ngroup)
			return err_text(why, "no sender_group \"%.60s\"", *p);
		if (l->reverse_timeout == 0 && asks_name(&c->group[i]))
			return err_text(why, "sender_group \"%.60s\" has names "
			    "of hosts, which reverse_timeout 0 never looks "
			    "up", *p);
		l->group[l->ngroup++] = &c->group[i];
	}
	n = l->ngroup > 0 ? c->nflow : 0;
	l->flow = pool_alloc(c->pool, (n + 1) * sizeof(*l->flow));
	l->nflow = n + 1;
	build_own(c, l, &l->flow[0]);
	for (i = 0; i < n; i++) {
		if (build_flow(c, l, &c->flow[i], &l->flow[i + 1], why) != 0)
			return err_prefix(why, "mail_flow_policy \"%s\": ",
			    c->flow[i].name);
	}
	return 0;
}

static bool
asks_name(const struct conf_group *g)
{
	unsigned i;

	for (i = 0; i < g->npattern; i++) {
		if (g->pattern[i].type == SGPAT_HOST ||
		    g->pattern[i].type == SGPAT_BELOW)
			return true;
	}
	return false;
}

static void
build_own(const struct conf *c, const struct conf_listener *l,
    struct conf_flow *f)
{
	f->tls_senders = l->tls_senders;
	f->limits = l->limits;
	conf_build_smtpd(c, l, f);
}

static int
build_flow(struct conf *c, const struct conf_listener *l,
    const struct conf_policy_flow *p, struct conf_flow *f, struct err *why)
{
	const struct conf_param *param;
	const struct conf_item *item;

	f->policy = p;
	f->tls_senders = is_set(p, "tls_senders") ? p->tls_senders :
	    l->tls_senders;
	f->limits = l->limits;
	if (p->behavior == CONF_RELAY) {
		f->limits.client_connections =
		    l->limits.relay_client_connections;
		f->limits.client_rate = l->limits.relay_client_rate;
	}
	for (item = p->items; item != NULL; item = item->next) {
		param = conf_param_find(&conf_scopes[CONF_SCOPE_LIMITS],
		    item->key);
		if (param != NULL && conf_value_set(c->pool, c->dir, param,
			&f->limits, item->value, why) != 0)
			return -1;
	}
	conf_build_smtpd(c, l, f);
	if (p->tls != -1)
		f->smtpd.tls = (enum smtpd_tls)p->tls;
	f->smtpd.banner_code = p->banner_code;
	if (p->banner_host[0] != '\0')
		f->smtpd.banner_host = p->banner_host;
	if (is_set(p, "banner_text"))
		f->smtpd.banner_text = p->banner_text;
	if (p->auth == CONF_AUTH_OFF)
		f->smtpd.auth = false;
	return 0;
}

static bool
is_set(const struct conf_policy_flow *f, const char *key)
{
	const struct conf_item *item;

	for (item = f->items; item != NULL; item = item->next) {
		if (strcmp(item->key, key) == 0)
			return true;
	}
	return false;
}

/* What a block does not set is a listener's, so only what it sets is shown. */
static void
dump_items(struct buf *dst, enum conf_scope_id id, const char *name,
    const struct conf_item *items)
{
	const struct conf_object o = { .scope = &conf_scopes[id],
		.kind = conf_scopes[id].name, .name = name,
		.items = (struct conf_item *)(uintptr_t)items };

	conf_object_write(&o, dst);
}

void
conf_hat_dump(const struct conf *c, struct buf *dst)
{
	unsigned i;

	for (i = 0; i < c->ngroup; i++)
		dump_items(dst, CONF_SCOPE_GROUP, c->group[i].name,
		    c->group[i].items);
	for (i = 0; i < c->nflow; i++)
		dump_items(dst, CONF_SCOPE_FLOW, c->flow[i].name,
		    c->flow[i].items);
}
