#include <stdio.h>

#include "cli/certconfig.h"
#include "net/dns.h"
#include "net/mx.h"

/* What a look-up brings. */
struct asked {
	struct loop *loop;
	struct mx_result *result;
};

static const struct conf_listener *find_listener(const struct certconfig *,
    const char *);
static const char *boot_use(const struct certconfig *, const char *,
    unsigned);
static bool listed(const char *const *, const char *);
static int look_up(struct certconfig *, const char *,
    const struct mx_result **, struct err *);
static void on_mx(void *, const struct mx_result *);
static json_t *three(const char *, const struct certfact *, const char *,
    const char *);
static int rows_of(struct certconfig *, const struct conf_listener *,
    const char *, const struct mx_result *, json_t *, struct err *);
static int add_rows(struct certconfig *, const char *,
    const struct conf_listener *, const struct mx_result *, json_t *,
    struct err *);
static const char *served(struct certconfig *, const struct conf_listener *,
    unsigned);
static void show_rows(const json_t *);

int
certconfig_check_use(const struct certconfig *cc, const char *use,
    struct err *why)
{
	const char *name = strchr(use, ':');
	unsigned i;

	if (strcmp(use, "outbound") == 0 || strcmp(use, "https") == 0)
		return 0;
	if (name == NULL || name[1] == '\0')
		return err_text(why, "\"%.60s\" is no use: listener:NAME, "
		    "outbound, destination:NAME, https or service:NAME", use);
	name++;
	if (strncmp(use, "listener:", 9) == 0) {
		if (find_listener(cc, name) != NULL)
			return 0;
		return err_text(why, "there is no listener \"%.60s\" in %s",
		    name, cc->conf->file);
	}
	if (strncmp(use, "destination:", 12) == 0) {
		for (i = 0; i < cc->conf->ndestination; i++) {
			if (str_ieq_c(str_c(name),
				cc->conf->destination[i].name))
				return 0;
		}
		return err_text(why, "there is no destination \"%.60s\" in %s",
		    name, cc->conf->file);
	}
	if (strncmp(use, "service:", 8) != 0)
		return err_text(why, "\"%.60s\" is no use: listener:NAME, "
		    "outbound, destination:NAME, https or service:NAME", use);
	for (; *name != '\0'; name++) {
		if (!ch_alnum(*name) && *name != '-' && *name != '_' &&
		    *name != '.')
			return err_text(why, "a service's name is made of "
			    "letters, digits, '-', '_' and '.'");
	}
	return 0;
}

const char *
certconfig_use_of(const struct certconfig *cc, const char *name, unsigned i,
    bool *boot_r)
{
	const char *use, *of;
	unsigned k;

	*boot_r = false;
	for (k = 0; certstore_use(cc->cs, k, &use, &of); k++) {
		if (strcmp(of, name) == 0 && i-- == 0)
			return use;
	}
	*boot_r = true;
	return boot_use(cc, name, i);
}

const char *
certconfig_default_of(struct certconfig *cc, const char *name, unsigned i)
{
	const char *one;
	unsigned k, at;

	for (k = 0; certstore_is_default(name) && k < cc->conf->nlistener;
	     k++) {
		if (cc->conf->listener[k].certificates[0] != NULL ||
		    certstore_assigned(cc->cs, pool_printf(cc->pool,
			"listener:%s", cc->conf->listener[k].name), 0) != NULL)
			continue;
		for (at = 0; (one = served(cc, &cc->conf->listener[k],
				  at)) != NULL; at++) {
			if (strcmp(one, name) == 0 && i-- == 0)
				return cc->conf->listener[k].name;
		}
	}
	return NULL;
}

const char *
certconfig_interface(const struct certconfig *cc,
    const struct conf_listener *l)
{
	return l->banner_host[0] != '\0' ? l->banner_host :
	    cc->conf->top.hostname;
}

