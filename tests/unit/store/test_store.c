#include "unit.h"

#include <sys/stat.h>

#include "store_util.h"

/* Both engines give the same answers. */
static const bool engines[] = { false, true };
#define N_ENGINES 2

/* In a row, in a shared segment, in a segment of its own. */
static const uint64_t sizes[] = { 0, 1, 4096, 16384, 16385, 75000, 262144,
	262145, 3000000 };
#define N_SIZES ((int)(sizeof(sizes) / sizeof(sizes[0])))

static void
count_answer(void *arg, const struct err *why)
{
	struct bench *b = arg;

	(void)why;
	b->answers++;
}

START_TEST(gives_back_what_was_put)
{
	struct bench b;
	const struct envelope *e;
	int i;

	bench_init(&b, engines[_i]);
	bench_open(&b);
	for (i = 0; i < N_SIZES; i++) {
		put(&b, 10 + (uint64_t)i, sizes[i]);
		ck_assert(!b.failed);
	}
	for (i = 0; i < N_SIZES; i++) {
		ck_assert(load_whole(&b, 10 + (uint64_t)i, sizes[i]));
		e = b.loaded.env;
		ck_assert_uint_eq(e->mid, 10 + (uint64_t)i);
		ck_assert_uint_eq(e->icid, 17 + (uint64_t)i);
		ck_assert_uint_eq(e->size, sizes[i]);
		ck_assert(str_eq_c(e->sender.full, "s@a.example"));
		ck_assert(str_eq_c(e->sender.domain, "a.example"));
		ck_assert(str_eq_c(e->envid, "an id"));
		ck_assert(str_eq_c(e->helo, "client.example"));
		ck_assert_str_eq(e->listener, "inbound");
		ck_assert_uint_eq(e->flags, ENV_8BITMIME);
		ck_assert_uint_eq(e->nrcpt, 2);
		ck_assert(str_eq_c(e->rcpt[1]->addr.full, "r1@d1.example"));
		ck_assert(str_eq_c(e->rcpt[1]->orcpt, "rfc822;x@y"));
		ck_assert_uint_eq(e->rcpt[1]->notify, NOTIFY_FAILURE);
		ck_assert_int_eq(b.loaded.rcpt[1].next, 1010 + i);
		ck_assert_int_eq(b.loaded.hold, STORE_ACTIVE);
	}
	ck_assert(!load(&b, 99));
	ck_assert(!b.failed);
	bench_fini(&b);
}
END_TEST

START_TEST(keeps_it_over_a_restart)
{
	struct bench b;
	int i;

	bench_init(&b, false);
	bench_open(&b);
	for (i = 0; i < N_SIZES; i++)
		put(&b, 10 + (uint64_t)i, sizes[i]);
	bench_close(&b);
	bench_open(&b);
	for (i = 0; i < N_SIZES; i++)
		ck_assert(load_whole(&b, 10 + (uint64_t)i, sizes[i]));
	bench_fini(&b);
}
END_TEST

START_TEST(remembers_the_state_of_recipients)
{
	struct store_rcpt r = { .rid = 1, .state = RCPT_BOUNCED, .warned = 3,
		.warned_at = 1700000000123,
		.attempts = 3, .next = 12345, .code = 550, .status = "5.1.1",
		.text = "no such user", .remote = "mx.example" };
	struct store_txn *t;
	struct bench b;

	bench_init(&b, engines[_i]);
	bench_open(&b);
	put(&b, 1, 100);
	t = store_txn_new(b.store);
	store_rcpt(t, 1, &r);
	store_hold(t, 1, STORE_HELD);
	store_commit(t, true, NULL, NULL);
	/* A load sees what was reported before it. */
	ck_assert(load(&b, 1));
	ck_assert_int_eq(b.loaded.rcpt[1].state, RCPT_BOUNCED);
	ck_assert_int_eq(b.loaded.env->rcpt[1]->state, RCPT_BOUNCED);
	ck_assert_uint_eq(b.loaded.env->rcpt[1]->warned, 3);
	ck_assert_int_eq(b.loaded.env->rcpt[1]->warned_at, 1700000000123);
	ck_assert_uint_eq(b.loaded.rcpt[1].warned, 3);
	ck_assert_int_eq(b.loaded.rcpt[1].warned_at, 1700000000123);
	ck_assert_uint_eq(b.loaded.rcpt[1].attempts, 3);
	ck_assert_int_eq(b.loaded.rcpt[1].next, 12345);
	ck_assert_int_eq(b.loaded.rcpt[1].code, 550);
	ck_assert_str_eq(b.loaded.rcpt[1].status, "5.1.1");
	ck_assert_str_eq(b.loaded.rcpt[1].text, "no such user");
	ck_assert_str_eq(b.loaded.rcpt[1].remote, "mx.example");
	ck_assert_int_eq(b.loaded.rcpt[0].state, RCPT_PENDING);
	ck_assert_int_eq(b.loaded.hold, STORE_HELD);
	bench_fini(&b);
}
END_TEST

