#include "relay/destmap.h"

#include "relay/way.h"

#include <stdio.h>

#include "tests/unit/unit.h"

static const struct tlswant none = { .level = TLSWANT_NONE };
static const struct tlswant verify = { .level = TLSWANT_REQUIRED_VERIFY };

static const struct relay_conf bare = {
	.hostname = "mx.us.example",
	.tls = { .level = TLSWANT_OPPORTUNISTIC },
};

static const struct relay_route clear = { .domain = "*", .tls = &none };
static const struct relay_route strict = { .domain = "*", .tls = &verify };
static const struct relay_route silent = { .domain = "*" };

static const struct {
	const struct relay_route *route;
	const char *stored, *text;
} plain[] = {
	{ NULL, "", "" },
	{ &silent, "", "" },
	{ &clear, "", "none" },
	{ &strict, "", "required-verify" },
	{ NULL, "none", "" },
	{ NULL, "opportunistic", "" },
	{ NULL, "required", "required" },
	{ &clear, "opportunistic", "" },
	{ NULL, "nonsense", "nonsense" },
};

START_TEST(what_is_usual_has_no_text)
{
	struct destmap *m = destmap_new(&bare);
	struct destmap_to to = { .route = plain[_i].route,
		.want = str_c(plain[_i].stored) };

	ck_assert_str_eq(destmap_text(m, &to), plain[_i].text);
	ck_assert_str_eq(destmap_usual(m), "opportunistic");
	destmap_destroy(&m);
}
END_TEST

static const struct {
	const char *a, *b; /* opinions: with "!" in front, of ours */
	const struct relay_route *route;
	const char *stored, *text;
} opinions[] = {
	{ "required", NULL, NULL, "", "required" },
	{ "none", NULL, NULL, "", "" },
	{ "!none", NULL, NULL, "", "none" },
	{ "!none", "preferred", NULL, "", "preferred" },
	{ "preferred", "!none", NULL, "", "preferred" },
	{ "!none", "!required", NULL, "", "required" },
	{ "!none", NULL, &strict, "", "required-verify" },
	{ "!required", NULL, &clear, "", "required" },
	{ "none", NULL, &clear, "", "none" },
	{ "required", NULL, &clear, "preferred", "required" },
	{ "!none", NULL, NULL, "required", "required" },
	{ "required-verify match=domain", "required-verify deadline=2h", NULL,
	    "", "required-verify match=domain deadline=2h" },
	{ "required", "tight", NULL, "", "unreadable: tight" },
	{ "!", NULL, NULL, "", "unreadable: " },
};

START_TEST(opinions_raise_unless_they_are_ours)
{
	struct destmap *m = destmap_new(&bare);
	struct relay_opinion v[2] = { { .who = NULL } };
	struct destmap_to to = { .route = opinions[_i].route,
		.want = str_c(opinions[_i].stored),
		.v = v };
	const char *in[2] = { opinions[_i].a, opinions[_i].b };
	unsigned i, again;

	for (i = 0; i < 2 && in[i] != NULL; i++) {
		v[to.n].ours = in[i][0] == '!';
		v[to.n++].want = in[i] + (in[i][0] == '!');
	}
	for (again = 0; again < 2; again++)
		ck_assert_str_eq(destmap_text(m, &to), opinions[_i].text);
	destmap_destroy(&m);
}
END_TEST

/* Whose it is stands in the failure, and is remembered apart. */
START_TEST(an_unreadable_want_names_its_plugin)
{
	struct destmap *m = destmap_new(&bare);
	struct relay_opinion v = { .want = "tight", .who = "one" };
	struct destmap_to to = { .want = STR(""), .v = &v, .n = 1 };

	ck_assert_str_eq(destmap_text(m, &to), "unreadable: one said tight");
	v.who = "two";
	ck_assert_str_eq(destmap_text(m, &to), "unreadable: two said tight");
	ck_assert_ptr_null(destmap_want(m, destmap_text(m, &to)));
	v.want = "required";
	ck_assert_str_eq(destmap_text(m, &to), "required");
	destmap_destroy(&m);
}
END_TEST

