/*
 * Plugins touched in a process of their own: whatever their code does while it
 * is loaded, only that process ends.
 *
 * The process has the workers' rights. It blocks until that is done, 20 s at
 * most.
 */
#ifndef DAEMON_PLUGAPART_H
#define DAEMON_PLUGAPART_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "daemon/privs.h"

struct plugapart {
	struct buf said; /* lines, as far as it came */
	bool died;	 /* it was ended; else it said itself why */
	int signal;	 /* that ended it, or 0 */
};

/* In that process; lines go to plugapart_say(says, …). */
typedef int plugapart_fn(void *arg, int says, struct err *why);

/* -1: why fn refused, or what ended it ("signal 11 (Segmentation fault) while
 * it was loaded"). p is to be given to plugapart_fini() in either case. */
int plugapart_run(struct plugapart *p, const struct privs *privs,
    plugapart_fn *fn, void *arg, struct err *why);
void plugapart_say(int says, struct str line);
/* The last line said. */
struct str plugapart_last(const struct plugapart *p);
void plugapart_fini(struct plugapart *p);

#endif
