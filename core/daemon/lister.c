#include "daemon/lister_priv.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/obj.h"

#define LISTER_MAGIC 0x115e4001u
#define PATIENCE SECONDS(20)
#define TEXT_MAX (1024 * 1024) /* of a chain or key */

struct lister {
	unsigned magic;
	struct loop *loop;
	const struct epoch *e;
	pid_t pid; /* 0: reaped, or none of ours */
	int status;
	int fd;
	struct loop_fd *watch;
	struct loop_timer late;
	bool over, is_late, nonsense;
	struct certlist *list;
	/* whose turn it is; "": nobody's */
	char place[512], instance[128];
	unsigned at;
	bool asks;
	struct err why;
	lister_fn *fn;
	void *arg;
};

struct ran {
	bool done;
	struct certlist *list;
	struct err why;
	bool failed;
};

static void	on_message(void *, int, unsigned);
static bool	take_next(struct lister *);
static bool	take(struct lister *, char *, size_t, int *, unsigned);
static void	take_cert(struct lister *, const char *const *, int *,
		    unsigned);
static void	say_line(const char *, const char *);
static bool	sane(int);
static void	fails(struct lister *, const char *);
static void	on_late(void *);
static void	finish(struct lister *);
static void	judge(struct lister *);
static void	tell(void *);
static void	end_child(struct lister *);
static void	ran(void *, struct certlist *, const struct err *);

int
lister_start(struct lister **lp_r, struct loop *loop, const struct epoch *e,
    lister_fn *fn, void *arg, struct err *why)
{
	pid_t parent = getpid(), pid;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
		return err_errno(why, "socketpair");
	log_flush();
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		lister_child(e, fds[1], parent);
	}
	(void)close(fds[1]);
	if (pid == -1) {
		(void)err_errno(why, "fork");
		(void)close(fds[0]);
		return -1;
	}
	*lp_r = lister_hear(loop, e, fds[0], fn, arg);
	(*lp_r)->pid = pid;
	return 0;
}

struct lister *
lister_hear(struct loop *loop, const struct epoch *e, int fd, lister_fn *fn,
    void *arg)
{
	struct lister *l;

	OBJ_NEW(l, LISTER_MAGIC);
	l->loop = loop;
	l->e = e;
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	l->list = certlist_new();
	l->watch = loop_fd_start(loop, l->fd, LOOP_READ, on_message, l);
	loop_timer_init(loop, &l->late, on_late, l);
	loop_timer_set(&l->late, PATIENCE);
	return l;
}

int
lister_run(const struct epoch *e, struct certlist **list_r, struct err *why)
{
	struct loop *loop = loop_new();
	struct ran r = { .done = false };
	struct lister *l = NULL;
	int ret;

	ret = lister_start(&l, loop, e, ran, &r, why);
	while (ret == 0 && !r.done)
		loop_once(loop, true);
	loop_destroy(&loop);
	*list_r = ret == 0 ? r.list : certlist_new();
	if (ret == 0 && r.failed) {
		*why = r.why;
		ret = -1;
	}
	if (certlist_settle(*list_r, NULL, ret == 0 ? why : NULL) != 0)
		ret = -1;
	return ret;
}

static void
ran(void *arg, struct certlist *list, const struct err *why)
{
	struct ran *r = arg;

	r->done = true;
	r->list = list;
	r->failed = why != NULL;
	if (why != NULL)
		r->why = *why;
}

static void
on_message(void *arg, int fd, unsigned what)
{
	struct lister *l;

	OBJ_CAST(l, arg, LISTER_MAGIC);
	(void)fd;
	(void)what;
	while (!l->over && take_next(l))
		;
}

