/*
 * Splitting (bifurcation): recipients of equal treatment form a branch.
 *
 * The order is that of the first recipient of each branch. The first branch
 * keeps the MID; its envelope keeps all recipients, so that the RIDs in the log
 * stay what they were, but those that went to others are RCPT_MOVED. Each
 * further branch gets a MID of its own, a copy of the envelope and its
 * recipients with RIDs from 0. All share the content, unless the treatment
 * brings its own. Nobody is in two branches or in none.
 *
 * A treatment may say after which word's branches it is sent: that becomes
 * their MIDs. Where no branch has the word there is nothing to wait for.
 */
#ifndef QUEUE_SPLIT_H
#define QUEUE_SPLIT_H

#include "queue/treat.h"

struct branch {
	struct envelope *env;
	struct body_ref *body;	/* a reference */
	struct edits *edits;	/* in env's pool; may be added to up to
				 * branch_seal() */
	struct notes *notes;	/* so */
	const char *by;		/* the instance because of which there is
				 * more than one, "/" and its word if it gave
				 * one; in env's pool */
	msec until;		/* with env->waits_for: not longer */
	const char *word, *after; /* as in the treatment; in env's pool */
	msec wait;
};

typedef uint64_t split_mid(void *arg);

/*
 * env and the reference to body go into the branches, *v_r on the heap. notes
 * may be NULL. mid gives further MIDs. Returns how many branches there are.
 */
unsigned split(struct envelope *env, struct body_ref *body,
    const struct treat *t, const struct notes *notes, split_mid *mid,
    void *arg, struct branch **v_r);
/* Edits and notes go into the envelope, in their text forms. */
void branch_seal(struct branch *b);
void branch_drop(struct branch *b);
/* MID m was split …, and the lines of its recipients. */
void split_log(const struct branch *v, unsigned n);

#endif
