/*
 * The table of destinations: what there is, shown, and files of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/confcmd.h"
#include "cli/config.h"
#include "cli/destconfig.h"
#include "cli/prompt.h"
#include "relay/destmap.h"
#include "relay/way.h"

#define FILE_MAX (64 * 1024 * 1024)

enum { COLUMNS = 6, DOMAIN_MIN = 9, STAY_MAX = 20 };

static const char *const ips[] = { "Prefer IPv6", "Prefer IPv4",
	"Require IPv6", "Require IPv4" };

struct row {
	const char *cell[COLUMNS];
};

static int by_name(const void *a, const void *b);
static const char *tls_cell(const struct destconfig *dc,
    const struct tlswant *w);
static void row_of(struct destconfig *dc, const struct conf_destination *d,
    struct row *r);
static void row_of_default(struct destconfig *dc, const struct conf *c,
    struct row *r);
static void print_rows(const struct row *v, unsigned n);
static json_t *json_of(const struct conf_destination *d);
static json_t *json_of_default(const struct conf *c);
static void detail(struct destconfig *dc, const struct conf_destination *d);
static void detail_default(struct destconfig *dc, const struct conf *c);

const struct conf *
destconfig_conf(struct destconfig *dc, struct err *why)
{
	const struct conf *c = confedit_conf(dc->ce);

	if (c == NULL)
		(void)err_text(why, "%s", confedit_broken(dc->ce));
	return c;
}

const struct conf_destination *const *
destconfig_sorted(struct destconfig *dc, const struct conf *c, unsigned *n_r)
{
	const struct conf_destination **v;
	unsigned i;

	v = pool_alloc(dc->pool, (c->ndestination + 1) * sizeof(*v));
	for (i = 0; i < c->ndestination; i++)
		v[i] = &c->destination[i];
	qsort(v, c->ndestination, sizeof(*v), by_name);
	*n_r = c->ndestination;
	return v;
}

static int
by_name(const void *a, const void *b)
{
	const struct conf_destination *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

const char *
destconfig_now(struct destconfig *dc, const char *kind, const char *name,
    const char *key)
{
	return confcmd_now(dc->ce, dc->pool, kind, name, key);
}

void
destconfig_rules(struct destconfig *dc, const char *name,
    struct relay_rules *r_r)
{
	const struct relay_conf *c = &confedit_conf(dc->ce)->relay_conf;
	struct destmap *map = destmap_new(c);
	struct way w = { .route = NULL };

	if (name[0] != '\0')
		way_hop(&w, c, map, str_c(name), STR(""));
	way_limits(c, w.route, &w.rules);
	*r_r = w.rules;
	destmap_destroy(&map);
}

bool
destconfig_has(struct destconfig *dc, const char *name)
{
	return confedit_get(dc->ce, "destination", name) != NULL ||
	    confedit_boot(dc->ce, "destination", name) != NULL;
}

const char *
destconfig_level(const struct tlswant *w)
{
	if (w->match == TLSWANT_MATCH_HOSTED) {
		if (w->level == TLSWANT_REQUIRED_VERIFY)
			return "required-verify-hosted";
		if (w->level == TLSWANT_PREFERRED_VERIFY)
			return "preferred-verify-hosted";
	}
	return tlswant_name(w->level);
}

/* Opportunistic promises nothing, so that it is no more than Off there. */
static const char *
tls_cell(const struct destconfig *dc, const struct tlswant *w)
{
	if (w == NULL)
		return "Default";
	if (!dc->compat)
		return destconfig_level(w);
	return w->level > TLSWANT_OPPORTUNISTIC ? "On" : "Off";
}

static void
row_of(struct destconfig *dc, const struct conf_destination *d, struct row *r)
{
	bool limits = d->concurrency != 0 || d->max_messages != 0 ||
	    d->recipients != 0 || d->recipient_minutes != 0 ||
	    d->limit_by != -1;

	r->cell[0] = d->name;
	r->cell[1] = limits ? "On" : "Default";
	r->cell[2] = tls_cell(dc, d->tls);
	r->cell[3] = d->bounce_verification == -1 ? "Default" :
	    d->bounce_verification == 0 ? "Off" : "On";
	r->cell[4] = d->bounce_profile[0] != '\0' ? d->bounce_profile :
	    "Default";
	r->cell[5] = d->ip == -1 ? "Default" : ips[d->ip];
}

