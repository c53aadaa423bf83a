/*
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt).
 *
 * Pure: bytes in, addresses out. Only offered to connections from listed
 * addresses, where it is mandatory.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "net/sock.h"

struct proxy_result {
	bool local; /* LOCAL or UNKNOWN: keep the socket's addresses */
	struct sock_addr source, destination;
};

enum proxy_status { PROXY_MORE, PROXY_DONE, PROXY_BAD };

/* used_r: octets of the header, on PROXY_DONE. Never more than 4 KB. */
enum proxy_status proxy_parse(struct str in, struct proxy_result *r,
    size_t *used_r, struct err *why);

#endif
