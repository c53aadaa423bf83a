#include "daemon/ipc.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/obj.h"

#define IPC_MAGIC 0x19c00001u
#define IPC_MAX (64 * 1024)

struct ipc {
	unsigned magic;
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	ipc_fn *fn;
	void *arg;
};

union control {
	char room[CMSG_SPACE(sizeof(int) * IPC_FDS)];
	struct cmsghdr align;
};

static void	on_ready(void *, int, unsigned);
static int	add_text(const char *, size_t, void *);
static void	ipc_free(void *);

int
ipc_pair(int fd_r[2], struct err *why)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0, fd_r) != 0)
		return err_errno(why, "socketpair");
	return 0;
}

struct ipc *
ipc_new(struct loop *l, int fd, ipc_fn *fn, void *arg)
{
	struct ipc *i;

	OBJ_NEW(i, IPC_MAGIC);
	i->loop = l;
	i->fd = fd;
	i->fn = fn;
	i->arg = arg;
	i->watch = loop_fd_start(l, fd, LOOP_READ, on_ready, i);
	return i;
}

void
ipc_destroy(struct ipc **ip)
{
	struct ipc *i = *ip;

	if (i == NULL)
		return;
	OBJ_CHECK(i, IPC_MAGIC);
	*ip = NULL;
	if (i->watch != NULL)
		loop_fd_stop(&i->watch);
	file_close(&i->fd);
	i->fn = NULL;
	loop_defer(i->loop, ipc_free, i);
}

static void
ipc_free(void *arg)
{
	struct ipc *i;

	OBJ_CAST(i, arg, IPC_MAGIC);
	OBJ_FREE(i);
}

int
ipc_fd(const struct ipc *i)
{
	return i->fd;
}

int
ipc_send(struct ipc *i, json_t *msg, const int *fds, unsigned n,
    struct err *why)
{
	struct msghdr h = { 0 };
	union control c;
	struct cmsghdr *cm;
	struct iovec iov;
	struct buf text;
	int failed = 0;
	ssize_t r = -1;

	ASSERT(n <= IPC_FDS);
	buf_init(&text, IPC_MAX);
	if (json_dump_callback(msg, add_text, &text, JSON_COMPACT) != 0) {
		(void)err_text(why, "a message too long for a worker");
		goto out;
	}
	iov.iov_base = buf_p(&text);
	iov.iov_len = buf_len(&text);
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	if (n > 0) {
		memset(&c, 0, sizeof(c));
		h.msg_control = &c;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		cm = CMSG_FIRSTHDR(&h);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * n);
	}
	do {
		r = sendmsg(i->fd, &h, MSG_NOSIGNAL);
	} while (r == -1 && errno == EINTR);
	if (r == -1) {
		failed = errno;
		(void)err_errno(why, "sending to a process");
	}
out:
	buf_fini(&text);
	json_decref(msg);
	errno = failed;
	return r == -1 ? -1 : 0;
}

static int
add_text(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}

static void
on_ready(void *arg, int fd, unsigned what)
{
	struct msghdr h = { 0 };
	struct cmsghdr *cm;
	struct iovec iov;
	union control c;
	struct ipc *i;
	int fds[IPC_FDS];
	unsigned n = 0;
	char text[IPC_MAX];
	json_t *msg = NULL;
	ssize_t r;

	OBJ_CAST(i, arg, IPC_MAGIC);
	(void)what;
	iov.iov_base = text;
	iov.iov_len = sizeof(text);
	h.msg_iov = &iov;
	h.msg_iovlen = 1;
	h.msg_control = &c;
	h.msg_controllen = sizeof(c);
	r = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r <= 0) {
		loop_fd_stop(&i->watch);
		i->fn(i->arg, NULL, NULL, 0);
		return;
	}
	for (cm = CMSG_FIRSTHDR(&h); cm != NULL; cm = CMSG_NXTHDR(&h, cm)) {
		if (cm->cmsg_level == SOL_SOCKET &&
		    cm->cmsg_type == SCM_RIGHTS) {
			n = (unsigned)((cm->cmsg_len - CMSG_LEN(0)) /
			    sizeof(int));
			memcpy(fds, CMSG_DATA(cm), n * sizeof(int));
		}
	}
	if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		msg = json_loadb(text, (size_t)r, JSON_ALLOW_NUL, NULL);
	if (msg == NULL) {
		while (n > 0)
			(void)close(fds[--n]);
		return;
	}
	i->fn(i->arg, msg, fds, n);
	json_decref(msg);
}
