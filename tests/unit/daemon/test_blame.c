/* Who brought a worker down, and what follows. */
#include "daemon/blame.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/master_priv.h"
#include "rig.h"
#include "unit.h"

static struct {
	struct master *m;
	struct conf conf;
	struct conf_plugin block;
	char keys[2000]; /* of alerts, with a blank behind each */
} w;

static bool
take(void *arg, unsigned worker, json_t *msg)
{
	size_t n = strlen(w.keys);

	(void)arg;
	(void)worker;
	(void)snprintf(w.keys + n, sizeof(w.keys) - n, "%s ",
	    json_string_value(json_object_get(msg, "key")));
	json_decref(msg);
	return true;
}

static void
begin(void)
{
	rig_begin();
	memset(&w, 0, sizeof(w));
	OBJ_NEW(w.m, MASTER_MAGIC);
	w.m->shm = rig.shm;
	w.m->nchild = 2;
	w.m->child[1].index = 1;
	w.m->child[1].generation = 4;
	w.block = (struct conf_plugin){ .name = "one",
		.on_crash = CONF_CRASH_DISABLE };
	w.conf.plugin = &w.block;
	w.conf.nplugin = 1;
	w.m->conf = &w.conf;
	w.m->alerts = alertpost_new(2, take, NULL);
	alertpost_ready(w.m->alerts, 0, true);
	w.m->book = alertbook_new("/nowhere");
	(void)shm_plugin_get(rig.shm, "zero");
	(void)shm_plugin_get(rig.shm, "one");
}

static void
end(void)
{
	alertpost_destroy(&w.m->alerts);
	alertbook_destroy(&w.m->book);
	OBJ_FREE(w.m);
	rig_end();
}

/* Worker 1 dies while "one" has this message. */
static void
crash(uint64_t mid)
{
	struct shm_flight *f = shm_flight(rig.shm, 1, 0);

	f->mid = mid;
	f->icid = 5;
	f->since = clock_ticks();
	f->who = SHM_WHO(1, 1);
	blame_end(w.m, &w.m->child[1], SIGSEGV);
	shm_worker_gone(rig.shm, 1);
}

static uint64_t
tripped(void)
{
	return *shm_plugin_tripped(rig.shm, 1);
}

START_TEST(a_worker_that_dies_by_itself_blames_nobody)
{
	blame_end(w.m, &w.m->child[1], SIGSEGV);
	blame_hang(w.m, &w.m->child[1]);
	ck_assert_str_eq(w.keys, "");
	ck_assert_ptr_null(strstr(rig_log(), "Plugin"));
	ck_assert_uint_eq(w.m->blame.plugin[1].crashes, 0);
}
END_TEST

START_TEST(a_crash_is_logged_counted_and_alerted)
{
	crash(70);
	ck_assert_ptr_nonnull(strstr(rig_log(),
	    "Plugin one brought worker 1 down at "));
	ck_assert_ptr_nonnull(strstr(rig_log(),
	    "MID 70 ICID 5 signal 11 (Segmentation fault)"));
	ck_assert_int_eq(rig_metric("plugin_crashes_total",
	    "plugin=\"one\""), 1);
	ck_assert_str_eq(w.keys, "plugin:one ");
	ck_assert_uint_eq(w.m->blame.plugin[1].crashes, 1);
	ck_assert_uint_eq(tripped(), 0);
}
END_TEST

START_TEST(one_that_the_watchdog_ended_did_not_return)
{
	struct shm_flight *f = shm_flight(rig.shm, 1, 0);

	f->since = clock_ticks();
	f->who = SHM_WHO(1, 1);
	blame_hang(w.m, &w.m->child[1]);
	ck_assert_ptr_nonnull(strstr(rig_log(), "Plugin one hangs worker 1"));
	w.m->child[1].killed = true;
	blame_end(w.m, &w.m->child[1], SIGABRT);
	ck_assert_ptr_nonnull(strstr(rig_log(), "it did not return"));
	ck_assert_ptr_null(strstr(rig_log(), "signal"));
}
END_TEST

START_TEST(the_third_crash_within_ten_minutes_trips)
{
	crash(0);
	clock_fake_advance(MINUTES(6));
	crash(0);
	clock_fake_advance(MINUTES(6));
	crash(0); /* the first is too long ago */
	ck_assert_uint_eq(tripped(), 0);
	clock_fake_advance(MINUTES(3));
	crash(0);
	/* For that generation, not for the next. */
	ck_assert_uint_eq(tripped(), 5);
	ck_assert_ptr_nonnull(strstr(rig_log(), "Plugin one brought 3 workers "
	    "down within 600 seconds: it is left out"));
	ck_assert_str_eq(w.keys, "plugin:one plugin:one plugin:one "
	    "plugin:one tripped:one ");
	/* Once, although workers that are on their way still die of it. */
	crash(0);
	ck_assert_ptr_null(strstr(strstr(w.keys, "tripped:") + 1, "tripped:"));
}
END_TEST

START_TEST(another_configuration_is_a_new_chance)
{
	crash(0);
	crash(0);
	w.m->child[1].generation = 5;
	crash(0);
	crash(0);
	ck_assert_uint_eq(tripped(), 0);
	crash(0);
	ck_assert_uint_eq(tripped(), 6);
	ck_assert_uint_eq(w.m->blame.plugin[1].crashes, 5);
}
END_TEST

START_TEST(a_message_in_two_crashes_is_a_suspect)
{
	int number = -1;

	crash(70);
	crash(71);
	ck_assert(!shm_suspect(rig.shm, 70, NULL));
	clock_fake_advance(HOURS(9));
	crash(70);
	ck_assert(shm_suspect(rig.shm, 70, &number));
	ck_assert_int_eq(number, 1);
	ck_assert(!shm_suspect(rig.shm, 71, NULL));
	ck_assert_ptr_nonnull(strstr(w.keys, "frozen:70 "));
}
END_TEST

/* Without a message nothing is to be frozen; of the others the oldest are
 * forgotten. */
START_TEST(only_so_many_messages_are_remembered)
{
	uint64_t mid;

	crash(0);
	crash(0);
	ck_assert(!shm_suspect(rig.shm, 0, NULL));
	for (mid = 1; mid <= BLAME_MESSAGES + 1; mid++) {
		clock_fake_advance(HOURS(1));
		crash(mid);
	}
	crash(1);
	ck_assert(!shm_suspect(rig.shm, 1, NULL));
	crash(BLAME_MESSAGES + 1);
	ck_assert(shm_suspect(rig.shm, BLAME_MESSAGES + 1, NULL));
}
END_TEST

UNIT_SUITE(blame)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_worker_that_dies_by_itself_blames_nobody);
	tcase_add_test(tc, a_crash_is_logged_counted_and_alerted);
	tcase_add_test(tc, one_that_the_watchdog_ended_did_not_return);
	tcase_add_test(tc, the_third_crash_within_ten_minutes_trips);
	tcase_add_test(tc, another_configuration_is_a_new_chance);
	tcase_add_test(tc, a_message_in_two_crashes_is_a_suspect);
	tcase_add_test(tc, only_so_many_messages_are_remembered);
}
