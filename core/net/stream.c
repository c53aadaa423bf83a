#include "net/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "net/loop_priv.h"
#include "net/stream_priv.h"

static void stream_round(void *arg);
static void stream_free(struct stream *s);

struct stream *
stream_new(struct loop *l, int fd, size_t in_max, const struct stream_ops *ops,
    void *arg)
{
	struct stream *s;

	OBJ_NEW(s, STREAM_MAGIC);
	s->fd = fd;
	s->loop = l;
	s->ops = ops;
	s->arg = arg;
	buf_init(&s->in, in_max);
	buf_init(&s->out, OUT_MAX);
	buf_init(&s->plain, OUT_MAX);
	s->watching = LOOP_READ;
	s->watch = loop_fd_start(l, fd, s->watching, stream_ready, s);
	return s;
}

void
stream_destroy(struct stream **sp)
{
	struct stream *s = *sp;
	char c;

	if (s == NULL)
		return;
	*sp = NULL;
	OBJ_CHECK(s, STREAM_MAGIC);
	ASSERT(!s->dead);
	stream_flush_out(s);
	s->dead = true;
	loop_fd_stop(&s->watch);
	if (s->shut && !s->eof && recv(s->fd, &c, 1, MSG_DONTWAIT) > 0)
		stream_linger(s->loop, s->fd);
	else
		file_close(&s->fd);
	s->fd = -1;
	stream_later(s);
}

void
stream_ops_set(struct stream *s, const struct stream_ops *ops, void *arg)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	s->ops = ops;
	s->arg = arg;
	if (buf_len(&s->in) > 0) {
		s->offer = true;
		stream_later(s);
	}
}

void
stream_in_max_set(struct stream *s, size_t in_max)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	s->in.max = in_max;
	stream_later(s);
}

struct str
stream_in(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->view.p != NULL ? s->view : buf_str(&s->in);
}

void
stream_consume(struct stream *s, size_t n)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->view.p != NULL) {
		ASSERT(n <= s->view.n);
		s->view.p += n;
		s->view.n -= n;
		return;
	}
	buf_consume(&s->in, n);
	if (buf_len(&s->in) == 0)
		buf_shrink(&s->in);
	/* There is room again, for the filter and for the socket. */
	if (s->more) {
		s->kick = true;
		stream_later(s);
	}
	if (!s->dead)
		stream_watch(s);
}

void
stream_discard(struct stream *s)
{
	stream_consume(s, stream_in(s).n);
}

void
stream_pause(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	/* The watch is left alone until something comes: often nothing does. */
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (!s->paused)
		return;
	s->paused = false;
	s->offer = stream_in(s).n > 0;
	if (s->more)
		s->kick = true;
	if (s->offer || s->kick || s->ended)
		stream_later(s);
	if (!s->dead)
		stream_watch(s);
}

void
stream_write(struct stream *s, const void *p, size_t n)
{
	const char *c = p;
	struct buf *b;
	struct err why = ERR_INIT;
	size_t done = 0;

	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->dead || s->finishing || s->write_failed || n == 0)
		return;
	b = s->filter != NULL ? &s->plain : &s->out;
	if (buf_len(b) == 0 && s->filter != NULL && n >= OUT_PIECE)
		done = stream_filter_out(s, c, n);
	else if (buf_len(b) == 0 && s->filter == NULL && n >= OUT_FLUSH)
		done = stream_send(s, c, n);
	if (!s->write_failed && done < n &&
	    buf_add(b, c + done, n - done) < 0) {
		(void)err_text(&why, "too much output waits");
		s->write_failed = true;
		stream_end(s, STREAM_RESET, &why);
		return;
	}
	if (stream_out_len(s) > STREAM_LOW_WATER)
		s->above = true;
	if (stream_out_len(s) >= OUT_FLUSH)
		stream_flush(s);
	else
		stream_later(s);
}

