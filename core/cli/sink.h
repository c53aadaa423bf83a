/*
 * The receiver behind `postern sink`: takes mail and shows what arrived.
 *
 * One process, one loop, any number of connections. It accepts every sender and
 * every recipient but those that match a pattern, keeps nothing unless it
 * has a directory, and tells of each message on standard output: as a block
 * of text, as a line of JSON, or not at all.
 */
#ifndef CLI_SINK_H
#define CLI_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/sock.h"
#include "tls/tlsctx.h"

enum { SINK_LISTENERS = 16, SINK_PATTERNS = 64 };

struct sink_conf {
	const char *hostname;
	struct sock_addr listen[SINK_LISTENERS];
	unsigned listeners;
	struct tlsctx *tlsctx; /* NULL: no STARTTLS */
	const char *dir;       /* where messages go; NULL: nowhere */
	/* Globs of recipients that get a 550 or a 451. */
	const char *reject[SINK_PATTERNS];
	unsigned rejects;
	const char *tempfail[SINK_PATTERNS];
	unsigned tempfails;
	msec delay;	/* before the answer to a message */
	uint64_t count; /* end after so many; 0: never */
	bool json;
	bool quiet;
};

/* Until a signal or the count ends it; -1 if it could not begin. */
int sink_run(const struct sink_conf *conf, struct err *why);

#endif
