/* A relay made of a table: what the tests of the queue deliver with. */
#ifndef QUEUE_UTIL_H
#define QUEUE_UTIL_H

#include "queue/queue.h"
#include "store_util.h"

#define WORLD_EVENTS 256

enum { ANSWER_DONE = 250, ANSWER_AGAIN = 0 };

struct attempt {
	uint64_t mid;
	unsigned rid;
	msec at;	/* since the start */
};

struct world {
	struct bench b;
	struct queue *q;
	struct queue_profile profile, other; /* other: of " own" keys */
	msec start;
	/* The relay: takes what is due at once if so told, and gives every
	 * recipient this answer (a reply code, ANSWER_AGAIN: not tried). */
	bool deliver;
	int answer;
	int answer_of[8];	/* by RID, if not 0 */
	enum tls_reason tls_of[8]; /* by RID: why a 4yz is one of TLS */
	/* What is asked for in next hops with a want, all of them required. */
	msec deadline, warn_after;
	struct qhop *told[WORLD_EVENTS];
	unsigned ntold;
	struct attempt attempt[WORLD_EVENTS];
	unsigned nattempt;
	struct qunit *taken;	/* by take(), kept until tell() */
	bool got;
	/* The writer of DSNs: answers at once, or when told. */
	bool dsn_later;
	struct qunit *dsn_for[WORLD_EVENTS];
	enum report_kind dsn_kind[WORLD_EVENTS];
	unsigned dsn_n[WORLD_EVENTS];
	char dsn_status[WORLD_EVENTS][12];
	msec dsn_at[WORLD_EVENTS];
	unsigned ndsn;
	/* Of the last one's first recipient. */
	char dsn_text[512];
	unsigned dsn_rid;
	int dsn_code;
	unsigned news[QUEUE_FATES], queued;
	uint64_t next_mid;
	/* The administrator. */
	uint64_t acted;
	const char *route;	/* domains under this go to "route:R" */
	/* What recovery shall freeze, and why (NULL: nothing is). */
	uint64_t suspect;
	const char *why;
	unsigned frozen;
};

void world_init(struct world *w, bool memory);
void world_open(struct world *w);  /* queue and store, and recovers */
void world_close(struct world *w);
void world_fini(struct world *w);
/* Time goes by, and whatever is due happens. */
void world_run(struct world *w, msec by);
void world_settle(struct world *w); /* what is to be done now is done */

/* Submits a message with these recipients and waits for the disk. */
uint64_t submit(struct world *w, const char *from, const char *const *to,
    unsigned n);
/* want: what is stored with each; "" = none. */
uint64_t submit_wants(struct world *w, const char *const *to,
    const char *const *want, unsigned n);
/* own: bounce profile of each. */
uint64_t submit_profiles(struct world *w, const char *const *to,
    const char *const *own, unsigned n);
uint64_t submit_one(struct world *w, const char *from, const char *to);
/* Takes a due unit of that hop into w->taken; NULL if it vanished. */
struct qunit *take(struct world *w, const char *key);
void tell(struct world *w, struct qunit *u, int answer);
void write_dsn(struct world *w, unsigned i, bool owed);
struct queue_stats stats_of(struct world *w);
unsigned waiting_rows(struct world *w); /* in the store */
void world_taken(void *w, struct qunit *u);
void world_acted(void *w, uint64_t count, const struct err *why);
/* Runs a verb and waits; returns how many messages it acted on. */
uint64_t act(struct world *w, enum queue_verb verb,
    const struct store_filter *f);

#endif
