#include "store/store.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/obj.h"
#include "store/store_priv.h"

#define GROUP_MAX   256 /* transactions in one commit */
#define AGAIN_MS    SECONDS(1)

struct store_batch {
	unsigned magic;
	struct store *store;
	struct store_txn **v;
	size_t n;
	struct store_loads loads;
	bool healthy;
};

struct store_job {
	unsigned magic;
	TAILQ_ENTRY(store_job) link;
	offload_done *done;
	void *arg;
};

static void make_paths(struct store *s, const struct store_conf *conf);
static void on_jobs(void *arg);
static void on_lazy(void *arg);
static void finish_all(struct store *s);
static void start_batch(struct store *s);
static void batch_work(void *arg);
static void tell_health(struct store *s, const struct store_batch *b);
static void batch_done(void *arg);
static void finish_txn(struct store *s, struct store_txn *t);
static void finish_load(struct store *s, struct store_load_job *job);

int
store_open(struct store **store_r, struct loop *l,
    const struct store_conf *conf, struct err *why)
{
	struct store *s;

	OBJ_NEW(s, STORE_MAGIC);
	s->loop = l;
	make_paths(s, conf);
	s->engine = conf->memory ? &store_mem :
	    conf->ops != NULL	 ? &store_plugin :
				   &store_sqlite;
	TAILQ_INIT(&s->jobs);
	TAILQ_INIT(&s->wait);
	TAILQ_INIT(&s->loads);
	atomic_init(&s->next_seg, 1);
	if (s->engine->open(&s->e, s, why) < 0) {
		pool_destroy(&s->pool);
		OBJ_FREE(s);
		return -1;
	}
	loop_timer_init(l, &s->jobs_timer, on_jobs, s);
	loop_timer_init(l, &s->lazy, on_lazy, s);
	loop_timer_init(l, &s->again, on_lazy, s);
	if (!conf->memory) {
		s->writer = offload_new("store");
		s->reader = offload_new("storeread");
		loop_offload(l, s->writer);
		loop_offload(l, s->reader);
	}
	store_compact_start(s);
	store_tick_start(s);
	*store_r = s;
	return 0;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	store_finish(s);
	loop_timer_clear(&s->jobs_timer);
	loop_timer_clear(&s->lazy);
	loop_timer_clear(&s->again);
	loop_timer_clear(&s->thin);
	loop_timer_clear(&s->tidy);
	loop_timer_clear(&s->tick);
	if (s->writer != NULL) {
		loop_offload_stop(s->loop, s->writer);
		loop_offload_stop(s->loop, s->reader);
		offload_destroy(&s->reader);
		offload_destroy(&s->writer);
	}
	s->engine->close(s->e);
	pool_destroy(&s->pool);
	OBJ_FREE(s);
	*sp = NULL;
}

void
store_finish(struct store *s)
{
	OBJ_CHECK(s, STORE_MAGIC);
	s->closing = true;
	finish_all(s);
}

const struct store_conf *
store_conf(const struct store *s)
{
	OBJ_CHECK(s, STORE_MAGIC);
	return &s->conf;
}

unsigned
store_orphans(const char *dir, unsigned workers, unsigned *v, unsigned max)
{
	struct dirent *entry;
	struct str name;
	uint64_t index;
	unsigned n = 0;
	DIR *d;

	d = opendir(dir);
	if (d == NULL)
		return 0;
	while (n < max && (entry = readdir(d)) != NULL) {
		name = str_c(entry->d_name);
		if (!str_istarts(name, "store-") || !str_iends(name, ".db"))
			continue;
		name = str_n(name.p + 6, name.n - 9);
		if (num_u64(name, UINT16_MAX, &index) == 0 && index >= workers)
			v[n++] = (unsigned)index;
	}
	(void)closedir(d);
	return n;
}

void
store_commit(struct store_txn *t, bool lazy, store_done *done, void *arg)
{
	struct store *s;
	struct store_op *op;

	OBJ_CHECK(t, STORE_TXN_MAGIC);
	s = t->store;
	t->lazy = lazy;
	t->done = done;
	t->arg = arg;
	STAILQ_FOREACH (op, &t->ops, link) {
		if (op->body != NULL && body_wait_synced(op->body, t))
			t->unsynced++;
	}
	s->nparked++;
	if (t->unsynced == 0)
		store_txn_synced(t);
}

void
store_txn_synced(struct store_txn *t)
{
	struct store *s = t->store;

	OBJ_CHECK(t, STORE_TXN_MAGIC);
	if (t->unsynced > 0 && --t->unsynced > 0)
		return;
	s->nparked--;
	s->nwait++;
	TAILQ_INSERT_TAIL(&s->wait, t, link);
	if (!t->lazy) {
		s->nurgent++;
		store_kick(s);
	} else if (!loop_timer_armed(&s->lazy)) {
		loop_timer_set(&s->lazy, STORE_LAZY_MS);
	}
}

