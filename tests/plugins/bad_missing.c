/*
 * A plugin that calls what is nowhere.
 */
#include <postern/plugin.h>

extern enum pst_verdict function_that_nobody_wrote(struct pst_event *ev);

static enum pst_verdict
on_eom(struct pst_event *ev)
{
	return function_that_nobody_wrote(ev);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_EOM, on_eom),
	PST_END
};

PST_PLUGIN(bad_missing, .version = "1.0", .hooks = hooks);
