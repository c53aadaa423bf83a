/*
 * Threads for what blocks: one thread per queue, jobs in order.
 *
 * A worker has a small number of these (store, bodies, reads). A job runs
 * work() on the thread with nothing but its argument, then done() on the loop
 * that created the queue, never from inside offload_submit(). The queue knows
 * no loop: it signals an eventfd, and the owner calls offload_reap() when that
 * is readable (net/loop has loop_offload() for it).
 */
#ifndef BASE_OFFLOAD_H
#define BASE_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct offload;

typedef void offload_work(void *arg);
typedef void offload_done(void *arg);

struct offload *offload_new(const char *name);
/* Finishes every job, delivers every done(), ends the thread. */
void offload_destroy(struct offload **op);
void offload_submit(struct offload *o, offload_work *work, offload_done *done,
    void *arg);
int offload_fd(const struct offload *o);
void offload_reap(struct offload *o);
size_t offload_pending(const struct offload *o); /* jobs not yet reaped */
/* Waits until all submitted jobs are done and reaps them (tests, shutdown). */
void offload_drain(struct offload *o);
/* The same, for so many milliseconds; false: a job is not done yet. */
bool offload_drain_for(struct offload *o, int64_t ms);
/* For a job that does not return: it is left to itself. What it has must stay,
 * its done() is not called; its thread ends when it returns. Jobs behind it are
 * not done. */
void offload_abandon(struct offload **op);

#endif
