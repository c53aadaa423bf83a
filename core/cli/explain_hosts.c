#include "cli/explain.h"
#include "relay/refs.h"
#include "relay/verdict.h"

/* In place of names that are not known without asking the DNS. */
#define SOME_MX "mx.invalid"
#define SOME_PTR "ptr.invalid"

struct asked {
	struct pool *pool;
	const struct mx_result *mx;
};

static bool
has(const struct tlsref *v, const struct tlsref *r)
{
	for (; v->name.p != NULL; v++)
		if (v->kind == r->kind && v->how == r->how &&
		    str_eq(v->name, r->name))
			return true;
	return false;
}

static void
put_ref(json_t *list, const struct tlsref *r, const char *mx_of, bool secure)
{
	static const char *const how[] = { [TLSREF_SAN] = "san",
		[TLSREF_CN] = "cn", [TLSREF_SAN_OR_CN] = "san-or-cn" };
	json_t *o = json_pack("{s:s%, s:s, s:s}", "name", r->name.p,
	    r->name.n, "of", tlsref_kind_word(r->kind), "in", how[r->how]);

	if (str_eq_c(r->name, SOME_MX))
		(void)json_object_set_new(o, "name", json_sprintf("MX hosts "
		    "of %s", mx_of));
	else if (r->kind == TLSREF_PTR)
		(void)json_object_set_new(o, "name",
		    json_string("the name of the host's address"));
	if (secure)
		(void)json_object_set_new(o, "if",
		    json_string("DNSSEC vouches for the MX"));
	(void)json_array_append_new(list, o);
}

/* With and without DNSSEC, where that is not known. */
static json_t *
names(struct explain *e, const struct tlswant *want, struct refs_host *h,
    const char *mx_of)
{
	const struct tlsref *plain, *signed_, *r;
	json_t *list = json_array();

	if (!tlswant_verifies(want->level))
		return list;
	if (want->match == TLSWANT_MATCH_COMPAT)
		h->ptr = SOME_PTR;
	plain = refs_make(want, h, e->pool);
	for (r = plain; r->name.p != NULL; r++)
		put_ref(list, r, mx_of, false);
	if (mx_of == NULL)
		return list;
	h->secure = true;
	signed_ = refs_make(want, h, e->pool);
	for (r = signed_; r->name.p != NULL; r++)
		if (!has(plain, r))
			put_ref(list, r, mx_of, true);
	return list;
}

/* mx_of: the host is any of its MX. */
static void
add_host(struct explain *e, json_t *list, const struct way *way,
    const struct relay_route *route, const struct tlswant *want,
    const struct mx_host *m, const char *mx_of)
{
	const char *domain = way_domain(route, way->hop, m->name, m->domain);
	bool routed = way_routed(route, m->name, m->domain);
	struct refs_host h = { .host = m->name, .route = routed,
		.secure = m->secure,
		.domain = way_reference(route, routed, domain) };
	json_t *o = json_object(), *addrs;
	char ip[SOCK_IP_MAX];
	unsigned i;

	(void)json_object_set_new(o, "host", mx_of == NULL ?
	    json_string(m->name) : json_sprintf("MX hosts of %s", mx_of));
	if (m->naddr > 0 || m->temporary) {
		addrs = json_array();
		for (i = 0; i < m->naddr; i++)
			(void)json_array_append_new(addrs, json_sprintf(
			    "%s:%u", sock_addr_ip_text(&m->addr[i], ip,
			    sizeof(ip)), (unsigned)sock_addr_port(
			    &m->addr[i])));
		(void)json_object_update_new(o, json_pack(
		    "{s:o, s:i, s:b}", "addresses", addrs, "preference",
		    (int)m->pref, "secure", m->secure));
	}
	(void)json_object_set_new(o, "names", names(e, want, &h, mx_of));
	(void)json_array_append_new(list, o);
}

/* Of a route's "host:port", as net/mx takes it apart; an address keeps its
 * brackets. */
static void
add_written(struct explain *e, json_t *list, const struct way *way,
    const struct relay_route *route, const struct tlswant *want,
    const char *text)
{
	bool by_mx = str_istarts(str_c(text), "mx:");
	struct str s = str_c(by_mx ? text + 3 : text);
	struct mx_host m = { .secure = !by_mx };
	const char *name;

	s.n = s.n > 0 && s.p[0] == '[' ? str_find(s, ']') + 1 :
	    str_find(s, ':');
	name = pool_strndup(e->pool, s.p, s.n);
	m.name = by_mx ? SOME_MX : name;
	m.domain = name;
	add_host(e, list, way, route, want, &m, by_mx ? name : NULL);
}

static void
found(void *arg, const struct mx_result *r)
{
	struct asked *a = arg;

	a->mx = pool_dup(a->pool, r, sizeof(*r)); /* the rest is there */
}

/* As relay/dest asks. */
const struct mx_result *
explain_mx(struct explain *e, const struct way *way,
    const struct relay_route *route)
{
	struct relay_rules rules = way->rules;
	struct asked a = { .pool = e->pool };
	uint16_t port = e->relay.port;
	enum mx_ip ip;

	if (e->dns == NULL)
		return NULL;
	way_limits(&e->relay, route, &rules);
	ip = (enum mx_ip)(rules.ip - 1);
	if (route != NULL)
		(void)mx_hosts(e->dns, e->pool, route->hosts, port, ip, found,
		    &a);
	else
		(void)mx_lookup(e->dns, e->pool, way->hop, port, ip, found,
		    &a);
	while (a.mx == NULL)
		loop_once(e->loop, true);
	return a.mx;
}

void
explain_hosts(struct explain *e, json_t *o, const struct way *way,
    const struct relay_route *route, const struct tlswant *want,
    const struct mx_result *mx)
{
	struct mx_host some = { .name = SOME_MX, .domain = way->hop };
	json_t *list = json_array();
	const char *const *p;
	struct verdict v;
	unsigned i;

	(void)json_object_set_new(o, "hosts", list);
	if (mx == NULL && route == NULL)
		add_host(e, list, way, NULL, want, &some, way->hop);
	for (p = route == NULL ? NULL : route->hosts; mx == NULL &&
	     p != NULL && *p != NULL; p++)
		add_written(e, list, way, route, want, *p);
	if (mx == NULL)
		return;
	for (i = 0; i < mx->nhost; i++)
		add_host(e, list, way, route, want, &mx->host[i], NULL);
	if (mx->status == MX_OK)
		return;
	verdict_of_mx(mx, &v);
	(void)json_object_set_new(o, "lookup", json_pack("{s:s, s:s, s:s}",
	    "error", mx->why, "status", v.status, "then", v.result ==
	    QRESULT_BOUNCE ? "returned" : "deferred"));
}
