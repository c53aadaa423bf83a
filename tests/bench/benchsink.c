/*
 * A receiving server for measurements. It takes everything at the speed of one
 * core and accounts for every message and recipient: which came, which came
 * again, and which body had not the length it should have.
 *
 *	benchsink [-r] [-c CERTIFICATE -k KEY] PORT MESSAGES RECIPIENTS
 *	    BODY_BYTES
 *
 * With a certificate it offers STARTTLS, with -r sessions to resume as well.
 * It listens on 127.0.0.1 to 127.0.0.20. Messages carry "Subject: bench ID"
 * and go to rN@anywhere. It says "done" when all have arrived and, on SIGTERM,
 * prints its account as JSON; what is late or doubled until then counts.
 */

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum {
	ADDRESSES = 20,
	BUFFER = 131072,
	REPLIES = 16384,
	RECIPIENTS_MAX = 100,
	FDS = 65536,
};

enum state { COMMAND, HEADER, BODY };

struct conn {
	struct wire wire;
	bool starting;		/* STARTTLS was said, and is answered */
	bool shaking;
	enum state state;
	size_t length;		/* of what buffer holds */
	size_t reply_length;
	int recipients;
	int recipient[RECIPIENTS_MAX];
	long id;
	long body;		/* bytes seen of it */
	char reply[REPLIES];	/* from here on a new one is not cleared */
	char buffer[BUFFER + 1];
};

static struct conn *conns[FDS];
static uint8_t *seen;		/* by message and recipient */
static long messages, recipients, body_bytes;
static long arrived, doubled, damaged, strange, transactions, connections;
static long open_now, open_peak;
static double first_time, last_time;
static int epoll_fd;
static long handshakes, resumed;
static SSL_CTX *tls;
static volatile sig_atomic_t stopping;

static void	accept_all(int listener);
static int	read_more(struct conn *c);
static int	reply_all(struct conn *c);
static int	shake(struct conn *c);
static void	take(struct conn *c);
static size_t	take_command(struct conn *c, const char *line, size_t length);
static size_t	take_header(struct conn *c, const char *text, size_t length);
static size_t	take_body(struct conn *c, const char *text, size_t length);
static void	finish(struct conn *c);
static void	answer(struct conn *c, const char *text);
static void	report(void);

static double
now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void
watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		err(1, "epoll_ctl");
}

static int
listen_on(int last_octet, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd, on = 1;

	address.sin_port = htons((uint16_t)port);
	address.sin_addr.s_addr = htonl(0x7f000000U + (uint32_t)last_octet);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 4096) != 0)
		err(1, "127.0.0.%d:%d", last_octet, port);
	watch(fd);
	return fd;
}

static void
raise_limit(void)
{
	struct rlimit limit;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
serve(int first_listener, int last_listener)
{
	struct epoll_event events[256];
	int count, fd, i;

	while (!stopping) {
		count = epoll_wait(epoll_fd, events, 256, -1);
		for (i = 0; i < count; i++) {
			fd = events[i].data.fd;
			if (fd >= first_listener && fd <= last_listener) {
				accept_all(fd);
			} else if (read_more(conns[fd]) < 0) {
				wire_close(&conns[fd]->wire);
				free(conns[fd]);
				conns[fd] = NULL;
				open_now--;
			}
		}
	}
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	const char *cert = NULL, *key = NULL;
	int first = -1, i, last = -1, option, port;
	bool resume = false;

	while ((option = getopt(argc, argv, "rc:k:")) != -1) {
		if (option == 'r')
			resume = true;
		else if (option == 'c')
			cert = optarg;
		else if (option == 'k')
			key = optarg;
		else
			return 2;
	}
	argv += optind - 1;
	if (argc - optind != 4)
		errx(2, "usage: benchsink [-r] [-c CERTIFICATE -k KEY] PORT "
		    "MESSAGES RECIPIENTS BODY_BYTES");
	if (cert != NULL && key != NULL)
		tls = wire_server(cert, key, resume);
	port = (int)strtol(argv[1], NULL, 10);
	messages = strtol(argv[2], NULL, 10);
	recipients = strtol(argv[3], NULL, 10);
	body_bytes = strtol(argv[4], NULL, 10);
	seen = calloc((size_t)messages, (size_t)recipients);
	if (seen == NULL)
		err(1, "calloc");
	(void)sigaction(SIGTERM, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	raise_limit();
	epoll_fd = epoll_create1(0);
	for (i = 1; i <= ADDRESSES; i++) {
		last = listen_on(i, port);
		if (first < 0)
			first = last;
	}
	(void)puts("ready");
	(void)fflush(stdout);
	serve(first, last);
	report();
	return 0;
}

static void
accept_all(int listener)
{
	struct conn *c;
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= FDS)
			errx(1, "too many connections");
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		c = malloc(sizeof(*c));
		if (c == NULL)
			err(1, "malloc");
		memset(c, 0, offsetof(struct conn, reply));
		c->wire.fd = fd;
		conns[fd] = c;
		connections++;
		if (++open_now > open_peak)
			open_peak = open_now;
		watch(fd);
		(void)send(fd, "220 benchsink\r\n", 15, MSG_NOSIGNAL);
	}
}

/* Of clear text what is left in the socket comes again; what TLS has taken
 * out of it does not. */
static int
read_more(struct conn *c)
{
	ssize_t got;

	do {
		if (c->shaking && shake(c) != 1)
			return c->shaking ? 0 : -1;
		got = wire_recv(&c->wire, c->buffer + c->length,
		    BUFFER - c->length);
		if (got < 0)
			return errno == EAGAIN ? 0 : -1;
		if (got == 0)
			return -1;
		c->length += (size_t)got;
		take(c);
		if (reply_all(c) < 0 || c->length == BUFFER)
			return -1;
	} while (c->wire.ssl != NULL);
	return 0;
}

