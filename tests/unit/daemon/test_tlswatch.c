#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "daemon/tlswatch.h"
#include "queue_util.h"
#include "unit.h"

static struct tlswatch *w;
static json_t *last;
static unsigned ntold;
static char on[64]; /* "+" and "-" */

static void
take_msg(void *arg, json_t *msg)
{
	(void)arg;
	json_decref(last);
	last = msg;
	ntold++;
}

static void
watching(void *arg, bool is)
{
	(void)arg;
	(void)strcat(on, is ? "+" : "-");
}

static void
begin(void)
{
	clock_fake(1700000000000);
	on[0] = '\0';
	ntold = 0;
	w = tlswatch_new(take_msg, watching, NULL);
}

static void
end(void)
{
	tlswatch_destroy(&w);
	ck_assert_ptr_null(w);
	json_decref(last);
	last = NULL;
}

static void
failed(const char *domain, const char *ip, enum tls_reason reason)
{
	struct relay_tls_fail f = { .domain = str_c(domain), .host = "mx.test",
		.ip = ip, .reason = reason, .why = STR("so it is") };

	tlswatch_failed(w, &f);
}

static void
hear(const char *domain, bool open)
{
	json_t *msg = json_pack("{s:s, s:b}", "domain", domain, "open",
	    (int)open);

	tlswatch_heard(w, msg);
	json_decref(msg);
}

static json_int_t
number(const char *name)
{
	const json_t *j = json_object_get(last, name);

	return j == NULL ? -1 : json_integer_value(j);
}

static size_t
failures(void)
{
	return json_array_size(json_object_get(last, "failed"));
}

START_TEST(tells_the_first_failure_at_once_and_others_by_the_second)
{
	begin();
	failed("b.test", "192.0.2.1", TLSR_NAME);
	ck_assert_uint_eq(ntold, 1);
	ck_assert_uint_eq(failures(), 1);
	ck_assert_str_eq(json_string_value(json_object_get(last, "domain")),
	    "b.test");
	failed("b.test", "192.0.2.1", TLSR_NAME);
	failed("b.test", "192.0.2.1", TLSR_NAME);
	failed("b.test", "192.0.2.2", TLSR_NO_STARTTLS);
	ck_assert_uint_eq(ntold, 1);
	tlswatch_beat(w, NULL);
	ck_assert_uint_eq(ntold, 2);
	ck_assert_uint_eq(failures(), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(
	    json_object_get(last, "failed"), 0), "times")), 2);
	tlswatch_beat(w, NULL);
	ck_assert_uint_eq(ntold, 2);
	end();
}
END_TEST

START_TEST(tells_of_no_more_hosts_than_there_is_room_for)
{
	char ip[32];
	unsigned i;

	begin();
	failed("b.test", "192.0.2.1", TLSR_NAME);
	for (i = 0; i < 3 * TLSWATCH_HOSTS; i++) {
		(void)snprintf(ip, sizeof(ip), "192.0.2.%u", i);
		failed("b.test", ip, TLSR_NAME);
	}
	tlswatch_beat(w, NULL);
	ck_assert_uint_eq(failures(), TLSWATCH_HOSTS);
	end();
}
END_TEST

START_TEST(tells_at_once_of_so_many_domains_a_second_only)
{
	char domain[32];
	unsigned i;

	begin();
	for (i = 0; i < TLSWATCH_RATE + 10; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.test", i);
		failed(domain, "192.0.2.1", TLSR_NAME);
	}
	ck_assert_uint_eq(ntold, TLSWATCH_RATE);
	tlswatch_beat(w, NULL);
	ck_assert_uint_eq(ntold, TLSWATCH_RATE + 10);
	ck_assert_str_eq(on, "+");
	end();
}
END_TEST

START_TEST(domains_beyond_the_limit_are_left_out)
{
	char domain[32];
	unsigned i;

	begin();
	for (i = 0; i < TLSWATCH_MAX + 10; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.test", i);
		hear(domain, true);
	}
	failed("one.more.test", "192.0.2.1", TLSR_NAME);
	ck_assert_uint_eq(ntold, 0);
	end();
}
END_TEST

