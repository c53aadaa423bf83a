/*
 * To whom mail is taken at all, before anybody else is asked.
 */
#include "mail/addr.h"
#include "policy/conf.h"

/* "user%far.example"@ours.example, far.example!user@ours.example: a next hop
 * of the old school would relay it, because it trusts us. */
static bool
routed_by_sender(struct str local)
{
	return str_find(local, '%') < local.n ||
	    str_find(local, '!') < local.n || str_find(local, '@') < local.n;
}

int
conf_takes(const struct conf *conf, bool relay, const struct addr *rcpt,
    struct err *why)
{
	const char *const *p;

	/* <postmaster>: RFC 5321 4.5.1 */
	if (relay || rcpt->domain.n == 0)
		return 0;
	for (p = conf->relay.domains; *p != NULL; p++) {
		if (!routed_by_sender(rcpt->local) &&
		    domain_matches(str_c(*p), rcpt->domain))
			return 0;
	}
	return err_set(why, 550, "5.7.1", "Relaying denied");
}
