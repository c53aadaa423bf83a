/*
 * A configuration's plugins, tried in a process of their own: their files are
 * opened and their options read, nothing is started; but policies are compiled
 * and their tests run (trial/policytest.h). The process has the
 * workers' rights; if it dies, why names the plugin and the signal.
 *
 * It blocks until that is done, 20 s at most.
 */
#ifndef DAEMON_PLUGCHECK_H
#define DAEMON_PLUGCHECK_H

#include <stdbool.h>

#include "base/err.h"
#include "daemon/privs.h"
#include "policy/conf.h"

/* Files of settings are read by reader, in that process. logs: logs are opened
 * too, as conf is to come into force. */
int plugcheck(const struct conf *conf, const struct conf_reader *reader,
    const struct privs *privs, bool logs, struct err *why);

#endif