static int
reply_all(struct conn *c)
{
	if (c->reply_length > 0 && wire_send(&c->wire, c->reply,
	    c->reply_length) != (ssize_t)c->reply_length)
		return -1;
	c->reply_length = 0;
	if (c->starting) {
		c->starting = false;
		c->shaking = true;
		wire_secure(&c->wire, tls, true);
	}
	return 0;
}

/* As wire_shake(). */
static int
shake(struct conn *c)
{
	int done = wire_shake(&c->wire);

	if (done == 0)
		return 0;
	c->shaking = false;
	if (done == 1) {
		handshakes++;
		resumed += wire_resumed(&c->wire);
	}
	return done;
}

/* Consume what is complete; what is not waits for more bytes. */
static void
take(struct conn *c)
{
	char *text = c->buffer;
	size_t left = c->length, used;

	do {
		used = 0;
		switch (c->state) {
		case COMMAND:
			used = take_command(c, text, left);
			break;
		case HEADER:
			used = take_header(c, text, left);
			break;
		case BODY:
			used = take_body(c, text, left);
			break;
		}
		text += used;
		left -= used;
	} while (used > 0);
	memmove(c->buffer, text, left);
	c->length = left;
}

static bool
begins(const char *line, size_t length, const char *word)
{
	return length >= strlen(word) &&
	    strncasecmp(line, word, strlen(word)) == 0;
}

static size_t
take_command(struct conn *c, const char *line, size_t length)
{
	const char *end = memchr(line, '\n', length), *name;

	if (end == NULL)
		return 0;
	length = (size_t)(end - line) + 1;
	if (begins(line, length, "EHLO")) {
		answer(c, tls == NULL || c->wire.ssl != NULL ?
		    "250-benchsink\r\n" : "250-benchsink\r\n250-STARTTLS\r\n");
		answer(c, "250-PIPELINING\r\n"
		    "250-SIZE 200000000\r\n250-8BITMIME\r\n"
		    "250 ENHANCEDSTATUSCODES\r\n");
	} else if (begins(line, length, "RCPT TO:<r")) {
		name = line + strlen("RCPT TO:<r");
		if (c->recipients < RECIPIENTS_MAX)
			c->recipient[c->recipients++] =
			    (int)strtol(name, NULL, 10);
		answer(c, "250 2.1.5 ok\r\n");
	} else if (begins(line, length, "DATA")) {
		c->state = HEADER;
		c->id = -1;
		answer(c, "354 go\r\n");
	} else if (begins(line, length, "STARTTLS") && tls != NULL) {
		answer(c, "220 2.0.0 go\r\n");
		c->starting = true;
	} else if (begins(line, length, "QUIT")) {
		answer(c, "221 2.0.0 bye\r\n");
	} else {
		if (begins(line, length, "MAIL"))
			c->recipients = 0;
		answer(c, "250 2.0.0 ok\r\n");
	}
	return length;
}

static size_t
take_header(struct conn *c, const char *text, size_t length)
{
	static const char subject[] = "\nSubject: bench ";
	const char *end, *found;

	end = memmem(text, length, "\r\n\r\n", 4);
	if (end == NULL)
		return 0;
	found = memmem(text, (size_t)(end - text), subject,
	    sizeof(subject) - 1);
	if (found != NULL)
		c->id = strtol(found + sizeof(subject) - 1, NULL, 10);
	c->state = BODY;
	c->body = -2;	/* the CRLF before it, which may begin the final dot */
	return (size_t)(end - text) + 2;
}

static size_t
take_body(struct conn *c, const char *text, size_t length)
{
	const char *end = memmem(text, length, "\r\n.\r\n", 5);

	if (end == NULL) {
		if (length <= 4)
			return 0;
		c->body += (long)length - 4;
		return length - 4;
	}
	c->body += end - text + 2;
	finish(c);
	c->state = COMMAND;
	return (size_t)(end - text) + 5;
}

static void
finish(struct conn *c)
{
	uint8_t *mark;
	int i;

	last_time = now();
	if (transactions++ == 0)
		first_time = last_time;
	if (c->body != body_bytes)
		damaged++;
	for (i = 0; i < c->recipients; i++) {
		if (c->id < 0 || c->id >= messages ||
		    c->recipient[i] >= recipients) {
			strange++;
			continue;
		}
		mark = &seen[c->id * recipients + c->recipient[i]];
		if (*mark != 0)
			doubled++;
		else if (++arrived == messages * recipients) {
			(void)printf("done %.6f\n", last_time);
			(void)fflush(stdout);
		}
		*mark = 1;
	}
	answer(c, "250 2.0.0 taken\r\n");
}

static void
answer(struct conn *c, const char *text)
{
	size_t length = strlen(text);

	if (c->reply_length + length > REPLIES)
		errx(1, "a client that reads no replies");
	memcpy(c->reply + c->reply_length, text, length);
	c->reply_length += length;
}

static void
report(void)
{
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	(void)printf("{\"arrived\": %ld, \"lost\": %ld, \"doubled\": %ld, "
	    "\"damaged\": %ld, \"strange\": %ld, \"transactions\": %ld, "
	    "\"connections\": %ld, \"open_peak\": %ld, "
	    "\"handshakes\": %ld, \"resumed\": %ld, \"cpu\": %.3f, "
	    "\"first\": %.6f, \"last\": %.6f}\n",
	    arrived, messages * recipients - arrived,
	    doubled, damaged, strange, transactions, connections, open_peak,
	    handshakes, resumed, wire_seconds(&used), first_time,
	    last_time);
	(void)fflush(stdout);
}
