/*
 * A sending client for measurements, on one core.
 *
 *	benchsource [-hinrs] PORT CONNECTIONS MESSAGES RECIPIENTS DOMAINS
 *	    BODY_BYTES MESSAGES_PER_CONNECTION
 *
 * -s  STARTTLS is asked for, once EHLO has been answered
 * -i  TLS from the first octet
 * -r  sessions are resumed
 * -n  MESSAGES sessions without any message: banner, QUIT
 * -h  connections are made and then do nothing: "held" is printed when all
 *     are there; when standard input ends, every hundredth must still answer
 *
 * It pipelines MAIL, RCPT and DATA as mail servers do. Message ID goes from
 * s@bench.test to r0@d0.bench.test, r1@d1.bench.test ... with the subject
 * "bench ID". It ends when each message was answered, and prints as JSON how
 * many were acknowledged and how long an acknowledgement took.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum {
	HEAD = 8192,
	INPUT = 16384,
	CHUNK = 16384,		/* a record of TLS */
	FILES = 65536,
	AT_ONCE = 100,		/* below what a listener queues */
	SOURCES = 50,		/* client addresses 127.1.0.1 ... */
};

enum step { BANNER, HELLO, UPGRADE, ENVELOPE, CONTENT, GOODBYE, IDLE };

struct conn {
	struct wire wire;
	bool shaking;
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
static int held;
static long resumed;
static bool starttls, implicit, empty_sessions, hold;
static SSL_CTX *tls;
static char *body;
static size_t body_length;	/* with the final dot */
static float *waits;
static int epoll_fd;

static void	open_conn(struct conn *c);
static void	reopen(struct conn *c);
static int	on_input(struct conn *c);
static int	on_text(struct conn *c, ssize_t got);
static int	shake(struct conn *c);
static int	on_reply(struct conn *c, const char *line);
static int	next_step(struct conn *c);
static void	begin_step(struct conn *c, enum step step, int awaited,
		    const char *head);
static int	send_envelope(struct conn *c);
static int	send_content(struct conn *c);
static int	flush(struct conn *c);
static ssize_t	send_some(struct conn *c, size_t total);
static void	run(void);
static void	hold_all(struct conn *all);
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

