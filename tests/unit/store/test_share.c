#include "unit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/sys.h"
#include "store/store_priv.h"
#include "store_util.h"

/*
 * Branches of a message: several envelopes, one content. Sizes: a row, a
 * shared segment, a segment of its own.
 */

static const uint64_t sizes[] = { 3000, 100000, 400000 };

enum { BRANCHES = 3 };

static const struct store_filter any = { .hold = -1 };

static char *
path_of(const struct bench *b, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	return path;
}

static int64_t
ask_sql(const struct bench *b, const char *sql)
{
	sqlite3_stmt *st;
	sqlite3 *db;
	int64_t n;

	ck_assert_int_eq(sqlite3_open(path_of(b, "store-0.db"), &db),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return n;
}

/* MIDs 1 to BRANCHES with the content of MID 1. */
static void
put_branches(struct bench *b, uint64_t size)
{
	struct body_ref *body = make_body(b, 1, size);
	struct envelope *env[BRANCHES];
	struct store_txn *t = store_txn_new(b->store);
	unsigned i;

	for (i = 0; i < BRANCHES; i++) {
		env[i] = make_env(i + 1, "s@a.example", 2);
		env[i]->size = size;
		store_put(t, env[i], body, clock_wall());
	}
	body_unref(&body);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
	for (i = 0; i < BRANCHES; i++)
		envelope_destroy(&env[i]);
}

static void
delete(struct bench *b, uint64_t mid)
{
	struct store_txn *t = store_txn_new(b->store);

	store_delete(t, mid);
	store_commit(t, false, bench_done, b);
	bench_wait(b, 1);
	ck_assert(!b->failed);
}

/* Loading compares the checksum, here is whose content it must be. */
static void
has_content(struct bench *b, uint64_t mid, uint64_t size)
{
	struct body_ref *ours = make_body(b, 1, size);
	struct str s, t;

	ck_assert(load(b, mid));
	ck_assert_uint_eq(b->loaded.env->mid, mid);
	s = body_memory(ours);
	t = body_memory(b->loaded.body);
	ck_assert_uint_eq(body_size(b->loaded.body), size);
	if (s.p != NULL)
		ck_assert(str_eq(s, t));
	forget_loaded(b);
	body_unref(&ours);
}

START_TEST(branches_share_the_octets_on_the_disk)
{
	uint64_t size = sizes[_i];
	struct stat st;
	struct bench b;

	bench_init(&b, false);
	b.conf.body_in_row = 65536;
	bench_open(&b);
	put_branches(&b, size);
	ck_assert(!b.failed);
	bench_close(&b);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM body"), _i == 0);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(DISTINCT sum) "
				     "FROM message"), 1);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(DISTINCT off) "
				     "FROM message"), 1);
	if (_i > 0) {
		ck_assert_int_eq(stat(path_of(&b, "seg-0/0000000000000001"),
		    &st), 0);
		ck_assert_uint_eq((uint64_t)st.st_size, size);
		ck_assert_uint_eq(count_files(path_of(&b, "seg-0")), 1);
	}
	bench_open(&b);
	has_content(&b, 1, size);
	has_content(&b, 3, size);
	bench_fini(&b);
}
END_TEST

static const uint64_t orders[][BRANCHES] = {
	{ 1, 2, 3 }, { 3, 2, 1 }, { 2, 1, 3 }, { 2, 3, 1 },
};

START_TEST(the_last_branch_takes_the_content_along)
{
	const uint64_t *order = orders[_i / 3];
	uint64_t size = sizes[_i % 3];
	struct bench b;
	unsigned i;

	bench_init(&b, false);
	b.conf.body_in_row = 65536;
	bench_open(&b);
	put_branches(&b, size);
	for (i = 0; i < BRANCHES; i++) {
		has_content(&b, order[BRANCHES - 1], size);
		delete(&b, order[i]);
		ck_assert(!load(&b, order[i]) && !b.failed);
		/* Nor does a restart find more or less. */
		bench_close(&b);
		ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM body"),
		    _i % 3 == 0 && i < BRANCHES - 1);
		bench_open(&b);
	}
	bench_close(&b);
	bench_open(&b);
	ck_assert_uint_eq(count_files(path_of(&b, "seg-0")), 0);
	bench_fini(&b);
}
END_TEST

START_TEST(the_memory_engine_shares_as_well)
{
	struct bench b;

	bench_init(&b, true);
	bench_open(&b);
	put_branches(&b, 3000);
	delete(&b, 1);
	has_content(&b, 2, 3000);
	delete(&b, 2);
	has_content(&b, 3, 3000);
	bench_fini(&b);
}
END_TEST

