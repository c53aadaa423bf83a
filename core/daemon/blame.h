/*
 * Who brought a worker down: the master's judgement of the flight recorder.
 *
 * A plugin whose function ran when its worker died is logged, counted
 * (plugin_crashes_total) and alerted. With the third time within ten minutes
 * its breaker trips (on_crash): for the generation of the configuration it
 * happened under, so that a reload is a new chance. A message that was at hand
 * in two crashes is handed to the workers to be frozen (queue/freeze.c).
 */
#ifndef DAEMON_BLAME_H
#define DAEMON_BLAME_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/shm.h"

#define BLAME_CRASHES 3
#define BLAME_WINDOW MINUTES(10)
#define BLAME_MESSAGES 1024 /* that are remembered */

struct master;
struct child;
struct control_req;

struct blame {
	struct blame_plugin {
		uint64_t generation; /* in which the last one was */
		msec at[BLAME_CRASHES];
		unsigned crashes; /* in all */
	} plugin[SHM_PLUGINS];
	struct blame_message {
		uint64_t mid;
		unsigned crashes;
	} message[BLAME_MESSAGES];
	unsigned next; /* to be forgotten */
};

/* The watchdog is about to end it. */
void blame_hang(struct master *m, struct child *c);
/* It is dead, and not by our wish; before shm_worker_gone(). */
void blame_end(struct master *m, struct child *c, int status);
/* The generation that follows without the administrator's doing inherits what
 * has tripped. */
void blame_inherit(struct master *m, uint64_t generation);
/* The control verb "plugin.reset" {instance}: it is called again. Those that
 * have not started it do so with a new generation of the same configuration. */
void blame_verb(void *master, struct control_req *r, const json_t *args);
/* {instance, crashes, tripped} of each that crashed. */
json_t *blame_status(struct master *m);

#endif
