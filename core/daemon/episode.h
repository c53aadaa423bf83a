/*
 * Episodes of required TLS that could not be had: the master's.
 *
 * An episode is a domain with a cause (tbl/reasons.h). The first failure that a
 * worker tells of opens it, later ones are counted in it. It is resolved when
 * mail for the domain goes through again with what is required, or when no
 * worker holds any for it; for the latter each must have looked since the last
 * failure. One that comes back within EPISODE_RELAPSE goes on under its number,
 * and is then resolved when nothing failed for as long: a host of several that
 * always fails makes one episode, not one for each message.
 *
 * Of each the sinks are told once when it is opened (what all workers hold has
 * been added up before, EPISODE_PATIENCE at most), at most every
 * EPISODE_UPDATE while it goes on, and once when it is resolved; their throttle
 * does the rest. Where the switch is off (delivery.alert_required_tls) it is
 * kept all the same.
 *
 * episodes_save() and episodes_load() carry them over a restart: what was
 * announced is not announced again, and goes on or is resolved as it turns out.
 */
#ifndef DAEMON_EPISODE_H
#define DAEMON_EPISODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define EPISODES_MAX 1000 /* open at once; of more there is a line a minute */
#define EPISODE_HOSTS 8	  /* that are named; the oldest goes first */
#define EPISODE_PATIENCE SECONDS(3)
#define EPISODE_UPDATE SECONDS(10)
#define EPISODE_RELAPSE MINUTES(10)

struct episodes;

struct episodes_ops {
	/* An alert: {"text":, "detail":, "key":, "state":, …} as alert_sink.h
	 * has its members. told: to the sinks; else it is for the history. */
	void (*news)(void *arg, json_t *alert, bool told);
	/* To one worker. */
	void (*tell)(void *arg, unsigned worker, json_t *msg);
};

struct episodes *episodes_new(unsigned workers,
    const struct episodes_ops *ops, void *arg);
void episodes_destroy(struct episodes **ep);
/* A worker's message of type "episode" (daemon/tlswatch). */
void episodes_said(struct episodes *e, unsigned worker, const json_t *msg);
/* It serves, or is gone. */
void episodes_worker(struct episodes *e, unsigned worker, bool ready);
/* Each second. alerts: the switch. */
void episodes_tick(struct episodes *e, bool alerts);
unsigned episodes_open(const struct episodes *e);
/* Since the start. */
uint64_t episodes_opened(const struct episodes *e);
uint64_t episodes_resolved(const struct episodes *e);
/* Did anything change since the last call? */
bool episodes_changed(struct episodes *e);
/* An array; those that are resolved, but may come back, have "resolved". */
json_t *episodes_save(const struct episodes *e);
/* What cannot be read is left out. */
void episodes_load(struct episodes *e, const json_t *saved);

#endif
