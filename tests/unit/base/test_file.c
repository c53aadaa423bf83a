#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "scratch.h"
#include "unit.h"

static struct err why;

static void
begin(void)
{
	(void)scratch();
	err_clear(&why);
}

START_TEST(replaces_a_file_as_a_whole)
{
	const char *path = scratch_path("f");
	struct stat st;

	ck_assert_int_eq(file_replace(path, "one", 3, 0640, &why), 0);
	ck_assert_str_eq(scratch_read("f"), "one");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0640);
	ck_assert_int_eq(file_replace(path, "", 0, 0600, &why), 0);
	ck_assert_str_eq(scratch_read("f"), "");
}
END_TEST

/* The n-th call fails or the process ends there: old or new, never half. */
START_TEST(leaves_old_or_new_contents_wherever_it_fails)
{
	const char *path = scratch_path("f"), *now;
	uint64_t n, calls;
	int rc;

	ck_assert_int_eq(file_replace(path, "old", 3, 0600, &why), 0);
	sys_fault(~0U, 1000, EIO, false);
	ck_assert_int_eq(file_replace(path, "old", 3, 0600, &why), 0);
	calls = sys_fault_count();
	ck_assert_uint_ge(calls, 5);
	for (n = 1; n <= calls; n++) {
		sys_fault(~0U, n, EIO, false);
		rc = file_replace(path, "new!", 4, 0600, &why);
		sys_fault_off();
		ck_assert_int_eq(rc, -1);
		ck_assert_ptr_nonnull(strstr(why.text, "Input/output error"));
		now = scratch_read("f");
		/* Only the sync of the directory comes after the rename. */
		ck_assert_str_eq(now, n < calls ? "old" : "new!");
	}
}
END_TEST

START_TEST(reads_up_to_its_ceiling_and_no_further)
{
	const char *path = scratch_path("f");
	struct buf b;

	ck_assert_int_eq(file_replace(path, "12345", 5, 0600, &why), 0);
	buf_init(&b, 5);
	ck_assert_int_eq(file_read(&b, path, &why), 0);
	ck_assert_str_eq(buf_p(&b), "12345");
	buf_fini(&b);
	buf_init(&b, 5);
	(void)buf_add_char(&b, 'x');
	ck_assert_int_eq(file_read(&b, path, &why), -1);
	ck_assert_str_eq(buf_p(&b), "x");
	ck_assert(buf_full(&b));
	buf_fini(&b);
	buf_init(&b, 0);
	ck_assert_int_eq(file_read(&b, "/dev/null", &why), 0);
	ck_assert_int_eq(file_read(&b, scratch_path("none"), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "No such file"));
	buf_fini(&b);
}
END_TEST

START_TEST(makes_directories_with_their_parents)
{
	struct stat st;

	ck_assert_int_eq(file_mkdirs(scratch_path("a/b//c/"), 0700, &why), 0);
	ck_assert_int_eq(stat(scratch_path("a/b/c"), &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_int_eq(file_mkdirs(scratch_path("a/b/c"), 0700, &why), 0);
	ck_assert_int_eq(file_replace(scratch_path("a/f"), "", 0, 0600, &why),
	    0);
	ck_assert_int_eq(file_mkdirs(scratch_path("a/f/d"), 0700, &why), -1);
	ck_assert_int_eq(chdir(scratch_path("a")), 0);
	ck_assert_int_eq(file_mkdirs("x/y", 0700, &why), 0);
	ck_assert_int_eq(stat(scratch_path("a/x/y"), &st), 0);
	ck_assert_int_eq(file_sync_dir(scratch_path("none"), &why), -1);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(closes_once_and_sets_flags)
{
	int fd = open("/dev/null", O_RDONLY);

	ck_assert_int_eq(file_nonblock(fd, &why), 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	file_close(&fd);
	ck_assert_int_eq(fd, -1);
	file_close(&fd);
	ck_assert_int_eq(file_nonblock(fd, &why), -1);
}
END_TEST

UNIT_SUITE(file)
{
	tcase_add_checked_fixture(tc, begin, scratch_remove);
	tcase_add_test(tc, replaces_a_file_as_a_whole);
	tcase_add_test(tc, leaves_old_or_new_contents_wherever_it_fails);
	tcase_add_test(tc, reads_up_to_its_ceiling_and_no_further);
	tcase_add_test(tc, makes_directories_with_their_parents);
	tcase_add_test(tc, closes_once_and_sets_flags);
}
