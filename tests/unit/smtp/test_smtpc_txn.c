#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "talk.h"
#include "unit.h"

#define HELLO "S220 mx.test", "CEHLO me.test", "S250-mx.test"
#define PIPE  HELLO, "S250 PIPELINING"
#define BYE   "CQUIT", "S221 2.0.0 bye", NULL
#define READY "connected\nready\n"
#define END   "closed nothing\n"

struct talked {
	const char *name;
	struct talk_message message[2];
	const char *script[40];
	const char *told;
	bool uncut; /* means something else when it comes in pieces */
};

static const struct talked talked[] = {
	{ .name = "pipelines all up to DATA",
	    .message = { { .from = "a@x",
		.to = { "b@y", "c@y" },
		.body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>",
		"CRCPT TO:<c@y>", "CDATA", "S250 2.1.0 ok", "S250 2.1.5 b",
		"S550 5.1.1 c", "S354 go", "Bhi\r\n.\r\n", "S250 2.0.0 taken",
		BYE },
	    .told = READY
	    "rcpt 0 250 2.1.5|2.1.5 b|while sending RCPT TO\n"
	    "rcpt 1 550 5.1.1|5.1.1 c|while sending RCPT TO\n"
	    "done 250 2.0.0|2.0.0 taken|while sending end of data\n" END },
	{ .name = "goes step by step without PIPELINING",
	    .message = { { .from = "",
		.to = { "b@y", "c@y" },
		.body = "hi\r\n" } },
	    .script = { HELLO, "S250 HELP", "CMAIL FROM:<>", "S250 ok",
		"CRCPT TO:<b@y>", "S450 later", "CRCPT TO:<c@y>", "S250 c",
		"CDATA", "S354 go", "Bhi\r\n.\r\n", "S250 taken", BYE },
	    .told = READY "rcpt 0 450 |later|while sending RCPT TO\n"
			  "rcpt 1 250 |c|while sending RCPT TO\n"
			  "done 250 |taken|while sending end of data\n" END },
	{ .name = "gives a lone dot when nobody was accepted",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 ok", "S550 no", "S354 go", "B.\r\n", "S250 thanks", BYE },
	    .told = READY
	    "rcpt 0 550 |no|while sending RCPT TO\ndone nothing\n" END },
	{ .name = "sends RSET between when nobody was accepted",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" },
		{ .from = "c@x", .to = { "d@y" }, .body = "ho\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 ok", "S550 no", "S503 no recipients", "CRSET",
		"CMAIL FROM:<c@x>", "CRCPT TO:<d@y>", "CDATA", "S250 reset",
		"S250 ok", "S250 ok", "S354 go", "Bho\r\n.\r\n", "S250 taken",
		BYE },
	    .told = READY "rcpt 0 550 |no|while sending RCPT TO\ndone nothing\n"
			  "rcpt 0 250 |ok|while sending RCPT TO\n"
			  "done 250 |taken|while sending end of data\n" END },
	{ .name = "sends no DATA to nobody without PIPELINING",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" },
		{ .from = "c@x", .to = { "d@y" }, .body = "ho\r\n" } },
	    .script = { HELLO, "S250 HELP", "CMAIL FROM:<a@x>", "S250 ok",
		"CRCPT TO:<b@y>", "S550 no", "CRSET", "S250 ok",
		"CMAIL FROM:<c@x>", "S451 not now", BYE },
	    .told = READY "rcpt 0 550 |no|while sending RCPT TO\ndone nothing\n"
			  "done 451 |not now|while sending MAIL FROM\n" END },
	{ .name = "says nothing of recipients after a refused MAIL",
	    .message = { { .from = "a@x",
		.to = { "b@y", "c@y" },
		.body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>",
		"CRCPT TO:<c@y>", "CDATA", "S550 5.7.1 not you", "S503 b",
		"S503 c", "S503 d", BYE },
	    .told = READY
	    "done 550 5.7.1|5.7.1 not you|while sending MAIL FROM\n" END },
	{ .name = "ends a refused MAIL with a dot if it must",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S451 no", "S250 b", "S354 go", "B.\r\n", "S554 no", BYE },
	    .told = READY "done 451 |no|while sending MAIL FROM\n" END },
	{ .name = "tells that DATA was refused",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S451 4.3.0 full", BYE },
	    .told =
		READY "rcpt 0 250 |b|while sending RCPT TO\n"
		      "done 451 4.3.0|4.3.0 full|while sending DATA\n" END },
	{ .name = "tells that the message was refused",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Bhi\r\n.\r\n", "S554-5.6.0 bad",
		"S554 5.6.0 news", BYE },
	    .told = READY "rcpt 0 250 |b|while sending RCPT TO\n"
			  "done 554 5.6.0|5.6.0 bad\n5.6.0 news|while sending "
			  "end of data\n" END },
	{ .name = "stuffs dots and completes the last line",
	    .message = { { .from = "a@x",
		.to = { "b@y" },
		.header = "H: 1\r\n",
		.body = "\r\n.\r\n..a\r\n.b" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go",
		"BH: 1\r\n\r\n..\r\n...a\r\n..b\r\n.\r\n", "S250 taken", BYE },
	    .told = READY "rcpt 0 250 |b|while sending RCPT TO\n"
			  "done 250 |taken|while sending end of data\n" END },
	{ .name = "waits for a source that is late",
	    .message = { { .from = "a@x",
		.to = { "b@y" },
		.body = "abc\r\n.d\r\n",
		.piece = 3,
		.late = true } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Babc\r\n..d\r\n.\r\n",
		"S250 taken", BYE },
	    .told = READY "rcpt 0 250 |b|while sending RCPT TO\n"
			  "done 250 |taken|while sending end of data\n" END },
	{ .name = "closes without a dot when the source fails",
	    .message = { { .from = "a@x",
		.to = { "b@y" },
		.body = "abc\r\ndef\r\n",
		.piece = 5,
		.broken = true } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Babc\r\n", NULL },
	    .told = READY "rcpt 0 250 |b|while sending RCPT TO\n"
			  "closed SOURCE 4.3.0|the message could not be read|"
			  "while sending the message\n" },
	{ .name = "ends with 421 wherever it comes",
	    .message = { { .from = "a@x",
		.to = { "b@y", "c@y" },
		.body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>",
		"CRCPT TO:<c@y>", "CDATA", "S250 a", "S550 b",
		"S421 4.3.2 going down", NULL },
	    .told = READY
	    "rcpt 0 550 |b|while sending RCPT TO\n"
	    "closed 421 4.3.2|4.3.2 going down|while sending RCPT TO\n" },
	{ .name = "takes an early refusal of the content, and goes",
	    .message = { { .from = "a@x",
		.to = { "b@y" },
		.body = "abc\r\n",
		.piece = 3,
		.stuck = true } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Babc", "S552 5.3.4 too big",
		NULL },
	    .told = READY
	    "rcpt 0 250 |b|while sending RCPT TO\n"
	    "closed 552 5.3.4|5.3.4 too big|while sending the message\n" },
	{ .name = "refuses replies to nothing",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { HELLO, "S250 HELP", "CMAIL FROM:<a@x>",
		"R250 a\r\n250 b\r\n", NULL },
	    .told =
		READY "closed PROTOCOL 4.5.0|protocol error: reply to nothing|"
		      "while sending MAIL FROM\n",
	    .uncut = true },
	{ .name = "does not begin a message behind a reply to nothing",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" },
		{ .from = "c@x", .to = { "d@y" }, .body = "ho\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Bhi\r\n.\r\n",
		"R250 taken\r\n250 taken\r\n", NULL },
	    .told =
		READY "rcpt 0 250 |b|while sending RCPT TO\n"
		      "done 250 |taken|while sending end of data\n"
		      "closed PROTOCOL 4.5.0|protocol error: reply to nothing|"
		      "while sending MAIL FROM\n",
	    .uncut = true },
	{ .name = "nor behind the beginning of one",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" },
		{ .from = "c@x", .to = { "d@y" }, .body = "ho\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Bhi\r\n.\r\n",
		"R250 taken\r\n2", NULL },
	    .told =
		READY "rcpt 0 250 |b|while sending RCPT TO\n"
		      "done 250 |taken|while sending end of data\n"
		      "closed PROTOCOL 4.5.0|protocol error: reply to nothing|"
		      "while sending MAIL FROM\n",
	    .uncut = true },
	{ .name = "takes 354 for DATA only",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S354 go", NULL },
	    .told =
		READY "closed PROTOCOL 4.5.0|protocol error: unexpected 3yz "
		      "reply|while sending RCPT TO\n" },
	{ .name = "takes only 354 for DATA",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S250 c", NULL },
	    .told = READY
	    "rcpt 0 250 |b|while sending RCPT TO\n"
	    "closed PROTOCOL 4.5.0|protocol error: DATA was answered with "
	    "2yz|while sending DATA\n" },
	{ .name = "refuses an answer to the dot before the dot",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "R354 go\r\n250 taken\r\n", NULL },
	    .told =
		READY "rcpt 0 250 |b|while sending RCPT TO\n"
		      "closed PROTOCOL 4.5.0|protocol error: reply to nothing|"
		      "while sending DATA\n",
	    .uncut = true },
	{ .name = "tells that the connection was lost, and where",
	    .message = { { .from = "a@x", .to = { "b@y" }, .body = "hi\r\n" } },
	    .script = { PIPE, "CMAIL FROM:<a@x>", "CRCPT TO:<b@y>", "CDATA",
		"S250 a", "S250 b", "S354 go", "Bhi\r\n.\r\n", "X", NULL },
	    .told = READY
	    "rcpt 0 250 |b|while sending RCPT TO\n"
	    "closed LOST 4.4.2|connection lost|while sending end of data\n" },
};

START_TEST(talks_as_written)
{
	const struct talked *w = &talked[_i];
	unsigned cut, n = w->message[1].from != NULL ? 2 : 1;
	struct talk t;

	for (cut = 0; cut < 3; cut++) {
		if (w->uncut && cut > 0)
			break;
		talk_init(&t);
		t.script = w->script;
		t.message = w->message;
		t.messages = n;
		t.cut = cut;
		talk_check(&t, w->told);
	}
}
END_TEST

START_TEST(may_be_destroyed_in_any_callback)
{
	const struct talked *w = &talked[_i];
	unsigned n = w->message[1].from != NULL ? 2 : 1;
	struct talk t;
	unsigned at;

	for (at = 1; at < 8; at++) {
		talk_init(&t);
		t.script = w->script;
		t.message = w->message;
		t.messages = n;
		t.destroy_at = at;
		talk_run(&t);
		talk_fini(&t);
	}
}
END_TEST

static const char *const one_packet[] = { PIPE, "CMAIL FROM:<a@x>",
	"CRCPT TO:<b@y>", "CDATA", "S250 a", "S250 b", "S354 go", NULL,
	"S250 taken", BYE };

/* EHLO, envelope, content, QUIT: no more and no less. */
START_TEST(sends_a_small_message_with_its_dot_at_once)
{
	enum { SIZE = 60000, WHERE = 10 };
	const char *script[sizeof(one_packet) / sizeof(one_packet[0])];
	struct talk_message m = { .from = "a@x",
		.to = { "b@y" },
		.header = "Received: here\r\n",
		.piece = 16384 };
	char *body = mem_alloc(SIZE + 1), *all = mem_alloc(SIZE + 100);
	struct talk t;
	size_t i;

	for (i = 0; i < SIZE; i++)
		body[i] = "0123456789abcdef.\r\n"[i % 19];
	body[SIZE - SIZE % 19] = '\0';
	m.body = body;
	(void)snprintf(all, SIZE + 100, "B%s%s.\r\n", m.header, body);
	memcpy(script, one_packet, sizeof(script));
	script[WHERE] = all;
	ck_assert_ptr_null(one_packet[WHERE]);
	talk_init(&t);
	t.script = script;
	t.message = &m;
	t.messages = 1;
	t.seqpacket = true;
	talk_run(&t);
	ck_assert_uint_eq(t.packets, 4);
	talk_fini(&t);
	mem_free(body);
	mem_free(all);
}
END_TEST

START_TEST(sends_a_large_message_whole)
{
	enum { SIZE = 5 << 20, WHERE = 10 };
	const char *script[sizeof(one_packet) / sizeof(one_packet[0])];
	struct talk_message m = {
		.from = "a@x", .to = { "b@y" }, .piece = 30000
	};
	char *body = mem_alloc(SIZE + 1), *all = mem_alloc(SIZE + 100);
	struct talk t;
	size_t i;

	for (i = 0; i < SIZE; i++)
		body[i] = "0123456789abcdef.\r\n"[i % 19];
	body[SIZE - SIZE % 19] = '\0';
	m.body = body;
	m.late = _i == 1;
	(void)snprintf(all, SIZE + 100, "B%s.\r\n", body);
	memcpy(script, one_packet, sizeof(script));
	script[WHERE] = all;
	talk_init(&t);
	t.script = script;
	t.message = &m;
	t.messages = 1;
	talk_run(&t);
	talk_fini(&t);
	mem_free(body);
	mem_free(all);
}
END_TEST

UNIT_SUITE(smtpc_txn)
{
	tcase_add_loop_test(
	    tc, talks_as_written, 0, sizeof(talked) / sizeof(talked[0]));
	tcase_add_loop_test(tc, may_be_destroyed_in_any_callback, 0,
	    sizeof(talked) / sizeof(talked[0]));
	tcase_add_test(tc, sends_a_small_message_with_its_dot_at_once);
	tcase_add_loop_test(tc, sends_a_large_message_whole, 0, 2);
}