void
store_load(struct store *s, uint64_t mid, store_load_fn *fn, void *arg)
{
	struct store_load_job *job;

	OBJ_CHECK(s, STORE_MAGIC);
	OBJ_NEW(job, STORE_LOAD_MAGIC);
	job->store = s;
	job->mid = mid;
	job->fn = fn;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&s->loads, job, link);
	store_kick(s);
}

void
store_stats(const struct store *s, struct store_stats *r)
{
	OBJ_CHECK(s, STORE_MAGIC);
	*r = s->stats;
	r->waiting = s->nwait + s->nparked;
	if (s->batch != NULL)
		r->waiting += s->batch->n;
}

/* At the next round of the loop, so that what this round brings goes along. */
void
store_kick(struct store *s)
{
	s->kick = true;
	if (s->batch == NULL)
		loop_timer_set(&s->lazy, 0);
}

void
store_run(struct store *s, bool reader, offload_work *work,
    offload_done *done, void *arg)
{
	struct store_job *job;

	if (s->writer != NULL) {
		offload_submit(reader ? s->reader : s->writer, work, done,
		    arg);
		return;
	}
	work(arg);
	OBJ_NEW(job, STORE_JOB_MAGIC);
	job->done = done;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&s->jobs, job, link);
	if (!loop_timer_armed(&s->jobs_timer))
		loop_timer_set(&s->jobs_timer, 0);
}

static void
make_paths(struct store *s, const struct store_conf *conf)
{
	s->pool = pool_new(0);
	s->conf = *conf;
	s->conf.dir = conf->memory ? "" : pool_strdup(s->pool, conf->dir);
	if (s->conf.body_in_row > BODY_MEMORY_MAX)
		s->conf.body_in_row = BODY_MEMORY_MAX;
	if (s->conf.segment_size == 0)
		s->conf.segment_size = STORE_SEGMENT_SIZE;
	s->db_path = pool_printf(s->pool, "%s/store-%u.db", s->conf.dir,
	    conf->index);
	/* What a plugin keeps has a place here only while it is in use. */
	s->seg_dir = pool_printf(s->pool,
	    conf->ops != NULL ? "%s/remote-%u" : "%s/seg-%u", s->conf.dir,
	    conf->index);
	s->conf.host = pool_strdup(s->pool,
	    conf->host != NULL ? conf->host : "");
	s->corrupt_dir = pool_printf(s->pool, "%s/corrupt", s->conf.dir);
}

static void
on_jobs(void *arg)
{
	struct store *s;
	struct store_jobs jobs = TAILQ_HEAD_INITIALIZER(jobs);
	struct store_job *job;

	OBJ_CAST(s, arg, STORE_MAGIC);
	TAILQ_CONCAT(&jobs, &s->jobs, link);
	while ((job = TAILQ_FIRST(&jobs)) != NULL) {
		OBJ_CHECK(job, STORE_JOB_MAGIC);
		TAILQ_REMOVE(&jobs, job, link);
		if (job->done != NULL)
			job->done(job->arg);
		OBJ_FREE(job);
	}
}

static void
on_lazy(void *arg)
{
	struct store *s;

	OBJ_CAST(s, arg, STORE_MAGIC);
	s->kick = true;
	start_batch(s);
}

/* Everything that waits is committed, everything in flight comes home. */
static void
finish_all(struct store *s)
{
	for (;;) {
		if (s->writer != NULL) {
			offload_drain(s->reader);
			offload_drain(s->writer);
		} else {
			on_jobs(s);
		}
		if (s->batch == NULL)
			start_batch(s);
		if (s->batch == NULL && s->nwait == 0 && s->nparked == 0 &&
		    s->nwalks == 0 && TAILQ_EMPTY(&s->loads) &&
		    TAILQ_EMPTY(&s->jobs) &&
		    (s->writer == NULL ||
			(offload_pending(s->reader) == 0 &&
			    offload_pending(s->writer) == 0)))
			return;
	}
}

static void
start_batch(struct store *s)
{
	struct store_batch *b;
	struct store_txn *t;

	if (s->batch != NULL || (s->nwait == 0 && TAILQ_EMPTY(&s->loads)))
		return;
	OBJ_NEW(b, STORE_BATCH_MAGIC);
	b->store = s;
	b->v = mem_array(s->nwait < GROUP_MAX ? s->nwait + 1 : GROUP_MAX,
	    sizeof(struct store_txn *));
	TAILQ_INIT(&b->loads);
	while (b->n < GROUP_MAX && (t = TAILQ_FIRST(&s->wait)) != NULL) {
		TAILQ_REMOVE(&s->wait, t, link);
		s->nwait--;
		if (!t->lazy)
			s->nurgent--;
		b->v[b->n++] = t;
	}
	/* A load sees every commit that was asked for before it. */
	if (s->nwait == 0)
		TAILQ_CONCAT(&b->loads, &s->loads, link);
	s->kick = s->nwait > 0;
	s->batch = b;
	loop_timer_clear(&s->lazy);
	store_run(s, false, batch_work, batch_done, b);
}

