#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "store/body_priv.h"

#define MEMORY_FIRST 4096
#define CHUNK	     (256 * 1024)
#define IN_FLIGHT    2

static void unref(struct body_ref **bp);
static void send_chunk(struct body_ref *b);
static void write_work(void *arg);
static void write_done(void *arg);
static void sync_work(void *arg);
static void sync_done(void *arg);
static void drop_work(void *arg);
static void drop_done(void *arg);

struct body_ref *
body_content(const struct body_ref *b)
{
	OBJ_CHECK(b, BODY_MAGIC);
	return b->base != NULL ? b->base : (struct body_ref *)b;
}

struct body_ref *
body_new(struct store *s, body_ready *ready, void *arg)
{
	struct body_ref *b;

	OBJ_CHECK(s, STORE_MAGIC);
	OBJ_NEW(b, BODY_MAGIC);
	b->refs = 1;
	b->store = s;
	b->ready = ready;
	b->arg = arg;
	b->file.fd = -1;
	SLIST_INIT(&b->waiters);
	return b;
}

bool
body_write(struct body_ref *b, const char *p, size_t n)
{
	OBJ_CHECK(b, BODY_MAGIC);
	ASSERT(!b->finished && b->base == NULL);
	b->size += n;
	if (b->failed)
		return true;
	if (!b->large && !b->store->conf.memory && b->size > BODY_MEMORY_MAX) {
		b->large = true;
		b->place.seg = atomic_fetch_add(&b->store->next_seg, 1);
	}
	if (b->nmem + n > b->cap) {
		if (b->cap == 0)
			b->cap = MEMORY_FIRST;
		while (b->cap < b->nmem + n)
			b->cap *= 2;
		b->mem = mem_realloc(b->mem, b->cap);
	}
	if (n > 0)
		memcpy(b->mem + b->nmem, p, n);
	b->nmem += n;
	if (b->large && b->nmem >= CHUNK)
		send_chunk(b);
	b->stalled = b->writing >= IN_FLIGHT;
	return !b->stalled;
}

void
body_finish(struct body_ref *b)
{
	OBJ_CHECK(b, BODY_MAGIC);
	ASSERT(!b->finished);
	b->finished = true;
	b->stalled = false;
	b->ready = NULL; /* from here on: who waits for it to settle */
	if (b->large) {
		if (b->nmem > 0)
			send_chunk(b);
		store_run(b->store, true, sync_work, sync_done,
		    body_job_new(b));
	} else if (b->cap > 2 * b->nmem || b->cap - b->nmem > MEMORY_FIRST) {
		b->cap = b->nmem > 0 ? b->nmem : 1;
		b->mem = mem_realloc(b->mem, b->cap);
	}
}

struct body_ref *
body_ref(struct body_ref *b)
{
	OBJ_CHECK(b, BODY_MAGIC);
	b->refs++;
	return b;
}

struct body_ref *
body_reader(struct body_ref *b)
{
	struct body_ref *r, *c = body_content(b);

	if (!c->large)
		return body_ref(c);
	r = body_new(c->store, NULL, NULL);
	r->base = body_ref(c);
	return r;
}

void
body_unref(struct body_ref **bp)
{
	/* Whoever gives up an unfinished one waits no more. */
	if (*bp != NULL && !(*bp)->finished)
		(*bp)->ready = NULL;
	unref(bp);
}

/* The same at the end of a job, while the writer may go on. */
static void
unref(struct body_ref **bp)
{
	struct body_ref *b = *bp;
	struct body_job *j;

	if (b == NULL)
		return;
	OBJ_CHECK(b, BODY_MAGIC);
	*bp = NULL;
	ASSERT(b->refs > 0);
	if (--b->refs > 0)
		return;
	mem_free(b->mem);
	mem_free(b->piece);
	b->mem = b->piece = NULL;
	if (b->large) {
		/* Closing and removing a large file takes time. */
		j = body_job_new(b);
		store_run(b->store, true, drop_work, drop_done, j);
		return;
	}
	body_unref(&b->base);
	OBJ_FREE(b);
}

uint64_t
body_size(const struct body_ref *b)
{
	return body_content(b)->size;
}

struct str
body_memory(const struct body_ref *b)
{
	const struct body_ref *c = body_content(b);

	if (c->large)
		return STR_NULL;
	return str_n(c->mem != NULL ? c->mem : "", c->nmem);
}

/* ---- for the store ---- */

struct body_ref *
body_loaded(struct store *s, const struct body_place *place, char *bytes)
{
	struct body_ref *b = body_new(s, NULL, NULL);

	b->size = place->len;
	b->place = *place;
	b->finished = b->synced = b->committed = true;
	b->large = bytes == NULL && place->len > 0;
	if (!b->large) {
		b->mem = bytes;
		b->nmem = b->cap = (size_t)place->len;
	}
	return b;
}

