/*
 * Between master and worker: messages with file descriptors in them.
 *
 * A SOCK_SEQPACKET pair. A message is a JSON object of at most 64 KB; the
 * receiver owns the descriptors. When the other end is gone, fn is called
 * with a NULL message, once.
 */
#ifndef DAEMON_IPC_H
#define DAEMON_IPC_H

#include <jansson.h>

#include "base/err.h"
#include "net/loop.h"

#define IPC_FDS 250 /* the system's limit is 253 */

struct ipc;
typedef void ipc_fn(void *arg, const json_t *msg, int *fds, unsigned n);

int ipc_pair(int fd_r[2], struct err *why);
/* Takes fd. */
struct ipc *ipc_new(struct loop *l, int fd, ipc_fn *fn, void *arg);
/* May be called from fn. */
void ipc_destroy(struct ipc **ip);
int ipc_fd(const struct ipc *i);
/* Steals msg; the descriptors stay the caller's. -1: errno says why, EPIPE:
 * the other end is gone; 0: the message is at fault. */
int ipc_send(struct ipc *i, json_t *msg, const int *fds, unsigned n,
    struct err *why);

#endif