START_TEST(the_maximum_of_a_text_and_another)
{
	struct destmap *m = destmap_new(&bare);

	ck_assert_str_eq(destmap_both(m, "", "required"), "required");
	ck_assert_str_eq(destmap_both(m, "", "none"), "");
	ck_assert_str_eq(destmap_both(m, "none", "none"), "none");
	ck_assert_str_eq(destmap_both(m, "required", "none"), "required");
	ck_assert_str_eq(destmap_both(m, "", "what"), "unreadable: what");
	ck_assert_ptr_null(destmap_want(m, destmap_both(m, "", "what")));
	destmap_destroy(&m);
}
END_TEST

START_TEST(texts_mean_what_they_say)
{
	struct destmap *m = destmap_new(&bare);

	ck_assert_ptr_eq(destmap_want(m, ""), &bare.tls);
	ck_assert_int_eq(destmap_want(m, "required")->level,
	    TLSWANT_REQUIRED);
	ck_assert_int_eq(destmap_want(m, "required")->level,
	    TLSWANT_REQUIRED);
	ck_assert_ptr_null(destmap_want(m, "nonsense"));
	ck_assert_ptr_null(destmap_want(m, "nonsense"));
	destmap_destroy(&m);
}
END_TEST

static const struct queue_profile profiles[] = {
	{ .name = "default" }, { .name = "of-domain" }, { .name = "of-route" },
	{ .name = "of-rule" }, { .name = "of-listener" },
};

static const struct {
	const char *own;
	bool domain, route;
	const char *is;
	enum way_says says;
} profile_cases[] = {
	{ "", false, false, "default", WAY_DEFAULT },
	{ "?of-listener", false, false, "of-listener", WAY_LISTENER },
	{ "?of-listener", false, true, "of-route", WAY_ROUTE },
	{ "?of-listener", true, true, "of-domain", WAY_DESTINATION },
	{ "of-rule", true, true, "of-rule", WAY_RULE },
	{ "of-rule", false, false, "of-rule", WAY_RULE },
	/* It was deleted meanwhile. */
	{ "gone", false, true, "of-route", WAY_ROUTE },
	{ "?gone", false, false, "default", WAY_DEFAULT },
};

START_TEST(who_is_nearer_says_which_bounce_profile_holds)
{
	struct relay_conf conf = { .profile = &profiles[0],
		.profiles = profiles, .nprofiles = 5 };
	struct relay_rules rules = { .profile =
		profile_cases[_i].domain ? &profiles[1] : NULL };
	struct relay_route route = { .profile = &profiles[2] };
	enum way_says says;

	ck_assert_str_eq(way_profile(&conf,
	    profile_cases[_i].route ? &route : NULL, &rules,
	    str_c(profile_cases[_i].own), &says)->name,
	    profile_cases[_i].is);
	ck_assert_int_eq(says, profile_cases[_i].says);
}
END_TEST

enum { MANY = 10000 };

/* More wants than it remembers, from more opinions. */
START_TEST(many_wants_are_no_matter)
{
	struct relay_opinion v = { .ours = true };
	struct destmap_to to = { .want = STR(""), .v = &v, .n = 1 };
	struct destmap *m = destmap_new(&bare);
	const struct tlswant *w;
	char want[60];
	unsigned i, round;

	v.want = want;
	for (round = 0; round < 10; round++) {
		for (i = 0; i < MANY; i++) {
			(void)snprintf(want, sizeof(want), "%s deadline=%us",
			    i % 2 == 0 ? "required" : "required-verify",
			    i + 3601);
			w = destmap_want(m, destmap_text(m, &to));
			ck_assert_int_eq(w->level, i % 2 == 0 ?
			    TLSWANT_REQUIRED : TLSWANT_REQUIRED_VERIFY);
			ck_assert_int_eq(w->deadline, SECONDS(i + 3601));
		}
	}
	to.n = 0;
	for (i = 0; i < MANY; i++) {
		(void)snprintf(want, sizeof(want), "unreadable %u", i);
		to.want = str_c(want);
		ck_assert_str_eq(destmap_text(m, &to), want);
		ck_assert_ptr_null(destmap_want(m, want));
	}
	destmap_destroy(&m);
}
END_TEST

