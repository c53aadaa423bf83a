#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "store_util.h"

#define ALL	  ((1U << SYS_CALLS) - 1)
#define EXIT_FAULT 86

/* The messages of one life: in a row, in a shared segment, in one of its
 * own. The second is deleted, the first has a recipient done. */
static const uint64_t sizes[] = { 3000, 70000, 300000 };
#define N_MSG 3

/* What was answered, in memory that outlives the process. */
struct told {
	bool put[N_MSG], refused[N_MSG];
	bool done, deleted;
	bool finished;
};

static bool
try_put(struct bench *b, uint64_t mid, uint64_t size)
{
	put(b, mid, size);
	return !b->failed;
}

/* Small bodies in rows as well as, with a small limit, in segments. */
static void
live(struct bench *b, struct told *told, bool segments)
{
	struct store_rcpt r = { .rid = 1, .state = RCPT_DONE, .attempts = 1,
		.code = 250, .status = "2.0.0", .text = "ok", .remote = "mx" };
	struct err why = ERR_INIT;
	struct store_txn *t;
	unsigned i;

	b->conf.body_in_row = segments ? 0 : 16384;
	if (store_open(&b->store, b->loop, &b->conf, &why) < 0)
		return;
	for (i = 0; i < N_MSG; i++) {
		if (try_put(b, i + 1, sizes[i]))
			told->put[i] = true;
		else
			told->refused[i] = true;
	}
	t = store_txn_new(b->store);
	store_rcpt(t, 1, &r);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
	told->done = !b->failed && told->put[0];
	t = store_txn_new(b->store);
	store_delete(t, 2);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
	told->deleted = !b->failed;
	store_close(&b->store);
	told->finished = true;
}

static void
on_items(void *arg, const struct store_item *v, size_t n)
{
	struct bench *b = arg;
	size_t i;

	for (i = 0; i < n; i++)
		b->text[v[i].mid * 2 + v[i].rid]++;
}

/* What was acknowledged is there once and whole; the rest whole or not. */
static void
check(struct bench *b, const struct told *told, uint64_t nth)
{
	struct envelope *env;
	unsigned i;
	char dir[80];
	bool there;

	bench_open(b);
	memset(b->text, 0, sizeof(b->text));
	store_scan(b->store, on_items, bench_done, b);
	bench_wait(b, 1);
	ck_assert(!b->failed);
	for (i = 0; i < N_MSG; i++) {
		there = load_whole(b, i + 1, sizes[i]);
		ck_assert_msg(!b->failed, "call %llu, MID %u: %s",
		    (unsigned long long)nth, i + 1, b->why.text);
		if (told->put[i] && i != 1)
			ck_assert_msg(there, "call %llu: MID %u is lost",
			    (unsigned long long)nth, i + 1);
		if (told->refused[i] && told->finished)
			ck_assert_msg(!there, "call %llu: MID %u was refused",
			    (unsigned long long)nth, i + 1);
		if (i == 1 && told->deleted)
			ck_assert(!there);
		if (!there) {
			ck_assert_int_eq(b->text[2 * (i + 1)], 0);
			continue;
		}
		env = b->loaded.env;
		ck_assert_uint_eq(env->nrcpt, 2);
		ck_assert_int_eq(b->text[2 * (i + 1)], 1);
		if (i == 0 && told->done) {
			ck_assert_int_eq(env->rcpt[1]->state, RCPT_DONE);
			ck_assert_int_eq(b->text[3], 0);
		}
	}
	/* And it works: another message comes and goes. */
	put(b, 50, 70000);
	ck_assert(!b->failed);
	ck_assert(load_whole(b, 50, 70000));
	bench_close(b);
	/* Nothing is set aside, since nothing was damaged. */
	(void)snprintf(dir, sizeof(dir), "%s/corrupt", b->dir);
	ck_assert_uint_eq(count_files(dir), 0);
}

static struct told *
shared_told(void)
{
	struct told *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert(t != MAP_FAILED);
	return t;
}

/* For every n: the process ends at its n-th call. */
START_TEST(loses_nothing_wherever_the_process_ends)
{
	struct told *told = shared_told();
	struct bench b;
	uint64_t nth;
	int status;
	pid_t pid;

	for (nth = 1; nth < 1000; nth++) {
		bench_init(&b, false);
		memset(told, 0, sizeof(*told));
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			loop_forked(b.loop);
			loop_destroy(&b.loop);
			b.loop = loop_new();
			sys_fault(ALL, nth, 0, false);
			live(&b, told, _i == 1);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status));
		ck_assert(WEXITSTATUS(status) == EXIT_FAULT ||
		    WEXITSTATUS(status) == 0);
		check(&b, told, nth);
		bench_fini(&b);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	ck_assert_uint_gt(nth, 30);
	ck_assert_uint_lt(nth, 1000);
}
END_TEST

