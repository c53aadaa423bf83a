#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/throttle.h"
#include "mailtext.h"
#include "outbox.h"
#include "place.h"
#include "unit.h"

static const struct {
	int64_t first, most;
	int64_t want[8]; /* when it is told, of an alert each second */
} series[] = {
	/* requirements.md 4.5 */
	{ 5, 60, { 0, 5, 15, 35, 60, 120, 180, 240 } },
	{ 5, 0, { 0, 5, 15, 35, 75, 155, 315, 635 } },
	{ 300, 3600, { 0, 300, 900, 2100, 3600, 7200, 10800, 14400 } },
	{ 0, 60, { 0, 1, 2, 3, 4, 5, 6, 7 } },
	{ 60, 60, { 0, 60, 120, 180, 240, 300, 360, 420 } },
	{ 90, 60, { 0, 60, 120, 180, 240, 300, 360, 420 } },
};

START_TEST(alerts_are_told_of_in_a_series)
{
	int64_t first = series[_i].first * 1000, most = series[_i].most * 1000;
	struct throttle th = { 0 };
	uint64_t told, sum = 0;
	unsigned n = 0;
	int64_t s;

	for (s = 0; n < 8; s++) {
		int64_t now = 1000000 + s * 1000;

		/* What is due goes before what comes. */
		told = throttle_due(&th, now, first, most);
		if (throttle_came(&th, now, first, most))
			told++;
		if (told == 0)
			continue;
		ck_assert_int_eq(s, series[_i].want[n]);
		sum += told;
		n++;
		if (th.begun) {
			ck_assert_int_gt(throttle_wait(&th, now, most), 0);
			/* All that came are told of, or gathered. */
			ck_assert_uint_eq(sum + th.gathered,
			    (uint64_t)s + 1);
		}
	}
}
END_TEST

START_TEST(a_matter_that_was_quiet_begins_anew)
{
	struct throttle th = { 0 };

	ck_assert(throttle_came(&th, 0, 5, 60));
	ck_assert_int_eq(throttle_wait(&th, 0, 60), 5);
	ck_assert(!throttle_came(&th, 4, 5, 60));
	ck_assert_uint_eq(throttle_due(&th, 4, 5, 60), 0);
	ck_assert_int_eq(throttle_wait(&th, 4, 60), 1);
	ck_assert_uint_eq(throttle_due(&th, 5, 5, 60), 1);
	/* Behind the occasion at 15, and before it is forgotten: at once. */
	ck_assert_int_eq(throttle_wait(&th, 16, 60), 59);
	ck_assert(throttle_came(&th, 20, 5, 60));
	ck_assert(!throttle_came(&th, 21, 5, 60));
	ck_assert_uint_eq(throttle_due(&th, 35, 5, 60), 1);
	/* Quiet for a minute from 60 on. */
	ck_assert_int_eq(throttle_wait(&th, 119, 60), 1);
	ck_assert_int_eq(throttle_wait(&th, 120, 60), -1);
	ck_assert(throttle_came(&th, 120, 5, 60));
	ck_assert_int_eq(throttle_wait(&th, 120, 60), 5);
}
END_TEST

static const struct {
	const char *item, *category, *severity;
	bool wants;
} filters[] = {
	{ "a@b.example", "System", "Warning", true },
	{ "a@b.example System/Warning", "System", "Warning", true },
	{ "a@b.example System/Warning", "System", "Critical", false },
	{ "a@b.example System/Warning, system/critical", "System", "Critical",
	    true },
	{ "a@b.example Hardware/all", "System", "Critical", false },
	{ "a@b.example all/Critical", "Hardware", "Critical", true },
	{ "a@b.example all", "Hardware", "Information", true },
	{ "a@b.example System", "System", "Information", true },
	{ "a@b.example Outbreak Filters/Warning", "Outbreak Filters",
	    "Warning", true },
};

START_TEST(recipient_gets_its_classes_and_severities)
{
	size_t n;

	ck_assert_ptr_null(mailtext_check(filters[_i].item));
	ck_assert(mailtext_wants(filters[_i].item, filters[_i].category,
	    filters[_i].severity, &n) == filters[_i].wants);
	ck_assert_uint_eq(n, 11);
}
END_TEST

START_TEST(refuses_what_is_no_recipient)
{
	static const char *const bad[] = { "", "a", "@b.example", "a@",
		"a@b.example Sistem/Warning", "a@b.example System/Loud",
		"a@b.example System/", "<a@b.example>", "a@b,c@d",
		"a\r\n@b.example" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_ptr_nonnull(mailtext_check(bad[i]));
}
END_TEST

START_TEST(writes_a_message)
{
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = "Warning", .category = "System",
		.key = "tls:b.example", .host = "mx.a.example",
		.text = "no TLS", .detail = "one\ntwo",
		.wall = 1790000000000 };
	char *m;

	m = mailtext_message(&r, 3, "alert@mx.a.example", "ops@a.example",
	    1790000005000, 7);
	ck_assert_str_eq(m, "From: alert@mx.a.example\r\n"
	    "To: ops@a.example\r\n"
	    "Subject: Warning <System> mx.a.example: no TLS\r\n"
	    "Date: Mon, 21 Sep 2026 14:13:25 +0000\r\n"
	    "Message-ID: <alert.1790000005000.7@mx.a.example>\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Auto-Submitted: auto-generated\r\n\r\n"
	    "no TLS\r\none\r\ntwo\r\n\r\n"
	    "Host: mx.a.example\r\nClass: System\r\nSeverity: Warning\r\n"
	    "Matter: tls:b.example\r\n"
	    "Time: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\n"
	    "Alerts of this matter since the last message: 3; this is the "
	    "latest.\r\n");
	free(m);
}
END_TEST

