/*
 * Private to the worker: worker.c (life), worker_ctl.c (control verbs).
 */
#ifndef DAEMON_WORKER_PRIV_H
#define DAEMON_WORKER_PRIV_H

#include "daemon/worker.h"

#include "admin/control.h"
#include "daemon/alerts.h"
#include "daemon/inbound.h"
#include "daemon/ipc.h"
#include "daemon/keyclient.h"
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
	struct keyclient *keys; /* NULL: keys are here */
	struct tls_ticket_keys tickets;
	struct offload *aux;
	struct dns *dns;
	struct alerts *alerts;
	struct store *store;
	struct relay *relay;
	struct conf *relay_conf; /* what it works under */
	struct queue *queue;
	struct inbound *inbound;
	struct control *control;
	struct loop_signal *term;
	struct loop_timer beat, stop_late;
	bool aux_busy, stopping, inbound_done, relay_done;
	int status;
	msec started;		/* wall */
	/* the auxiliary job's own */
	struct worker_job {
		char *spool;
		struct ids *ids;
		uint64_t space;
		bool extend;
		struct err why;
	} job;
};

extern const struct control_verb worker_verbs[];

#endif