bool
body_wait_synced(struct body_ref *b, struct store_txn *t)
{
	struct body_waiter *w;

	OBJ_CHECK(b, BODY_MAGIC);
	ASSERT(b->finished && b->base == NULL);
	if (!b->large || b->synced || b->failed)
		return false;
	w = mem_zalloc(sizeof(*w));
	w->t = t;
	SLIST_INSERT_HEAD(&b->waiters, w, link);
	return true;
}

bool
body_large(const struct body_ref *b, struct body_place *place_r)
{
	if (b->large)
		*place_r = b->place;
	return b->large;
}

const struct err *
body_error(const struct body_ref *b)
{
	return b->failed ? &b->why : NULL;
}

bool
body_unchecked(const struct body_ref *b)
{
	return b->unchecked;
}

void
body_committed(struct body_ref *b)
{
	b->committed = true;
}

/* ---- jobs; the _work functions run on the reader ---- */

struct body_job *
body_job_new(struct body_ref *b)
{
	struct body_job *j;

	OBJ_NEW(j, BODY_JOB_MAGIC);
	j->b = body_ref(b);
	j->content = body_content(b);
	return j;
}

void
body_job_free(struct body_job *j)
{
	mem_free(j->bytes);
	unref(&j->b);
	OBJ_FREE(j);
}

static void
fail(struct body_ref *b, const struct err *why)
{
	if (b->failed)
		return;
	b->failed = true;
	b->why = *why;
}

static void
send_chunk(struct body_ref *b)
{
	struct body_job *j = body_job_new(b);

	j->bytes = b->mem;
	j->n = b->nmem;
	b->mem = NULL;
	b->nmem = b->cap = 0;
	b->writing++;
	store_run(b->store, true, write_work, write_done, j);
}

static bool
write_piece(const struct body_job *j)
{
	struct body_file *f = &j->content->file;

	if (!store_room(j->content->store, j->n)) {
		errno = ENOSPC;
		return false;
	}
	return sys_pwrite_all(f->fd, j->bytes, j->n, (off_t)f->at) == 0;
}

static void
write_work(void *arg)
{
	struct body_job *j;
	struct body_ref *b;
	struct body_file *f;
	const char *dir;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->content;
	f = &b->file;
	dir = b->store->seg_dir;
	if (f->fd < 0 && !f->failed) {
		sum_init(&f->sum);
		f->fd = seg_create(dir, b->place.seg, &f->why);
		f->failed = f->fd < 0;
	}
	if (!f->failed && !write_piece(j)) {
		f->failed = true;
		(void)seg_err(&f->why, "write", dir);
		/* The room is needed at once, not when the client gives up. */
		(void)sys_ftruncate(f->fd, 0);
	}
	sum_add(&f->sum, j->bytes, j->n);
	f->at += j->n;
	j->failed = f->failed;
	j->why = f->why;
}

static void
write_done(void *arg)
{
	struct body_job *j;
	struct body_ref *b;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->content;
	b->writing--;
	if (j->failed)
		fail(b, &j->why);
	if (b->stalled && b->writing < IN_FLIGHT) {
		b->stalled = false;
		if (b->ready != NULL)
			b->ready(b->arg, body_error(b));
	}
	body_job_free(j);
}

static void
sync_work(void *arg)
{
	struct body_job *j;
	struct body_file *f;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	f = &j->content->file;
	/* A copy that serves the engine to read from needs no sync. */
	if (!f->failed && j->content->store->engine->fetch == NULL &&
	    sys_fdatasync(f->fd) < 0) {
		f->failed = true;
		(void)seg_err(&f->why, "sync", j->content->store->seg_dir);
	}
	j->failed = f->failed;
	j->why = f->why;
}

static void
sync_done(void *arg)
{
	struct body_job *j;
	struct body_ref *b;
	struct body_waiter *w;
	body_ready *ready;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->content;
	if (j->failed)
		fail(b, &j->why);
	b->synced = true;
	b->place.len = b->size;
	b->place.sum = sum_end(&b->file.sum);
	while ((w = SLIST_FIRST(&b->waiters)) != NULL) {
		SLIST_REMOVE_HEAD(&b->waiters, link);
		store_txn_synced(w->t);
		mem_free(w);
	}
	ready = b->ready;
	b->ready = NULL; /* it may ask again */
	if (ready != NULL)
		ready(b->arg, body_error(b));
	body_job_free(j);
}

static void
drop_work(void *arg)
{
	struct body_job *j;
	struct body_ref *b;
	char path[SEG_PATH_MAX];
	bool was_open;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->content;
	body_unmap(b);
	was_open = b->file.fd >= 0;
	file_close(&b->file.fd);
	/* An engine that fetches has it elsewhere; this was a copy. */
	if (b->store->engine->fetch == NULL && (b->committed || !was_open))
		return;
	seg_path(path, b->store->seg_dir, b->place.seg);
	(void)sys_unlink(path);
}

static void
drop_done(void *arg)
{
	struct body_job *j;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	OBJ_FREE(j->b);
	OBJ_FREE(j);
}
