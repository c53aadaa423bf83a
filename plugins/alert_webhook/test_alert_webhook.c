#include <stddef.h>
#include <stdlib.h>
#include <string.h>

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

START_TEST(an_episode_is_an_object_in_it)
{
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = "Warning", .category = "System", .key = "k",
		.host = "h", .text = "t", .detail = "", .state = "opened",
		.domain = "b.test", .cause = "reset", .reason = "it was reset",
		.mx = "mx.b.test", .ip = "192.0.2.1", .episode = 7,
		.attempts = 4, .held = 3, .first = 10, .last = 20,
		.oldest = 5, .deadline = 30 };
	char *j = hook_json(&r, 0);

	ck_assert_ptr_nonnull(strstr(j, "\"gathered\":0,\"episode\":{"
	    "\"number\":7,\"state\":\"opened\",\"domain\":\"b.test\","
	    "\"cause\":\"reset\",\"reason\":\"it was reset\","
	    "\"mx\":\"mx.b.test\",\"ip\":\"192.0.2.1\",\"attempts\":4,"
	    "\"held\":3,\"delivered\":0,\"bounced\":0,\"first_ms\":10,"
	    "\"last_ms\":20,\"resolved_ms\":0,\"oldest_ms\":5,"
	    "\"deadline_ms\":30}}"));
	free(j);
	/* A host that knows of no episodes. */
	r.size = offsetof(struct pst_alert_record, state);
	j = hook_json(&r, 0);
	ck_assert_ptr_null(strstr(j, "episode"));
	free(j);
}
END_TEST

UNIT_SUITE(alert_webhook)
{
	tcase_add_test(tc, signs_as_the_rfc_does);
	tcase_add_test(tc, writes_an_object_of_all_it_knows);
	tcase_add_test(tc, an_episode_is_an_object_in_it);
}
