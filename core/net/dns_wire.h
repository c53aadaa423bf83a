/*
 * DNS messages: octets in, struct out. No I/O, and nothing is trusted.
 */
#ifndef NET_DNS_WIRE_H
#define NET_DNS_WIRE_H

#include <stddef.h>

#include "base/pool.h"
#include "net/dns.h"

#define DNS_NAME_TEXT 1024 /* 255 octets, each as \DDD at worst */

/*
 * Reads the answer to a question for name and type. CNAMEs are followed within
 * the message; a->canon is where that ended. a->why is set for DNS_FAIL. All
 * of the answer is in pool. A message that cannot be read is DNS_FAIL.
 */
void dns_wire_read(struct pool *pool, const void *msg, size_t n,
    const char *name, enum dns_type type, struct dns_answer *a_r);

#endif
