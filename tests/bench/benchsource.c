/*
 * A sending client for measurements, on one core.
 *
 *	benchsource PORT CONNECTIONS MESSAGES RECIPIENTS DOMAINS BODY_BYTES
 *	    MESSAGES_PER_CONNECTION
 *
 * It pipelines MAIL, RCPT and DATA as mail servers do. Message ID goes from
 * s@bench.test to r0@d0.bench.test, r1@d1.bench.test ... with the subject
 * "bench ID". It ends when each message was answered, and prints as JSON how
 * many were acknowledged and how long an acknowledgement took.
 */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD = 8192,
	INPUT = 16384,
	SOURCES = 50,		/* client addresses 127.1.0.1 ... */
};

enum step { BANNER, HELLO, ENVELOPE, CONTENT, GOODBYE };

struct conn {
	int fd;
	int index;
	enum step step;
	int awaited;		/* replies until the next step */
	int refused;		/* of those awaited */
	int blocked;		/* waiting for EPOLLOUT */
	long id;
	long sent_here;		/* messages sent on this connection */
	double began;
	size_t input_length;
	size_t head_length;
	size_t sent;		/* of head, then body where the step has one */
	char head[HEAD];
	char input[INPUT];
};

static int port, connections, recipients, domains;
static long messages, per_connection, body_bytes;
static long next_id, acknowledged, refused, broken;
static long finished;
static int failures;
static char *body;
static size_t body_length;	/* with the final dot */
static float *waits;
static int epoll_fd;

static void	open_conn(struct conn *c);
static void	reopen(struct conn *c);
static int	on_input(struct conn *c);
static int	on_reply(struct conn *c, const char *line);
static int	next_step(struct conn *c);
static void	begin_step(struct conn *c, enum step step, int awaited,
		    const char *head);
static int	send_envelope(struct conn *c);
static int	send_content(struct conn *c);
static int	flush(struct conn *c);
static void	report(double began);

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
watch(struct conn *c, int operation, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = c };

	if (epoll_ctl(epoll_fd, operation, c->fd, &event) != 0)
		err(1, "epoll_ctl");
}

static void
make_body(void)
{
	long i;

	body_length = (size_t)body_bytes + 3;
	body = calloc(1, body_length);
	waits = calloc((size_t)messages, sizeof(*waits));
	if (body == NULL || waits == NULL)
		err(1, "calloc");
	for (i = 0; i < body_bytes; i++)
		body[i] = (char)('a' + i % 23);
	for (i = 76; i < body_bytes - 2; i += 78)
		memcpy(body + i, "\r\n", 2);
	memcpy(body + body_bytes - 2, "\r\n.\r\n", 5);
}

int
main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct conn *all, *c;
	double began;
	int count, i;

	if (argc != 8)
		errx(2, "usage: benchsource PORT CONNECTIONS MESSAGES "
		    "RECIPIENTS DOMAINS BODY_BYTES MESSAGES_PER_CONNECTION");
	port = (int)strtol(argv[1], NULL, 10);
	connections = (int)strtol(argv[2], NULL, 10);
	messages = strtol(argv[3], NULL, 10);
	recipients = (int)strtol(argv[4], NULL, 10);
	domains = (int)strtol(argv[5], NULL, 10);
	body_bytes = strtol(argv[6], NULL, 10);
	per_connection = strtol(argv[7], NULL, 10);
	make_body();
	(void)signal(SIGPIPE, SIG_IGN);
	epoll_fd = epoll_create1(0);
	all = calloc((size_t)connections, sizeof(*all));
	if (all == NULL)
		err(1, "calloc");
	began = now();
	for (i = 0; i < connections; i++) {
		all[i].index = i;
		open_conn(&all[i]);
	}
	while (finished < messages) {
		count = epoll_wait(epoll_fd, events, 256, 60000);
		if (count == 0)
			errx(1, "no answer for 60 s");
		for (i = 0; i < count; i++) {
			c = events[i].data.ptr;
			if ((events[i].events & EPOLLOUT) != 0 &&
			    flush(c) < 0)
				reopen(c);
			else if ((events[i].events & ~EPOLLOUT) != 0 &&
			    on_input(c) < 0)
				reopen(c);
		}
	}
	report(began);
	return 0;
}

static void
open_conn(struct conn *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		err(1, "socket");
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	from.sin_addr.s_addr = htonl(0x7f010001U +
	    (uint32_t)(c->index % SOURCES));
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		err(1, "bind");
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	c->step = BANNER;
	c->awaited = 1;
	c->refused = 0;
	c->blocked = 0;
	c->sent_here = 0;
	c->input_length = 0;
	c->head_length = c->sent = 0;
	watch(c, EPOLL_CTL_ADD, EPOLLIN);
}

/* The connection ended; a message that was under way counts as broken. */
static void
reopen(struct conn *c)
{
	(void)close(c->fd);
	if (c->step == ENVELOPE || c->step == CONTENT) {
		broken++;
		finished++;
	}
	if (c->step == BANNER && ++failures > 1000)
		errx(1, "no banner, time and again");
	if (next_id < messages)
		open_conn(c);
}

