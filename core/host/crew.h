/*
 * The threads for pst_offload(), of one worker.
 *
 * Each runs one job at a time. What an instance (a name, whatever the
 * configuration) asks for waits in a queue of its own, and no more than half of
 * the threads work for it, so that work which hangs holds up its own plugin
 * only. Queues have their turn one after another.
 *
 * A job that took longer than its patience is given up for lost: another
 * thread takes the place of its own, and at the end it is not waited for. If
 * it returns all the same it is as any other. Of one instance only a few may
 * be lost at a time; from then on nothing of it begins.
 */
#ifndef HOST_CREW_H
#define HOST_CREW_H

#include <stdbool.h>

#include <bsd/sys/queue.h>

#include "base/clock.h"
#include "net/loop.h"

enum {
	CREW_THREADS = 4, /* that are not lost */
	CREW_SHARE = 2,	  /* of an instance */
	CREW_LOST = 4,	  /* of an instance */
	CREW_MAX = 16	  /* all there may be */
};

struct crew;
struct crew_share; /* what an instance has of it */
struct crew_member;
struct crew_job;

struct crew_ops {
	/* On a thread, 0 to CREW_MAX - 1. */
	void (*work)(struct crew_job *j, unsigned thread);
	/* On the loop, from now on; the job is the caller's again. */
	void (*done)(struct crew_job *j);
	/* It takes too long; lost: its thread is replaced. */
	void (*late)(struct crew_job *j, bool lost);
	/* Too many are lost: it does not begin. The caller's again. */
	void (*refused)(struct crew_job *j);
};

struct crew_job {
	TAILQ_ENTRY(crew_job) link; /* of those that wait */
	const struct crew_ops *ops;
	struct crew_share *share;
	struct crew_member *member; /* NULL: it waits */
	msec patience;
};

struct crew *crew_new(struct loop *l);
/* Waits for what is not late; what is lost is left to itself, done() is not
 * called. Nothing may wait, no share be held. */
void crew_destroy(struct crew **cp);
struct crew_share *crew_share(struct crew *c, const char *instance);
void crew_share_unref(struct crew_share **sp);
/* False: too many of this share are lost. */
bool crew_submit(struct crew *c, struct crew_share *s, struct crew_job *j);
/* It has not begun, and will not; false: it has. */
bool crew_withdraw(struct crew *c, struct crew_job *j);

#endif
