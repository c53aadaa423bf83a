/*
 * Private to the master: who has the private keys, and what of it the epoch
 * tells the workers.
 */
#ifndef DAEMON_KEYS_H
#define DAEMON_KEYS_H

#include "daemon/master_priv.h"

/* Starts the keeper, unless keys are to be in each worker. */
void keys_start(struct master *m);
/*
 * Loads every certificate of the epoch that is not loaded yet; loaded() is
 * called when all are through, maybe at once. What cannot be loaded is told
 * to failed(), and stays not loaded.
 */
void keys_load(struct master *m, struct epoch *e, keys_failed_fn *failed,
    keys_fn *loaded);
/* This epoch is in force. */
void keys_current(struct master *m);
/* The worker's end of a connection to the keeper, or -1. */
int keys_worker(struct master *m, const struct child *c);
/* Was it the keeper? */
bool keys_ended(struct master *m, pid_t pid, int status);
void keys_stop(struct master *m);

#endif
