#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/obj.h"
#include "net/loop_priv.h"
#include "net/stream_priv.h"

#define STREAM_CONNECT_MAGIC 0x10091a06u
#define STREAM_LINGER_MAGIC  0x10091a07u

enum { LINGER_MS = 2000, LINGER_MAX = 4 * 1024 * 1024 };

struct stream_connect {
	unsigned magic;
	int fd; /* -1: failed, or handed on */
	bool over;
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer timer;
	stream_connected *fn;
	void *arg;
	struct err why;
};

struct lingerer {
	unsigned magic;
	int fd;
	size_t got;
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer timer;
	struct loop_orphan orphan;
};

static void connect_ready(void *arg, int fd, unsigned what);
static void connect_late(void *arg);
static void connect_failed(void *arg);
static void connect_end(struct stream_connect *c);
static void connect_free(void *arg);
static void linger_ready(void *arg, int fd, unsigned what);
static void linger_late(void *arg);
static void linger_end(struct loop_orphan *o);

struct stream_connect *
stream_connect(struct loop *l, const struct sock_addr *to,
    const struct sock_addr *from, msec timeout, stream_connected *fn, void *arg)
{
	struct stream_connect *c;

	OBJ_NEW(c, STREAM_CONNECT_MAGIC);
	c->loop = l;
	c->fn = fn;
	c->arg = arg;
	c->fd = -1;
	loop_timer_init(l, &c->timer, connect_late, c);
	if (sock_connect(to, from, &c->fd, &c->why) < 0) {
		loop_defer(l, connect_failed, c);
		return c;
	}
	c->watch = loop_fd_start(l, c->fd, LOOP_WRITE, connect_ready, c);
	loop_timer_set(&c->timer, timeout);
	return c;
}

void
stream_connect_cancel(struct stream_connect **cp)
{
	struct stream_connect *c = *cp;

	if (c == NULL)
		return;
	OBJ_CHECK(c, STREAM_CONNECT_MAGIC);
	*cp = NULL;
	file_close(&c->fd);
	connect_end(c);
}

void
stream_linger(struct loop *l, int fd)
{
	struct lingerer *g;

	OBJ_NEW(g, STREAM_LINGER_MAGIC);
	g->fd = fd;
	g->loop = l;
	g->orphan.end = linger_end;
	loop_adopt(l, &g->orphan);
	loop_timer_init(l, &g->timer, linger_late, g);
	loop_timer_set(&g->timer, LINGER_MS);
	g->watch = loop_fd_start(l, fd, LOOP_READ, linger_ready, g);
}

static void
connect_ready(void *arg, int fd, unsigned what)
{
	struct stream_connect *c;
	socklen_t len = sizeof(int);
	struct stream *s;
	int error = 0;

	(void)what;
	OBJ_CAST(c, arg, STREAM_CONNECT_MAGIC);
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error != 0) {
		(void)err_set(&c->why, 451, "4.4.1", "%s", strerror(error));
		connect_failed(c);
		return;
	}
	c->fd = -1;
	connect_end(c);
	s = stream_new(c->loop, fd, STREAM_IN_MAX, NULL, NULL);
	c->fn(c->arg, s, NULL);
}

static void
connect_late(void *arg)
{
	struct stream_connect *c;

	OBJ_CAST(c, arg, STREAM_CONNECT_MAGIC);
	(void)err_set(&c->why, 451, "4.4.1", "Connection timed out");
	connect_failed(c);
}

static void
connect_failed(void *arg)
{
	struct stream_connect *c;

	OBJ_CAST(c, arg, STREAM_CONNECT_MAGIC);
	if (c->over)
		return;
	file_close(&c->fd);
	connect_end(c);
	c->fn(c->arg, NULL, &c->why);
}

/* Deferred, so it comes behind a failure that was deferred before. */
static void
connect_end(struct stream_connect *c)
{
	c->over = true;
	loop_fd_stop(&c->watch);
	loop_timer_clear(&c->timer);
	loop_defer(c->loop, connect_free, c);
}

static void
connect_free(void *arg)
{
	struct stream_connect *c;

	OBJ_CAST(c, arg, STREAM_CONNECT_MAGIC);
	OBJ_FREE(c);
}

static void
linger_ready(void *arg, int fd, unsigned what)
{
	struct lingerer *g;
	ssize_t n;

	(void)what;
	OBJ_CAST(g, arg, STREAM_LINGER_MAGIC);
	n = recv(fd, loop_scratch(g->loop), LOOP_SCRATCH, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		g->got += (size_t)n;
	if (n <= 0 || g->got > LINGER_MAX)
		linger_late(g);
}

static void
linger_late(void *arg)
{
	struct lingerer *g;

	OBJ_CAST(g, arg, STREAM_LINGER_MAGIC);
	loop_disown(g->loop, &g->orphan);
	linger_end(&g->orphan);
}

static void
linger_end(struct loop_orphan *o)
{
	struct lingerer *g = COLL_OF(o, struct lingerer, orphan);

	OBJ_CHECK(g, STREAM_LINGER_MAGIC);
	loop_fd_stop(&g->watch);
	loop_timer_clear(&g->timer);
	file_close(&g->fd);
	OBJ_FREE(g);
}
