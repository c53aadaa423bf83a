/*
 * A plugin whose constructor brings the process down.
 */
#include <postern/plugin.h>

#include <signal.h>

static void __attribute__((constructor))
crash(void)
{
	(void)raise(SIGSEGV);
}

PST_PLUGIN(bad_crash, .version = "1.0");
