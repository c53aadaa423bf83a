/*
 * Private to revs.c (reading), revs_change.c, revs_file.c (the file) and
 * revs_make.c (its making).
 */
#ifndef STORE_REVS_PRIV_H
#define STORE_REVS_PRIV_H

#include <sqlite3.h>

#include "store/revs.h"

#define REVS_MAGIC 0x72657673u
#define REVS_VERSION 1

/* Objects of a revision, and those of the head. */
#define REVS_NOW "9223372036854775807"
#define REVS_IN "from_rev <= ?1 AND to_rev > ?1"

struct revs {
	unsigned magic;
	char *path;	/* as others know it */
	char *at;	/* by way of dir */
	int dir, lock;
	sqlite3 *db;
	bool in, write; /* within begin and end */
};

/* revs_make.c: the file, without objects; it may be there already then. */
int revs_make(struct revs *r, struct err *why);

/* revs_file.c */
/* -1: what the store had cannot be there. */
int revs_lost(struct revs *r, const char *what, struct err *why);
int revs_fail(struct revs *r, int rc, struct err *why);
int revs_exec(struct revs *r, const char *sql, struct err *why);
/* NULL: as why says. */
sqlite3_stmt *revs_prepare(struct revs *r, const char *sql, struct err *why);
void revs_bind(sqlite3_stmt *st, int i, struct str s);
void revs_bind_n(sqlite3_stmt *st, int i, uint64_t n);
const char *revs_column(sqlite3_stmt *st, int i); /* never NULL */
/* One step of a statement without rows; finalizes it. */
int revs_run(struct revs *r, sqlite3_stmt *st, struct err *why);
/* The number of the first row; finalizes it. *n_r is 0 if there is none. */
int revs_number(struct revs *r, sqlite3_stmt *st, uint64_t *n_r,
    struct err *why);

/* revs.c: the sum of a revision's bodies, and how many there are. */
int revs_sum(struct revs *r, uint64_t n, uint32_t *sum_r, unsigned *count_r,
    struct buf *dst, struct err *why);

#endif
