/*
 * The majors of the plugin interface that a host serves.
 *
 * A plugin says in the head of its descriptor which major it was built for, and
 * is given that one's table of services; a reader makes our own descriptor of
 * what it has. All majors have the head (magic, size, abi_major, abi_need),
 * struct pst_event and struct pst_result in common. A host serves a major and
 * the one before it; ours is the first.
 */
#ifndef HOST_ABI_H
#define HOST_ABI_H

#include <postern/plugin.h>

#include "base/err.h"
#include "base/pool.h"

/* What says to be plugin name, behind its head, as a copy in our shape; NULL:
 * why. */
typedef const struct pst_plugin *abi_read(struct pool *pool,
    const struct pst_plugin *found, const char *name, struct err *why);

struct abi {
	unsigned major, minor;
	const void *api; /* pst_event.api: struct pst_api of that major */
	abi_read *read;
};

/* The newest first, then the one before it, then major 0. */
extern const struct abi abi_served[];

/* The one of served that found was built for; NULL: why. */
const struct abi *abi_find(const struct abi *served,
    const struct pst_plugin *found, const char *name, struct err *why);

#endif