static int
on_input(struct conn *c)
{
	char *begin = c->input, *end;
	ssize_t got;
	size_t left;

	got = recv(c->fd, c->input + c->input_length, INPUT - c->input_length,
	    0);
	if (got < 0)
		return errno == EAGAIN ? 0 : -1;
	if (got == 0)
		return -1;
	left = c->input_length + (size_t)got;
	while ((end = memchr(begin, '\n', left)) != NULL) {
		if (on_reply(c, begin) < 0)
			return -1;
		left -= (size_t)(end + 1 - begin);
		begin = end + 1;
	}
	memmove(c->input, begin, left);
	c->input_length = left;
	return left == INPUT ? -1 : 0;
}

static int
on_reply(struct conn *c, const char *line)
{
	if (line[3] == '-')
		return 0;
	if (line[0] != '2' && line[0] != '3') {
		if (refused + c->refused == 0)
			warnx("refused: %.60s", line);
		c->refused++;
	}
	if (--c->awaited > 0)
		return 0;
	return next_step(c);
}

static int
next_step(struct conn *c)
{
	switch (c->step) {
	case BANNER:
		if (c->refused > 0)
			return -1;
		begin_step(c, HELLO, 1, "EHLO bench.test\r\n");
		return flush(c);
	case HELLO:
		return send_envelope(c);
	case ENVELOPE:
		return c->refused > 0 ? -1 : send_content(c);
	case CONTENT:
		waits[finished++] = (float)(now() - c->began);
		if (c->refused > 0)
			refused++;
		else
			acknowledged++;
		c->sent_here++;
		return send_envelope(c);
	case GOODBYE:
		return -1;
	}
	return -1;
}

static void
begin_step(struct conn *c, enum step step, int awaited, const char *head)
{
	c->step = step;
	c->awaited = awaited;
	c->refused = 0;
	c->sent = 0;
	c->head_length = (size_t)snprintf(c->head, HEAD, "%s", head);
}

static int
send_envelope(struct conn *c)
{
	int i;

	if (next_id == messages || c->sent_here == per_connection) {
		begin_step(c, GOODBYE, 1, "QUIT\r\n");
		return flush(c);
	}
	c->id = next_id++;
	c->began = now();
	begin_step(c, ENVELOPE, recipients + 2,
	    "MAIL FROM:<s@bench.test>\r\n");
	for (i = 0; i < recipients; i++)
		c->head_length += (size_t)snprintf(c->head + c->head_length,
		    HEAD - c->head_length, "RCPT TO:<r%d@d%d.bench.test>\r\n",
		    i, i % domains);
	c->head_length += (size_t)snprintf(c->head + c->head_length,
	    HEAD - c->head_length, "DATA\r\n");
	return flush(c);
}

static int
send_content(struct conn *c)
{
	begin_step(c, CONTENT, 1, "");
	c->head_length = (size_t)snprintf(c->head, HEAD,
	    "From: <s@bench.test>\r\nTo: <r0@d0.bench.test>\r\n"
	    "Message-ID: <%ld@bench.test>\r\nSubject: bench %ld\r\n"
	    "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n", c->id, c->id);
	return flush(c);
}

/* Write on; what the socket does not take waits for EPOLLOUT. */
static int
flush(struct conn *c)
{
	size_t total = c->head_length, skip;
	struct iovec parts[2];
	ssize_t put;

	if (c->step == CONTENT)
		total += body_length;
	while (c->sent < total) {
		skip = c->sent < c->head_length ? c->sent : c->head_length;
		parts[0].iov_base = c->head + skip;
		parts[0].iov_len = c->head_length - skip;
		parts[1].iov_base = body + (c->sent - skip);
		parts[1].iov_len = total - skip - parts[0].iov_len -
		    (c->sent - skip);
		put = writev(c->fd, parts, 2);
		if (put < 0 && errno != EAGAIN)
			return -1;
		if (put < 0) {
			watch(c, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			c->blocked = 1;
			return 0;
		}
		c->sent += (size_t)put;
	}
	if (c->blocked)
		watch(c, EPOLL_CTL_MOD, EPOLLIN);
	c->blocked = 0;
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const float *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
report(double began)
{
	long count = acknowledged + refused;

	qsort(waits, (size_t)count, sizeof(*waits), compare);
	(void)printf("{\"acknowledged\": %ld, \"refused\": %ld, "
	    "\"broken\": %ld, \"began\": %.6f, \"ended\": %.6f, "
	    "\"wait_median_ms\": %.3f, \"wait_99_ms\": %.3f}\n",
	    acknowledged, refused, broken, began, now(),
	    count > 0 ? 1e3 * (double)waits[count / 2] : 0,
	    count > 0 ? 1e3 * (double)waits[count * 99 / 100] : 0);
}
