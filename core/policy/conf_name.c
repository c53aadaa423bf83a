/*
 * Names of objects: which there can be, and which mean the same.
 */
#include <string.h>

#include "base/codec.h"
#include "mail/addr.h"
#include "net/sock.h"
#include "policy/conf_priv.h"

int
conf_name_check(struct pool *pool, const struct conf_scope *scope,
    const char *name, struct err *why)
{
	struct err no = ERR_INIT;
	struct str s = str_c(name);
	char ip[SOCK_IP_MAX];
	const char *all;
	struct addr a;
	bool ok;

	if (!scope->named)
		return 0;
	if (s.n == 0 || s.n > 255)
		return err_text(why, "a %s with that name cannot be",
		    scope->name);
	/* Names are shown on terminals and are words of the log. */
	if (!str_eq(s, str_c(text_clean(pool, s, s.n))))
		return err_text(why, "%s \"%s\": a name is UTF-8 without "
		    "control characters", scope->name, name);
	/* In files of appliances a section of that name is the default. */
	if (scope == &conf_scopes[CONF_SCOPE_DESTINATION] &&
	    str_ieq_c(s, "DEFAULT"))
		return err_text(why, "%s is the default entry: its settings "
		    "are those of delivery (\"postern destconfig default\")",
		    name);
	if (scope == &conf_scopes[CONF_SCOPE_ALERT_RECIPIENT])
		return conf_alert_address(pool, name) ? 0 :
		    err_text(why, "alert_recipient \"%s\" is no mail address "
		    "in ASCII without quotes", name);
	if (scope != &conf_scopes[CONF_SCOPE_DESTINATION] &&
	    scope != &conf_scopes[CONF_SCOPE_RAT] &&
	    scope != &conf_scopes[CONF_SCOPE_EXCEPTION])
		return 0;
	all = scope == &conf_scopes[CONF_SCOPE_DESTINATION] ? "*" :
	    CONF_RAT_ALL;
	if (name[s.n - 1] == '@' &&
	    scope != &conf_scopes[CONF_SCOPE_DESTINATION])
		ok = addr_parse(pool, str_c(pool_printf(pool, "%sx.example",
		    name)), ADDR_UTF8_OK, &a, &no) == 0;
	else if (str_find(s, '@') < s.n)
		ok = addr_parse(pool, s, ADDR_UTF8_OK, &a, &no) == 0;
	else if (name[0] == '.')
		ok = domain_valid(str_c(name + 1), true);
	else
		ok = str_ieq_c(s, all) || domain_valid(s, true) ||
		    domain_literal(s, ip, sizeof(ip));
	return ok ? 0 : err_text(why, "%s \"%s\" is no address, domain, "
	    ".domain or %s", scope->name, name, all);
}

/* As the table of destinations and the routes compare them. */
const char *
conf_name_fold(struct pool *pool, const struct conf_scope *scope,
    const char *name)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	const char *at = strrchr(name, '@');
	size_t local = at == NULL ? 0 : (size_t)(at - name) + 1;
	struct str domain;
	char *text;
	size_t n;

	if (scope != &conf_scopes[CONF_SCOPE_DESTINATION] &&
	    scope != &conf_scopes[CONF_SCOPE_RAT] &&
	    scope != &conf_scopes[CONF_SCOPE_ALERT_RECIPIENT] &&
	    scope != &conf_scopes[CONF_SCOPE_EXCEPTION] &&
	    scope != &conf_scopes[CONF_SCOPE_ROUTE])
		return name;
	if ((scope == &conf_scopes[CONF_SCOPE_RAT] ||
		scope == &conf_scopes[CONF_SCOPE_EXCEPTION]) &&
	    str_ieq_c(str_c(name), CONF_RAT_ALL))
		return CONF_RAT_ALL;
	domain = domain_fold(str_c(name + local), folded, sizeof(folded));
	/* There mail is sent to it as it is written. */
	if (scope == &conf_scopes[CONF_SCOPE_ALERT_RECIPIENT] || local == 0)
		return pool_printf(pool, "%.*s%.*s", (int)local, name,
		    STR_FMT(domain));
	text = pool_alloc(pool, local + domain.n + 1);
	n = addr_fold_local(str_n(name, local - 1), text);
	text[n++] = '@';
	memcpy(text + n, domain.p, domain.n + 1);
	return text;
}
