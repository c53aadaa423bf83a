#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/shm.h"
#include "unit.h"

#define LIMIT 3
#define WORKERS 4

static struct shm *shm;

static void
begin(void)
{
	shm = shm_new(WORKERS, NULL);
	ck_assert_ptr_nonnull(shm);
}

static void
end(void)
{
	shm_destroy(&shm);
	ck_assert_ptr_null(shm);
}

START_TEST(counts_up_to_the_limit_across_workers)
{
	ck_assert(!shm_acquire(shm, SHM_DEST, 0, 7, 0));
	ck_assert(shm_acquire(shm, SHM_DEST, 0, 7, 2));
	ck_assert(shm_acquire(shm, SHM_DEST, 1, 7, 2));
	ck_assert(!shm_acquire(shm, SHM_DEST, 2, 7, 2));
	ck_assert(shm_acquire(shm, SHM_DEST, 2, 7, 3));
	ck_assert_uint_eq(shm_total(shm, SHM_DEST, 7), 3);
	ck_assert_uint_eq(shm_total(shm, SHM_CLIENT, 7), 0);
	shm_release(shm, SHM_DEST, 1, 7);
	ck_assert_uint_eq(shm_total(shm, SHM_DEST, 7), 2);
	ck_assert(shm_acquire(shm, SHM_DEST, 3, 0, 1));
	ck_assert_uint_eq(shm_total(shm, SHM_DEST, 0), 1);
	shm_release(shm, SHM_DEST, 3, 0);
	ck_assert_uint_eq(shm_workers(shm), WORKERS);
}
END_TEST

START_TEST(takes_a_dead_workers_shares_out)
{
	int i;

	for (i = 0; i < 5; i++) {
		ck_assert(shm_acquire(shm, SHM_CLIENT, 1, 5, 100));
		ck_assert(shm_acquire(shm, SHM_CLIENT, 2, 5, 100));
		ck_assert(shm_acquire(shm, SHM_DEST, 1, (uint64_t)i, 100));
	}
	shm_metric_add(shm, 1, M_SESSIONS, 4);
	shm_metric_add(shm, 2, M_SESSIONS, 2);
	shm_metric_set(shm, 1, M_SESSIONS_NOW, 4);
	shm_metric_set(shm, 2, M_SESSIONS_NOW, 1);
	shm_beat(shm, 1, 99);
	shm_worker_gone(shm, 1);
	ck_assert_uint_eq(shm_total(shm, SHM_CLIENT, 5), 5);
	ck_assert_uint_eq(shm_total(shm, SHM_DEST, 3), 0);
	/* Counters stay, what was open does not. */
	ck_assert_int_eq(shm_metric_sum(shm, M_SESSIONS), 6);
	ck_assert_int_eq(shm_metric_sum(shm, M_SESSIONS_NOW), 1);
	ck_assert_int_eq(shm_beat_last(shm, 1), 0);
}
END_TEST

