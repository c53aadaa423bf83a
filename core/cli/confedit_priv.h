/*
 * Private to confedit.c (objects) and confedit_commit.c.
 */
#ifndef CLI_CONFEDIT_PRIV_H
#define CLI_CONFEDIT_PRIV_H

#include "cli/confedit.h"

#include "base/coll.h"

#define CONFEDIT_MAGIC 0xc0ed0001u

/* An object of the store, as it is and as it shall be. */
struct edited {
	struct hash_node node;
	struct conf_object o;
	bool there;	/* it has the object */
	bool touched;	/* since the last save */
	struct edited *next; /* while they are read */
};

/* A change since the last save, to be made again on what others left. */
struct step {
	enum { STEP_SET, STEP_NEW, STEP_PUT, STEP_DELETE, STEP_EMPTY } what;
	struct conf_object o; /* of STEP_PUT; else kind and name */
	const char *key, *value;
	const struct conf_raw *raw; /* in place of value; or NULL */
	bool node;
	struct step *next;
};

struct confedit {
	unsigned magic;
	struct pool *pool;	/* as long as it */
	const char *file, *path, *run, *who;
	struct buf boot;	/* the boot file */
	struct conf_object *booted;
	unsigned nbooted;
	bool boot_read;
	struct revs *store;	/* NULL: none yet */
	bool node, warned;
	/* what was read last */
	struct pool *now;
	struct edited **v;	/* sorted by kind and name */
	unsigned n, cap;
	bool sorted;
	struct hash names;
	uint64_t head, serial;
	struct step *steps, **last;
	struct conf *conf;
	struct err broken;
	/* uncommitted changes, as stored */
	unsigned changes;
	const char *changed_by;
	msec changed_at;
	/* of a text that replaces all: its lines are told */
	const char *text_file;
	struct str text;
};

/* Opens the store for changes. */
int confedit_need_store(struct confedit *ce, struct err *why);
/* Of a conf_over: in the file of a person, for what was put from there and is
 * not saved yet. */
const char *confedit_place(void *arg, struct pool *pool, const char *kind,
    const char *name, const char *key);
/* confedit_commit.c */
const char *confedit_who_am_i(struct pool *pool);
/* Of what is for this node only, once: a dialogue saves often. */
void confedit_warn(struct confedit *ce);
/* -1: the head is not what was committed. */
int confedit_check_head(struct confedit *ce, struct err *why);

#endif