static void
delete_one(struct bench *b, uint64_t mid)
{
	struct store_txn *t = store_txn_new(b->store);

	store_delete(t, mid);
	store_commit(t, true, bench_done, b);
	bench_wait(b, 1);
	ck_assert(!b->failed);
}

START_TEST(deletes_everything_of_a_message)
{
	struct bench b;
	char dir[80];
	int i;

	bench_init(&b, false);
	b.conf.segment_size = 1000;
	bench_open(&b);
	(void)snprintf(dir, sizeof(dir), "%s/seg-0", b.dir);
	for (i = 0; i < N_SIZES; i++)
		put(&b, 10 + (uint64_t)i, sizes[i]);
	ck_assert_uint_ge(count_files(dir), 5);
	for (i = 0; i < N_SIZES; i++) {
		delete_one(&b, 10 + (uint64_t)i);
		ck_assert(!load(&b, 10 + (uint64_t)i));
	}
	/* The one that is open stays until there is another. */
	ck_assert_uint_le(count_files(dir), 1);
	bench_close(&b);
	bench_open(&b);
	ck_assert_uint_eq(count_files(dir), 0);
	bench_fini(&b);
}
END_TEST

START_TEST(commits_what_comes_together_as_one_group)
{
	struct envelope *env[50];
	struct store_stats stats;
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;
	unsigned i;

	bench_init(&b, false);
	bench_open(&b);
	for (i = 0; i < 50; i++) {
		env[i] = make_env(i + 1, "", 1);
		body = make_body(&b, i + 1, 4096);
		t = store_txn_new(b.store);
		store_put(t, env[i], body, 0);
		store_commit(t, false, bench_done, &b);
		body_unref(&body);
	}
	store_stats(b.store, &stats);
	ck_assert_uint_eq(stats.waiting, 50);
	bench_wait(&b, 50);
	store_stats(b.store, &stats);
	ck_assert_uint_eq(stats.commits, 1);
	ck_assert_uint_eq(stats.txns, 50);
	ck_assert_uint_eq(stats.bytes, 50 * 4096);
	ck_assert_uint_eq(stats.waiting, 0);
	for (i = 0; i < 50; i++) {
		ck_assert(load_whole(&b, i + 1, 4096));
		envelope_destroy(&env[i]);
	}
	bench_fini(&b);
}
END_TEST

/* Far more than SQLite's VFS writes at a time. */
START_TEST(commits_a_group_of_any_size)
{
	unsigned n = 1000 << _i;
	struct store_stats stats;
	struct envelope *env;
	struct body_ref *body;
	struct store_txn *t;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	env = make_env(1, "", n);
	body = make_body(&b, 1, 4096);
	t = store_txn_new(b.store);
	store_put(t, env, body, 0);
	store_commit(t, false, bench_done, &b);
	body_unref(&body);
	bench_wait(&b, 1);
	ck_assert(!b.failed);
	store_stats(b.store, &stats);
	ck_assert(!stats.degraded);
	ck_assert(load_whole(&b, 1, 4096));
	ck_assert_uint_eq(b.loaded.env->nrcpt, n);
	envelope_destroy(&env);
	bench_fini(&b);
}
END_TEST

