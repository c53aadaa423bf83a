/*
 * The engine of a plugin (store/1): store_plugin.c (opening, reading),
 * store_plugin_put.c (commits).
 *
 * Files of its own: SPOOL/remote-N/ has a lock, so that two processes of this
 * spool never serve one store; the name under which the lease is taken; and
 * scratch files, copies of large contents as long as they are in use.
 */
#ifndef STORE_STORE_PLUGIN_H
#define STORE_STORE_PLUGIN_H

#include <postern/store.h>

#include "store/store_priv.h"

#define PLUG_MAGIC 0x506c7567U
#define PLUG_PIECE (256 * 1024)

struct plug {
	unsigned magic;
	struct store *store;
	const struct pst_store_ops *ops;
	void *h;		/* the plugin's */
	int lock;
	char owner[40];
	bool had;		/* the lease was ours in this life */
	struct store_ghosts ghosts;
	char *piece;		/* the writer's; of PLUG_PIECE octets */
};

#define PLUG_WHY { .size = sizeof(struct pst_store_why) }

/* What went wrong becomes *why; a store that was taken from us is noted. */
void plug_failed(struct plug *p, const struct pst_store_why *w,
    struct err *why);
bool plug_commit(void *e, struct store_txn **v, size_t n);
/* What was refused and may be there all the same goes now. */
void plug_drop_ghosts(struct plug *p);

#endif
