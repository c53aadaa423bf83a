/*
 * Uses of certificates, and roots, that a loaded configuration has and that
 * wait for the commit: a file beside the configuration store, in the form of a
 * saved configuration.
 *
 * A commit applies them before the relay tries the revision, which takes both
 * at once, and undoes them if it is refused. Whoever is killed between may
 * leave them applied, but waiting still: the next commit does it again.
 */
#ifndef CLI_CONFIG_WAIT_H
#define CLI_CONFIG_WAIT_H

#include "cli/confedit.h"

struct config_wait;

bool config_wait_any(struct confedit *ce);
/* What waits, "" for nothing; what shall wait instead, for a store that is
 * there. */
int config_wait_read(struct confedit *ce, struct buf *dst, struct err *why);
int config_wait_put(struct confedit *ce, struct str text, struct err *why);

/* *w_r NULL: nothing waits. With -1 nothing was applied. */
int config_wait_apply(struct config_wait **w_r, struct confedit *ce,
    struct err *why);
/* It is in force: nothing waits any more; or it is as it was. NULL is fine. */
void config_wait_done(struct config_wait **wp);
void config_wait_undo(struct config_wait **wp);

#endif
