/*
 * transport(5) of Postfix: entries become routes.
 */
#include "cli/import.h"
#include "cli/posthop.h"
#include "cli/posttable.h"
#include "mail/addr.h"

/* Entries that say "by MX" for many domains: nothing, unless a wider one says
 * otherwise, which is known at the end. */
struct by_mx {
	int line;
	const char *key;
	struct by_mx *next;
};

struct reading {
	struct import *im;
	struct by_mx *first;
	json_t *seen;
};

static int	entry(struct reading *r, const struct posttable_row *row,
		    struct err *why);
static void	by_mx(struct reading *r);
static bool	hosts(struct reading *r, const struct posttable_row *row,
		    struct str hops, const char **hosts_r);

int
import_postfix_transport(struct import *im, struct err *why)
{
	struct posttable t = { .rest = im->text };
	struct reading r = { .im = im };
	struct posttable_row row;
	int e;

	r.seen = json_object();
	while ((e = posttable_next(&t, im->pool, &row, why)) > 0) {
		if (entry(&r, &row, why) != 0)
			break;
	}
	json_decref(r.seen);
	if (e < 0)
		return import_refuse(im, t.line, why);
	if (e == 0)
		by_mx(&r);
	return e == 0 ? 0 : -1;
}

static void
left(struct reading *r, const struct posttable_row *row, const char *name,
    const char *reason, const char *instead)
{
	struct import_left l = { row->line, pool_printf(r->im->pool, "%s %s",
	    row->key, row->value), reason, instead, name };

	import_left(r->im, &l);
}

static const char *
no_transport(struct str transport, const char **instead_r)
{
	*instead_r = "deliver there over SMTP, with a route to that program";
	if (str_ieq_c(transport, "error") || str_ieq_c(transport, "retry")) {
		*instead_r = "a recipient_access entry, or a policy that "
		    "refuses";
		return "refusing mail is no route";
	}
	if (str_ieq_c(transport, "discard")) {
		*instead_r = "a policy with rcpt:drop()";
		return "throwing mail away is no route";
	}
	if (str_ieq_c(transport, "local") || str_ieq_c(transport, "virtual"))
		return "there are no mailboxes here";
	if (str_ieq_c(transport, "lmtp"))
		return "LMTP is not spoken";
	*instead_r = "the same with smtp:, if it is SMTP; its settings in "
	    "master.cf become those of the route";
	return "that transport is defined in master.cf";
}

static bool
key_valid(const char *key)
{
	struct str s = str_c(key);
	char ip[64];

	if (key[0] == '.')
		s = str_c(key + 1);
	return strcmp(key, "*") == 0 || domain_valid(s, true) ||
	    domain_literal(s, ip, sizeof(ip));
}

static int
entry(struct reading *r, const struct posttable_row *row, struct err *why)
{
	struct str value = str_c(row->value), transport, hops;
	char *key = pool_strdup(r->im->pool, row->key);
	size_t at = str_find(value, ':');
	const char *instead, *reason, *list;
	json_t *out;

	str_lower(key, strlen(key));
	if (json_object_get(r->seen, key) != NULL) {
		(void)err_text(why, "%s is there already", key);
		return import_refuse(r->im, row->line, why);
	}
	(void)json_object_set_new(r->seen, key, json_true());
	transport = str_n(value.p, at);
	hops = at < value.n ? str_n(value.p + at + 1, value.n - at - 1) :
	    STR("");
	if (strchr(key, '@') != NULL) {
		left(r, row, strrchr(key, '@') + 1, "a recipient has no route "
		    "of its own", "a policy with rcpt:route()");
	} else if (!key_valid(key)) {
		left(r, row, "", "the key is no domain, .domain or *",
		    "an entry for a domain");
	} else if (transport.n == 0 && hops.n == 0) {
		left(r, row, key, "what counts without the table is said by "
		    "main.cf (relayhost, mydestination)",
		    "smtp: for the domain's MX, smtp:[host] for a relay host");
	} else if (transport.n > 0 && !str_ieq_c(transport, "smtp") &&
	    !str_ieq_c(transport, "relay")) {
		reason = no_transport(transport, &instead);
		left(r, row, key, reason, instead);
	} else if (hops.n == 0 && (key[0] == '.' || key[0] == '*')) {
		struct by_mx *m = POOL_NEW(r->im->pool, struct by_mx);

		*m = (struct by_mx){ row->line, key, r->first };
		r->first = m;
	} else if (hosts(r, row, hops, &list)) {
		out = import_row(r->im, row->line, row->key, "route", key);
		return import_put(r->im, out, "hosts",
		    list != NULL ? list : pool_printf(r->im->pool, "mx:%s",
		    key), why);
	}
	return 0;
}

/* *hosts_r NULL: the domain itself. */
static bool
hosts(struct reading *r, const struct posttable_row *row, struct str hops,
    const char **hosts_r)
{
	struct pool *pool = r->im->pool;
	struct err no = ERR_INIT;
	const char *host, *key = row->key;
	struct str hop;

	*hosts_r = NULL;
	if (hops.n == 0 && row->key[0] == '[')
		*hosts_r = posthop_host(pool, str_c(key), &no);
	while (no.text[0] == '\0' && posttable_word(&hops, ", \t", &hop)) {
		host = posthop_host(pool, hop, &no);
		if (host != NULL)
			*hosts_r = *hosts_r == NULL ? host :
			    pool_printf(pool, "%s,%s", *hosts_r, host);
	}
	if (no.text[0] == '\0')
		return true;
	left(r, row, key, pool_strdup(pool, no.text),
	    "the host with brackets, or its domain, and a port number");
	return false;
}

static void
by_mx(struct reading *r)
{
	struct import *im = r->im;
	const char *wider;
	struct by_mx *m;
	struct posttable_row row = { .value = "smtp:" };

	for (m = r->first; m != NULL; m = m->next) {
		/* Its own is of before: the table says there is none. */
		wider = import_route(im, m->key);
		if (wider == NULL) {
			(void)import_row(im, m->line, m->key, "route",
			    m->key);
			continue;
		}
		row.line = m->line;
		row.key = m->key;
		left(r, &row, m->key, pool_printf(im->pool, "route \"%s\" "
		    "counts there as well, and \"each by its own MX\" cannot "
		    "be said", wider), "a route for each of the domains, to "
		    "mx:DOMAIN");
	}
}
