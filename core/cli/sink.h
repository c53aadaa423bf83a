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
#include "cli/sink_fault.h"
#include "cli/sink_tls.h"
#include "net/sock.h"

enum { SINK_LISTENERS = 1024, SINK_PATTERNS = 64 };

/* An address and what goes wrong there. */
struct sink_address {
	struct sock_addr at;
	struct sink_words words;
};

struct sink_conf {
	const char *hostname;
	struct sink_address *listen;
	unsigned listeners;
	struct sink_tls *tls; /* NULL: no STARTTLS */
	const char *dir;      /* where messages go; NULL: nowhere */
	const char *capture;  /* the same for what was on the wire */
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
