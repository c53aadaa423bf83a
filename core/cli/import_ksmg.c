/*
 * What a mail gateway's transport map and list of TLS levels say, as CSV: the
 * columns are in postern-import(8).
 */
#include "cli/csv.h"
#include "cli/import.h"
#include "cli/posthop.h"
#include "mail/addr.h"

#define WORDS_MAX 64

enum column {
	COL_DOMAIN, COL_TYPE, COL_TLS, COL_DESTINATION, COL_PORT,
	COL_PROTOCOL, COL_LOCAL, COL_DKIM, COLUMNS
};

static const char *const columns[COLUMNS] = { "domain", "type", "tls",
	"destination", "port", "protocol", "local", "dkim" };

/* Without commas and hyphens. */
static const struct {
	const char *word, *want;
} levels[] = {
	{ "no", "none" },
	{ "none", "none" },
	{ "do not use", "none" },
	{ "do not use tls", "none" },
	{ "attempt", "opportunistic" },
	{ "attempt tls", "opportunistic" },
	{ "require", "required" },
	{ "require tls", "required" },
	{ "require no verify", "required" },
	{ "require do not verify", "required" },
	{ "require tls do not verify certificate", "required" },
	{ "require verify", "required-verify" },
	{ "require and verify", "required-verify" },
	{ "require tls and verify certificate", "required-verify" },
};

struct reading {
	struct import *im;
	int at[COLUMNS]; /* -1: there is no such column */
	int n;
	json_t *seen;
};

struct record {
	int line;
	const char *col[COLUMNS]; /* "" where there is none */
	const char *name; /* of the entry it becomes */
};

static int	header(struct reading *r, const char *const *field, int n,
		    struct err *why);
static int	record(struct reading *r, int line, const char *const *field,
		    int n, struct err *why);
static const char *name_of(struct reading *r, struct record *rec,
		    struct err *why);
static const char *level_of(struct str text);
static int	put(struct reading *r, struct record *rec, struct err *why);

static int
all(struct reading *r, struct err *why)
{
	const char *field[CSV_FIELDS_MAX];
	struct csv c;
	int n;

	csv_init(&c, r->im->text);
	n = csv_next(&c, r->im->pool, field, why);
	if (n == 0)
		n = err_text(why, "there is no line with the names of "
		    "columns");
	if (n < 0 || header(r, field, n, why) != 0)
		return import_refuse(r->im, c.line, why);
	while ((n = csv_next(&c, r->im->pool, field, why)) > 0) {
		if (record(r, c.line, field, n, why) != 0)
			return -1;
	}
	return n < 0 ? import_refuse(r->im, c.line, why) : 0;
}

int
import_ksmg(struct import *im, struct err *why)
{
	struct reading r = { .im = im };
	int e;

	r.seen = json_object();
	e = all(&r, why);
	json_decref(r.seen);
	return e;
}

static int
header(struct reading *r, const char *const *field, int n, struct err *why)
{
	int i, j;

	for (j = 0; j < COLUMNS; j++)
		r->at[j] = -1;
	for (i = 0; i < n; i++) {
		for (j = 0; j < COLUMNS; j++) {
			if (str_ieq_c(str_c(field[i]), columns[j]))
				break;
		}
		if (j == COLUMNS)
			return err_text(why, "there is no column \"%.60s\": "
			    "domain, type, tls, destination, port, protocol, "
			    "local or dkim", field[i]);
		if (r->at[j] != -1)
			return err_text(why, "the column %s is there twice",
			    columns[j]);
		r->at[j] = i;
	}
	if (r->at[COL_DOMAIN] == -1)
		return err_text(why, "there is no column \"domain\"");
	r->n = n;
	return 0;
}

static int
record(struct reading *r, int line, const char *const *field, int n,
    struct err *why)
{
	struct record rec = { .line = line };
	int i;

	if (n != r->n) {
		(void)err_text(why, "%d fields, and the first line has %d", n,
		    r->n);
		return import_refuse(r->im, line, why);
	}
	for (i = 0; i < COLUMNS; i++)
		rec.col[i] = r->at[i] == -1 ? "" : field[r->at[i]];
	rec.name = name_of(r, &rec, why);
	if (rec.name == NULL)
		return import_refuse(r->im, line, why);
	if (rec.col[COL_TLS][0] != '\0' &&
	    level_of(str_c(rec.col[COL_TLS])) == NULL) {
		(void)err_text(why, "\"%.60s\" is no level of TLS: no, "
		    "attempt, require or \"require and verify\"",
		    rec.col[COL_TLS]);
		return import_refuse(r->im, line, why);
	}
	return put(r, &rec, why);
}

