/*
 * What is asked when a message is about to be sent, as far as it can be asked
 * without a connection; and the limits of its destination.
 */
#include <postern/tls_policy.h>
#include <string.h>

#include "base/num.h"
#include "cli/explain.h"
#include "trial/drive.h"

struct decided {
	struct explain *e;
	const char *want, *source;
	struct err why;
	bool done, failed;
};

static void
decided(void *arg, const char *want, const char *source, msec ttl,
    const struct err *why)
{
	struct decided *d = arg;

	(void)ttl;
	d->done = true;
	d->want = pool_strdup(d->e->pool, want);
	d->source = pool_strdup(d->e->pool, source);
	d->failed = why != NULL;
	if (why != NULL)
		d->why = *why;
}

/* As relay/policy asks. */
int
explain_decide(struct explain *e, const struct way *way,
    const struct relay_route *route, const struct mx_result *mx,
    const char **want_r, const char **source_r, struct err *why)
{
	struct decided d = { .e = e, .why = ERR_INIT };
	struct relay_hop hop = { .domain = route != NULL ? route->domain :
		way->hop, .route = route != NULL, .mx = mx };
	struct instance *i = op_next(e->tables.conf.plugins,
	    PST_TLS_POLICY_DECIDE, NULL);

	*want_r = *source_r = NULL;
	if (i != NULL && mx == NULL)
		explain_unknown(e, "which TLS %s needs of the next hop: it is "
		    "asked when the hosts are known; --live asks",
		    instance_name(i));
	if (i == NULL || mx == NULL || mx->status != MX_OK)
		return 0;
	(void)plugs_out_asks.tls_hop(e->tables.out, &hop, decided, &d);
	while (!d.done)
		loop_once(e->loop, true);
	if (d.failed) {
		*why = d.why;
		return -1;
	}
	*want_r = d.want;
	*source_r = d.source;
	return 0;
}

/* The first host; its address, if it is known. */
static void
put_host(json_t *facts, const json_t *o)
{
	const json_t *host = json_array_get(json_object_get(
	    json_object_get(o, "hop"), "hosts"), 0);
	const json_t *addresses = json_object_get(host, "addresses");
	const char *name = json_string_value(json_object_get(host, "host"));
	const char *at = json_string_value(json_array_get(addresses, 0));
	size_t n = at == NULL ? 0 : strlen(at);

	if (name != NULL && strchr(name, ' ') == NULL)
		explain_put(facts, "host", name);
	while (n > 0 && at[n - 1] != ':')
		n--;
	if (n == 0)
		return;
	(void)json_object_set_new(facts, "ip", json_stringn(at, n - 1));
	explain_put(facts, "port", at + n);
}

int
explain_deliver(struct explain *e, json_t *o, const char *hop,
    const char *want, const char **want_r, const char **route_r)
{
	json_t *facts, *what, *said;
	const char *verdict, *route;
	int r;

	*want_r = *route_r = NULL;
	if (e->trial == NULL || !hook_wanted(e->trial->gen, HOOK_DELIVER))
		return 0;
	explain_unknown(e, "how the connection will be encrypted, which "
	    "deliver handlers may look at: they are asked as if it were not");
	facts = json_pack("{s:s, s:s, s:s}", "hop", hop, "tls", want,
	    "attempt", "1");
	put_host(facts, o);
	what = json_pack("{s:s, s:O, s:o}", "hook", "deliver", "rcpt",
	    json_object_get(o, "address"), "facts", facts);
	said = drive_deliver(e->trial, what);
	json_decref(what);
	verdict = json_string_value(json_object_get(said, "verdict"));
	(void)json_object_set_new(o, "deliver", said);
	r = verdict != NULL && strcmp(verdict, "accept") == 0 ? 0 : -1;
	*want_r = json_string_value(json_object_get(said, "want"));
	if (*want_r != NULL && strcmp(*want_r, want) == 0)
		*want_r = NULL;
	*want_r = pool_strdup(e->pool, *want_r);
	route = json_string_value(json_object_get(said, "route"));
	if (route != NULL && route[0] != '\0')
		*route_r = pool_strdup(e->pool, route);
	return r;
}

void
explain_limits(struct explain *e, json_t *o, const struct way *way,
    const struct relay_route *route, const struct tlswant *want)
{
	static const char *const ip[] = { "prefer-ipv6", "prefer-ipv4",
		"require-ipv6", "require-ipv4" };
	const struct relay_conf *c = &e->relay;
	struct relay_rules r = way->rules;
	json_t *limits;

	way_limits(c, route, &r);
	limits = json_pack("{s:i, s:s, s:i, s:i, s:i, s:i, s:s}",
	    "concurrency", (int)r.concurrency, "limit_by",
	    r.limit == RELAY_LIMIT_MX ? "mx" : "domain", "max_messages",
	    (int)r.max_messages, "max_recipients", route != NULL &&
	    route->max_rcpt > 0 ? (int)route->max_rcpt : (int)c->max_rcpt,
	    "recipients", (int)r.recipients, "recipient_minutes",
	    (int)r.minutes, "ip", ip[r.ip - 1]);
	(void)json_object_set_new(o, "limits", limits);
	(void)json_object_set_new(o, "tagged", json_boolean(
	    e->sender.full.n > 0 && way_tags(c, &r, &e->sender)));
	(void)json_object_set_new(o, "alert", json_boolean(
	    e->conf->delivery.alert_required_tls &&
	    want->level >= TLSWANT_REQUIRED));
}
