/*
 * Editing what is in the configuration store: what `postern config` and all
 * dialogues (destconfig, listenerconfig, alertconfig, …) are made of.
 *
 *     struct confedit *ce;
 *
 *     confedit_open(&ce, file, &why)
 *     conf = confedit_conf(ce)			as it would be in force
 *     o = confedit_get(ce, "destination", "example.com")
 *     confedit_set(ce, "destination", "example.com", "tls", "required", &why)
 *     confedit_delete(ce, "destination", "example.org", &why)
 *     confedit_save(ce, &why)			one change, or none of it
 *     confedit_hint(ce)			"There are uncommitted …"
 *     confedit_close(&ce)
 *
 * What is set, put or deleted is seen by confedit_get() and the like at once,
 * by others and confedit_conf() after confedit_save(): it checks the whole
 * configuration, boot file and store, and writes the draft in one
 * transaction. On failure all since the last save is forgotten. Nothing is in
 * force before a commit. Others edit the same draft: each save works on what
 * they have left, and confedit_refresh() shows it.
 *
 * Errors are one line for a person: `destination "example.com": tls: …`, with
 * the nearest name for a word that is none.
 */
#ifndef CLI_CONFEDIT_H
#define CLI_CONFEDIT_H

#include <stdbool.h>

#include "policy/conf.h"
#include "policy/conf_object.h"
#include "store/revs.h"

struct confedit;

/* There need not be a store: it is made by the first change. A configuration
 * that is broken is no error here: confedit_conf(). */
int confedit_open(struct confedit **ce_r, const char *conf_file,
    struct err *why);
void confedit_close(struct confedit **cep);
/* Reads anew; drops what was not saved. */
int confedit_refresh(struct confedit *ce, struct err *why);

/* Boot file, revision in force and uncommitted changes, as saved; valid until
 * the next refresh or save. NULL: they are broken, as confedit_broken() says;
 * what mends them can still be saved. */
const struct conf *confedit_conf(const struct confedit *ce);
const char *confedit_broken(const struct confedit *ce);

/* An object as the store has it with uncommitted changes, or as the boot file
 * has it; NULL: it has none. name "" for a kind without names. Valid until the
 * next change, refresh or save. */
const struct conf_object *confedit_get(struct confedit *ce, const char *kind,
    const char *name);
const struct conf_object *confedit_boot(struct confedit *ce, const char *kind,
    const char *name);
/* The i-th of the store, by kind and name; of one kind, or kind NULL of all.
 * NULL: no more. */
const struct conf_object *confedit_at(struct confedit *ce, const char *kind,
    unsigned i);

/* All of them, in that order. */
const struct conf_object *const *confedit_all(struct confedit *ce,
    unsigned *n_r);

/* value "": not set any more, so that boot file or default count again. An
 * object that is not there is made; it stays when nothing is set in it. */
int confedit_set(struct confedit *ce, const char *kind, const char *name,
    const char *key, const char *value, struct err *why);
/* So, a value as a file has it: lists of names that have commas or blanks in
 * them. It must live as long as ce, as conf_raw_list(confedit_pool(ce), …)
 * does. */
int confedit_set_raw(struct confedit *ce, const char *kind, const char *name,
    const char *key, const struct conf_raw *value, struct err *why);
/* An object without settings, where there is none: "take it up". */
int confedit_new(struct confedit *ce, const char *kind, const char *name,
    struct err *why);
/* The whole object is another, whatever others have made of it meanwhile. The
 * items must live as long as ce: they may be of confedit_pool(), not of
 * confedit_get(). */
void confedit_put(struct confedit *ce, const struct conf_object *o);
struct pool *confedit_pool(struct confedit *ce);
/* -1: the store has none. One of the boot file stays; what there is of it
 * counts again. */
int confedit_delete(struct confedit *ce, const char *kind, const char *name,
    struct err *why);
/* All of the store becomes this text, that of a saved configuration without
 * its certificates; errors are "FILE:LINE: …". */
int confedit_replace(struct confedit *ce, const char *file, struct str text,
    struct err *why);
/* From now on changes are for this node, else for the cluster; the first save
 * of such warns on standard error. */
void confedit_scope(struct confedit *ce, bool node);

int confedit_save(struct confedit *ce, struct err *why);
/* Would it be taken? Nothing is written, nothing forgotten. */
int confedit_try(struct confedit *ce, struct err *why);
/* Counts each change of the store: has anybody changed it since? */
uint64_t confedit_serial(const struct confedit *ce);

/* How many objects have uncommitted changes; by whom ("bob", or "bob and
 * others"), and since when. */
unsigned confedit_changes(const struct confedit *ce, const char **who_r,
    msec *since_r);
/* Tells a person on standard error that there are such. */
void confedit_hint(const struct confedit *ce);
/* Drops them; -1 as well while somebody commits. */
int confedit_clear(struct confedit *ce, struct err *why);

struct confedit_done {
	uint64_t revision;
	unsigned changes;
	bool running; /* the relay has taken it; else it will at its start */
};

/*
 * Puts them in force: they are checked wholly, as `postern check` does, become
 * a revision, and a relay that runs must take it. -1: nothing has changed, the
 * uncommitted changes are still there.
 */
int confedit_commit(struct confedit *ce, const char *comment,
    struct confedit_done *done_r, struct err *why);
/* A new revision with the objects of an old one. There must not be uncommitted
 * changes. comment NULL: it says so. */
int confedit_rollback(struct confedit *ce, uint64_t n, const char *comment,
    struct confedit_done *done_r, struct err *why);

/* For looking at it: NULL as long as there is no store. Not while something is
 * being saved. */
struct revs *confedit_store(struct confedit *ce);
const char *confedit_path(const struct confedit *ce); /* of the store */
const char *confedit_file(const struct confedit *ce); /* the boot file */
const char *confedit_run(const struct confedit *ce);  /* of the sockets */
/* Who edits: the user's name, or that before sudo. */
const char *confedit_who(const struct confedit *ce);

#endif
