/*
 * The keeper: the process that has the private keys, and signs for the others.
 *
 * The master starts it as a program of its own (`postern keeper`), so that
 * nothing of the master's memory is in it, and hands it the key files as open
 * descriptors, which it alone reads. It is as unprivileged as the workers, has
 * no network and no files, and leaves no core dump. What it says to the master
 * are JSON messages (daemon/ipc.h); what it does for workers is in
 * daemon/keyserve.h. See docs/internals/keys.md.
 */
#ifndef DAEMON_KEEPER_H
#define DAEMON_KEEPER_H

/* `postern keeper FD UID GID`, by the master only. */
int keeper_main(int argc, char **argv);

#endif
