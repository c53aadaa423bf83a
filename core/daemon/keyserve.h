/*
 * The keeper's end: takes the requests of any number of workers, signs, and
 * answers.
 *
 * One signature with RSA-4096 takes as long as a hundred with P-256. So in
 * each turn the fast ones go first, a few of each worker, then one slow one of
 * the worker whose turn it is; what came in meanwhile is read before the next.
 * Workers are strangers here: a malformed request ends the connection, and
 * what one may have waiting is bounded (it is not read any further).
 */
#ifndef DAEMON_KEYSERVE_H
#define DAEMON_KEYSERVE_H

#include <stdint.h>

#include "net/loop.h"
#include "tls/keyring.h"

#define KEYSERVE_QUEUE 1024		    /* requests of a worker */
#define KEYSERVE_OCTETS (4 * 1024 * 1024) /* of their input */

/* As keyring_cost() and keyring_sign(). */
struct keyserve_ops {
	enum keyring_cost (*cost)(void *arg, const struct tlskey_id *id);
	int (*sign)(void *arg, const struct tlskey_id *id, uint16_t algorithm,
	    struct str in, uint8_t *out, size_t *out_n, size_t max);
};

struct keyserve;

struct keyserve *keyserve_new(struct loop *l, const struct keyserve_ops *ops,
    void *arg);
/* A worker's connection; takes fd. */
void keyserve_add(struct keyserve *s, int fd);
void keyserve_destroy(struct keyserve **sp);

#endif
