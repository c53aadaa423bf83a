/*
 * The whole SMTP client against a server that says anything.
 *
 * The first octet chooses the message, the rest is what the server says; at
 * each octet 0xff it stops until the client has nothing more to say. Whatever
 * comes, the client is closed exactly once, asks nothing of the source that it
 * was not told to send, and a message counts as delivered only if all of it
 * was written.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/die.h"
#include "smtp/smtpc_priv.h"

enum { STOP = 0xff, RCPTS = 3, HEARD_MAX = 1 << 20, ROUNDS = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char body[] = "Subject: x\r\n\r\n.dot\r\nend\r\n";
static const char on_the_wire[] = "Subject: x\r\n\r\n..dot\r\nend\r\n.\r\n";

struct run {
	struct loop *loop;
	struct smtpc *client;
	struct buf heard;
	int server;
	struct envelope env;
	struct rcpt rcpt[RCPTS];
	struct rcpt *rcpts[RCPTS];
	struct smtpc_txn txn;
	bool read, running, closed;
	unsigned sent, told;
};

static enum smtpc_more
next(void *arg, struct str *piece_r)
{
	struct run *r = arg;

	ASSERT(r->running);
	if (r->read)
		return SMTPC_MORE_EOF;
	r->read = true;
	*piece_r = str_n(body, sizeof(body) - 1);
	return SMTPC_MORE_DATA;
}

/* Whatever the client has said up to now. */
static void
hear(struct run *r)
{
	char p[4096];
	ssize_t n;

	if (smtpc_stream(r->client) != NULL)
		stream_flush(r->client->stream);
	while ((n = recv(r->server, p, sizeof(p), MSG_DONTWAIT)) > 0)
		(void)buf_add(&r->heard, p, (size_t)n);
}

static void
send_or_quit(struct run *r)
{
	if (r->sent++ >= 2) {
		smtpc_quit(r->client);
		return;
	}
	r->read = false;
	r->running = true;
	r->told = 0;
	smtpc_send(r->client, &r->txn);
}

static void
on_connected(void *arg)
{
	(void)arg;
}

static void
on_tls(void *arg, const struct tls_info *info, const struct smtpc_reply *why)
{
	(void)arg;
	ASSERT(info == NULL && why != NULL);
}

static void
on_ready(void *arg)
{
	send_or_quit(arg);
}

static void
on_rcpt(void *arg, unsigned i, const struct smtpc_reply *reply)
{
	struct run *r = arg;

	ASSERT(r->running && i == r->told && i < r->txn.nrcpt);
	ASSERT(
	    reply->fail == SMTPC_FAIL_NONE || reply->fail == SMTPC_FAIL_DEMAND);
	r->told++;
}

static void
on_done(void *arg, const struct smtpc_reply *reply)
{
	struct run *r = arg;

	ASSERT(r->running && !r->closed);
	r->running = false;
	if (reply != NULL && reply->code / 100 == 2) {
		ASSERT(r->told == r->txn.nrcpt && r->read);
		hear(r);
		ASSERT(memmem(buf_p(&r->heard), buf_len(&r->heard), on_the_wire,
			   sizeof(on_the_wire) - 1) != NULL);
		buf_reset(&r->heard);
	}
	send_or_quit(r);
}

static void
on_closed(void *arg, const struct smtpc_reply *reply)
{
	struct run *r = arg;

	(void)reply;
	ASSERT(!r->closed);
	r->closed = true;
}

static const struct smtpc_ops ops = {
	.connected = on_connected,
	.tls = on_tls,
	.ready = on_ready,
	.rcpt = on_rcpt,
	.done = on_done,
	.closed = on_closed,
};

static void
address(struct addr *a, const char *local, const char *domain, const char *full)
{
	a->full = str_c(full);
	a->local = str_c(local);
	a->domain = str_c(domain);
}

static void
message(struct run *r, unsigned choice)
{
	unsigned i;

	address(&r->env.sender, "a", "x.test", "a@x.test");
	r->env.envid = STR("id");
	r->env.flags = choice & (ENV_8BITMIME | ENV_SMTPUTF8 | ENV_RET_FULL);
	for (i = 0; i < RCPTS; i++) {
		address(&r->rcpt[i].addr, "b", "y.test", "b@y.test");
		r->rcpt[i].orcpt = STR("rfc822;b@z.test");
		r->rcpt[i].notify = NOTIFY_DELAY;
		r->rcpts[i] = &r->rcpt[i];
	}
	if ((choice & 8) != 0)
		address(
		    &r->rcpt[0].addr, "\xc3\xa4", "y.test", "\xc3\xa4@y.test");
	if ((choice & 16) != 0)
		address(&r->rcpt[2].addr, "c",
		    "b\xc3\xbc"
		    "cher.test",
		    "c@b\xc3\xbc"
		    "cher.test");
	r->txn = (struct smtpc_txn){ .env = &r->env,
		.rcpt = r->rcpts,
		.nrcpt = (choice & 32) != 0 ? 1 : RCPTS,
		.size = sizeof(body) - 1,
		.dsn_relay = true };
	r->txn.source.next = next;
	r->txn.source.arg = r;
}

static void
settle(struct run *r)
{
	unsigned i;

	for (i = 0; i < ROUNDS && !r->closed; i++)
		loop_once(r->loop, false);
	hear(r);
}

static void
serve(struct run *r, const uint8_t *p, size_t n)
{
	size_t piece;
	const uint8_t *stop;

	while (n > 0 && !r->closed) {
		stop = memchr(p, STOP, n);
		piece = stop == NULL ? n : (size_t)(stop - p);
		if (piece > 4096)
			piece = 4096;
		(void)send(r->server, p, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
		settle(r);
		if (piece < n && p[piece] == STOP)
			piece++;
		p += piece;
		n -= piece;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct smtpc_conf conf = { .helo = "me.test", .host = "mx.test" };
	struct run r;
	int fd[2];

	if (n < 1 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0)
		return 0;
	memset(&r, 0, sizeof(r));
	message(&r, data[0]);
	if ((data[0] & 64) != 0)
		conf.want.level = TLSWANT_REQUIRED;
	if ((data[0] & 128) != 0)
		conf.auth_user = conf.auth_password = "secret";
	buf_init(&r.heard, HEARD_MAX);
	r.server = fd[1];
	r.loop = loop_new();
	r.client = smtpc_alloc(r.loop, &conf, &ops, &r);
	smtpc_adopt(r.client, stream_new(r.loop, fd[0], 4096, NULL, NULL));
	serve(&r, data + 1, n - 1);
	(void)close(r.server);
	while (!r.closed)
		loop_once(r.loop, true);
	if (conf.auth_user != NULL || conf.want.level == TLSWANT_REQUIRED)
		ASSERT(r.sent == 0);
	smtpc_destroy(&r.client);
	loop_once(r.loop, false);
	loop_destroy(&r.loop);
	buf_fini(&r.heard);
	return 0;
}