/* Another process sees only what is in the table. */
static void
take_all(unsigned n)
{
	unsigned i;
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		for (i = 0; i < n; i++) {
			uint64_t key = hash_stable(&i, sizeof(i));

			if (!shm_acquire(shm, SHM_DEST, 0, key, 1) ||
			    shm_acquire(shm, SHM_DEST, 0, key, 1))
				_exit(1);
			if (i % 7 == 0) {
				shm_release(shm, SHM_DEST, 0, key);
				if (!shm_acquire(shm, SHM_DEST, 0, key, 1))
					_exit(2);
			}
		}
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static unsigned
count_all(unsigned n)
{
	unsigned i, sum = 0;

	for (i = 0; i < n; i++)
		sum += shm_total(shm, SHM_DEST, hash_stable(&i, sizeof(i)));
	return sum;
}

START_TEST(holds_16384_keys_and_goes_on_beyond)
{
	static const unsigned counts[] = { 16384, 16385, 200000 };
	unsigned c;

	for (c = 0; c < 3; c++) {
		take_all(counts[c]);
		if (counts[c] <= 16385)
			ck_assert_uint_eq(count_all(counts[c]), counts[c]);
		else
			ck_assert_uint_gt(count_all(counts[c]), 60000);
		shm_worker_gone(shm, 0);
		ck_assert_uint_eq(count_all(counts[c]), 0);
	}
}
END_TEST

/* What the children see of each other's shares. */
struct field {
	_Atomic int held[8];
	_Atomic int most[8];
	_Atomic long taken;
	_Atomic int stop;
};

static struct field *
field_new(void)
{
	void *p = mmap(NULL, sizeof(struct field), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* held counts only while a share is surely held, so it may never pass. */
static void
hammer(struct field *f, unsigned worker, unsigned keys, int rounds)
{
	unsigned k;
	int i, now;

	rand_forked();
	for (i = 0; i < rounds || rounds == 0; i++) {
		k = rand_below(keys);
		if (!shm_acquire(shm, SHM_DEST, worker, k + 1, LIMIT))
			continue;
		now = ++f->held[k];
		if (now > f->most[k])
			f->most[k] = now;
		f->taken++;
		if (rand_below(16) == 0)
			(void)sched_yield();
		f->held[k]--;
		shm_release(shm, SHM_DEST, worker, k + 1);
	}
}

START_TEST(never_passes_the_limit_under_four_processes)
{
	struct field *f = field_new();
	unsigned w, k;
	pid_t pid[WORKERS];
	int status;

	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0) {
			hammer(f, w, 2, 50000);
			_exit(0);
		}
	}
	for (w = 0; w < WORKERS; w++) {
		ck_assert_int_eq(waitpid(pid[w], &status, 0), pid[w]);
		ck_assert_int_eq(status, 0);
	}
	for (k = 0; k < 2; k++) {
		ck_assert_int_le(f->most[k], LIMIT);
		ck_assert_uint_eq(shm_total(shm, SHM_DEST, k + 1), 0);
	}
	ck_assert_int_gt(f->taken, 1000);
	(void)munmap(f, sizeof(*f));
}
END_TEST

/* Keys of one bucket only, so that slots change their keys all the time. */
static void
churn(unsigned worker, uint64_t *bad)
{
	uint64_t key;
	int i;

	rand_forked();
	for (i = 0; i < 50000; i++) {
		key = (uint64_t)rand_below(40) * 4096 * 16 + 4096 * 8;
		if (!shm_acquire(shm, SHM_DEST, worker, key, 1))
			continue;
		if (shm_total(shm, SHM_DEST, key) > 1)
			++*bad;
		shm_release(shm, SHM_DEST, worker, key);
	}
}

START_TEST(slots_change_their_keys_without_losing_a_share)
{
	uint64_t *bad = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0), key;
	pid_t pid[WORKERS];
	unsigned w;
	int status;

	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0) {
			churn(w, &bad[w]);
			_exit(0);
		}
	}
	for (w = 0; w < WORKERS; w++) {
		ck_assert_int_eq(waitpid(pid[w], &status, 0), pid[w]);
		ck_assert_int_eq(status, 0);
		ck_assert_uint_eq(bad[w], 0);
	}
	for (w = 0; w < 40; w++) {
		key = (uint64_t)w * 4096 * 16 + 4096 * 8;
		ck_assert_uint_eq(shm_total(shm, SHM_DEST, key), 0);
	}
	(void)munmap(bad, 4096);
}
END_TEST

/*
 * Workers are killed anywhere in a call while the others go on; each time the
 * totals must be what the living hold, and at the end nothing.
 */
