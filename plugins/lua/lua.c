/*
 * lua: the policy, rules and handlers in Lua (postern-policy(7)).
 */
#include <lauxlib.h>
#include <string.h>

#include <engine/policy.h>

#include "policy.h"

static const struct pst_option options[] = {
	PST_PATH(struct conf, file, NULL, "the policy"),
	PST_PATH(struct conf, dir, "",
	    "where required files are looked for; \"\": where the policy is"),
	PST_CHOICE(struct conf, on_error, "tempfail", "tempfail|accept|reject",
	    "what becomes of a message when the policy fails; never with less "
	    "TLS"),
	PST_BOOL(struct conf, shadow, "false",
	    "it has no effect, and logs what it would have done otherwise"),
	PST_INT(struct conf, instructions, "1000000", "10000..1000000000",
	    "how many an event may execute"),
	PST_SIZE(struct conf, memory, "256M", "4M..4G",
	    "of all events of a worker"),
	PST_SIZE(struct conf, event_memory, "8M", "64K..1G",
	    "by how much one event may let it grow"),
	PST_SIZE(struct conf, subject, "64K", "1K..16M",
	    "the longest text that a pattern is matched against"),
	PST_END
};

static const char *const stage_words[STAGE_COUNT] = {
	"connect", "helo", "tls", "mail", "rcpt", "data", "headers", "message",
	"branch", "deliver", "disconnect", "queued", "delivered", "deferred",
	"bounced", "tick", "console"
};

static const char *
hook_of(enum stage st)
{
	return st == STAGE_MESSAGE ? PST_ON_EOM : stage_words[st];
}

const char *
stage_word(enum stage st)
{
	return stage_words[st];
}

static const char *
check(const void *arg)
{
	const struct conf *c = arg;

	if (c->event_memory > c->memory)
		return "event_memory is more than memory";
	return NULL;
}

static void
policy_end(void *arg)
{
	struct policy *p = arg;

	state_destroy(&p->state);
	handlers_fini(p);
}

static enum pst_verdict
tick_due(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	return run_begin(ev, STAGE_TICK, ev->arg);
}

static enum pst_verdict
tick_first(struct pst_event *ev)
{
	const struct tick *t = ev->arg;

	return pst_timer(ev, t->every, tick_due);
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	const struct conf *conf = ev->conf;
	struct policy *p = pst_data(ev, PST_INSTANCE, struct policy);
	char why[1024];
	unsigned i;

	if (p == NULL)
		return PST_TEMPFAIL;
	pst_defer(ev, PST_INSTANCE, policy_end, p);
	if (boot(ev, p, why, sizeof(why)) != 0)
		return pst_reject(ev, 0, NULL, "%s", why);
	for (i = 0; i < STAGE_TICK; i++) {
		/* A shadow compares when everything was decided. */
		if (conf->shadow && i == STAGE_MESSAGE)
			continue;
		if (!handlers_want(p, (enum stage)i) && pst_has(ev, mute))
			(void)pst_mute(ev, hook_of((enum stage)i));
	}
	for (i = 0; i < p->ntick; i++) {
		if (pst_task(ev, tick_first, &p->tick[i]) != 0)
			return PST_TEMPFAIL;
	}
	return PST_CONTINUE;
}

#define ON(name, stage)                                                        \
	static enum pst_verdict on_##name(struct pst_event *ev)                \
	{                                                                      \
		return run_begin(ev, stage, NULL);                             \
	}
ON(connect, STAGE_CONNECT)
ON(helo, STAGE_HELO)
ON(tls, STAGE_TLS)
ON(mail, STAGE_MAIL)
ON(rcpt, STAGE_RCPT)
ON(data, STAGE_DATA)
ON(headers, STAGE_HEADERS)
ON(eom, STAGE_MESSAGE)
ON(branch, STAGE_BRANCH)
ON(deliver, STAGE_DELIVER)
ON(disconnect, STAGE_DISCONNECT)
ON(queued, STAGE_QUEUED)
ON(delivered, STAGE_DELIVERED)
ON(deferred, STAGE_DEFERRED)
ON(bounced, STAGE_BOUNCED)

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ON_CONNECT, on_connect),
	PST_HOOK(PST_ON_HELO, on_helo),
	PST_HOOK(PST_ON_TLS, on_tls),
	PST_HOOK(PST_ON_MAIL, on_mail),
	PST_HOOK(PST_ON_RCPT, on_rcpt),
	PST_HOOK(PST_ON_DATA, on_data),
	PST_HOOK(PST_ON_HEADERS, on_headers),
	PST_HOOK(PST_ON_EOM, on_eom),
	PST_HOOK(PST_ON_BRANCH, on_branch),
	PST_HOOK(PST_ON_DELIVER, on_deliver),
	PST_HOOK(PST_ON_DISCONNECT, on_disconnect),
	PST_HOOK(PST_ON_QUEUED, on_queued),
	PST_HOOK(PST_ON_DELIVERED, on_delivered),
	PST_HOOK(PST_ON_DEFERRED, on_deferred),
	PST_HOOK(PST_ON_BOUNCED, on_bounced),
	PST_HOOK(PST_POLICY_ASK, console_ask),
	PST_HOOK(PST_POLICY_ANSWER, console_answer),
	PST_END
};

PST_PLUGIN(lua, .version = "1.0",
    .summary = "the policy: rules and handlers in Lua", .license = "MIT",
    .hooks = hooks, .options = options, .conf_size = sizeof(struct conf),
    .check = check);
