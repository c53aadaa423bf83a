#include "cli/explain.h"

#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "queue/retry.h"
#include "relay/outlook.h"
#include "relay/route.h"

#define TURNS_MAX 3 /* ways that are shown */

/* What is known of a recipient while it is looked at. */
struct explained {
	struct explain *e;
	json_t *o;
	const json_t *tried;
	struct addr addr;
	const char *stored, *by_route; /* as with the recipient */
	struct way way;
	const struct relay_route *route; /* a block, or hosts of its own */
	const struct mx_result *mx;	 /* its hosts; NULL: not known */
	const char *decided, *source;	 /* what plugins want of them; NULL */
	const struct tlswant *want;	 /* NULL: not readable */
	const char *text;		 /* of it */
};

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* The block of the boot file that a table's entry stands for: the first of that
 * name, in whatever spelling. */
static const char *
block_place(struct explain *e, const char *pattern)
{
	char a[ADDR_DOMAIN_MAX + 2], b[ADDR_DOMAIN_MAX + 2];
	const struct conf *c = e->conf;
	unsigned i;

	for (i = 0; i < c->ndestination; i++) {
		if (str_eq(domain_fold(str_c(c->destination[i].name), a,
			sizeof(a)), domain_fold(str_c(pattern), b,
			sizeof(b))))
			return c->destination[i].place;
	}
	return c->file;
}

static const char *
plugin_place(struct explain *e, const char *instance)
{
	const struct conf *c = e->conf;
	unsigned i;

	for (i = 0; i < c->nplugin; i++)
		if (strcmp(c->plugin[i].name, instance) == 0)
			return explain_place(e, c->plugin[i].line);
	return c->file;
}

/* An entry is "PATTERN", or "FILE:LINE PATTERN". */
static json_t *
opinion(struct explained *a, const struct relay_opinion *v)
{
	const char *blank = v->entry != NULL ? strrchr(v->entry, ' ') : NULL;
	const char *pattern = blank != NULL ? blank + 1 : v->entry;
	const char *who = v->who != NULL ? v->who : "";
	json_t *o = json_pack("{s:s, s:s, s:s}", "who", v->ours ?
	    "destination" : "table", "name", who, "want", v->want);

	explain_put(o, "entry", pattern);
	if (blank != NULL)
		(void)json_object_set_new(o, "place", json_stringn_nocheck(
		    v->entry, (size_t)(blank - v->entry)));
	else
		explain_put(o, "place", v->ours && pattern != NULL ?
		    block_place(a->e, pattern) :
		    plugin_place(a->e, who));
	return o;
}

static bool
rule_is_about(const json_t *o, const char *address)
{
	struct str rest = str_c(text(o, "recipients")), one;

	if (strcmp(text(o, "kind"), "rule") != 0 ||
	    !json_is_true(json_object_get(o, "matched")))
		return false;
	while (str_split(&rest, ',', &one))
		if (str_ieq_c(str_trim(one), address))
			return true;
	return false;
}

/* What the policy wants is stored with the recipient: the most of what rules
 * and handlers said. The rules are named that wanted TLS for it. */
static json_t *
policy_source(struct explained *a, const char *want)
{
	json_t *rules = json_array(), *r;
	size_t i;

	for (i = 0; i < json_array_size(a->tried); i++) {
		r = json_array_get(a->tried, i);
		if (rule_is_about(r, text(a->o, "address")) &&
		    strstr(text(r, "says"), "tls ") != NULL)
			(void)json_array_append_new(rules, json_pack(
			    "{s:s, s:s, s:s}", "rule", text(r, "rule"),
			    "place", text(r, "place"), "says",
			    text(r, "says")));
	}
	return json_pack("{s:s, s:s, s:o}", "who", "policy", "want", want,
	    "rules", rules);
}

static const char *
route_place(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->nroute; i++)
		if (strcmp(c->route[i].name, name) == 0)
			return c->route[i].place;
	return c->file;
}

/* In the order in which destmap puts them together; "replaced": something of
 * ours stands in its place. */
static json_t *
sources(struct explained *a, const char *stored)
{
	const struct relay_route *route = a->way.route;
	json_t *list = json_array(), *o;
	bool replaced = route != NULL && route->tls != NULL;
	struct buf b;
	unsigned i;

	for (i = 0; i < a->way.n; i++)
		replaced = replaced || a->way.v[i].ours;
	o = json_pack("{s:s, s:s, s:s}", "who", "delivery", "want",
	    destmap_usual(a->e->map), "place", a->e->conf->usual);
	if (replaced)
		(void)json_object_set_new(o, "replaced", json_true());
	(void)json_array_append_new(list, o);
	if (route != NULL && route->tls != NULL) {
		buf_init(&b, RELAY_WANT_MAX);
		tlswant_write(route->tls, &b);
		(void)json_array_append_new(list, json_pack(
		    "{s:s, s:s, s:s, s:s}", "who", "route", "name",
		    route->domain, "want", buf_p(&b), "place",
		    route_place(a->e->conf, route->domain)));
		buf_fini(&b);
	}
	for (i = 0; i < a->way.n; i++)
		(void)json_array_append_new(list,
		    opinion(a, &a->way.v[i]));
	if (stored[0] != '\0')
		(void)json_array_append_new(list, policy_source(a, stored));
	return list;
}

