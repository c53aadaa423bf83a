/*
 * What a stranger sends instead of TLS. The first octet's lowest bit says
 * whether it meets a client or a server of ours, the highest two which: a
 * server that asks for a certificate in one way or another, with several of its
 * own, a client on one step of its ladder; the others how it is cut.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/certmake.h"
#include "tls/tlsident.h"
#include "tls/tlsio.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct loop *loop;
static struct tlsctx *server[4], *client;
static struct tlsident *ident[2];
static unsigned shaken;

static void
on_input(void *arg)
{
	struct stream **s = arg;

	stream_discard(*s);
}

static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	(void)arg;
	(void)how;
	(void)why;
}

static const struct stream_ops ops = { .input = on_input, .closed = on_closed };

static void
on_shake(void *arg, bool ok, const struct err *why)
{
	(void)arg;
	/* Who guesses a handshake's secrets has found something. */
	ASSERT(!ok && why->text[0] != '\0');
	shaken++;
}

static void
set_up(void)
{
	static const char *const names[] = { "fuzz.example", "*.example" };
	struct tlsctx_conf conf = { .server = false };
	struct err why = ERR_INIT;
	struct buf key, cert;
	unsigned i;

	loop = loop_new();
	for (i = 0; i < 2; i++) {
		buf_init(&key, 65536);
		buf_init(&cert, 65536);
		if (certmake_demo(names[i], CERTMAKE_EC, 9, &key, &cert,
			&why) < 0 ||
		    tlsident_new(&ident[i], names[i], buf_str(&cert),
			buf_str(&key), NULL, NULL, &why) < 0)
			panic("%s", why.text);
		buf_fini(&key);
		buf_fini(&cert);
	}
	if (tlsctx_new(&client, &conf, &why) < 0)
		panic("%s", why.text);
	conf.server = true;
	conf.ident = ident;
	for (i = 0; i < 4; i++) {
		conf.nident = i < 3 ? 1 : 2;
		conf.request_client_cert = i > 0;
		conf.require_client_cert = i > 1;
		conf.verify_client_cert = i > 1;
		if (tlsctx_new(&server[i], &conf, &why) < 0)
			panic("%s", why.text);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tlswant want = { .level = TLSWANT_REQUIRED_VERIFY };
	struct tlsio_client how = { .want = &want, .sni = "fuzz.example" };
	struct stream *s;
	size_t piece, at;
	unsigned i, kind;
	int fd[2];

	if (n == 0)
		return 0;
	if (loop == NULL)
		set_up();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return 0;
	how.domain = STR("fuzz.example");
	kind = data[0] >> 6;
	how.step = (enum tls_step)kind;
	how.cert = ident[1];
	if (how.step > TLS_STEP_CLASSIC)
		want.level = TLSWANT_OPPORTUNISTIC;
	shaken = 0;
	s = stream_new(loop, fd[0], 65536, &ops, &s);
	if (data[0] & 1)
		(void)tlsio_start(s, client, &how, on_shake, NULL);
	else
		(void)tlsio_start(s, server[kind], NULL, on_shake, NULL);
	piece = (size_t)(data[0] >> 1 & 31) * 16 + 1;
	for (at = 1; at < n; at += piece) {
		if (piece > n - at)
			piece = n - at;
		(void)send(
		    fd[1], data + at, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
		for (i = 0; i < 3; i++)
			loop_once(loop, false);
	}
	(void)close(fd[1]);
	for (i = 0; i < 6; i++)
		loop_once(loop, false);
	ASSERT(shaken == 1);
	stream_destroy(&s);
	loop_once(loop, false);
	return 0;
}
