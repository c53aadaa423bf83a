#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/episode.h"
#include "unit.h"

static struct episodes *e;
static char told[65536];  /* "opened " and so on, of what the sinks get */
static char quiet[65536]; /* of what they do not */
static char said[65536];  /* "0+b.test " to workers */
static json_t *last;	  /* alert */

static void
news(void *arg, json_t *alert, bool is_told)
{
	char *to = is_told ? told : quiet;
	size_t n = strlen(to);

	(void)arg;
	(void)snprintf(to + n, sizeof(told) - n, "%s ", json_string_value(
	    json_object_get(alert, "state")));
	json_decref(last);
	last = alert;
}

static void
tell(void *arg, unsigned worker, json_t *msg)
{
	size_t n = strlen(said);

	(void)arg;
	(void)snprintf(said + n, sizeof(said) - n, "%u%s%s ", worker,
	    json_is_true(json_object_get(msg, "open")) ? "+" : "-",
	    json_string_value(json_object_get(msg, "domain")));
	json_decref(msg);
}

static const struct episodes_ops ops = { news, tell };

static void
begin(void)
{
	clock_fake(1700000000000);
	e = episodes_new(2, &ops, NULL);
	episodes_worker(e, 0, true);
	episodes_worker(e, 1, true);
}

static void
end(void)
{
	episodes_destroy(&e);
	ck_assert_ptr_null(e);
	json_decref(last);
	last = NULL;
	told[0] = quiet[0] = said[0] = '\0';
}

static void
say(unsigned worker, json_t *msg)
{
	ck_assert_ptr_nonnull(msg);
	episodes_said(e, worker, msg);
	json_decref(msg);
}

static void
fail_with(unsigned worker, const char *domain, const char *cause)
{
	say(worker, json_pack("{s:s, s:[{s:s, s:s, s:s, s:s, s:i, s:I, s:I}]}",
	    "domain", domain, "failed", "cause", cause, "ip", "192.0.2.1",
	    "host", "mx.b.test", "why", "it says <no>", "times", 1, "first",
	    (json_int_t)clock_wall(), "last", (json_int_t)clock_wall()));
}

static void
hold(unsigned worker, const char *domain, int n)
{
	msec now = clock_wall();

	say(worker, json_pack("{s:s, s:i, s:I, s:I}", "domain", domain, "held",
	    n, "oldest", (json_int_t)(n > 0 ? now - 60000 : 0), "deadline",
	    (json_int_t)(n > 0 ? now + 3600000 : 0)));
}

static void
deliver(unsigned worker, const char *domain)
{
	say(worker, json_pack("{s:s, s:i, s:b}", "domain", domain,
	    "delivered", 1, "through", 1));
}

static void
pass(msec ms)
{
	for (; ms > 0; ms -= 1000) {
		clock_fake_advance(1000);
		episodes_tick(e, true);
	}
}

static int64_t
number(const char *name)
{
	return json_integer_value(json_object_get(last, name));
}

static const char *
text(const char *name)
{
	return json_string_value(json_object_get(last, name));
}

/* An open one, announced, with 2 and 1 messages. */
static void
opened(void)
{
	fail_with(0, "b.test", "name-mismatch");
	hold(0, "b.test", 2);
	hold(1, "b.test", 1);
	pass(1000);
	ck_assert_str_eq(told, "opened ");
}

START_TEST(the_first_failure_opens_it_once_all_have_counted)
{
	fail_with(0, "b.test", "name-mismatch");
	ck_assert_str_eq(said, "0+b.test 1+b.test ");
	hold(0, "b.test", 2);
	pass(1000);
	ck_assert_str_eq(told, "");
	hold(1, "b.test", 1);
	pass(1000);
	ck_assert_str_eq(told, "opened ");
	ck_assert_int_eq(number("held"), 3);
	ck_assert_int_eq(number("attempts"), 1);
	ck_assert_int_eq(number("oldest"), 1700000000000 - 60000);
	ck_assert_str_eq(text("domain"), "b.test");
	ck_assert_str_eq(text("cause"), "name-mismatch");
	ck_assert_str_eq(text("mx"), "mx.b.test");
	ck_assert_str_eq(text("ip"), "192.0.2.1");
	ck_assert_str_eq(text("key"), "tls:b.test:name-mismatch");
	ck_assert_ptr_nonnull(strstr(text("detail"), "it says <no>"));
	ck_assert_uint_eq(episodes_open(e), 1);
}
END_TEST

