#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "unit.h"

START_TEST(says_what_went_wrong_and_returns_minus_one)
{
	struct err e = ERR_INIT;

	ck_assert_int_eq(err_set(&e, 550, "5.1.1", "no %s", "user"), -1);
	ck_assert_int_eq(e.code, 550);
	ck_assert_str_eq(e.enh, "5.1.1");
	ck_assert_str_eq(e.text, "no user");
	ck_assert_int_eq(err_prefix(&e, "%s:%d: ", "f", 3), -1);
	ck_assert_str_eq(e.text, "f:3: no user");
	ck_assert_int_eq(e.code, 550);
	ck_assert_int_eq(err_text(&e, "plain"), -1);
	ck_assert_int_eq(e.code, 0);
	ck_assert_str_eq(e.enh, "");
	errno = ENOSPC;
	ck_assert_int_eq(err_errno(&e, "/spool"), -1);
	ck_assert_str_eq(e.text, "/spool: No space left on device");
	ck_assert_int_eq(e.code, 451);
	ck_assert_int_eq(errno, ENOSPC);
	err_clear(&e);
	ck_assert_str_eq(e.text, "");
	ck_assert_int_eq(err_set(NULL, 1, "", "x"), -1);
	ck_assert_int_eq(err_errno(NULL, "x"), -1);
}
END_TEST

START_TEST(is_one_printable_line_and_cut_where_it_must)
{
	char big[4000];
	struct err e = ERR_INIT;
	size_t i;

	(void)err_set(&e, 0, "", "a\r\nb\tc\x1b[m\xff");
	ck_assert_str_eq(e.text, "a??b?c?[m?");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (i = 0; i < 3; i++)
		(void)err_prefix(&e, "%s", big);
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

UNIT_SUITE(err)
{
	tcase_add_test(tc, says_what_went_wrong_and_returns_minus_one);
	tcase_add_test(tc, is_one_printable_line_and_cut_where_it_must);
}
