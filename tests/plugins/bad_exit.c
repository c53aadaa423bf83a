/*
 * A plugin whose constructor ends the process as if all were well.
 */
#include <postern/plugin.h>

#include <stdlib.h>

static void __attribute__((constructor))
leave(void)
{
	exit(EXIT_SUCCESS);
}

PST_PLUGIN(bad_exit, .version = "1.0");
