/*
 * Messages that crash what handles them. Its units are held at once, so that
 * nobody tries them; that it is frozen, and why, follows on the disk.
 */
#include "base/log.h"
#include "base/obj.h"
#include "queue/queue_priv.h"

struct freeze {
	unsigned magic;
	TAILQ_ENTRY(freeze) link;
	struct queue *queue;
	uint64_t mid;
	unsigned store;
	struct pool *pool;
	const char *why;
};

static void	loaded(void *, struct store_loaded *, const struct err *);
static void	note(struct freeze *, struct store_txn *,
		    const struct store_loaded *);
static void	durable(void *, const struct err *);
static void	freeze_free(struct freeze *);

void
queue_set_suspects(struct queue *q, queue_suspect *ask, queue_frozen *done,
    void *arg)
{
	OBJ_CHECK(q, QUEUE_MAGIC);
	q->suspect = ask;
	q->frozen = done;
	q->suspect_arg = arg;
}

bool
freeze_begin(struct queue *q, unsigned store, uint64_t mid)
{
	const char *why;
	struct freeze *f;

	why = q->suspect != NULL ? q->suspect(q->suspect_arg, mid) : NULL;
	if (why == NULL)
		return false;
	TAILQ_FOREACH (f, &q->freezes, link) {
		if (f->mid == mid)
			return true;
	}
	OBJ_NEW(f, QFREEZE_MAGIC);
	f->queue = q;
	f->mid = mid;
	f->store = store;
	f->pool = pool_new(0);
	f->why = pool_strdup(f->pool, why);
	TAILQ_INSERT_TAIL(&q->freezes, f, link);
	store_load(q->store[store], mid, loaded, f);
	return true;
}

void
freeze_fini(struct queue *q)
{
	ASSERT(TAILQ_EMPTY(&q->freezes));
}

/* One that cannot be read is frozen without a reason. */
static void
loaded(void *arg, struct store_loaded *l, const struct err *why)
{
	struct store_txn *t;
	struct freeze *f;

	OBJ_CAST(f, arg, QFREEZE_MAGIC);
	if (f->queue->closing || (l == NULL && why == NULL)) {
		if (l != NULL) {
			body_unref(&l->body);
			envelope_destroy(&l->env);
		}
		freeze_free(f); /* nothing to do, or at the next start */
		return;
	}
	t = store_txn_new(f->queue->store[f->store]);
	store_hold(t, f->mid, STORE_FROZEN);
	if (l != NULL) {
		note(f, t, l);
		body_unref(&l->body);
		envelope_destroy(&l->env);
	}
	store_commit(t, false, durable, f);
}

static void
note(struct freeze *f, struct store_txn *t, const struct store_loaded *l)
{
	struct store_rcpt r;
	unsigned i;

	for (i = 0; i < l->env->nrcpt; i++) {
		if (l->rcpt[i].state != RCPT_PENDING)
			continue;
		r = l->rcpt[i];
		r.code = 451;
		r.status = "4.3.0";
		r.text = f->why;
		r.remote = "";
		store_rcpt(t, f->mid, &r);
	}
}

static void
durable(void *arg, const struct err *why)
{
	struct freeze *f;
	struct queue *q;

	OBJ_CAST(f, arg, QFREEZE_MAGIC);
	q = f->queue;
	if (why == NULL) {
		mail_log(EV_MID_FROZEN, f->mid, f->why);
		q->frozen(q->suspect_arg, f->mid);
	} else {
		log_critical("MID %llu cannot be frozen: %s",
		    (unsigned long long)f->mid, why->text);
	}
	freeze_free(f);
}

static void
freeze_free(struct freeze *f)
{
	TAILQ_REMOVE(&f->queue->freezes, f, link);
	pool_destroy(&f->pool);
	OBJ_FREE(f);
}
