/*
 * Private to the master: master.c (life), supervise.c (workers), reload.c,
 * reload_shadow.c, reload_store.c and reload_vote.c, keys.c (keeper),
 * owncerts.c (certificates of our own), alertdesk.c (alerts, episodes),
 * certwatch.c (files that change), certstatus.c (what is in use, until when).
 */
#ifndef DAEMON_MASTER_PRIV_H
#define DAEMON_MASTER_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/control.h"
#include "base/ids.h"
#include "base/shm.h"
#include "daemon/alertbook.h"
#include "daemon/alertpost.h"
#include "daemon/ballot.h"
#include "daemon/blame.h"
#include "daemon/episode.h"
#include "daemon/epoch.h"
#include "daemon/expiry.h"
#include "daemon/ipc.h"
#include "daemon/lister.h"
#include "daemon/privs.h"
#include "daemon/roll.h"
#include "net/loop.h"
#include "policy/conf.h"
#include "store/revs.h"
#include "tls/tlsctx.h"

#define MASTER_MAGIC 0x3a57e401u
#define CHILD_MAGIC 0x3a57e402u
#define MASTER_ASKED 32

enum reload {
	RELOAD_NONE,
	RELOAD_CERTS, /* under the boot file as it was read last */
	RELOAD_ALL
};

struct child {
	unsigned magic;
	struct master *m;
	unsigned index;
	pid_t pid;		/* 0: not running */
	struct ipc *ipc;
	bool ready;
	bool logs;		/* it has log sinks that we have not */
	bool killed;		/* by our watchdog */
	uint64_t generation;	/* it works under */
	msec started;
	unsigned failures;	/* deaths after a short life */
	unsigned restarts;
	struct loop_timer restart;
};

typedef void keys_fn(struct master *m);
typedef void keys_failed_fn(struct master *m, struct epoch_cert *c,
    const struct err *why);

/* Where the private keys are (daemon/keys.h). */
struct keys {
	bool keeper;		/* else each worker has them */
	enum {
		KEYS_NONE,	/* no keeper is running */
		KEYS_AGAIN,	/* it gets the keys in force */
		KEYS_READY,
		KEYS_LOADING	/* it gets those of `loading` */
	} state;
	pid_t pid;
	struct ipc *ipc;
	msec started;
	unsigned failures, restarts, count;
	unsigned at;		/* certificate that is being loaded */
	struct epoch *loading;
	keys_failed_fn *failed;
	keys_fn *loaded;
	struct loop_timer restart, late, pulse;
};

struct master {
	unsigned magic;
	struct loop *loop;
	const char *file;
	unsigned workers;	/* from the command line, 0: as configured */
	struct conf *conf;
	struct epoch *epoch;
	struct certlist *list; /* what plugins have */
	struct shm *shm;
	struct ids *ids;
	struct privs privs;
	struct control *control;
	struct keys keys;
	pid_t certmaker;	/* makes certificates of our own */
	struct tls_ticket_keys tickets;
	struct tlscache *sessions;
	struct loop_timer ticket_turn;
	struct loop_timer watch;
	uint64_t watched;	/* what the files looked like */
	struct expiry expiry;
	struct alertpost *alerts;
	struct alertbook *book;
	bool book_failed;
	struct episodes *episodes;
	uint64_t opened, resolved; /* of them, as metrics have it */
	json_t *news;		   /* of them, to be kept, then sent */
	struct blame blame;
	struct roll roll;
	struct loop_timer expiry_turn;
	bool serving;		/* workers may be started */
	int lock;
	int signals;
	struct loop_fd *signal_watch;
	struct child child[SHM_MAX_WORKERS];
	unsigned nchild;
	struct loop_timer tick, watchdog, stop_late;
	msec last_tick;
	msec started;		/* wall */
	bool ready, stopping;
	int status;		/* exit status */
	/* a reload that is being checked, loaded, or prepared by workers */
	struct epoch *next;
	struct conf *next_conf;
	struct certlist *next_list;
	struct lister *lister;	/* makes it */
	struct err warning;	/* for those who asked: what is not new */
	enum reload reloading;
	uint64_t next_watched;
	struct buf broken;	/* of a reload of certificates: files, why */
	struct buf said;	/* what was told of such last */
	struct err next_why;	/* the first certificate that failed */
	pid_t checker;
	int checker_says;	/* pipe */
	enum reload again;
	struct loop_timer checker_late;
	/* a revision of the store that is to be tried, that is being tried */
	struct commit {
		uint64_t revision; /* 0: none */
		char token[REVS_TOKEN_MAX];
	} commit, trying;
	/* a candidate policy that is to be switched, that is being switched */
	struct shadow_switch {
		bool asked;
		char file[PATH_MAX]; /* "": off */
	} shadow, shadow_trying;
	msec shadow_since;	/* wall; 0: as the boot file has it */
	struct ballot ballot;
	struct loop_timer vote_late;
	/* who wants to know how a reload ends, those of this one first */
	struct control_req *asked[MASTER_ASKED];
	unsigned nasked, answering;
};

