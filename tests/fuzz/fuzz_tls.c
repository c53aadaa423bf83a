/*
 * What a stranger sends instead of TLS. The first octet's lowest bit says
 * whether it meets a client or a server of ours, the others how it is cut.
 */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tlsio.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct loop *loop;
static struct tlsctx *server, *client;
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
	static const struct tlsctx_conf conf = { .server = false };
	struct err why = ERR_INIT;

	loop = loop_new();
	if (tlsctx_new(&client, &conf, &why) < 0 ||
	    tlsctx_new_selfsigned(&server, "fuzz.example", &why) < 0)
		panic("%s", why.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct tlswant want = { .level = TLSWANT_REQUIRED_VERIFY };
	struct tlsio_client how = { .want = &want, .sni = "fuzz.example" };
	struct stream *s;
	size_t piece, at;
	unsigned i;
	int fd[2];

	if (n == 0)
		return 0;
	if (loop == NULL)
		set_up();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0)
		return 0;
	how.domain = STR("fuzz.example");
	shaken = 0;
	s = stream_new(loop, fd[0], 65536, &ops, &s);
	if (data[0] & 1)
		(void)tlsio_start(s, client, &how, on_shake, NULL);
	else
		(void)tlsio_start(s, server, NULL, on_shake, NULL);
	piece = (size_t)(data[0] >> 1) * 16 + 1;
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
