/*
 * Requests: timers, file descriptors, parking; how they are answered and
 * dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "host/request_priv.h"

/* A size that was forgotten would make a failure a success. */
#define RESULT_SIZE_1_0                                                        \
	(offsetof(struct pst_result, item) +                                   \
	    sizeof(((struct pst_result *)0)->item))

static void on_timer(void *arg);
static void on_fd(void *arg, int fd, unsigned what);
static void drop(struct request *rq);
static bool park_take(struct request *rq);
static enum pst_verdict never(struct pst_event *pub,
    const struct pst_result *r);

struct request *
request_new(struct pst_event *pub, enum request_kind kind, pst_then *then)
{
	struct event *ev = event_of(pub);
	struct request *rq;

	if (ev == NULL)
		return NULL;
	if (ev->alone)
		ev->fault = "it waits inside each_rcpt";
	else if (!on_waits(ev->on))
		ev->fault = "it may not wait here";
	else if (ev->nrequests >= REQUESTS_MAX)
		ev->fault = "more than 64 requests";
	else if (then == NULL)
		ev->fault = "a request without a continuation";
	if (ev->fault != NULL || ev->dead)
		return NULL;
	OBJ_NEW(rq, REQUEST_MAGIC);
	rq->kind = kind;
	rq->ev = ev;
	rq->then = then;
	rq->res.size = sizeof(rq->res);
	loop_timer_init(ev->engine->loop, &rq->timer, on_timer, rq);
	TAILQ_INSERT_TAIL(&ev->requests, rq, link);
	ev->nrequests++;
	return rq;
}

struct pool *
request_pool(struct request *rq)
{
	if (rq->pool == NULL)
		rq->pool = pool_new(0);
	return rq->pool;
}

void
request_resume(struct request *rq, const struct pst_result *res)
{
	struct event *ev = rq->ev;
	enum event_result r;

	OBJ_CHECK(rq, REQUEST_MAGIC);
	TAILQ_REMOVE(&ev->requests, rq, link);
	ev->nrequests--;
	drop(rq);
	stat_begin(ev->engine);
	r = event_call(ev, rq->fn, rq->then, res);
	pool_destroy(&rq->pool);
	OBJ_FREE(rq);
	if (r != EVENT_WAITS)
		ev->over(ev);
}

void
request_result(struct request *rq, enum pst_status status, const char *error)
{
	rq->res.status = status;
	rq->res.error = error;
}

void
request_later(struct request *rq, enum pst_status status, const char *error)
{
	request_result(rq, status, error);
	rq->ready = true;
	loop_timer_set(&rq->timer, 0);
}

void
request_copy(struct request *rq, const struct pst_result *r)
{
	struct pool *pool = request_pool(rq);
	struct pst_result *res = &rq->res;
	struct pst_str *item;
	uint32_t i;

	if (r == NULL)
		return;
	if (r->size < RESULT_SIZE_1_0) {
		request_result(rq, PST_FAILED, "a result without its size");
		return;
	}
	memcpy(res, r, r->size < sizeof(*res) ? r->size : sizeof(*res));
	res->size = sizeof(*res);
	res->error = pool_strdup(pool, res->error);
	if (res->item == NULL)
		res->count = 0;
	item = pool_alloc(pool, res->count * sizeof(*item));
	for (i = 0; i < res->count; i++) {
		item[i].n = res->item[i].n;
		item[i].p = pool_strndup(pool, res->item[i].p, item[i].n);
	}
	res->item = item;
}

void
request_cancel_all(struct event *ev)
{
	struct request *rq;

	while ((rq = TAILQ_FIRST(&ev->requests)) != NULL) {
		TAILQ_REMOVE(&ev->requests, rq, link);
		ev->nrequests--;
		drop(rq);
		pool_destroy(&rq->pool);
		OBJ_FREE(rq);
	}
}

/* The first function of a task, as if it were a continuation. */
void
request_task(struct event *ev, pst_fn *fn)
{
	struct request *rq;

	ev->depth++; /* it is asked for in its name */
	rq = request_new(&ev->pub, RQ_TASK, never);
	ev->depth--;
	rq->fn = fn;
	request_later(rq, PST_OK, NULL);
}

enum pst_verdict
api_timer(struct pst_event *pub, uint32_t ms, pst_then *then)
{
	struct request *rq = request_new(pub, RQ_TIMER, then);

	if (rq != NULL)
		loop_timer_set(&rq->timer, ms);
	return PST_WAIT;
}