START_TEST(lets_lazy_transactions_wait_but_not_long)
{
	struct store_stats stats;
	struct store_txn *t;
	struct bench b;
	msec start;

	bench_init(&b, engines[_i]);
	bench_open(&b);
	clock_update();
	start = clock_now();
	t = store_txn_new(b.store);
	store_delete(t, 5);
	store_commit(t, true, bench_done, &b);
	loop_once(b.loop, false);
	store_stats(b.store, &stats);
	ck_assert_uint_eq(stats.waiting, 1);
	ck_assert_uint_eq(b.answers, 0);
	bench_wait(&b, 1);
	ck_assert_int_lt(clock_now() - start, 2000);
	/* Closing does not wait for the timer. */
	t = store_txn_new(b.store);
	store_delete(t, 5);
	store_commit(t, true, bench_done, &b);
	bench_close(&b);
	ck_assert_uint_eq(b.answers, 1);
	ck_assert(!b.failed);
	bench_fini(&b);
}
END_TEST

static void
on_items(void *arg, const struct store_item *v, size_t n)
{
	struct bench *b = arg;
	size_t i;

	for (i = 0; i < n; i++) {
		ck_assert(v[i].mid * 16 + v[i].rid > b->last_mid);
		b->last_mid = v[i].mid * 16 + v[i].rid;
		ck_assert_int_eq(strncmp(v[i].domain, "d", 1), 0);
		ck_assert_str_eq(v[i].sender, "x@y.example");
	}
	b->items += (unsigned)n;
}

static void
put_many(struct bench *b, unsigned n)
{
	struct envelope **env = mem_array(n, sizeof(*env));
	struct body_ref *body = make_body(b, 1, 10);
	struct store_txn *t;
	unsigned i;

	for (i = 0; i < n; i++) {
		env[i] = make_env(i + 1, "x@y.example", 3);
		env[i]->rcpt[1]->state = RCPT_DONE;
		t = store_txn_new(b->store);
		store_put(t, env[i], body, i);
		store_commit(t, false, bench_done, b);
	}
	body_unref(&body);
	bench_wait(b, n);
	for (i = 0; i < n; i++)
		envelope_destroy(&env[i]);
	mem_free(env);
}

