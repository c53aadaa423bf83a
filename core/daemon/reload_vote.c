/*
 * The second half of a reload: each worker prepares the new configuration, its
 * plugins' start hooks and all, while it goes on under the old one. Only when
 * all have done so do they and the master switch; who asked for it is answered
 * when all have.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "base/obj.h"
#include "daemon/master_priv.h"

#define PATIENCE SECONDS(10) /* beside what its plugins are given to start */

static int	propose(struct child *, struct err *);
static msec	patience(const struct conf *);
static void	vote_late(void *);
static void	switch_late(struct master *);
static void	count(struct master *);
static void	settle(struct master *);
static void	fell(struct master *, const char *);
static void	fell_by_chance(struct master *, const char *);
static void	tell(struct master *, const char *, enum ballot_vote);

void
reload_vote(struct master *m)
{
	struct err why = ERR_INIT;
	unsigned i;

	ballot_open(&m->ballot);
	loop_timer_init(m->loop, &m->vote_late, vote_late, m);
	loop_timer_set(&m->vote_late, patience(m->next_conf));
	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid != 0 && propose(&m->child[i], &why) != 0) {
			fell_by_chance(m, why.text);
			return;
		}
	}
	/* Were all of them gone, the first successor has its say. */
	if (ballot_missing(&m->ballot) < SHM_MAX_WORKERS)
		count(m);
}

static int
propose(struct child *c, struct err *why)
{
	struct master *m = c->m;
	int fds[IPC_FDS];
	json_t *msg;
	unsigned n;

	msg = epoch_pack(m->next, fds, &n, why);
	if (msg == NULL)
		return -1;
	(void)json_object_set_new(msg, "ballot",
	    json_integer((json_int_t)m->ballot.number));
	if (ipc_send(c->ipc, msg, fds, n, why) != 0) {
		/* It is gone, not buried yet: its successor is asked. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		(void)err_prefix(why, "worker %u: ", c->index);
		return -1;
	}
	ballot_ask(&m->ballot, c->index);
	return 0;
}

/* They start one after another, each within its deadline. */
static msec
patience(const struct conf *c)
{
	msec most = PATIENCE;
	unsigned i;

	for (i = 0; i < c->nplugin; i++) {
		if (c->plugin[i].by == NULL)
			most += c->plugin[i].timeout;
	}
	return most;
}

static void
vote_late(void *arg)
{
	struct master *m;
	char text[120];

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (m->ballot.switching)
		switch_late(m);
	if (!m->ballot.open)
		return;
	(void)snprintf(text, sizeof(text), "worker %u has not prepared it in "
	    "%" PRId64 " s", ballot_missing(&m->ballot),
	    patience(m->next_conf) / 1000);
	fell_by_chance(m, text);
}

/* It prepared it, so it will; nobody else is held up. */
static void
switch_late(struct master *m)
{
	log_warning("worker %u is late to switch", ballot_awaits(&m->ballot));
	ballot_close(&m->ballot);
	reload_ended(m, NULL);
}

void
reload_child_new(struct child *c)
{
	struct err why = ERR_INIT;

	if (c->m->ballot.open && propose(c, &why) != 0)
		fell_by_chance(c->m, why.text);
}

void
reload_child_said(struct child *c, const char *type, const json_t *msg)
{
	struct master *m = c->m;
	const char *text = control_text(msg, "why");
	struct err why = ERR_INIT;

	if (strcmp(type, "leaves") == 0)
		reload_child_switched(c); /* it need not any more */
	if (!ballot_counts(&m->ballot, c->index,
		(uint64_t)control_number(msg, "ballot", 0)))
		return;
	if (strcmp(type, "refused") == 0) {
		(void)err_text(&why, "worker %u: %s", c->index,
		    text != NULL ? text : "");
		fell(m, why.text);
		return;
	}
	if (strcmp(type, "prepared") == 0)
		ballot_prepared(&m->ballot, c->index);
	else
		ballot_leaves(&m->ballot, c->index);
	count(m);
}

static void
count(struct master *m)
{
	struct err why = ERR_INIT;

	if (!ballot_carried(&m->ballot))
		return;
	if (reload_accept(m, &why) != 0) {
		fell(m, why.text);
		return;
	}
	ballot_switch(&m->ballot);
	loop_timer_set(&m->vote_late, PATIENCE);
	/* Before anybody works under it. */
	if (m->reloading != RELOAD_ALL)
		blame_inherit(m, epoch_generation(m->next));
	tell(m, "switch", BALLOT_PREPARED);
	reload_switch(m);
	settle(m);
}

/* Does everybody work under it? */
static void
settle(struct master *m)
{
	if (!m->ballot.switching ||
	    ballot_awaits(&m->ballot) < SHM_MAX_WORKERS)
		return;
	ballot_close(&m->ballot);
	loop_timer_clear(&m->vote_late);
	reload_ended(m, NULL);
}

void
reload_child_switched(struct child *c)
{
	ballot_switched(&c->m->ballot, c->index);
	settle(c->m);
}

/* Those that are alive, with such a vote. */
static void
tell(struct master *m, const char *what, enum ballot_vote least)
{
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid == 0 || m->ballot.vote[i] < least)
			continue;
		if (ipc_send(m->child[i].ipc, json_pack("{s:s, s:I}", "type",
		    what, "ballot", (json_int_t)m->ballot.number), NULL, 0,
			&why) != 0) {
			/* Its successor has by birth what is in force. */
			log_warning("worker %u: %s", i, why.text);
			(void)kill(m->child[i].pid, SIGTERM);
		}
	}
}

/* Of its own contents: it would be refused the next time, too. */
static void
fell(struct master *m, const char *why)
{
	ballot_close(&m->ballot);
	loop_timer_clear(&m->vote_late);
	tell(m, "drop", BALLOT_ASKED);
	reload_refused(m, why);
}

/* Nothing is wrong with the certificates: they are looked at again. */
static void
fell_by_chance(struct master *m, const char *why)
{
	if (m->reloading == RELOAD_CERTS)
		m->watched = 0;
	fell(m, why);
}

/* One that stopped in order may have had no time to say that it leaves. */
void
reload_child_gone(struct child *c, bool in_order)
{
	char text[64];

	if (!ballot_gone(&c->m->ballot, c->index)) {
		settle(c->m);
		return;
	}
	if (in_order) {
		count(c->m);
		return;
	}
	(void)snprintf(text, sizeof(text), "worker %u ended while it was to "
	    "prepare it", c->index);
	fell_by_chance(c->m, text);
}

/* Its successor has the keys that are in force, not the new ones. */
void
reload_keeper_gone(struct master *m)
{
	if (m->ballot.open)
		fell_by_chance(m, "the keeper ended meanwhile");
}

void
reload_stopping(struct master *m)
{
	bool open = m->ballot.open;

	if (!open && !m->ballot.switching)
		return;
	ballot_close(&m->ballot);
	loop_timer_clear(&m->vote_late);
	reload_ended(m, open ? "the relay is stopping" : NULL);
}
