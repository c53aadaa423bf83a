#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/alertpost.h"
#include "unit.h"

static struct alertpost *post;
static char got[65536]; /* "worker:text " of each */
static uint64_t last;
static bool deaf;

static bool
take(void *arg, unsigned worker, json_t *msg)
{
	size_t n = strlen(got);

	(void)arg;
	if (!deaf) {
		(void)snprintf(got + n, sizeof(got) - n, "%u:%s ", worker,
		    json_string_value(json_object_get(msg, "text")));
		last = (uint64_t)json_integer_value(json_object_get(msg,
		    "number"));
	}
	json_decref(msg);
	return !deaf;
}

static void
begin(void)
{
	post = alertpost_new(3, take, NULL);
}

static void
end(void)
{
	alertpost_destroy(&post);
	ck_assert_ptr_null(post);
}

static void
raise_one(const char *text)
{
	struct host_alert a = { .severity = "Warning", .category = "System",
		.key = "k", .text = text };

	alertpost_add(post, alert_raise(&a));
}

START_TEST(an_alert_waits_for_the_first_worker)
{
	raise_one("a");
	raise_one("b");
	ck_assert_str_eq(got, "");
	alertpost_ready(post, 2, true);
	ck_assert_str_eq(got, "2:a 2:b ");
	/* From now on the lowest has it. */
	alertpost_ready(post, 1, true);
	raise_one("c");
	ck_assert_str_eq(got, "2:a 2:b 1:c ");
}
END_TEST

START_TEST(another_worker_takes_over_what_a_dead_one_had)
{
	alertpost_ready(post, 0, true);
	alertpost_ready(post, 1, true);
	raise_one("a");
	alertpost_done(post, 0, last);
	raise_one("b");
	/* Nobody else can say that it was told. */
	alertpost_done(post, 1, last);
	alertpost_ready(post, 0, false);
	ck_assert_str_eq(got, "0:a 0:b 1:b ");
	/* Two died with it: it is no third one's. */
	alertpost_ready(post, 0, true);
	alertpost_ready(post, 1, false);
	ck_assert_str_eq(got, "0:a 0:b 1:b ");
	raise_one("c");
	ck_assert_str_eq(got, "0:a 0:b 1:b 0:c ");
}
END_TEST

START_TEST(a_worker_that_cannot_be_told_is_told_later)
{
	deaf = true;
	alertpost_ready(post, 0, true);
	raise_one("a");
	deaf = false;
	raise_one("b");
	ck_assert_str_eq(got, "0:a 0:b ");
}
END_TEST

START_TEST(keeps_256_and_forgets_the_oldest)
{
	char text[16], want[16];
	int i;

	for (i = 0; i < ALERTPOST_KEPT + 2; i++) {
		(void)snprintf(text, sizeof(text), "n%d", i);
		raise_one(text);
	}
	alertpost_ready(post, 0, true);
	ck_assert_int_eq(strncmp(got, "0:n2 0:n3 ", 10), 0);
	(void)snprintf(want, sizeof(want), "0:n%d ", ALERTPOST_KEPT + 1);
	ck_assert_ptr_nonnull(strstr(got, want));
}
END_TEST

START_TEST(an_alerts_words_are_printable)
{
	char text[5000];
	struct host_alert a = { .severity = "Warning", .category = "System",
		.key = "k\xff\n", .text = text, .detail = "one\n\ttwo\r\x80" };
	json_t *j;

	memset(text, 'x', sizeof(text));
	text[1] = '\n';
	text[4999] = '\0';
	j = alert_raise(&a);
	ck_assert_ptr_nonnull(j);
	ck_assert_str_eq(json_string_value(json_object_get(j, "key")), "k??");
	ck_assert_str_eq(json_string_value(json_object_get(j, "detail")),
	    "one\n two??");
	ck_assert_uint_eq(json_string_length(json_object_get(j, "text")),
	    1000);
	ck_assert_int_eq(json_string_value(json_object_get(j, "text"))[1],
	    '?');
	json_decref(j);
}
END_TEST

UNIT_SUITE(alertpost)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, an_alert_waits_for_the_first_worker);
	tcase_add_test(tc, another_worker_takes_over_what_a_dead_one_had);
	tcase_add_test(tc, a_worker_that_cannot_be_told_is_told_later);
	tcase_add_test(tc, keeps_256_and_forgets_the_oldest);
	tcase_add_test(tc, an_alerts_words_are_printable);
}
