/*
 * The configuration store: objects with revisions, in one SQLite file.
 *
 * It knows nothing of what the objects mean: each has a kind, a name (empty
 * where a kind has but one object) and a body of text. Revisions are numbered
 * 1, 2, …; the head is the one in force. What people change is the draft, of
 * which a store has one; a commit makes a revision of head and draft:
 *
 *     revs_put() …       the draft
 *     revs_propose()     a revision is made, the head stays
 *     revs_accept()      it is the head, its changes leave the draft
 *     revs_refuse()      it has never been
 *
 * Between the two the relay tries it, and whoever puts it in force accepts it,
 * so that head and what is in force are one, wherever a process ends. A token
 * tells a proposal from a later one with its number.
 *
 * Old revisions may be pruned, never the head; their numbers are not used
 * again.
 *
 * Readers see whole revisions: revs_begin() gives a view that does not change
 * until revs_end(), and a writer is alone from its begin to its end. Revisions
 * are never changed; each has a checksum of its text.
 *
 * The directory of the file and the file must be ours or root's and writable
 * by nobody else; otherwise all is refused. The directory may be in one of
 * somebody else's (the spool is the workers'): it is opened once, and
 * everything is reached through it.
 *
 * For processes that may wait; not for two threads at once.
 */
#ifndef STORE_REVS_H
#define STORE_REVS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"

#define REVS_TEXT_MAX (64 * 1024 * 1024) /* octets of a revision */
#define REVS_OBJECTS_MAX 50000		 /* of a revision, or of the draft */
#define REVS_TOKEN_MAX 33

struct revs;

/* A file that is not there: with edit it is made, its directory as well; else
 * *r_r is NULL. It is never there in part: one that is empty or without tables
 * has lost what it had, and is refused. */
int revs_open(struct revs **r_r, const char *path, bool edit,
    struct err *why);
void revs_close(struct revs **rp);

/* All that follows is between the two. Without commit, and if the process
 * ends, nothing was changed. */
int revs_begin(struct revs *r, bool write, struct err *why);
int revs_end(struct revs *r, bool commit, struct err *why);

struct rev {
	uint64_t n, parent;
	msec at; /* wall time */
	const char *who, *comment;
	unsigned changes; /* objects that differ from its parent */
	unsigned objects;
	char token[REVS_TOKEN_MAX];
};

/* 0: there is none yet. */
int revs_head(struct revs *r, uint64_t *n_r, struct err *why);
/* Strings are the pool's. -1: there is none of that number in the history. */
int revs_get(struct revs *r, uint64_t n, struct pool *pool,
    struct rev *rev_r, struct err *why);
/* The newest before n of those that are there; 0: none. */
int revs_before(struct revs *r, uint64_t n, uint64_t *before_r,
    struct err *why);
/* A proposal is known by its token only. */
int revs_proposal(struct revs *r, uint64_t n, const char *token,
    struct err *why);

struct revs_object {
	const char *kind, *name;
	struct str body; /* p NULL: deleted, in a draft */
	bool node;	 /* scope: this node, else the cluster */
	const char *who; /* changed it last, when, and by which revision; */
	msec at;
	uint64_t rev;	 /* 0: it is in the draft */
};

/* By kind and name; -1 of fn ends it. Strings are valid in fn only. */
typedef int revs_object_fn(void *arg, const struct revs_object *o,
    struct err *why);
int revs_objects(struct revs *r, uint64_t n, revs_object_fn *fn, void *arg,
    struct err *why);
/* The changes that are not committed. */
int revs_draft(struct revs *r, revs_object_fn *fn, void *arg,
    struct err *why);
/* The head as it would be with them. */
int revs_merged(struct revs *r, revs_object_fn *fn, void *arg,
    struct err *why);
/* Grows with each change of the draft, and of the head. */
int revs_serial(struct revs *r, uint64_t *serial_r, struct err *why);

/* Adds the bodies of a revision, one after another; -1 if its checksum is
 * another: somebody or something has changed it. */
int revs_text(struct revs *r, uint64_t n, struct buf *dst, struct err *why);

/* The draft has this object; what the head has anyway is no change. body.p
 * NULL: it is deleted. */
int revs_put(struct revs *r, const struct revs_object *o, struct err *why);
int revs_clear(struct revs *r, struct err *why);
/* Makes an empty draft what leads back to a revision. */
int revs_revert(struct revs *r, uint64_t n, const char *who,
    struct err *why);
/* A proposal that is there already is refused first. -1: nothing to commit, or
 * the head is damaged and there is something in the proposal that was in force
 * never yet: only a rollback to a sound revision goes on from there. */
int revs_propose(struct revs *r, const char *who, const char *comment,
    struct pool *pool, struct rev *rev_r, struct err *why);
/* -1: that proposal is there no more. */
int revs_accept(struct revs *r, uint64_t n, const char *token,
    struct err *why);
int revs_refuse(struct revs *r, struct err *why);

/* Drops all but the newest `keep` (at least 1) and the one in force, 0: the
 * head is. *n_r: how many. */
int revs_prune(struct revs *r, uint64_t keep, uint64_t in_force,
    uint64_t *n_r, struct err *why);

/* One at a time makes commits. -1: somebody is at it, as why says. Outside of
 * begin and end; closing the store unlocks it. */
int revs_lock(struct revs *r, const char *who, struct err *why);
void revs_unlock(struct revs *r);

/* A file beside the store, in its directory that is looked after; the pool's,
 * valid as long as the store is open. */
const char *revs_beside(const struct revs *r, struct pool *pool,
    const char *suffix);

/* For those that only read. revs_open(), begin, text, end, close: adds the
 * text of a proposal, or with token NULL of the head, to dst. *n_r 0: there is
 * no store, or no revision. */
int revs_read(const char *path, uint64_t proposal, const char *token,
    struct buf *dst, uint64_t *n_r, struct err *why);
/* So, that of the head as it would be with the changes of the draft. */
int revs_read_draft(const char *path, struct buf *dst, struct err *why);

#endif
