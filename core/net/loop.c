#include "net/loop.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>

#include "base/mem.h"
#include "base/obj.h"
#include "net/loop_priv.h"

#define LOOP_MAGIC	  0x10091a01u
#define LOOP_FD_MAGIC	  0x10091a02u
#define LOOP_SIGNAL_MAGIC 0x10091a03u

enum {
	DEFER_PASSES = 8, /* of calls that defer calls, before fds are seen */
	BORROW_KEEP = 128 * 1024 /* memory of the borrowed buffer that stays */
};

struct call {
	loop_fn *fn;
	void *arg;
};

struct calls {
	struct call *v;
	size_t n, cap;
};

struct watched {
	struct offload *offload;
	struct loop_fd *fd;
	TAILQ_ENTRY(watched) link;
};

struct loop {
	unsigned magic;
	struct event_base *base;
	struct event *alarm;
	msec alarm_at; /* when the alarm goes off; -1: it is not armed */
	struct heap timers;
	struct calls deferred, running;
	struct calls each;
	TAILQ_HEAD(, watched) offloads;
	TAILQ_HEAD(, loop_orphan) orphans;
	unsigned long calls; /* callbacks so far: was there anything to do? */
	bool stop;
	bool fresh; /* the clock was read in this round */
	char *scratch;
	struct buf borrowed;
	bool lent;
};

struct loop_fd {
	unsigned magic;
	int fd;
	unsigned what;
	struct loop *loop;
	loop_fd_fn *fn;
	void *arg;
	struct event read;
	struct event *write; /* made when it is first wanted */
};

struct loop_signal {
	unsigned magic;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
	struct event *ev;
};

static void loop_enter(struct loop *l);
static void loop_wake(evutil_socket_t fd, short what, void *arg);
static void loop_on_fd(evutil_socket_t fd, short what, void *arg);
static void loop_on_signal(evutil_socket_t fd, short what, void *arg);
static void loop_on_offload(void *arg, int fd, unsigned what);
static void loop_arm(struct loop *l);
static void loop_run_timers(struct loop *l);
static void loop_run_deferred(struct loop *l);
static void loop_run_each(struct loop *l);
static void calls_add(struct calls *c, loop_fn *fn, void *arg);

struct loop *
loop_new(void)
{
	struct event_config *conf;
	struct loop *l;

	OBJ_NEW(l, LOOP_MAGIC);
	conf = event_config_new();
	if (conf == NULL)
		fatal("out of memory");
	(void)event_config_set_flag(conf, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(conf);
	event_config_free(conf);
	if (l->base == NULL)
		fatal("cannot make an event loop");
	l->alarm = evtimer_new(l->base, loop_wake, l);
	if (l->alarm == NULL)
		fatal("out of memory");
	l->alarm_at = -1;
	heap_init(&l->timers);
	TAILQ_INIT(&l->offloads);
	TAILQ_INIT(&l->orphans);
	clock_update();
	return l;
}

void
loop_destroy(struct loop **lp)
{
	struct loop *l = *lp;
	struct loop_orphan *o;

	if (l == NULL)
		return;
	OBJ_CHECK(l, LOOP_MAGIC);
	while (l->deferred.n > 0)
		loop_run_deferred(l);
	while ((o = TAILQ_FIRST(&l->orphans)) != NULL) {
		TAILQ_REMOVE(&l->orphans, o, link);
		o->end(o);
	}
	while (!TAILQ_EMPTY(&l->offloads))
		loop_offload_stop(l, TAILQ_FIRST(&l->offloads)->offload);
	loop_run_each(l);
	event_free(l->alarm);
	event_base_free(l->base);
	heap_fini(&l->timers);
	mem_free(l->deferred.v);
	mem_free(l->running.v);
	mem_free(l->each.v);
	mem_free(l->scratch);
	if (l->borrowed.max > 0)
		buf_fini(&l->borrowed);
	OBJ_FREE(l);
	*lp = NULL;
}

void
loop_forked(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	if (event_reinit(l->base) < 0)
		fatal("cannot make an event loop of a child's own");
}

void
loop_run(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	while (!l->stop)
		loop_once(l, true);
	l->stop = false;
}

void
loop_stop(struct loop *l)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	l->stop = true;
}

/*
 * What was left to do before this round (by the code that set things up, or
 * by a last pass that deferred again) is done before the poll, and then the
 * caller is to see it before anything blocks.
 */
void
loop_once(struct loop *l, bool wait)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;
	unsigned long before;

	OBJ_CHECK(l, LOOP_MAGIC);
	before = l->calls;
	loop_run_deferred(l);
	loop_run_each(l);
	loop_arm(l);
	if (!wait || l->calls != before || l->deferred.n > 0 || l->stop)
		flags = EVLOOP_NONBLOCK;
	l->fresh = false;
	(void)event_base_loop(l->base, flags);
	loop_enter(l);
	loop_run_timers(l);
	loop_run_deferred(l);
	loop_run_each(l);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

