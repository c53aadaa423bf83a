/*
 * The plugins that are part of the program: whoever has main() knows them.
 */
#include "host/host_priv.h"

static const struct pst_plugin *const *builtins;

void
host_builtin(const struct pst_plugin *const *v)
{
	builtins = v;
}

const struct pst_plugin *
host_builtin_find(const char *name)
{
	const struct pst_plugin *const *p;

	for (p = builtins; p != NULL && *p != NULL; p++) {
		if (strcmp((*p)->name, name) == 0)
			return *p;
	}
	return NULL;
}

void
builtin_names(void (*fn)(void *arg, const char *name), void *arg)
{
	const struct pst_plugin *const *p;

	for (p = builtins; p != NULL && *p != NULL; p++)
		fn(arg, (*p)->name);
}

bool
host_has_builtin(const char *plugin)
{
	return host_builtin_find(plugin) != NULL;
}
