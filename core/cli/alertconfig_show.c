/*
 * Recipients of alerts: shown and changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/alertconfig.h"
#include "cli/ask.h"
#include "cli/config.h"

#define KIND "alert_recipient"

struct tested {
	const struct alertconfig *ac;
	json_t *rows;
	unsigned failed;
};

static void	show_recipient(const struct conf_alert_recipient *r);
static void	show_class(const struct conf_alert_recipient *r,
		    const char *class);
static const char *title(const char *word);
static void	on_tested(void *arg, const char *from, const json_t *line,
		    int last);

const struct conf *
alertconfig_conf(struct alertconfig *ac, struct err *why)
{
	const struct conf *c = confedit_conf(ac->ce);

	if (c == NULL)
		(void)err_text(why, "%s", confedit_broken(ac->ce));
	return c;
}

static void
show_seconds(const char *what, msec ms)
{
	(void)printf("%s%" PRId64, what, ms / 1000);
	if (ms % 1000 != 0)
		(void)printf(".%03d", (int)(ms % 1000));
	(void)putchar('\n');
}

void
alertconfig_show(struct alertconfig *ac, const struct conf *c)
{
	const struct conf_alerts *a = &c->alerts;
	unsigned i;

	(void)ac;
	if (c->nalert_recipient == 0)
		(void)printf("Not sending alerts (no configured "
		    "addresses)\n");
	else
		(void)printf("Sending alerts to:\n");
	for (i = 0; i < c->nalert_recipient; i++)
		show_recipient(&c->alert_recipient[i]);
	(void)putchar('\n');
	show_seconds("Initial number of seconds to wait before sending a "
	    "duplicate alert: ", a->initial_wait);
	show_seconds("Maximum number of seconds to wait before sending a "
	    "duplicate alert: ", a->maximum_wait);
	if (a->server[0] != '\0')
		(void)printf("Alerts are handed to: %s\n", a->server);
	else
		(void)printf("Alerts are handed to the mail exchangers of "
		    "each address.\n");
	(void)printf("Alert when a required TLS connection fails: %s\n",
	    c->delivery.alert_required_tls ? "Enabled" : "Disabled");
	if (a->from[0] != '\0')
		(void)printf("\nAlerts will be sent using the configured From "
		    "Address: %s\n", a->from);
	else
		(void)printf("\nAlerts will be sent using the system-default "
		    "From Address.\n");
}

static void
show_recipient(const struct conf_alert_recipient *r)
{
	size_t i;

	(void)printf("%s\n", r->name);
	show_class(r, "all");
	for (i = 0; conf_alert_classes[i] != NULL; i++)
		show_class(r, conf_alert_classes[i]);
}

/* All severities of a class on one line. */
static void
show_class(const struct conf_alert_recipient *r, const char *class)
{
	const char *between = "";
	size_t i;

	if (alertconfig_says(r, class, "all")) {
		(void)printf("    Class: %s - Severities: All\n",
		    title(class));
		return;
	}
	for (i = 0; conf_alert_severities[i] != NULL; i++) {
		if (!alertconfig_says(r, class, conf_alert_severities[i]))
			continue;
		if (between[0] == '\0')
			(void)printf("    Class: %s - Severities: ",
			    title(class));
		(void)printf("%s%s", between, conf_alert_severities[i]);
		between = ", ";
	}
	if (between[0] != '\0')
		(void)putchar('\n');
}

static const char *
title(const char *word)
{
	return strcmp(word, "all") == 0 ? "All" : word;
}

bool
alertconfig_says(const struct conf_alert_recipient *r, const char *class,
    const char *severity)
{
	const char *const *p = r->classes;
	struct str s;
	size_t at;

	if (*p == NULL)
		return strcmp(class, "all") == 0 &&
		    strcmp(severity, "all") == 0;
	for (; *p != NULL; p++) {
		s = str_c(*p);
		at = str_find(s, '/');
		if (str_ieq_c(str_n(s.p, at), class) &&
		    str_ieq_c(at < s.n ? str_c(s.p + at + 1) : STR("all"),
			severity))
			return true;
	}
	return false;
}

