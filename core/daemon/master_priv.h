/*
 * Private to the master: master.c (life), supervise.c (workers), reload.c.
 */
#ifndef DAEMON_MASTER_PRIV_H
#define DAEMON_MASTER_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "admin/control.h"
#include "base/ids.h"
#include "base/shm.h"
#include "daemon/epoch.h"
#include "daemon/ipc.h"
#include "daemon/privs.h"
#include "net/loop.h"
#include "policy/conf.h"

#define MASTER_MAGIC 0x3a57e401u
#define CHILD_MAGIC 0x3a57e402u

struct child {
	unsigned magic;
	struct master *m;
	unsigned index;
	pid_t pid;		/* 0: not running */
	struct ipc *ipc;
	bool ready;
	bool killed;		/* by our watchdog */
	uint64_t generation;	/* it works under */
	msec started;
	unsigned failures;	/* deaths after a short life */
	unsigned restarts;
	struct loop_timer restart;
};

struct master {
	unsigned magic;
	struct loop *loop;
	const char *file;
	unsigned workers;	/* from the command line, 0: as configured */
	struct conf *conf;
	struct epoch *epoch;
	struct shm *shm;
	struct ids *ids;
	struct privs privs;
	struct control *control;
	char *selfsigned;	/* path, or NULL */
	uint8_t ticket_key[48];
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
	/* a reload that is being checked */
	struct epoch *next;
	pid_t checker;
	int checker_says;	/* pipe */
	bool again;
	struct loop_timer checker_late;
};

/* master.c */
int master_selfsigned(struct master *m, const struct conf *conf,
    struct err *why);
void master_log_files(const struct master *m, const struct conf *conf);
void master_stop(struct master *m, int status);
void master_status_line(struct master *m);

/* supervise.c */
void child_start(struct child *c);
void children_watch(struct master *m);
void children_ended(struct master *m, pid_t pid, int status);
unsigned children_alive(const struct master *m);
void children_tell(struct master *m, const char *type);
void children_kill(struct master *m, int signo);

/* reload.c */
void reload_start(struct master *m);
void reload_checked(struct master *m, int status);

#endif
