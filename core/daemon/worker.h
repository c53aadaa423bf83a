/*
 * A worker: one loop, one store, its share of the connections.
 *
 * Forked by the master, from which it inherits configuration, sockets and
 * shared memory. It gives up its rights, opens its store and listens at once;
 * what waits in the queue is read behind the clients' backs.
 */
#ifndef DAEMON_WORKER_H
#define DAEMON_WORKER_H

#include <sys/types.h>

#include "base/ids.h"
#include "base/shm.h"
#include "daemon/epoch.h"
#include "daemon/privs.h"
#include "policy/conf.h"
#include "tls/tlsctx.h"

struct worker_env {
	unsigned index, count;
	pid_t master;
	struct conf *conf;
	struct epoch *epoch;
	struct shm *shm;
	struct ids *ids;
	const struct privs *privs;
	const struct tls_ticket_keys *tickets;
	struct tlscache *sessions; /* of all workers with other hosts */
	bool keeper_keys; /* private keys are in the keeper, not here */
	int keeper;	  /* connection to it, -1: one comes later */
	int ipc; /* the worker's end */
	int lock;
};

/* Runs until it is told to stop; returns the exit status. */
int worker_main(const struct worker_env *env);

#endif
