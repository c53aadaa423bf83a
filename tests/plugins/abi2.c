/*
 * A plugin of the second major that a test makes: it speaks, sleeps, speaks.
 */
#include "abi2.h"

static const struct two_api *
api(struct pst_event *ev)
{
	return (const void *)ev->api;
}

static enum pst_verdict
then_up(struct pst_event *ev, const struct pst_result *r)
{
	api(ev)->say(ev, r->status == PST_OK ? "slept" : "was woken");
	return PST_CONTINUE;
}

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	if (api(ev)->major != 2)
		return PST_REJECT;
	api(ev)->say(ev, "goes to sleep");
	return api(ev)->sleep(ev, then_up, 2);
}

static const struct two_hook hooks[] = { { on_eom, PST_ON_EOM } };

extern PST_EXPORT const struct two_plugin abi2_LTX_postern_plugin;
PST_EXPORT const struct two_plugin abi2_LTX_postern_plugin = {
	.magic = PST_MAGIC,
	.size = sizeof(struct two_plugin),
	.abi_major = 2,
	.nhooks = 1,
	.hooks = hooks,
	.name = "abi2",
};
