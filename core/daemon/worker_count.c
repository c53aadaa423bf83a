/*
 * What the parts of a worker count for themselves, to the node's metrics: what
 * came since the last time, so that a successor's begin where these ended.
 */
#include "daemon/worker_priv.h"

static void	add(const struct worker *, unsigned, uint64_t, uint64_t *);

void
worker_count(struct worker *w)
{
	struct worker_counted *c = &w->counted;
	struct shm *shm = w->env->shm;
	unsigned i = w->env->index;
	struct inbound_stats in;
	struct relay_stats rs;
	struct store_stats ss;
	struct queue_stats qs;
	struct dns_stats ds;

	inbound_stats(w->inbound, &in);
	relay_stats(w->relay, &rs);
	store_stats(w->store, &ss);
	queue_stats(w->queue, &qs);
	dns_stats(w->dns, &ds);
	add(w, M_SESSIONS, in.accepted, &c->sessions);
	add(w, M_SESSIONS_REFUSED, in.refused, &c->refused);
	add(w, M_MESSAGES_IN, in.messages, &c->messages);
	add(w, M_BYTES_IN, in.bytes, &c->bytes);
	add(w, M_RCPTS_IN, in.recipients, &c->rcpts);
	add(w, M_RCPTS_REFUSED, in.rejected, &c->rejected);
	add(w, M_MESSAGES_REFUSED, in.unwanted, &c->unwanted);
	add(w, M_STORE_COMMITS, ss.commits, &c->commits);
	add(w, M_STORE_ERRORS, ss.failures, &c->failures);
	add(w, M_DNS_QUERIES, ds.queries, &c->queries);
	add(w, M_DNS_FAILED, ds.failed, &c->unanswered);
	shm_metric_set(shm, i, M_SESSIONS_NOW, in.connections);
	shm_metric_set(shm, i, M_CONNS_OUT_NOW, rs.connections);
	shm_metric_set(shm, i, M_QUEUE_MESSAGES, (int64_t)qs.messages);
	shm_metric_set(shm, i, M_QUEUE_RCPTS, (int64_t)qs.recipients);
	shm_metric_set(shm, i, M_QUEUE_BYTES, (int64_t)qs.bytes);
}

static void
add(const struct worker *w, unsigned metric, uint64_t now, uint64_t *last)
{
	shm_metric_add(w->env->shm, w->env->index, metric,
	    (int64_t)(now - *last));
	*last = now;
}