START_TEST(subjects_are_one_line_of_ascii)
{
	struct pst_alert_record r = { .severity = "Warning",
		.category = "System", .host = "h", .text = "a\r\nBcc: b\xc3" };
	char s[MAILTEXT_SUBJECT], longer[2000];

	mailtext_subject(s, sizeof(s), &r);
	ck_assert_str_eq(s, "Warning <System> h: a??Bcc: b?");
	memset(longer, 'x', sizeof(longer));
	longer[1999] = '\0';
	r.text = longer;
	mailtext_subject(s, sizeof(s), &r);
	ck_assert_uint_eq(strlen(s), sizeof(s) - 1);
}
END_TEST

START_TEST(a_place_is_remembered_for_half_an_hour)
{
	struct place p = { .name = "a.example" };
	const struct place *found;
	static struct places ps;

	memset(&ps, 0, sizeof(ps));
	place_add(&p, "192.0.2.1", 25);
	place_add(&p, "2001:db8::1", 2525);
	place_add(&p, "192.0.2.1", 25);
	ck_assert_ptr_null(places_find(&ps, "a.example", 1000));
	places_keep(&ps, &p, 1000);
	found = places_find(&ps, "a.example", 1000 + 30 * 60 * 1000 - 1);
	ck_assert_ptr_nonnull(found);
	ck_assert_uint_eq(found->n, 2);
	ck_assert_str_eq(found->target[0], "192.0.2.1:25");
	ck_assert_str_eq(found->target[1], "[2001:db8::1]:2525");
	ck_assert_ptr_null(places_find(&ps, "b.example", 2000));
	ck_assert_ptr_null(places_find(&ps, "a.example",
	    1000 + 30 * 60 * 1000));
	places_keep(&ps, &p, 5000);
	places_forget(&ps, "a.example");
	ck_assert_ptr_null(places_find(&ps, "a.example", 5000));
}
END_TEST

START_TEST(the_oldest_place_makes_room)
{
	struct place p = { .n = 1 };
	static struct places ps;
	unsigned i;

	memset(&ps, 0, sizeof(ps));
	for (i = 0; i <= PLACES; i++) {
		(void)snprintf(p.name, sizeof(p.name), "d%u.example", i);
		places_keep(&ps, &p, 1000 + i);
	}
	ck_assert_ptr_null(places_find(&ps, "d0.example", 2000));
	for (i = 1; i <= PLACES; i++) {
		(void)snprintf(p.name, sizeof(p.name), "d%u.example", i);
		ck_assert_ptr_nonnull(places_find(&ps, p.name, 2000));
		/* What is kept again takes no second room. */
		places_keep(&ps, &p, 2000);
	}
	ck_assert_ptr_nonnull(places_find(&ps, "d1.example", 3000));
}
END_TEST

static const struct {
	const char *server, *host;
	long port;
} servers[] = {
	{ "mail.example", "mail.example", 25 },
	{ "mail.example:2525", "mail.example", 2525 },
	{ "192.0.2.1:26", "192.0.2.1", 26 },
	{ "2001:db8::1", "2001:db8::1", 25 },
	{ "[2001:db8::1]", "2001:db8::1", 25 },
	{ "[2001:db8::1]:27", "2001:db8::1", 27 },
};

START_TEST(a_server_may_have_a_port)
{
	char host[64];

	ck_assert_int_eq(place_server(servers[_i].server, 25, host,
	    sizeof(host)), servers[_i].port);
	ck_assert_str_eq(host, servers[_i].host);
}
END_TEST

static struct letter *
letter(const char *text)
{
	struct letter *l = letter_new();

	ck_assert_ptr_nonnull(l);
	l->text = strdup(text);
	return l;
}

static void
takes(struct outbox *o, const char *text)
{
	struct letter *l = outbox_take(o);

	ck_assert_ptr_nonnull(l);
	ck_assert_str_eq(l->text, text);
	letter_free(l);
}