void
certconfig_warn_use(struct certconfig *cc, const char *name, const char *use)
{
	const struct conf_listener *l = NULL;
	struct certstore_entry e;
	struct certpile *p = NULL;
	const char *host;
	struct certfact f;

	if (certstore_is_default(name))
		(void)fprintf(stderr, "warning: \"%s\" is a demonstration "
		    "certificate: not secure, not recommended but for "
		    "tests\n", name);
	if (strncmp(use, "listener:", 9) == 0)
		l = find_listener(cc, use + 9);
	if (certstore_entry(cc->cs, name, &e, NULL) != 0 ||
	    certconfig_load(cc, &e, &p, NULL) != 0)
		return;
	certpile_fact(p, 0, cc->pool, &f);
	host = l == NULL ? cc->conf->top.hostname :
	    certconfig_interface(cc, l);
	if ((l != NULL || strcmp(use, "outbound") == 0) &&
	    certfact_covers(&f, host) == CERTFACT_NO)
		(void)fprintf(stderr, "warning: the certificate is not for "
		    "the host name of %s, \"%s\"\n", use, host);
	else if (l != NULL && certfact_covers(&f, host) == CERTFACT_BY_CN)
		(void)fprintf(stderr, "warning: only the common name is \"%s\""
		    "; many peers want an alternative name\n", host);
	certpile_destroy(&p);
}

void
certconfig_warn_name(struct certconfig *cc, const char *name)
{
	struct certstore_entry e;
	struct certpile *p = NULL;
	struct certfact f;
	const char *host;
	unsigned i;

	if (certstore_entry(cc->cs, name, &e, NULL) != 0 ||
	    certconfig_load(cc, &e, &p, NULL) != 0)
		return;
	certpile_fact(p, 0, cc->pool, &f);
	certpile_destroy(&p);
	host = cc->conf->top.hostname;
	for (i = 0; i < cc->conf->nlistener; i++) {
		host = certconfig_interface(cc, &cc->conf->listener[i]);
		if (certfact_covers(&f, host) != CERTFACT_NO)
			return;
	}
	(void)fprintf(stderr, "warning: the certificate is not for the host "
	    "name of any listener, as \"%s\"\n", host);
}

int
certconfig_assign(struct certconfig *cc, const char *name, const char *use,
    bool first, struct err *why)
{
	if (certconfig_check_use(cc, use, why) != 0 ||
	    certstore_assign(cc->cs, use, name, first, why) != 0)
		return -1;
	cc->changed = true;
	certconfig_warn_use(cc, name, use);
	if (cc->json)
		certconfig_print(json_pack("{s:s,s:s,s:s}", "done", "assigned",
		    "name", name, "use", use));
	else
		(void)printf("\"%s\" is now used for %s.\n", name, use);
	return 0;
}

/* Also of a listener that is in the boot file no more. */
int
certconfig_unassign(struct certconfig *cc, const char *use, const char *name,
    struct err *why)
{
	if (certstore_unassign(cc->cs, use, name, why) != 0)
		return -1;
	cc->changed = true;
	if (cc->json)
		certconfig_print(json_pack("{s:s,s:s}", "done", "unassigned",
		    "use", use));
	else if (name != NULL)
		(void)printf("\"%s\" is no more used for %s.\n", name, use);
	else
		(void)printf("%s has no certificate of its own any more.\n",
		    use);
	return 0;
}

int
certconfig_names(struct certconfig *cc, const char *domain, const char *name,
    bool *ok_r, struct err *why)
{
	const struct mx_result *mx = NULL;
	json_t *rows = json_array(), *row;
	size_t at;
	unsigned i;
	int r;

	*ok_r = false;
	r = look_up(cc, domain, &mx, why);
	if (r == 0 && cc->conf->nlistener == 0)
		r = err_text(why, "there is no listener in %s",
		    cc->conf->file);
	for (i = 0; r == 0 && i < cc->conf->nlistener; i++)
		r = rows_of(cc, &cc->conf->listener[i], name, mx, rows, why);
	if (r == 0 && json_array_size(rows) == 0)
		r = err_text(why, "no listener shows a certificate");
	if (r == 0) {
		*ok_r = true;
		json_array_foreach(rows, at, row)
			*ok_r = *ok_r &&
			    json_is_true(json_object_get(row, "ok"));
		if (cc->json)
			certconfig_print(json_pack("{s:s,s:O,s:b}", "domain",
			    domain, "rows", rows, "ok", *ok_r));
		else
			show_rows(rows);
	}
	json_decref(rows);
	return r;
}

