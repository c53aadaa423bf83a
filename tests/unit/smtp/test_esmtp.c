#include "smtp/esmtp.h"

#include <string.h>

#include "mail/envelope.h"
#include "unit.h"

#define ALL (ESMTP_DSN | ESMTP_SMTPUTF8)
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const struct {
	const char *text;
	unsigned offers;
	int code; /* 0: good */
	uint64_t size;
	unsigned flags;
	const char *envid;
} mails[] = {
	{ "", ALL, 0, 0, 0, "" },
	{ " SIZE=0", 0, 0, 0, 0, "" },
	{ "SIZE=18446744073709551615", 0, 0, UINT64_MAX, 0, "" },
	{ "SIZE=18446744073709551616", 0, 0, UINT64_MAX, 0, "" },
	{ "SIZE=000000000000000000001", 0, 501, 0, 0, "" },
	{ "SIZE", 0, 501, 0, 0, "" },
	{ "SIZE=", 0, 501, 0, 0, "" },
	{ "SIZE=-1", 0, 501, 0, 0, "" },
	{ "SIZE=1k", 0, 501, 0, 0, "" },
	{ "SIZE=1 SIZE=1", 0, 501, 0, 0, "" },
	{ "BODY=7BIT", 0, 0, 0, 0, "" },
	{ "body=8BitMime", 0, 0, 0, ENV_8BITMIME, "" },
	{ "BODY=BINARYMIME", 0, 501, 0, 0, "" },
	{ "BODY", 0, 501, 0, 0, "" },
	{ "SMTPUTF8", ALL, 0, 0, ENV_SMTPUTF8, "" },
	{ "SMTPUTF8=1", ALL, 501, 0, 0, "" },
	{ "SMTPUTF8", ESMTP_DSN, 555, 0, 0, "" },
	{ "requiretls", ALL | ESMTP_REQUIRETLS, 0, 0, ENV_REQUIRETLS, "" },
	{ "REQUIRETLS=1", ESMTP_REQUIRETLS, 501, 0, 0, "" },
	{ "REQUIRETLS", ALL, 555, 0, 0, "" },
	{ "RET=FULL", ALL, 0, 0, ENV_RET_FULL, "" },
	{ "RET=HDRS", ALL, 0, 0, ENV_RET_HDRS, "" },
	{ "RET=NONE", ALL, 501, 0, 0, "" },
	{ "RET=FULL RET=HDRS", ALL, 501, 0, 0, "" },
	{ "RET=FULL", ESMTP_SMTPUTF8, 555, 0, 0, "" },
	{ "ENVID=QQ+3D314", ALL, 0, 0, 0, "QQ=314" },
	{ "ENVID=" X100, ALL, 0, 0, 0, X100 },
	{ "ENVID=" X100 "x", ALL, 501, 0, 0, "" },
	{ "ENVID=a+0Ab", ALL, 501, 0, 0, "" },
	{ "ENVID=a+0d", ALL, 501, 0, 0, "" },
	{ "ENVID=a+", ALL, 501, 0, 0, "" },
	{ "ENVID=a+7F", ALL, 501, 0, 0, "" },
	{ "ENVID=a+C3+A4", ALL, 501, 0, 0, "" },
	{ "ENVID=a\xc3\xa4", ALL, 501, 0, 0, "" },
	{ "ENVID=", ALL, 501, 0, 0, "" },
	{ "AUTH=<>", 0, 0, 0, 0, "" },
	{ "AUTH=a+40b", 0, 0, 0, 0, "" },
	{ "AUTH=a+0Ab", 0, 501, 0, 0, "" },
	{ "AUTH=", 0, 501, 0, 0, "" },
	{ "FOO=BAR", ALL, 555, 0, 0, "" },
	{ "=x", ALL, 501, 0, 0, "" },
	{ "-A=x", ALL, 501, 0, 0, "" },
	{ "A\tB=x", ALL, 501, 0, 0, "" },
	{ "SIZE=1\tBODY=7BIT", ALL, 501, 0, 0, "" },
	{ "  SIZE=7   BODY=8BITMIME ", ALL, 0, 7, ENV_8BITMIME, "" },
};

