/*
 * The master's post for alerts: from whoever raised one to the one worker that
 * tells the sinks.
 *
 * That is the lowest worker that is ready. What nobody could take yet is kept,
 * ALERTPOST_KEPT at most, the oldest goes first. A worker says when the sinks
 * have an alert; what it had not said so of when it died goes to the next one,
 * but to no third: an alert that kills is not tried on all.
 */
#ifndef DAEMON_ALERTPOST_H
#define DAEMON_ALERTPOST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/host.h"

#define ALERTPOST_KEPT 256

struct alertpost;

/* Logs the line; the alert as a message of type "alert". */
json_t *alert_raise(const struct host_alert *a);
json_t *alert_pack(const struct host_alert *a); /* without a line */

/* Steals msg; false: that worker cannot be told. */
typedef bool alertpost_send(void *arg, unsigned worker, json_t *msg);

struct alertpost *alertpost_new(unsigned workers, alertpost_send *send,
    void *arg);
void alertpost_destroy(struct alertpost **pp);
/* An alert of alert_raise(); steals it. */
void alertpost_add(struct alertpost *p, json_t *alert);
void alertpost_ready(struct alertpost *p, unsigned worker, bool ready);
void alertpost_done(struct alertpost *p, unsigned worker, uint64_t number);

#endif
