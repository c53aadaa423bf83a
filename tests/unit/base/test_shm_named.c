#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/shm.h"
#include "unit.h"

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
}

START_TEST(sums_a_named_counter_over_the_workers)
{
	int id = shm_named_get(shm, SHM_COUNTER, "plugin_calls_total",
	    "plugin=\"rate\"", "Calls");
	struct shm_named r;

	ck_assert_int_ge(id, 0);
	shm_named_add(shm, 0, id, 3);
	shm_named_add(shm, 3, id, 4);
	ck_assert(shm_named_at(shm, (unsigned)id, &r));
	ck_assert_str_eq(r.name, "plugin_calls_total");
	ck_assert_str_eq(r.labels, "plugin=\"rate\"");
	ck_assert_str_eq(r.help, "Calls");
	ck_assert_int_eq(r.kind, SHM_COUNTER);
	ck_assert_int_eq(r.value, 7);
	ck_assert(!shm_named_at(shm, (unsigned)id + 1, &r));
	ck_assert(!shm_named_at(shm, SHM_NAMED, &r));
}
END_TEST

START_TEST(tells_rows_apart_by_name_and_labels)
{
	int a = shm_named_get(shm, SHM_COUNTER, "a", "", "");
	int b = shm_named_get(shm, SHM_COUNTER, "a", "x=\"1\"", "");
	int c = shm_named_get(shm, SHM_COUNTER, "b", "", "");

	ck_assert(a >= 0 && b >= 0 && c >= 0);
	ck_assert(a != b && b != c && a != c);
	ck_assert_int_eq(shm_named_get(shm, SHM_COUNTER, "a", "", "other"),
	    a);
	/* The same name is not two kinds. */
	ck_assert_int_eq(shm_named_get(shm, SHM_GAUGE, "a", "", ""), -1);
	shm_named_add(shm, 0, -1, 1);
	shm_named_set(shm, 0, -1, 1);
	shm_named_see(shm, 0, -1, 1);
}
END_TEST

START_TEST(refuses_words_that_are_too_long)
{
	char name[128], labels[128], help[256];
	struct shm_named r;
	int id;

	memset(name, 'n', sizeof(name));
	memset(labels, 'l', sizeof(labels));
	memset(help, 'h', sizeof(help));
	help[255] = '\0';
	name[80] = labels[111] = '\0';
	ck_assert_int_eq(shm_named_get(shm, SHM_GAUGE, "", "", ""), -1);
	ck_assert_int_eq(shm_named_get(shm, SHM_GAUGE, name, "", ""), -1);
	name[79] = '\0';
	id = shm_named_get(shm, SHM_GAUGE, name, labels, help);
	ck_assert_int_ge(id, 0);
	ck_assert(shm_named_at(shm, (unsigned)id, &r));
	ck_assert_str_eq(r.name, name);
	ck_assert_str_eq(r.labels, labels);
	ck_assert_uint_eq(strlen(r.help), sizeof(r.help) - 1);
	labels[111] = 'l';
	labels[112] = '\0';
	ck_assert_int_eq(shm_named_get(shm, SHM_GAUGE, "n", labels, ""), -1);
}
END_TEST

START_TEST(keeps_histograms_in_buckets)
{
	int id = shm_named_get(shm, SHM_HISTOGRAM, "t", "", "Time");
	static const double bounds[] = SHM_BOUNDS;
	struct shm_named r;
	unsigned i;

	for (i = 0; i < SHM_NBOUNDS; i++)
		shm_named_see(shm, i % WORKERS, id, bounds[i]);
	shm_named_see(shm, 0, id, 0);
	shm_named_see(shm, 1, id, 40000);
	ck_assert(shm_named_at(shm, (unsigned)id, &r));
	ck_assert_int_eq(r.kind, SHM_HISTOGRAM);
	ck_assert_int_eq(r.value, SHM_NBOUNDS + 2);
	for (i = 0; i < SHM_NBOUNDS; i++)
		ck_assert_uint_eq(r.bucket[i], i + 2);
	ck_assert(fabs(r.sum - 76666.6) < 0.001);
}
END_TEST

START_TEST(takes_many_observations_of_one_bucket_at_once)
{
	int id = shm_named_get(shm, SHM_HISTOGRAM, "t", "", "Time");
	struct shm_named r;

	shm_named_see_many(shm, 0, id, 1000, 50);
	shm_named_see_many(shm, 1, id, 10, 20);
	shm_named_see_many(shm, 1, id, 0, 20);
	shm_named_see_many(shm, 1, -1, 10, 20);
	ck_assert(shm_named_at(shm, (unsigned)id, &r));
	ck_assert_int_eq(r.value, 1010);
	ck_assert_uint_eq(r.bucket[0], 1000);
	ck_assert_uint_eq(r.bucket[2], 1000);
	ck_assert_uint_eq(r.bucket[3], 1010);
	ck_assert(fabs(r.sum - 70) < 0.001);
}
END_TEST

