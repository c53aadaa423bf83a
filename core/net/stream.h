/*
 * A connected socket with its bytes in and out.
 *
 * Input: ops->input() is called when there is something new; the reader looks
 * at stream_in() and takes what it understands with stream_consume(); the rest
 * stays. At most in_max octets are kept (the reader must make progress before
 * that or close). Reading stops while paused or while in_max is reached.
 * Output: stream_write() collects; the bytes go out at the end of the loop
 * round or when 64 KB wait, in as few system calls as possible (TCP_NODELAY is
 * on). ops->drained() is called, from the loop, when output falls below
 * STREAM_LOW_WATER after having been above it; whoever sends much watches
 * stream_out_len(). An idle stream keeps no buffers. If writing fails, what
 * the peer had sent before is still offered, then closed() comes.
 *
 * A filter (TLS) sits between the socket and these buffers: from
 * stream_filter_set() on, raw bytes go to the filter, and plain ones come
 * out of it.
 *
 * End: ops->closed() is called once, from the loop, on end of file, error
 * or filter failure, after all input before it was offered. stream_destroy()
 * may be called from inside a callback: the stream is silent at once and freed
 * when the stack is empty.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/sock.h"

#define STREAM_LOW_WATER 32768
#define STREAM_IN_MAX 65536 /* of stream_connect(), until it is changed */

struct stream;

enum stream_end {
	STREAM_EOF,   /* the peer closed in order */
	STREAM_RESET, /* the connection broke (ECONNRESET, EPIPE, timeout) */
	STREAM_FILTER /* the filter refused its input (TLS error) */
};

struct stream_ops {
	void (*input)(void *arg);
	void (*drained)(void *arg);			/* may be NULL */
	void (*closed)(void *arg, enum stream_end how, const struct err *why);
};

struct stream *stream_new(struct loop *l, int fd, size_t in_max,
    const struct stream_ops *ops, void *arg);
void stream_destroy(struct stream **sp); /* pending output is tried once */
void stream_ops_set(struct stream *s, const struct stream_ops *ops, void *arg);
void stream_in_max_set(struct stream *s, size_t in_max);

/* Valid until the callback returns or stream_consume(). */
struct str stream_in(struct stream *s);
void stream_consume(struct stream *s, size_t n);
void stream_discard(struct stream *s); /* all input that is buffered */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s); /* offers buffered input again, later */

void stream_write(struct stream *s, const void *p, size_t n);
void stream_printf(struct stream *s, const char *fmt, ...) ATTR_PRINTF(2, 3);
size_t stream_out_len(const struct stream *s);
void stream_flush(struct stream *s); /* now, as far as the socket takes it */
/* Sends what waits, then shuts down and calls closed(EOF); input is thrown
 * away meanwhile. A peer that keeps talking is listened to for a moment
 * after stream_destroy(), so that a reset cannot overtake the last reply. */
void stream_finish(struct stream *s);

int stream_fd(const struct stream *s);
struct loop *stream_loop(struct stream *s);
const struct sock_addr *stream_peer(const struct stream *s);
const struct sock_addr *stream_local(const struct stream *s);
/* What PROXY said replaces what the socket said. */
void stream_peer_set(struct stream *s, const struct sock_addr *peer,
    const struct sock_addr *local);
/* The errno that broke the connection; 0: nothing did yet. */
int stream_error(const struct stream *s);
uint64_t stream_bytes_in(const struct stream *s);
uint64_t stream_bytes_out(const struct stream *s);

/* Connects, then gives a stream or an error; never from inside the call. The
 * error is the bare reason ("Connection refused"), code 451 4.4.1. */
struct stream_connect;
typedef void stream_connected(void *arg, struct stream *s,
    const struct err *why); /* s NULL: failed; ops still unset: set them now */
struct stream_connect *stream_connect(struct loop *l,
    const struct sock_addr *to, const struct sock_addr *from, msec timeout,
    stream_connected *fn, void *arg);
void stream_connect_cancel(struct stream_connect **cp);

/*
 * A filter: bytes change between socket and buffers. input() consumes all
 * raw octets, adds plain ones to `plain` and answers for the peer through
 * stream_filter_raw(); output() takes plain octets and produces raw ones the
 * same way. finish() sends the filter's own goodbye (close_notify). The
 * stream must not be paused while a filter negotiates.
 */
enum stream_more {
	STREAM_DONE,
	STREAM_MORE, /* plain was full (its ceiling); the filter keeps the rest
			and is called again with raw_n 0 */
	STREAM_BYE,  /* the peer said goodbye: end of file */
	STREAM_REFUSED /* *why filled: ends the stream */
};

struct stream_filter {
	enum stream_more (*input)(void *filter, const char *raw, size_t raw_n,
	    struct buf *plain, struct err *why);
	/* 0, or -1 with *why: ends the stream. */
	int (*output)(void *filter, const char *plain, size_t n,
	    struct err *why);
	/* The peer closed its side: 0, or -1 if that cuts something off. */
	int (*eof)(void *filter, struct buf *plain, struct err *why);
	void (*finish)(void *filter);
	void (*destroy)(void *filter);
};

void stream_filter_set(struct stream *s, const struct stream_filter *ops,
    void *filter);
void stream_filter_raw(struct stream *s, const void *p, size_t n);
/* The filter has something new without the socket: calls input() again. */
void stream_filter_kick(struct stream *s);

#endif