START_TEST(tells_what_went_through_after_the_last_failure)
{
	begin();
	failed("b.test", "192.0.2.1", TLSR_NAME);
	tlswatch_told(w, STR("b.test"), QUEUE_BOUNCED);
	tlswatch_told(w, STR("b.test"), QUEUE_DELIVERED);
	failed("b.test", "192.0.2.1", TLSR_NAME);
	tlswatch_beat(w, NULL);
	ck_assert_int_eq(number("delivered"), 1);
	ck_assert_int_eq(number("bounced"), 1);
	ck_assert(json_is_false(json_object_get(last, "through")));
	tlswatch_told(w, STR("b.test"), QUEUE_DELIVERED);
	tlswatch_told(w, STR("other.test"), QUEUE_DELIVERED);
	tlswatch_beat(w, NULL);
	ck_assert_uint_eq(ntold, 3);
	ck_assert(json_is_true(json_object_get(last, "through")));
	end();
}
END_TEST

START_TEST(watches_until_the_master_says_that_it_is_over)
{
	begin();
	hear("b.test", true);
	ck_assert_str_eq(on, "+");
	hear("b.test", false);
	ck_assert_str_eq(on, "+-");
	ck_assert_uint_eq(ntold, 0);
	/* What the master did not know of begins the next one. */
	hear("b.test", true);
	failed("b.test", "192.0.2.1", TLSR_NAME);
	ck_assert_uint_eq(ntold, 0);
	hear("b.test", false);
	ck_assert_uint_eq(ntold, 1);
	ck_assert_uint_eq(failures(), 1);
	ck_assert_str_eq(on, "+-+");
	end();
}
END_TEST

START_TEST(text_that_is_not_for_people_is_made_so)
{
	struct relay_tls_fail f = { .domain = STR("b.test"), .host = "mx\xff",
		.ip = "192.0.2.1", .reason = TLSR_NAME,
		.why = STR("a\x1b[31mb\r\n") };
	const json_t *x;

	begin();
	tlswatch_failed(w, &f);
	x = json_array_get(json_object_get(last, "failed"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(x, "host")),
	    "mx?");
	ck_assert_str_eq(json_string_value(json_object_get(x, "why")),
	    "a?[31mb??");
	end();
}
END_TEST

START_TEST(counts_what_is_held_and_since_when)
{
	static const char *const vip[] = { "vip@b.test" };
	static const char *const plain[] = { "one@b.test" };
	static const char *const no_want[] = { "" };
	struct world world;
	msec first;

	world_init(&world, true);
	world_open(&world);
	ntold = 0;
	on[0] = '\0';
	w = tlswatch_new(take_msg, watching, NULL);
	hear("b.test", true);
	tlswatch_beat(w, world.q);
	ck_assert_int_eq(number("held"), 0);
	first = clock_wall();
	(void)submit_wants(&world, vip, no_want, 1);
	world_run(&world, MINUTES(1));
	(void)submit_wants(&world, vip, no_want, 1);
	/* What demands no TLS is not counted. */
	(void)submit_wants(&world, plain, no_want, 1);
	tlswatch_beat(w, world.q);
	ck_assert_uint_eq(ntold, 2);
	ck_assert_int_eq(number("held"), 2);
	ck_assert_int_ge(number("oldest"), first);
	ck_assert_int_lt(number("oldest"), first + MINUTES(1));
	ck_assert_int_gt(number("deadline"), number("oldest"));
	/* The same again is not told, until the master counts anew. */
	tlswatch_beat(w, world.q);
	ck_assert_uint_eq(ntold, 2);
	hear("b.test", true);
	tlswatch_beat(w, world.q);
	ck_assert_uint_eq(ntold, 3);
	end();
	world_fini(&world);
}
END_TEST

UNIT_SUITE(tlswatch)
{
	tcase_add_test(tc,
	    tells_the_first_failure_at_once_and_others_by_the_second);
	tcase_add_test(tc, tells_of_no_more_hosts_than_there_is_room_for);
	tcase_add_test(tc, tells_at_once_of_so_many_domains_a_second_only);
	tcase_add_test(tc, domains_beyond_the_limit_are_left_out);
	tcase_add_test(tc, tells_what_went_through_after_the_last_failure);
	tcase_add_test(tc, watches_until_the_master_says_that_it_is_over);
	tcase_add_test(tc, text_that_is_not_for_people_is_made_so);
	tcase_add_test(tc, counts_what_is_held_and_since_when);
}
