/*
 * Asking plugins: a hook's chain, or one operation of an instance.
 *
 * The chain is the instances that have the hook, in order; the first verdict
 * that ends it is the answer. An answer comes at once (true is returned, and
 * done() is not called) or later, from the loop. What is asked about must stay
 * until then, or the run be cancelled: after hook_cancel() nothing of the event
 * runs but its clean-ups.
 *
 * Whatever a plugin does wrong (a verdict that the hook does not honour,
 * waiting for nothing, a bad reply, its deadline) is a temporary failure,
 * 451 4.3.0, logged with plugin, hook and MID and counted; the chain ends.
 */
#ifndef HOST_HOOKS_H
#define HOST_HOOKS_H

#include <stdbool.h>

#include "base/err.h"
#include "host/about.h"
#include "host/host.h"

enum hook {
#define HOOK(id, word, verdicts, help) HOOK_##id,
#include "tbl/hooks.h"
#undef HOOK
	HOOK_COUNT
};

enum hook_act {
	HOOK_GO,	/* nobody objects (accept included) */
	HOOK_REJECT,	/* reply: 5yz */
	HOOK_TEMPFAIL,	/* reply: 4yz */
	HOOK_DISCARD,
	HOOK_DISCONNECT_NOW /* reply: 421 */
};

struct hook_verdict {
	enum hook_act act;
	struct err reply;     /* complete unless HOOK_GO or HOOK_DISCARD */
	const char *by;	      /* the instance that ended it; NULL: the end */
	char quarantine[256]; /* why it is to be kept; "": it is not */
};

const char *hook_word(enum hook h);

struct hook_run;
typedef void hook_done(void *arg, const struct hook_verdict *v);

/* Would anybody be asked? For callers that spare themselves the work. */
bool hook_wanted(const struct host_gen *g, enum hook h);
bool hook_ask(struct host_gen *g, enum hook h, const struct about *about,
    struct hook_verdict *v, hook_done *done, void *arg,
    struct hook_run **run_r);
void hook_cancel(struct hook_run **rp);

/*
 * One operation ("lookup/1.get") of one instance; oparg is its struct of
 * sdk/postern/; it must stay, as what it is about. about NULL: about nothing.
 * Verdicts are as the plugin gave them, faults as above. What the plugin put
 * into oparg is in memory of its event: good until the caller of op_ask() and
 * op_now(), or done(), has returned to the loop.
 */
struct op_answer {
	int verdict;	      /* enum pst_verdict, never PST_WAIT */
	struct err reply;     /* of pst_reject(), pst_tempfail(), faults */
};
struct op_run;
typedef void op_done(void *arg, const struct op_answer *a);

/* The instances that have it, in order; prev NULL: the first. */
struct instance *op_next(const struct host_gen *g, const char *op,
    const struct instance *prev);
bool op_ask(struct instance *i, const char *op, const struct about *about,
    void *oparg, struct op_answer *a, op_done *done, void *arg,
    struct op_run **run_r);
void op_cancel(struct op_run **rp);
/* Where waiting is not allowed: PST_WAIT is a fault. */
void op_now(struct instance *i, const char *op, const struct about *about,
    void *oparg, struct op_answer *a);

#endif
