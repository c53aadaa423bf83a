/*
 * The lister: a process that asks every plugin with cert_store/1 for its
 * certificates and ends.
 *
 * It parses the boot file itself, asks the plugins that are part of the program
 * with the rights it was started with, gives them up for those of the workers,
 * then loads and asks the others. What a plugin says comes as messages; keys
 * and chains that are texts come as files in memory, so that who asks has none
 * of their octets. What does not tell all within 20 s is ended.
 *
 * A plugin that fails is named in why, and the list has nothing of it; the
 * others are in it. If the boot file cannot be read the list is empty: that is
 * for others to tell.
 */
#ifndef DAEMON_LISTER_H
#define DAEMON_LISTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "daemon/epoch.h"
#include "net/loop.h"
#include "tls/certlist.h"

struct lister;

/* From the loop, once. The list is the caller's; not settled. why NULL: every
 * store has told all. */
typedef void lister_fn(void *arg, struct certlist *list,
    const struct err *why);

/* e: whose text it is. Who reaps children hands its own to lister_ended(). */
int lister_start(struct lister **lp_r, struct loop *loop,
    const struct epoch *e, lister_fn *fn, void *arg, struct err *why);
/* Was it the lister? */
bool lister_ended(struct lister *l, pid_t pid, int status);
void lister_cancel(struct lister **lp);

/* The same where waiting does not matter. *list_r is there in any case, and
 * settled; -1: not every store has told all. */
int lister_run(const struct epoch *e, struct certlist **list_r,
    struct err *why);

#endif