static void
row_of_default(struct destconfig *dc, const struct conf *c, struct row *r)
{
	r->cell[0] = "(Default)";
	r->cell[1] = "On";
	r->cell[2] = tls_cell(dc, &c->relay_conf.tls);
	r->cell[3] = c->delivery.bounce_verification == 0 ? "Off" : "On";
	r->cell[4] = "(Default)";
	r->cell[5] = ips[c->delivery.ip];
}

int
destconfig_list(struct destconfig *dc, struct err *why)
{
	const struct conf *c = destconfig_conf(dc, why);
	const struct conf_destination *const *v;
	json_t *all;
	struct row *rows;
	unsigned i, n;

	if (c == NULL)
		return -1;
	v = destconfig_sorted(dc, c, &n);
	if (dc->json) {
		all = json_array();
		for (i = 0; i < n; i++)
			(void)json_array_append_new(all, json_of(v[i]));
		(void)json_array_append_new(all, json_of_default(c));
		config_print(all);
		return 0;
	}
	rows = pool_alloc(dc->pool, (n + 1) * sizeof(*rows));
	for (i = 0; i < n; i++)
		row_of(dc, v[i], &rows[i]);
	row_of_default(dc, c, &rows[n]);
	print_rows(rows, n + 1);
	return 0;
}

/* A name that is wider than its column has a line for itself. */
static void
print_row(const struct row *r, const int *width)
{
	bool wide = (int)strlen(r->cell[0]) > width[0];
	unsigned k;

	if (wide)
		(void)printf("%s\n", r->cell[0]);
	(void)printf("%-*s  ", width[0], wide ? "" : r->cell[0]);
	for (k = 1; k + 1 < COLUMNS; k++)
		(void)printf("%-*s  ", width[k], r->cell[k]);
	(void)printf("%s\n", r->cell[k]);
}

static void
print_rule(const int *width)
{
	unsigned k;
	int i;

	for (k = 0; k < COLUMNS; k++) {
		for (i = 0; i < width[k]; i++)
			(void)putchar('=');
		(void)fputs(k + 1 < COLUMNS ? "  " : "\n", stdout);
	}
}

static void
print_rows(const struct row *v, unsigned n)
{
	static const struct row head[2] = {
		{ { "", "Rate", "", "Bounce", "Bounce", "IP Version" } },
		{ { "Domain", "Limiting", "TLS", "Verification", "Profile",
			"Preference" } },
	};
	int width[COLUMNS] = { 0 }, len, all = 2 * (COLUMNS - 1), screen;
	unsigned i, k;

	for (k = 0; k < COLUMNS; k++) {
		for (i = 0; i < n + 2; i++) {
			len = (int)strlen(i < 2 ? head[i].cell[k] :
				v[i - 2].cell[k]);
			if (len > width[k])
				width[k] = len;
		}
		all += width[k];
	}
	screen = (int)prompt_width();
	if (screen > 0 && all > screen) {
		width[0] -= all - screen;
		if (width[0] < DOMAIN_MIN)
			width[0] = DOMAIN_MIN;
	}
	print_row(&head[0], width);
	print_row(&head[1], width);
	print_rule(width);
	for (i = 0; i < n; i++)
		print_row(&v[i], width);
}

static void
json_number(json_t *o, const char *key, unsigned v)
{
	if (v != 0)
		(void)json_object_set_new(o, key, json_integer(v));
}

static void
json_text(json_t *o, const char *key, const char *v)
{
	if (v != NULL && v[0] != '\0')
		(void)json_object_set_new(o, key, json_string(v));
}

static void
json_want(json_t *o, const struct tlswant *w)
{
	struct buf text;

	if (w == NULL)
		return;
	buf_init(&text, CONF_MAX);
	tlswant_write(w, &text);
	json_text(o, "tls", buf_p(&text));
	buf_fini(&text);
}

static const char *
ip_word(int ip)
{
	static const char *const words[] = { "prefer-ipv6", "prefer-ipv4",
		"require-ipv6", "require-ipv4" };

	return ip == -1 ? "" : words[ip];
}