/* Emptying a segment moves what is shared once. */
START_TEST(what_is_shared_moves_once)
{
	struct store_txn *t;
	struct bench b;
	struct stat st;
	unsigned i;

	bench_init(&b, false);
	b.conf.body_in_row = 0;
	b.conf.segment_size = 1;
	bench_open(&b);
	put_branches(&b, 5000);
	put(&b, 9, 100); /* in the next segment, which is open then */
	t = store_txn_new(b.store);
	for (i = 1; i <= BRANCHES; i++)
		store_move(t, i, 1);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(!b.failed);
	bench_close(&b);
	ck_assert_int_lt(stat(path_of(&b, "seg-0/0000000000000001"), &st), 0);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(DISTINCT off) FROM message "
				     "WHERE mid <= 3 AND seg > 1"), 1);
	ck_assert_int_eq(stat(path_of(&b, "seg-0/0000000000000003"), &st), 0);
	ck_assert_int_eq(st.st_size, 5000);
	bench_open(&b);
	for (i = 1; i <= BRANCHES; i++) {
		has_content(&b, i, 5000);
		delete(&b, i);
	}
	bench_close(&b);
	bench_open(&b);
	ck_assert(load_whole(&b, 9, 100));
	bench_fini(&b);
}
END_TEST

/* The message that the row of the content is named after is gone. */
START_TEST(a_shared_content_is_saved_from_a_damaged_database)
{
	struct bench b;
	char junk[4096];
	unsigned i;
	int fd;

	bench_init(&b, false);
	bench_open(&b);
	put_branches(&b, 3000);
	delete(&b, 1);
	for (i = 10; i < 210; i++)
		put(&b, i, 100);
	bench_close(&b);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path_of(&b, "store-0.db"), O_WRONLY);
	ck_assert_int_ge(fd, 0);
	/* Some page of the end: those of the first messages are intact. */
	ck_assert_int_eq(pwrite(fd, junk, sizeof(junk),
	    (count_pages(path_of(&b, "store-0.db")) - 6) * 4096),
	    sizeof(junk));
	(void)close(fd);
	bench_open(&b);
	for (i = 10; i < 210; i++)
		(void)load(&b, i);
	has_content(&b, 2, 3000);
	has_content(&b, 3, 3000);
	ck_assert_uint_ge(count_files(path_of(&b, "corrupt")), 1);
	delete(&b, 2);
	has_content(&b, 3, 3000);
	bench_fini(&b);
}
END_TEST

/* All branches or none, wherever the process ends; all in one piece. */
START_TEST(a_split_is_whole_wherever_the_process_ends)
{
	unsigned *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned all = (1U << SYS_CALLS) - 1, i, found;
	uint64_t nth, size = sizes[_i];
	struct bench b;
	int status;
	pid_t pid;

	for (nth = 1; nth < 1000; nth++) {
		bench_init(&b, false);
		b.conf.body_in_row = 65536;
		*told = 0;
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			loop_forked(b.loop);
			loop_destroy(&b.loop);
			b.loop = loop_new();
			sys_fault(all, nth, 0, false);
			bench_open(&b);
			put_branches(&b, size);
			*told = 1;
			delete(&b, 1);
			*told = 2;
			bench_close(&b);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		bench_open(&b);
		found = 0;
		for (i = 2; i <= BRANCHES; i++)
			found += load(&b, i);
		ck_assert_msg(found == BRANCHES - 1 ||
		    (found == 0 && *told == 0),
		    "call %u: %u branches", (unsigned)nth, found);
		if (load(&b, 1))
			ck_assert(found == BRANCHES - 1 && *told < 2);
		else
			ck_assert(!b.failed && (found == 0 || *told >= 1));
		if (found > 0)
			has_content(&b, 2, size);
		ck_assert_uint_eq(count_files(path_of(&b, "corrupt")), 0);
		bench_fini(&b);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			break;
	}
	ck_assert_uint_gt(nth, 10);
	ck_assert_uint_lt(nth, 1000);
}
END_TEST

static struct body_ref *asked;

static void
on_settled(void *arg, const struct err *e)
{
	struct bench *b = arg;

	ck_assert_ptr_null(e);
	ck_assert(body_settle(asked, on_settled, b));
	b->answers++;
}

/* As for the next branch with the same content. */
START_TEST(who_waited_for_a_body_may_ask_again_at_once)
{
	struct bench b;

	bench_init(&b, false);
	bench_open(&b);
	asked = make_body(&b, 1, 400000);
	ck_assert(!body_settle(asked, on_settled, &b));
	bench_wait(&b, 1);
	ck_assert(body_settle(asked, on_settled, &b));
	body_unref(&asked);
	bench_fini(&b);
}
END_TEST

