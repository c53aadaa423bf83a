/*
 * Between workers and keeper: one message a request, one an answer, over a
 * SOCK_SEQPACKET pair. Both ends are on one machine and of one build.
 */
#ifndef DAEMON_KEYWIRE_H
#define DAEMON_KEYWIRE_H

#include <stdint.h>

#include "tls/tlsident.h"

/* What is signed may be a whole handshake (TLS 1.2, client's certificate). */
#define KEYWIRE_INPUT_MAX (64 * 1024)
#define KEYWIRE_SIG_MAX 1024

/* algorithm 0: the answer to op is of no use any more. n octets follow. */
struct keywire_request {
	uint64_t op;
	struct tlskey_id key;
	uint32_t algorithm;
	uint32_t n;
};

/* n 0: refused. n octets of the signature follow. */
struct keywire_answer {
	uint64_t op;
	uint32_t n;
	uint32_t unused;
};

#endif
