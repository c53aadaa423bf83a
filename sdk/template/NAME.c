/*
 * NAME: a plugin for Postern. README.md tells what it does.
 */
#include <postern/plugin.h>

#include <string.h>

/* The settings of an instance, as options[] below describes them. */
struct conf {
	const char *header;
	const char *const *refuse;
	int64_t most;
};

/* What it remembers of a connection. */
struct session {
	int64_t messages;
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, header, "X-Seen-By",
	    "field that every message gets"),
	PST_LIST(struct conf, refuse, "", "sender domains that are refused"),
	PST_INT(struct conf, most, "1000", "1..1000000",
	    "messages of one connection"),
	PST_END
};

static enum pst_verdict
on_mail(struct pst_event *ev)
{
	const char *domain = pst_get(ev, "sender.domain");
	const struct conf *conf = ev->conf;
	const char *const *p;
	struct session *s;

	for (p = conf->refuse; domain != NULL && *p != NULL; p++) {
		if (strcmp(*p, domain) != 0)
			continue;
		pst_count(ev, "refused");
		return pst_reject(ev, 550, "5.7.1", "no mail from %s", domain);
	}
	s = pst_data(ev, PST_SESSION, struct session);
	if (s == NULL)
		return PST_TEMPFAIL; /* memory may be short */
	if (++s->messages > conf->most)
		return pst_tempfail(ev, 452, "4.5.3", "too many messages");
	return PST_CONTINUE;
}

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	const struct conf *conf = ev->conf;

	if (pst_header_add(ev, conf->header, ev->instance) != 0)
		return PST_TEMPFAIL;
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_MAIL, on_mail),
	PST_HOOK(PST_ON_EOM, on_eom),
	PST_END
};

PST_PLUGIN(NAME, .version = "0.1", .summary = "What it does, in a line",
    .license = "MIT", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));
