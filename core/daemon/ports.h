/*
 * The master's listening sockets: inherited, kept over a reload, or bound.
 */
#ifndef DAEMON_PORTS_H
#define DAEMON_PORTS_H

#include "base/err.h"
#include "daemon/epoch.h"
#include "policy/conf.h"

/*
 * Gives e a socket for each address of conf's listeners: one that the service
 * manager passed (LISTEN_FDS, by name or by address), a copy of one of old, or
 * a new one.
 */
int ports_open(struct epoch *e, const struct conf *conf, struct epoch *old,
    struct err *why);

#endif