START_TEST(a_worker_that_does_not_count_holds_up_no_alert)
{
	fail_with(0, "b.test", "expired");
	ck_assert_uint_eq(episodes_open(e), 0); /* there is no such cause */
	fail_with(0, "b.test", "certificate-expired");
	pass(EPISODE_PATIENCE + 1000);
	ck_assert_str_eq(told, "opened ");
	/* But it is not taken for resolved. */
	hold(0, "b.test", 0);
	pass(60000);
	ck_assert_str_eq(told, "opened ");
}
END_TEST

START_TEST(failures_are_updates_now_and_then)
{
	unsigned i;

	opened();
	for (i = 0; i < 100; i++)
		fail_with(i % 2, "b.test", "name-mismatch");
	hold(0, "b.test", 2);
	hold(1, "b.test", 1);
	pass(EPISODE_UPDATE);
	ck_assert_str_eq(told, "opened updated ");
	ck_assert_int_eq(number("attempts"), 101);
	/* Nothing happens: nothing is told. */
	pass(10 * EPISODE_UPDATE);
	ck_assert_str_eq(told, "opened updated ");
}
END_TEST

START_TEST(what_goes_through_resolves_it)
{
	opened();
	deliver(1, "b.test");
	pass(1000);
	ck_assert_str_eq(told, "opened resolved ");
	ck_assert_int_eq(number("delivered"), 1);
	ck_assert_int_ge(number("resolved"), number("last"));
	ck_assert_ptr_nonnull(strstr(text("text"), "can be had again"));
	ck_assert_str_eq(said, "0+b.test 1+b.test 0-b.test 1-b.test ");
	ck_assert_uint_eq(episodes_open(e), 0);
	ck_assert_uint_eq(episodes_resolved(e), 1);
}
END_TEST

START_TEST(what_went_through_before_a_failure_does_not)
{
	opened();
	deliver(1, "b.test");
	fail_with(0, "b.test", "name-mismatch");
	hold(0, "b.test", 2);
	pass(2000);
	ck_assert_str_eq(told, "opened ");
}
END_TEST

START_TEST(an_empty_queue_resolves_it_when_all_have_looked)
{
	opened();
	hold(0, "b.test", 0);
	pass(2000);
	ck_assert_str_eq(told, "opened ");
	hold(1, "b.test", 0);
	pass(1000);
	ck_assert_str_eq(told, "opened resolved ");
	ck_assert_ptr_nonnull(strstr(text("text"), "No message waits"));
}
END_TEST

START_TEST(a_dead_worker_has_to_look_again)
{
	opened();
	hold(0, "b.test", 0);
	episodes_worker(e, 1, false);
	pass(5000);
	said[0] = '\0';
	episodes_worker(e, 1, true);
	ck_assert_str_eq(said, "1+b.test ");
	pass(5000);
	ck_assert_str_eq(told, "opened ");
	ck_assert_uint_eq(episodes_open(e), 1);
	hold(1, "b.test", 0);
	pass(1000);
	ck_assert_str_eq(told, "opened resolved ");
}
END_TEST

START_TEST(causes_and_domains_are_episodes_of_their_own)
{
	opened();
	fail_with(0, "b.test", "certificate-expired");
	fail_with(1, "c.test", "certificate-expired");
	pass(EPISODE_PATIENCE + 1000);
	ck_assert_str_eq(told, "opened opened opened ");
	ck_assert_uint_eq(episodes_open(e), 3);
	ck_assert_int_eq(number("episode"), 3);
	/* Mail goes through whatever was the matter before. */
	deliver(0, "b.test");
	pass(1000);
	ck_assert_uint_eq(episodes_open(e), 1);
}
END_TEST

START_TEST(one_that_comes_back_soon_is_the_same)
{
	opened();
	deliver(0, "b.test");
	pass(1000);
	fail_with(0, "b.test", "name-mismatch");
	pass(1000);
	ck_assert_str_eq(told, "opened resolved updated ");
	ck_assert_int_eq(number("episode"), 1);
	/* One host of two that fails each time is no news each time. */
	deliver(0, "b.test");
	pass(60000);
	ck_assert_str_eq(told, "opened resolved updated ");
	pass(EPISODE_RELAPSE);
	ck_assert_str_eq(told, "opened resolved updated resolved ");
	pass(EPISODE_RELAPSE + 1000);
	fail_with(0, "b.test", "name-mismatch");
	pass(EPISODE_PATIENCE + 1000);
	ck_assert_str_eq(told, "opened resolved updated resolved opened ");
	ck_assert_int_eq(number("episode"), 2);
}
END_TEST