START_TEST(recovers_from_workers_killed_in_the_middle)
{
	struct timespec nap = { 0, 0 };
	struct field *f = field_new();
	pid_t pid[WORKERS];
	unsigned w, k;
	int round;

	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0)
			hammer(f, w, 4, 0);
	}
	for (round = 0; round < 60; round++) {
		nap.tv_nsec = (long)rand_below(3000000);
		(void)nanosleep(&nap, NULL);
		w = rand_below(WORKERS);
		(void)kill(pid[w], SIGKILL);
		ck_assert_int_eq(waitpid(pid[w], NULL, 0), pid[w]);
		shm_worker_gone(shm, w);
		for (k = 0; k < 4; k++)
			ck_assert_uint_le(
			    shm_total(shm, SHM_DEST, k + 1), LIMIT);
		pid[w] = fork();
		if (pid[w] == 0)
			hammer(f, w, 4, 0);
	}
	for (w = 0; w < WORKERS; w++) {
		(void)kill(pid[w], SIGKILL);
		ck_assert_int_eq(waitpid(pid[w], NULL, 0), pid[w]);
		shm_worker_gone(shm, w);
	}
	for (k = 0; k < 4; k++) {
		ck_assert_uint_eq(shm_total(shm, SHM_DEST, k + 1), 0);
		for (w = 0; w < LIMIT; w++)
			ck_assert(shm_acquire(shm, SHM_DEST, 0, k + 1, LIMIT));
		ck_assert(!shm_acquire(shm, SHM_DEST, 0, k + 1, LIMIT));
	}
	(void)munmap(f, sizeof(*f));
}
END_TEST

START_TEST(rates_count_within_a_window)
{
	unsigned i;

	clock_fake(0);
	for (i = 1; i <= 10; i++)
		ck_assert_uint_eq(shm_rate(shm, 0, 9, MINUTES(1)), i);
	ck_assert_uint_eq(shm_rate(shm, 0, 9, HOURS(1)), 1);
	ck_assert_uint_eq(shm_rate(shm, 0, 8, MINUTES(1)), 1);
	clock_fake_advance(SECONDS(59));
	ck_assert_uint_eq(shm_rate(shm, 0, 9, MINUTES(1)), 11);
	clock_fake_advance(SECONDS(2));
	ck_assert_uint_eq(shm_rate(shm, 0, 9, MINUTES(1)), 1);
	for (i = 0; i < 300000; i++)
		ck_assert_uint_ge(shm_rate(shm, 0, hash_stable(&i, 4),
		    HOURS(1)), 1);
}
END_TEST

START_TEST(ids_begin_at_one_and_grow)
{
	ck_assert_uint_eq(shm_id_next(shm, SHM_MID), 1);
	ck_assert_uint_eq(shm_id_next(shm, SHM_MID), 2);
	ck_assert_uint_eq(shm_id_next(shm, SHM_ICID), 1);
	shm_id_set(shm, SHM_MID, 500, 600);
	ck_assert_uint_eq(shm_id_peek(shm, SHM_MID), 500);
	shm_id_extend(shm, SHM_MID, 550);
	ck_assert_uint_eq(shm_id_limit(shm, SHM_MID), 600);
	shm_id_extend(shm, SHM_MID, 700);
	ck_assert_uint_eq(shm_id_limit(shm, SHM_MID), 700);
}
END_TEST

START_TEST(names_metrics_without_hyphens)
{
	char name[80];
	unsigned i;

	for (i = 0; i < M_COUNT; i++)
		ck_assert_ptr_null(
		    strchr(shm_metric_name(i, name, sizeof(name)), '-'));
	ck_assert_str_eq(shm_metric_name(M_TLS_OUT_FAILED_NO_CIPHER, name,
	    sizeof(name)), "tls_out_failed_no_shared_cipher_total");
}
END_TEST

START_TEST(rates_count_several_at_once)
{
	clock_fake(0);
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 0), 0);
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 5), 5);
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 3), 8);
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 0), 8);
	ck_assert_uint_eq(shm_rate(shm, 0, 9, MINUTES(1)), 9);
	/* It stays at the most it can say. */
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), UINT32_MAX),
	    UINT32_MAX);
	ck_assert_uint_eq(shm_rate(shm, 0, 9, MINUTES(1)), UINT32_MAX);
	clock_fake_advance(MINUTES(2));
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 0), 0);
	ck_assert_uint_eq(shm_rate_by(shm, 0, 9, MINUTES(1), 2), 2);
}
END_TEST

/* Each key's first events come from all of them at one moment. */
#define RATE_KEYS 3000
#define RATE_LIMIT 3

