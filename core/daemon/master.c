#include "daemon/master.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/obj.h"
#include "base/rand.h"
#include "base/sys.h"
#include "daemon/keys.h"
#include "daemon/logs.h"
#include "daemon/notify.h"
#include "daemon/plugcheck.h"
#include "daemon/ports.h"
#include "daemon/tickets.h"
#include "daemon/worker.h"
#include "tls/tlscache.h"
#include "tls/tlsctx.h"

#define SESSIONS_SIZE (8 * 1024 * 1024) /* of which what is used is there */
#define LOCK_PATIENCE 200 /* times 25 ms: workers of a dead master end */

static int	serve_arguments(struct master *, int, char **);
static int	serve_prepare(struct master *, struct err *);
static int	serve_directories(struct master *, struct err *);
static int	serve_lock(struct master *, struct err *);
static int	serve_epoch(struct master *, struct err *);
static void	serve_run(struct master *);
static void	serve_loaded(struct master *);
static void	serve_end(struct master *);
static int	control_start(struct master *, struct err *);
static void	on_signal(void *, int, unsigned);
static void	on_children(struct master *);
static void	on_tick(void *);
static void	on_watchdog(void *);
static void	on_stop_late(void *);
static void	on_tickets(void *);
static void	verb_status(void *, struct control_req *, const json_t *);
static void	log_file(void *, const char *, unsigned);

static const struct control_verb verbs[] = {
	{ "status", verb_status },
	{ "reload", reload_all },
	{ "certs", reload_certs },
	{ "commit", reload_commit },
	{ "shadow", reload_shadow },
	{ "roll", roll_verb },
	{ "plugin.reset", blame_verb },
	{ NULL, NULL },
};

int
master_serve(int argc, char **argv)
{
	struct err why = ERR_INIT;
	struct master *m;
	int r;

	OBJ_NEW(m, MASTER_MAGIC);
	m->file = POSTERN_CONFDIR "/postern.lua";
	m->lock = m->signals = m->checker_says = -1;
	buf_init(&m->broken, 0);
	buf_init(&m->said, CONF_MAX);
	expiry_init(&m->expiry);
	r = serve_arguments(m, argc, argv);
	if (r >= 0) {
		OBJ_FREE(m);
		return r;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	sys_fault_from_env();
	if (serve_prepare(m, &why) != 0) {
		(void)fprintf(stderr, "postern: %s\n", why.text);
		m->status = EXIT_FAILURE;
	} else {
		serve_run(m);
	}
	r = m->status;
	serve_end(m);
	return r;
}

/* -1: go on; else the exit status. */
static int
serve_arguments(struct master *m, int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "workers", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "c:w:h", options, NULL)) != -1) {
		if (c == 'c') {
			m->file = optarg;
		} else if (c == 'w' &&
		    num_u64(str_c(optarg), SHM_MAX_WORKERS, &n) == 0 &&
		    n > 0) {
			m->workers = (unsigned)n;
		} else {
			(void)fprintf(c == 'h' ? stdout : stderr,
			    "usage: postern serve [-c FILE] [--workers N]\n"
			    "Runs the relay in the foreground; TERM stops it, "
			    "HUP reloads the\nconfiguration (postern reload "
			    "tells how that ends), USR1 reopens the logs.\n"
			    "See postern(8).\n");
			return c == 'h' ? EXIT_SUCCESS : 2;
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "postern: serve takes no argument "
		    "%s\n", argv[optind]);
		return 2;
	}
	return -1;
}