static const char *
limit_word(int by)
{
	return by == -1 ? "" : by == 0 ? "domain" : "mx";
}

static const char *
on_word(int on)
{
	return on == -1 ? "" : on == 0 ? "off" : "on";
}

/* With the names and words of the settings; what is not there is inherited. */
static json_t *
json_of(const struct conf_destination *d)
{
	json_t *o = json_pack("{s:s}", "domain", d->name);

	json_want(o, d->tls);
	json_text(o, "certificate", d->certificate);
	json_number(o, "concurrency", d->concurrency);
	json_text(o, "limit_by", limit_word(d->limit_by));
	json_number(o, "max_messages", d->max_messages);
	json_number(o, "recipients", d->recipients);
	json_number(o, "recipient_minutes", d->recipient_minutes);
	json_text(o, "ip", ip_word(d->ip));
	json_text(o, "bounce_profile", d->bounce_profile);
	json_text(o, "bounce_verification", on_word(d->bounce_verification));
	json_text(o, "route", d->route);
	return o;
}

static json_t *
json_of_default(const struct conf *c)
{
	const struct conf_delivery *d = &c->delivery;
	json_t *o = json_pack("{s:s, s:b}", "domain", DESTCONFIG_DEFAULT,
	    "alert_required_tls", (int)d->alert_required_tls);

	json_want(o, &c->relay_conf.tls);
	json_text(o, "certificate", d->certificate);
	json_number(o, "concurrency", d->concurrency);
	json_text(o, "limit_by", limit_word(d->limit_by));
	json_number(o, "max_messages", d->max_messages);
	json_number(o, "recipients", d->recipients);
	json_number(o, "recipient_minutes", d->recipient_minutes);
	json_text(o, "ip", ip_word(d->ip));
	json_text(o, "bounce_verification", on_word(d->bounce_verification));
	return o;
}

int
destconfig_detail(struct destconfig *dc, const char *name, struct err *why)
{
	const struct conf *c = destconfig_conf(dc, why);
	bool is_default = name != NULL &&
	    str_ieq_c(str_c(name), DESTCONFIG_DEFAULT);
	const struct conf_destination *const *v;
	json_t *all;
	unsigned i, n, found = 0;

	if (c == NULL)
		return -1;
	v = destconfig_sorted(dc, c, &n);
	all = json_array();
	for (i = 0; i < n && !is_default; i++) {
		if (name != NULL && !str_ieq_c(str_c(name), v[i]->name))
			continue;
		if (dc->json)
			(void)json_array_append_new(all, json_of(v[i]));
		else
			detail(dc, v[i]);
		found++;
	}
	if (name == NULL || is_default) {
		if (dc->json)
			(void)json_array_append_new(all, json_of_default(c));
		else
			detail_default(dc, c);
		found++;
	}
	if (dc->json && found > 0)
		config_print(json_incref(all));
	json_decref(all);
	return found > 0 ? 0 : err_text(why, "there is no entry for %s", name);
}

static void
line(const char *what, const char *value)
{
	(void)printf("  %-32s %s\n", what, value[0] != '\0' ? value :
	    "Default");
}

static const char *
count(struct destconfig *dc, unsigned n)
{
	return n == 0 ? "" : pool_printf(dc->pool, "%u", n);
}

static const char *
want_text(struct destconfig *dc, const struct tlswant *w)
{
	const char *s;
	struct buf text;

	if (w == NULL)
		return "";
	buf_init(&text, CONF_MAX);
	tlswant_write(w, &text);
	s = pool_strdup(dc->pool, buf_p(&text));
	buf_fini(&text);
	return s;
}

static const char *
limit_text(int by)
{
	return by == -1 ? "" : by == 0 ? "One for the entire domain" :
	    "One for each mail exchanger IP address";
}

static void
detail(struct destconfig *dc, const struct conf_destination *d)
{
	(void)printf("\n%s\n", d->name);
	line("Concurrency limit:", count(dc, d->concurrency));
	line("Limits apply:", limit_text(d->limit_by));
	line("Messages per connection:", count(dc, d->max_messages));
	line("Recipient limit:", count(dc, d->recipients));
	line("Minutes of the recipient limit:",
	    count(dc, d->recipient_minutes));
	line("TLS:", want_text(dc, d->tls));
	line("Certificate:", d->certificate);
	line("Bounce verification tagging:", d->bounce_verification == -1 ?
	    "" : d->bounce_verification == 0 ? "Off" : "On");
	line("Bounce profile:", d->bounce_profile);
	line("IP sort preference:", d->ip == -1 ? "" : ips[d->ip]);
	line("Route:", d->route);
}