START_TEST(takes_a_dead_workers_gauges_out)
{
	int g = shm_named_get(shm, SHM_GAUGE, "g", "", "");
	int c = shm_named_get(shm, SHM_COUNTER, "c", "", "");
	int h = shm_named_get(shm, SHM_HISTOGRAM, "h", "", "");
	struct shm_named r;

	shm_named_set(shm, 1, g, 5);
	shm_named_set(shm, 2, g, 6);
	shm_named_add(shm, 1, c, 5);
	shm_named_see(shm, 1, h, 5);
	shm_worker_gone(shm, 1);
	ck_assert(shm_named_at(shm, (unsigned)g, &r));
	ck_assert_int_eq(r.value, 6);
	ck_assert(shm_named_at(shm, (unsigned)c, &r));
	ck_assert_int_eq(r.value, 5);
	ck_assert(shm_named_at(shm, (unsigned)h, &r));
	ck_assert_int_eq(r.value, 1);
}
END_TEST

START_TEST(has_room_for_1024_names)
{
	char name[32];
	int i;

	for (i = 0; i < SHM_NAMED; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(shm_named_get(shm, SHM_COUNTER, name, "",
		    ""), i);
	}
	ck_assert_int_eq(shm_named_get(shm, SHM_COUNTER, "more", "", ""),
	    -1);
	for (i = 0; i < SHM_NAMED; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		ck_assert_int_eq(shm_named_get(shm, SHM_COUNTER, name, "",
		    ""), i);
	}
}
END_TEST

/* Adds one to each of many names, as if it had to find them. */
static void
count_names(unsigned worker, int n)
{
	char name[32];
	int i, id;

	for (i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "n%d",
		    worker % 2 == 0 ? i : n - 1 - i);
		id = shm_named_get(shm, SHM_COUNTER, name, "", "A count");
		if (id < 0)
			_exit(1);
		shm_named_add(shm, worker, id, 1);
	}
	_exit(0);
}

START_TEST(workers_find_the_same_rows_at_the_same_time)
{
	bool seen[1000] = { false };
	struct shm_named r;
	pid_t pid[WORKERS];
	unsigned w, i, k;
	int status;

	for (w = 0; w < WORKERS; w++) {
		pid[w] = fork();
		if (pid[w] == 0)
			count_names(w, 1000);
	}
	for (w = 0; w < WORKERS; w++) {
		ck_assert_int_eq(waitpid(pid[w], &status, 0), pid[w]);
		ck_assert_int_eq(status, 0);
	}
	for (i = 0; shm_named_at(shm, i, &r); i++) {
		ck_assert_int_eq(sscanf(r.name, "n%u", &k), 1);
		ck_assert_uint_lt(k, 1000);
		ck_assert(!seen[k]);
		seen[k] = true;
		ck_assert_str_eq(r.help, "A count");
		ck_assert_int_eq(r.value, WORKERS);
	}
	ck_assert_uint_eq(i, 1000);
}
END_TEST

START_TEST(names_survive_workers_that_are_killed)
{
	struct shm_named r;
	unsigned i, round;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		pid = fork();
		if (pid == 0)
			count_names(1, 1000);
		(void)usleep(round * 20);
		(void)kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		shm_worker_gone(shm, 1);
	}
	pid = fork();
	if (pid == 0)
		count_names(1, 1000);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	for (i = 0; shm_named_at(shm, i, &r); i++)
		ck_assert(r.name[0] == 'n' && r.value >= 1);
	ck_assert_uint_eq(i, 1000);
}
END_TEST

UNIT_SUITE(shm_named)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, sums_a_named_counter_over_the_workers);
	tcase_add_test(tc, tells_rows_apart_by_name_and_labels);
	tcase_add_test(tc, refuses_words_that_are_too_long);
	tcase_add_test(tc, keeps_histograms_in_buckets);
	tcase_add_test(tc, takes_many_observations_of_one_bucket_at_once);
	tcase_add_test(tc, takes_a_dead_workers_gauges_out);
	tcase_add_test(tc, has_room_for_1024_names);
	tcase_add_test(tc, workers_find_the_same_rows_at_the_same_time);
	tcase_add_test(tc, names_survive_workers_that_are_killed);
}
