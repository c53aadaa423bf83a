/*
 * The plugins that are part of the program.
 */
#include "cli/cli.h"
#include "host/host.h"

#define BUILTIN(name) extern const struct pst_plugin name##_LTX_postern_plugin;
#include "tbl/builtins.h"
#undef BUILTIN

static const struct pst_plugin *const builtins[] = {
#define BUILTIN(name) &name##_LTX_postern_plugin,
#include "tbl/builtins.h"
#undef BUILTIN
	NULL
};

void
cli_builtin(void)
{
	host_builtin(builtins);
}
