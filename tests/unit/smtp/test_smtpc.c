#include <string.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/sock.h"
#include "talk.h"
#include "unit.h"

/* STEP seconds times this: some ten milliseconds. */
#define SOON 0.0001

static const struct {
	const char *script[12];
	const char *told; /* its end */
} late[] = {
	{ { NULL }, "closed TIMEOUT 4.4.2|timed out|"
		    "while waiting for the greeting\n" },
	{ { "R220 mx.te", NULL }, "closed TIMEOUT 4.4.2|timed out|"
				  "while waiting for the greeting\n" },
	{ { "S220 mx.test", "CEHLO me.test", NULL },
	    "closed TIMEOUT 4.4.2|timed out|while sending EHLO\n" },
	{ { "S220 mx.test", "CEHLO me.test", "S250 x", "CMAIL FROM:<a@x>",
	      "S250 a", "CRCPT TO:<b@y>", NULL },
	    "closed TIMEOUT 4.4.2|timed out|while sending RCPT TO\n" },
	{ { "S220 mx.test", "CEHLO me.test", "S250 x", "CMAIL FROM:<a@x>",
	      "S500 a", "CQUIT", NULL },
	    "closed nothing\n" },
};

START_TEST(waits_for_no_step_too_long)
{
	static const struct talk_message message = {
		.from = "a@x", .to = { "b@y" }, .body = "hi\r\n"
	};
	struct talk t;
	size_t n;

	talk_init(&t);
	t.script = late[_i].script;
	t.message = &message;
	t.messages = 1;
	t.conf.timeout_scale = SOON;
	talk_run(&t);
	n = strlen(late[_i].told);
	ck_assert_uint_ge(buf_len(&t.told), n);
	ck_assert_str_eq(buf_p(&t.told) + buf_len(&t.told) - n, late[_i].told);
	talk_fini(&t);
}
END_TEST

static const char *const tester_script[] = { "S220 mx.test", "CEHLO me.test",
	"S250 x", "CMAIL FROM:<p@me.test>", "S550 no", "CQUIT", "S221 bye",
	NULL };

START_TEST(a_tester_names_no_recipient_and_hears_all)
{
	struct talk t;

	talk_init(&t);
	t.script = tester_script;
	t.tester = "p@me.test";
	talk_check(&t, "connected\n< 220 mx.test\n> EHLO me.test\r\n"
		       "< 250 x\nready\n> MAIL FROM:<p@me.test>\r\n"
		       "< 550 no\ndone 550 |no|while sending MAIL FROM\n"
		       "> QUIT\r\n< 221 bye\nclosed nothing\n");
	talk_fini(&t);
}
END_TEST

START_TEST(names_each_step)
{
	ck_assert_str_eq(
	    smtpc_step_phrase(SMTPC_AT_CONNECT), "while connecting");
	ck_assert_str_eq(
	    smtpc_step_phrase(SMTPC_AT_QUIT), "while sending QUIT");
}
END_TEST

struct dial {
	struct loop *loop;
	int accepted;
	bool connected;
	enum smtpc_fail fail;
	enum smtpc_step step;
};

static void
dial_accept(void *arg, int fd, const struct sock_addr *peer)
{
	struct dial *d = arg;

	(void)peer;
	d->accepted = fd;
	loop_stop(d->loop);
}

static void
dial_connected(void *arg)
{
	struct dial *d = arg;

	d->connected = true;
}

static void
dial_closed(void *arg, const struct smtpc_reply *r)
{
	struct dial *d = arg;

	d->fail = r->fail;
	d->step = r->step;
	loop_stop(d->loop);
}

static const struct smtpc_ops dial_ops = {
	.connected = dial_connected,
	.closed = dial_closed,
};

START_TEST(connects_or_tells_why_not)
{
	struct dial d = { .accepted = -1 };
	struct smtpc_conf conf = { .helo = "me.test", .host = "mx.test" };
	struct listen *listen;
	struct sock_addr a;
	struct smtpc *c;
	int fd;

	d.loop = loop_new();
	ck_assert_int_eq(sock_addr_ip(STR("127.0.0.1"), 0, &a, NULL), 0);
	ck_assert_int_eq(sock_listen(&a, 5, &fd, NULL), 0);
	ck_assert_int_eq(sock_local(fd, &conf.to), 0);
	listen = listen_start(d.loop, fd, dial_accept, &d);
	c = smtpc_new(d.loop, &conf, &dial_ops, &d);
	ck_assert_ptr_null(smtpc_stream(c));
	loop_run(d.loop);
	ck_assert_int_ge(d.accepted, 0);
	loop_once(d.loop, false);
	ck_assert(d.connected);
	ck_assert_ptr_nonnull(smtpc_stream(c));
	smtpc_destroy(&c);
	(void)close(d.accepted);
	listen_stop(&listen);
	(void)close(fd);

	c = smtpc_new(d.loop, &conf, &dial_ops, &d);
	loop_run(d.loop);
	ck_assert_int_eq(d.fail, SMTPC_FAIL_NETWORK);
	ck_assert_int_eq(d.step, SMTPC_AT_CONNECT);
	smtpc_destroy(&c);
	loop_destroy(&d.loop);
}
END_TEST

START_TEST(may_be_destroyed_while_connecting)
{
	struct dial d = { .accepted = -1 };
	struct smtpc_conf conf = { .helo = "me.test", .host = "mx.test" };
	struct smtpc *c;

	d.loop = loop_new();
	ck_assert_int_eq(sock_addr_ip(STR("127.0.0.1"), 1, &conf.to, NULL), 0);
	c = smtpc_new(d.loop, &conf, &dial_ops, &d);
	smtpc_destroy(&c);
	ck_assert_ptr_null(c);
	smtpc_destroy(&c);
	loop_once(d.loop, false);
	ck_assert_int_eq(d.fail, SMTPC_FAIL_NONE);
	loop_destroy(&d.loop);
}
END_TEST

UNIT_SUITE(smtpc)
{
	tcase_add_loop_test(
	    tc, waits_for_no_step_too_long, 0, sizeof(late) / sizeof(late[0]));
	tcase_add_test(tc, a_tester_names_no_recipient_and_hears_all);
	tcase_add_test(tc, names_each_step);
	tcase_add_test(tc, connects_or_tells_why_not);
	tcase_add_test(tc, may_be_destroyed_while_connecting);
}