/* master.c */
int master_log_open(struct master *m, const struct conf *conf,
    struct err *why);
/* Makes the files that conf's logs write, for workers to open. */
void master_log_files(struct master *m, const struct conf *conf);
void master_stop(struct master *m, int status);

/* supervise.c */
void child_start(struct child *c);
void children_watch(struct master *m);
void children_ended(struct master *m, pid_t pid, int status);
unsigned children_alive(const struct master *m);
void children_tell(struct master *m, const char *type);
/* Records for log sinks that are in workers only (daemon/logs.h). */
bool children_log(void *master, json_t *msg);
void children_kill(struct master *m, int signo);

/* alertdesk.c */
void desk_start(struct master *m); /* before there are workers */
void desk_end(struct master *m);
void desk_tick(struct master *m); /* each second */
/* An alert of alert_raise(), of any process; steals it. NULL is fine. */
void desk_take(struct master *m, json_t *alert);
/* A message of type "episode"; a worker that serves, or is gone. */
void desk_said(struct child *c, const json_t *msg);
void desk_worker(struct child *c, bool ready);
/* Class System; detail may be NULL. */
void master_alert(struct master *m, const char *severity, const char *key,
    const char *text, const char *detail);

/* reload.c */
void reload_start(struct master *m, enum reload what);
void reload_checked(struct master *m, int status);
/* r is answered when it has ended. */
void reload_asked(struct master *m, struct control_req *r, enum reload what);
/* The boot file, and all that it names. */
void reload_all(void *master, struct control_req *r, const json_t *args);
/* The files of certificates, under the boot file as it is in force. */
void reload_certs(void *master, struct control_req *r, const json_t *args);
/* One of all; r is answered, m->asked has room. */
void reload_ask_all(struct master *m, struct control_req *r);
/* A certificate of the first epoch cannot be had. */
void reload_cert_failed(struct master *m, struct epoch_cert *c,
    const struct err *why);

/* All workers have prepared it: it is the master's. */
void reload_switch(struct master *m);
void reload_refused(struct master *m, const char *why);
/* why NULL: the new one is in force, in all workers. */
void reload_ended(struct master *m, const char *why);

/* reload_store.c: revisions of the configuration store. */
void reload_commit(void *master, struct control_req *r, const json_t *args);
/* The next epoch's texts; the proposal is taken. */
int reload_read(struct master *m, uint64_t generation, struct err *why);
/* What all have prepared is the head, if it was proposed. */
int reload_accept(struct master *m, struct err *why);

/* reload_shadow.c: a candidate policy on live traffic, over boot file and
 * store, until it is ended or the relay. */
void reload_shadow(void *master, struct control_req *r, const json_t *args);
void reload_shadow_read(struct master *m, struct epoch_store *from);
/* old was in force before; NULL: nothing, the relay starts. */
void reload_shadow_switched(struct master *m, const struct conf *old);

/* reload_vote.c: m->next to the workers */
void reload_vote(struct master *m);
/* A worker while a vote may be open: forked, heard, has switched, gone. */
void reload_child_new(struct child *c);
void reload_child_said(struct child *c, const char *type, const json_t *msg);
void reload_child_switched(struct child *c);
void reload_child_gone(struct child *c, bool in_order);
void reload_keeper_gone(struct master *m);
void reload_stopping(struct master *m);

/* owncerts.c: makes those that conf may need and the store has not. */
void owncerts_make(struct master *m, const struct conf *conf);
bool owncerts_ended(struct master *m, pid_t pid, int status);

/* certwatch.c */
uint64_t certwatch_look(const struct conf *conf, const struct epoch *e,
    const struct certlist *list);
void certwatch_start(struct master *m);

/* certstatus.c: warnings of certificates that end, and what is in use. */
void certs_expiry_start(struct master *m);
void certs_expiry(struct master *m);
json_t *certs_status(const struct master *m);

#endif
