/*
 * Private to core/host: one request of an event.
 *
 * It hangs on its event until it is answered or dropped. An answer comes from
 * the loop: one that is there at once is told by a timer of 0 ms.
 */
#ifndef HOST_REQUEST_PRIV_H
#define HOST_REQUEST_PRIV_H

#include <postern/lookup.h>

#include "host/event_priv.h"

#define REQUEST_MAGIC 0xe7e47004u

struct job;

/* Nothing in front of the world. */
extern const struct host_net request_net;

struct request {
	unsigned magic;
	enum request_kind kind;
	bool ready;    /* res is the answer, the timer tells it */
	bool starting; /* inside the call that asks the world */
	struct event *ev;
	pst_then *then;
	pst_fn *fn; /* RQ_TASK */
	struct pst_result res;
	struct pool *pool; /* of res; made when it is needed */
	uint32_t ms;
	struct loop_timer timer;
	TAILQ_ENTRY(request) link;
	/* one of them */
	struct loop_fd *watch;
	struct job *job;
	struct dns_query *dns;
	struct http *http;
	uint32_t park; /* slot + 1 */
	struct op_run *op;
	const char *table;
	struct pst_lookup lookup;
};

/* peek.c: what an event (arg) is about, to be read by the table it asks. */
extern const struct about_ops peek_ops;

/* NULL: it cannot be; the event is at fault. */
struct request *request_new(struct pst_event *pub, enum request_kind kind,
    pst_then *then);
struct pool *request_pool(struct request *rq);
/* Runs the continuation with res (rq->res or whoever's); rq is gone after. */
void request_resume(struct request *rq, const struct pst_result *res);
/* The same, from the loop's next round. */
void request_later(struct request *rq, enum pst_status status,
    const char *error);
/* Copies r, of whatever size the plugin knows, with its items. */
void request_copy(struct request *rq, const struct pst_result *r);
void request_result(struct request *rq, enum pst_status status,
    const char *error);

void job_drop(struct request *rq);
void ask_drop(struct request *rq);
void ask_lookup(struct request *rq);
void park_free(struct request *rq);

#endif