static int
serve_prepare(struct master *m, struct err *why)
{
	const char *path;

	m->started = clock_wall();
	if (tls_self_check(why) != 0)
		return -1;
	if (epoch_read(&m->epoch, m->file, 1, why) != 0 ||
	    epoch_conf(m->epoch, &conf_reader_plain, &m->conf, why) != 0)
		return -1;
	if (m->workers != 0)
		m->conf->top.workers = m->workers;
	m->nchild = m->conf->top.workers;
	if (m->conf->nlistener == 0)
		return err_text(why, "%s: there is no listener", m->file);
	if (privs_find(&m->privs, m->conf->top.user, why) != 0 ||
	    serve_directories(m, why) != 0 || serve_lock(m, why) != 0)
		return -1;
	if (master_log_open(m, m->conf, why) != 0)
		return -1;
	log_info("Postern %s starts with %s", PACKAGE_VERSION, m->file);
	reload_shadow_switched(m, NULL);
	if (m->privs.change)
		log_info("workers run as %s", m->privs.name);
	if (privs_files(m->conf->top.open_files) < m->conf->top.open_files)
		log_info("only %u open files are allowed, fewer than "
		    "open_files", privs_files(0));
	if (serve_epoch(m, why) != 0 ||
	    plugcheck(m->conf, epoch_reader(m->epoch), &m->privs, true,
		why) != 0)
		return -1;
	m->shm = shm_new(m->nchild, why);
	if (m->shm == NULL)
		return -1;
	path = pool_printf(m->conf->pool, "%s/ids", m->conf->top.spool);
	if (ids_open(&m->ids, m->shm, path, why) != 0 ||
	    privs_give(&m->privs, path, why) != 0)
		return -1;
	tickets_init(&m->tickets);
	m->sessions = tlscache_new(SESSIONS_SIZE);
	return 0;
}

static int
serve_epoch(struct master *m, struct err *why)
{
	struct certmap map = { .pool = m->conf->pool };

	owncerts_make(m, m->conf);
	if (lister_run(m->epoch, &m->list, why) != 0 ||
	    conf_certs(m->conf, m->list, &map, why) != 0 ||
	    epoch_files(m->epoch, m->conf, why) != 0 ||
	    epoch_map_set(m->epoch, &map, m->list, why) != 0)
		return -1;
	return ports_open(m->epoch, m->conf, NULL, why);
}

static int
serve_directories(struct master *m, struct err *why)
{
	const char *dir[] = { m->conf->top.spool, m->conf->top.run };
	size_t i;

	for (i = 0; i < 2; i++) {
		if (file_mkdirs(dir[i], 0750, why) != 0 ||
		    privs_give(&m->privs, dir[i], why) != 0)
			return -1;
	}
	return 0;
}

/* Workers keep the lock too: no store is opened under a live worker. */
static int
serve_lock(struct master *m, struct err *why)
{
	const char *path = pool_printf(m->conf->pool, "%s/lock",
	    m->conf->top.spool);
	int i;

	m->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (m->lock == -1)
		return err_errno(why, "%s", path);
	for (i = 0; flock(m->lock, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_PATIENCE)
			return err_text(why, "%s: another postern uses this "
			    "spool", path);
		(void)nanosleep(&(struct timespec){ 0, 25000000 }, NULL);
	}
	return 0;
}

int
master_log_open(struct master *m, const struct conf *conf, struct err *why)
{
	master_log_files(m, conf);
	logs_pass_on(logs_others(conf) ? children_log : NULL, m);
	return logs_open(conf, &conf_reader_plain, true, why);
}

void
master_log_files(struct master *m, const struct conf *conf)
{
	logs_files(conf, log_file, m);
}

/* The workers write the same file, so it must be theirs. */
static void
log_file(void *arg, const char *path, unsigned mode)
{
	const char *slash = strrchr(path, '/');
	struct err why = ERR_INIT;
	struct stat st;
	const struct master *m;
	struct pool *pool;
	char *dir;
	int fd;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (slash == path)
		return;
	pool = pool_new(0);
	dir = pool_strndup(pool, path, (size_t)(slash - path));
	if (stat(dir, &st) != 0 &&
	    (file_mkdirs(dir, 0750, &why) != 0 ||
		privs_give(&m->privs, dir, &why) != 0))
		(void)fprintf(stderr, "postern: %s\n", why.text);
	pool_destroy(&pool);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK, mode);
	if (fd == -1)
		return; /* the sink tells */
	if (m->privs.change && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == 0 && fchown(fd, m->privs.uid, m->privs.gid) != 0)
		(void)fprintf(stderr, "postern: %s: %s\n", path,
		    strerror(errno));
	(void)close(fd);
}

