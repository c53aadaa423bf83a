/*
 * Who is told of alerts, and how: alerts { } and alert_recipient "address" { },
 * which stand for an instance of the plugin alert_mail.
 */
#include <postern/alert_sink.h>
#include <string.h>

#include "base/num.h"
#include "mail/addr.h"
#include "net/sock.h"
#include "policy/conf_priv.h"

static bool	server_valid(const char *);
static bool	is_one_of(struct str, const char *const *);

const char *const conf_alert_classes[] = { PST_ALERT_CLASSES, NULL };
const char *const conf_alert_severities[] = { PST_ALERT_SEVERITIES, NULL };

bool
conf_alert_address(struct pool *pool, const char *text)
{
	struct err no = ERR_INIT;
	struct addr a;

	return strpbrk(text, "\"\\<>()[],;: \t") == NULL &&
	    addr_parse(pool, str_c(text), 0, &a, &no) == 0 && a.domain.n > 0;
}

int
conf_alert_recipient_check(const struct conf_alert_recipient *r,
    struct err *why)
{
	const char *const *p;
	struct str class, severity;
	size_t slash;

	for (p = r->classes; *p != NULL; p++) {
		slash = str_find(str_c(*p), '/');
		class = str_n(*p, slash);
		severity = str_c((*p)[slash] == '/' ? *p + slash + 1 : "all");
		if (!is_one_of(class, conf_alert_classes))
			return err_text(why, "classes: \"%.60s\": no such "
			    "class of alerts: System, Hardware, Updater, "
			    "Outbreak Filters, Anti-Virus, Anti-Spam, "
			    "Directory Harvest Attack Prevention or all", *p);
		if (!is_one_of(severity, conf_alert_severities))
			return err_text(why, "classes: \"%.60s\": no such "
			    "severity: Critical, Warning, Information or all",
			    *p);
	}
	return 0;
}

static bool
is_one_of(struct str word, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (str_ieq_c(word, *words))
			return true;
	}
	return str_ieq_c(word, "all");
}

int
conf_build_alerts(const struct conf *c, struct err *why)
{
	const struct conf_alerts *a = &c->alerts;

	if (a->from[0] != '\0' && !conf_alert_address(c->pool, a->from)) {
		(void)err_text(why, "from: \"%.60s\" is no mail address in "
		    "ASCII without quotes", a->from);
		return conf_blame(c, CONF_SCOPE_ALERTS, "", "from", why);
	}
	if (a->server[0] != '\0' && !server_valid(a->server)) {
		(void)err_text(why, "server: \"%.60s\" is not HOST or "
		    "HOST:PORT", a->server);
		return conf_blame(c, CONF_SCOPE_ALERTS, "", "server", why);
	}
	return 0;
}

/* A name or an address, IPv6 in brackets where a port follows. */
static bool
server_valid(const char *text)
{
	struct str s = str_c(text);
	struct sock_addr ip;
	struct err no = ERR_INIT;
	uint64_t port;
	size_t at;

	if (sock_addr_ip(s, 25, &ip, &no) == 0)
		return true;
	for (at = s.n; at > 0 && s.p[at - 1] != ':' && s.p[at - 1] != ']';)
		at--;
	if (at > 0 && s.p[at - 1] == ':') {
		if (num_u64(str_n(s.p + at, s.n - at), 65535, &port) != 0 ||
		    port == 0)
			return false;
		s.n = at - 1;
	}
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return sock_addr_ip(str_n(s.p + 1, s.n - 2), 25, &ip,
			   &no) == 0;
	return domain_valid(s, false);
}

void
conf_alerts_stand(struct conf *c, int line)
{
	const struct conf_alerts *a = &c->alerts;
	const char **to = pool_alloc(c->pool,
	    (c->nalert_recipient + 1) * sizeof(*to));
	const char *const *p;
	struct conf_plugin *plugin;
	struct buf text;
	unsigned i;

	if (c->nalert_recipient == 0)
		return;
	buf_init(&text, SIZE_MAX);
	for (i = 0; i < c->nalert_recipient; i++) {
		buf_reset(&text);
		(void)buf_add_c(&text, c->alert_recipient[i].name);
		for (p = c->alert_recipient[i].classes; *p != NULL; p++)
			(void)buf_printf(&text, "%s%s",
			    p == c->alert_recipient[i].classes ? " " : ",",
			    *p);
		to[i] = pool_strdup(c->pool, buf_p(&text));
	}
	buf_fini(&text);
	plugin = conf_stands_for(c, "alert_mail", CONF_ALERTS,
	    "alert_recipient", line);
	conf_stands_list(c, plugin, "to", to, c->nalert_recipient);
	if (a->from[0] != '\0')
		conf_stands_text(c, plugin, "from", a->from);
	if (a->server[0] != '\0')
		conf_stands_text(c, plugin, "server", a->server);
	conf_stands_number(c, plugin, "port", a->port);
	conf_stands_text(c, plugin, "initial_wait", pool_printf(c->pool,
	    "%jdms", (intmax_t)a->initial_wait));
	conf_stands_text(c, plugin, "maximum_wait", pool_printf(c->pool,
	    "%jdms", (intmax_t)a->maximum_wait));
	conf_stands_text(c, plugin, "patience", pool_printf(c->pool, "%jdms",
	    (intmax_t)a->patience));
}
