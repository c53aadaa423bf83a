#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/obj.h"
#include "net/loop_priv.h"
#include "net/stream_priv.h"

static bool stream_read(struct stream *s);
static void stream_take(struct stream *s, const char *p, size_t n);
static void stream_offer(struct stream *s, struct str fresh);
static enum stream_more stream_filter_once(
    struct stream *s, const char *raw, size_t n, struct err *why);
static void stream_on_eof(struct stream *s);
static void stream_broke(struct stream *s, const struct err *why);
static void stream_written(struct stream *s);
static void stream_shut(struct stream *s);
static size_t stream_room(const struct stream *s);

void
stream_ready(void *arg, int fd, unsigned what)
{
	struct stream *s;

	(void)fd;
	OBJ_CAST(s, arg, STREAM_MAGIC);
	if (what & LOOP_WRITE) {
		s->blocked = false;
		stream_flush_out(s);
	}
	if (what & LOOP_READ)
		(void)stream_read(s);
}

/* Sets the watch to what can be used now. */
void
stream_watch(struct stream *s)
{
	unsigned what = 0;

	if (!s->ended && !s->eof && !s->paused && stream_room(s) > 0)
		what |= LOOP_READ;
	if (s->blocked && !s->write_failed && buf_len(&s->out) > 0)
		what |= LOOP_WRITE;
	/* Pausing is lazy, see stream_pause(). */
	if (s->paused && !s->ended && !s->eof)
		what |= s->watching & LOOP_READ;
	if (what == s->watching)
		return;
	s->watching = what;
	loop_fd_change(s->watch, what);
}

/* False: nothing was there. */
static bool
stream_read(struct stream *s)
{
	char *scratch = loop_scratch(s->loop);
	size_t room = stream_room(s);
	struct err why = ERR_INIT;
	ssize_t n;

	if (s->dead || s->ended || s->eof)
		return false;
	if (s->paused || room == 0) {
		s->watching &= ~(unsigned)LOOP_READ;
		loop_fd_change(s->watch, s->watching);
		return false;
	}
	if (room > LOOP_SCRATCH)
		room = LOOP_SCRATCH;
	n = recv(s->fd, scratch, room, MSG_DONTWAIT);
	if (n > 0) {
		s->bytes_in += (uint64_t)n;
		stream_take(s, scratch, (size_t)n);
		return true;
	}
	if (n == 0) {
		stream_on_eof(s);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR)
		return false;
	s->error = errno;
	(void)err_set(&why, 421, "4.4.2", "%s", strerror(s->error));
	s->write_failed = true;
	stream_broke(s, &why);
	return true;
}

/* The socket takes nothing more, but the peer may have said why. */
void
stream_read_last(struct stream *s)
{
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < LAST_READS; i++) {
		if (s->dead || s->ended || s->paused || s->eof ||
		    stream_room(s) == 0 || !stream_read(s))
			break;
	}
	if (s->dead || s->ended)
		return;
	(void)err_set(&why, 421, "4.4.2", "connection lost while sending");
	stream_broke(s, &why);
}

static void
stream_take(struct stream *s, const char *p, size_t n)
{
	if (s->finishing)
		return;
	if (s->filter != NULL)
		stream_filter_in(s, p, n);
	else
		stream_offer(s, str_n(p, n));
}

/* fresh is someone's memory until this returns. */
static void
stream_offer(struct stream *s, struct str fresh)
{
	if (fresh.n == 0 || s->dead || s->finishing)
		return;
	if (buf_len(&s->in) > 0 || s->ops == NULL || s->paused) {
		if (buf_add(&s->in, fresh.p, fresh.n) < 0)
			panic("input passes its ceiling");
		if (s->ops != NULL && !s->paused)
			s->ops->input(s->arg);
		return;
	}
	s->view = fresh;
	s->ops->input(s->arg);
	fresh = s->view;
	s->view = STR_NULL;
	if (!s->dead && fresh.n > 0 && buf_add(&s->in, fresh.p, fresh.n) < 0)
		panic("input passes its ceiling");
}

void
stream_filter_in(struct stream *s, const char *raw, size_t n)
{
	struct err why = ERR_INIT;
	enum stream_more got;

	s->more = false;
	do {
		got = stream_filter_once(s, raw, n, &why);
		raw = NULL;
		n = 0;
	} while (got == STREAM_MORE && !s->dead && !s->paused &&
		 !s->finishing && stream_room(s) > 0);
	if (s->dead)
		return;
	if (got == STREAM_MORE)
		s->more = true;
	else if (got == STREAM_BYE)
		stream_end(s, STREAM_EOF, NULL);
	else if (got == STREAM_REFUSED)
		stream_end(s, STREAM_FILTER, &why);
}