void
loop_timer_init(struct loop *l, struct loop_timer *t, loop_fn *fn, void *arg)
{
	t->node.key = 0;
	t->node.at = 0;
	t->loop = l;
	t->fn = fn;
	t->arg = arg;
}

void
loop_timer_set(struct loop_timer *t, msec in)
{
	msec at = clock_now() + (in < 0 ? 0 : in);

	if (heap_in(&t->node))
		heap_change(&t->loop->timers, &t->node, at);
	else
		heap_add(&t->loop->timers, &t->node, at);
}

void
loop_timer_clear(struct loop_timer *t)
{
	if (heap_in(&t->node))
		heap_remove(&t->loop->timers, &t->node);
}

bool
loop_timer_armed(const struct loop_timer *t)
{
	return heap_in(&t->node);
}

struct loop_fd *
loop_fd_start(struct loop *l, int fd, unsigned what, loop_fd_fn *fn, void *arg)
{
	struct loop_fd *w;

	OBJ_CHECK(l, LOOP_MAGIC);
	OBJ_NEW(w, LOOP_FD_MAGIC);
	w->fd = fd;
	w->loop = l;
	w->fn = fn;
	w->arg = arg;
	if (event_assign(
		&w->read, l->base, fd, EV_READ | EV_PERSIST, loop_on_fd, w) < 0)
		panic("cannot watch a file descriptor");
	loop_fd_change(w, what);
	return w;
}

void
loop_fd_change(struct loop_fd *w, unsigned what)
{
	unsigned turn = w->what ^ what;

	OBJ_CHECK(w, LOOP_FD_MAGIC);
	if (turn & LOOP_READ) {
		if (what & LOOP_READ)
			(void)event_add(&w->read, NULL);
		else
			(void)event_del(&w->read);
	}
	if ((turn & LOOP_WRITE) && w->write == NULL) {
		w->write = event_new(
		    w->loop->base, w->fd, EV_WRITE | EV_PERSIST, loop_on_fd, w);
		if (w->write == NULL)
			fatal("out of memory");
	}
	if (turn & LOOP_WRITE) {
		if (what & LOOP_WRITE)
			(void)event_add(w->write, NULL);
		else
			(void)event_del(w->write);
	}
	w->what = what;
}

void
loop_fd_stop(struct loop_fd **wp)
{
	struct loop_fd *w = *wp;

	if (w == NULL)
		return;
	OBJ_CHECK(w, LOOP_FD_MAGIC);
	(void)event_del(&w->read);
	if (w->write != NULL)
		event_free(w->write);
	OBJ_FREE(w);
	*wp = NULL;
}

struct loop_signal *
loop_signal_start(struct loop *l, int signo, loop_fn *fn, void *arg)
{
	struct loop_signal *s;

	OBJ_CHECK(l, LOOP_MAGIC);
	OBJ_NEW(s, LOOP_SIGNAL_MAGIC);
	s->loop = l;
	s->fn = fn;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, loop_on_signal, s);
	if (s->ev == NULL || event_add(s->ev, NULL) < 0)
		fatal("cannot watch signal %d", signo);
	return s;
}

void
loop_signal_stop(struct loop_signal **sp)
{
	struct loop_signal *s = *sp;

	if (s == NULL)
		return;
	OBJ_CHECK(s, LOOP_SIGNAL_MAGIC);
	event_free(s->ev);
	OBJ_FREE(s);
	*sp = NULL;
}

void
loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	calls_add(&l->deferred, fn, arg);
}

void
loop_each_round(struct loop *l, loop_fn *fn, void *arg)
{
	OBJ_CHECK(l, LOOP_MAGIC);
	calls_add(&l->each, fn, arg);
}

void
loop_offload(struct loop *l, struct offload *o)
{
	struct watched *w;

	OBJ_CHECK(l, LOOP_MAGIC);
	w = mem_zalloc(sizeof(*w));
	w->offload = o;
	w->fd = loop_fd_start(l, offload_fd(o), LOOP_READ, loop_on_offload, o);
	TAILQ_INSERT_TAIL(&l->offloads, w, link);
}

void
loop_offload_stop(struct loop *l, struct offload *o)
{
	struct watched *w;

	OBJ_CHECK(l, LOOP_MAGIC);
	TAILQ_FOREACH (w, &l->offloads, link) {
		if (w->offload != o)
			continue;
		TAILQ_REMOVE(&l->offloads, w, link);
		loop_fd_stop(&w->fd);
		mem_free(w);
		return;
	}
}

