#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ids.h"
#include "base/sys.h"
#include "scratch.h"
#include "unit.h"

static struct shm *shm;
static struct ids *ids;
static struct err why;

static void
begin(void)
{
	(void)scratch();
	shm = shm_new(4, NULL);
	ids = NULL;
}

static void
end(void)
{
	sys_fault_off();
	ids_close(&ids);
	shm_destroy(&shm);
	scratch_remove();
}

static void
open_ids(void)
{
	if (ids_open(&ids, shm, scratch_path("ids"), &why) != 0)
		ck_abort_msg("%s", why.text);
}

/* As after kill -9: nothing is written at the end. */
static void
crash(void)
{
	ids_forked(ids);
	ids_close(&ids);
}

START_TEST(a_clean_end_loses_no_id)
{
	open_ids();
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 1);
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 2);
	ck_assert_uint_eq(ids_next(ids, SHM_DCID), 1);
	ids_close(&ids);
	open_ids();
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 3);
	ck_assert_uint_eq(ids_next(ids, SHM_ICID), 1);
	ck_assert_uint_eq(ids_next(ids, SHM_DCID), 2);
}
END_TEST

START_TEST(a_crash_skips_the_block_and_repeats_nothing)
{
	uint64_t last = 0, id;
	int i, round;

	for (round = 0; round < 5; round++) {
		open_ids();
		for (i = 0; i < 7000; i++) {
			id = ids_next(ids, SHM_ICID);
			ck_assert_uint_gt(id, last);
			ck_assert_uint_le(id, last + 20000);
			last = id;
		}
		crash();
	}
}
END_TEST

START_TEST(extends_when_low_and_never_hands_out_an_unsaved_id)
{
	int i;

	open_ids();
	ck_assert(!ids_low(ids));
	for (i = 0; i < 5001; i++)
		(void)ids_next(ids, SHM_MID);
	ck_assert(ids_low(ids));
	ck_assert_int_eq(ids_extend(ids, &why), 0);
	ck_assert(!ids_low(ids));
	for (i = 0; i < 50000; i++)
		ck_assert_uint_lt(ids_next(ids, SHM_MID),
		    shm_id_limit(shm, SHM_MID));
}
END_TEST

START_TEST(goes_on_above_an_id_that_is_in_use)
{
	open_ids();
	ids_raise(ids, SHM_MID, 123456);
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 123457);
	ck_assert_uint_gt(shm_id_limit(shm, SHM_MID), 123457);
	ids_raise(ids, SHM_MID, 5);
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 123458);
}
END_TEST

START_TEST(a_failing_disk_is_told_and_tried_again)
{
	uint64_t limit;
	int i;

	open_ids();
	limit = shm_id_limit(shm, SHM_MID);
	for (i = 0; i < 9000; i++)
		(void)ids_next(ids, SHM_MID);
	sys_fault(1U << SYS_WRITE | 1U << SYS_FSYNC, 1, EIO, true);
	ck_assert_int_eq(ids_extend(ids, &why), -1);
	ck_assert_uint_eq(shm_id_limit(shm, SHM_MID), limit);
	sys_fault(1U << SYS_FSYNC, 1, EIO, false);
	ck_assert_int_eq(ids_extend(ids, &why), -1);
	ck_assert_uint_eq(shm_id_limit(shm, SHM_MID), limit);
	sys_fault_off();
	ck_assert_int_eq(ids_extend(ids, &why), 0);
	ck_assert_uint_gt(shm_id_limit(shm, SHM_MID), limit);
}
END_TEST

/* A torn or lost write of one record leaves the other. */
START_TEST(survives_the_damage_of_either_record)
{
	uint64_t id;
	int fd, half;

	open_ids();
	ids_close(&ids);
	for (half = 0; half < 2; half++) {
		open_ids();
		id = ids_next(ids, SHM_MID);
		crash();
		fd = open(scratch_path("ids"), O_WRONLY);
		ck_assert_int_eq(pwrite(fd, "XXXX", 4, half * 512 + 16), 4);
		(void)close(fd);
		open_ids();
		ck_assert_uint_gt(ids_next(ids, SHM_MID), id);
		crash();
	}
}
END_TEST

START_TEST(refuses_a_file_without_any_valid_record)
{
	static const char zeros[1024];

	ck_assert_int_eq(file_replace(scratch_path("ids"), "1 2 3\n", 6, 0600,
	    &why), 0);
	ck_assert_int_eq(ids_open(&ids, shm, scratch_path("ids"), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "damaged"));
	ck_assert_ptr_null(ids);
	/* What a power cut leaves of the very first write. */
	ck_assert_int_eq(file_replace(scratch_path("ids"), zeros,
	    sizeof(zeros), 0600, &why), 0);
	open_ids();
	ck_assert_uint_eq(ids_next(ids, SHM_MID), 1);
	ck_assert_int_eq(ids_open(&ids, shm, scratch_path("no/ids"), &why), -1);
}
END_TEST

START_TEST(four_processes_never_get_the_same_id)
{
	enum { EACH = 20000, PROCS = 4 };
	unsigned char *seen = mmap(NULL, PROCS * EACH + 2,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid[PROCS];
	int i, p, status;
	uint64_t id;

	open_ids();
	for (p = 0; p < PROCS; p++) {
		pid[p] = fork();
		if (pid[p] != 0)
			continue;
		ids_forked(ids);
		for (i = 0; i < EACH; i++) {
			id = ids_next(ids, SHM_MID);
			if (id > PROCS * EACH || seen[id] != 0 ||
			    id >= shm_id_limit(shm, SHM_MID))
				_exit(1);
			seen[id] = 1;
		}
		_exit(0);
	}
	for (p = 0; p < PROCS; p++) {
		ck_assert_int_eq(waitpid(pid[p], &status, 0), pid[p]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(ids_next(ids, SHM_MID), PROCS * EACH + 1);
	ids_close(&ids);
	open_ids();
	ck_assert_uint_eq(ids_next(ids, SHM_MID), PROCS * EACH + 2);
	(void)munmap(seen, PROCS * EACH + 2);
}
END_TEST

UNIT_SUITE(ids)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_clean_end_loses_no_id);
	tcase_add_test(tc, a_crash_skips_the_block_and_repeats_nothing);
	tcase_add_test(tc,
	    extends_when_low_and_never_hands_out_an_unsaved_id);
	tcase_add_test(tc, goes_on_above_an_id_that_is_in_use);
	tcase_add_test(tc, a_failing_disk_is_told_and_tried_again);
	tcase_add_test(tc, survives_the_damage_of_either_record);
	tcase_add_test(tc, refuses_a_file_without_any_valid_record);
	tcase_add_test(tc, four_processes_never_get_the_same_id);
}
