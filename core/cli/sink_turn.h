/*
 * What holds at one address of the sink, connection after connection: the
 * words of sink_fault.h made into settings, contexts and limits. That is done
 * at the start, so that what cannot be is told then.
 */
#ifndef CLI_SINK_TURN_H
#define CLI_SINK_TURN_H

#include "cli/sink.h"
#include "smtp/smtpd.h"

struct sink_turn {
	uint64_t until; /* the first connection behind it; 0: none is */
	struct sink_setting set;
	struct tlsctx *tlsctx; /* NULL: no STARTTLS */
	struct smtpd_conf smtpd;
};

/* Must stay where it is. */
struct sink_turns {
	struct sink_turn turn[SINK_WORDS + 1];
	unsigned n;
	uint64_t connections;
};

int sink_turns_make(struct sink_turns *t, const struct sink_conf *conf,
    const struct sink_words *words, struct err *why);
void sink_turns_fini(struct sink_turns *t);
/* For the next connection. */
const struct sink_turn *sink_turns_take(struct sink_turns *t);

#endif