/* An idle stream gets no buffer: plain octets pass through a borrowed one. */
static enum stream_more
stream_filter_once(struct stream *s, const char *raw, size_t n, struct err *why)
{
	size_t had = buf_len(&s->in);
	enum stream_more got;
	struct buf *plain;

	if (had > 0) {
		got = s->filter->input(s->filter_arg, raw, n, &s->in, why);
		if (s->finishing)
			buf_reset(&s->in);
		else if (!s->dead && !s->paused && buf_len(&s->in) > had &&
			 s->ops != NULL)
			s->ops->input(s->arg);
		return got;
	}
	plain = loop_borrow(s->loop, s->in.max);
	got = s->filter->input(s->filter_arg, raw, n, plain, why);
	stream_offer(s, buf_str(plain));
	loop_give_back(s->loop, plain);
	return got;
}

static void
stream_on_eof(struct stream *s)
{
	struct err why = ERR_INIT;
	struct buf plain;
	int result = 0;

	s->eof = true;
	if (s->filter != NULL && !s->finishing) {
		buf_init(&plain, stream_room(s));
		result = s->filter->eof(s->filter_arg, &plain, &why);
		stream_offer(s, buf_str(&plain));
		buf_fini(&plain);
	}
	if (s->dead)
		return;
	if (s->finishing && !s->shut) {
		stream_watch(s);
		return;
	}
	if (result < 0)
		stream_end(s, STREAM_FILTER, &why);
	else
		stream_end(s, STREAM_EOF, NULL);
}

/* A filter that is not done hears of it as of an end. */
static void
stream_broke(struct stream *s, const struct err *why)
{
	struct err unused = ERR_INIT;
	struct buf plain;

	if (s->filter != NULL && !s->eof && !s->finishing) {
		s->eof = true;
		buf_init(&plain, 1);
		(void)s->filter->eof(s->filter_arg, &plain, &unused);
		buf_fini(&plain);
	}
	stream_end(s, STREAM_RESET, why);
}

void
stream_end(struct stream *s, enum stream_end how, const struct err *why)
{
	if (s->ended || s->dead)
		return;
	s->ended = true;
	s->how = how;
	if (why != NULL)
		s->why = mem_dup(why, sizeof(*why));
	stream_watch(s);
	stream_later(s);
}

/* How many of the plain octets went through the filter. */
size_t
stream_filter_out(struct stream *s, const char *p, size_t n)
{
	struct err why = ERR_INIT;
	size_t done = 0, piece;

	while (done < n && buf_len(&s->out) < OUT_RAW_MAX) {
		piece = n - done;
		if (piece > OUT_FLUSH)
			piece = OUT_FLUSH;
		if (s->filter->output(s->filter_arg, p + done, piece, &why) <
		    0) {
			s->write_failed = true;
			stream_end(s, STREAM_FILTER, &why);
			return n;
		}
		done += piece;
	}
	return done;
}

size_t
stream_send(struct stream *s, const char *p, size_t n)
{
	ssize_t sent;

	if (s->write_failed || s->blocked)
		return 0;
	do {
		sent = send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno != EAGAIN) {
		s->error = errno;
		s->write_failed = true;
		stream_later(s);
		return 0;
	}
	if (sent < 0)
		sent = 0;
	s->bytes_out += (uint64_t)sent;
	s->blocked = (size_t)sent < n;
	return (size_t)sent;
}

void
stream_flush_out(struct stream *s)
{
	size_t n;

	while (!s->write_failed && !s->blocked) {
		n = buf_len(&s->plain);
		if (n > 0 && s->filter != NULL)
			buf_consume(&s->plain,
			    stream_filter_out(s, buf_p(&s->plain), n));
		n = buf_len(&s->out);
		if (n == 0 || s->write_failed)
			break;
		buf_consume(&s->out, stream_send(s, buf_p(&s->out), n));
	}
	if (s->write_failed) {
		buf_reset(&s->out);
		buf_reset(&s->plain);
	}
	stream_written(s);
}

static void
stream_written(struct stream *s)
{
	size_t left = stream_out_len(s);

	stream_watch(s);
	if (buf_len(&s->out) == 0)
		buf_shrink(&s->out);
	if (buf_len(&s->plain) == 0)
		buf_shrink(&s->plain);
	if (s->above && left < STREAM_LOW_WATER) {
		s->above = false;
		s->drained = true;
		stream_later(s);
	}
	if (s->finishing && !s->shut && left == 0)
		stream_shut(s);
}

static void
stream_shut(struct stream *s)
{
	s->shut = true;
	if (s->filter != NULL && !s->write_failed) {
		s->filter->finish(s->filter_arg);
		if (buf_len(&s->out) > 0)
			stream_flush_out(s);
	}
	(void)shutdown(s->fd, SHUT_WR);
	stream_end(s, STREAM_EOF, NULL);
}

/* How much more input may be kept. While finishing it is thrown away. */
static size_t
stream_room(const struct stream *s)
{
	size_t have = buf_len(&s->in);

	if (s->finishing)
		return LOOP_SCRATCH;
	return have < s->in.max ? s->in.max - have : 0;
}
