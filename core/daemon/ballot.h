/*
 * Which workers have prepared a new configuration.
 *
 * The master asks each that is alive; only when all have prepared it does
 * anybody switch. A worker that refuses, or ends before the switch, brings the
 * ballot down; one that is stopping has no say, its successor has. Ballots are
 * numbered: what is said to one that is over is not counted for the next.
 *
 * One that is carried goes on until all who voted have switched, stopped or
 * ended: then nobody works under the configuration before.
 */
#ifndef DAEMON_BALLOT_H
#define DAEMON_BALLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/shm.h"

enum ballot_vote { BALLOT_OUT, BALLOT_ASKED, BALLOT_PREPARED };

struct ballot {
	uint64_t number;
	bool open, switching;
	enum ballot_vote vote[SHM_MAX_WORKERS];
};

/* The next number; nobody is asked yet. */
void ballot_open(struct ballot *b);
void ballot_ask(struct ballot *b, unsigned worker);
/* Is what this worker says to that number of weight? */
bool ballot_counts(const struct ballot *b, unsigned worker, uint64_t number);
void ballot_prepared(struct ballot *b, unsigned worker);
/* It stops, as it was told. */
void ballot_leaves(struct ballot *b, unsigned worker);
/* Its process is gone; true: it had a say, nobody may switch. */
bool ballot_gone(struct ballot *b, unsigned worker);
/* Everybody who was asked has prepared it. */
bool ballot_carried(const struct ballot *b);
/* The first that has not answered; SHM_MAX_WORKERS: all have. */
unsigned ballot_missing(const struct ballot *b);
/* It is carried: it is closed, and those who voted are awaited. */
void ballot_switch(struct ballot *b);
/* This worker has switched, or is about to end. */
void ballot_switched(struct ballot *b, unsigned worker);
/* The first that is still awaited; SHM_MAX_WORKERS: nobody is. */
unsigned ballot_awaits(const struct ballot *b);
/* The votes stay, to tell those who were asked. */
void ballot_close(struct ballot *b);

#endif
