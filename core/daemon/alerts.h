/*
 * Alerts: raised anywhere, told by the sinks of one worker.
 *
 * Raising logs a line, whether there are sinks or not. In a worker the alert
 * goes to the master (ALERTS_RATE a second at most; the line is there for all),
 * from there to one worker (daemon/alertpost), and in that to every instance
 * with alert_sink/1.emit.
 */
#ifndef DAEMON_ALERTS_H
#define DAEMON_ALERTS_H

#include <jansson.h>

#include "host/host.h"
#include "net/loop.h"

#define ALERTS_RATE 50

struct alerts;

/* A worker's; tell() steals its message to the master. */
typedef void alerts_tell(void *arg, json_t *msg);
struct alerts *alerts_new(struct loop *l, alerts_tell *tell, void *arg);
/* Sinks that have not answered are not waited for. */
void alerts_destroy(struct alerts **ap);
/* From here to the master; fits struct host_world and struct relay_world. */
void alerts_raise(void *alerts, const struct host_alert *a);
/* From the master to the sinks of g, which may be NULL. */
void alerts_emit(struct alerts *a, struct host_gen *g, const char *hostname,
    const json_t *msg);

#endif
