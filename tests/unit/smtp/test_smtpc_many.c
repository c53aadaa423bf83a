/*
 * Many recipients through narrow sockets: a client that only sends, or only
 * listens, would stand still for ever.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/obj.h"
#include "smtp/smtpc_priv.h"
#include "unit.h"

#define CROWD_MAGIC 0x7a1ce402u

enum { RCPTS = 5000, NARROW = 2048, ADDRESS = 40 };

struct crowd {
	unsigned magic;
	bool pipelining;
	struct loop *loop;
	struct smtpc *client;
	struct stream *server;
	bool data;
	unsigned heard; /* RCPT lines */
	unsigned peak;	/* most octets that waited in the client */
	unsigned accepted, refused;
	int code;
	struct envelope env;
	struct rcpt *rcpt;
	struct rcpt *rcpts[RCPTS];
	char (*text)[ADDRESS];
	struct smtpc_txn txn;
};

static enum smtpc_more
next(void *arg, struct str *piece_r)
{
	(void)arg;
	(void)piece_r;
	return SMTPC_MORE_EOF;
}

static void
on_nothing(void *arg)
{
	(void)arg;
}

static void
on_tls(void *arg, const struct tls_info *info, const struct smtpc_reply *why)
{
	(void)arg;
	(void)info;
	(void)why;
}

static void
on_ready(void *arg)
{
	struct crowd *k;

	OBJ_CAST(k, arg, CROWD_MAGIC);
	smtpc_send(k->client, &k->txn);
}

static void
on_rcpt(void *arg, unsigned i, const struct smtpc_reply *r)
{
	struct crowd *k;
	size_t waits;

	OBJ_CAST(k, arg, CROWD_MAGIC);
	ck_assert_uint_eq(i, k->accepted + k->refused);
	ck_assert_int_eq(r->code, i % 3 == 0 ? 550 : 250);
	if (r->code == 250)
		k->accepted++;
	else
		k->refused++;
	waits = stream_out_len(smtpc_stream(k->client));
	if (waits > k->peak)
		k->peak = (unsigned)waits;
}

static void
on_done(void *arg, const struct smtpc_reply *r)
{
	struct crowd *k;

	OBJ_CAST(k, arg, CROWD_MAGIC);
	k->code = r->code;
	loop_stop(k->loop);
}

static void
on_closed(void *arg, const struct smtpc_reply *r)
{
	(void)arg;
	ck_abort_msg("closed: %.*s", STR_FMT(r->text));
}

static const struct smtpc_ops client_ops = {
	.connected = on_nothing,
	.tls = on_tls,
	.ready = on_ready,
	.rcpt = on_rcpt,
	.done = on_done,
	.closed = on_closed,
};

static void
answer(struct crowd *k, struct str line)
{
	if (k->data)
		stream_printf(k->server, "250 taken\r\n");
	else if (str_istarts(line, "EHLO"))
		stream_printf(k->server, k->pipelining
					     ? "250-mx\r\n250 PIPELINING\r\n"
					     : "250 mx\r\n");
	else if (str_istarts(line, "RCPT"))
		stream_printf(k->server, "%d recipient\r\n",
		    k->heard++ % 3 == 0 ? 550 : 250);
	else
		stream_printf(k->server, "%d ok\r\n",
		    str_istarts(line, "DATA") ? 354 : 250);
	k->data = str_istarts(line, "DATA");
}

static void
on_input(void *arg)
{
	struct crowd *k;
	struct str in;
	size_t end;

	OBJ_CAST(k, arg, CROWD_MAGIC);
	for (;;) {
		in = stream_in(k->server);
		end = str_find(in, '\n');
		if (end == in.n)
			return;
		answer(k, str_n(in.p, end));
		stream_consume(k->server, end + 1);
	}
}

static void
on_end(void *arg, enum stream_end how, const struct err *why)
{
	(void)arg;
	(void)how;
	(void)why;
}

static const struct stream_ops server_ops = {
	.input = on_input,
	.closed = on_end,
};

static void
narrow(int fd)
{
	int size = NARROW;

	ck_assert_int_eq(
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static void
gather(struct crowd *k)
{
	unsigned i;

	k->rcpt = mem_array(RCPTS, sizeof(*k->rcpt));
	k->text = mem_array(RCPTS, sizeof(*k->text));
	k->env.sender.full = STR("");
	for (i = 0; i < RCPTS; i++) {
		(void)snprintf(k->text[i], ADDRESS, "recipient-%05u@y.test", i);
		k->rcpt[i].addr.full = str_c(k->text[i]);
		k->rcpts[i] = &k->rcpt[i];
	}
	k->txn = (struct smtpc_txn){
		.env = &k->env, .rcpt = k->rcpts, .nrcpt = RCPTS
	};
	k->txn.source.next = next;
}

START_TEST(sends_while_answers_come_in)
{
	struct smtpc_conf conf = { .helo = "me.test", .host = "mx.test" };
	struct crowd *k;
	int fd[2];

	OBJ_NEW(k, CROWD_MAGIC);
	k->pipelining = _i == 1;
	gather(k);
	ck_assert_int_eq(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	narrow(fd[0]);
	narrow(fd[1]);
	k->loop = loop_new();
	k->server = stream_new(k->loop, fd[1], 4096, &server_ops, k);
	stream_printf(k->server, "220 mx\r\n");
	k->client = smtpc_alloc(k->loop, &conf, &client_ops, k);
	smtpc_adopt(k->client, stream_new(k->loop, fd[0], 4096, NULL, NULL));
	loop_run(k->loop);
	ck_assert_uint_eq(k->heard, RCPTS);
	ck_assert_uint_eq(k->accepted + k->refused, RCPTS);
	ck_assert_uint_eq(k->refused, (RCPTS + 2) / 3);
	ck_assert_int_eq(k->code, 250);
	ck_assert_uint_lt(k->peak, 65536);
	smtpc_destroy(&k->client);
	stream_destroy(&k->server);
	loop_once(k->loop, false);
	loop_destroy(&k->loop);
	mem_free(k->rcpt);
	mem_free(k->text);
	OBJ_FREE(k);
}
END_TEST

UNIT_SUITE(smtpc_many)
{
	tcase_add_loop_test(tc, sends_while_answers_come_in, 0, 2);
}