/* What is wanted, and by whom. */
static void
put_wants(struct explained *a)
{
	json_t *list = sources(a, a->stored), *tls;

	if (a->decided != NULL) {
		(void)json_array_append_new(list, json_pack(
		    "{s:s, s:s, s:s}", "who", "next hop", "name",
		    a->source != NULL ? a->source : "", "want", a->decided));
		a->text = destmap_both(a->e->map, a->text, a->decided);
	}
	a->text = pool_strdup(a->e->pool, a->text[0] != '\0' ? a->text :
	    destmap_usual(a->e->map));
	a->want = destmap_want(a->e->map, a->text);
	tls = json_pack("{s:s, s:s, s:b, s:o}", "want", a->text, "level",
	    a->want != NULL ? tlswant_name(a->want->level) : "", "readable",
	    a->want != NULL, "sources", list);
	(void)json_object_set_new(a->o, "tls", tls);
}

/* -1: nothing would be sent, why. */
static int
find_way(struct explained *a, struct err *why)
{
	struct queue_to to = { .domain = a->addr.domain,
		.local = a->addr.local, .want = str_c(a->stored),
		.route = str_c(a->by_route) };
	int r;

	way_find(&a->way, &a->e->relay, a->e->map, &plugs_out_asks,
	    a->e->tables.out, &to);
	a->route = a->way.route != NULL ? a->way.route :
	    route_of_hosts(a->way.hop, a->e->pool);
	a->text = pool_strdup(a->e->pool, a->way.text);
	a->mx = NULL;
	if (a->route != NULL || !route_key_is_route(a->way.hop))
		a->mx = explain_mx(a->e, &a->way, a->route);
	r = explain_decide(a->e, &a->way, a->route, a->mx, &a->decided,
	    &a->source, why);
	put_wants(a);
	return r;
}

static void
put_hop(struct explained *a)
{
	const struct relay_route *r = a->way.route;
	json_t *hop = json_pack("{s:s, s:s}", "by", r != NULL ? "route" :
	    a->route != NULL ? "hosts" : "mx", "name", r != NULL ? r->domain :
	    a->way.hop);

	if (r != NULL) {
		explain_put(hop, "place", route_place(a->e->conf, r->domain));
		explain_put(hop, "login", r->auth_user);
		if (r->implicit_tls)
			(void)json_object_set_new(hop, "implicit_tls",
			    json_true());
	}
	(void)json_object_set_new(a->o, "hop", hop);
	if (a->want != NULL)
		explain_hosts(a->e, hop, &a->way, a->route, a->want, a->mx);
}

/* As relay_dest_cert(): a route that is for many speaks for none of them. */
static void
put_certificate(struct explained *a)
{
	const char *of = a->route != NULL ? a->route->domain : a->way.hop;
	const struct relay_destination *d = destmap_cert_block(a->e->map,
	    str_c(of));
	const struct certmap_row *row;
	json_t *o = json_object();

	row = certmap_find(&a->e->certs, d == NULL ? "outbound" :
	    pool_printf(a->e->pool, "destination:%s", d->name), 0);
	if (a->e->no_certs.text[0] != '\0')
		explain_put(o, "error", a->e->no_certs.text);
	if (row != NULL) {
		explain_put(o, "name", row->name);
		explain_put(o, "file", row->chain);
		explain_put(o, "use", row->use);
	}
	(void)json_object_set_new(a->o, "certificate", o);
}

/* What the policy says of it, else the listener, as a message has it stored. */
static const struct queue_profile *
find_profile(const struct explained *a, enum way_says *says_r)
{
	const char *own = text(a->o, "bounce_profile");

	if (own[0] == '\0' && a->e->who.l != NULL &&
	    a->e->who.l->bounce_profile[0] != '\0')
		own = pool_printf(a->e->pool, "?%s",
		    a->e->who.l->bounce_profile);
	return way_profile(&a->e->relay, a->way.route, &a->way.rules,
	    str_c(own), says_r);
}

