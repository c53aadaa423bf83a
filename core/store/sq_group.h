/*
 * A group of transactions on its way to the disk: sq_commit.c, and sq_place.c,
 * which finds a place for the bodies.
 */
#ifndef STORE_SQ_GROUP_H
#define STORE_SQ_GROUP_H

#include "store/sq.h"

/* What a group does to the segments, once it is committed. */
struct delta {
	uint64_t seg;
	int64_t len;
};

struct group {
	struct sq *q;
	struct store_txn **v;
	size_t n;
	struct iovec *iov;
	size_t niov, iov_cap;
	uint64_t total;		/* octets for a segment */
	bool appended;
	struct delta *delta;
	size_t ndelta, delta_cap;
	struct err why;
	int rc;			/* SQLite's */
};

/* Bodies to their places; what goes to a segment is on the disk when it
 * returns. */
bool sq_place(struct group *g);

#endif
