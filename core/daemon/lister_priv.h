/*
 * Private to lister.c, who asks, and lister_child.c, who is asked.
 *
 * A message is a packet: its type, then fields, each with a NUL behind. What a
 * field names as a text comes as descriptors, the chain first.
 */
#ifndef DAEMON_LISTER_PRIV_H
#define DAEMON_LISTER_PRIV_H

#include "daemon/lister.h"

enum lister_say {
	LISTER_LOADS = 'P', /* place: a block's plugin is about to be loaded */
	LISTER_ASKS = 'A',  /* place, number of the block, instance */
	LISTER_CERT = 'C',  /* name, chain and key: a path, or "" */
	LISTER_WATCH = 'W', /* path */
	LISTER_TOLD = 'T',  /* the instance has told all */
	LISTER_FAILS = 'F', /* why: the block's plugin fails */
	LISTER_LOGS = 'L',  /* level, line */
	LISTER_DONE = 'D'
};

#define LISTER_MSG_MAX 16384
#define LISTER_FIELDS 4

/* What comes from fd, which it takes, whoever is at its other end. */
struct lister *lister_hear(struct loop *loop, const struct epoch *e, int fd,
    lister_fn *fn, void *arg);

/* In the child. */
void lister_child(const struct epoch *e, int fd, pid_t parent) ATTR_NORETURN;

#endif
