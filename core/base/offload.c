#include "base/offload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/str.h"

#define OFFLOAD_MAGIC 0x6f66666cU

struct job {
	struct job *next;
	offload_work *work;
	offload_done *done;
	void *arg;
};

/* Jobs in order; tail is the link to hang the next one on. */
struct jobs {
	struct job *head, **tail;
};

struct offload {
	unsigned magic;
	int fd;
	size_t pending; /* owner only, like reaping */
	bool reaping;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake, idle;
	struct jobs todo, ready;
	size_t unfinished; /* not yet in ready */
	bool stop;
	bool abandoned; /* the thread frees it */
};

static void *run(void *arg);
static void add(struct jobs *q, struct job *j);
static struct job *take_all(struct jobs *q);
static void start_thread(struct offload *o, const char *name);
static void free_all(struct offload *o);

struct offload *
offload_new(const char *name)
{
	pthread_condattr_t attr;
	struct offload *o;

	OBJ_NEW(o, OFFLOAD_MAGIC);
	o->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (o->fd < 0)
		fatal("eventfd: %s", strerrordesc_np(errno));
	o->todo.tail = &o->todo.head;
	o->ready.tail = &o->ready.head;
	(void)pthread_mutex_init(&o->lock, NULL);
	(void)pthread_cond_init(&o->wake, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&o->idle, &attr);
	(void)pthread_condattr_destroy(&attr);
	start_thread(o, name);
	return o;
}

void
offload_destroy(struct offload **op)
{
	struct offload *o = *op;

	if (o == NULL)
		return;
	OBJ_CHECK(o, OFFLOAD_MAGIC);
	/* A done() may submit again: go on until none does. */
	offload_drain(o);
	(void)pthread_mutex_lock(&o->lock);
	o->stop = true;
	(void)pthread_cond_signal(&o->wake);
	(void)pthread_mutex_unlock(&o->lock);
	(void)pthread_join(o->thread, NULL);
	free_all(o);
	*op = NULL;
}

static void
free_all(struct offload *o)
{
	(void)pthread_cond_destroy(&o->idle);
	(void)pthread_cond_destroy(&o->wake);
	(void)pthread_mutex_destroy(&o->lock);
	(void)close(o->fd);
	OBJ_FREE(o);
}

void
offload_submit(struct offload *o, offload_work *work, offload_done *done,
    void *arg)
{
	struct job *j = mem_alloc(sizeof(*j));

	OBJ_CHECK(o, OFFLOAD_MAGIC);
	*j = (struct job){ NULL, work, done, arg };
	o->pending++;
	(void)pthread_mutex_lock(&o->lock);
	add(&o->todo, j);
	o->unfinished++;
	(void)pthread_mutex_unlock(&o->lock);
	/* Not before, or it would wake up to wait for the lock. */
	(void)pthread_cond_signal(&o->wake);
}

int
offload_fd(const struct offload *o)
{
	return o->fd;
}

void
offload_reap(struct offload *o)
{
	struct job *j, *next;
	uint64_t count;

	OBJ_CHECK(o, OFFLOAD_MAGIC);
	/* Before the list: what is added later signals again. */
	if (read(o->fd, &count, sizeof(count)) < 0)
		count = 0;
	(void)pthread_mutex_lock(&o->lock);
	j = take_all(&o->ready);
	(void)pthread_mutex_unlock(&o->lock);
	o->reaping = true;
	for (; j != NULL; j = next) {
		next = j->next;
		o->pending--;
		if (j->done != NULL)
			j->done(j->arg);
		mem_free(j);
	}
	o->reaping = false;
}

size_t
offload_pending(const struct offload *o)
{
	return o->pending;
}

void
offload_drain(struct offload *o)
{
	/* In a done() it would wait for the jobs that are reaped behind it. */
	ASSERT(!o->reaping);
	while (o->pending > 0) {
		(void)pthread_mutex_lock(&o->lock);
		while (o->unfinished > 0)
			(void)pthread_cond_wait(&o->idle, &o->lock);
		(void)pthread_mutex_unlock(&o->lock);
		offload_reap(o);
	}
}

bool
offload_drain_for(struct offload *o, int64_t ms)
{
	int64_t at = (int64_t)clock_nsec() + (ms > 0 ? ms : 0) * 1000000;
	struct timespec until = { at / 1000000000, at % 1000000000 };
	bool done;
	int rc = 0;

	ASSERT(!o->reaping);
	(void)pthread_mutex_lock(&o->lock);
	while (o->unfinished > 0 && rc == 0)
		rc = pthread_cond_timedwait(&o->idle, &o->lock, &until);
	done = o->unfinished == 0;
	(void)pthread_mutex_unlock(&o->lock);
	if (done)
		offload_reap(o);
	return done;
}

void
offload_abandon(struct offload **op)
{
	struct offload *o = *op;
	bool late;

	OBJ_CHECK(o, OFFLOAD_MAGIC);
	(void)pthread_mutex_lock(&o->lock);
	late = o->unfinished > 0;
	o->abandoned = o->stop = late;
	if (late)
		(void)pthread_detach(o->thread);
	(void)pthread_mutex_unlock(&o->lock);
	if (late)
		*op = NULL;
	else
		offload_destroy(op);
}

static void *
run(void *arg)
{
	struct offload *o;
	struct job *j;
	uint64_t one = 1;
	bool first, late;

	OBJ_CAST(o, arg, OFFLOAD_MAGIC);
	(void)pthread_mutex_lock(&o->lock);
	while (!o->stop || o->todo.head != NULL) {
		j = o->todo.head;
		if (j == NULL) {
			(void)pthread_cond_wait(&o->wake, &o->lock);
			continue;
		}
		o->todo.head = j->next;
		if (j->next == NULL)
			o->todo.tail = &o->todo.head;
		(void)pthread_mutex_unlock(&o->lock);
		j->work(j->arg);
		(void)pthread_mutex_lock(&o->lock);
		if (o->abandoned) {
			mem_free(j);
			break;
		}
		first = o->ready.head == NULL;
		add(&o->ready, j);
		if (--o->unfinished == 0)
			(void)pthread_cond_signal(&o->idle);
		if (!first)
			continue;
		/* The loop is woken once for all that is ready. */
		(void)pthread_mutex_unlock(&o->lock);
		if (write(o->fd, &one, sizeof(one)) < 0)
			panic("eventfd: errno %d", errno);
		(void)pthread_mutex_lock(&o->lock);
	}
	late = o->abandoned;
	(void)pthread_mutex_unlock(&o->lock);
	if (late)
		free_all(o);
	return NULL;
}

static void
add(struct jobs *q, struct job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
}

static struct job *
take_all(struct jobs *q)
{
	struct job *j = q->head;

	q->head = NULL;
	q->tail = &q->head;
	return j;
}

static void
start_thread(struct offload *o, const char *name)
{
	sigset_t all, before;
	char label[16];
	int rc;

	/* Signals belong to the loop. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&o->thread, NULL, run, o);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		fatal("pthread_create: %s", strerrordesc_np(rc));
	(void)str_copy(label, sizeof(label), str_c(name));
	(void)pthread_setname_np(o->thread, label);
}
