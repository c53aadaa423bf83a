/*
 * A plugin that does one piece of work for each message, for the bench
 * (tests/bench/plugins.py):
 *
 *	dns	asks for the TXT records of the sender's domain at MAIL, and
 *		waits; a failure defers, so that the bench sees it
 *	header	adds a field to the header
 *	branch	adds another field for each recipient, so that several become
 *		branches
 */
#include <postern/plugin.h>

#include <string.h>

struct conf {
	const char *work;
};

static const struct pst_option options[] = {
	PST_CHOICE(struct conf, work, NULL, "dns|header|branch",
	    "what is done for each message"),
	PST_END
};

static bool
does(const struct pst_event *ev, const char *work)
{
	const struct conf *c = ev->conf;

	return strcmp(c->work, work) == 0;
}

static enum pst_verdict
answered(struct pst_event *ev, const struct pst_result *res)
{
	if (res->status != PST_OK || res->count == 0)
		return pst_tempfail(ev, 451, "4.4.3", "no TXT record");
	pst_count(ev, "answers");
	return PST_CONTINUE;
}

static enum pst_verdict
on_mail(struct pst_event *ev)
{
	const char *domain = pst_get(ev, "sender.domain");

	if (!does(ev, "dns"))
		return PST_CONTINUE;
	return pst_dns(ev, domain == NULL ? "" : domain, "TXT", answered);
}

static enum pst_verdict
each(struct pst_event *ev)
{
	const char *rcpt = pst_get(ev, "rcpt");

	return rcpt != NULL && pst_header_add(ev, "X-Chore", rcpt) == 0 ?
	    PST_CONTINUE : PST_TEMPFAIL;
}

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	if (does(ev, "branch"))
		return pst_each_rcpt(ev, each);
	if (!does(ev, "header"))
		return PST_CONTINUE;
	return pst_header_add(ev, "X-Chore", "done") == 0 ? PST_CONTINUE :
	    PST_TEMPFAIL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_MAIL, on_mail),
	PST_HOOK(PST_ON_EOM, on_eom),
	PST_END
};

PST_PLUGIN(chore, .version = "1", .summary = "Works a little for each message",
	   .license = "MIT", .hooks = hooks, .options = options,
	   .conf_size = sizeof(struct conf));
