/*
 * The event loop of a process: libevent underneath, our timers on top.
 *
 * Nothing here may be called from another thread. A callback is thin: it
 * casts, reads what happened, calls its state machine and returns. No object is
 * freed inside its own callback: loop_defer() runs a function when the stack
 * is empty, at the end of this round. Timers follow base/clock, so that with
 * clock_fake() loop_step_fake() moves them without any waiting.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/coll.h"
#include "base/offload.h"

struct event_base;
struct loop;

typedef void loop_fn(void *arg);

struct loop *loop_new(void);
/* Runs what is deferred first, so that dead objects are freed. Watches of the
 * owner's must be stopped before. */
void loop_destroy(struct loop **lp);
/* In a child, before it destroys a loop it inherited: cuts the tie to the
 * parent's epoll set, which the child's clean-up would empty otherwise. */
void loop_forked(struct loop *l);
void loop_run(struct loop *l);	/* until loop_stop() */
void loop_stop(struct loop *l);
/* One round; wait: block until something happens, else only what is ready. */
void loop_once(struct loop *l, bool wait);
/* For libunbound only. */
struct event_base *loop_base(struct loop *l);

/* A timer is a member of its owner; one shot. */
struct loop_timer {
	struct heap_node node;
	struct loop *loop;
	loop_fn *fn;
	void *arg;
};

void loop_timer_init(struct loop *l, struct loop_timer *t, loop_fn *fn,
    void *arg);
void loop_timer_set(struct loop_timer *t, msec in); /* moves it if armed */
void loop_timer_clear(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

enum loop_what { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void loop_fd_fn(void *arg, int fd, unsigned what);

/* Watches fd, level-triggered, until loop_fd_stop(). */
struct loop_fd;
struct loop_fd *loop_fd_start(struct loop *l, int fd, unsigned what,
    loop_fd_fn *fn, void *arg);
void loop_fd_change(struct loop_fd *w, unsigned what);
void loop_fd_stop(struct loop_fd **wp);

struct loop_signal;
struct loop_signal *loop_signal_start(struct loop *l, int signo, loop_fn *fn,
    void *arg);
void loop_signal_stop(struct loop_signal **sp);

/* fn(arg) at the end of this round, in order; the reaper of dead objects. */
void loop_defer(struct loop *l, loop_fn *fn, void *arg);
/* fn(arg) at the end of every round, after all deferred calls and before the
 * loop blocks (log_flush and the like); until loop_destroy(). */
void loop_each_round(struct loop *l, loop_fn *fn, void *arg);
/* Reaps o's jobs on this loop. */
void loop_offload(struct loop *l, struct offload *o);
void loop_offload_stop(struct loop *l, struct offload *o);

/* With a fake clock: does what is ready now (fds, deferred calls, jobs of
 * offloads), then moves time to the next timer (at most until `until`) and
 * runs what is due; false when nothing is left before `until`. */
bool loop_step_fake(struct loop *l, msec until);

#endif