void
stream_printf(struct stream *s, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, OUT_FLUSH);
	va_start(ap, fmt);
	if (buf_vprintf(&text, fmt, ap) < 0)
		panic("stream_printf() of more than 64 KB");
	va_end(ap);
	stream_write(s, buf_p(&text), buf_len(&text));
	buf_fini(&text);
}

size_t
stream_out_len(const struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return buf_len(&s->out) + buf_len(&s->plain);
}

void
stream_flush(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (!s->dead)
		stream_flush_out(s);
}

void
stream_finish(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->dead || s->finishing)
		return;
	s->finishing = true;
	s->paused = false;
	s->offer = false;
	stream_discard(s);
	stream_watch(s);
	stream_later(s);
}

int
stream_fd(const struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->fd;
}

struct loop *
stream_loop(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->loop;
}

const struct sock_addr *
stream_peer(const struct stream *s)
{
	struct stream *own = (struct stream *)s;

	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->peer.len == 0)
		(void)sock_peer(s->fd, &own->peer);
	return &s->peer;
}

const struct sock_addr *
stream_local(const struct stream *s)
{
	struct stream *own = (struct stream *)s;

	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->local.len == 0)
		(void)sock_local(s->fd, &own->local);
	return &s->local;
}

void
stream_peer_set(struct stream *s, const struct sock_addr *peer,
    const struct sock_addr *local)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (peer != NULL)
		s->peer = *peer;
	if (local != NULL)
		s->local = *local;
}

int
stream_error(const struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->error;
}

uint64_t
stream_bytes_in(const struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->bytes_in;
}

uint64_t
stream_bytes_out(const struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	return s->bytes_out;
}

/* What was written before the filter came leaves as it is. */
void
stream_filter_set(
    struct stream *s, const struct stream_filter *ops, void *filter)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	ASSERT(s->filter == NULL && stream_in(s).n == 0);
	s->filter = ops;
	s->filter_arg = filter;
}

void
stream_filter_raw(struct stream *s, const void *p, size_t n)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	if (s->dead || s->write_failed)
		return;
	if (buf_add(&s->out, p, n) < 0)
		panic("a filter's output passes its ceiling");
	stream_later(s);
}

void
stream_filter_kick(struct stream *s)
{
	OBJ_CHECK(s, STREAM_MAGIC);
	s->kick = true;
	stream_later(s);
}

void
stream_later(struct stream *s)
{
	if (s->queued)
		return;
	s->queued = true;
	loop_defer(s->loop, stream_round, s);
}

/* Everything that must not happen inside the caller's call. */
static void
stream_round(void *arg)
{
	struct stream *s;

	OBJ_CAST(s, arg, STREAM_MAGIC);
	s->queued = false;
	if (!s->dead && s->kick && !s->ended) {
		s->kick = false;
		if (s->filter != NULL)
			stream_filter_in(s, NULL, 0);
	}
	if (!s->dead && s->offer && !s->paused) {
		s->offer = false;
		if (buf_len(&s->in) > 0 && s->ops != NULL)
			s->ops->input(s->arg);
	}
	if (!s->dead)
		stream_flush_out(s);
	if (!s->dead && s->write_failed && !s->ended)
		stream_read_last(s);
	if (!s->dead && s->drained) {
		s->drained = false;
		if (s->ops != NULL && s->ops->drained != NULL)
			s->ops->drained(s->arg);
	}
	if (!s->dead && s->ended && !s->told && s->ops != NULL &&
	    (!s->paused || s->how == STREAM_RESET)) {
		s->told = true;
		s->ops->closed(s->arg, s->how, s->why);
	}
	if (s->dead && !s->queued)
		stream_free(s);
	else if (!s->dead)
		stream_watch(s);
}

static void
stream_free(struct stream *s)
{
	if (s->filter != NULL)
		s->filter->destroy(s->filter_arg);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->plain);
	mem_free(s->why);
	OBJ_FREE(s);
}