/* On the writer. */
static void
batch_work(void *arg)
{
	struct store_batch *b;
	struct store_load_job *job;
	struct store *s;
	size_t i;
	bool behind = false;

	OBJ_CAST(b, arg, STORE_BATCH_MAGIC);
	s = b->store;
	b->healthy = true;
	if (b->n > 0)
		b->healthy = s->engine->commit(s->e, b->v, b->n);
	for (i = 0; i < b->n; i++)
		behind |= b->v[i]->failed && b->v[i]->lazy;
	TAILQ_FOREACH (job, &b->loads, link) {
		if (!behind) {
			s->engine->load(s->e, job);
			continue;
		}
		/* What the disk has is older than what was reported. */
		job->failed = true;
		(void)err_set(&job->why, 451, "4.3.0",
		    "the store cannot be written");
	}
}

/* Once for each change: what cannot be written does not move either. */
static void
tell_health(struct store *s, const struct store_batch *b)
{
	size_t i = 0;

	while (i < b->n && !b->v[i]->failed)
		i++;
	store_health(s, b->healthy,
	    i < b->n ? b->v[i]->why.text : "no transaction says why");
}

static void
batch_done(void *arg)
{
	struct store_batch *b;
	struct store_load_job *job;
	struct store *s;
	size_t i;

	OBJ_CAST(b, arg, STORE_BATCH_MAGIC);
	s = b->store;
	s->batch = NULL;
	store_tell(s);
	if (b->n > 0) {
		s->stats.commits++;
		store_tidy_later(s);
		tell_health(s, b);
	}
	/* Backwards, since what must be tried again goes to the front. */
	for (i = b->n; i-- > 0;) {
		if (!b->v[i]->failed || !b->v[i]->lazy || s->closing)
			continue;
		b->v[i]->failed = false;
		err_clear(&b->v[i]->why);
		TAILQ_INSERT_HEAD(&s->wait, b->v[i], link);
		s->nwait++;
		s->stats.failures++;
		b->v[i] = NULL;
		loop_timer_set(&s->again, AGAIN_MS);
	}
	if (s->nurgent > 0 || s->kick || !TAILQ_EMPTY(&s->loads))
		start_batch(s);
	else if (s->nwait > 0 && !loop_timer_armed(&s->again))
		loop_timer_set(&s->lazy, STORE_LAZY_MS);
	for (i = 0; i < b->n; i++) {
		if (b->v[i] != NULL)
			finish_txn(s, b->v[i]);
	}
	while ((job = TAILQ_FIRST(&b->loads)) != NULL) {
		TAILQ_REMOVE(&b->loads, job, link);
		finish_load(s, job);
	}
	mem_free(b->v);
	OBJ_FREE(b);
}

static void
finish_txn(struct store *s, struct store_txn *t)
{
	struct store_op *op;

	s->stats.txns++;
	if (t->failed)
		s->stats.failures++;
	STAILQ_FOREACH (op, &t->ops, link) {
		if (op->kind != OP_PUT || t->failed)
			continue;
		s->stats.bytes += body_size(op->body);
		body_committed(op->body);
	}
	if (t->done != NULL)
		t->done(t->arg, t->failed ? &t->why : NULL);
	store_txn_free(t);
}

struct checked {
	struct store_load_job *job;
	struct store_loaded m;
};

static void
load_checked(void *arg, const struct err *why)
{
	struct checked *c = arg;
	struct store_load_job *job = c->job;

	OBJ_CHECK(job, STORE_LOAD_MAGIC);
	if (why == NULL) {
		job->fn(job->arg, &c->m, NULL);
	} else {
		if (!body_unchecked(c->m.body))
			log_warning("MID %llu is damaged and set aside: %s",
			    (unsigned long long)job->mid, why->text);
		envelope_destroy(&c->m.env);
		body_unref(&c->m.body);
		job->fn(job->arg, NULL, why);
	}
	OBJ_FREE(job);
	mem_free(c);
}

static void
finish_load(struct store *s, struct store_load_job *job)
{
	struct checked *c;

	OBJ_CHECK(job, STORE_LOAD_MAGIC);
	if (job->aside)
		log_warning("MID %llu is damaged and set aside: %s",
		    (unsigned long long)job->mid, job->why.text);
	if (job->env == NULL) {
		job->fn(job->arg, NULL, job->failed ? &job->why : NULL);
		OBJ_FREE(job);
		return;
	}
	c = mem_zalloc(sizeof(*c));
	c->job = job;
	c->m.env = job->env;
	c->m.rcpt = job->rcpt;
	c->m.hold = job->hold;
	if (job->shared != NULL) {
		c->m.body = job->shared;
		load_checked(c, NULL);
	} else {
		c->m.body = body_loaded(s, &job->place, job->bytes);
		body_check(c->m.body, job->mid, load_checked, c);
	}
}
