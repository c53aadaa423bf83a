/*
 * A worker's part in the episodes of required TLS (daemon/episodes): it tells
 * the master what fails, and of domains with an open episode what goes through
 * and what is held.
 *
 * The first failure of a domain is told at once, more of them, what went
 * through and what is in the queue by the second, one message for a domain.
 * Nothing is looked at where no domain has an episode.
 */
#ifndef DAEMON_TLSWATCH_H
#define DAEMON_TLSWATCH_H

#include <jansson.h>

#include "queue/queue.h"
#include "relay/relay.h"

#define TLSWATCH_MAX 2000  /* domains; of more nothing is told */
#define TLSWATCH_HOSTS 8   /* of a domain within a second, and reasons */
#define TLSWATCH_RATE 50   /* domains a second that are told at once */

struct tlswatch;

/* Steals its message to the master. */
typedef void tlswatch_tell(void *arg, json_t *msg);
/* Somebody is watched, or nobody is any more. */
typedef void tlswatch_on(void *arg, bool on);

struct tlswatch *tlswatch_new(tlswatch_tell *tell, tlswatch_on *on, void *arg);
void tlswatch_destroy(struct tlswatch **wp);
void tlswatch_failed(struct tlswatch *w, const struct relay_tls_fail *f);
void tlswatch_told(struct tlswatch *w, struct str domain,
    enum queue_fate fate);
/* The master's word on a domain. */
void tlswatch_heard(struct tlswatch *w, const json_t *msg);
/* Each second; q may be NULL. */
void tlswatch_beat(struct tlswatch *w, struct queue *q);

#endif
