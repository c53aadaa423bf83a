/*
 * Certificates of our own: made in a process beside, so that no key is ever in
 * the master's memory, of which workers have a copy, and no loop waits for
 * RSA-4096.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/rand.h"
#include "daemon/master_priv.h"
#include "tls/certstore.h"

static bool	missing(const struct conf *, const char *);
static pid_t	make(const struct conf *, bool);
static void	make_run(const struct conf *, bool) ATTR_NORETURN;

/* The twin that takes a moment is there on return, the other one later. */
void
owncerts_make(struct master *m, const struct conf *c)
{
	int status;
	pid_t pid;

	if (!conf_wants_default(c) || m->certmaker != 0)
		return;
	if (missing(c, CERTSTORE_DEFAULT_EC)) {
		pid = make(c, false);
		while (pid > 0 && waitpid(pid, &status, 0) == -1 &&
		    errno == EINTR)
			continue;
	}
	if (missing(c, CERTSTORE_DEFAULT)) {
		pid = make(c, true);
		m->certmaker = pid > 0 ? pid : 0;
	}
}

bool
owncerts_ended(struct master *m, pid_t pid, int status)
{
	if (m->certmaker == 0 || pid != m->certmaker)
		return false;
	m->certmaker = 0;
	if (!m->stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		reload_start(m, RELOAD_CERTS);
	return true;
}

static bool
missing(const struct conf *c, const char *name)
{
	const char *chain, *key;
	struct certstore *cs;
	bool is;

	if (certstore_open(&cs, c->tls.store, NULL, NULL) != 0)
		return false; /* conf_certs() tells */
	is = certstore_find(cs, name, &chain, &key, NULL) != 0;
	certstore_close(&cs);
	return is;
}

static pid_t
make(const struct conf *c, bool rsa)
{
	pid_t master = getpid(), pid;
	sigset_t none;

	log_flush();
	pid = fork();
	if (pid == -1)
		log_critical("making a certificate: fork: %s",
		    strerror(errno));
	if (pid != 0)
		return pid;
	(void)prctl(PR_SET_NAME, "postern-certs");
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != master)
		_exit(EXIT_FAILURE);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGINT, SIG_IGN);
	rand_forked();
	(void)umask(077);
	if (rsa && nice(10) == -1)
		errno = 0; /* then not */
	make_run(c, rsa);
}

static void
make_run(const struct conf *c, bool rsa)
{
	struct err why = ERR_INIT;
	struct certstore *cs;
	bool made = false;

	if (certstore_open(&cs, c->tls.store, NULL, &why) != 0 ||
	    certstore_make_default(cs, c->top.hostname, rsa, &made, &why) !=
		0) {
		log_critical("making a certificate: %s", why.text);
		log_flush();
		_exit(EXIT_FAILURE);
	}
	if (made)
		log_info("made the certificate \"%s\" for %s, for "
		    "demonstration: nobody can verify it", rsa ?
			CERTSTORE_DEFAULT : CERTSTORE_DEFAULT_EC,
		    c->top.hostname);
	log_flush();
	_exit(EXIT_SUCCESS);
}
