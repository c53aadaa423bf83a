#include "daemon/plugapart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/logs.h"

#define PATIENCE 20 /* seconds */
#define SAID_MAX (16 * 1024 * 1024)
#define LOOK_MS	 20	   /* has it ended? */
#define REFUSED	 '!'	   /* begins the line that tells why */
#define DONE	 "=done\n" /* ours: a plugin may have ended the process */

static void	child_run(const struct privs *, pid_t, plugapart_fn *, void *,
		    int) ATTR_NORETURN;
static int	listen_to(int, pid_t, struct buf *, int *);
static bool	is_done(struct plugapart *);
static int	judge(struct plugapart *, int, struct err *);

int
plugapart_run(struct plugapart *p, const struct privs *privs,
    plugapart_fn *fn, void *arg, struct err *why)
{
	pid_t pid, parent = getpid();
	int fds[2], status, r;

	*p = (struct plugapart){ .died = false };
	buf_init(&p->said, SAID_MAX);
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(why, "pipe");
	log_flush();
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		child_run(privs, parent, fn, arg, fds[1]);
	}
	(void)close(fds[1]);
	if (pid == -1) {
		(void)close(fds[0]);
		return err_errno(why, "fork");
	}
	r = listen_to(fds[0], pid, &p->said, &status);
	(void)close(fds[0]);
	return r == 0 ? judge(p, status, why) : err_errno(why, "waitpid");
}

/*
 * All that it says until it has ended. A process that a plugin left behind may
 * keep the pipe open for ever, and a plugin may have turned the alarm off.
 */
static int
listen_to(int fd, pid_t pid, struct buf *said, int *status)
{
	uint64_t end = clock_nsec() + (PATIENCE + 1) * UINT64_C(1000000000);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char piece[4096];
	bool over = false;
	ssize_t n;
	pid_t r;

	do {
		if (!over && clock_nsec() > end)
			(void)kill(pid, SIGKILL);
		r = over ? 0 : waitpid(pid, status, WNOHANG);
		if (r == -1 && errno != EINTR)
			return -1;
		over = over || r == pid;
		n = 0;
		if (poll(&p, 1, over ? 0 : LOOK_MS) <= 0)
			continue;
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			(void)buf_add(said, piece, (size_t)n);
		else
			p.fd = -1;
	} while (!over || n > 0);
	return 0;
}

static void
child_run(const struct privs *privs, pid_t parent, plugapart_fn *fn,
    void *arg, int says)
{
	const char mark = REFUSED;
	struct err why = ERR_INIT;
	int r;

	logs_forked();
	/* What plugins print is no answer of ours. */
	(void)dup2(STDERR_FILENO, STDOUT_FILENO);
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(PATIENCE);
	r = privs_drop(privs, parent, &why);
	if (r == 0)
		r = fn(arg, says, &why);
	if (r != 0) {
		(void)sys_write_all(says, &mark, 1);
		plugapart_say(says, str_c(why.text));
	} else {
		(void)sys_write_all(says, DONE, strlen(DONE));
	}
	/* No destructor of theirs runs. */
	_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

void
plugapart_say(int says, struct str line)
{
	(void)sys_write_all(says, line.p, line.n);
	(void)sys_write_all(says, "\n", 1);
}

static bool
is_done(struct plugapart *p)
{
	size_t n = buf_len(&p->said), done = strlen(DONE);

	if (n < done || memcmp(buf_p(&p->said) + n - done, DONE, done) != 0)
		return false;
	buf_truncate(&p->said, n - done);
	return true;
}

static int
judge(struct plugapart *p, int status, struct err *why)
{
	bool done = is_done(p);
	struct str last = plugapart_last(p);

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS && done)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE &&
	    last.n > 1 && last.p[0] == REFUSED)
		return err_text(why, "%.*s", (int)last.n - 1, last.p + 1);
	p->died = true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return err_text(why, "its process ended without a word");
	if (WIFEXITED(status))
		return err_text(why, "ended the process with status %d while "
		    "it was loaded", WEXITSTATUS(status));
	p->signal = WTERMSIG(status);
	if (p->signal == SIGALRM)
		return err_text(why, "it took more than %d s to load",
		    PATIENCE);
	return err_text(why, "signal %d (%s) while it was loaded", p->signal,
	    strsignal(p->signal));
}

struct str
plugapart_last(const struct plugapart *p)
{
	struct str rest = buf_str(&p->said), line, last = STR_NULL;

	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0)
			last = line;
	}
	return last;
}

void
plugapart_fini(struct plugapart *p)
{
	buf_fini(&p->said);
}
