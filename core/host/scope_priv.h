/*
 * Private to core/host: scopes of events, which serve again and again.
 */
#ifndef HOST_SCOPE_PRIV_H
#define HOST_SCOPE_PRIV_H

#include "base/pool.h"
#include "host/scope.h"

#define SCOPE_MAX (16u * 1024 * 1024)
#define SCOPE_MAX_INSTANCE (256u * 1024 * 1024)

struct scope *scope_new_max(size_t max);
/* For what the host itself gives to a plugin; lives as long as the memory. */
struct pool *scope_pool(struct scope *s);
bool scope_held(const struct scope *s);
/* Ends it and keeps it for another use, unless work holds it: then NULL is
 * left behind. */
void scope_recycle(struct scope **sp);

#endif
