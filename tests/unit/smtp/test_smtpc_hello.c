#include "smtp/smtpc_priv.h"
#include "talk.h"
#include "unit.h"

#define END "closed nothing\n"

static const struct {
	const char *script[10];
	const char *told;
} talked[] = {
	{ { "S220-mx.test", "S220 ESMTP", "CEHLO me.test", "S250 mx.test",
	      "CQUIT", "S221 bye", NULL },
	    "connected\nready\n" END },
	{ { "S220 mx.test", "CEHLO me.test", "S250 mx.test", "CQUIT", "X",
	      NULL },
	    "connected\nready\n" END },
	{ { "S220 mx.test", "CEHLO me.test", "S502 5.5.1 what?",
	      "CHELO me.test", "S250 mx.test", "CQUIT", "S221 bye", NULL },
	    "connected\nready\n" END },
	{ { "S554 5.3.2 no mail here", "CQUIT", NULL },
	    "connected\nclosed 554 5.3.2|5.3.2 no mail here|"
	    "while waiting for the greeting\n" },
	{ { "S421 too busy", NULL }, "connected\nclosed 421 |too busy|"
				     "while waiting for the greeting\n" },
	{ { "S220 mx.test", "CEHLO me.test", "S451 later", "CQUIT", NULL },
	    "connected\nclosed 451 |later|while sending EHLO\n" },
	{ { "S220 mx.test", "CEHLO me.test", "S502 what?", "CHELO me.test",
	      "S550 go away", "CQUIT", NULL },
	    "connected\nclosed 550 |go away|while sending HELO\n" },
	{ { "S354 mx.test", NULL },
	    "connected\nclosed PROTOCOL 4.5.0|protocol error: unexpected 3yz "
	    "reply|while waiting for the greeting\n" },
	{ { "SHTTP/1.1 400 Bad Request", NULL },
	    "connected\nclosed PROTOCOL 4.5.0|protocol error: a reply does "
	    "not begin with a code|while waiting for the greeting\n" },
	{ { "X", NULL }, "connected\nclosed LOST 4.4.2|connection lost|"
			 "while waiting for the greeting\n" },
	{ { "R220 mx.test\r\n250 mx.test\r\n", NULL },
	    "connected\nclosed PROTOCOL 4.5.0|protocol error: reply to "
	    "nothing|while waiting for the greeting\n" },
	{ { "S220 mx.test", "CEHLO me.test", "R250 mx.test\r\n250 x\r\n",
	      NULL },
	    "connected\nclosed PROTOCOL 4.5.0|protocol error: reply to "
	    "nothing|while sending EHLO\n" },
};

START_TEST(greets_as_written)
{
	struct talk t;

	talk_init(&t);
	t.script = talked[_i].script;
	talk_check(&t, talked[_i].told);
}
END_TEST

START_TEST(learns_what_is_offered)
{
	struct smtpc_caps caps = { 0 };

	smtpc_caps_parse(
	    &caps, STR("mx.test PIPELINING\npipelining\n"
		       "SIZE 1000\n8bitmime \nSMTPUTF8\nSTARTTLS\nDSN\n"
		       "AUTH CRAM-MD5 login\nX-NEW thing\n\n"));
	ck_assert(caps.esmtp && caps.pipelining && caps.eightbit);
	ck_assert(caps.smtputf8 && caps.starttls && caps.dsn);
	ck_assert(caps.auth_login && !caps.auth_plain);
	ck_assert(caps.size);
	ck_assert_uint_eq(caps.size_max, 1000);
}
END_TEST

static const struct {
	const char *text;
	bool size;
	uint64_t max;
} sizes[] = {
	{ "mx\nSIZE", true, 0 },
	{ "mx\nSIZE 0", true, 0 },
	{ "mx\nSIZE 18446744073709551615", true, UINT64_MAX },
	{ "mx\nSIZE 18446744073709551616", true, 0 },
	{ "mx\nSIZE -1", true, 0 },
	{ "mx\nSIZE=5", false, 0 },
	{ "SIZE 5", false, 0 },
	{ "", false, 0 },
};

START_TEST(reads_sizes)
{
	struct smtpc_caps caps = { .size_max = 7 };

	smtpc_caps_parse(&caps, str_c(sizes[_i].text));
	ck_assert_int_eq(caps.size, sizes[_i].size);
	ck_assert_uint_eq(caps.size_max, sizes[_i].max);
}
END_TEST

UNIT_SUITE(smtpc_hello)
{
	tcase_add_loop_test(
	    tc, greets_as_written, 0, sizeof(talked) / sizeof(talked[0]));
	tcase_add_test(tc, learns_what_is_offered);
	tcase_add_loop_test(
	    tc, reads_sizes, 0, sizeof(sizes) / sizeof(sizes[0]));
}
