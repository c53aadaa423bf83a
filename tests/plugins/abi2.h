/*
 * What a second major of the plugin interface may look like: only a test has
 * it (tests/unit/host/test_abi.c). The head of the descriptor, the event and
 * the result are as ever; nothing else is where it was.
 */
#ifndef ABI2_H
#define ABI2_H

#include <postern/plugin.h>

struct two_api {
	enum pst_verdict (*sleep)(struct pst_event *, pst_then *,
	    uint32_t seconds);
	uint32_t major;
	void (*say)(struct pst_event *, const char *text);
};

struct two_hook {
	pst_fn *fn;
	const char *on;
};

struct two_plugin {
	uint32_t magic;
	uint16_t size, abi_major, abi_need;
	uint16_t nhooks;
	const struct two_hook *hooks;
	uint32_t conf_size;
	const char *name;
};

#endif