START_TEST(it_is_kept_though_nobody_is_to_be_told)
{
	fail_with(0, "b.test", "name-mismatch");
	hold(0, "b.test", 1);
	hold(1, "b.test", 0);
	clock_fake_advance(1000);
	episodes_tick(e, false);
	ck_assert_str_eq(told, "");
	ck_assert_str_eq(quiet, "opened ");
	/* The switch is turned: the next failure is the first they hear of. */
	fail_with(0, "b.test", "name-mismatch");
	hold(0, "b.test", 1);
	pass(1000);
	ck_assert_str_eq(told, "opened ");
	hold(0, "b.test", 0);
	pass(1000);
	ck_assert_str_eq(told, "opened resolved ");
}
END_TEST

/* As a restart does. */
static void
again(void)
{
	json_t *saved = episodes_save(e);

	episodes_destroy(&e);
	said[0] = '\0';
	e = episodes_new(2, &ops, NULL);
	episodes_load(e, saved);
	json_decref(saved);
	episodes_worker(e, 0, true);
	episodes_worker(e, 1, true);
}

START_TEST(a_restart_announces_nothing_again)
{
	opened();
	again();
	ck_assert_str_eq(said, "0+b.test 1+b.test ");
	ck_assert_uint_eq(episodes_open(e), 1);
	pass(60000);
	ck_assert_str_eq(told, "opened ");
	fail_with(1, "b.test", "name-mismatch");
	pass(1000);
	ck_assert_str_eq(told, "opened updated ");
	ck_assert_int_eq(number("episode"), 1);
	ck_assert_int_eq(number("attempts"), 2);
	ck_assert_int_eq(number("held"), 3);
	hold(0, "b.test", 0);
	hold(1, "b.test", 0);
	pass(1000);
	ck_assert_str_eq(told, "opened updated resolved ");
	/* Nor does it forget the numbers. */
	again();
	fail_with(1, "c.test", "name-mismatch");
	pass(EPISODE_PATIENCE + 1000);
	ck_assert_int_eq(number("episode"), 2);
}
END_TEST

START_TEST(what_was_kept_may_be_anything)
{
	static const char *const kept[] = { "[]", "[1, \"x\", null, {}]",
		"[{\"domain\": \"\", \"cause\": \"reset\", \"episode\": 1}]",
		"[{\"domain\": \"b.test\", \"cause\": \"?\", \"episode\": 1}]",
		"[{\"domain\": 1, \"cause\": 2, \"episode\": \"3\"}]" };
	json_t *j = json_loads(kept[_i], 0, NULL);

	ck_assert_ptr_nonnull(j);
	episodes_load(e, j);
	json_decref(j);
	ck_assert_uint_eq(episodes_open(e), 0);
	pass(5000);
	ck_assert_str_eq(told, "");
}
END_TEST

START_TEST(no_more_are_open_than_may_be)
{
	char domain[32];
	unsigned i;

	for (i = 0; i < EPISODES_MAX + 10; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.test", i);
		fail_with(0, domain, "reset");
		said[0] = '\0';
	}
	ck_assert_uint_eq(episodes_open(e), EPISODES_MAX);
	/* The workers need not watch the one there is no room for. */
	fail_with(0, "x.test", "reset");
	ck_assert_str_eq(said, "0-x.test 1-x.test ");
	pass(EPISODE_PATIENCE + 1000);
	ck_assert_uint_eq(strlen(told), EPISODES_MAX * strlen("opened "));
}
END_TEST

UNIT_SUITE(episode)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, the_first_failure_opens_it_once_all_have_counted);
	tcase_add_test(tc, a_worker_that_does_not_count_holds_up_no_alert);
	tcase_add_test(tc, failures_are_updates_now_and_then);
	tcase_add_test(tc, what_goes_through_resolves_it);
	tcase_add_test(tc, what_went_through_before_a_failure_does_not);
	tcase_add_test(tc, an_empty_queue_resolves_it_when_all_have_looked);
	tcase_add_test(tc, a_dead_worker_has_to_look_again);
	tcase_add_test(tc, causes_and_domains_are_episodes_of_their_own);
	tcase_add_test(tc, one_that_comes_back_soon_is_the_same);
	tcase_add_test(tc, it_is_kept_though_nobody_is_to_be_told);
	tcase_add_test(tc, a_restart_announces_nothing_again);
	tcase_add_loop_test(tc, what_was_kept_may_be_anything, 0, 5);
	tcase_add_test(tc, no_more_are_open_than_may_be);
}
