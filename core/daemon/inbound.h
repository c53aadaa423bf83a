/*
 * Mail coming in: from a listening socket to a message in the queue.
 *
 * It answers what the SMTP server asks: who may connect, who may send where,
 * whether there is room now. It counts connections across workers, writes the
 * receiving half of the mail log and hands finished messages to the queue.
 * A session keeps the configuration it began under.
 */
#ifndef DAEMON_INBOUND_H
#define DAEMON_INBOUND_H

#include <stdbool.h>

#include "base/ids.h"
#include "base/offload.h"
#include "base/shm.h"
#include "daemon/epoch.h"
#include "net/dns.h"
#include "net/loop.h"
#include "policy/conf.h"
#include "queue/queue.h"
#include "store/store.h"

struct inbound;

struct inbound_world {
	struct loop *loop;
	struct dns *dns;
	struct shm *shm;
	struct ids *ids;
	struct store *store;
	struct queue *queue;
	struct offload *aux;	/* for password hashes */
	unsigned worker;
	/* ETRN: flush that domain everywhere; returns how many units here. */
	unsigned (*flush)(void *arg, struct str domain, bool subdomains);
	void *arg;
};

struct inbound *inbound_new(const struct inbound_world *w);
/* Listens on the epoch's sockets under conf, and no longer on others. */
void inbound_listen(struct inbound *in, struct conf *conf,
    const struct epoch *epoch);
/* Room on the disk, as last measured. */
void inbound_space_set(struct inbound *in, uint64_t octets);
/* No more connections; sessions end when they can; then done(). */
void inbound_stop(struct inbound *in, loop_fn *done, void *arg);
void inbound_kill(struct inbound *in); /* all sessions, now */
/* After that; what was submitted must have been answered. */
void inbound_destroy(struct inbound **inp);

struct inbound_stats {
	unsigned connections;
	uint64_t accepted, refused;	/* connections */
	uint64_t messages, recipients, bytes;
	uint64_t rejected;		/* recipients */
	uint64_t unwanted;		/* messages, with their content */
};
void inbound_stats(const struct inbound *in, struct inbound_stats *st);

#endif
