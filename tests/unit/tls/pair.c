#include "pair.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

struct loop *pair_loop;
struct end pair_c, pair_s;

static void
on_input(void *arg)
{
	struct end *e = arg;
	struct str in = stream_in(e->s);

	ck_assert_int_eq(buf_add(&e->got, in.p, in.n), 0);
	if (e->echo)
		stream_write(e->s, in.p, in.n);
	stream_discard(e->s);
	if (e->pause_each)
		stream_pause(e->s);
}

static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct end *e = arg;

	e->closed++;
	e->how = how;
	if (why != NULL && e->why[0] == '\0')
		(void)str_copy(e->why, sizeof(e->why), str_c(why->text));
}

static const struct stream_ops ops = { .input = on_input, .closed = on_closed };

static void
take_chain(struct end *e)
{
	struct buf text;

	buf_init(&text, sizeof(e->chain) - 1);
	tlsio_chain_text(e->t, &text);
	(void)str_copy(e->chain, sizeof(e->chain), buf_str(&text));
	buf_fini(&text);
}

static void
on_shake(void *arg, bool ok, const struct err *why)
{
	struct end *e = arg;

	e->shaken++;
	e->ok = ok;
	if (ok) {
		e->info = *tlsio_info(e->t);
		(void)str_copy(e->sni, sizeof(e->sni), str_c(e->info.sni));
		(void)str_copy(
		    e->matched, sizeof(e->matched), str_c(e->info.matched));
	} else {
		(void)str_copy(e->why, sizeof(e->why), str_c(why->text));
		e->info = *tlsio_info(e->t);
		e->failure = *tlsio_failure(e->t);
	}
	take_chain(e);
	if (e->destroy_on_shake)
		stream_destroy(&e->s);
}

void
pair_end(struct end *e, int fd)
{
	pair_adopt(e, stream_new(pair_loop, fd, 65536, &ops, e));
}

void
pair_adopt(struct end *e, struct stream *s)
{
	memset(e, 0, sizeof(*e));
	buf_init(&e->got, 64 * 1024 * 1024);
	e->s = s;
	stream_ops_set(s, &ops, e);
}

static void
connect_ends(void)
{
	int fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	pair_end(&pair_c, fd[0]);
	pair_end(&pair_s, fd[1]);
}

static void
drop_ends(void)
{
	stream_destroy(&pair_c.s);
	stream_destroy(&pair_s.s);
	buf_fini(&pair_c.got);
	buf_fini(&pair_s.got);
	pair_spin(2);
}

void
pair_start(void)
{
	pair_loop = loop_new();
	connect_ends();
}

void
pair_stop(void)
{
	drop_ends();
	loop_destroy(&pair_loop);
}

void
pair_again(void)
{
	drop_ends();
	connect_ends();
}

void
pair_tls(struct tlsctx *client, struct tlsctx *server,
    const struct tlsio_client *how)
{
	if (server != NULL)
		pair_s.t =
		    tlsio_start(pair_s.s, server, NULL, on_shake, &pair_s);
	if (client != NULL)
		pair_c.t =
		    tlsio_start(pair_c.s, client, how, on_shake, &pair_c);
}

void
pair_spin(unsigned rounds)
{
	while (rounds-- > 0)
		loop_once(pair_loop, false);
}

void
pair_shake(void)
{
	unsigned i;

	for (i = 0; i < 1000 && (pair_c.shaken == 0 || pair_s.shaken == 0); i++)
		pair_spin(1);
	ck_assert_uint_eq(pair_c.shaken, 1);
	ck_assert_uint_eq(pair_s.shaken, 1);
	pair_spin(3);
}
