/*
 * The inside of a body, shared by body.c (writing, counting) and body_read.c.
 */
#ifndef STORE_BODY_PRIV_H
#define STORE_BODY_PRIV_H

#include "store/segment.h"
#include "store/store_priv.h"

#define READ_MAX (256 * 1024)

/* The reader's side of a large body; touched by its jobs only. */
struct body_file {
	int fd;
	uint64_t at;
	struct sum sum;
	bool failed;
	struct err why;
};

struct body_waiter {
	SLIST_ENTRY(body_waiter) link;
	struct store_txn *t;
};

struct body_ref {
	unsigned magic;
	unsigned refs;
	struct store *store;
	struct body_ref *base;	/* a handle for reading; NULL: the content */
	uint64_t size;
	bool finished, large, synced, committed, failed, unchecked;
	struct err why;
	char *mem;		/* small, or the chunk that is being filled */
	size_t nmem, cap;
	struct body_place place;
	struct body_file file;
	unsigned writing;	/* write jobs in flight */
	bool stalled;		/* body_write() said false */
	body_ready *ready;
	void *arg;
	SLIST_HEAD(, body_waiter) waiters;
	struct str map;		/* of the file, or STR_NULL */
	struct str mapped;	/* the content's part of it */
	struct body_job *reading;
	char *piece;
};

struct body_job {
	unsigned magic;
	struct body_ref *b;	/* with a reference */
	struct body_ref *content;
	char *bytes;
	size_t n;
	uint64_t off;
	bool failed, later;
	struct err why;
	body_read_fn *fn;	/* NULL: cancelled */
	store_done *checked;
	void *arg;
	uint64_t mid;
};

/* The content behind a handle for reading, or the body itself. */
struct body_ref *body_content(const struct body_ref *b);
void body_unmap(struct body_ref *b);
struct body_job *body_job_new(struct body_ref *b);
void body_job_free(struct body_job *j);

#endif