static const int errors[] = { EIO, ENOSPC };

/* For every n: the n-th call fails, once or from then on. */
START_TEST(answers_honestly_whatever_fails)
{
	struct told told;
	struct bench b;
	uint64_t nth, calls;

	for (nth = 1; nth < 1000; nth++) {
		bench_init(&b, false);
		memset(&told, 0, sizeof(told));
		sys_fault(ALL, nth, errors[_i & 1], false);
		live(&b, &told, (_i & 2) != 0);
		calls = sys_fault_count();
		sys_fault_off();
		check(&b, &told, nth);
		bench_fini(&b);
		if (calls < nth)
			break;
	}
	ck_assert_uint_gt(nth, 30);
	ck_assert_uint_lt(nth, 1000);
}
END_TEST

START_TEST(recovers_without_a_restart_when_there_is_room_again)
{
	struct store_stats stats;
	struct store_txn *t;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 1, 3000);
	sys_fault(1U << SYS_WRITE | 1U << SYS_FSYNC, 1, errors[_i], true);
	put(&b, 2, 3000);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, _i == 1 ? 452 : 451);
	ck_assert_str_eq(b.why.enh, _i == 1 ? "4.3.1" : "4.3.0");
	put(&b, 3, 70000);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, _i == 1 ? 452 : 451);
	put(&b, 4, 700000);
	ck_assert(b.failed);
	ck_assert_int_eq(b.why.code, _i == 1 ? 452 : 451);
	store_stats(b.store, &stats);
	ck_assert(stats.degraded);
	/* Facts are not refused, they wait. */
	t = store_txn_new(b.store);
	store_delete(t, 1);
	store_commit(t, true, bench_done, &b);
	loop_once(b.loop, true);
	loop_once(b.loop, true);
	ck_assert_uint_eq(b.answers, 0);
	sys_fault_off();
	while (b.answers == 0)
		loop_once(b.loop, true);
	b.answers = 0;
	ck_assert(!b.failed);
	put(&b, 5, 3000);
	ck_assert(!b.failed);
	store_stats(b.store, &stats);
	ck_assert(!stats.degraded);
	ck_assert(!load(&b, 1) && !b.failed);
	ck_assert(!load(&b, 2) && !b.failed);
	ck_assert(!load(&b, 3) && !b.failed);
	ck_assert(!load(&b, 4) && !b.failed);
	ck_assert(load_whole(&b, 5, 3000));
	bench_close(&b);
	bench_open(&b);
	ck_assert(!load(&b, 1) && !load(&b, 2) && !load(&b, 3));
	ck_assert(load_whole(&b, 5, 3000));
	bench_fini(&b);
}
END_TEST

/* Two in one group, one of which cannot be: the other one is kept. */
START_TEST(lets_one_bad_message_fail_alone)
{
	struct envelope *env[3];
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;
	unsigned i;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 7, 100);
	for (i = 0; i < 3; i++) {
		env[i] = make_env(6 + i, "", 1); /* 7 is taken */
		body = make_body(&b, 6 + i, 100);
		t = store_txn_new(b.store);
		store_put(t, env[i], body, 0);
		store_commit(t, false, bench_done, &b);
		body_unref(&body);
	}
	bench_wait(&b, 3);
	ck_assert(load_whole(&b, 6, 100));
	ck_assert(load_whole(&b, 8, 100));
	ck_assert(load_whole(&b, 7, 100));
	ck_assert_uint_eq(b.loaded.env->nrcpt, 2);
	for (i = 0; i < 3; i++)
		envelope_destroy(&env[i]);
	bench_fini(&b);
}
END_TEST

UNIT_SUITE(fault)
{
	tcase_add_loop_test(tc, loses_nothing_wherever_the_process_ends, 0, 2);
	tcase_add_loop_test(tc, answers_honestly_whatever_fails, 0, 4);
	tcase_add_loop_test(tc,
	    recovers_without_a_restart_when_there_is_room_again, 0, 2);
	tcase_add_test(tc, lets_one_bad_message_fail_alone);
}
