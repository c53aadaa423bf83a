#include "smtp/cmdline.h"

#include <string.h>

#include "unit.h"

static const struct {
	const char *in;
	size_t n, limit;
	const char *events; /* L line, S end of a spoiled line, B N X spoiled */
} scans[] = {
#define IN(s) (s), sizeof(s) - 1
	{ IN("NOOP\r\n"), 512, "L" },
	{ IN("\r\n\r\n"), 512, "LL" },
	{ IN("NOOP"), 512, "" },
	{ IN("NOOP\r"), 512, "" },
	{ IN("a\nb\r\nc\r\n"), 512, "BSL" },
	{ IN("a\rb\r\nc\r\n"), 512, "BSL" },
	{ IN("a\r\r\nc\r\n"), 512, "BSL" },
	{ IN("\n\r\nc\r\n"), 512, "BSL" },
	{ IN("a\0b\n\rc\r\nc\r\n"), 512, "NSL" },
	{ IN("a\r\0\r\nc\r\n"), 512, "BSL" },
	{ IN("12345\r\n12345\r\n"), 7, "LL" },
	{ IN("123456\r\n12345\r\n"), 7, "XL" },
	{ IN("1234567\r\n12345\r\n"), 7, "XSL" },
	{ IN("12345678901\n\r\n12345\r\n"), 7, "XSL" },
};

static char
letter(enum cmdline_status st)
{
	switch (st) {
	case CMDLINE_LINE:
		return 'L';
	case CMDLINE_SKIPPED:
		return 'S';
	case CMDLINE_BARE:
		return 'B';
	case CMDLINE_NUL:
		return 'N';
	case CMDLINE_LONG:
		return 'X';
	case CMDLINE_MORE:
		break;
	}
	ck_abort_msg("no event");
	return '\0';
}

/* What is not used stays in front of what comes next, as in a stream. */
static void
feed(struct cmdline *c, size_t limit, const char *in, size_t *from, size_t to,
    char *events)
{
	enum cmdline_status st;
	size_t used;

	for (;;) {
		st = cmdline_scan(c, in + *from, to - *from, limit, &used);
		ck_assert_uint_le(used, to - *from);
		*from += used;
		if (st == CMDLINE_MORE)
			return;
		events[strlen(events)] = letter(st);
	}
}

START_TEST(finds_the_same_lines_for_any_cut)
{
	size_t cut;

	for (cut = 0; cut <= scans[_i].n; cut++) {
		struct cmdline c = { 0, false, false };
		char events[32] = "";
		size_t from = 0;

		feed(&c, scans[_i].limit, scans[_i].in, &from, cut, events);
		feed(&c, scans[_i].limit, scans[_i].in, &from, scans[_i].n,
		    events);
		ck_assert_str_eq(events, scans[_i].events);
	}
}
END_TEST

START_TEST(finds_the_same_lines_octet_by_octet)
{
	struct cmdline c = { 0, false, false };
	char events[32] = "";
	size_t i, from = 0;

	for (i = 0; i <= scans[_i].n; i++)
		feed(&c, scans[_i].limit, scans[_i].in, &from, i, events);
	ck_assert_str_eq(events, scans[_i].events);
}
END_TEST

START_TEST(cuts_a_line_into_verb_and_argument)
{
	static const struct {
		const char *line, *verb, *arg;
	} lines[] = {
		{ "NOOP", "NOOP", "" },
		{ "", "", "" },
		{ " NOOP", "", "NOOP" },
		{ "MAIL  FROM:<a@b> ", "MAIL", "FROM:<a@b>" },
		{ "EHLO\ta\t", "EHLO", "a" },
	};
	struct str verb, arg;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		cmdline_split(str_c(lines[i].line), &verb, &arg);
		ck_assert(str_eq_c(verb, lines[i].verb));
		ck_assert(str_eq_c(arg, lines[i].arg));
	}
}
END_TEST

START_TEST(allows_longer_lines_where_parameters_go)
{
	ck_assert_uint_eq(cmdline_limit("mai", 3), 512);
	ck_assert_uint_eq(cmdline_limit("mail x", 6), 2048);
	ck_assert_uint_eq(cmdline_limit("RCPT", 4), 2048);
	ck_assert_uint_eq(cmdline_limit("Auth", 4), 12288);
	ck_assert_uint_eq(cmdline_limit("NOOP", 4), 512);
}
END_TEST

UNIT_SUITE(cmdline)
{
	tcase_add_loop_test(tc, finds_the_same_lines_for_any_cut, 0,
	    sizeof(scans) / sizeof(scans[0]));
	tcase_add_loop_test(tc, finds_the_same_lines_octet_by_octet, 0,
	    sizeof(scans) / sizeof(scans[0]));
	tcase_add_test(tc, cuts_a_line_into_verb_and_argument);
	tcase_add_test(tc, allows_longer_lines_where_parameters_go);
}
