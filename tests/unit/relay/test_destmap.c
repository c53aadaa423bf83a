#include "relay/destmap.h"

#include <stdio.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

static const struct tlswant none = { .level = TLSWANT_NONE };
static const struct tlswant preferred = { .level = TLSWANT_PREFERRED };
static const struct tlswant required = { .level = TLSWANT_REQUIRED };
static const struct tlswant verify = { .level = TLSWANT_REQUIRED_VERIFY };

static const struct relay_destination table[] = {
	{ .name = "*", .tls = &preferred },
	{ .name = ".example.org", .tls = &verify },
	{ .name = "example.org", .tls = &required },
	{ .name = ".deep.example.org", .tls = &none },
	{ .name = "Boss@Example.ORG", .tls = &verify },
	{ .name = "cert.example" },
	{ .name = "b\xc3\xbc" "cher.example", .tls = &required },
	{ .name = "two.example", .tls = &required },
	{ .name = "TWO.example", .tls = &none },
	{ .name = "mx.us.example", .tls = &verify },
};

static const struct relay_conf conf = {
	.hostname = "mx.us.example",
	.tls = { .level = TLSWANT_OPPORTUNISTIC },
	.destination = table,
	.ndestination = sizeof(table) / sizeof(table[0]),
};

static const struct relay_conf bare = {
	.hostname = "mx.us.example",
	.tls = { .level = TLSWANT_OPPORTUNISTIC },
};

static const struct relay_route clear = { .domain = "*", .tls = &none };
static const struct relay_route strict = { .domain = "*", .tls = &verify };
static const struct relay_route silent = { .domain = "*" };

static const struct {
	const char *local, *domain;
	const struct relay_route *route;
	const char *stored, *text;
} cases[] = {
	{ "a", "example.org", NULL, "", "required" },
	{ "a", "EXAMPLE.org", NULL, "", "required" },
	{ "", "example.org", NULL, "", "required" },
	{ "a", "x.example.org", NULL, "", "required-verify" },
	{ "a", "x.y.example.org", NULL, "", "required-verify" },
	{ "a", "x.deep.example.org", NULL, "", "none" },
	{ "a", "deep.example.org", NULL, "", "required-verify" },
	{ "a", "notexample.org", NULL, "", "preferred" },
	/* An address is nearest, however it is written. */
	{ "boss", "example.org", NULL, "", "required-verify" },
	{ "BOSS", "example.org", NULL, "", "required-verify" },
	{ "\"boss\"", "example.org", NULL, "", "required-verify" },
	{ "\"b\\oss\"", "example.org", NULL, "", "required-verify" },
	{ "bos", "example.org", NULL, "", "required" },
	{ "boss", "x.example.net", NULL, "", "preferred" },
	/* A block that says nothing about TLS is looked through. */
	{ "a", "cert.example", NULL, "", "preferred" },
	{ "a", "xn--bcher-kva.example", NULL, "", "required" },
	{ "a", "B\xc3\x9c" "CHER.example", NULL, "", "required" },
	{ "a", "two.example", NULL, "", "required" },
	{ "postmaster", "", NULL, "", "required-verify" },
	{ "a", "[192.0.2.1]", NULL, "", "preferred" },
	/* With that of a route and the stored one, the maximum. */
	{ "a", "example.org", &clear, "", "required" },
	{ "a", "example.org", &strict, "", "required-verify" },
	{ "a", "example.org", &silent, "", "required" },
	{ "a", "example.org", NULL, "none", "required" },
	{ "a", "example.org", NULL, "Required-Verify", "required-verify" },
	{ "a", "example.org", &strict, "required", "required-verify" },
	/* What cannot be read stays what it is. */
	{ "a", "example.org", NULL, "most strict", "most strict" },
};

START_TEST(the_nearest_block_counts)
{
	struct destmap *m = destmap_new(&conf);
	struct destmap_to to = { .domain = str_c(cases[_i].domain),
		.local = str_c(cases[_i].local),
		.route = cases[_i].route,
		.want = str_c(cases[_i].stored) };
	unsigned again;

	for (again = 0; again < 2; again++)
		ck_assert_str_eq(destmap_text(m, &to), cases[_i].text);
	destmap_destroy(&m);
	ck_assert_ptr_null(m);
}
END_TEST

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
	struct destmap_to to = { .domain = STR("example.org"),
		.local = STR("a"),
		.route = plain[_i].route,
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
	struct relay_opinion v[2];
	struct destmap_to to = { .domain = STR("example.org"),
		.local = STR("a"),
		.route = opinions[_i].route,
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

enum { MANY = 10000 };

/* More wants than it remembers, from more blocks than could be walked
 * through for each recipient. */
START_TEST(many_blocks_and_many_wants_are_no_matter)
{
	struct relay_destination *v = mem_array(MANY, sizeof(*v));
	struct relay_conf c = bare;
	struct destmap_to to = { .local = STR("a"), .want = STR("") };
	struct destmap *m;
	char name[40], want[40];
	unsigned i, round;

	for (i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "d%u.example", i);
		v[i].name = mem_strdup(name);
		v[i].tls = i % 2 == 0 ? &required : &verify;
	}
	c.destination = v;
	c.ndestination = MANY;
	m = destmap_new(&c);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < MANY; i++) {
			to.domain = str_c(v[i].name);
			ck_assert_str_eq(destmap_text(m, &to),
			    i % 2 == 0 ? "required" : "required-verify");
		}
	}
	for (i = 0; i < MANY; i++) {
		(void)snprintf(want, sizeof(want), "unreadable %u", i);
		to.want = str_c(want);
		ck_assert_str_eq(destmap_text(m, &to), want);
		ck_assert_ptr_null(destmap_want(m, want));
	}
	destmap_destroy(&m);
	for (i = 0; i < MANY; i++)
		mem_free((void *)(uintptr_t)v[i].name);
	mem_free(v);
}
END_TEST

START_TEST(certificates_are_looked_up_for_themselves)
{
	static struct tlsident *one = (struct tlsident *)&table[0];
	static struct tlsident *two = (struct tlsident *)&table[1];
	struct relay_destination v[] = {
		{ .name = "example.org", .tls = &required },
		{ .name = "*", .cert = one },
		{ .name = "c.example.org", .cert = two },
	};
	struct relay_conf c = bare;
	struct destmap *m;

	c.destination = v;
	c.ndestination = 2;
	m = destmap_new(&c);
	ck_assert_ptr_eq(destmap_cert(m, STR("example.org")), one);
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

UNIT_SUITE(destmap)
{
	tcase_add_loop_test(tc, the_nearest_block_counts, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tc, what_is_usual_has_no_text, 0,
	    (int)(sizeof(plain) / sizeof(plain[0])));
	tcase_add_loop_test(tc, opinions_raise_unless_they_are_ours, 0,
	    (int)(sizeof(opinions) / sizeof(opinions[0])));
	tcase_add_test(tc, the_maximum_of_a_text_and_another);
	tcase_add_test(tc, texts_mean_what_they_say);
	tcase_add_test(tc, many_blocks_and_many_wants_are_no_matter);
	tcase_add_test(tc, certificates_are_looked_up_for_themselves);
}