	if (epoll_ctl(epoll_fd, operation, c->wire.fd, &event) != 0)
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

/* Returns the argument before the first that is no option. */
static char **
options(int argc, char **argv)
{
	bool resume = false;
	int option;

	while ((option = getopt(argc, argv, "hinrs")) != -1) {
		switch (option) {
		case 'h':
			hold = true;
			break;
		case 'i':
			implicit = true;
			break;
		case 'n':
			empty_sessions = true;
			break;
		case 'r':
			resume = true;
			break;
		case 's':
			starttls = true;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind != 7)
		errx(2, "usage: benchsource [-hinrs] PORT CONNECTIONS MESSAGES "
		    "RECIPIENTS DOMAINS BODY_BYTES MESSAGES_PER_CONNECTION");
	if (starttls || implicit)
		tls = wire_client(resume);
	return argv + optind - 1;
}

static void
raise_limit(void)
{
	struct rlimit limit;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < FILES)
		limit.rlim_max = FILES;		/* for root */
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int
main(int argc, char **argv)
{
	struct conn *all;
	double began;
	int i;

	argv = options(argc, argv);
	port = (int)strtol(argv[1], NULL, 10);
	connections = (int)strtol(argv[2], NULL, 10);
	messages = strtol(argv[3], NULL, 10);
	recipients = (int)strtol(argv[4], NULL, 10);
	domains = (int)strtol(argv[5], NULL, 10);
	body_bytes = strtol(argv[6], NULL, 10);
	per_connection = strtol(argv[7], NULL, 10);
	make_body();
	(void)signal(SIGPIPE, SIG_IGN);
	raise_limit();
	epoll_fd = epoll_create1(0);
	all = calloc((size_t)connections, sizeof(*all));
	if (all == NULL)
		err(1, "calloc");
	began = now();
	for (i = 0; i < connections; i++) {
		all[i].index = i;
		while (hold && i - held >= AT_ONCE)
			run();
		open_conn(&all[i]);
	}
	while (hold ? held < connections : finished < messages)
		run();
	if (hold)
		hold_all(all);
	else
		report(began);
	return 0;
}

static void
run(void)
{
	struct epoll_event events[256];
	struct conn *c;
	int count, i;

	count = epoll_wait(epoll_fd, events, 256, 60000);
	if (count == 0)
		errx(1, "no answer for 60 s");
	for (i = 0; i < count; i++) {
		c = events[i].data.ptr;
		if ((events[i].events & EPOLLOUT) != 0 && flush(c) < 0)
			reopen(c);
		else if ((events[i].events & ~EPOLLOUT) != 0 &&
		    on_input(c) < 0)
			reopen(c);
	}
}

static void
hold_all(struct conn *all)
{
	char text[100];
	int i;

	(void)puts("held");
	(void)fflush(stdout);
	while (fgets(text, sizeof(text), stdin) != NULL)
		;
	for (i = 0; i < connections; i += 100) {
		begin_step(&all[i], IDLE, 1, "NOOP\r\n");
		held--;
		if (flush(&all[i]) < 0)
			errx(1, "a connection is dead");
	}
	while (held < connections)
		run();
}

/* Those that are held come from as many addresses as there may be. */
static uint32_t
address(int index)
{
	if (hold)
		return 0x7f010001U + (uint32_t)(index / 200 % 250) * 256 +
		    (uint32_t)(index % 200);
	return 0x7f010001U + (uint32_t)(index % SOURCES);
}

static void
open_conn(struct conn *c)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int on = 1;

	c->wire.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->wire.fd < 0)
		err(1, "socket");
	(void)setsockopt(c->wire.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(c->wire.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	from.sin_addr.s_addr = htonl(address(c->index));
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(c->wire.fd, (struct sockaddr *)&from, sizeof(from)) != 0)
		err(1, "bind");
	if (connect(c->wire.fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	if (empty_sessions) {
		c->id = next_id++;
		c->began = now();
	}
	c->shaking = implicit;
	if (implicit)
		wire_secure(&c->wire, tls, false);
	c->step = BANNER;
	c->awaited = 1;
	c->refused = 0;
	c->blocked = 0;
	c->sent_here = 0;
	c->input_length = 0;
	c->head_length = c->sent = 0;
	/* Writable: connected, so that a handshake can begin. */
	watch(c, EPOLL_CTL_ADD, implicit ? EPOLLIN | EPOLLOUT : EPOLLIN);
	c->blocked = implicit;
}

/* The connection ended; a message that was under way counts as broken. */
static void
reopen(struct conn *c)
{
	wire_close(&c->wire);
	if (hold)
		errx(1, "a connection was closed");
	if (c->step == ENVELOPE || c->step == CONTENT ||
	    (empty_sessions && !(c->step == GOODBYE && c->awaited == 0))) {
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
	ssize_t got;

	do {
		if (c->shaking && shake(c) != 1)
			return c->shaking ? 0 : -1;
		got = wire_recv(&c->wire, c->input + c->input_length,
		    INPUT - c->input_length);
		if (got < 0)
			return errno == EAGAIN ? 0 : -1;
		if (got == 0 || on_text(c, got) < 0)
			return -1;
	} while (c->wire.ssl != NULL);
	return 0;
}

/* As wire_shake(). Behind STARTTLS, EHLO comes again. */
static int
shake(struct conn *c)
{
	int done = wire_shake(&c->wire);

	if (done == 0)
		return 0;
	c->shaking = false;
	if (done < 0)
		return -1;
	resumed += wire_resumed(&c->wire);
	if (implicit)
		return 1;
	begin_step(c, HELLO, 1, "EHLO bench.test\r\n");
	return flush(c) < 0 ? -1 : 1;
}

static int
on_text(struct conn *c, ssize_t got)
{
	char *begin = c->input, *end;
	size_t left;

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
		if (empty_sessions)
			begin_step(c, GOODBYE, 1, "QUIT\r\n");
		else
			begin_step(c, HELLO, 1, "EHLO bench.test\r\n");
		return flush(c);
	case HELLO:
		if (starttls && c->wire.ssl == NULL) {
			begin_step(c, UPGRADE, 1, "STARTTLS\r\n");
			return flush(c);
		}
		if (!hold)
			return send_envelope(c);
		begin_step(c, IDLE, 0, "");
		held++;
		return 0;
	case UPGRADE:
		if (c->refused > 0)
			return -1;
		wire_secure(&c->wire, tls, false);
		c->shaking = true;
		return wire_shake(&c->wire) < 0 ? -1 : 0;
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
		if (empty_sessions) {
			waits[finished++] = (float)(now() - c->began);
			acknowledged++;
		}
		return -1;
	case IDLE:
		held++;
		return 0;
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

/* A piece of head and body; as send(). */
static ssize_t
send_some(struct conn *c, size_t total)
{
	static char record[CHUNK];
	struct iovec parts[2];
	size_t skip, head;

	skip = c->sent < c->head_length ? c->sent : c->head_length;
	parts[0].iov_base = c->head + skip;
	parts[0].iov_len = head = c->head_length - skip;
	parts[1].iov_base = body + (c->sent - skip);
	parts[1].iov_len = total - skip - head - (c->sent - skip);
	if (c->wire.ssl == NULL)
		return writev(c->wire.fd, parts, 2);
	memcpy(record, parts[0].iov_base, head);
	if (parts[1].iov_len > CHUNK - head)
		parts[1].iov_len = CHUNK - head;
	memcpy(record + head, parts[1].iov_base, parts[1].iov_len);
	return wire_send(&c->wire, record, head + parts[1].iov_len);
}

/* Write on; what the socket does not take waits for EPOLLOUT. */
static int
flush(struct conn *c)
{
	size_t total = c->head_length;
	ssize_t put;

	if (c->shaking)
		total = 0;	/* connected: the first hello goes */
	else if (c->step == CONTENT)
		total += body_length;
	if (c->shaking && wire_shake(&c->wire) < 0)
		return -1;
	while (c->sent < total) {
		put = send_some(c, total);
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
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);

	qsort(waits, (size_t)count, sizeof(*waits), compare);
	(void)printf("{\"acknowledged\": %ld, \"refused\": %ld, "
	    "\"broken\": %ld, \"began\": %.6f, \"ended\": %.6f, "
	    "\"resumed\": %ld, \"cpu\": %.3f, "
	    "\"wait_median_ms\": %.3f, \"wait_99_ms\": %.3f}\n",
	    acknowledged, refused, broken, began, now(),
	    resumed, wire_seconds(&used),
	    count > 0 ? 1e3 * (double)waits[count / 2] : 0,
	    count > 0 ? 1e3 * (double)waits[count * 99 / 100] : 0);
}
