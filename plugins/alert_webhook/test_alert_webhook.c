#include <stdlib.h>

#include "hook.h"
#include "unit.h"

/* RFC 4231, test case 2. */
START_TEST(signs_as_the_rfc_does)
{
	char s[HOOK_SIGNATURE];

	hook_sign(s, "Jefe", "what do ya want for nothing?");
	ck_assert_str_eq(s, "sha256=5bdcc146bf60754e6a042426089575c75a003f089d"
	    "2739839dec58b964ec3843");
}
END_TEST

START_TEST(writes_an_object_of_all_it_knows)
{
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = "Warning", .category = "System", .key = "k\"",
		.host = "h", .text = "t", .detail = "a\nb", .wall = 5 };
	char *j = hook_json(&r, 2);

	ck_assert_str_eq(j, "{\"severity\":\"Warning\",\"class\":\"System\","
	    "\"key\":\"k\\\"\",\"host\":\"h\",\"text\":\"t\","
	    "\"detail\":\"a\\nb\",\"time_ms\":5,\"gathered\":2}");
	free(j);
}
END_TEST

UNIT_SUITE(alert_webhook)
{
	tcase_add_test(tc, signs_as_the_rfc_does);
	tcase_add_test(tc, writes_an_object_of_all_it_knows);
}