START_TEST(reads_the_parameters_of_mail)
{
	struct pool *pool = pool_new(0);
	struct esmtp_mail m = { 0, 0, STR_NULL };
	struct err why = ERR_INIT;
	int rv;

	rv = esmtp_mail(pool, str_c(mails[_i].text), mails[_i].offers, &m,
	    &why);
	ck_assert_msg(why.code == mails[_i].code, "%s: %d %s", mails[_i].text,
	    why.code, why.text);
	ck_assert_int_eq(rv, mails[_i].code == 0 ? 0 : -1);
	ck_assert_uint_eq(m.size, mails[_i].size);
	ck_assert_uint_eq(m.flags, mails[_i].flags);
	ck_assert(str_eq_c(m.envid, mails[_i].envid));
	pool_destroy(&pool);
}
END_TEST

static const struct {
	const char *text;
	unsigned offers;
	int code;
	unsigned notify;
	const char *orcpt;
} rcpts[] = {
	{ "", ALL, 0, 0, "" },
	{ "NOTIFY=NEVER", ALL, 0, NOTIFY_NEVER, "" },
	{ "notify=success,Failure,DELAY", ALL, 0,
	    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "" },
	{ "NOTIFY=NEVER,SUCCESS", ALL, 501, 0, "" },
	{ "NOTIFY=SUCCESS,", ALL, 501, 0, "" },
	{ "NOTIFY=,SUCCESS", ALL, 501, 0, "" },
	{ "NOTIFY=SOMETIMES", ALL, 501, 0, "" },
	{ "NOTIFY", ALL, 501, 0, "" },
	{ "NOTIFY=NEVER", 0, 555, 0, "" },
	{ "ORCPT=rfc822;a+2Bb@c.d", ALL, 0, 0, "rfc822;a+b@c.d" },
	{ "ORCPT=rfc822;a+0A@b", ALL, 501, 0, "" },
	{ "ORCPT=rfc822;a+C3+A4@b", ALL, 501, 0, "" },
	{ "ORCPT=rfc822;", ALL, 501, 0, "" },
	{ "ORCPT=rfc822", ALL, 501, 0, "" },
	{ "ORCPT=;a@b", ALL, 501, 0, "" },
	{ "ORCPT=r+c;a@b", ALL, 501, 0, "" },
	{ "ORCPT=utf-8;\xc3\xa4\\x{20}@b", ALL, 0, 0,
	    "utf-8;\xc3\xa4\\x{20}@b" },
	{ "ORCPT=utf-8;\xc3\xa4@b", ESMTP_DSN, 501, 0, "" },
	{ "ORCPT=utf-8;\xc3@b", ALL, 501, 0, "" },
	{ "ORCPT=x;" X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
	    "12345678", ALL, 0, 0, "x;" X100 X100 X100 X100 X10 X10 X10 X10
	    X10 X10 X10 X10 X10 "12345678" },
	{ "ORCPT=x;" X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
	    "123456789", ALL, 501, 0, "" },
	{ "SIZE=1", ALL, 555, 0, "" },
};

START_TEST(reads_the_parameters_of_rcpt)
{
	struct pool *pool = pool_new(0);
	struct esmtp_rcpt r = { 0, STR_NULL };
	struct err why = ERR_INIT;

	(void)esmtp_rcpt(pool, str_c(rcpts[_i].text), rcpts[_i].offers, &r,
	    &why);
	ck_assert_msg(why.code == rcpts[_i].code, "%s: %d %s", rcpts[_i].text,
	    why.code, why.text);
	ck_assert_uint_eq(r.notify, rcpts[_i].notify);
	ck_assert(str_eq_c(r.orcpt, rcpts[_i].orcpt));
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(esmtp)
{
	tcase_add_loop_test(tc, reads_the_parameters_of_mail, 0,
	    sizeof(mails) / sizeof(mails[0]));
	tcase_add_loop_test(tc, reads_the_parameters_of_rcpt, 0,
	    sizeof(rcpts) / sizeof(rcpts[0]));
}
