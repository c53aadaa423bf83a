/*
 * Private to episode.c (what happens) and episode_text.c (how it is told, kept
 * and read again).
 */
#ifndef DAEMON_EPISODE_PRIV_H
#define DAEMON_EPISODE_PRIV_H

#include "base/coll.h"
#include "base/shm.h"
#include "daemon/episode.h"
#include "tls/tlsreason.h"

struct episode_host {
	char *host, *ip, *why;
	uint64_t times;
	msec last;
};

struct episode {
	TAILQ_ENTRY(episode) link;
	struct site *site;
	uint64_t number;
	enum tls_reason cause;
	uint64_t attempts, delivered, bounced;
	msec opened, last, resolved; /* wall; resolved 0: it is open */
	msec since;		     /* clock_wall() when it came to us */
	msec told;		     /* news of it; 0: never */
	unsigned relapses;
	bool announced; /* the sinks know of it */
	bool failed;	/* since the last news */
	bool again;	/* it came back since then */
	bool through;	/* mail was delivered since the last failure */
	struct episode_host host[EPISODE_HOSTS]; /* the newest last */
	unsigned nhost;
};
TAILQ_HEAD(episode_list, episode);

/* A domain with episodes, and what workers hold for it. */
struct site {
	TAILQ_ENTRY(site) link;
	struct episode_list episodes;
	char *domain;
	bool open; /* the workers know that it is */
	struct site_held {
		bool counted; /* since the last failure */
		uint64_t held;
		msec oldest, deadline;
	} worker[SHM_MAX_WORKERS];
};

struct episodes {
	unsigned magic;
	unsigned workers;
	const struct episodes_ops *ops;
	void *arg;
	bool ready[SHM_MAX_WORKERS];
	TAILQ_HEAD(, site) sites;
	unsigned open;
	uint64_t number; /* of the youngest */
	uint64_t opened, resolved;
	bool changed;
	msec full; /* when that was last logged */
};

/* All workers together. */
void site_sum(const struct site *s, struct site_held *r);
struct site *site_find(struct episodes *e, const char *domain);
struct site *site_add(struct episodes *e, const char *domain);
struct episode *episode_add(struct episodes *e, struct site *s,
    enum tls_reason cause);
/* Takes the place of an older entry of that address; the texts are copied. */
void episode_host_put(struct episode *ep, const struct episode_host *h);

/* episode_text.c: state "opened", "updated" or "resolved" */
json_t *episode_news(const struct episode *ep, const char *state);

#endif