static void
serve_run(struct master *m)
{
	struct err why = ERR_INIT;
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGUSR1);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (m->signals == -1)
		fatal("signalfd: %s", strerror(errno));
	m->loop = loop_new();
	m->signal_watch = loop_fd_start(m->loop, m->signals, LOOP_READ,
	    on_signal, m);
	loop_timer_init(m->loop, &m->tick, on_tick, m);
	loop_timer_init(m->loop, &m->watchdog, on_watchdog, m);
	loop_timer_init(m->loop, &m->stop_late, on_stop_late, m);
	if (control_start(m, &why) != 0) {
		log_critical("%s", why.text);
		m->status = EXIT_FAILURE;
		return;
	}
	desk_start(m);
	keys_start(m);
	keys_load(m, m->epoch, reload_cert_failed, serve_loaded);
	on_watchdog(m);
	loop_run(m->loop);
}

/* The keys are where they belong: workers may come. */
static void
serve_loaded(struct master *m)
{
	struct err why = ERR_INIT;

	if (m->stopping)
		return;
	if (epoch_seal(m->epoch, &why) != 0) {
		log_critical("%s", why.text);
		master_stop(m, EXIT_FAILURE);
		return;
	}
	keys_current(m);
	loop_timer_init(m->loop, &m->ticket_turn, on_tickets, m);
	loop_timer_set(&m->ticket_turn, m->conf->tls.ticket_key_life);
	certs_expiry_start(m);
	certwatch_start(m);
	m->serving = true;
	on_tick(m);
	if (m->again != RELOAD_NONE) {
		enum reload again = m->again;

		m->again = RELOAD_NONE;
		reload_start(m, again);
	}
}

static int
control_start(struct master *m, struct err *why)
{
	const char *path = pool_printf(m->conf->pool, "%s/master.sock",
	    m->conf->top.run);

	return control_new(&m->control, m->loop, path, verbs, m, why);
}

static void
serve_end(struct master *m)
{
	unsigned i;

	control_destroy(&m->control);
	if (m->loop != NULL) {
		loop_timer_clear(&m->tick);
		loop_timer_clear(&m->watchdog);
		loop_timer_clear(&m->stop_late);
		loop_timer_clear(&m->ticket_turn);
		loop_timer_clear(&m->watch);
		loop_timer_clear(&m->expiry_turn);
		loop_timer_clear(&m->vote_late);
		keys_stop(m);
		lister_cancel(&m->lister);
		for (i = 0; i < m->nchild; i++) {
			if (m->child[i].magic != CHILD_MAGIC)
				continue;
			loop_timer_clear(&m->child[i].restart);
			ipc_destroy(&m->child[i].ipc);
		}
		if (m->signal_watch != NULL)
			loop_fd_stop(&m->signal_watch);
		loop_once(m->loop, false); /* reaps what is deferred */
		loop_destroy(&m->loop);
	}
	desk_end(m);
	if (m->shm != NULL) {
		ids_close(&m->ids);
		log_info("Postern has stopped");
		shm_destroy(&m->shm);
		tlscache_destroy(&m->sessions);
	}
	file_close(&m->signals);
	file_close(&m->checker_says);
	epoch_destroy(&m->next);
	epoch_destroy(&m->epoch);
	certlist_destroy(&m->next_list);
	certlist_destroy(&m->list);
	conf_unref(&m->next_conf);
	conf_unref(&m->conf);
	buf_fini(&m->broken);
	buf_fini(&m->said);
	expiry_fini(&m->expiry);
	logs_close();
	file_close(&m->lock);
	OBJ_FREE(m);
}

static void
on_signal(void *arg, int fd, unsigned what)
{
	struct signalfd_siginfo si;
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	(void)what;
	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		switch (si.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			if (m->stopping) {
				log_warning("stopped at once");
				children_kill(m, SIGKILL);
				m->status = EXIT_FAILURE;
				loop_stop(m->loop);
			} else {
				master_stop(m, EXIT_SUCCESS);
			}
			break;
		case SIGHUP:
			reload_start(m, RELOAD_ALL);
			break;
		case SIGUSR1:
			master_log_files(m, m->conf);
			log_reopen();
			children_tell(m, "reopen");
			break;
		case SIGCHLD:
			on_children(m);
			break;
		default:
			break;
		}
	}
}

static void
on_children(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->checker)
			reload_checked(m, status);
		else if (!lister_ended(m->lister, pid, status) &&
		    !keys_ended(m, pid, status) &&
		    !owncerts_ended(m, pid, status))
			children_ended(m, pid, status);
	}
}