enum pst_verdict
api_watch(struct pst_event *pub, int fd, int events, uint32_t ms,
    pst_then *then)
{
	struct request *rq = request_new(pub, RQ_WATCH, then);
	struct stat st;

	if (rq == NULL)
		return PST_WAIT;
	/* epoll refuses files, and libevent keeps that to itself. */
	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		request_later(rq, PST_FAILED, "nothing that can be watched");
		return PST_WAIT;
	}
	if (events <= 0 || events > (PST_READ | PST_WRITE)) {
		request_later(rq, PST_FAILED, "nothing to watch for");
		return PST_WAIT;
	}
	rq->watch = loop_fd_start(rq->ev->engine->loop, fd, (unsigned)events,
	    on_fd, rq);
	rq->ms = ms;
	if (ms > 0)
		loop_timer_set(&rq->timer, ms);
	return PST_WAIT;
}

enum pst_verdict
api_park(struct pst_event *pub, uint32_t ms, uint64_t *id, pst_then *then)
{
	struct request *rq = request_new(pub, RQ_PARK, then);
	struct engine *e;

	*id = 0;
	if (rq == NULL)
		return PST_WAIT;
	if (!park_take(rq)) {
		request_later(rq, PST_FAILED, "too many are parked");
		return PST_WAIT;
	}
	e = rq->ev->engine;
	*id = (uint64_t)e->park[rq->park - 1].generation << 32 | rq->park;
	rq->ms = ms;
	if (ms > 0)
		loop_timer_set(&rq->timer, ms);
	return PST_WAIT;
}

bool
api_wake(struct pst_event *pub, uint64_t id, const struct pst_result *result)
{
	struct event *ev = event_of(pub);
	uint32_t slot = (uint32_t)id - 1;
	struct engine *e;
	struct request *rq;

	if (ev == NULL)
		return false;
	e = ev->engine;
	if ((uint32_t)id == 0 || slot >= e->nparks ||
	    e->park[slot].generation != id >> 32)
		return false;
	rq = e->park[slot].request;
	if (rq == NULL || rq->ev->inst != ev->inst)
		return false;
	park_free(rq);
	request_copy(rq, result);
	request_later(rq, rq->res.status, rq->res.error);
	return true;
}

/* The slot's next user has another id. */
void
park_free(struct request *rq)
{
	struct engine *e = rq->ev->engine;
	uint32_t slot;

	if (rq->park == 0)
		return;
	slot = rq->park - 1;
	rq->park = 0;
	e->park[slot].request = NULL;
	e->park[slot].generation++;
	e->park[slot].next = e->spare_park;
	e->spare_park = slot;
}

static bool
park_take(struct request *rq)
{
	struct engine *e = rq->ev->engine;
	uint32_t i, n;

	if (e->spare_park == UINT32_MAX) {
		if (e->nparks >= PARKED_MAX)
			return false;
		n = e->nparks == 0 ? 64 : e->nparks * 2;
		e->park = mem_realloc(e->park, n * sizeof(*e->park));
		for (i = n; i-- > e->nparks;) {
			e->park[i] = (struct park){ 1, e->spare_park, NULL };
			e->spare_park = i;
		}
		e->nparks = n;
	}
	i = e->spare_park;
	e->spare_park = e->park[i].next;
	e->park[i].request = rq;
	rq->park = i + 1;
	return true;
}

static void
on_timer(void *arg)
{
	struct request *rq;

	OBJ_CAST(rq, arg, REQUEST_MAGIC);
	if (rq->kind == RQ_LOOKUP && !rq->ready) {
		ask_lookup(rq);
		return;
	}
	if (rq->kind != RQ_TIMER && !rq->ready)
		request_result(rq, PST_TIMEOUT, pool_printf(request_pool(rq),
		    "nothing within %u ms", rq->ms));
	request_resume(rq, &rq->res);
}

static void
on_fd(void *arg, int fd, unsigned what)
{
	struct request *rq;

	(void)fd;
	OBJ_CAST(rq, arg, REQUEST_MAGIC);
	rq->res.code = what;
	request_resume(rq, &rq->res);
}

/* It is off the event's list; the world outside forgets it. */
static void
drop(struct request *rq)
{
	loop_timer_clear(&rq->timer);
	loop_fd_stop(&rq->watch);
	park_free(rq);
	job_drop(rq);
	ask_drop(rq);
}

/* A task has fn in its place. */
static enum pst_verdict
never(struct pst_event *pub, const struct pst_result *r)
{
	(void)pub;
	(void)r;
	panic("a task has no continuation");
}
