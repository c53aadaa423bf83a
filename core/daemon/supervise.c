/*
 * The workers: started, watched, started again.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/rand.h"
#include "daemon/keys.h"
#include "daemon/logs.h"
#include "daemon/notify.h"
#include "daemon/worker.h"

#define LONG_LIFE SECONDS(60)
#define PAUSE_MAX 30 /* seconds */

static void	child_run(struct child *, int, int) ATTR_NORETURN;
static void	child_said(void *, const json_t *, int *, unsigned);
static void	pass_on(const struct child *, const json_t *);
static void	child_pause(struct child *);
static void	child_again(void *);
static void	child_ready(struct child *);
static void	tell_end(const struct child *, int);
static void	alert_end(const struct child *, int);

void
child_start(struct child *c)
{
	struct master *m = c->m;
	struct err why = ERR_INIT;
	int pair[2], keeper;
	pid_t pid;

	OBJ_CHECK(c, CHILD_MAGIC);
	c->started = clock_now();
	shm_beat(m->shm, c->index, c->started);
	if (ipc_pair(pair, &why) != 0) {
		log_critical("worker %u: %s", c->index, why.text);
		child_pause(c);
		return;
	}
	keeper = keys_worker(m, c);
	log_flush();
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		child_run(c, pair[1], keeper);
	}
	(void)close(pair[1]);
	file_close(&keeper);
	if (pid == -1) {
		log_critical("worker %u: fork: %s", c->index, strerror(errno));
		(void)close(pair[0]);
		child_pause(c);
		return;
	}
	c->pid = pid;
	c->ready = false;
	c->logs = false;
	c->killed = false;
	c->generation = epoch_generation(m->epoch);
	c->ipc = ipc_new(m->loop, pair[0], child_said, c);
	reload_child_new(c);
}

static void
child_run(struct child *c, int ipc, int keeper)
{
	struct master *m = c->m;
	struct worker_env env = { .index = c->index, .count = m->nchild,
		.master = getppid(), .conf = m->conf, .epoch = m->epoch,
		.shm = m->shm, .ids = m->ids, .privs = &m->privs,
		.tickets = &m->tickets, .sessions = m->sessions,
		.keeper_keys = m->keys.keeper,
		.keeper = keeper, .ipc = ipc, .lock = m->lock };
	int keep[IPC_FDS + 4];
	unsigned n;
	sigset_t none;

	logs_forked();
	epoch_leave_keys(m->epoch);
	n = epoch_fds(m->epoch, keep, IPC_FDS);
	keep[n++] = ipc;
	keep[n++] = m->lock;
	if (keeper != -1)
		keep[n++] = keeper;
	keep[n++] = ids_fd(m->ids);
	privs_close_others(keep, n);
	rand_forked();
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	exit(worker_main(&env));
}

static void
child_said(void *arg, const json_t *msg, int *fds, unsigned n)
{
	const char *type = control_text(msg, "type");
	struct child *c;

	OBJ_CAST(c, arg, CHILD_MAGIC);
	while (n > 0)
		(void)close(fds[--n]);
	if (type == NULL)
		return; /* its end is told by wait */
	if (strcmp(type, "ready") == 0) {
		c->logs = json_is_true(json_object_get(msg, "logs"));
		child_ready(c);
	} else if (strcmp(type, "switched") == 0) {
		c->generation = (uint64_t)control_number(msg, "generation", 0);
		c->logs = json_is_true(json_object_get(msg, "logs"));
		reload_child_switched(c);
	} else if (strcmp(type, "prepared") == 0 ||
	    strcmp(type, "refused") == 0 || strcmp(type, "leaves") == 0) {
		reload_child_said(c, type, msg);
	} else if (strcmp(type, "flush") == 0) {
		pass_on(c, msg);
	} else if (strcmp(type, "alert") == 0) {
		desk_take(c->m, json_deep_copy(msg));
	} else if (strcmp(type, "episode") == 0) {
		desk_said(c, msg);
	} else if (strcmp(type, "alerted") == 0) {
		alertpost_done(c->m->alerts, c->index,
		    (uint64_t)control_number(msg, "number", 0));
	}
}

/* An ETRN at one worker concerns what the others have as well. */
static void
pass_on(const struct child *from, const json_t *msg)
{
	struct master *m = from->m;
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < m->nchild; i++) {
		if (i != from->index && m->child[i].pid != 0 &&
		    ipc_send(m->child[i].ipc, json_deep_copy(msg), NULL, 0,
			&why) != 0)
			log_warning("worker %u: %s", i, why.text);
	}
}

static void
child_ready(struct child *c)
{
	struct master *m = c->m;
	unsigned i;

	c->ready = true;
	desk_worker(c, true);
	roll_ready(c);
	for (i = 0; i < m->nchild; i++) {
		if (!m->child[i].ready)
			return;
	}
	if (!m->ready) {
		m->ready = true;
		log_info("Postern %s is ready, workers: %u", PACKAGE_VERSION,
		    m->nchild);
		notify_send("READY=1\nSTATUS=workers: %u\nMAINPID=%ld",
		    m->nchild, (long)getpid());
	}
}