/* ---- what else a branch brings ---- */

static void
on_listed(void *arg, struct str json)
{
	struct bench *b = arg;

	ck_assert(str_copy(b->text, sizeof(b->text), json));
}

static void
on_picked(void *arg, const struct store_item *v, size_t n)
{
	struct bench *b = arg;

	ck_assert_uint_eq(n, 1);
	b->items = v->quarantined;
	b->last_mid = (uint64_t)v->next;
}

START_TEST(keeps_edits_notes_quarantine_and_the_first_attempt)
{
	struct body_ref *body;
	struct envelope *env;
	struct store_txn *t;
	msec now = clock_wall();
	struct bench b;

	bench_init(&b, _i == 1);
	bench_open(&b);
	env = make_env(4, "s@a.example", 1);
	env->edits = STR("add 0 X-A b\\x0ac\n");
	env->notes = STR("n v\n");
	env->quarantine = STR("for a \"reason\"");
	env->not_before = now + HOURS(1);
	body = make_body(&b, 4, 100);
	t = store_txn_new(b.store);
	store_put(t, env, body, now);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	envelope_destroy(&env);
	body_unref(&body);
	if (_i == 0) {
		bench_close(&b);
		bench_open(&b);
	}
	ck_assert(load(&b, 4));
	env = b.loaded.env;
	ck_assert(str_eq_c(env->edits, "add 0 X-A b\\x0ac\n"));
	ck_assert(str_eq_c(env->notes, "n v\n"));
	ck_assert(str_eq_c(env->quarantine, "for a \"reason\""));
	ck_assert_int_eq(env->not_before, now + HOURS(1));
	ck_assert_int_eq(b.loaded.hold, STORE_HELD);
	ck_assert_int_eq(b.loaded.rcpt[0].next, now + HOURS(1));
	forget_loaded(&b);
	store_pick(b.store, &any, on_picked, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_uint_eq(b.items, 1);
	ck_assert_int_eq((msec)b.last_mid, now + HOURS(1));
	store_list(b.store, &any, on_listed, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert_ptr_nonnull(strstr(b.text, "\"hold\":\"held\",\"quarantine\":"
	    "\"for a \\\"reason\\\"\",\"edited\":true,"));
	/* Once released it is no longer in quarantine. */
	t = store_txn_new(b.store);
	store_hold(t, 4, STORE_ACTIVE);
	store_commit(t, false, bench_done, &b);
	bench_wait(&b, 1);
	ck_assert(load(&b, 4));
	ck_assert_int_eq(b.loaded.hold, STORE_ACTIVE);
	ck_assert_uint_eq(b.loaded.env->quarantine.n, 0);
	ck_assert_uint_gt(b.loaded.env->edits.n, 0);
	bench_fini(&b);
}
END_TEST

static const char *const unreadable[] = {
	"UPDATE message SET edits = 'nonsense'",
	"UPDATE message SET notes = 'nonsense'",
	"UPDATE message SET quarantine = char(10)",
};

/* Without its edits it would go out as it must not. */
START_TEST(sets_a_message_aside_whose_edits_cannot_be_read)
{
	struct bench b;
	sqlite3 *db;

	bench_init(&b, false);
	bench_open(&b);
	put(&b, 1, 100);
	bench_close(&b);
	ck_assert_int_eq(sqlite3_open(path_of(&b, "store-0.db"), &db),
	    SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, unreadable[_i], NULL, NULL, NULL),
	    SQLITE_OK);
	(void)sqlite3_close(db);
	bench_open(&b);
	ck_assert(!load(&b, 1));
	ck_assert(b.failed);
	bench_close(&b);
	ck_assert_int_eq(ask_sql(&b, "SELECT count(*) FROM corrupt"), 1);
	bench_fini(&b);
}
END_TEST

UNIT_SUITE(share)
{
	tcase_add_loop_test(tc, branches_share_the_octets_on_the_disk, 0, 3);
	tcase_add_loop_test(tc, the_last_branch_takes_the_content_along, 0,
	    12);
	tcase_add_test(tc, the_memory_engine_shares_as_well);
	tcase_add_test(tc, what_is_shared_moves_once);
	tcase_add_test(tc, a_shared_content_is_saved_from_a_damaged_database);
	tcase_add_loop_test(tc, a_split_is_whole_wherever_the_process_ends, 0,
	    3);
	tcase_add_test(tc, who_waited_for_a_body_may_ask_again_at_once);
	tcase_add_loop_test(tc,
	    keeps_edits_notes_quarantine_and_the_first_attempt, 0, 2);
	tcase_add_loop_test(tc,
	    sets_a_message_aside_whose_edits_cannot_be_read, 0, 3);
}
