/*
 * A plugin that misbehaves on purpose, for tests.
 *
 *	plugin "wicked" { eom = "segv", sender = "bad@a.example" }
 *
 * There is an option for each hook, with one deed:
 *
 *	segv, abort, exit	the end of the worker
 *	loop			never returns
 *	slow MS			returns late
 *	leak OCTETS		takes memory of its instance
 *	verdict42		says what is no verdict
 *	thread			segv in offloaded work
 *	cleanup			segv when the event is over
 *	stuck			offloaded work that never returns
 *	works			offloaded work that does
 *
 * sender: only where that is the sender. policy: the deed of tls_policy/1.rcpt;
 * start: of the start hook. said: a text for the log at start.
 */
#include <postern/plugin.h>
#include <postern/tls_policy.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct conf {
	const char *connect, *mail, *rcpt, *eom, *deliver, *queued, *delivered,
	    *policy, *start, *stop, *sender, *said;
};

#define DEED(name) PST_STRING(struct conf, name, "", "deed at " #name)

static const struct pst_option options[] = {
	DEED(connect), DEED(mail), DEED(rcpt), DEED(eom), DEED(deliver),
	DEED(queued), DEED(delivered), DEED(policy), DEED(start),
	DEED(stop),
	PST_STRING(struct conf, sender, "", "only for this sender"),
	PST_STRING(struct conf, said, "", "for the log"),
	PST_END
};

static void
crash(void *arg)
{
	volatile int *volatile nowhere = NULL;

	(void)arg;
	*nowhere = 1;
}

static int
crash_apart(void *arg)
{
	crash(arg);
	return 0;
}

static enum pst_verdict
back(struct pst_event *ev, const struct pst_result *res)
{
	if (res->status != PST_OK)
		return pst_tempfail(ev, 451, "4.3.0", "%s", res->error);
	return PST_CONTINUE;
}

static void
nap(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&t, NULL);
}

static int
stuck(void *arg)
{
	while (arg == NULL)
		nap(1000000);
	return 0;
}

static int
works(void *arg)
{
	(void)arg;
	return 0;
}

static enum pst_verdict
deed(struct pst_event *ev, const char *what)
{
	volatile unsigned turns = 0;

	if (strcmp(what, "segv") == 0)
		crash(NULL);
	else if (strcmp(what, "abort") == 0)
		abort();
	else if (strcmp(what, "exit") == 0)
		exit(3);
	else if (strcmp(what, "verdict42") == 0)
		return (enum pst_verdict)42;
	else if (strcmp(what, "thread") == 0)
		return pst_offload(ev, crash_apart, NULL, back);
	else if (strcmp(what, "stuck") == 0)
		return pst_offload(ev, stuck, NULL, back);
	else if (strcmp(what, "works") == 0)
		return pst_offload(ev, works, NULL, back);
	else if (strcmp(what, "cleanup") == 0)
		pst_defer(ev, PST_EVENT, crash, NULL);
	else if (strncmp(what, "slow ", 5) == 0)
		nap(strtol(what + 5, NULL, 10));
	else if (strncmp(what, "leak ", 5) == 0)
		(void)pst_alloc(ev, PST_INSTANCE,
		    (size_t)strtol(what + 5, NULL, 10));
	while (strcmp(what, "loop") == 0)
		turns++;
	return PST_CONTINUE;
}

static bool
meant(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	const char *sender;

	if (c->sender[0] == '\0')
		return true;
	sender = pst_get(ev, "sender");
	return sender != NULL && strcmp(sender, c->sender) == 0;
}

static enum pst_verdict
on_any(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	const struct {
		const char *on, *what;
	} v[] = { { PST_ON_CONNECT, c->connect }, { PST_ON_MAIL, c->mail },
		{ PST_ON_RCPT, c->rcpt }, { PST_ON_EOM, c->eom },
		{ PST_ON_DELIVER, c->deliver }, { PST_ON_QUEUED, c->queued },
		{ PST_ON_DELIVERED, c->delivered },
		{ PST_ON_STOP, c->stop } };
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		if (strcmp(ev->on, v[i].on) == 0 && v[i].what[0] != '\0' &&
		    meant(ev))
			return deed(ev, v[i].what);
	}
	return PST_CONTINUE;
}

#ifdef WICKED_POLICY
static enum pst_verdict
on_policy(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	return deed(ev, c->policy);
}
#endif

static enum pst_verdict
on_start(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	if (c->said[0] != '\0')
		pst_log(ev, PST_INFO, "%s, built for %s", c->said, WICKED);
	return deed(ev, c->start);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_CONNECT, on_any), PST_HOOK(PST_ON_MAIL, on_any),
	PST_HOOK(PST_ON_RCPT, on_any), PST_HOOK(PST_ON_EOM, on_any),
	PST_HOOK(PST_ON_DELIVER, on_any), PST_HOOK(PST_ON_QUEUED, on_any),
	PST_HOOK(PST_ON_DELIVERED, on_any), PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ON_STOP, on_any),
#ifdef WICKED_POLICY
	PST_HOOK(PST_TLS_POLICY_RCPT, on_policy),
#endif
	PST_END
};

PST_PLUGIN(wicked, .version = WICKED, .summary = "Does wrong",
    .license = "none", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));