/* Time stands still as long as there is anything else to do. */
bool
loop_step_fake(struct loop *l, msec until)
{
	struct heap_node *first;
	struct watched *w;
	unsigned long before;
	size_t jobs;

	OBJ_CHECK(l, LOOP_MAGIC);
	ASSERT(clock_is_fake());
	do {
		before = l->calls;
		jobs = 0;
		TAILQ_FOREACH (w, &l->offloads, link)
			jobs += offload_pending(w->offload);
		loop_once(l, jobs > 0);
	} while (l->calls != before || l->deferred.n > 0);
	first = heap_first(&l->timers);
	if (first == NULL || first->key > until) {
		if (until > clock_now())
			clock_fake_advance(until - clock_now());
		return false;
	}
	if (first->key > clock_now())
		clock_fake_advance(first->key - clock_now());
	loop_run_timers(l);
	loop_run_deferred(l);
	loop_run_each(l);
	return true;
}

char *
loop_scratch(struct loop *l)
{
	if (l->scratch == NULL)
		l->scratch = mem_alloc(LOOP_SCRATCH);
	return l->scratch;
}

struct buf *
loop_borrow(struct loop *l, size_t max)
{
	ASSERT(!l->lent);
	if (l->borrowed.max == 0)
		buf_init(&l->borrowed, max);
	l->borrowed.max = max;
	l->lent = true;
	return &l->borrowed;
}

void
loop_give_back(struct loop *l, struct buf *b)
{
	ASSERT(l->lent && b == &l->borrowed);
	l->lent = false;
	buf_reset(b);
	if (b->cap > BORROW_KEEP)
		buf_shrink(b);
}

void
loop_adopt(struct loop *l, struct loop_orphan *o)
{
	TAILQ_INSERT_TAIL(&l->orphans, o, link);
}

void
loop_disown(struct loop *l, struct loop_orphan *o)
{
	TAILQ_REMOVE(&l->orphans, o, link);
}

/*
 * libevent has no call between the poll and the first callback, so that
 * callback reads the clock.
 */
static void
loop_enter(struct loop *l)
{
	if (l->fresh)
		return;
	l->fresh = true;
	clock_update();
}

static void
loop_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l;

	(void)fd;
	(void)what;
	OBJ_CAST(l, arg, LOOP_MAGIC);
	l->alarm_at = -1;
}

static void
loop_on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_fd *w;

	OBJ_CAST(w, arg, LOOP_FD_MAGIC);
	loop_enter(w->loop);
	w->loop->calls++;
	w->fn(w->arg, (int)fd, (what & EV_READ) ? LOOP_READ : LOOP_WRITE);
}

static void
loop_on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct loop_signal *s;

	(void)fd;
	(void)what;
	OBJ_CAST(s, arg, LOOP_SIGNAL_MAGIC);
	loop_enter(s->loop);
	s->loop->calls++;
	s->fn(s->arg);
}

static void
loop_on_offload(void *arg, int fd, unsigned what)
{
	(void)fd;
	(void)what;
	offload_reap(arg);
}

/* An alarm that comes too early only costs a round: it is left alone. */
static void
loop_arm(struct loop *l)
{
	struct heap_node *first = heap_first(&l->timers);
	struct timeval tv;
	msec in;

	if (first == NULL || clock_is_fake())
		return;
	if (l->alarm_at >= 0 && l->alarm_at <= first->key)
		return;
	in = first->key - clock_now();
	if (in < 0)
		in = 0;
	tv.tv_sec = (time_t)(in / 1000);
	tv.tv_usec = (suseconds_t)(in % 1000) * 1000;
	(void)evtimer_add(l->alarm, &tv);
	l->alarm_at = first->key;
}

/* A timer that sets itself to "now" has its turn in the next round. */
static void
loop_run_timers(struct loop *l)
{
	struct heap_node *first;
	struct loop_timer *t;
	size_t left = l->timers.n;
	msec now = clock_now();

	while (left-- > 0) {
		first = heap_first(&l->timers);
		if (first == NULL || first->key > now)
			break;
		heap_remove(&l->timers, first);
		t = COLL_OF(first, struct loop_timer, node);
		l->calls++;
		t->fn(t->arg);
	}
}

static void
loop_run_deferred(struct loop *l)
{
	struct calls now;
	unsigned pass;
	size_t i;

	for (pass = 0; pass < DEFER_PASSES && l->deferred.n > 0; pass++) {
		now = l->deferred;
		l->deferred = l->running;
		l->running = (struct calls){ 0 };
		for (i = 0; i < now.n; i++) {
			l->calls++;
			now.v[i].fn(now.v[i].arg);
		}
		now.n = 0;
		l->running = now;
	}
}

static void
loop_run_each(struct loop *l)
{
	size_t i;

	for (i = 0; i < l->each.n; i++)
		l->each.v[i].fn(l->each.v[i].arg);
}

static void
calls_add(struct calls *c, loop_fn *fn, void *arg)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap * 2;
		c->v = mem_realloc(c->v, c->cap * sizeof(*c->v));
	}
	c->v[c->n].fn = fn;
	c->v[c->n].arg = arg;
	c->n++;
}