START_TEST(scans_each_waiting_recipient_once_in_order)
{
	struct bench b;

	bench_init(&b, engines[_i]);
	bench_open(&b);
	store_scan(b.store, on_items, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_uint_eq(b.items, 0);
	put_many(&b, 3000);
	store_scan(b.store, on_items, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(!b.failed);
	ck_assert_uint_eq(b.items, 6000);
	bench_fini(&b);
}
END_TEST

static void
on_row(void *arg, struct str json)
{
	struct bench *b = arg;

	b->items++;
	ck_assert(str_copy(b->text, sizeof(b->text), json));
}

struct pick {
	struct store_filter f;
	unsigned found;
};

static const struct pick picks[] = {
	{ { .hold = -1 }, 20 },
	{ { .hold = -1, .limit = 7 }, 7 },
	{ { .hold = -1, .mid = 4 }, 2 },
	{ { .hold = -1, .rcpt = "r0@*" }, 10 },
	{ { .hold = -1, .rcpt = "R0@D0.example" }, 10 },
	{ { .hold = -1, .rcpt = "r_@*" }, 0 },
	{ { .hold = -1, .domain = "d2.example" }, 10 },
	{ { .hold = -1, .domain = "*.example" }, 20 },
	{ { .hold = -1, .domain = "example" }, 0 },
	{ { .hold = -1, .sender = "x@*" }, 20 },
	{ { .hold = -1, .sender = "z*" }, 0 },
	{ { .hold = -1, .reason = "greylisted" }, 1 },
	{ { .hold = STORE_HELD }, 2 },
	{ { .hold = STORE_ACTIVE }, 18 },
	{ { .hold = -1, .older_than = HOURS(1) }, 0 },
	{ { .hold = -1, .newer_than = HOURS(1) }, 20 },
};
#define N_PICKS ((int)(sizeof(picks) / sizeof(picks[0])))

START_TEST(lists_what_the_filter_wants)
{
	struct store_rcpt r = { .rid = 0, .attempts = 1, .next = 99,
		.code = 451, .status = "4.7.1",
		.text = "you are Greylisted \"x\"", .remote = "mx",
		.tls = TLSR_NO_STARTTLS };
	struct store_txn *t;
	struct bench b;
	int i;

	bench_init(&b, engines[_i]);
	bench_open(&b);
	put_many(&b, 10);
	t = store_txn_new(b.store);
	store_rcpt(t, 3, &r);
	store_hold(t, 9, STORE_HELD);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	for (i = 0; i < N_PICKS; i++) {
		b.items = 0;
		store_list(b.store, &picks[i].f, on_row, bench_done, &b);
		bench_wait(&b, 1);
		ck_assert(!b.failed);
		ck_assert_msg(b.items == picks[i].found,
		    "filter %d found %u", i, b.items);
		b.items = 0;
		b.last_mid = 0;
		store_pick(b.store, &picks[i].f, on_items, bench_done, &b);
		bench_wait(&b, 1);
		ck_assert_uint_eq(b.items, picks[i].found);
	}
	store_list(b.store, &picks[11].f, on_row, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_ptr_nonnull(strstr(b.text, "\"mid\":3,\"rid\":0,"));
	ck_assert_ptr_nonnull(strstr(b.text,
	    "\"code\":451,\"status\":\"4.7.1\","
	    "\"reason\":\"you are Greylisted \\\"x\\\"\",\"remote\":\"mx\"}"));
	ck_assert_ptr_nonnull(strstr(b.text, ",\"tls\":\"\","
	    "\"tls_reason\":\"starttls-not-supported\",\"code\""));
	bench_fini(&b);
}
END_TEST

START_TEST(streams_a_large_body_in_bounded_memory)
{
	struct body_ref *body;
	struct bench b;
	char piece[65536];
	uint64_t sent;
	unsigned waits = 0;

	memset(piece, 'x', sizeof(piece));
	bench_init(&b, false);
	bench_open(&b);
	body = body_new(b.store, bench_done, &b);
	for (sent = 0; sent < 64 << 20; sent += sizeof(piece)) {
		if (body_write(body, piece, sizeof(piece)))
			continue;
		waits++;
		bench_wait(&b, 1);
	}
	/* Every 256 KB at most two of them wait for the disk. */
	ck_assert_uint_ge(waits, 32);
	/* Dropped without a commit, its file goes as well. */
	body_finish(body);
	body_unref(&body);
	bench_close(&b);
	ck_assert_uint_eq(count_files(strcat(strcpy(piece, b.dir), "/seg-0")),
	    0);
	bench_fini(&b);
}
END_TEST

START_TEST(a_body_that_is_given_up_asks_nothing_more)
{
	char piece[65536] = "";
	struct body_ref *body;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	body = body_new(b.store, count_answer, &b);
	while (body_write(body, piece, sizeof(piece)))
		;
	body_unref(&body);
	bench_close(&b);
	ck_assert_uint_eq(b.answers, 0);
	bench_fini(&b);
}
END_TEST

START_TEST(lets_two_read_one_large_body)
{
	struct body_ref *one, *two;
	struct str piece;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 3, 1000000);
	ck_assert(load(&b, 3));
	one = body_reader(b.loaded.body);
	two = body_reader(b.loaded.body);
	ck_assert(!body_read(one, 0, 5000, &piece, NULL, NULL));
	body_read_cancel(one);
	body_unref(&one);
	ck_assert_ptr_null(body_memory(two).p);
	forget_loaded(&b);
	/* The message may even be deleted meanwhile. */
	delete_one(&b, 3);
	body_unref(&two);
	bench_fini(&b);
}
END_TEST

START_TEST(is_opened_by_one_process_only)
{
	struct store *other = NULL;
	struct err why = ERR_INIT;
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	ck_assert_int_eq(store_open(&other, b.loop, &b.conf, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "in use"));
	bench_fini(&b);
}
END_TEST

START_TEST(finds_the_stores_of_workers_that_are_gone)
{
	struct bench b;
	unsigned v[8];

	bench_init(&b, false);
	b.conf.index = 3;
	bench_open(&b);
	bench_close(&b);
	ck_assert_uint_eq(store_orphans(b.dir, 4, v, 8), 0);
	ck_assert_uint_eq(store_orphans(b.dir, 3, v, 8), 1);
	ck_assert_uint_eq(v[0], 3);
	bench_fini(&b);
}
END_TEST

START_TEST(moves_what_is_left_out_of_an_old_segment)
{
	struct store_stats stats;
	struct bench b;
	char dir[80];
	uint64_t i;

	clock_fake(1700000000000);
	bench_init(&b, false);
	b.conf.segment_size = 500000;
	bench_open(&b);
	(void)snprintf(dir, sizeof(dir), "%s/seg-0", b.dir);
	for (i = 1; i <= 20; i++)
		put(&b, i, 60000);
	ck_assert_uint_eq(count_files(dir), 3);
	for (i = 1; i <= 20; i++) {
		if (i != 4 && i != 12)
			delete_one(&b, i);
	}
	ck_assert_uint_eq(count_files(dir), 3);
	/* Two are nearly empty; when they are old, their rest moves. */
	for (i = 0; i < 10000 && count_files(dir) > 1; i++) {
		(void)loop_step_fake(b.loop, clock_now() + SECONDS(30));
	}
	ck_assert_uint_eq(count_files(dir), 1);
	store_stats(b.store, &stats);
	ck_assert_uint_eq(stats.failures, 0);
	ck_assert(load_whole(&b, 4, 60000));
	ck_assert(load_whole(&b, 12, 60000));
	bench_close(&b);
	bench_open(&b);
	ck_assert(load_whole(&b, 4, 60000));
	ck_assert(load_whole(&b, 12, 60000));
	bench_fini(&b);
}
END_TEST

START_TEST(gives_the_disk_back_what_a_backlog_took)
{
	struct bench b;
	struct stat st;
	char path[96];
	uint64_t i;

	clock_fake(1700000000000);
	bench_init(&b, false);
	bench_open(&b);
	for (i = 1; i <= 900; i++)
		put(&b, i, 16000);
	(void)snprintf(path, sizeof(path), "%s/store-0.db", b.dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_gt(st.st_size, 10 << 20);
	for (i = 1; i < 900; i++)
		delete_one(&b, i);
	for (i = 0; i < 100; i++)
		(void)loop_step_fake(b.loop, clock_now() + SECONDS(1));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, 5 << 20);
	(void)snprintf(path, sizeof(path), "%s/store-0.db-wal", b.dir);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, 1 << 20);
	ck_assert(load_whole(&b, 900, 16000));
	bench_fini(&b);
}
END_TEST

UNIT_SUITE(store)
{
	tcase_add_loop_test(tc, gives_back_what_was_put, 0, N_ENGINES);
	tcase_add_test(tc, keeps_it_over_a_restart);
	tcase_add_loop_test(tc, remembers_the_state_of_recipients, 0,
	    N_ENGINES);
	tcase_add_test(tc, commits_what_comes_together_as_one_group);
	tcase_add_loop_test(tc, commits_a_group_of_any_size, 0, 6);
	tcase_add_loop_test(tc, lets_lazy_transactions_wait_but_not_long, 0,
	    N_ENGINES);
	tcase_add_loop_test(tc, scans_each_waiting_recipient_once_in_order, 0,
	    N_ENGINES);
	tcase_add_loop_test(tc, lists_what_the_filter_wants, 0, N_ENGINES);
	tcase_add_test(tc, streams_a_large_body_in_bounded_memory);
	tcase_add_test(tc, a_body_that_is_given_up_asks_nothing_more);
	tcase_add_test(tc, lets_two_read_one_large_body);
	tcase_add_test(tc, is_opened_by_one_process_only);
	if (bench_plugin != NULL)
		return;
	tcase_add_test(tc, deletes_everything_of_a_message);
	tcase_add_test(tc, finds_the_stores_of_workers_that_are_gone);
	tcase_add_test(tc, moves_what_is_left_out_of_an_old_segment);
	tcase_add_test(tc, gives_the_disk_back_what_a_backlog_took);
}
