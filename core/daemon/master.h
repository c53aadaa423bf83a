/*
 * The master: binds ports, opens the spool, starts workers and keeps them
 * alive; reloads; stops. It parses no mail.
 */
#ifndef DAEMON_MASTER_H
#define DAEMON_MASTER_H

/* `postern serve`; returns the exit status. */
int master_serve(int argc, char **argv);

#endif