START_TEST(certificates_are_those_of_the_nearest_block)
{
	static struct tlsident *one = (struct tlsident *)&clear;
	static struct tlsident *two = (struct tlsident *)&strict;
	static struct tlsident *three = (struct tlsident *)&silent;
	const struct relay_destination v[] = {
		{ .name = "example.org" },
		{ .name = "*", .cert = one },
		{ .name = "C.example.org", .cert = two },
		{ .name = "c.example.org", .cert = one },
		{ .name = ".example.net", .cert = two },
		{ .name = "b\xc3\xbc" "cher.example", .cert = two },
		{ .name = "boss@example.org", .cert = two },
		{ .name = "mx.us.example", .cert = three },
	};
	struct relay_conf c = bare;
	struct destmap *m;

	c.destination = v;
	c.ndestination = 2;
	m = destmap_new(&c);
	ck_assert_ptr_eq(destmap_cert(m, STR("example.org")), one);
	destmap_destroy(&m);
	ck_assert_ptr_null(m);
	c.ndestination = 8;
	m = destmap_new(&c);
	ck_assert_ptr_eq(destmap_cert(m, STR("c.EXAMPLE.org")), two);
	ck_assert_ptr_eq(destmap_cert(m, STR("a.b.example.net")), two);
	ck_assert_ptr_eq(destmap_cert(m, STR("example.net")), one);
	ck_assert_ptr_eq(destmap_cert(m, STR("xn--bcher-kva.example")), two);
	ck_assert_ptr_eq(destmap_cert(m, STR("example.org")), one);
	ck_assert_ptr_eq(destmap_cert(m, STR("")), three);
	destmap_destroy(&m);
	c.destination = v + 2;
	c.ndestination = 1;
	c.cert = one;
	m = destmap_new(&c);
	ck_assert_ptr_eq(destmap_cert(m, STR("C.example.org")), two);
	ck_assert_ptr_eq(destmap_cert(m, STR("example.org")), one);
	destmap_destroy(&m);
}
END_TEST

START_TEST(each_limit_is_that_of_the_nearest_block_that_has_it)
{
	static const struct relay_destination v[] = {
		{ .name = "*", .rules = { .max_messages = 7,
			.concurrency = 9 } },
		{ .name = ".example.net", .rules = { .concurrency = 5 } },
		{ .name = "a.Example.net", .rules = { .recipients = 3,
			.minutes = 10 } },
		{ .name = "u@a.example.net", .rules = { .concurrency = 1 } },
		{ .name = "way.example", .rules = { .route = "smart" } },
	};
	struct relay_conf c = bare;
	struct relay_rules r;
	struct destmap *m;

	c.destination = v;
	c.ndestination = 5;
	m = destmap_new(&c);
	ck_assert(destmap_rules(m, STR("A.example.net"), &r));
	ck_assert_uint_eq(r.recipients, 3);
	ck_assert_uint_eq(r.minutes, 10);
	ck_assert_uint_eq(r.concurrency, 5);
	ck_assert_uint_eq(r.max_messages, 7);
	ck_assert(destmap_rules(m, STR("example.net"), &r));
	ck_assert_uint_eq(r.concurrency, 9);
	ck_assert_uint_eq(r.recipients, 0);
	destmap_destroy(&m);
	c.destination = v + 1;
	c.ndestination = 4;
	m = destmap_new(&c);
	ck_assert(!destmap_rules(m, STR("example.org"), &r));
	ck_assert(!destmap_rules(m, STR("way.example"), &r));
	ck_assert_str_eq(r.route, "smart");
	destmap_destroy(&m);
}
END_TEST

UNIT_SUITE(destmap)
{
	tcase_add_loop_test(tc, what_is_usual_has_no_text, 0,
	    (int)(sizeof(plain) / sizeof(plain[0])));
	tcase_add_loop_test(tc, opinions_raise_unless_they_are_ours, 0,
	    (int)(sizeof(opinions) / sizeof(opinions[0])));
	tcase_add_test(tc, the_maximum_of_a_text_and_another);
	tcase_add_test(tc, an_unreadable_want_names_its_plugin);
	tcase_add_test(tc, texts_mean_what_they_say);
	tcase_add_loop_test(tc, who_is_nearer_says_which_bounce_profile_holds,
	    0, sizeof(profile_cases) / sizeof(profile_cases[0]));
	tcase_add_test(tc, many_wants_are_no_matter);
	tcase_add_test(tc, certificates_are_those_of_the_nearest_block);
	tcase_add_test(tc,
	    each_limit_is_that_of_the_nearest_block_that_has_it);
}
