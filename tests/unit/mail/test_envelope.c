#include <stdio.h>

#include "mail/envelope.h"
#include "unit.h"

START_TEST(numbers_recipients_from_zero_and_copies_them)
{
	struct envelope *e = envelope_new();
	struct pool *other = pool_new(0);
	char text[64];
	struct addr a;
	int i;

	for (i = 0; i < 1000; i++) {
		(void)snprintf(text, sizeof(text), "user%d@example.org", i);
		ck_assert_int_eq(addr_parse(other, str_c(text), 0, &a, NULL),
		    0);
		(void)envelope_add_rcpt(e, &a, i == 0 ? STR("rfc822;x@y") :
		    STR_NULL, NOTIFY_FAILURE);
	}
	pool_destroy(&other);
	ck_assert_uint_eq(e->nrcpt, 1000);
	ck_assert_uint_eq(envelope_pending(e), 1000);
	ck_assert_uint_eq(e->rcpt[999]->rid, 999);
	ck_assert_str_eq(e->rcpt[999]->addr.full.p, "user999@example.org");
	ck_assert(str_eq_c(e->rcpt[999]->addr.local, "user999"));
	ck_assert_str_eq(e->rcpt[999]->addr.domain.p, "example.org");
	ck_assert_str_eq(e->rcpt[0]->orcpt.p, "rfc822;x@y");
	ck_assert_uint_eq(e->rcpt[1]->orcpt.n, 0);
	e->rcpt[5]->state = RCPT_DONE;
	e->rcpt[6]->state = RCPT_BOUNCED;
	ck_assert_uint_eq(envelope_pending(e), 998);
	envelope_destroy(&e);
	ck_assert_ptr_null(e);
	envelope_destroy(&e);
}
END_TEST

START_TEST(a_recipient_may_have_no_domain)
{
	struct envelope *e = envelope_new();
	struct addr a;

	ck_assert_int_eq(addr_parse(e->pool, STR("postmaster"),
	    ADDR_POSTMASTER_OK, &a, NULL), 0);
	(void)envelope_add_rcpt(e, &a, STR_NULL, 0);
	ck_assert_str_eq(e->rcpt[0]->addr.full.p, "postmaster");
	ck_assert_uint_eq(e->rcpt[0]->addr.domain.n, 0);
	ck_assert_str_eq(e->rcpt[0]->addr.domain.p, "");
	envelope_destroy(&e);
}
END_TEST

UNIT_SUITE(envelope)
{
	tcase_add_test(tc, numbers_recipients_from_zero_and_copies_them);
	tcase_add_test(tc, a_recipient_may_have_no_domain);
}
