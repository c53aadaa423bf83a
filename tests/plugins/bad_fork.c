/*
 * A plugin that leaves a process behind when it is loaded, with all that was
 * open, for two minutes.
 */
#include <postern/plugin.h>

#include <unistd.h>

static void __attribute__((constructor))
leave(void)
{
	if (fork() != 0)
		return;
	(void)setsid();
	(void)sleep(120);
	_exit(0);
}

PST_PLUGIN(bad_fork, .version = "1.0");
