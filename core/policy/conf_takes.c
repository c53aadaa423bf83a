/*
 * To whom mail is taken at all, before anybody else is asked: the recipient
 * access table, and relay.domains, which is its simple form. And from whom in
 * any case, or in no case: the exceptions of senders.
 */
#include <string.h>

#include "mail/addr.h"
#include "policy/conf_priv.h"

/* An entry of that very name. */
typedef const void *find_fn(const struct conf *, const char *, struct str);

static find_fn	find, find_exception;
static const void *nearest(const struct conf *, const char *,
		    const struct addr *, find_fn *);
static bool	is_for(const struct conf_access *, const char *);
static void	build_ours(struct conf *);

int
conf_build_rat(struct conf *c, struct err *why)
{
	const char *const *p;
	struct conf_access *a;
	unsigned i, k;

	hash_init(&c->access_by_name);
	hash_init(&c->exception_by_name);
	for (i = 0; i < c->nexception; i++)
		hash_add(&c->exception_by_name, &c->exception[i].node,
		    hash_bytes(c->exception[i].name,
			strlen(c->exception[i].name)));
	for (i = 0; i < c->naccess; i++) {
		a = &c->access[i];
		if ((strcmp(a->name, CONF_RAT_ALL) == 0 ||
			a->name[strlen(a->name) - 1] == '@') &&
		    a->access == 0) {
			(void)err_text(why, "this would relay for everybody "
			    "to everywhere");
			return conf_blame(c, CONF_SCOPE_RAT, a->name,
			    "access", why);
		}
		for (p = a->listeners; *p != NULL; p++) {
			for (k = 0; k < c->nlistener; k++) {
				if (strcmp(c->listener[k].name, *p) == 0)
					break;
			}
			if (k < c->nlistener)
				continue;
			(void)err_text(why, "no listener \"%.60s\"", *p);
			return conf_blame(c, CONF_SCOPE_RAT, a->name,
			    "listeners", why);
		}
		hash_add(&c->access_by_name, &a->node,
		    hash_bytes(a->name, strlen(a->name)));
	}
	build_ours(c);
	return 0;
}

/* Whose reports come to us: senders that anybody may answer by way of some
 * listener. What is rejected of them takes nothing away: a tag that is of no
 * use does no harm. */
static void
build_ours(struct conf *c)
{
	const char *const *p, **v;
	unsigned i, n = 0;

	for (p = c->relay.domains; *p != NULL; p++)
		n++;
	v = pool_alloc(c->pool, (n + c->naccess + 1) * sizeof(*v));
	memcpy(v, c->relay.domains, n * sizeof(*v));
	for (i = 0; i < c->naccess; i++) {
		if (c->access[i].access == 0)
			v[n++] = c->access[i].name;
	}
	v[n] = NULL;
	c->relay_conf.ours = v;
}

/* "user%far.example"@ours.example, far.example!user@ours.example: a next hop
 * of the old school would relay it, because it trusts us. */
static bool
routed_by_sender(struct str local)
{
	return str_find(local, '%') < local.n ||
	    str_find(local, '!') < local.n || str_find(local, '@') < local.n;
}

int
conf_takes(const struct conf *conf, const char *listener, bool relay,
    const struct addr *rcpt, struct err *why)
{
	const char *by;

	return conf_takes_by(conf, listener, relay, rcpt, &by, why);
}

int
conf_takes_by(const struct conf *conf, const char *listener, bool relay,
    const struct addr *rcpt, const char **by_r, struct err *why)
{
	bool routed = routed_by_sender(rcpt->local);
	const struct conf_access *a;
	const char *const *p;

	*by_r = "";
	/* <postmaster>: RFC 5321 4.5.1 */
	if (relay || rcpt->domain.n == 0)
		return 0;
	a = conf->naccess == 0 ? NULL :
	    nearest(conf, listener, rcpt, find);
	if (a != NULL)
		*by_r = a->name;
	if (a != NULL && a->access == 0 && !routed)
		return 0;
	for (p = conf->relay.domains; a == NULL && *p != NULL; p++) {
		if (routed || !domain_matches(str_c(*p), rcpt->domain))
			continue;
		*by_r = *p;
		return 0;
	}
	if (a == NULL)
		a = find(conf, listener, STR(CONF_RAT_ALL));
	if (a == NULL || a->access == 0)
		return err_set(why, 550, "5.7.1", "Relaying denied");
	*by_r = a->name;
	return err_set(why, (int)a->code, a->code < 500 ? "4.7.1" : "5.7.1",
	    "%s", a->text);
}

const struct conf_exception *
conf_exception(const struct conf *conf, const struct addr *sender)
{
	const struct conf_exception *e;

	if (conf->nexception == 0)
		return NULL;
	e = nearest(conf, NULL, sender, find_exception);
	return e != NULL ? e :
	    find_exception(conf, NULL, STR(CONF_RAT_ALL));
}

/* The address, its part before the @, its domain, then what that is below
 * of. */
static const void *
nearest(const struct conf *conf, const char *listener, const struct addr *rcpt,
    find_fn *find_one)
{
	char text[ADDR_LOCAL_MAX + ADDR_DOMAIN_MAX + 4];
	char folded[ADDR_DOMAIN_MAX + 2];
	struct str domain;
	const void *a;
	size_t dot, n;

	domain = domain_fold(rcpt->domain, folded, sizeof(folded));
	if (rcpt->local.n <= ADDR_LOCAL_MAX) {
		n = addr_fold_local(rcpt->local, text);
		text[n++] = '@';
		memcpy(text + n, domain.p, domain.n);
		a = find_one(conf, listener, str_n(text, n + domain.n));
		if (a == NULL)
			a = find_one(conf, listener, str_n(text, n));
		if (a != NULL)
			return a;
	}
	a = find_one(conf, listener, domain);
	while (a == NULL && (dot = str_find(domain, '.')) < domain.n) {
		a = find_one(conf, listener,
		    str_n(domain.p + dot, domain.n - dot));
		domain = str_n(domain.p + dot + 1, domain.n - dot - 1);
	}
	return a;
}

static const void *
find(const struct conf *conf, const char *listener, struct str name)
{
	const struct conf_access *a;
	struct hash_node *node;

	for (node = hash_first(&conf->access_by_name,
		 hash_bytes(name.p, name.n));
	     node != NULL; node = hash_next(node)) {
		a = COLL_OF(node, struct conf_access, node);
		if (str_eq_c(name, a->name) && is_for(a, listener))
			return a;
	}
	return NULL;
}

static const void *
find_exception(const struct conf *conf, const char *listener ATTR_UNUSED,
    struct str name)
{
	const struct conf_exception *e;
	struct hash_node *node;

	for (node = hash_first(&conf->exception_by_name,
		 hash_bytes(name.p, name.n));
	     node != NULL; node = hash_next(node)) {
		e = COLL_OF(node, struct conf_exception, node);
		if (str_eq_c(name, e->name))
			return e;
	}
	return NULL;
}

static bool
is_for(const struct conf_access *a, const char *listener)
{
	const char *const *p;

	for (p = a->listeners; *p != NULL; p++) {
		if (listener != NULL && strcmp(*p, listener) == 0)
			return true;
	}
	return a->listeners[0] == NULL;
}