struct gate {
	_Atomic unsigned there[RATE_KEYS];
	_Atomic unsigned passed[RATE_KEYS];
	_Atomic unsigned most[RATE_KEYS];
};

static void
rush(struct gate *g, unsigned worker)
{
	unsigned k, i, n;

	for (k = 0; k < RATE_KEYS; k++) {
		g->there[k]++;
		while (g->there[k] < WORKERS)
			(void)sched_yield();
		for (i = 0; i < RATE_LIMIT; i++) {
			n = shm_rate(shm, worker, hash_stable(&k, sizeof(k)),
			    HOURS(1));
			if (n <= RATE_LIMIT)
				g->passed[k]++;
			if (n == WORKERS * RATE_LIMIT)
				g->most[k]++;
		}
	}
}

START_TEST(rates_are_exact_when_four_processes_count_a_new_key)
{
	struct gate *g = mmap(NULL, sizeof(struct gate),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[WORKERS];
	unsigned w, k;
	int status;

	ck_assert_ptr_ne(g, MAP_FAILED);
	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0) {
			rush(g, w);
			_exit(0);
		}
	}
	for (w = 0; w < WORKERS; w++) {
		ck_assert_int_eq(waitpid(pid[w], &status, 0), pid[w]);
		ck_assert_int_eq(status, 0);
	}
	for (k = 0; k < RATE_KEYS; k++) {
		ck_assert_uint_eq(g->passed[k], RATE_LIMIT);
		ck_assert_uint_eq(g->most[k], 1);
	}
	(void)munmap(g, sizeof(*g));
}
END_TEST

/* Of one bucket only, so that slots change their keys all the time. */
static void
rate_churn(unsigned worker)
{
	rand_forked();
	for (;;) {
		clock_fake_advance(rand_below(8));
		(void)shm_rate(shm, worker, rand_below(40) * UINT64_C(4096),
		    1);
	}
}

START_TEST(a_worker_killed_while_it_counts_locks_no_bucket)
{
	struct timespec nap = { 0, 0 };
	pid_t pid[WORKERS];
	unsigned w, i;
	int round;

	clock_fake(0);
	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0)
			rate_churn(w);
	}
	for (round = 0; round < 60; round++) {
		nap.tv_nsec = (long)rand_below(3000000);
		(void)nanosleep(&nap, NULL);
		w = rand_below(WORKERS);
		(void)kill(pid[w], SIGKILL);
		ck_assert_int_eq(waitpid(pid[w], NULL, 0), pid[w]);
		shm_worker_gone(shm, w);
		pid[w] = fork();
		if (pid[w] == 0)
			rate_churn(w);
	}
	for (w = 0; w < WORKERS; w++) {
		(void)kill(pid[w], SIGKILL);
		ck_assert_int_eq(waitpid(pid[w], NULL, 0), pid[w]);
		shm_worker_gone(shm, w);
	}
	/* All sixteen places of the bucket can still be had. */
	clock_fake_advance(HOURS(1000));
	for (w = 1; w <= 3; w++) {
		for (i = 0; i < 16; i++)
			ck_assert_uint_eq(shm_rate(shm, w, i * UINT64_C(4096),
			    1), w);
	}
}
END_TEST

UNIT_SUITE(shm)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, counts_up_to_the_limit_across_workers);
	tcase_add_test(tc, takes_a_dead_workers_shares_out);
	tcase_add_test(tc, holds_16384_keys_and_goes_on_beyond);
	tcase_add_test(tc, never_passes_the_limit_under_four_processes);
	tcase_add_test(tc, slots_change_their_keys_without_losing_a_share);
	tcase_add_test(tc, recovers_from_workers_killed_in_the_middle);
	tcase_add_test(tc, rates_count_within_a_window);
	tcase_add_test(tc, rates_count_several_at_once);
	tcase_add_test(tc,
	    rates_are_exact_when_four_processes_count_a_new_key);
	tcase_add_test(tc, a_worker_killed_while_it_counts_locks_no_bucket);
	tcase_add_test(tc, ids_begin_at_one_and_grow);
	tcase_add_test(tc, names_metrics_without_hyphens);
}
