#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "scratch.h"
#include "unit.h"

static int fd;

static void
begin(void)
{
	(void)scratch();
	fd = sys_open(scratch_path("f"), O_RDWR | O_CREAT, 0600);
	ck_assert_int_ge(fd, 0);
}

static void
end(void)
{
	sys_fault_off();
	(void)close(fd);
	scratch_remove();
}

START_TEST(writes_everything_in_order)
{
	char a[3] = "abc", c[4] = "defg";
	struct iovec iov[] = { { a, 3 }, { NULL, 0 }, { c, 4 } };

	ck_assert_int_eq(sys_write_all(fd, "0123456789", 10), 0);
	ck_assert_int_eq(sys_pwritev_all(fd, iov, 3, 2), 0);
	ck_assert_int_eq(sys_pwrite_all(fd, "Z", 1, 9), 0);
	ck_assert_int_eq(sys_fsync(fd), 0);
	ck_assert_int_eq(sys_fdatasync(fd), 0);
	ck_assert_str_eq(scratch_read("f"), "01abcdefgZ");
	ck_assert_int_eq(sys_ftruncate(fd, 3), 0);
	ck_assert_str_eq(scratch_read("f"), "01a");
	ck_assert_int_eq(sys_rename(scratch_path("f"), scratch_path("g")), 0);
	ck_assert_int_eq(sys_unlink(scratch_path("g")), 0);
	ck_assert_int_eq(sys_unlink(scratch_path("g")), -1);
}
END_TEST

START_TEST(the_nth_call_of_a_kind_fails_once)
{
	sys_fault(1U << SYS_WRITE, 3, ENOSPC, false);
	ck_assert_int_eq(sys_write_all(fd, "a", 1), 0);
	ck_assert_int_eq(sys_fsync(fd), 0);
	ck_assert_int_eq(sys_pwrite_all(fd, "b", 1, 1), 0);
	ck_assert_int_eq(sys_write_all(fd, "c", 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
	ck_assert_int_eq(sys_write_all(fd, "d", 1), 0);
	ck_assert_uint_eq(sys_fault_count(), 4);
	ck_assert_str_eq(scratch_read("f"), "ad");
}
END_TEST

START_TEST(a_sticky_fault_stays)
{
	int i;

	sys_fault(1U << SYS_FSYNC, 2, EIO, true);
	ck_assert_int_eq(sys_fdatasync(fd), 0);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(sys_fsync(fd), -1);
		ck_assert_int_eq(errno, EIO);
	}
	sys_fault_off();
	ck_assert_int_eq(sys_fsync(fd), 0);
}
END_TEST

START_TEST(each_kind_can_fail)
{
	struct iovec iov = { (char[1]){ 'x' }, 1 };

	sys_fault(~0U, 1, EIO, true);
	ck_assert_int_eq(sys_open(scratch_path("x"), O_CREAT, 0600), -1);
	ck_assert_int_eq(sys_write(fd, "x", 1), -1);
	ck_assert_int_eq(sys_pwritev_all(fd, &iov, 1, 0), -1);
	ck_assert_int_eq(sys_rename("a", "b"), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(sys_unlink(scratch_path("f")), -1);
	ck_assert_int_eq(sys_ftruncate(fd, 9), -1);
	sys_fault_off();
	ck_assert_str_eq(scratch_read("f"), "");
}
END_TEST

static int
status_with(const char *spec)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)setenv("POSTERN_SYS_FAULT", spec, 1);
		/* What fatal() says is no news here. */
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		sys_fault_from_env();
		(void)sys_write_all(fd, "one", 3);
		_exit(sys_write_all(fd, "two", 3) == 0 ? 0 : errno);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(error_0_ends_the_process_before_the_call_acts)
{
	ck_assert_int_eq(status_with("2:2:0"), 86);
	ck_assert_str_eq(scratch_read("f"), "one");
}
END_TEST

START_TEST(reads_its_orders_from_the_environment)
{
	ck_assert_int_eq(status_with("2:2:5"), EIO);
	ck_assert_int_eq(status_with("2:1:28:sticky"), ENOSPC);
	ck_assert_int_eq(status_with("2:1:28"), 0);
	ck_assert_int_eq(status_with(""), 0);
	ck_assert_int_eq(status_with("x"), 1);
	ck_assert_int_eq(status_with("2:1"), 1);
	ck_assert_int_eq(status_with("2:1:5:often"), 1);
}
END_TEST

UNIT_SUITE(sys)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, writes_everything_in_order);
	tcase_add_test(tc, the_nth_call_of_a_kind_fails_once);
	tcase_add_test(tc, a_sticky_fault_stays);
	tcase_add_test(tc, each_kind_can_fail);
	tcase_add_test(tc, error_0_ends_the_process_before_the_call_acts);
	tcase_add_test(tc, reads_its_orders_from_the_environment);
}