static const struct conf_listener *
find_listener(const struct certconfig *cc, const char *name)
{
	unsigned i;

	for (i = 0; i < cc->conf->nlistener; i++) {
		if (strcmp(cc->conf->listener[i].name, name) == 0)
			return &cc->conf->listener[i];
	}
	return NULL;
}

/* The i-th use that the boot file makes of a name. */
static const char *
boot_use(const struct certconfig *cc, const char *name, unsigned i)
{
	const struct conf *c = cc->conf;
	unsigned k;

	for (k = 0; k < c->nlistener; k++) {
		if (listed(c->listener[k].certificates, name) && i-- == 0)
			return pool_printf(cc->pool, "listener:%s",
			    c->listener[k].name);
	}
	if (strcmp(c->delivery.certificate, name) == 0 && i-- == 0)
		return "outbound";
	for (k = 0; k < c->ndestination; k++) {
		if (strcmp(c->destination[k].certificate, name) == 0 &&
		    i-- == 0)
			return pool_printf(cc->pool, "destination:%s",
			    c->destination[k].name);
	}
	return NULL;
}

static bool
listed(const char *const *v, const char *name)
{
	for (; v != NULL && *v != NULL; v++) {
		if (strcmp(*v, name) == 0)
			return true;
	}
	return false;
}

static int
look_up(struct certconfig *cc, const char *domain,
    const struct mx_result **mx_r, struct err *why)
{
	struct dns_conf d = { .servers = cc->conf->dns.servers,
		.timeout = cc->conf->dns.timeout };
	struct asked a = { loop_new(), POOL_NEW(cc->pool, struct mx_result) };
	struct dns *dns = NULL;
	int r;

	if (cc->conf->dns.records[0] != '\0')
		d.records = cc->conf->dns.records;
	if (cc->conf->dns.trust_anchor[0] != '\0')
		d.trust_anchor = cc->conf->dns.trust_anchor;
	r = dns_new(&dns, a.loop, &d, why);
	if (r == 0) {
		(void)mx_lookup(dns, cc->pool, domain, 25, MX_PREFER_V4, on_mx,
		    &a);
		loop_run(a.loop);
	}
	dns_destroy(&dns);
	loop_destroy(&a.loop);
	if (r != 0)
		return -1;
	if (a.result->status != MX_OK)
		return err_text(why, "%s: %s", domain, a.result->why);
	*mx_r = a.result;
	return 0;
}

/* What it points to is in the pool. */
static void
on_mx(void *arg, const struct mx_result *r)
{
	struct asked *a = arg;

	*a->result = *r;
	loop_stop(a->loop);
}

static int
rows_of(struct certconfig *cc, const struct conf_listener *l,
    const char *name, const struct mx_result *mx, json_t *rows,
    struct err *why)
{
	const char *one;
	unsigned i;
	int r = 0;

	if (name != NULL)
		return add_rows(cc, name, l, mx, rows, why);
	for (i = 0; r == 0 && (one = served(cc, l, i)) != NULL; i++)
		r = add_rows(cc, one, l, mx, rows, why);
	return r;
}

/* What a listener shows: a name of the store, or the file of its chain. */
static const char *
served(struct certconfig *cc, const struct conf_listener *l, unsigned i)
{
	const char *use = pool_printf(cc->pool, "listener:%s", l->name);
	const char *const *v = l->certificates;
	struct certstore_entry e;
	const char *one;
	unsigned k;

	if (!conf_listener_wants_tls(l))
		return NULL;
	if (l->cert[0] != '\0')
		return i == 0 ? l->cert : NULL;
	if (v != NULL && v[0] != NULL) {
		for (k = 0; k < i && v[k] != NULL; k++)
			;
		return v[k];
	}
	if (certstore_assigned(cc->cs, use, 0) != NULL)
		return certstore_assigned(cc->cs, use, i);
	one = i == 0 ? CERTSTORE_DEFAULT_EC : CERTSTORE_DEFAULT;
	return cc->conf->top.tls_selfsigned && i < 2 &&
	    certstore_entry(cc->cs, one, &e, NULL) == 0 ? one : NULL;
}

static int
add_rows(struct certconfig *cc, const char *name,
    const struct conf_listener *l, const struct mx_result *mx, json_t *rows,
    struct err *why)
{
	struct certchain c = { .pool = cc->pool };
	struct certpile *p = NULL, *roots;
	struct certstore_entry e = { .chain = name,
		.key = l->key[0] != '\0' ? l->key : name };
	const char *host = certconfig_interface(cc, l);
	struct certfact f;
	json_t *row;
	unsigned i;

