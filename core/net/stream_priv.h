/*
 * What the files of the stream share: stream.c has what its owner calls and the
 * deferred round, stream_io.c moves octets.
 */
#ifndef NET_STREAM_PRIV_H
#define NET_STREAM_PRIV_H

#include "net/stream.h"

#define STREAM_MAGIC 0x10091a05u

enum {
	OUT_FLUSH = 64 * 1024,	 /* waits no longer for the end of the round */
	OUT_RAW_MAX = 128 * 1024, /* filtered ahead of the socket */
	OUT_PIECE = 16 * 1024,	 /* goes through the filter without a copy */
	OUT_MAX = 256 * 1024 * 1024, /* a writer that never looks */
	LAST_READS = 64		 /* of input left when writing has failed */
};

/* Small, for there is one in each of ten thousand idle connections. */
struct stream {
	unsigned magic;
	int fd;
	int error; /* errno of the end, or 0 */
	struct loop *loop;
	const struct stream_ops *ops;
	void *arg;
	struct loop_fd *watch;
	struct buf in;	 /* what the reader left */
	struct str view; /* what is offered without a copy, while it is */
	struct buf out;	 /* for the socket */
	struct buf plain; /* for the filter */
	const struct stream_filter *filter;
	void *filter_arg;
	struct err *why; /* of the end, if there is a reason */
	uint64_t bytes_in, bytes_out;
	struct sock_addr peer, local; /* asked for when first wanted */
	enum stream_end how;
	unsigned watching;     /* what watch is set to */
	bool dead : 1;	       /* destroyed; to be freed */
	bool queued : 1;       /* stream_round() is deferred */
	bool paused : 1;
	bool offer : 1;	       /* input() is due for what is buffered */
	bool kick : 1;	       /* the filter is due without new octets */
	bool more : 1;	       /* the filter keeps something back */
	bool above : 1;	       /* output was above the low water mark */
	bool drained : 1;      /* drained() is due */
	bool blocked : 1;      /* the socket took less than there was */
	bool write_failed : 1; /* the socket takes nothing any more */
	bool eof : 1;	       /* the peer closed its side */
	bool finishing : 1;
	bool shut : 1;	       /* our side is closed */
	bool ended : 1;	       /* closed() is due */
	bool told : 1;	       /* closed() was called */
};

/* stream.c: stream_round() at the end of this loop round. */
void stream_later(struct stream *s);

/* stream_io.c */
void stream_ready(void *arg, int fd, unsigned what);
void stream_watch(struct stream *s);
void stream_read_last(struct stream *s);
void stream_filter_in(struct stream *s, const char *raw, size_t n);
size_t stream_filter_out(struct stream *s, const char *p, size_t n);
size_t stream_send(struct stream *s, const char *p, size_t n);
void stream_flush_out(struct stream *s);
void stream_end(struct stream *s, enum stream_end how, const struct err *why);

/* stream_connect.c: takes fd over, reads and forgets for a moment, closes. */
void stream_linger(struct loop *l, int fd);

#endif
