#include "relay/verdict.h"

#include "tests/unit/unit.h"

static const struct {
	enum smtpc_fail fail;
	int code;
	const char *enh;
	enum smtpc_step step;
	unsigned accepted;
	enum qresult result;
	const char *status;
	bool host;
} answers[] = {
	{ SMTPC_FAIL_NONE, 250, "", SMTPC_AT_DOT, 1, QRESULT_DONE, "2.0.0",
	    false },
	{ SMTPC_FAIL_NONE, 250, "2.1.5", SMTPC_AT_RCPT, 0, QRESULT_DONE,
	    "2.1.5", false },
	{ SMTPC_FAIL_NONE, 550, "5.1.1", SMTPC_AT_RCPT, 0, QRESULT_BOUNCE,
	    "5.1.1", false },
	{ SMTPC_FAIL_NONE, 550, "", SMTPC_AT_RCPT, 0, QRESULT_BOUNCE, "5.0.0",
	    false },
	{ SMTPC_FAIL_NONE, 451, "4.7.1", SMTPC_AT_RCPT, 0, QRESULT_RETRY,
	    "4.7.1", false },
	{ SMTPC_FAIL_NONE, 554, "5.7.1", SMTPC_AT_DOT, 1, QRESULT_BOUNCE,
	    "5.7.1", false },
	{ SMTPC_FAIL_NONE, 452, "4.5.3", SMTPC_AT_RCPT, 5, QRESULT_AGAIN,
	    "4.5.3", false },
	{ SMTPC_FAIL_NONE, 452, "4.5.3", SMTPC_AT_RCPT, 0, QRESULT_RETRY,
	    "4.5.3", false },
	{ SMTPC_FAIL_NONE, 552, "", SMTPC_AT_RCPT, 0, QRESULT_RETRY, "4.5.3",
	    false },
	{ SMTPC_FAIL_NONE, 552, "5.2.2", SMTPC_AT_RCPT, 0, QRESULT_BOUNCE,
	    "5.2.2", false },
	{ SMTPC_FAIL_NONE, 552, "5.3.4", SMTPC_AT_DOT, 1, QRESULT_BOUNCE,
	    "5.3.4", false },
	/* before MAIL the peer speaks of itself, whatever the class */
	{ SMTPC_FAIL_NONE, 554, "", SMTPC_AT_BANNER, 0, QRESULT_RETRY, "4.4.0",
	    true },
	{ SMTPC_FAIL_NONE, 550, "5.7.1", SMTPC_AT_EHLO, 0, QRESULT_RETRY,
	    "4.4.0", true },
	{ SMTPC_FAIL_NONE, 421, "4.3.2", SMTPC_AT_MAIL, 0, QRESULT_RETRY,
	    "4.3.2", true },
	{ SMTPC_FAIL_TLS_REFUSED, 554, "5.7.0", SMTPC_AT_STARTTLS, 0,
	    QRESULT_RETRY, "4.7.4", true },
	{ SMTPC_FAIL_TLS, 0, "", SMTPC_AT_HANDSHAKE, 0, QRESULT_RETRY, "4.7.5",
	    true },
	{ SMTPC_FAIL_AUTH, 535, "5.7.8", SMTPC_AT_AUTH, 0, QRESULT_RETRY,
	    "4.7.8", true },
	{ SMTPC_FAIL_NETWORK, 0, "", SMTPC_AT_CONNECT, 0, QRESULT_RETRY,
	    "4.4.1", true },
	{ SMTPC_FAIL_LOST, 0, "", SMTPC_AT_DOT, 1, QRESULT_RETRY, "4.4.2",
	    true },
	{ SMTPC_FAIL_TIMEOUT, 0, "", SMTPC_AT_DATA, 1, QRESULT_RETRY, "4.4.2",
	    true },
	{ SMTPC_FAIL_PROTOCOL, 0, "", SMTPC_AT_RCPT, 0, QRESULT_RETRY, "4.5.0",
	    true },
	{ SMTPC_FAIL_DEMAND, 0, "5.6.7", SMTPC_AT_MAIL, 0, QRESULT_BOUNCE,
	    "5.6.7", false },
};

START_TEST(classifies_an_answer)
{
	struct smtpc_reply r;
	struct verdict v;

	memset(&r, 0, sizeof(r));
	r.fail = answers[_i].fail;
	r.code = answers[_i].code;
	(void)str_copy(r.enh, sizeof(r.enh), str_c(answers[_i].enh));
	r.step = answers[_i].step;
	verdict_of_reply(&r, answers[_i].accepted, &v);
	ck_assert_int_eq(v.result, answers[_i].result);
	ck_assert_str_eq(v.status, answers[_i].status);
	ck_assert_int_eq(v.host, answers[_i].host);
	ck_assert_int_eq(v.code, answers[_i].code);
}
END_TEST

static const struct {
	enum mx_status status;
	enum qresult result;
	const char *enh;
} lookups[] = {
	{ MX_OK, QRESULT_RETRY, "4.4.3" },
	{ MX_FAIL, QRESULT_RETRY, "4.4.3" },
	{ MX_NULL, QRESULT_BOUNCE, "5.1.10" },
	{ MX_NXDOMAIN, QRESULT_BOUNCE, "5.1.2" },
	{ MX_NOHOST, QRESULT_BOUNCE, "5.1.2" },
};

START_TEST(classifies_a_lookup)
{
	struct mx_result mx = { .status = lookups[_i].status };
	struct verdict v;

	verdict_of_mx(&mx, &v);
	ck_assert_int_eq(v.result, lookups[_i].result);
	ck_assert_str_eq(v.status, lookups[_i].enh);
}
END_TEST

#define N(a) (int)(sizeof(a) / sizeof((a)[0]))

UNIT_SUITE(verdict)
{
	tcase_add_loop_test(tc, classifies_an_answer, 0, N(answers));
	tcase_add_loop_test(tc, classifies_a_lookup, 0, N(lookups));
}
