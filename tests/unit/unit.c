#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_SECONDS = 120 };	/* RSA keys under a sanitizer take long */

static struct unit_suite *suites;

/* By name, so that the order does not hang on the linker. */
void
unit_add(struct unit_suite *s)
{
	struct unit_suite **where = &suites;

	while (*where != NULL && strcmp((*where)->name, s->name) < 0)
		where = &(*where)->next;
	s->next = *where;
	*where = s;
}

static Suite *
make_suite(const struct unit_suite *u)
{
	Suite *s = suite_create(u->name);
	TCase *tc = tcase_create(u->name);

	tcase_set_timeout(tc, TIMEOUT_SECONDS);
	u->fill(tc);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	const struct unit_suite *u;
	SRunner *sr;
	int failed;

	if (suites == NULL) {
		(void)puts("1..0 # SKIP no tests");
		return EXIT_SUCCESS;
	}
	sr = srunner_create(NULL);
	for (u = suites; u != NULL; u = u->next)
		srunner_add_suite(sr, make_suite(u));
	srunner_set_tap(sr, "-");
	srunner_run_all(sr, CK_SILENT);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
