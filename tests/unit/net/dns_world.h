/*
 * A resolver for tests: a file of records, and a name server on loopback that
 * lives on the same loop.
 *
 * The server answers "NAME A" with 192.0.2.99 for any name but those under
 * servfail.example, refused.example, silent.example, nodata.example,
 * nxdomain.example and garbage.example, which say what happens.
 */
#ifndef DNS_WORLD_H
#define DNS_WORLD_H

#include "net/dns.h"

extern struct loop *world_loop;
extern struct dns *world_dns;
extern unsigned world_asked; /* questions that reached the server */

/* records: the text of the file, or NULL. */
void world_start(const char *records, msec timeout);
void world_stop(void);

#endif
