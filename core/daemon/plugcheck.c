#include "daemon/plugcheck.h"

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
#include "host/host.h"

#define PATIENCE 20 /* seconds */

static void	child_run(const struct conf *, const struct conf_reader *,
		    const struct privs *, pid_t, int) ATTR_NORETURN;
static void	child_loads(void *, const char *);
static int	judge(const struct conf *, const struct buf *, int,
		    struct err *);

int
plugcheck(const struct conf *conf, const struct conf_reader *reader,
    const struct privs *privs, struct err *why)
{
	int fds[2], status, r;
	pid_t pid, parent = getpid();
	char piece[4096];
	struct buf said;
	ssize_t n;

	if (conf->nplugin == 0)
		return 0;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_errno(why, "pipe");
	log_flush();
	pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		child_run(conf, reader, privs, parent, fds[1]);
	}
	(void)close(fds[1]);
	if (pid == -1) {
		(void)close(fds[0]);
		return err_errno(why, "fork");
	}
	buf_init(&said, 1024 * 1024);
	while ((n = read(fds[0], piece, sizeof(piece))) > 0 ||
	    (n == -1 && errno == EINTR)) {
		if (n > 0)
			(void)buf_add(&said, piece, (size_t)n);
	}
	(void)close(fds[0]);
	while ((r = waitpid(pid, &status, 0)) == -1 && errno == EINTR)
		;
	r = r == pid ? judge(conf, &said, status, why) :
	    err_errno(why, "waitpid");
	buf_fini(&said);
	return r;
}

/* Says the place of each plugin before it is touched, then what is wrong. */
static void
child_run(const struct conf *conf, const struct conf_reader *reader,
    const struct privs *privs, pid_t parent, int says)
{
	struct host_world world = { .hostname = conf->top.hostname,
		.loads = child_loads, .loads_arg = &says };
	struct err why = ERR_INIT;
	struct host_gen *g;
	struct host *h;
	int r;

	logs_forked();
	(void)signal(SIGALRM, SIG_DFL);
	(void)alarm(PATIENCE);
	r = privs_drop(privs, parent, &why);
	if (r == 0) {
		world.loop = loop_new();
		h = host_new(&world);
		r = host_load(h, conf, reader, &g, &why);
	}
	if (r != 0)
		child_loads(&says, why.text);
	/* No destructor of theirs runs. */
	_exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void
child_loads(void *arg, const char *what)
{
	const int *says = arg;

	(void)sys_write_all(*says, what, strlen(what));
	(void)sys_write_all(*says, "\n", 1);
}

/* The last line counts. */
static int
judge(const struct conf *conf, const struct buf *said, int status,
    struct err *why)
{
	struct str rest = buf_str(said), line, last = STR_NULL;

	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return 0;
	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0)
			last = line;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE &&
	    last.n > 0)
		return err_text(why, "%.*s", STR_FMT(last));
	if (WIFEXITED(status))
		return err_text(why, "%s:%.*s: ended the process with status "
		    "%d while it was loaded", conf->file, STR_FMT(last),
		    WEXITSTATUS(status));
	if (WTERMSIG(status) == SIGALRM)
		return err_text(why, "%s:%.*s: it took more than %d s to load",
		    conf->file, STR_FMT(last), PATIENCE);
	return err_text(why, "%s:%.*s: signal %d (%s) while it was loaded",
	    conf->file, STR_FMT(last), WTERMSIG(status),
	    strsignal(WTERMSIG(status)));
}
