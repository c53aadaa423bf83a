/*
 * Certificates that plugins have (cert_store/1): names, where chain and key
 * are, and what is to be watched for a change.
 *
 * What a store gave as text is in a file in memory. Its path is made up,
 * "STORE:NAME" and "STORE:NAME (key)", which no file's is, and read by
 * certlist_read() alone. The list owns descriptors and strings; keys in it are
 * not in the memory of who has it.
 */
#ifndef TLS_CERTLIST_H
#define TLS_CERTLIST_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"

#define CERTLIST_MAX 10000 /* certificates, paths to be watched */

struct certlist_row {
	const char *store; /* the instance */
	unsigned at;	   /* its place among the blocks */
	unsigned nth;	   /* given by the list */
	const char *name;
	const char *chain, *key; /* paths */
	int chain_fd, key_fd;	 /* what is behind a made-up one, or -1 */
};

struct certlist_watch {
	const char *store;
	unsigned at;
	const char *path;
};

/* A store that has told all it has. */
struct certlist_store {
	const char *name;
	unsigned at;
};

struct certlist {
	struct pool *pool;
	struct certlist_row *row;
	struct certlist_watch *watch;
	struct certlist_store *store;
	unsigned nrow, nwatch, nstore;
	unsigned row_room, watch_room, store_room;
};

struct certlist *certlist_new(void);
void certlist_destroy(struct certlist **lp);

/* Takes the descriptors, whatever happens; a file's is -1, a text's path is
 * NULL. */
int certlist_add(struct certlist *l, const struct certlist_row *row,
    struct err *why);
int certlist_watch(struct certlist *l, const char *store, unsigned at,
    const char *path, struct err *why);
void certlist_told(struct certlist *l, const char *store, unsigned at);
/* Leaves out what stores gave that have not told all; with old, what it has of
 * them comes instead. Then sorts by the places of the stores. */
int certlist_settle(struct certlist *l, const struct certlist *old,
    struct err *why);

/* The first of that name, or NULL. */
const struct certlist_row *certlist_find(const struct certlist *l,
    const char *name);
/* What was watched as a directory of the row's files; else its store. */
const char *certlist_origin(const struct certlist *l,
    const struct certlist_row *row);
/* The descriptor behind a made-up path; -1: it is none of the list's. */
int certlist_fd(const struct certlist *l, const char *path);
/* A file as it is, or what is behind a made-up path. l may be NULL. */
int certlist_read(const struct certlist *l, const char *path, struct buf *dst,
    struct err *why);

#endif
