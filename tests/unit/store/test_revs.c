#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "revs_util.h"

#define ALL	  ((1U << SYS_CALLS) - 1)
#define EXIT_FAULT 86

static uint64_t
head_text(struct place *p, const char **text_r)
{
	struct err why = ERR_INIT;
	struct buf b;
	uint64_t n;

	buf_init(&b, REVS_TEXT_MAX);
	ck_assert_msg(revs_read(p->path, 0, NULL, &b, &n, &why) == 0, "%s",
	    why.text);
	*text_r = pool_strdup(p->pool, buf_p(&b));
	buf_fini(&b);
	return n;
}

START_TEST(has_revisions_of_what_was_put)
{
	struct err why = ERR_INIT;
	const char *text;
	struct place p;
	struct revs *r;
	struct rev v;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "b", "2"), 0);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	ck_assert_str_eq(content(&p, r, MERGED, 0), "a=1 b=2 ");
	ck_assert_uint_eq(head_text(&p, &text), 0);
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(commit(&p, r), 1);
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "");
	ck_assert_int_eq(draft(r, "a", NULL), 0);
	ck_assert_int_eq(draft(r, "b", "3"), 0);
	ck_assert_int_eq(draft(r, "c", "4"), 0);
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "a- b=3 c=4 ");
	ck_assert_str_eq(content(&p, r, MERGED, 0), "b=3 c=4 ");
	ck_assert_uint_eq(head_text(&p, &text), 1);
	ck_assert_str_eq(text, "12");
	ck_assert_uint_eq(commit(&p, r), 2);
	ck_assert_uint_eq(head_text(&p, &text), 2);
	ck_assert_str_eq(text, "34");
	ck_assert_str_eq(content(&p, r, HEAD, 1), "a=1 b=2 ");
	ck_assert_int_eq(revs_begin(r, false, &why), 0);
	ck_assert_int_eq(revs_get(r, 2, p.pool, &v, &why), 0);
	ck_assert_str_eq(v.who, "ann");
	ck_assert_str_eq(v.comment, "why not");
	ck_assert_uint_eq(v.changes, 3);
	ck_assert_uint_eq(v.objects, 2);
	ck_assert_int_eq(revs_get(r, 3, p.pool, &v, &why), -1);
	ck_assert_int_eq(revs_end(r, false, &why), 0);
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(what_the_head_has_is_no_change)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r;
	struct rev v;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	ck_assert_int_eq(draft(r, "a", "2"), 0);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	ck_assert_int_eq(draft(r, "x", NULL), 0);
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "");
	ck_assert_int_eq(propose(&p, r, &v, &why), -1);
	ck_assert_str_eq(why.text, "there is nothing to commit");
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(a_refused_proposal_has_never_been)
{
	struct err why = ERR_INIT;
	const char *text;
	struct place p;
	struct revs *r;
	struct rev v, later;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	ck_assert_int_eq(draft(r, "a", "2"), 0);
	ck_assert_int_eq(draft(r, "b", "3"), 0);
	ck_assert_int_eq(propose(&p, r, &v, &why), 0);
	ck_assert_uint_eq(v.n, 2);
	ck_assert_uint_eq(head_text(&p, &text), 1);
	ck_assert_str_eq(text, "1");
	ck_assert_str_eq(content(&p, r, HEAD, 2), "a=2 b=3 ");
	ck_assert_int_eq(revs_begin(r, true, &why), 0);
	ck_assert_int_eq(revs_refuse(r, &why), 0);
	ck_assert_int_eq(revs_end(r, true, &why), 0);
	ck_assert_str_eq(content(&p, r, HEAD, 2), "a=1 ");
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "a=2 b=3 ");
	ck_assert_int_eq(accept_it(r, &v, &why), -1);
	/* Another with its number is another. */
	ck_assert_int_eq(propose(&p, r, &later, &why), 0);
	ck_assert_uint_eq(later.n, 2);
	ck_assert_int_eq(accept_it(r, &v, &why), -1);
	ck_assert_int_eq(accept_it(r, &later, &why), 0);
	ck_assert_uint_eq(head_text(&p, &text), 2);
	ck_assert_str_eq(text, "23");
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(what_is_drafted_during_a_commit_stays_in_the_draft)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r;
	struct rev v;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	ck_assert_int_eq(propose(&p, r, &v, &why), 0);
	ck_assert_int_eq(draft(r, "a", "2"), 0);
	ck_assert_int_eq(draft(r, "b", "3"), 0);
	ck_assert_int_eq(accept_it(r, &v, &why), 0);
	ck_assert_str_eq(content(&p, r, HEAD, 1), "a=1 ");
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "a=2 b=3 ");
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(leads_back_to_any_revision)
{
	struct err why = ERR_INIT;
	const char *text;
	struct place p;
	struct revs *r;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	ck_assert_int_eq(draft(r, "b", "1"), 0);
	(void)commit(&p, r);
	ck_assert_int_eq(draft(r, "a", NULL), 0);
	ck_assert_int_eq(draft(r, "b", "2"), 0);
	ck_assert_int_eq(draft(r, "c", "2"), 0);
	(void)commit(&p, r);
	ck_assert_int_eq(revs_begin(r, true, &why), 0);
	ck_assert_int_eq(revs_revert(r, 1, "bob", &why), 0);
	ck_assert_int_eq(revs_end(r, true, &why), 0);
	ck_assert_str_eq(content(&p, r, DRAFT, 0), "a=1 b=1 c- ");
	ck_assert_int_eq(revs_begin(r, true, &why), 0);
	ck_assert_int_eq(revs_revert(r, 1, "bob", &why), -1);
	ck_assert_int_eq(revs_end(r, false, &why), 0);
	ck_assert_uint_eq(commit(&p, r), 3);
	ck_assert_uint_eq(head_text(&p, &text), 3);
	ck_assert_str_eq(text, "11");
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(a_reader_sees_one_revision_while_another_is_made)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r, *w;
	struct buf b;
	uint64_t n;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	w = must_open(&p);
	buf_init(&b, 1000);
	ck_assert_int_eq(revs_begin(r, false, &why), 0);
	ck_assert_int_eq(revs_head(r, &n, &why), 0);
	ck_assert_int_eq(draft(w, "a", "2"), 0);
	ck_assert_uint_eq(commit(&p, w), 2);
	ck_assert_int_eq(revs_head(r, &n, &why), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(revs_text(r, n, &b, &why), 0);
	ck_assert_str_eq(buf_p(&b), "1");
	ck_assert_int_eq(revs_end(r, false, &why), 0);
	buf_fini(&b);
	revs_close(&r);
	revs_close(&w);
	place_fini(&p);
}
END_TEST

START_TEST(no_store_is_no_revision)
{
	struct err why = ERR_INIT;
	const char *text;
	struct place p;
	struct revs *r = NULL;
	struct stat st;

	place_init(&p);
	ck_assert_int_eq(revs_open(&r, p.path, false, &why), 0);
	ck_assert_ptr_null(r);
	ck_assert_uint_eq(head_text(&p, &text), 0);
	ck_assert_int_ne(stat(p.sub, &st), 0);
	r = must_open(&p);
	ck_assert_int_eq(stat(p.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(stat(p.sub, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	revs_close(&r);
	place_fini(&p);
}
END_TEST

START_TEST(refuses_what_others_could_change)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r;
	char other[120];

	place_init(&p);
	r = must_open(&p);
	revs_close(&r);
	ck_assert_int_eq(chmod(p.sub, 0770), 0);
	ck_assert_int_eq(revs_open(&r, p.path, false, &why), -1);
	ck_assert_msg(strstr(why.text, "others may write to it") != NULL,
	    "%s", why.text);
	ck_assert_int_eq(chmod(p.sub, 0700), 0);
	ck_assert_int_eq(chmod(p.path, 0606), 0);
	ck_assert_int_eq(revs_open(&r, p.path, true, &why), -1);
	ck_assert_int_eq(chmod(p.path, 0600), 0);
	(void)snprintf(other, sizeof(other), "%s.real", p.path);
	ck_assert_int_eq(rename(p.path, other), 0);
	ck_assert_int_eq(symlink(other, p.path), 0);
	ck_assert_int_eq(revs_open(&r, p.path, true, &why), -1);
	ck_assert_msg(strstr(why.text, "not a file") != NULL, "%s", why.text);
	ck_assert_int_eq(unlink(p.path), 0);
	(void)snprintf(other, sizeof(other), "%s.dir", p.sub);
	ck_assert_int_eq(rename(p.sub, other), 0);
	ck_assert_int_eq(symlink(other, p.sub), 0);
	ck_assert_int_eq(revs_open(&r, p.path, true, &why), -1);
	place_fini(&p);
}
END_TEST

START_TEST(a_draft_is_read_over_the_head)
{
	struct place p;
	struct revs *r;
	struct buf b;

	place_init(&p);
	buf_init(&b, 1000);
	ck_assert_int_eq(revs_read_draft(p.path, &b, NULL), 0);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	ck_assert_int_eq(draft(r, "b", "2"), 0);
	ck_assert_int_eq(revs_read_draft(p.path, &b, NULL), 0);
	ck_assert_str_eq(buf_p(&b), "12");
	(void)commit(&p, r);
	ck_assert_int_eq(draft(r, "b", NULL), 0);
	buf_reset(&b);
	ck_assert_int_eq(revs_read_draft(p.path, &b, NULL), 0);
	ck_assert_str_eq(buf_p(&b), "1");
	revs_close(&r);
	buf_fini(&b);
	place_fini(&p);
}
END_TEST

START_TEST(notices_damage)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r;
	struct buf b;
	sqlite3 *db;
	uint64_t n;
	int fd;

	place_init(&p);
	r = must_open(&p);
	ck_assert_int_eq(draft(r, "a", "1"), 0);
	(void)commit(&p, r);
	revs_close(&r);
	ck_assert_int_eq(sqlite3_open(p.path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "UPDATE object SET body = '2'",
	    NULL, NULL, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	buf_init(&b, 1000);
	ck_assert_int_eq(revs_read(p.path, 0, NULL, &b, &n, &why), -1);
	ck_assert_msg(strstr(why.text, "revision 1 is damaged") != NULL, "%s",
	    why.text);
	ck_assert_int_eq(revs_read_draft(p.path, &b, NULL), -1);
	fd = open(p.path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "garbage", 7, 0), 7);
	ck_assert_int_eq(close(fd), 0);
	ck_assert_int_eq(revs_read(p.path, 0, NULL, &b, &n, &why), -1);
	ck_assert_msg(strstr(why.text, "r.db: file is not a database") != NULL,
	    "%s", why.text);
	buf_fini(&b);
	place_fini(&p);
}
END_TEST

START_TEST(one_commits_at_a_time)
{
	struct err why = ERR_INIT;
	struct place p;
	struct revs *r, *w;

	place_init(&p);
	r = must_open(&p);
	w = must_open(&p);
	ck_assert_int_eq(revs_lock(r, "ann", &why), 0);
	ck_assert_int_eq(revs_lock(w, "bob", &why), -1);
	ck_assert_msg(strstr(why.text, "ann (process ") != NULL, "%s",
	    why.text);
	revs_unlock(r);
	ck_assert_int_eq(revs_lock(w, "bob", &why), 0);
	revs_close(&r);
	revs_close(&w);
	place_fini(&p);
}
END_TEST

/* What was answered, in memory that outlives the process. */
struct told {
	uint64_t accepted;
	unsigned drafted;
};

/* Two revisions, of 1 and 2 objects that all have their number. */
static void
live(struct place *p, struct told *told)
{
	char name[8], body[8];
	struct err why = ERR_INIT;
	struct revs *r;
	struct rev v;
	unsigned i, k;

	if (revs_open(&r, p->path, true, &why) != 0)
		return;
	for (i = 1; i <= 2; i++) {
		(void)snprintf(body, sizeof(body), "%u", i);
		for (k = 1; k <= i; k++) {
			(void)snprintf(name, sizeof(name), "o%u", k);
			if (draft(r, name, body) != 0)
				break;
			told->drafted++;
		}
		if (k <= i || propose(p, r, &v, &why) != 0 ||
		    accept_it(r, &v, &why) != 0)
			break;
		told->accepted = v.n;
	}
	revs_close(&r);
}

/* A reader sees a whole revision, the last that was accepted or, if its
 * acceptance was cut off, the next; and a writer can go on. */
static void
check(struct place *p, const struct told *told, uint64_t nth)
{
	static const char *const whole[] = { "", "1", "22" };
	const char *text;
	struct revs *r;
	uint64_t n;

	n = head_text(p, &text);
	ck_assert_msg(n == told->accepted || n == told->accepted + 1,
	    "call %llu: %llu after %llu", (unsigned long long)nth,
	    (unsigned long long)n, (unsigned long long)told->accepted);
	ck_assert_uint_le(n, 2);
	ck_assert_str_eq(text, whole[n]);
	r = must_open(p);
	ck_assert_int_eq(draft(r, "o9", "9"), 0);
	ck_assert_uint_eq(commit(p, r), n + 1);
	revs_close(&r);
}

START_TEST(readers_see_whole_revisions_wherever_the_process_ends)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct place p;
	uint64_t nth;
	int status;
	pid_t pid;

	ck_assert(told != MAP_FAILED);
	for (nth = 1; nth < 1000; nth++) {
		place_init(&p);
		memset(told, 0, sizeof(*told));
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			sys_fault(ALL, nth, 0, false);
			live(&p, told);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status));
		ck_assert(WEXITSTATUS(status) == EXIT_FAULT ||
		    WEXITSTATUS(status) == 0);
		check(&p, told, nth);
		place_fini(&p);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	ck_assert_uint_gt(nth, 30);
	ck_assert_uint_lt(nth, 1000);
}
END_TEST

static const int errors[] = { EIO, ENOSPC };

START_TEST(readers_see_whole_revisions_whatever_fails)
{
	struct told told;
	struct place p;
	uint64_t nth, calls;

	for (nth = 1; nth < 1000; nth++) {
		place_init(&p);
		memset(&told, 0, sizeof(told));
		sys_fault(ALL, nth, errors[_i], false);
		live(&p, &told);
		calls = sys_fault_count();
		sys_fault_off();
		check(&p, &told, nth);
		place_fini(&p);
		if (calls < nth)
			break;
	}
	ck_assert_uint_gt(nth, 30);
	ck_assert_uint_lt(nth, 1000);
}
END_TEST

UNIT_SUITE(revs)
{
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, has_revisions_of_what_was_put);
	tcase_add_test(tc, what_the_head_has_is_no_change);
	tcase_add_test(tc, a_refused_proposal_has_never_been);
	tcase_add_test(tc, what_is_drafted_during_a_commit_stays_in_the_draft);
	tcase_add_test(tc, leads_back_to_any_revision);
	tcase_add_test(tc, a_reader_sees_one_revision_while_another_is_made);
	tcase_add_test(tc, no_store_is_no_revision);
	tcase_add_test(tc, refuses_what_others_could_change);
	tcase_add_test(tc, a_draft_is_read_over_the_head);
	tcase_add_test(tc, notices_damage);
	tcase_add_test(tc, one_commits_at_a_time);
	tcase_add_test(tc,
	    readers_see_whole_revisions_wherever_the_process_ends);
	tcase_add_loop_test(tc, readers_see_whole_revisions_whatever_fails, 0,
	    2);
}
