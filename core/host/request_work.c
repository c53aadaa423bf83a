/*
 * pst_offload(): work on another thread. It has its argument and nothing else,
 * and what the event holds stays until it has returned.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/coll.h"
#include "base/log.h"
#include "host/crew.h"
#include "host/http.h"
#include "host/request_priv.h"

#define JOB_MAGIC 0xe7e47005u

struct job {
	unsigned magic;
	struct crew_job crew;
	struct request *rq; /* NULL: nobody waits any more */
	int (*work)(void *);
	void *arg;
	int result;
	_Atomic bool late; /* the loop clears the recorder, or nobody */
	struct scope *held;
	const struct host_world *world;
	struct shm_flight *recorder; /* of its thread, or NULL */
	struct flight_was was;
	struct flight by;
	/* Who is late; the instance may be gone then. */
	char who[SHM_PLUGIN_NAME];
	const char *on;
};

static struct request *let_go(struct job *j);
static void work(struct crew_job *c, unsigned thread);
static void done(struct crew_job *c);
static void late(struct crew_job *c, bool lost);
static void refused(struct crew_job *c);

static const struct crew_ops job_ops = {
	.work = work,
	.done = done,
	.late = late,
	.refused = refused,
};

enum pst_verdict
api_offload(struct pst_event *pub, int (*fn)(void *), void *arg,
    pst_then *then)
{
	struct request *rq = request_new(pub, RQ_OFFLOAD, then);
	struct instance *i;
	struct engine *e;
	struct job *j;

	if (rq == NULL)
		return PST_WAIT;
	e = rq->ev->engine;
	i = rq->ev->inst;
	OBJ_NEW(j, JOB_MAGIC);
	j->rq = rq;
	j->work = fn;
	j->arg = arg;
	j->world = &e->host->world;
	j->by = event_flight(rq->ev, WHERE_THREAD);
	j->on = rq->ev->pub.on;
	(void)snprintf(j->who, sizeof(j->who), "%s", i->name);
	j->crew.ops = &job_ops;
	j->crew.patience = event_patience(rq->ev);
	event_bind(rq->ev);
	j->held = event_scope(rq->ev, PST_EVENT);
	scope_hold(j->held);
	rq->job = j;
	if (e->crew == NULL)
		e->crew = crew_new(e->loop);
	if (i->run->share == NULL)
		i->run->share = crew_share(e->crew, i->name);
	if (!crew_submit(e->crew, i->run->share, &j->crew))
		refused(&j->crew);
	return PST_WAIT;
}

/* What has begun goes on, and needs what it has. */
void
job_drop(struct request *rq)
{
	struct job *j = rq->job;

	if (j == NULL)
		return;
	OBJ_CHECK(j, JOB_MAGIC);
	if (crew_withdraw(rq->ev->engine->crew, &j->crew))
		(void)let_go(j);
	else {
		j->rq = NULL;
		rq->job = NULL;
	}
}

void
request_fini(struct engine *e)
{
	crew_destroy(&e->crew);
	http_client_destroy(&e->http);
	mem_free(e->park);
}

/* Who waited for it. */
static struct request *
let_go(struct job *j)
{
	struct request *rq = j->rq;

	scope_unhold(&j->held);
	if (rq != NULL)
		rq->job = NULL;
	OBJ_FREE(j);
	return rq;
}

static struct job *
job_of(struct crew_job *c)
{
	struct job *j = COLL_OF(c, struct job, crew);

	OBJ_CHECK(j, JOB_MAGIC);
	return j;
}

/* On the thread. */
static void
work(struct crew_job *c, unsigned thread)
{
	struct job *j = job_of(c);
	const struct host_world *w = j->world;

	if (w->shm != NULL) {
		j->recorder = shm_flight(w->shm, w->worker, 1 + thread);
		j->by.since = clock_ticks();
		flight_enter(j->recorder, &j->by, &j->was);
	}
	j->result = j->work(j->arg);
	if (j->recorder != NULL && !atomic_load(&j->late))
		flight_leave(j->recorder, &j->was);
}

static void
done(struct crew_job *c)
{
	struct job *j = job_of(c);
	int result = j->result;
	struct request *rq;

	if (j->recorder != NULL && atomic_load(&j->late))
		flight_leave(j->recorder, &j->was);
	rq = let_go(j);
	if (rq == NULL)
		return;
	rq->res.code = (uint32_t)result;
	request_resume(rq, &rq->res);
}

/* Once for each: whoever waited has had its deadline. At the worker's end what
 * it would write to goes before it. */
static void
late(struct crew_job *c, bool lost)
{
	struct job *j = job_of(c);
	const struct host_world *w = j->world;
	char key[96], text[256];
	struct host_alert a = { .severity = "Warning", .category = "System",
		.key = key, .text = text };

	atomic_store(&j->late, true);
	mail_log(EV_PLUGIN_LATE, j->who, j->on, j->by.mid, j->by.icid,
	    (uint64_t)c->patience, lost ? "another takes its place" :
	    "there are no more");
	if (w->alert == NULL)
		return;
	(void)snprintf(key, sizeof(key), "plugin:%s", j->who);
	(void)snprintf(text, sizeof(text), "plugin %s: work on a thread, begun "
	    "at %s, has not come back", j->who, j->on);
	w->alert(w->arg, &a);
}

static void
refused(struct crew_job *c)
{
	struct request *rq = let_go(job_of(c));

	request_later(rq, PST_FAILED, "too much of its work does not come "
	    "back");
}
