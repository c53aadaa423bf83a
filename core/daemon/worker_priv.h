/*
 * Private to the worker: worker.c (life), worker_epoch.c (configurations),
 * worker_store.c (where the queue is), worker_ctl.c (control verbs).
 */
#ifndef DAEMON_WORKER_PRIV_H
#define DAEMON_WORKER_PRIV_H

#include "daemon/worker.h"

#include "admin/control.h"
#include "daemon/alerts.h"
#include "daemon/inbound.h"
#include "daemon/ipc.h"
#include "daemon/keyclient.h"
#include "daemon/plugs_out.h"
#include "daemon/tlswatch.h"
#include "host/host.h"
#include "net/dns.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "store/store.h"

#define WORKER_MAGIC 0x703e4001u

struct worker {
	unsigned magic;
	const struct worker_env *env;
	struct loop *loop;
	struct ipc *ipc;
	struct conf *conf;
	struct epoch *epoch;
	/* The master's proposal: what it prepares, then holds until it is told
	 * to switch. Before it serves, one waits; or NULL. */
	struct conf *next;
	struct epoch *next_epoch, *waiting;
	uint64_t ballot; /* number of the newest proposal */
	bool prepared;
	struct host *host;
	struct keyclient *keys; /* NULL: keys are here */
	struct tls_ticket_keys tickets;
	struct offload *aux;
	struct dns *dns;
	struct alerts *alerts;
	struct alerttest *tests; /* under way */
	struct tlswatch *watch;
	struct store *store;
	struct store_conf store_conf;
	struct host_gen *store_gen;	/* its plugin's; or NULL */
	struct worker_orphans *orphans; /* of that plugin; or NULL */
	struct relay *relay;
	struct plugs_out *plugs_out;
	struct conf *relay_conf; /* what it works under */
	struct queue *queue;
	struct inbound *inbound;
	struct control *control;
	struct loop_signal *term;
	struct loop_timer beat, stop_late;
	bool aux_busy, serving, stopping, inbound_done, relay_done;
	int status;
	char suspicion[160];
	msec started;		/* wall */
	struct worker_counted {
		uint64_t sessions, refused, messages, bytes, rcpts;
		uint64_t rejected, unwanted, commits, failures;
		uint64_t queries, unanswered;
	} counted;
	/* the auxiliary job's own */
	struct worker_job {
		char *spool;
		struct ids *ids;
		uint64_t space;
		bool extend;
		struct err why;
	} job;
};

/* worker.c */
void worker_tell(struct worker *w, json_t *msg);
/* The first configuration's plugins have started; why not NULL: they have
 * not. */
void worker_started(struct worker *w, const struct err *why);

/* Its store is open, or will never be. */
void worker_opened(struct worker *w, const struct err *why);

/* worker_store.c */
/* worker_opened() follows, perhaps before it returns, unless it is -1. */
int worker_store_open(struct worker *w, struct err *why);
void worker_store_adopt(struct worker *w);
/* While relay and queue are there to hear what is still owed. */
void worker_store_finish(struct worker *w);
/* After the queue has gone; also if there is none. */
void worker_store_close(struct worker *w);

/* worker_epoch.c */
int worker_epoch_first(struct worker *w, struct err *why);
/* The master proposes an epoch; takes fds. */
void worker_epoch_new(struct worker *w, const json_t *msg, int *fds,
    unsigned n);
/* One that came before the worker served. */
void worker_epoch_next(struct worker *w);
/* How it was decided: all have prepared it, or somebody has not. */
void worker_epoch_decided(struct worker *w, const json_t *msg, bool carried);
/* The worker is stopping: its successor will have what is in force. */
void worker_epoch_leave(struct worker *w);
void worker_epoch_end(struct worker *w);
void worker_tickets(struct worker *w, const json_t *msg);

extern const struct control_verb worker_verbs[];

/* worker_count.c: while it serves, each second */
void worker_count(struct worker *w);

#endif
