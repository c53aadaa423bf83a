#include "daemon/plugapart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "daemon/logs.h"

#define PATIENCE 20 /* seconds */
#define SAID_MAX (16 * 1024 * 1024)
#define REFUSED '!' /* begins the line that tells why */

static void	child_run(const struct privs *, pid_t, plugapart_fn *, void *,
		    int) ATTR_NORETURN;
static int	judge(struct plugapart *, int, struct err *);

int
plugapart_run(struct plugapart *p, const struct privs *privs,
    plugapart_fn *fn, void *arg, struct err *why)
{
	pid_t pid, parent = getpid();
	int fds[2], status, r;
	char piece[4096];
	ssize_t n;

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
	while ((n = read(fds[0], piece, sizeof(piece))) > 0 ||
	    (n == -1 && errno == EINTR)) {
		if (n > 0)
			(void)buf_add(&p->said, piece, (size_t)n);
	}
	(void)close(fds[0]);
	while ((r = waitpid(pid, &status, 0)) == -1 && errno == EINTR)
		;
	return r == pid ? judge(p, status, why) : err_errno(why, "waitpid");
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

static int
judge(struct plugapart *p, int status, struct err *why)
{
	struct str last = plugapart_last(p);

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE &&
	    last.n > 1 && last.p[0] == REFUSED)
		return err_text(why, "%.*s", (int)last.n - 1, last.p + 1);
	p->died = true;
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
