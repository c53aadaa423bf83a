#include "daemon/ballot.h"

#include <string.h>

#include "base/die.h"

void
ballot_open(struct ballot *b)
{
	ASSERT(!b->open && !b->switching);
	b->number++;
	b->open = true;
	memset(b->vote, 0, sizeof(b->vote));
}

void
ballot_ask(struct ballot *b, unsigned worker)
{
	ASSERT(b->open && worker < SHM_MAX_WORKERS);
	b->vote[worker] = BALLOT_ASKED;
}

bool
ballot_counts(const struct ballot *b, unsigned worker, uint64_t number)
{
	ASSERT(worker < SHM_MAX_WORKERS);
	return b->open && number == b->number && b->vote[worker] != BALLOT_OUT;
}

void
ballot_prepared(struct ballot *b, unsigned worker)
{
	ASSERT(b->open && b->vote[worker] != BALLOT_OUT);
	b->vote[worker] = BALLOT_PREPARED;
}

void
ballot_leaves(struct ballot *b, unsigned worker)
{
	ASSERT(b->open && worker < SHM_MAX_WORKERS);
	b->vote[worker] = BALLOT_OUT;
}

bool
ballot_gone(struct ballot *b, unsigned worker)
{
	bool had = b->vote[worker] != BALLOT_OUT;

	b->vote[worker] = BALLOT_OUT;
	return b->open && had;
}

bool
ballot_carried(const struct ballot *b)
{
	return b->open && ballot_missing(b) == SHM_MAX_WORKERS;
}

unsigned
ballot_missing(const struct ballot *b)
{
	unsigned i;

	for (i = 0; i < SHM_MAX_WORKERS; i++) {
		if (b->vote[i] == BALLOT_ASKED)
			break;
	}
	return i;
}

void
ballot_switch(struct ballot *b)
{
	ASSERT(ballot_carried(b));
	b->open = false;
	b->switching = true;
}

void
ballot_switched(struct ballot *b, unsigned worker)
{
	ASSERT(worker < SHM_MAX_WORKERS);
	if (b->switching)
		b->vote[worker] = BALLOT_OUT;
}

unsigned
ballot_awaits(const struct ballot *b)
{
	unsigned i;

	for (i = 0; b->switching && i < SHM_MAX_WORKERS; i++) {
		if (b->vote[i] != BALLOT_OUT)
			return i;
	}
	return SHM_MAX_WORKERS;
}

void
ballot_close(struct ballot *b)
{
	b->open = b->switching = false;
}