static void
put_schedule(struct explained *a, const struct queue_profile *p,
    enum way_says says)
{
	static const char *const by[] = {
		[WAY_DEFAULT] = "default",
		[WAY_LISTENER] = "listener",
		[WAY_ROUTE] = "route",
		[WAY_DESTINATION] = "destination",
		[WAY_RULE] = "rule",
	};
	struct queue_want w = { .level = a->want->level,
		.deadline = a->want->deadline,
		.warn_after = a->want->warn_after };
	json_t *o = json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:I, s:s}",
	    "profile", p->name != NULL ? p->name : "", "profile_by",
	    by[says], "first_retry",
	    (json_int_t)(p->first_retry / 1000), "max_retry",
	    (json_int_t)(p->max_retry / 1000), "max_retries",
	    (int)p->max_retries, "lifetime",
	    (json_int_t)(retry_end(p, &w, TLSR_NONE) / 1000), "tls_deadline",
	    (json_int_t)(retry_end(p, &w, TLSR_NO_STARTTLS) / 1000),
	    "report_tls", retry_report_bound(w.level) ?
	    tlswant_name(w.level) : "");

	if (w.warn_after > 0)
		(void)json_object_set_new(o, "warn_after",
		    json_integer(w.warn_after / 1000));
	else if (p->warn)
		(void)json_object_set_new(o, "warn_after",
		    json_integer(p->warn_after / 1000));
	(void)json_object_set_new(a->o, "schedule", o);
}

static json_t *
failure(const struct outlook *v)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "stage", v->stage,
	    "point", v->word, "text", v->text, "reason",
	    tls_reason_word(v->reason), "does", outlook_word(v->does));
	json_t *steps = json_array();
	unsigned i;

	for (i = 0; v->step[i] != NULL; i++)
		(void)json_array_append_new(steps, json_string(v->step[i]));
	(void)json_object_set_new(o, "offers", steps);
	if (v->does != OUTLOOK_NOT && v->does != OUTLOOK_CLEAR_ANEW)
		return o;
	(void)json_object_update_new(o, json_pack("{s:b, s:s, s:s}",
	    "next_host", v->next_host, "then", v->bounce ? "returned" :
	    "deferred", "status", v->status));
	if (!v->bounce)
		(void)json_object_update_new(o, json_pack("{s:I, s:s}",
		    "until", (json_int_t)(v->until / 1000), "final",
		    v->final));
	return o;
}

static void
put_failures(struct explained *a, const struct queue_profile *p)
{
	struct outlook_in in = { .want = a->want, .profile = p,
		.route = a->route != NULL,
		.implicit_tls = a->route != NULL && a->route->implicit_tls,
		.login = a->route != NULL && a->route->auth_user != NULL };
	struct outlook v[OUTLOOK_MAX];
	json_t *list = json_array();
	unsigned i, n = outlook_all(&in, v);

	for (i = 0; i < n; i++)
		(void)json_array_append_new(list, failure(&v[i]));
	(void)json_object_set_new(a->o, "failures", list);
}

/* Whither and with what TLS; -1: it goes nowhere. */
static int
go_one_way(struct explained *a)
{
	struct err why = ERR_INIT;
	int r = find_way(a, &why);

	put_hop(a);
	if (r != 0) {
		explain_put(a->o, "error", pool_printf(a->e->pool,
		    "%s: nothing is sent for now", why.text));
		return -1;
	}
	if (a->want != NULL && (a->route != NULL ||
		!route_key_is_route(a->way.hop)))
		return 0;
	explain_put(a->o, "error", a->want == NULL ? pool_printf(a->e->pool,
	    "the TLS want \"%s\" is not readable: nothing is sent",
	    a->text) : "there is no such route: nothing is sent");
	return -1;
}

/* Whoever is asked at the delivery may raise the want or send it elsewhere,
 * and is asked again there. */
static int
find_end(struct explained *a)
{
	const char *want, *route;
	struct err why = ERR_INIT;
	unsigned turns = 0;

	for (;;) {
		if (go_one_way(a) != 0)
			return -1;
		if (explain_deliver(a->e, a->o, a->way.hop, a->text, &want,
			&route) != 0)
			return -1;
		if (route != NULL && route_check(&a->e->relay, str_c(route),
			&why) != 0) {
			explain_put(a->o, "error", why.text);
			return -1;
		}
		if (want == NULL && (route == NULL ||
			strcmp(route, a->by_route) == 0))
			return 0;
		if (turns++ == TURNS_MAX) {
			explain_put(a->o, "error", "deliver handlers send it "
			    "to and fro");
			return -1;
		}
		a->stored = want != NULL ? want : a->stored;
		a->by_route = route != NULL ? route : a->by_route;
	}
}

int
explain_rcpt(struct explain *e, json_t *o, const json_t *tried)
{
	struct explained a = { .e = e, .o = o, .tried = tried };
	const struct queue_profile *p;
	struct err why = ERR_INIT;
	enum way_says says;

	if (addr_parse(e->pool, str_c(pool_strdup(e->pool, text(o,
		"address"))), ADDR_UTF8_OK | ADDR_POSTMASTER_OK, &a.addr,
		&why) != 0) {
		explain_put(o, "error", why.text);
		return -1;
	}
	a.stored = pool_strdup(e->pool, text(o, "want"));
	a.by_route = pool_strdup(e->pool, text(o, "route"));
	if (find_end(&a) != 0)
		return -1;
	put_certificate(&a);
	explain_limits(e, o, &a.way, a.route, a.want);
	p = find_profile(&a, &says);
	put_schedule(&a, p, says);
	put_failures(&a, p);
	return 0;
}
