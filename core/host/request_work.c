/*
 * pst_offload(): work on another thread. It has its argument and nothing else,
 * and what the event holds stays until it has returned.
 */
#include <stdatomic.h>

#include "base/offload.h"
#include "host/flight.h"
#include "host/http.h"
#include "host/request_priv.h"

#define JOB_MAGIC 0xe7e47005u

enum { SCOPES = 5 };

struct job {
	unsigned magic;
	struct request *rq; /* NULL: nobody waits any more */
	_Atomic bool off;   /* so; it need not begin */
	int (*work)(void *);
	void *arg;
	int result;
	struct scope *held[SCOPES];
	struct shm_flight *recorder; /* of its thread, or NULL */
	struct flight by;
};

static struct offload **thread_of(struct engine *e);
static void hold_all(struct job *j, struct event *ev);
static void work(void *arg);
static void done(void *arg);

enum pst_verdict
api_offload(struct pst_event *pub, int (*fn)(void *), void *arg,
    pst_then *then)
{
	struct request *rq = request_new(pub, RQ_OFFLOAD, then);
	struct offload **thread;
	struct engine *e;
	struct job *j;

	if (rq == NULL)
		return PST_WAIT;
	OBJ_NEW(j, JOB_MAGIC);
	j->rq = rq;
	j->work = fn;
	j->arg = arg;
	hold_all(j, rq->ev);
	rq->job = j;
	e = rq->ev->engine;
	thread = thread_of(e);
	if (e->recorder != NULL) {
		j->recorder = shm_flight(e->host->world.shm,
		    e->host->world.worker, 1 + (unsigned)(thread - e->thread));
		j->by = event_flight(rq->ev, WHERE_THREAD);
	}
	offload_submit(*thread, work, done, j);
	return PST_WAIT;
}

void
job_drop(struct request *rq)
{
	if (rq->job == NULL)
		return;
	OBJ_CHECK(rq->job, JOB_MAGIC);
	rq->job->rq = NULL;
	atomic_store(&rq->job->off, true);
	rq->job = NULL;
}

void
request_fini(struct engine *e)
{
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		if (e->thread[i] == NULL)
			continue;
		loop_offload_stop(e->loop, e->thread[i]);
		offload_destroy(&e->thread[i]);
	}
	http_client_destroy(&e->http);
	mem_free(e->park);
}

/* The one with the least to do; threads are made as they are needed. */
static struct offload **
thread_of(struct engine *e)
{
	struct offload **best = NULL;
	unsigned i;

	for (i = 0; i < THREADS; i++) {
		if (e->thread[i] == NULL) {
			if (best != NULL && offload_pending(*best) == 0)
				break;
			e->thread[i] = offload_new("plugin");
			loop_offload(e->loop, e->thread[i]);
		}
		if (best == NULL ||
		    offload_pending(e->thread[i]) < offload_pending(*best))
			best = &e->thread[i];
	}
	return best;
}

static void
hold_all(struct job *j, struct event *ev)
{
	struct scope **sp;
	int which;

	for (which = PST_EVENT; which <= PST_INSTANCE; which++) {
		if (which == PST_EVENT || which == PST_INSTANCE)
			j->held[which] = event_scope(ev,
			    (enum pst_scope)which);
		else if (ev->about->ops->scope != NULL) {
			sp = ev->about->ops->scope(ev->about->arg, which,
			    ev->rcpt);
			j->held[which] = sp != NULL ? *sp : NULL;
		}
		if (j->held[which] != NULL)
			scope_hold(j->held[which]);
	}
}

/* On the thread. */
static void
work(void *arg)
{
	struct flight_was was;
	struct job *j;

	OBJ_CAST(j, arg, JOB_MAGIC);
	if (atomic_load(&j->off))
		return;
	if (j->recorder != NULL) {
		j->by.since = clock_ticks();
		flight_enter(j->recorder, &j->by, &was);
	}
	j->result = j->work(j->arg);
	if (j->recorder != NULL)
		flight_leave(j->recorder, &was);
}

static void
done(void *arg)
{
	struct request *rq;
	struct job *j;
	unsigned i;

	OBJ_CAST(j, arg, JOB_MAGIC);
	rq = j->rq;
	for (i = 0; i < SCOPES; i++)
		scope_unhold(&j->held[i]);
	if (rq != NULL) {
		rq->job = NULL;
		rq->res.code = (uint32_t)j->result;
	}
	OBJ_FREE(j);
	if (rq != NULL)
		request_resume(rq, &rq->res);
}
