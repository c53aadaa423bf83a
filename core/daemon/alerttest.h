/*
 * The verb "alert.test" of a worker: an alert that each sink tells now, saying
 * whether it could (alert_sink/1.test). One that cannot say so gets it as any
 * other alert.
 */
#ifndef DAEMON_ALERTTEST_H
#define DAEMON_ALERTTEST_H

#include "admin/control.h"

struct worker;

/* arg: the worker. A line for each sink: sink, told, text. */
void alerttest_verb(void *arg, struct control_req *r, const json_t *args);
/* The worker ends: what is under way is forgotten, nobody is answered. */
void alerttest_end(struct worker *w);

#endif