void
master_stop(struct master *m, int status)
{
	if (m->stopping)
		return;
	m->stopping = true;
	m->status = status;
	log_info("Postern stops");
	notify_send("STOPPING=1");
	reload_stopping(m);
	children_tell(m, "stop");
	loop_timer_set(&m->stop_late, m->conf->top.stop_timeout + SECONDS(5));
	if (children_alive(m) == 0)
		loop_stop(m->loop);
}

static void
on_stop_late(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	log_critical("workers that do not stop are killed");
	children_kill(m, SIGKILL);
	loop_timer_set(&m->stop_late, SECONDS(1));
}

static void
on_tick(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (m->last_tick == 0)
		m->last_tick = clock_now();
	if (!m->stopping)
		children_watch(m);
	desk_tick(m);
	loop_timer_set(&m->tick, SECONDS(1));
}

static void
on_tickets(void *arg)
{
	struct err why = ERR_INIT;
	struct master *m;
	unsigned i;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	loop_timer_set(&m->ticket_turn, m->conf->tls.ticket_key_life);
	if (m->stopping)
		return;
	tickets_turn(&m->tickets);
	for (i = 0; i < m->nchild; i++) {
		if (m->child[i].pid != 0 &&
		    ipc_send(m->child[i].ipc, tickets_pack(&m->tickets), NULL,
			0, &why) != 0)
			log_warning("worker %u: %s", i, why.text);
	}
	log_debug("a new key for session tickets");
}

static void
on_watchdog(void *arg)
{
	msec every = notify_watchdog();
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (every == 0)
		return;
	notify_send("WATCHDOG=1");
	loop_timer_set(&m->watchdog, every);
}

/* Those that have counted something, plugins' behind ours. */
static json_t *
metrics(struct shm *shm)
{
	json_t *j = json_object();
	struct shm_named row;
	char name[256];
	unsigned i;

	for (i = 0; i < M_COUNT; i++) {
		if (shm_metric_sum(shm, i) != 0)
			(void)json_object_set_new(j,
			    shm_metric_name(i, name, sizeof(name)),
			    json_integer((json_int_t)shm_metric_sum(shm, i)));
	}
	for (i = 0; shm_named_at(shm, i, &row); i++) {
		if (row.name[0] == '\0' || row.value == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%s%s%s%s", row.name,
		    row.labels[0] != '\0' ? "{" : "", row.labels,
		    row.labels[0] != '\0' ? "}" : "");
		(void)json_object_set_new(j, name,
		    json_integer((json_int_t)row.value));
	}
	return j;
}

static void
verb_status(void *arg, struct control_req *r, const json_t *args)
{
	const struct child *c;
	struct master *m;
	unsigned i;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	(void)args;
	for (i = 0; i < m->nchild; i++) {
		c = &m->child[i];
		control_row_json(r, json_pack("{s:i, s:i, s:b, s:i, s:I, s:I}",
		    "worker", (int)i, "pid", (int)c->pid, "ready",
		    (int)c->ready, "restarts", (int)c->restarts, "generation",
		    (json_int_t)c->generation, "silent_ms",
		    (json_int_t)(clock_now() - shm_beat_last(m->shm, i))));
	}
	control_done(r, json_pack("{s:s, s:i, s:s, s:s, s:I, s:I, s:I, s:b, "
	    "s:b, s:o, s:o, s:i, s:o, s:o}", "version", PACKAGE_VERSION, "pid",
	    (int)getpid(), "file", m->file, "hostname", m->conf->top.hostname,
	    "generation", (json_int_t)epoch_generation(m->epoch), "revision",
	    (json_int_t)m->conf->revision, "uptime_ms",
	    (json_int_t)(clock_wall() - m->started), "ready", (int)m->ready,
	    "stopping", (int)m->stopping, "keeper", m->keys.keeper ?
		json_pack("{s:i, s:i, s:i}", "pid", (int)m->keys.pid, "keys",
		(int)m->keys.count, "restarts", (int)m->keys.restarts) :
		json_null(), "certificates", certs_status(m),
	    "episodes", (int)episodes_open(m->episodes), "plugins",
	    blame_status(m), "metrics", metrics(m->shm)));
}
