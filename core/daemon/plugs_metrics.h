/*
 * What the node counts, to the plugins that publish it (metrics/1).
 */
#ifndef DAEMON_PLUGS_METRICS_H
#define DAEMON_PLUGS_METRICS_H

#include "base/shm.h"
#include "host/host.h"

/* To every instance of g with metrics/1.emit; g may be NULL. Nothing is done
 * where there is none. */
void plugs_metrics(struct shm *s, struct host_gen *g);

#endif