START_TEST(what_an_instance_leaves_is_its_successors)
{
	struct outbox *old = outbox_new("alerts"), *young, *other;
	struct letter *l;

	ck_assert(outbox_alone(old));
	ck_assert(outbox_put(old, letter("one")));
	ck_assert(outbox_put(old, letter("two")));
	ck_assert(outbox_put(old, letter("three")));
	l = outbox_take(old);
	young = outbox_new("alerts");
	other = outbox_new("more");
	ck_assert(!outbox_alone(old) && !outbox_alone(young));
	ck_assert(outbox_alone(other));
	/* As long as it lives it is its own. */
	ck_assert_ptr_null(outbox_take(young));
	ck_assert_uint_eq(outbox_waiting(young), 0);
	takes(old, "two");
	l->tries = 1;
	outbox_back(old, l);
	outbox_free(old);
	ck_assert(outbox_alone(young));
	ck_assert_uint_eq(outbox_waiting(young), 2);
	l = outbox_take(young);
	ck_assert_str_eq(l->text, "one");
	ck_assert(l->extra);
	letter_free(l);
	l = outbox_take(young);
	ck_assert_str_eq(l->text, "three");
	ck_assert(!l->extra); /* it was never tried */
	letter_free(l);
	ck_assert_ptr_null(outbox_take(young));
	ck_assert_ptr_null(outbox_take(other));
	outbox_free(other);
	outbox_free(young);
}
END_TEST

START_TEST(a_young_instance_that_is_dropped_takes_nothing_along)
{
	struct outbox *old = outbox_new("alerts"), *young, *next;

	ck_assert(outbox_put(old, letter("one")));
	young = outbox_new("alerts");
	outbox_free(young);
	ck_assert(outbox_alone(old));
	next = outbox_new("alerts");
	outbox_back(next, outbox_take(old));
	outbox_free(next);
	takes(old, "one");
	outbox_free(old);
}
END_TEST

START_TEST(the_last_instance_takes_all_along)
{
	struct outbox *o = outbox_new("alerts");

	ck_assert(outbox_put(o, letter("one")));
	outbox_free(o);
	o = outbox_new("alerts");
	ck_assert_uint_eq(outbox_waiting(o), 0);
	outbox_free(o);
}
END_TEST

START_TEST(an_outbox_is_full_at_a_thousand)
{
	struct outbox *o = outbox_new("alerts");
	struct letter *l = letter("one");
	unsigned i;

	for (i = 0; i < OUTBOX_MAX; i++)
		ck_assert(outbox_put(o, letter("many")));
	ck_assert(!outbox_put(o, l));
	takes(o, "many");
	ck_assert(outbox_put(o, l));
	ck_assert_uint_eq(outbox_waiting(o), OUTBOX_MAX);
	outbox_free(o);
}
END_TEST

START_TEST(what_is_left_has_an_end)
{
	struct outbox *o = outbox_new("alerts"), *old;
	unsigned i;

	ck_assert_uint_eq(outbox_dropped(o), 0);
	for (i = 0; i < OUTBOX_MAX; i++)
		outbox_back(o, letter(i == 0 ? "oldest" : i == 1 ? "older" :
		    "many"));
	ck_assert_uint_eq(outbox_dropped(o), 0);
	outbox_back(o, letter("last"));
	ck_assert_uint_eq(outbox_waiting(o), OUTBOX_MAX);
	ck_assert_uint_eq(outbox_dropped(o), 1);
	ck_assert_uint_eq(outbox_dropped(o), 0);
	takes(o, "older");
	/* However many reloads there are. */
	for (i = 0; i < 3 * OUTBOX_MAX; i++) {
		old = outbox_new("alerts");
		ck_assert(outbox_put(old, letter("more")));
		outbox_free(old);
		ck_assert_uint_le(outbox_waiting(o), OUTBOX_MAX);
	}
	ck_assert_uint_eq(outbox_dropped(o), 3 * OUTBOX_MAX - 1);
	takes(o, "more");
	outbox_free(o);
}
END_TEST

UNIT_SUITE(alert_mail)
{
	tcase_add_test(tc, what_is_left_has_an_end);
	tcase_add_test(tc, what_an_instance_leaves_is_its_successors);
	tcase_add_test(tc,
	    a_young_instance_that_is_dropped_takes_nothing_along);
	tcase_add_test(tc, the_last_instance_takes_all_along);
	tcase_add_test(tc, an_outbox_is_full_at_a_thousand);
	tcase_add_test(tc, a_place_is_remembered_for_half_an_hour);
	tcase_add_test(tc, the_oldest_place_makes_room);
	tcase_add_loop_test(tc, a_server_may_have_a_port, 0,
	    sizeof(servers) / sizeof(servers[0]));
	tcase_add_loop_test(tc, alerts_are_told_of_in_a_series, 0,
	    sizeof(series) / sizeof(series[0]));
	tcase_add_test(tc, a_matter_that_was_quiet_begins_anew);
	tcase_add_loop_test(tc, recipient_gets_its_classes_and_severities, 0,
	    sizeof(filters) / sizeof(filters[0]));
	tcase_add_test(tc, refuses_what_is_no_recipient);
	tcase_add_test(tc, writes_a_message);
	tcase_add_test(tc, subjects_are_one_line_of_ascii);
}
