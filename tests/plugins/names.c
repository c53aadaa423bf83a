/*
 * A plugin that exports a name of a TLS library's.
 */
#include <postern/plugin.h>

PST_EXPORT void SSL_new(void);

void
SSL_new(void)
{
}

PST_PLUGIN(names, .version = "1.0");
