/*
 * Tables: what is read, what is found, what is refused.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

static char path[64];

static struct table *
table_of(const char *text, enum table_kind kind, char *why)
{
	struct table *t;
	size_t n = strlen(text);
	int fd;

	(void)snprintf(path, sizeof(path), "table-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	ck_assert_int_eq(close(fd), 0);
	t = table_read(path, kind, why);
	ck_assert_int_eq(unlink(path), 0);
	return t;
}

static void
add_value(void *arg, const char *p, size_t n)
{
	char *dst = arg;

	(void)snprintf(dst + strlen(dst), 200 - strlen(dst), "[%.*s]", (int)n,
	    p);
}

struct ask {
	const char *key, *values; /* "": none */
};

static void
ask_all(const char *text, enum table_kind kind, const struct ask *v, size_t n)
{
	char why[TABLE_WHY] = "", got[200];
	struct table *t = table_of(text, kind, why);
	size_t i;

	ck_assert_msg(t != NULL, "%s", why);
	for (i = 0; i < n; i++) {
		got[0] = '\0';
		(void)table_get(t, v[i].key, strlen(v[i].key), add_value, got);
		ck_assert_msg(strcmp(got, v[i].values) == 0,
		    "%s: \"%s\", not \"%s\"", v[i].key, got, v[i].values);
	}
	table_free(t);
}
#define ASK(text, kind, v) ask_all(text, kind, v, sizeof(v) / sizeof((v)[0]))

START_TEST(finds_keys_whatever_their_case)
{
	static const struct ask v[] = {
		{ "one", "[1]" },
		{ "ONE", "[1]" },
		{ "Two", "[2 and a half]" },
		{ "three", "[]" },
		{ "four", "[4  folded]" },
		{ "last", "[without an end]" },
		{ "#four", "" },
		{ "on", "" },
		{ "", "" },
	};

	ASK("one 1\n# two 3\n\n  \ntwo\t 2 and a half \r\nthree\n"
	    "four 4\n folded\nlast without an end", TABLE_EXACT, v);
}
END_TEST

START_TEST(keeps_the_order_of_several_values)
{
	static const struct ask v[] = { { "a", "[1][2][3]" } };

	ASK("a 1\nb 9\nA 2\na 3\n", TABLE_EXACT, v);
}
END_TEST

START_TEST(takes_the_nearest_domain)
{
	static const struct ask v[] = {
		{ "me@mx.example.net", "[me]" },
		{ "you@mx.example.net", "[mx]" },
		{ "you@a.mx.example.net", "[below]" },
		{ "you@example.net", "[net]" },
		{ "example.net", "[net]" },
		{ "b.example.net", "[below]" },
		{ "\"a@b\"@example.net", "[net]" },
		{ "example.org", "[any]" },
	};

	ASK("me@mx.example.net me\nmx.example.net mx\n.example.net below\n"
	    ".net net\n* any\n", TABLE_DOMAIN, v);
}
END_TEST

START_TEST(takes_the_longest_prefix)
{
	static const struct ask v[] = {
		{ "192.0.2.1", "[host]" },
		{ "192.0.2.2", "[24]" },
		{ "192.0.3.1", "[16]" },
		{ "::ffff:192.0.2.1", "[host]" },
		{ "10.0.0.1", "[v4]" },
		{ "2001:db8:0:1::9", "[64]" },
		{ "2001:db8:1::9", "[32]" },
		{ "::1", "" },
		{ "example.net", "" },
		{ "192.0.2.0/24", "" },
	};

	ASK("192.0.0.0/16 16\n192.0.2.1 host\n192.0.2.0/24 24\n0.0.0.0/0 v4\n"
	    "2001:db8::/32 32\n2001:db8:0:1:ffff::/64 64\n", TABLE_CIDR, v);
}
END_TEST

START_TEST(takes_the_first_expression)
{
	static const struct ask v[] = {
		{ "bob+x@example.net", "[bob at example.net, \\]" },
		{ "BOB@EXAMPLE.NET", "[second]" },
		{ "Case", "[case]" },
		{ "case", "" },
	};

	ASK("/^(\\w+)\\+.*@(.*)$/ \\1 at \\2, \\\\\n/^bob@/ second\n"
	    "/^Case$/c case\n", TABLE_REGEX, v);
}
END_TEST

START_TEST(gives_up_an_expression_that_takes_too_long)
{
	char why[TABLE_WHY] = "", got[200] = "", key[64];
	struct table *t = table_of("/^(a+)+(a+)+(a+)+$/ x\n", TABLE_REGEX,
	    why);

	ck_assert_msg(t != NULL, "%s", why);
	memset(key, 'a', sizeof(key));
	key[sizeof(key) - 1] = '!';
	ck_assert_int_eq(table_get(t, key, sizeof(key), add_value, got), -1);
	table_free(t);
}
END_TEST

START_TEST(refuses_what_cannot_be_a_table)
{
	static const struct {
		enum table_kind kind;
		const char *text, *why;
	} v[] = {
		{ TABLE_CIDR, "# x\n192.0.2.300 y\n", ":2: \"192.0.2.300\" is "
		    "no address" },
		{ TABLE_CIDR, "a\n", ":1: \"a\" is no" },
		{ TABLE_CIDR, "::/129\n", ":1: " },
		{ TABLE_CIDR, "1.2.3.4/\n", ":1: " },
		{ TABLE_REGEX, "/a/ 1\n c\n\n/(/ x\n", ":4: at octet 3: " },
		{ TABLE_REGEX, "x y\n", ":1: write an expression as" },
		{ TABLE_REGEX, "/x y/\n", ":1: the expression does not end" },
		{ TABLE_REGEX, "/\n", ":1: " },
	};
	char why[TABLE_WHY];
	size_t i;

	for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		why[0] = '\0';
		ck_assert_ptr_null(table_of(v[i].text, v[i].kind, why));
		ck_assert_msg(strncmp(why, path, strlen(path)) == 0 &&
		    strstr(why, v[i].why) != NULL, "%s", why);
	}
	ck_assert_ptr_null(table_read("/nowhere/table", TABLE_EXACT, why));
	ck_assert_str_eq(why, "/nowhere/table: No such file or directory");
	ck_assert_ptr_null(table_read("/", TABLE_EXACT, why));
	ck_assert_str_eq(why, "/: is not a file");
}
END_TEST

START_TEST(is_empty_without_entries)
{
	static const struct ask v[] = { { "a", "" } };

	ASK("", TABLE_EXACT, v);
	ASK("# only\n", TABLE_DOMAIN, v);
	ASK("", TABLE_CIDR, v);
	ASK("", TABLE_REGEX, v);
}
END_TEST

UNIT_SUITE(lookup_file)
{
	tcase_add_test(tc, finds_keys_whatever_their_case);
	tcase_add_test(tc, keeps_the_order_of_several_values);
	tcase_add_test(tc, takes_the_nearest_domain);
	tcase_add_test(tc, takes_the_longest_prefix);
	tcase_add_test(tc, takes_the_first_expression);
	tcase_add_test(tc, gives_up_an_expression_that_takes_too_long);
	tcase_add_test(tc, refuses_what_cannot_be_a_table);
	tcase_add_test(tc, is_empty_without_entries);
}
