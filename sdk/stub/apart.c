/*
 * The plugins of a script, loaded once in a process of their own: what brings
 * that one down is told with the plugin's name, and is not run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/sys.h"
#include "stub.h"

#define PATIENCE_S 20
#define SAID_MAX   (1024 * 1024)
#define DONE	   "done\n" /* ours: a plugin may end the process */

static void	child(const struct script *script, int says);
static void	on_load(void *arg, const char *what);
static void	read_all(int fd, struct buf *dst);
static void	told(struct tap *tap, const struct script *script,
		    struct str said, int status);

bool
apart_loads(const struct script *script, struct tap *tap)
{
	int fds[2], status = 0;
	struct buf said;
	pid_t pid;
	bool fine;

	if (script->first == NULL)
		return true;
	(void)fflush(NULL);
	if (pipe(fds) != 0 || (pid = fork()) < 0) {
		(void)fprintf(stderr, "posternstub: %s\n", strerror(errno));
		return false;
	}
	if (pid == 0) {
		(void)close(fds[0]);
		child(script, fds[1]);
	}
	(void)close(fds[1]);
	buf_init(&said, SAID_MAX);
	read_all(fds[0], &said);
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	fine = str_iends(buf_str(&said), DONE);
	if (!fine)
		told(tap, script, buf_str(&said), status);
	buf_fini(&said);
	return fine;
}

/* Why it cannot be loaded, if it says so itself, is told by the run. */
static void
child(const struct script *script, int says)
{
	struct stub *st = mem_zalloc(sizeof(*st));
	struct err why = ERR_INIT;

	(void)alarm(PATIENCE_S);
	(void)close(STDOUT_FILENO); /* they say it once more */
	(void)open("/dev/null", O_WRONLY);
	(void)stub_load(st, script, on_load, &says, &why);
	(void)sys_write_all(says, DONE, strlen(DONE));
	_exit(0); /* no destructor of theirs runs */
}

static void
on_load(void *arg, const char *what)
{
	const int *says = arg;

	(void)sys_write_all(*says, what, strlen(what));
	(void)sys_write_all(*says, "\n", 1);
}

static void
read_all(int fd, struct buf *dst)
{
	char piece[4096];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n > 0)
			(void)buf_add(dst, piece, (size_t)n);
		else if (errno != EINTR)
			return;
	}
}

/* The last line is about who was loaded: "3: plugin …". */
static void
told(struct tap *tap, const struct script *script, struct str said, int status)
{
	const struct stmt *s = script->first;
	struct str line, last = STR_NULL;
	struct buf why;
	uint64_t n = 0;

	while (str_split(&said, '\n', &line)) {
		if (line.n > 0)
			last = line;
	}
	line = last;
	line.n = str_find(last, ':');
	(void)num_u64(line, UINT32_MAX, &n);
	while (s->next != NULL && (uint64_t)s->line != n)
		s = s->next;
	if (line.n + 2 <= last.n)
		last = str_n(last.p + line.n + 2, last.n - line.n - 2);
	buf_init(&why, SAID_MAX);
	(void)buf_printf(&why, "%.*s: ", STR_FMT(last));
	if (WIFSIGNALED(status))
		(void)buf_printf(&why, "signal %d (%s) while it was loaded",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)buf_printf(&why, "ended the process with status %d "
		    "while it was loaded", WEXITSTATUS(status));
	tap_line(tap, false, script, s, buf_p(&why));
	buf_fini(&why);
}