/* False: there is nothing now, or it is over. */
static bool
take_next(struct lister *l)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	char msg[LISTER_MSG_MAX + 1];
	struct iovec iov = { .iov_base = msg, .iov_len = LISTER_MSG_MAX };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room) };
	int fds[2] = { -1, -1 };
	struct cmsghdr *c;
	unsigned n = 0;
	ssize_t got;
	bool on;

	got = recvmsg(l->fd, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (got <= 0) {
		finish(l);
		return false;
	}
	c = CMSG_FIRSTHDR(&h);
	if (c != NULL && c->cmsg_type == SCM_RIGHTS) {
		n = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	msg[got] = '\0';
	on = (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
	    take(l, msg, (size_t)got, fds, n);
	file_close(&fds[0]);
	file_close(&fds[1]);
	if (on)
		return true;
	l->nonsense = !l->over;
	finish(l);
	return false;
}

/* False: it is over, or makes no sense. */
static bool
take(struct lister *l, char *msg, size_t len, int *fds, unsigned n)
{
	const char *f[LISTER_FIELDS] = { "", "", "", "" };
	struct err why = ERR_INIT;
	char *p = msg + 1, *end = msg + len;
	unsigned i;
	uint64_t at;

	for (i = 0; i < LISTER_FIELDS && p < end; i++) {
		f[i] = p;
		p += strlen(p) + 1;
	}
	switch ((enum lister_say)msg[0]) {
	case LISTER_LOADS:
		(void)str_copy(l->place, sizeof(l->place), str_c(f[0]));
		l->asks = false;
		return true;
	case LISTER_ASKS:
		if (num_u64(str_c(f[1]), UINT32_MAX, &at) != 0 ||
		    f[2][0] == '\0')
			return false;
		(void)str_copy(l->place, sizeof(l->place), str_c(f[0]));
		(void)str_copy(l->instance, sizeof(l->instance), str_c(f[2]));
		l->at = (unsigned)at;
		l->asks = true;
		return true;
	case LISTER_CERT:
		if (l->asks)
			take_cert(l, f, fds, n);
		return true;
	case LISTER_WATCH:
		if (l->asks && certlist_watch(l->list, l->instance, l->at, f[0],
		    &why) != 0)
			fails(l, why.text);
		return true;
	case LISTER_TOLD:
		if (l->asks)
			certlist_told(l->list, l->instance, l->at);
		l->asks = false;
		l->place[0] = '\0';
		return true;
	case LISTER_FAILS:
		fails(l, f[0]);
		return true;
	case LISTER_LOGS:
		say_line(f[0], f[1]);
		return true;
	case LISTER_DONE:
		l->place[0] = '\0';
		l->over = true;
		return false;
	}
	return false;
}

static void
take_cert(struct lister *l, const char *const *f, int *fds, unsigned n)
{
	struct certlist_row row = { .store = l->instance, .at = l->at,
		.name = f[0], .chain_fd = -1, .key_fd = -1 };
	struct err why = ERR_INIT;
	unsigned i = 0;

	if (f[1][0] != '\0')
		row.chain = f[1];
	else if (i < n && sane(fds[i]))
		row.chain_fd = fds[i++];
	if (f[2][0] != '\0')
		row.key = f[2];
	else if (i < n && sane(fds[i]))
		row.key_fd = fds[i++];
	if (certlist_add(l->list, &row, &why) != 0)
		fails(l, why.text);
	while (i > 0)
		fds[--i] = -1; /* the list's */
}

/* Whoever had to do with a stranger's code may send anything. */
static bool
sane(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= TEXT_MAX;
}

static void
say_line(const char *level, const char *text)
{
	uint64_t n;

	if (num_u64(str_c(level), LOG_LV_TRACE, &n) == 0)
		log_at((enum log_level)n, "%s", text);
}

/* The first one is told; its store has not told all. */
static void
fails(struct lister *l, const char *text)
{
	if (l->why.text[0] == '\0' && l->asks)
		(void)err_text(&l->why, "%s:%s: %.500s", epoch_file(l->e),
		    l->place, text);
	else if (l->why.text[0] == '\0')
		(void)err_text(&l->why, "%.900s", text);
	l->asks = false;
	l->place[0] = '\0';
}

static void
on_late(void *arg)
{
	struct lister *l;

	OBJ_CAST(l, arg, LISTER_MAGIC);
	l->is_late = true;
	finish(l);
}

bool
lister_ended(struct lister *l, pid_t pid, int status)
{
	if (l == NULL || l->pid != pid)
		return false;
	OBJ_CHECK(l, LISTER_MAGIC);
	l->pid = 0;
	l->status = status;
	/* A process that a plugin left behind may keep the socket open. */
	on_message(l, l->fd, LOOP_READ);
	finish(l);
	return true;
}

/* Nothing more is expected of it. */
static void
finish(struct lister *l)
{
	if (l->watch == NULL)
		return;
	loop_fd_stop(&l->watch);
	loop_timer_clear(&l->late);
	end_child(l);
	judge(l);
	loop_defer(l->loop, tell, l);
}

static void
end_child(struct lister *l)
{
	pid_t r;

	if (l->pid == 0)
		return;
	(void)kill(l->pid, SIGKILL);
	while ((r = waitpid(l->pid, &l->status, 0)) == -1 && errno == EINTR)
		;
	l->pid = 0;
}

static void
judge(struct lister *l)
{
	const char *file = epoch_file(l->e);
	const char *what = l->asks ? "asked for its certificates" : "loaded";
	const char *where = l->place[0] != '\0' ? l->place : " plugins";
	int s = l->status;
	bool late = l->is_late && WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL;

	if (l->over || l->why.text[0] != '\0')
		return;
	if (late && l->asks)
		(void)err_text(&l->why, "%s:%s: it took more than %d s to name "
		    "its certificates", file, where, (int)(PATIENCE / 1000));
	else if (late)
		(void)err_text(&l->why, "%s:%s: it took more than %d s to load",
		    file, where, (int)(PATIENCE / 1000));
	else if (!l->nonsense && WIFSIGNALED(s))
		(void)err_text(&l->why, "%s:%s: signal %d (%s) while it was %s",
		    file, where, WTERMSIG(s), strsignal(WTERMSIG(s)), what);
	else if (!l->nonsense && WIFEXITED(s) && WEXITSTATUS(s) == 0)
		(void)err_text(&l->why, "%s:%s: its process ended without a "
		    "word", file, where);
	else if (!l->nonsense && WIFEXITED(s))
		(void)err_text(&l->why, "%s:%s: ended the process with status "
		    "%d while it was %s", file, where, WEXITSTATUS(s), what);
	else
		(void)err_text(&l->why, "%s:%s: what it said while it was %s "
		    "makes no sense", file, where, what);
}

static void
tell(void *arg)
{
	struct certlist *list;
	struct lister *l;
	struct err why;
	bool failed;
	lister_fn *fn;

	OBJ_CAST(l, arg, LISTER_MAGIC);
	list = l->list;
	why = l->why;
	failed = why.text[0] != '\0';
	fn = l->fn;
	arg = l->arg;
	file_close(&l->fd);
	OBJ_FREE(l);
	if (fn != NULL)
		fn(arg, list, failed ? &why : NULL);
	else
		certlist_destroy(&list);
}

void
lister_cancel(struct lister **lp)
{
	struct lister *l = *lp;

	if (l == NULL)
		return;
	OBJ_CHECK(l, LISTER_MAGIC);
	*lp = NULL;
	l->fn = NULL;
	finish(l);
}
