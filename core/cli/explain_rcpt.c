#include "cli/explain.h"

#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "queue/retry.h"
#include "relay/outlook.h"
#include "relay/route.h"

/* What is known of a recipient while it is looked at. */
struct explained {
	struct explain *e;
	json_t *o;
	const json_t *tried;
	struct addr addr;
	struct way way;
	const struct relay_route *route; /* a block, or hosts of its own */
	const struct tlswant *want;	 /* NULL: not readable */
	const char *text;		 /* of it */
};

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

void
explain_put(json_t *o, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		(void)json_object_set_new(o, key, json_string_nocheck(value));
}

const char *
explain_place(struct explain *e, int line)
{
	return pool_printf(e->pool, "%s:%d", e->conf->file, line);
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

static void
find_way(struct explained *a)
{
	const char *stored = pool_strdup(a->e->pool, text(a->o, "want"));
	const char *route = pool_strdup(a->e->pool, text(a->o, "route"));
	struct queue_to to = { .domain = a->addr.domain,
		.local = a->addr.local, .want = str_c(stored),
		.route = str_c(route) };
	json_t *tls;

	way_find(&a->way, &a->e->relay, a->e->map, &plugs_out_asks,
	    a->e->tables.out, &to);
	a->route = a->way.route != NULL ? a->way.route :
	    route_of_hosts(a->way.hop, a->e->pool);
	a->text = pool_strdup(a->e->pool, a->way.text[0] != '\0' ?
	    a->way.text : destmap_usual(a->e->map));
	a->want = destmap_want(a->e->map, a->text);
	tls = json_pack("{s:s, s:s, s:b, s:o}", "want", a->text, "level",
	    a->want != NULL ? tlswant_name(a->want->level) : "", "readable",
	    a->want != NULL, "sources", sources(a, stored));
	(void)json_object_set_new(a->o, "tls", tls);
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
		explain_hosts(a->e, hop, &a->way, a->route, a->want);
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

static void
put_schedule(struct explained *a, const struct queue_profile *p)
{
	struct queue_want w = { .level = a->want->level,
		.deadline = a->want->deadline,
		.warn_after = a->want->warn_after };
	json_t *o = json_pack("{s:s, s:I, s:I, s:i, s:I, s:I, s:s}",
	    "profile", p->name != NULL ? p->name : "", "first_retry",
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

int
explain_rcpt(struct explain *e, json_t *o, const json_t *tried)
{
	struct explained a = { .e = e, .o = o, .tried = tried };
	const struct queue_profile *p;
	struct err why = ERR_INIT;

	if (addr_parse(e->pool, str_c(pool_strdup(e->pool, text(o,
		"address"))), ADDR_UTF8_OK | ADDR_POSTMASTER_OK, &a.addr,
		&why) != 0) {
		explain_put(o, "error", why.text);
		return -1;
	}
	find_way(&a);
	put_hop(&a);
	if (a.want == NULL || (a.route == NULL &&
	    route_key_is_route(a.way.hop))) {
		explain_put(o, "error", a.want == NULL ? pool_printf(e->pool,
		    "the TLS want \"%s\" is not readable: nothing is sent",
		    a.text) : "there is no such route: nothing is sent");
		return -1;
	}
	put_certificate(&a);
	p = a.way.rules.profile;
	if (p == NULL && a.way.route != NULL)
		p = a.way.route->profile;
	if (p == NULL)
		p = e->relay.profile;
	put_schedule(&a, p);
	put_failures(&a, p);
	return 0;
}