static const char *
name_of(struct reading *r, struct record *rec, struct err *why)
{
	const char *domain = rec->col[COL_DOMAIN];
	struct str type = str_c(rec->col[COL_TYPE]);
	struct conf_object o;

	if (type.n == 0)
		type = strchr(domain, '@') != NULL ? STR("address") :
		    domain[0] == '.' ? STR("subdomain") : STR("domain");
	if (str_ieq_c(type, "subdomain")) {
		if (domain[0] != '.')
			domain = pool_printf(r->im->pool, ".%s", domain);
	} else if (!str_ieq_c(type, "domain") &&
	    !str_ieq_c(type, "address")) {
		(void)err_text(why, "\"%.*s\" is no type: domain, subdomain "
		    "or address", STR_FMT(type));
		return NULL;
	}
	if (conf_object_new(r->im->pool, "destination", domain, &o, why) != 0)
		return NULL;
	if ((strchr(o.name, '@') != NULL) != str_ieq_c(type, "address") ||
	    (o.name[0] == '.') != str_ieq_c(type, "subdomain")) {
		(void)err_text(why, "%s is no %.*s", domain, STR_FMT(type));
		return NULL;
	}
	if (json_object_get(r->seen, o.name) != NULL) {
		(void)err_text(why, "%s is there already", o.name);
		return NULL;
	}
	(void)json_object_set_new(r->seen, o.name, json_true());
	return o.name;
}

static const char *
level_of(struct str text)
{
	char plain[WORDS_MAX];
	size_t i, n = 0;

	for (i = 0; i < text.n; i++) {
		bool gap = strchr(" \t,-_", text.p[i]) != NULL;

		if (gap && (n == 0 || plain[n - 1] == ' '))
			continue;
		if (n == sizeof(plain))
			return NULL;
		plain[n++] = gap ? ' ' : text.p[i];
	}
	for (i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (str_ieq_c(str_n(plain, n), levels[i].word))
			return levels[i].want;
	}
	return NULL;
}

static void
left(struct reading *r, const struct record *rec, enum column col,
    const char *reason, const char *instead)
{
	struct import_left l = { rec->line, pool_printf(r->im->pool,
	    "%s %s=%s", rec->col[COL_DOMAIN], columns[col], rec->col[col]),
	    reason, instead, rec->name };

	import_left(r->im, &l);
}

static bool
says(const struct record *rec, enum column col)
{
	struct str s = str_c(rec->col[col]);

	return s.n > 0 && !str_ieq_c(s, "no") && !str_ieq_c(s, "false") &&
	    !str_eq_c(s, "0");
}

/* NULL: none, or none that can be. */
static const char *
route_of(struct reading *r, const struct record *rec)
{
	struct str port = str_c(rec->col[COL_PORT]);
	struct str host = str_c(rec->col[COL_DESTINATION]);
	struct err no = ERR_INIT;
	const char *route;

	if (host.n == 0)
		return NULL;
	if (rec->name[0] != '\0' && strchr(rec->name, '@') != NULL) {
		left(r, rec, COL_DESTINATION, "a recipient has no route of "
		    "its own", "a policy with rcpt:route()");
		return NULL;
	}
	if (rec->col[COL_PROTOCOL][0] != '\0' &&
	    !str_ieq_c(str_c(rec->col[COL_PROTOCOL]), "smtp")) {
		left(r, rec, COL_PROTOCOL, "only SMTP is spoken",
		    "deliver there over SMTP");
		return NULL;
	}
	if (port.n > 0 && posthop_port(port) == 0) {
		left(r, rec, COL_PORT, "that is no port", "1 to 65535");
		return NULL;
	}
	if (host.p[0] == '[')
		host = posthop_name(rec->col[COL_DESTINATION]);
	route = posthop_direct(r->im->pool, host,
	    port.n > 0 ? posthop_port(port) : 25, &no);
	if (route == NULL)
		left(r, rec, COL_DESTINATION, pool_strdup(r->im->pool,
		    no.text), "a host or an address");
	return route;
}

static int
put(struct reading *r, struct record *rec, struct err *why)
{
	const char *want = level_of(str_c(rec->col[COL_TLS]));
	const char *route = route_of(r, rec);
	json_t *row;

	if (says(rec, COL_LOCAL))
		left(r, rec, COL_LOCAL, "who may send there is said by the "
		    "recipient access table", "postern listenerconfig "
		    "rcptaccess new");
	if (says(rec, COL_DKIM))
		left(r, rec, COL_DKIM, "nothing is signed here",
		    "a plugin that signs");
	if (route == NULL && want == NULL)
		return 0;
	row = import_row(r->im, rec->line, rec->col[COL_DOMAIN],
	    "destination", rec->name);
	if (want != NULL && import_put(r->im, row, "tls", want, why) != 0)
		return -1;
	return route == NULL ? 0 : import_put(r->im, row, "route", route,
	    why);
}
