/*
 * A plugin that is asked at every hook and has no opinion: what a call costs
 * (tests/bench/plugins.py).
 */
#include <postern/plugin.h>

static enum pst_verdict
nothing(struct pst_event *ev)
{
	(void)ev;
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_CONNECT, nothing),
	PST_HOOK(PST_ON_HELO, nothing),
	PST_HOOK(PST_ON_TLS, nothing),
	PST_HOOK(PST_ON_MAIL, nothing),
	PST_HOOK(PST_ON_RCPT, nothing),
	PST_HOOK(PST_ON_DATA, nothing),
	PST_HOOK(PST_ON_HEADERS, nothing),
	PST_HOOK(PST_ON_EOM, nothing),
	PST_HOOK(PST_ON_BRANCH, nothing),
	PST_HOOK(PST_ON_DELIVER, nothing),
	PST_HOOK(PST_ON_DISCONNECT, nothing),
	PST_HOOK(PST_ON_QUEUED, nothing),
	PST_HOOK(PST_ON_DELIVERED, nothing),
	PST_HOOK(PST_ON_DEFERRED, nothing),
	PST_HOOK(PST_ON_BOUNCED, nothing),
	PST_HOOK(PST_ON_START, nothing),
	PST_HOOK(PST_ON_STOP, nothing),
	PST_END
};

PST_PLUGIN(noop, .version = "1", .summary = "Has no opinion on anything",
	   .license = "MIT", .hooks = hooks);
