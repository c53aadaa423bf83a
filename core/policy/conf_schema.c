#include "policy/conf_priv.h"

#include "base/codec.h"
#include "base/num.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define ENTRY(st, name, type, def, range, help)                                \
	{ #name, CONF_##type, offsetof(st, name), def, range, help },

static const struct conf_param top_params[] = {
#define PARAM_TOP(...) ENTRY(struct conf_top, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param log_params[] = {
#define PARAM_LOG(...) ENTRY(struct conf_log, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param listener_params[] = {
#define PARAM_LISTENER(...) ENTRY(struct conf_listener, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param limits_params[] = {
#define PARAM_LIMITS(...) ENTRY(struct conf_limits, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param group_params[] = {
#define PARAM_GROUP(...) ENTRY(struct conf_group, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param flow_params[] = {
#define PARAM_FLOW(...) ENTRY(struct conf_policy_flow, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param access_params[] = {
#define PARAM_RAT(...) ENTRY(struct conf_access, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param exception_params[] = {
#define PARAM_EXCEPTION(...) ENTRY(struct conf_exception, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param dns_params[] = {
#define PARAM_DNS(...) ENTRY(struct conf_dns, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param relay_params[] = {
#define PARAM_RELAY(...) ENTRY(struct conf_relay, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param delivery_params[] = {
#define PARAM_DELIVERY(...) ENTRY(struct conf_delivery, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param tls_params[] = {
#define PARAM_TLS(...) ENTRY(struct conf_tls, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param destination_params[] = {
#define PARAM_DESTINATION(...) ENTRY(struct conf_destination, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param route_params[] = {
#define PARAM_ROUTE(...) ENTRY(struct conf_route, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param profile_params[] = {
#define PARAM_PROFILE(...) ENTRY(struct conf_profile, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param queue_params[] = {
#define PARAM_QUEUE(...) ENTRY(struct conf_queue, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param alerts_params[] = {
#define PARAM_ALERTS(...) ENTRY(struct conf_alerts, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param alert_recipient_params[] = {
#define PARAM_ALERT_RECIPIENT(...)                                             \
	ENTRY(struct conf_alert_recipient, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param policy_params[] = {
#define PARAM_POLICY(...) ENTRY(struct conf_policy, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param plugin_params[] = {
#define PARAM_PLUGIN(...) ENTRY(struct conf_plugin, __VA_ARGS__)
#include "tbl/params.h"
};

static const struct conf_param order_params[] = {
#define PARAM_ORDER(...) ENTRY(struct conf_order, __VA_ARGS__)
#include "tbl/params.h"
};

/* Not settings: nobody but who saves and loads looks at them. */
static const struct conf_param certificate_params[] = {
	{ "pkcs12", CONF_STRINGS, 0, "", "", "" },
	{ "csr", CONF_STRING, 0, "", "", "" },
	{ "uses", CONF_STRINGS, 0, "", "", "" },
};

static const struct conf_param authorities_params[] = {
	{ "pem", CONF_STRING, 0, "", "", "" },
};

const struct conf_scope conf_scopes[CONF_SCOPES] = {
	[CONF_SCOPE_TOP] = { "", false, false, top_params, NELEM(top_params) },
	[CONF_SCOPE_LOG] = { "log", false, false,
	    log_params, NELEM(log_params) },
	[CONF_SCOPE_LISTENER] = { "listener", true, true, listener_params,
	    NELEM(listener_params) },
	[CONF_SCOPE_LIMITS] = { "limits", false, true, limits_params,
	    NELEM(limits_params) },
	[CONF_SCOPE_GROUP] = { "sender_group", true, true, group_params,
	    NELEM(group_params) },
	[CONF_SCOPE_FLOW] = { "mail_flow_policy", true, true, flow_params,
	    NELEM(flow_params) },
	[CONF_SCOPE_RAT] = { "recipient_access", true, true, access_params,
	    NELEM(access_params) },
	[CONF_SCOPE_EXCEPTION] = { "sender_exception", true, true,
	    exception_params, NELEM(exception_params) },
	[CONF_SCOPE_DNS] = { "dns", false, false,
	    dns_params, NELEM(dns_params) },
	[CONF_SCOPE_RELAY] = { "relay", false, false, relay_params,
	    NELEM(relay_params) },
	[CONF_SCOPE_DELIVERY] = { "delivery", false, true, delivery_params,
	    NELEM(delivery_params) },
	[CONF_SCOPE_TLS] = { "tls", false, false,
	    tls_params, NELEM(tls_params) },
	[CONF_SCOPE_DESTINATION] = { "destination", true, true,
	    destination_params, NELEM(destination_params) },
	[CONF_SCOPE_ROUTE] = { "route", true, true, route_params,
	    NELEM(route_params) },
	[CONF_SCOPE_PROFILE] = { "bounce_profile", true, true, profile_params,
	    NELEM(profile_params) },
	[CONF_SCOPE_POLICY] = { "policy", false, false, policy_params,
	    NELEM(policy_params) },
	[CONF_SCOPE_PLUGIN] = { "plugin", true, false, plugin_params,
	    NELEM(plugin_params) },
	[CONF_SCOPE_ORDER] = { "plugin_order", false, false, order_params,
	    NELEM(order_params) },
	[CONF_SCOPE_QUEUE] = { "queue", false, false, queue_params,
	    NELEM(queue_params) },
	[CONF_SCOPE_ALERTS] = { "alerts", false, true, alerts_params,
	    NELEM(alerts_params) },
	[CONF_SCOPE_ALERT_RECIPIENT] = { "alert_recipient", true, true,
	    alert_recipient_params, NELEM(alert_recipient_params) },
	[CONF_SCOPE_CERTIFICATE] = { "certificate", true, false,
	    certificate_params, NELEM(certificate_params) },
	[CONF_SCOPE_AUTHORITIES] = { "authorities", false, false,
	    authorities_params, NELEM(authorities_params) },
};

static void	nearest_in(const struct conf_scope *, const char *,
		    const char **, unsigned *);
static void	help_range(struct buf *, const struct conf_param *);
static void help_text(struct buf *, const char *, const char *);
static void help_row(struct buf *, const struct conf_scope *,
    const struct conf_param *);

bool
conf_scope_saved(const struct conf_scope *scope)
{
	return scope == &conf_scopes[CONF_SCOPE_CERTIFICATE] ||
	    scope == &conf_scopes[CONF_SCOPE_AUTHORITIES];
}

const struct conf_scope *
conf_scope_second(const struct conf_scope *scope)
{
	return scope == &conf_scopes[CONF_SCOPE_LISTENER] ||
	    scope == &conf_scopes[CONF_SCOPE_FLOW] ?
	    &conf_scopes[CONF_SCOPE_LIMITS] : NULL;
}

const struct conf_param *
conf_param_find(const struct conf_scope *scope, const char *name)
{
	size_t i;

	for (i = 0; i < scope->nparam; i++) {
		if (strcmp(scope->param[i].name, name) == 0)
			return &scope->param[i];
	}
	return NULL;
}

const char *
conf_nearest(const struct conf_scope *scope, const struct conf_scope *second,
    const char *word)
{
	const char *best = NULL;
	unsigned least;
	size_t i, len = strlen(word);

	/* One mistake in three letters is as far as a slip goes. */
	least = (unsigned)(len < 3 ? 2 : len / 3 + 2);
	nearest_in(scope, word, &best, &least);
	if (second != NULL)
		nearest_in(second, word, &best, &least);
	if (scope == &conf_scopes[CONF_SCOPE_TOP]) {
		for (i = 1; i < CONF_SCOPES; i++) {
			unsigned d = str_distance(str_c(word),
			    str_c(conf_scopes[i].name));

			if (d < least && !conf_scope_saved(&conf_scopes[i])) {
				least = d;
				best = conf_scopes[i].name;
			}
		}
	}
	return best;
}

static void
nearest_in(const struct conf_scope *scope, const char *word, const char **best,
    unsigned *least)
{
	unsigned d;
	size_t i;

	for (i = 0; i < scope->nparam; i++) {
		d = str_distance(
		    str_c(word), str_c(scope->param[i].name));
		if (d < *least) {
			*least = d;
			*best = scope->param[i].name;
		}
	}
}

const char *
conf_type_name(enum conf_type type)
{
	switch (type) {
	case CONF_STRING:
		return "a string";
	case CONF_PATH:
		return "a path";
	case CONF_BOOL:
		return "true or false";
	case CONF_INT:
		return "a number";
	case CONF_SIZE:
		return "a size such as \"64k\" or \"150M\"";
	case CONF_DURATION:
		return "a duration such as \"90s\" or \"1h30m\"";
	case CONF_CHOICE:
		return "a choice";
	case CONF_PATHS:
		return "a list of paths";
	case CONF_STRINGS:
		return "a list of strings";
	case CONF_NETS:
		return "a list of networks such as \"192.0.2.0/24\"";
	case CONF_WANT:
		return "a TLS want such as \"required\"";
	case CONF_ADDRS:
		return "a list of addresses such as \"127.0.0.1:25\"";
	}
	panic("type %d", (int)type);
}

void
conf_help(struct buf *dst)
{
	const struct conf_scope *scope;
	const struct conf_param *p;
	size_t i;

	for (scope = conf_scopes; scope < conf_scopes + CONF_SCOPES; scope++) {
		if (conf_scope_saved(scope))
			continue;
		if (scope->name[0] == '\0')
			(void)buf_add_c(dst, "top level: name = value\n");
		else
			(void)buf_printf(dst, "\n%s %s{ ... }\n", scope->name,
			    scope->named ? "\"name\" " : "");
		for (i = 0; i < scope->nparam; i++) {
			p = &scope->param[i];
			(void)buf_printf(dst, "  %-24s %s\n", p->name,
			    p->help);
			help_range(dst, p);
		}
	}
}

static void
help_range(struct buf *dst, const struct conf_param *p)
{
	(void)buf_printf(dst, "  %-24s %s", "",
	    p->type == CONF_CHOICE ? p->range : conf_type_name(p->type));
	if (strcmp(p->range, "required") == 0)
		(void)buf_add_c(dst, "; must be given");
	else if (p->type != CONF_CHOICE && p->range[0] != '\0')
		(void)buf_printf(dst, ", %s", p->range);
	if (p->def[0] != '\0')
		(void)buf_printf(dst, "; default %s", p->def);
	(void)buf_add_char(dst, '\n');
}

void
conf_help_json(struct buf *dst)
{
	const struct conf_scope *scope;
	unsigned n = 0;
	size_t i;

	for (scope = conf_scopes; scope < conf_scopes + CONF_SCOPES; scope++) {
		for (i = 0; i < scope->nparam && !conf_scope_saved(scope);
		     i++) {
			(void)buf_add_c(dst, n++ == 0 ? "[" : ",\n");
			help_row(dst, scope, &scope->param[i]);
		}
	}
	(void)buf_add_c(dst, "]\n");
}

static void
help_row(struct buf *dst, const struct conf_scope *scope,
    const struct conf_param *p)
{
	(void)buf_printf(dst, "{\"block\":\"%s\",\"named\":%s,"
	    "\"stored\":%s,\"setting\":\"%s\"", scope->name,
	    scope->named ? "true" : "false", scope->stored ? "true" : "false",
	    p->name);
	help_text(dst, "type", p->type == CONF_CHOICE ? "choice" :
	    conf_type_name(p->type));
	help_text(dst, "range", p->range);
	help_text(dst, "default", p->def);
	help_text(dst, "help", p->help);
	(void)buf_add_char(dst, '}');
}

static void
help_text(struct buf *dst, const char *key, const char *text)
{
	(void)buf_printf(dst, ",\"%s\":", key);
	(void)json_quote(dst, str_c(text));
}
