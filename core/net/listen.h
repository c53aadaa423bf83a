/*
 * Accepting connections on a listening socket shared by all workers.
 *
 * One accept per wake-up, so that idle workers get their part. EMFILE and
 * the like stop accepting for a second instead of spinning.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "net/loop.h"
#include "net/sock.h"

struct listen;

typedef void listen_fn(void *arg, int fd, const struct sock_addr *peer);

struct listen *listen_start(struct loop *l, int fd, listen_fn *fn, void *arg);
void listen_pause(struct listen *ls);
void listen_resume(struct listen *ls);
void listen_stop(struct listen **lsp); /* does not close fd */

#endif
