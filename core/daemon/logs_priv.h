/*
 * Private to the log's sinks: logs.c (plugins), logs_pass.c (to and from other
 * processes).
 */
#ifndef DAEMON_LOGS_PRIV_H
#define DAEMON_LOGS_PRIV_H

#include "daemon/logs.h"

#include <postern/log_sink.h>

#include "base/log.h"

/* The sink that hands records on; false: there is none. */
bool logs_pass_sink(struct log_sink *sink_r);
void logs_pass_end(void);

#endif
