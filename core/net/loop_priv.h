/*
 * What the files of net share about a loop.
 */
#ifndef NET_LOOP_PRIV_H
#define NET_LOOP_PRIV_H

#include <stddef.h>

#include "base/buf.h"
#include "base/coll.h"
#include "net/loop.h"

#define LOOP_SCRATCH 65536

/* LOOP_SCRATCH octets for whoever reads from a socket in this callback. */
char *loop_scratch(struct loop *l);
/* An empty buffer to borrow within one callback; give it back empty. */
struct buf *loop_borrow(struct loop *l, size_t max);
void loop_give_back(struct loop *l, struct buf *b);

/* What nobody owns and the end of the loop ends: fn frees it. */
struct loop_orphan {
	TAILQ_ENTRY(loop_orphan) link;
	void (*end)(struct loop_orphan *o);
};
void loop_adopt(struct loop *l, struct loop_orphan *o);
void loop_disown(struct loop *l, struct loop_orphan *o);

#endif
