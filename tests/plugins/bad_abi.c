/*
 * A plugin of an ABI that is to come.
 */
#include <postern/plugin.h>

#undef PST_ABI_MAJOR
#define PST_ABI_MAJOR 99

PST_PLUGIN(bad_abi, .version = "1.0");
