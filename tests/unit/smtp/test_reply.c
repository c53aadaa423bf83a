#include "smtp/reply.h"

#include <string.h>

#include "base/str.h"
#include "unit.h"

static const struct {
	struct err said;
	int code;
	const char *enh, *text, *line;
} replies[] = {
	{ { 0, "", "" }, 250, "2.1.0", "Ok", "250 2.1.0 Ok\r\n" },
	{ { 251, "", "" }, 250, "2.1.0", "Ok", "251 2.1.0 Ok\r\n" },
	{ { 0, "2.1.5", "Yes" }, 250, "2.1.0", "Ok", "250 2.1.5 Yes\r\n" },
	{ { 550, "", "No" }, 451, "4.3.0", "x", "550 5.0.0 No\r\n" },
	{ { 550, "4.1.1", "No" }, 451, "4.3.0", "x", "550 5.0.0 No\r\n" },
	{ { 550, "5.1", "No" }, 550, "5.1.1", "x", "550 5.1.1 No\r\n" },
	{ { 550, "5.1.1\r\n", "No" }, 550, "", "x", "550 5.0.0 No\r\n" },
	{ { 99, "", "No" }, 450, "4.1.1", "x", "450 4.1.1 No\r\n" },
	{ { 600, "", "No" }, 450, "4.1.1", "x", "450 4.1.1 No\r\n" },
	{ { 354, "", "Go" }, 354, "", "x", "354 Go\r\n" },
	{ { 0, "", "a\r\n250 b\x1b\xc3\xa4\x7f" }, 550, "5.1.1", "x",
	    "550 5.1.1 a??250 b????\r\n" },
};

START_TEST(writes_one_clean_line)
{
	char line[REPLY_MAX + 1];
	size_t n;

	n = reply_format(line, &replies[_i].said, replies[_i].code,
	    replies[_i].enh, replies[_i].text);
	ck_assert_str_eq(line, replies[_i].line);
	ck_assert_uint_eq(n, strlen(replies[_i].line));
}
END_TEST

START_TEST(writes_no_more_than_512_octets)
{
	char line[REPLY_MAX + 1];
	char text[600];
	struct err none = ERR_INIT;
	size_t n, len;

	for (len = 490; len < sizeof(text) - 1; len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		n = reply_format(line, &none, 250, "2.0.0", text);
		ck_assert_uint_eq(n, len + 12 < 512 ? len + 12 : 512);
		ck_assert_str_eq(line + n - 3, "x\r\n");
	}
}
END_TEST

UNIT_SUITE(reply)
{
	tcase_add_loop_test(tc, writes_one_clean_line, 0,
	    sizeof(replies) / sizeof(replies[0]));
	tcase_add_test(tc, writes_no_more_than_512_octets);
}
