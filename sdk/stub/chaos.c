#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stub.h"

/*
 * Each run is a process of its own: one that crashes, leaks or hangs is named
 * and the others still run. A sanitizer in it speaks on standard error.
 */

#define PATIENCE_S 60
#define WRONG_MAX 65536

struct tally {
	unsigned runs, wrong;
};

static void	child(const struct stub *st, const struct stub_fault *fault,
		    int fd);

static const char *const kinds[FAULT_KINDS] = {
	[FAULT_NONE] = "", [FAULT_GONE] = "client gone at wait",
	[FAULT_TIMEOUT] = "timeout of request",
	[FAULT_ERROR] = "failure of request",
	[FAULT_SILENCE] = "no answer to request",
	[FAULT_MEMORY] = "no memory for allocation",
};

static void
once(const struct stub *st, struct tap *tap, enum stub_fault_kind kind,
    unsigned at, struct tally *t)
{
	struct stub_fault fault = { kind, at };
	char text[WRONG_MAX], *line;
	size_t have = 0;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	t->runs++;
	(void)fflush(NULL);
	if (pipe(fds) < 0 || (pid = fork()) < 0)
		fatal("cannot start another run");
	if (pid == 0) {
		(void)close(fds[0]);
		child(st, &fault, fds[1]);
	}
	(void)close(fds[1]);
	while (have < sizeof(text) - 1 &&
	    (n = read(fds[0], text + have, sizeof(text) - 1 - have)) > 0)
		have += (size_t)n;
	text[have] = '\0';
	(void)close(fds[0]);
	(void)waitpid(pid, &status, 0);
	if (have == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		if (tap->verbose)
			(void)fprintf(tap->out, "# %s %u: fine\n", kinds[kind],
			    at);
		return;
	}
	t->wrong++;
	for (line = text; *line != '\0'; line += strcspn(line, "\n") +
	    (line[strcspn(line, "\n")] == '\n'))
		(void)fprintf(tap->out, "# %s %u: %.*s\n", kinds[kind], at,
		    (int)strcspn(line, "\n"), line);
	if (WIFSIGNALED(status))
		(void)fprintf(tap->out, "# %s %u: killed by signal %d (%s)\n",
		    kinds[kind], at, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		(void)fprintf(tap->out, "# %s %u: ended with status %d\n",
		    kinds[kind], at, WEXITSTATUS(status));
}

static void
child(const struct stub *st, const struct stub_fault *fault, int fd)
{
	struct stub *again = calloc(1, sizeof(*again));
	struct err why = ERR_INIT;
	struct pool *pool;

	if (again == NULL)
		_exit(1);
	(void)alarm(PATIENCE_S);
	if (stub_run(again, st->script, NULL, fault, &why) < 0)
		(void)dprintf(fd, "%s\n", why.text);
	(void)dprintf(fd, "%s", buf_p(&again->wrong));
	stub_fini(again);
	free(again);
	/* Nobody else ends it here; memcheck would call it lost. */
	pool = st->script->pool;
	pool_destroy(&pool);
	(void)close(fd);
	exit(0); /* where a leak is found */
}

void
chaos_run(const struct stub *st, struct tap *tap)
{
	static const enum stub_fault_kind asked[] = { FAULT_TIMEOUT,
		FAULT_ERROR, FAULT_SILENCE };
	struct tally t = { 0 };
	const struct stmt *s;
	char why[100];
	unsigned i, k;

	for (s = st->script->first; s != NULL && s->id != WORD_CHAOS;
	     s = s->next)
		;
	if (s == NULL)
		return;
	for (i = 1; i <= st->waits; i++)
		once(st, tap, FAULT_GONE, i, &t);
	for (i = 1; i <= st->requests; i++) {
		for (k = 0; k < 3; k++)
			once(st, tap, asked[k], i, &t);
	}
	for (i = 1; i <= st->memory; i++)
		once(st, tap, FAULT_MEMORY, i, &t);
	(void)fprintf(tap->out, "# chaos: %u runs: %u waits, %u requests, "
	    "%u allocations\n", t.runs, st->waits, st->requests, st->memory);
	if (t.runs == 0)
		(void)fprintf(tap->out, "# chaos: nothing in the script "
		    "waits, asks or allocates: there is nothing that could "
		    "fail\n");
	(void)snprintf(why, sizeof(why), "%u of %u runs went wrong", t.wrong,
	    t.runs);
	tap_line(tap, t.wrong == 0, st->script, s, why);
}
