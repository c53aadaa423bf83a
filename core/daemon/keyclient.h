/*
 * The worker's end: private keys that are in the keeper, as struct tls_keyops
 * (tls/tlsctx.h) with a struct tlskey_id as key_id.
 *
 * Any number of operations may be under way. What was sent to a keeper that
 * ends fails; what was not sent yet waits for the next one.
 */
#ifndef DAEMON_KEYCLIENT_H
#define DAEMON_KEYCLIENT_H

#include "net/loop.h"
#include "tls/tlsctx.h"

#define KEYCLIENT_MAX 65536 /* operations under way */

struct keyclient;

/* arg is a struct keyclient. */
extern const struct tls_keyops keyclient_ops;

/* tlsio_key_done(), or what stands for it. */
typedef void keyclient_done_fn(void *ticket, bool ok, const uint8_t *sig,
    size_t n);

/* fd: a connection to the keeper, or -1 while there is none. Takes it. */
struct keyclient *keyclient_new(struct loop *l, int fd,
    keyclient_done_fn *done);
/* Another one, in place of what there was. */
void keyclient_connect(struct keyclient *k, int fd);
void keyclient_destroy(struct keyclient **kp);
unsigned keyclient_waiting(const struct keyclient *k);

#endif