static void
detail_default(struct destconfig *dc, const struct conf *c)
{
	const struct conf_delivery *d = &c->delivery;

	(void)printf("\n(Default)\n");
	line("Concurrency limit:", count(dc, d->concurrency));
	line("Limits apply:", limit_text(d->limit_by));
	line("Messages per connection:", count(dc, d->max_messages));
	line("Recipient limit:", d->recipients == 0 ? "None" :
	    count(dc, d->recipients));
	line("Minutes of the recipient limit:",
	    count(dc, d->recipient_minutes));
	line("TLS:", want_text(dc, &c->relay_conf.tls));
	line("Certificate:", d->certificate[0] != '\0' ? d->certificate :
	    "None");
	line("Bounce verification tagging:",
	    d->bounce_verification == 0 ? "Off" : "On");
	line("IP sort preference:", ips[d->ip]);
	line("Alert when required TLS fails:",
	    d->alert_required_tls ? "On" : "Off");
}

int
destconfig_delete(struct destconfig *dc, const char *name, struct err *why)
{
	if (str_ieq_c(str_c(name), DESTCONFIG_DEFAULT))
		return err_text(why, "the default entry cannot be deleted");
	if (confedit_get(dc->ce, "destination", name) == NULL &&
	    confedit_boot(dc->ce, "destination", name) != NULL)
		return err_text(why, "%s is written in %s and can only be "
		    "deleted there", name, confedit_file(dc->ce));
	return confedit_delete(dc->ce, "destination", name, why);
}

int
destconfig_clear(struct destconfig *dc, struct err *why)
{
	const struct conf_object *o;

	while ((o = confedit_at(dc->ce, "destination", 0)) != NULL) {
		if (confedit_delete(dc->ce, "destination",
			pool_strdup(dc->pool, o->name), why) != 0)
			return -1;
	}
	return 0;
}

/* Is anything of it not laid over by the store? */
static bool
stays(struct destconfig *dc, const char *name)
{
	const struct conf_object *boot = confedit_boot(dc->ce, "destination",
	    name);
	const struct conf_object *o = confedit_get(dc->ce, "destination",
	    name);
	const struct conf_item *i;

	if (boot == NULL)
		return false;
	for (i = boot->items; i != NULL && o != NULL; i = i->next) {
		if (conf_object_get(o, i->key) == NULL)
			return true;
	}
	return o == NULL;
}

void
destconfig_stays(struct destconfig *dc)
{
	const struct conf *c = confedit_conf(dc->ce);
	const struct conf_destination *const *v;
	unsigned i, n, told = 0;

	if (c == NULL)
		return;
	v = destconfig_sorted(dc, c, &n);
	for (i = 0; i < n; i++) {
		if (!stays(dc, v[i]->name) || told++ >= STAY_MAX)
			continue;
		if (told == 1)
			(void)fprintf(stderr, "What %s says of these stays, "
			    "and can only be removed there:\n",
			    confedit_file(dc->ce));
		(void)fprintf(stderr, "  %s\n", v[i]->name);
	}
	if (told > STAY_MAX)
		(void)fprintf(stderr, "  and %u more\n", told - STAY_MAX);
}

int
destconfig_export(struct destconfig *dc, const char *file, struct err *why)
{
	const struct conf *c = destconfig_conf(dc, why);
	struct buf text;
	int r;

	if (c == NULL)
		return -1;
	buf_init(&text, FILE_MAX);
	destconfig_write(dc, c, &text);
	r = config_export(file, buf_str(&text), false, dc->json, why);
	buf_fini(&text);
	return r;
}

int
destconfig_import(struct destconfig *dc, const char *file, struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, FILE_MAX);
	r = file_read(&text, file, why);
	if (r == 0)
		r = destconfig_read(dc, file, buf_str(&text), NULL, why);
	if (r == 0)
		destconfig_stays(dc);
	buf_fini(&text);
	return r;
}
