#include "talk.h"
#include "unit.h"

#define HELLO "S220 mx.test", "CEHLO me.test", "S250-mx.test"
#define SENT                                                                   \
	"S250 a", "S250 b", "CDATA", "S354 go", "Bhi\r\n.\r\n", "S250 taken",  \
	    "CQUIT", "S221 bye", NULL
#define BYE   "CQUIT", "S221 bye", NULL
#define READY "connected\nready\n"
#define TAKEN                                                                  \
	READY "rcpt 0 250 |b|while sending RCPT TO\n"                          \
	      "done 250 |taken|while sending end of data\n" END
#define END "closed nothing\n"

static const struct {
	struct talk_message message;
	const char *script[24];
	const char *told;
} talked[] = {
	/* all that is offered is used */
	{ { .from = "a@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_8BITMIME | ENV_SMTPUTF8 | ENV_RET_HDRS,
	      .envid = "a+b=c d",
	      .orcpt = "rfc822;b+c@z",
	      .notify = NOTIFY_SUCCESS | NOTIFY_DELAY },
	    { HELLO, "S250-SIZE 4", "S250-8BITMIME", "S250-DSN",
		"S250 SMTPUTF8",
		"CMAIL FROM:<a@x> SIZE=4 BODY=8BITMIME "
		"SMTPUTF8 RET=HDRS ENVID=a+2Bb+3Dc+20d",
		"S250 a",
		"CRCPT TO:<b@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@z",
		"S250 b", "CDATA", "S354 go", "Bhi\r\n.\r\n", "S250 taken",
		BYE },
	    TAKEN },
	/* and nothing that is not */
	{ { .from = "a@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_8BITMIME | ENV_SMTPUTF8 | ENV_RET_FULL,
	      .envid = "e",
	      .orcpt = "rfc822;b@z",
	      .notify = NOTIFY_NEVER },
	    { HELLO, "S250 HELP", "CMAIL FROM:<a@x>", "S250 a",
		"CRCPT TO:<b@y>", "S250 b", "CDATA", "S354 go", "Bhi\r\n.\r\n",
		"S250 taken", BYE },
	    TAKEN },
	/* SIZE at its limit was above; one octet more */
	{ { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n", .size = 5 },
	    { HELLO, "S250 SIZE 4", BYE },
	    READY "done DEMAND 5.3.4|message of 5 octets is larger than the "
		  "4 that the host takes|while sending MAIL FROM\n" END },
	{ { .from = "a@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_8BITMIME | ENV_8BIT_SEEN },
	    { HELLO, "S250 HELP", BYE },
	    READY "done DEMAND 5.6.3|the host does not offer 8BITMIME|"
		  "while sending MAIL FROM\n" END },
	/* nobody was promised anything */
	{ { .from = "a@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_8BIT_SEEN },
	    { HELLO, "S250 HELP", "CMAIL FROM:<a@x>", "S250 a",
		"CRCPT TO:<b@y>", "S250 b", "CDATA", "S354 go", "Bhi\r\n.\r\n",
		"S250 taken", BYE },
	    TAKEN },
	{ { .from = "a@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_SMTPUTF8 | ENV_UTF8_HEADER },
	    { HELLO, "S250 8BITMIME", BYE },
	    READY "done DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending MAIL FROM\n" END },
	{ { .from = "\xc3\xa4@x",
	      .to = { "b@y" },
	      .body = "hi\r\n",
	      .flags = ENV_SMTPUTF8 },
	    { HELLO, "S250 8BITMIME", BYE },
	    READY "done DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending MAIL FROM\n" END },
	/* only the domains need it: A-labels */
	{ { .from = "a@b\xc3\xbc"
		    "cher.test",
	      .to = { "b@b\xc3\xbc"
		      "cher.test" },
	      .body = "hi\r\n",
	      .flags = ENV_SMTPUTF8 },
	    { HELLO, "S250 HELP", "CMAIL FROM:<a@xn--bcher-kva.test>", "S250 a",
		"CRCPT TO:<b@xn--bcher-kva.test>", "S250 b", "CDATA", "S354 go",
		"Bhi\r\n.\r\n", "S250 taken", BYE },
	    TAKEN },
	/* U-labels where they are understood */
	{ { .from = "",
	      .to = { "\xc3\xa4@b\xc3\xbc"
		      "cher.test" },
	      .body = "hi\r\n",
	      .orcpt = "utf-8;\xc3\xa4+\\\xe2\x82\xac@z" },
	    { HELLO, "S250-DSN", "S250 SMTPUTF8", "CMAIL FROM:<> SMTPUTF8",
		"S250 a",
		"CRCPT TO:<\xc3\xa4@b\xc3\xbc"
		"cher.test> "
		"ORCPT=utf-8;\\x{E4}\\x{2B}\\x{5C}\\x{20AC}@z",
		"S250 b", "CDATA", "S354 go", "Bhi\r\n.\r\n", "S250 taken",
		BYE },
	    TAKEN },
	/* one recipient cannot be sent, others can */
	{ { .from = "a@x",
	      .to = { "\xc3\xa4@y", "b@y", "\xc3\xa4@z" },
	      .body = "hi\r\n",
	      .flags = ENV_SMTPUTF8 },
	    { HELLO, "S250 PIPELINING", "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>",
		"CDATA", "S250 a", "S250 b", "S354 go", "Bhi\r\n.\r\n",
		"S250 taken", BYE },
	    READY "rcpt 0 DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending RCPT TO\n"
		  "rcpt 1 250 |b|while sending RCPT TO\n"
		  "rcpt 2 DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending RCPT TO\n"
		  "done 250 |taken|while sending end of data\n" END },
	{ { .from = "a@x",
	      .to = { "\xc3\xa4@y", "b@y", "\xc3\xa4@z" },
	      .body = "hi\r\n",
	      .flags = ENV_SMTPUTF8 },
	    { HELLO, "S250 HELP", "CMAIL FROM:<a@x>", "S250 a",
		"CRCPT TO:<b@y>", "S550 b", BYE },
	    READY "rcpt 0 DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending RCPT TO\n"
		  "rcpt 1 550 |b|while sending RCPT TO\n"
		  "rcpt 2 DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending RCPT TO\n"
		  "done nothing\n" END },
	{ { .from = "a@x", .to = { "\xc3\xa4@y" }, .body = "hi\r\n" },
	    { HELLO, "S250 PIPELINING", BYE },
	    READY "rcpt 0 DEMAND 5.6.7|the host does not offer SMTPUTF8|"
		  "while sending RCPT TO\n"
		  "done nothing\n" END },
	/* what would be two lines is never said */
	{ { .from = "a@x\r\nRCPT TO:<c@z>", .to = { "b@y" }, .body = "hi\r\n" },
	    { HELLO, "S250 PIPELINING", BYE },
	    READY "done DEMAND 5.1.7|address has control characters|"
		  "while sending MAIL FROM\n" END },
	{ { .from = "a@x", .to = { "b\r\nDATA\r\n@y" }, .body = "hi\r\n" },
	    { HELLO, "S250 PIPELINING", BYE },
	    READY "rcpt 0 DEMAND 5.1.3|address has control characters|"
		  "while sending RCPT TO\n"
		  "done nothing\n" END },
};

START_TEST(demands_and_offers_as_written)
{
	struct talk t;

	talk_init(&t);
	t.script = talked[_i].script;
	t.message = &talked[_i].message;
	t.messages = 1;
	talk_check(&t, talked[_i].told);
}
END_TEST

UNIT_SUITE(smtpc_envelope)
{
	tcase_add_loop_test(tc, demands_and_offers_as_written, 0,
	    sizeof(talked) / sizeof(talked[0]));
}
