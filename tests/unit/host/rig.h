/*
 * A host without files or configuration: plugins are descriptors of the test,
 * each an instance of its name, in the order given. Time stands still.
 */
#ifndef RIG_H
#define RIG_H

#include "host/event_priv.h"

#define RIG_MAX 16

struct rig {
	struct loop *loop;
	struct shm *shm;
	struct host *host;
	struct host_gen *gen;
	struct host_net net;
	/* of the last question */
	struct hook_verdict v;
	struct op_answer a;
	unsigned answers; /* that came late */
	struct hook_run *run;
	struct op_run *op;
	/* what it is about */
	struct about about;
	struct scope *scope[PST_INSTANCE + 1]; /* of the object, by kind */
	struct scope *rcpt[4];
	unsigned nrcpt;
};

extern struct rig rig;

void rig_begin(void);
void rig_begin_net(const struct host_net *net);
void rig_end(void);
/* A plugin and an instance of it; hooks ends with PST_END. */
struct instance *rig_add(const char *name, const struct pst_hook *hooks);
/* Returns true if it was answered at once. */
bool rig_hook(enum hook h);
bool rig_op(struct instance *i, const char *op, void *arg);
/* What is ready is done, time goes on to the next timer, and again, until
 * nothing is left or ms have passed. */
void rig_run(msec ms);
/* What is ready now, without time passing. */
void rig_now(void);
/* The log so far, without the heads of its lines. */
const char *rig_log(void);
int64_t rig_metric(const char *name, const char *labels);

#endif