int
alertconfig_list(struct alertconfig *ac, struct err *why)
{
	const struct conf *c = alertconfig_conf(ac, why);
	const struct conf_alert_recipient *r;
	const char *const *p;
	json_t *all, *classes;
	unsigned i;

	if (c == NULL)
		return -1;
	if (!ac->json) {
		alertconfig_show(ac, c);
		return 0;
	}
	all = json_array();
	for (i = 0; i < c->nalert_recipient; i++) {
		r = &c->alert_recipient[i];
		classes = json_array();
		for (p = r->classes; *p != NULL; p++)
			(void)json_array_append_new(classes,
			    json_string(*p));
		if (*r->classes == NULL)
			(void)json_array_append_new(classes,
			    json_string("all"));
		(void)json_array_append_new(all, json_pack("{s:s, s:o}",
		    "address", r->name, "classes", classes));
	}
	config_print(json_pack("{s:o, s:s, s:s, s:i, s:f, s:f, s:f, s:b}",
	    "recipients", all, "from", c->alerts.from[0] != '\0' ?
	    c->alerts.from : pool_printf(ac->pool, "alert@%s",
	    c->top.hostname), "server", c->alerts.server, "port",
	    (int)c->alerts.port, "initial_wait",
	    (double)c->alerts.initial_wait / 1000, "maximum_wait",
	    (double)c->alerts.maximum_wait / 1000, "patience",
	    (double)c->alerts.patience / 1000, "alert_required_tls",
	    (int)c->delivery.alert_required_tls));
	return 0;
}

bool
alertconfig_has(struct alertconfig *ac, const char *address)
{
	return confedit_get(ac->ce, KIND, address) != NULL ||
	    confedit_boot(ac->ce, KIND, address) != NULL;
}

int
alertconfig_put(struct alertconfig *ac, const char *address,
    const char *classes, bool fresh, struct err *why)
{
	if (fresh && alertconfig_has(ac, address))
		return err_text(why, "%s is sent alerts already", address);
	if (!fresh && !alertconfig_has(ac, address))
		return err_text(why, "%s is sent no alerts", address);
	return confedit_set(ac->ce, KIND, address, "classes",
	    classes[0] != '\0' ? classes : "all", why);
}

int
alertconfig_delete(struct alertconfig *ac, const char *address,
    struct err *why)
{
	if (confedit_get(ac->ce, KIND, address) == NULL &&
	    confedit_boot(ac->ce, KIND, address) != NULL)
		return err_text(why, "%s is written in %s and can only be "
		    "deleted there", address, confedit_file(ac->ce));
	if (!alertconfig_has(ac, address))
		return err_text(why, "%s is sent no alerts", address);
	return confedit_delete(ac->ce, KIND, address, why);
}

int
alertconfig_clear(struct alertconfig *ac, struct err *why)
{
	const struct conf *c = alertconfig_conf(ac, why);
	const char *name;
	unsigned i;

	if (c == NULL)
		return -1;
	for (i = 0; i < c->nalert_recipient; i++) {
		name = c->alert_recipient[i].name;
		if (confedit_boot(ac->ce, KIND, name) != NULL)
			return err_text(why, "%s is written in %s and can only "
			    "be deleted there", name, confedit_file(ac->ce));
		if (alertconfig_delete(ac, name, why) != 0)
			return -1;
	}
	return 0;
}

int
alertconfig_set(struct alertconfig *ac, const char *key, const char *value,
    struct err *why)
{
	const struct conf_object *boot = confedit_boot(ac->ce, "alerts", "");

	if (value == NULL)
		value = boot != NULL && conf_object_get(boot, key) != NULL ?
		    "\"\"" : "";
	if (strcmp(key, "alert_required_tls") == 0)
		return confedit_set(ac->ce, "delivery", "", key, value, why);
	return confedit_set(ac->ce, "alerts", "", key, value, why);
}

int
alertconfig_test(struct alertconfig *ac, const char *to, struct err *why)
{
	struct tested t = { .ac = ac, .rows = json_array() };
	int r;

	if (to != NULL && !conf_alert_address(ac->pool, to)) {
		json_decref(t.rows);
		return err_text(why, "\"%.60s\" is no mail address in ASCII "
		    "without quotes", to);
	}
	r = ask(confedit_run(ac->ce), ASK_ONE, json_pack("{s:s, s:s}", "verb",
	    "alert.test", "to", to != NULL ? to : ""), on_tested, &t, why);
	if (ac->json && r == 0)
		config_print(json_incref(t.rows));
	json_decref(t.rows);
	if (r == 0 && t.failed > 0)
		return err_text(why, "the test alert could not be sent");
	return r;
}

static void
on_tested(void *arg, const char *from, const json_t *line, int last)
{
	const char *sink, *text;
	struct tested *t = arg;
	bool told;

	(void)from;
	if (last != 0)
		return;
	sink = json_string_value(json_object_get(line, "sink"));
	text = json_string_value(json_object_get(line, "text"));
	told = json_is_true(json_object_get(line, "told"));
	t->failed += !told;
	(void)json_array_append_new(t->rows, json_copy((json_t *)(uintptr_t)
	    line));
	if (t->ac->json || sink == NULL || text == NULL)
		return;
	if (!told)
		(void)fprintf(stderr, "%s: %s\n", sink, text);
	else if (json_is_true(json_object_get(line, "known")))
		(void)printf("%s: a test alert was sent.\n", sink);
	else
		(void)printf("%s: was given a test alert; the log tells what "
		    "became of it.\n", sink);
}