	if ((name[0] != '/' && certstore_entry(cc->cs, name, &e, why) != 0) ||
	    certconfig_load(cc, &e, &p, why) != 0)
		return -1;
	roots = certpile_new();
	if (certconfig_roots(cc, roots, why) != 0) {
		certpile_destroy(&p);
		certpile_destroy(&roots);
		return -1;
	}
	certchain_check(&c, p, roots, clock_wall());
	certpile_fact(p, 0, cc->pool, &f);
	for (i = 0; i < mx->nhost; i++) {
		row = three(mx->host[i].name, &f, host, l->name);
		(void)json_object_set_new(row, "certificate_name",
		    json_string(name));
		(void)json_object_set_new(row, "verifiable",
		    json_boolean(c.verified));
		(void)json_array_append_new(rows, row);
	}
	certpile_destroy(&p);
	certpile_destroy(&roots);
	return 0;
}

/* Which of three names the two others speak against. */
static json_t *
three(const char *mx, const struct certfact *f, const char *host,
    const char *listener)
{
	enum certfact_match of_mx = certfact_covers(f, mx);
	bool mc = of_mx != CERTFACT_NO;
	bool ci = certfact_covers(f, host) != CERTFACT_NO;
	bool mi = str_ieq_c(str_c(mx), host);
	bool all = mc && ci;
	const char *name = mc || f->name[0] == NULL ? f->cn : f->name[0];
	json_t *row, *hints = json_array();

	if (mc && f->name[0] != NULL && !str_ieq_c(str_c(f->cn), mx))
		name = mx;
	if (!all && !mc && (mi || !ci))
		(void)json_array_append_new(hints, json_sprintf("get a "
		    "certificate with the name \"%s\" (certconfig create)",
		    mx));
	if (!all && !ci && (mc || !mi))
		(void)json_array_append_new(hints, json_sprintf("set "
		    "banner_host = \"%s\" in listener \"%s\"", mx, listener));
	if (!all && !mc && ci)
		(void)json_array_append_new(hints, json_sprintf("let the MX "
		    "record name \"%s\", or add \"%s\" to the certificate",
		    host, mx));
	if (of_mx == CERTFACT_BY_CN)
		(void)json_array_append_new(hints, json_string("the name is "
		    "in the common name only; many senders want it as an "
		    "alternative name (SAN)"));
	row = json_pack("{s:s,s:s,s:s,s:s}", "listener", listener, "mx", mx,
	    "certificate", name, "interface", host);
	(void)json_object_set_new(row, "mx_ok", json_boolean(mc || mi));
	(void)json_object_set_new(row, "certificate_ok",
	    json_boolean(mc || ci));
	(void)json_object_set_new(row, "interface_ok",
	    json_boolean(ci || mi));
	(void)json_object_set_new(row, "ok", json_boolean(all));
	(void)json_object_set_new(row, "hints", hints);
	return row;
}

static void
show_rows(const json_t *rows)
{
	static const char *const column[][2] = { { "mx", "mx_ok" },
		{ "certificate", "certificate_ok" },
		{ "interface", "interface_ok" } };
	const json_t *row, *hint;
	size_t i, k;

	(void)printf("%-12s %-31s %-31s %s\n", "Listener", "MX host",
	    "Certificate", "Interface host name");
	json_array_foreach(rows, i, row) {
		(void)printf("%-12s", json_string_value(json_object_get(row,
		    "listener")));
		for (k = 0; k < 3; k++)
			(void)printf(" %-26s %-4s", json_string_value(
			    json_object_get(row, column[k][0])),
			    json_is_true(json_object_get(row, column[k][1])) ?
				"OK" : "FAIL");
		(void)putchar('\n');
		json_array_foreach(json_object_get(row, "hints"), k, hint)
			(void)printf("  hint: %s\n", json_string_value(hint));
		if (!json_is_true(json_object_get(row, "verifiable")))
			(void)printf("  hint: the certificate \"%s\" is not "
			    "verifiable; see certconfig check\n",
			    json_string_value(json_object_get(row,
				"certificate_name")));
	}
}
