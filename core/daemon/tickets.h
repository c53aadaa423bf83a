/*
 * Keys of session tickets: the newest makes them, two more are still accepted.
 * A worker that starts has them by birth, a running one by message; a new
 * master has new ones.
 */
#ifndef DAEMON_TICKETS_H
#define DAEMON_TICKETS_H

#include <jansson.h>

#include "tls/tlsctx.h"

/* The first ones. */
void tickets_init(struct tls_ticket_keys *k);
/* A new one in front; the oldest goes if there are three. */
void tickets_turn(struct tls_ticket_keys *k);
/* As a message {"type":"tickets", ...} from master to worker, and back. */
json_t *tickets_pack(const struct tls_ticket_keys *k);
int tickets_unpack(struct tls_ticket_keys *k_r, const json_t *msg);

#endif
