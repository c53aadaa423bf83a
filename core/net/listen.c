#include "net/listen.h"

#include <errno.h>
#include <netinet/tcp.h>

#include "base/obj.h"

#define LISTEN_MAGIC 0x10091a04u

enum { REST_MS = 1000 };

struct listen {
	unsigned magic;
	int fd;
	bool paused;
	struct loop *loop;
	struct loop_fd *watch;
	struct loop_timer rest;
	listen_fn *fn;
	void *arg;
};

static void listen_ready(void *arg, int fd, unsigned what);
static void listen_rested(void *arg);
static void listen_free(void *arg);

struct listen *
listen_start(struct loop *l, int fd, listen_fn *fn, void *arg)
{
	struct listen *ls;
	int on = 1;

	/* A socket the service manager made may lack it; accept() inherits. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	OBJ_NEW(ls, LISTEN_MAGIC);
	ls->fd = fd;
	ls->loop = l;
	ls->fn = fn;
	ls->arg = arg;
	loop_timer_init(l, &ls->rest, listen_rested, ls);
	ls->watch = loop_fd_start(l, fd, LOOP_READ, listen_ready, ls);
	return ls;
}

void
listen_pause(struct listen *ls)
{
	OBJ_CHECK(ls, LISTEN_MAGIC);
	ls->paused = true;
	loop_fd_change(ls->watch, 0);
}

void
listen_resume(struct listen *ls)
{
	OBJ_CHECK(ls, LISTEN_MAGIC);
	ls->paused = false;
	if (!loop_timer_armed(&ls->rest))
		loop_fd_change(ls->watch, LOOP_READ);
}

void
listen_stop(struct listen **lsp)
{
	struct listen *ls = *lsp;

	if (ls == NULL)
		return;
	OBJ_CHECK(ls, LISTEN_MAGIC);
	loop_fd_stop(&ls->watch);
	loop_timer_clear(&ls->rest);
	loop_defer(ls->loop, listen_free, ls);
	*lsp = NULL;
}

/* Another worker may have taken the connection: EAGAIN is everyday. */
static void
listen_ready(void *arg, int fd, unsigned what)
{
	struct sock_addr peer;
	struct listen *ls;
	int got;

	(void)what;
	OBJ_CAST(ls, arg, LISTEN_MAGIC);
	got = sock_accept(fd, &peer);
	if (got >= 0) {
		ls->fn(ls->arg, got, &peer);
		return;
	}
	if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS &&
	    errno != ENOMEM)
		return;
	loop_fd_change(ls->watch, 0);
	loop_timer_set(&ls->rest, REST_MS);
}

static void
listen_rested(void *arg)
{
	struct listen *ls;

	OBJ_CAST(ls, arg, LISTEN_MAGIC);
	if (!ls->paused)
		loop_fd_change(ls->watch, LOOP_READ);
}

static void
listen_free(void *arg)
{
	struct listen *ls;

	OBJ_CAST(ls, arg, LISTEN_MAGIC);
	OBJ_FREE(ls);
}