void
children_ended(struct master *m, pid_t pid, int status)
{
	struct child *c;
	unsigned i;

	for (i = 0; i < m->nchild && m->child[i].pid != pid;)
		i++;
	if (i == m->nchild)
		return;
	c = &m->child[i];
	c->pid = 0;
	ipc_destroy(&c->ipc);
	if (!m->stopping)
		blame_end(m, c, status);
	shm_worker_gone(m->shm, c->index);
	c->ready = false;
	desk_worker(c, false);
	if (m->stopping) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			tell_end(c, status);
		if (children_alive(m) == 0)
			loop_stop(m->loop);
		return;
	}
	if (roll_ended(c) && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_SUCCESS) {
		child_start(c);
		return;
	}
	tell_end(c, status);
	alert_end(c, status);
	reload_child_gone(c, WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* It said why: nothing would be better the second time. */
	if (!m->ready && WIFEXITED(status) && WEXITSTATUS(status) != 0) {
		master_stop(m, EXIT_FAILURE);
		return;
	}
	c->restarts++;
	shm_metric_add(m->shm, c->index, M_RESTARTS, 1);
	child_pause(c);
}

static void
tell_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_critical("worker %u ended by signal %d (%s)", c->index,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_critical("worker %u ended with status %d", c->index,
		    WEXITSTATUS(status));
}

static void
alert_end(const struct child *c, int status)
{
	char text[160], key[32];

	if (c->killed)
		(void)snprintf(text, sizeof(text), "worker %u did not answer "
		    "any more and was ended", c->index);
	else if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "worker %u ended by signal "
		    "%d (%s)", c->index, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else
		(void)snprintf(text, sizeof(text), "worker %u ended with "
		    "status %d", c->index, WEXITSTATUS(status));
	(void)snprintf(key, sizeof(key), "worker:%u", c->index);
	master_alert(c->m, "Critical", key, text, NULL);
}

/* At once the first time, then after 1, 2, 4 ... 30 seconds. */
static void
child_pause(struct child *c)
{
	msec pause = 0;

	if (clock_now() - c->started > LONG_LIFE)
		c->failures = 0;
	if (c->failures > 0)
		pause = SECONDS(c->failures > 5 ? PAUSE_MAX :
		    1 << (c->failures - 1));
	c->failures++;
	if (pause > 0)
		log_info("worker %u starts again in %" PRId64 " s", c->index,
		    pause / 1000);
	loop_timer_set(&c->restart, pause);
}

static void
child_again(void *arg)
{
	struct child *c;

	OBJ_CAST(c, arg, CHILD_MAGIC);
	if (!c->m->stopping && c->pid == 0)
		child_start(c);
}

void
children_watch(struct master *m)
{
	msec now = clock_now(), since;
	struct child *c;
	unsigned i;

	for (i = 0; i < m->nchild; i++) {
		c = &m->child[i];
		if (c->magic != CHILD_MAGIC) {
			OBJ_INIT(c, CHILD_MAGIC);
			c->m = m;
			c->index = i;
			loop_timer_init(m->loop, &c->restart, child_again, c);
			child_start(c);
			continue;
		}
		since = now - shm_beat_last(m->shm, i);
		/* Where we ourselves stood still, so did they. */
		if (c->pid == 0 || m->conf->top.watchdog == 0 ||
		    since < m->conf->top.watchdog ||
		    now - m->last_tick > SECONDS(3))
			continue;
		if (c->killed) {
			if (since > 2 * m->conf->top.watchdog)
				(void)kill(c->pid, SIGKILL);
			continue;
		}
		log_critical("worker %u (process %ld) is silent for %" PRId64
		    " ms and is ended", i, (long)c->pid, since);
		blame_hang(m, c);
		c->killed = true;
		(void)kill(c->pid, SIGABRT);
		(void)kill(c->pid, SIGCONT); /* a stopped one ends as well */
	}
	m->last_tick = now;
}

unsigned
children_alive(const struct master *m)
{
	unsigned i, n = 0;

	for (i = 0; i < m->nchild; i++)
		n += m->child[i].pid != 0;
	return n;
}

void
children_tell(struct master *m, const char *type)
{
	struct err why = ERR_INIT;
	unsigned i;

	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid != 0 &&
		    ipc_send(m->child[i].ipc, json_pack("{s:s}", "type", type),
			NULL, 0, &why) != 0)
			log_warning("worker %u: %s", i, why.text);
	}
}

bool
children_log(void *arg, json_t *msg)
{
	struct err why = ERR_INIT;
	struct master *m;
	struct child *c;
	bool ready = false;
	unsigned i;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	for (i = 0; i < m->nchild; i++) {
		c = &m->child[i];
		if (c->pid == 0 || !c->ready)
			continue;
		ready = true;
		if (c->logs)
			return ipc_send(c->ipc, msg, NULL, 0, &why) == 0;
	}
	json_decref(msg);
	return ready; /* there is no such sink */
}

void
children_kill(struct master *m, int signo)
{
	unsigned i;

	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid != 0)
			(void)kill(m->child[i].pid, signo);
	}
}
