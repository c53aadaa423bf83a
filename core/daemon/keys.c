#include "daemon/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/obj.h"
#include "daemon/keyclient.h"

#define LONG_LIFE SECONDS(60)
#define PAUSE_MAX 30 /* seconds */
#define PATIENCE SECONDS(20) /* for one certificate, or a sign of life */
#define PULSE SECONDS(5)

static void	keeper_fork(struct master *);
static void	keeper_run(const struct master *, int) ATTR_NORETURN;
static void	keeper_pause(struct master *);
static void	keeper_again(void *);
static void	keeper_late(void *);
static void	keeper_pulse(void *);
static void	keeper_lives(struct master *);
static void	keeper_said(void *, const json_t *, int *, unsigned);
static void	next_again(struct master *);
static void	next_load(struct master *);
static void	loaded(struct master *, const json_t *);
static void	load_begin(struct master *);
static void	load_here(struct master *);
static int	text_here(struct epoch *, const char *, int, struct err *);
static int	ask_load(struct master *, struct epoch_cert *, struct err *);
static int	ask_again(struct master *, const struct epoch_cert *,
		    struct err *);
static int	ask_keeper(struct master *, json_t *, const int *, unsigned,
		    struct err *);
static int	open_file(const char *, int, struct err *);
static void	take(struct epoch *, struct epoch_cert *, const char *,
		    const char *);
static void	look(const struct epoch *, struct epoch_cert *);
static void	connect_workers(struct master *);

void
keys_start(struct master *m)
{
	struct keys *k = &m->keys;

	k->keeper = m->conf->tls.keys == 0;
	loop_timer_init(m->loop, &k->restart, keeper_again, m);
	loop_timer_init(m->loop, &k->late, keeper_late, m);
	loop_timer_init(m->loop, &k->pulse, keeper_pulse, m);
	if (k->keeper)
		keeper_fork(m);
}

static void
keeper_fork(struct master *m)
{
	struct keys *k = &m->keys;
	struct err why = ERR_INIT;
	int pair[2];
	pid_t pid;

	k->started = clock_now();
	if (ipc_pair(pair, &why) != 0) {
		log_critical("keeper: %s", why.text);
		keeper_pause(m);
		return;
	}
	log_flush();
	pid = fork();
	if (pid == 0)
		keeper_run(m, pair[1]);
	(void)close(pair[1]);
	if (pid == -1) {
		log_critical("keeper: fork: %s", strerror(errno));
		(void)close(pair[0]);
		keeper_pause(m);
		return;
	}
	k->pid = pid;
	k->ipc = ipc_new(m->loop, pair[0], keeper_said, m);
	k->state = KEYS_AGAIN;
	k->at = 0;
	loop_timer_set(&k->pulse, PULSE);
	next_again(m);
}

/* A program of its own: nothing of ours is in its memory. */
static void
keeper_run(const struct master *m, int fd)
{
	char name[] = "postern-keeper", verb[] = "keeper";
	char text[3][24];
	char *argv[] = { name, verb, text[0], text[1], text[2], NULL };
	sigset_t none;

	privs_close_others(&fd, 1);
	(void)snprintf(text[0], sizeof(text[0]), "%d", fd);
	(void)snprintf(text[1], sizeof(text[1]), "%u", m->privs.uid);
	(void)snprintf(text[2], sizeof(text[2]), "%u", m->privs.gid);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (fcntl(fd, F_SETFD, 0) == 0)
		(void)execv("/proc/self/exe", argv);
	(void)fprintf(stderr, "postern: keeper: %s\n", strerror(errno));
	_exit(EXIT_FAILURE);
}

bool
keys_ended(struct master *m, pid_t pid, int status)
{
	struct keys *k = &m->keys;

	if (k->pid == 0 || pid != k->pid)
		return false;
	k->pid = 0;
	k->state = KEYS_NONE;
	ipc_destroy(&k->ipc);
	loop_timer_clear(&k->late);
	loop_timer_clear(&k->pulse);
	if (m->stopping)
		return true;
	if (WIFSIGNALED(status))
		log_critical("keeper ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_critical("keeper ended with status %d",
		    WEXITSTATUS(status));
	k->restarts++;
	reload_keeper_gone(m);
	keeper_pause(m);
	return true;
}

/* At once the first time, then after 1, 2, 4 ... 30 seconds. */
static void
keeper_pause(struct master *m)
{
	struct keys *k = &m->keys;
	msec pause = 0;

	if (clock_now() - k->started > LONG_LIFE)
		k->failures = 0;
	if (k->failures > 0)
		pause = SECONDS(k->failures > 5 ? PAUSE_MAX :
		    1 << (k->failures - 1));
	k->failures++;
	if (pause > 0)
		log_info("keeper starts again in %" PRId64 " s", pause / 1000);
	loop_timer_set(&k->restart, pause);
}

static void
keeper_again(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (!m->stopping && m->keys.pid == 0)
		keeper_fork(m);
}

/* It does not answer: the next one may. */
static void
keeper_late(void *arg)
{
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (m->keys.pid == 0)
		return;
	log_critical("keeper (process %ld) is silent and is ended",
	    (long)m->keys.pid);
	(void)kill(m->keys.pid, SIGKILL);
}

/* One that hangs while it serves would hold every handshake. While it loads
 * there is another question to be answered. */
static void
keeper_pulse(void *arg)
{
	struct err why = ERR_INIT;
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	if (m->keys.state == KEYS_READY)
		(void)ask_keeper(m, json_pack("{s:s}", "type", "ping"), NULL, 0,
		    &why);
	else
		loop_timer_set(&m->keys.pulse, PULSE);
}

static void
keeper_lives(struct master *m)
{
	if (m->keys.state == KEYS_READY)
		loop_timer_clear(&m->keys.late);
	loop_timer_set(&m->keys.pulse, PULSE);
}

void
keys_load(struct master *m, struct epoch *e, keys_failed_fn *failed,
    keys_fn *fn)
{
	struct keys *k = &m->keys;

	ASSERT(k->loading == NULL);
	k->loading = e;
	k->failed = failed;
	k->loaded = fn;
	if (!k->keeper)
		load_here(m);
	else if (k->state == KEYS_READY)
		load_begin(m);
}

/* Without a keeper: into the epoch, for each worker to read. */
static void
load_here(struct master *m)
{
	struct keys *k = &m->keys;
	struct epoch *e = k->loading;
	struct epoch_cert *c;
	unsigned n, i;

	c = epoch_certs(e, &n);
	for (i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (c[i].loaded)
			continue;
		if (text_here(e, c[i].chain, c[i].given[0], &why) != 0 ||
		    text_here(e, c[i].key, c[i].given[1], &why) != 0) {
			k->failed(m, &c[i], &why);
			continue;
		}
		c[i].loaded = true;
		look(e, &c[i]);
	}
	k->loading = NULL;
	k->loaded(m);
}

static int
text_here(struct epoch *e, const char *path, int given, struct err *why)
{
	struct buf b;
	int r;

	buf_init(&b, CONF_MAX);
	r = given != -1 ? epoch_memory_read(given, &b, why) :
	    file_read(&b, path, why);
	if (r == 0)
		epoch_text_add(e, path, buf_str(&b));
	explicit_bzero(buf_p(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}

/* One after the other; a keeper that ended meanwhile had none of them. */
static void
load_begin(struct master *m)
{
	struct keys *k = &m->keys;

	k->state = KEYS_LOADING;
	k->at = 0;
	next_load(m);
}

static void
next_load(struct master *m)
{
	struct keys *k = &m->keys;
	struct epoch_cert *c;
	unsigned n;

	c = epoch_certs(k->loading, &n);
	for (; k->at < n; k->at++) {
		struct err why = ERR_INIT;

		if (c[k->at].loaded && c[k->at].key_fd != -1) {
			if (ask_again(m, &c[k->at], &why) == 0)
				return;
		} else if (ask_load(m, &c[k->at], &why) == 0) {
			return;
		}
		k->failed(m, &c[k->at], &why);
	}
	k->state = KEYS_READY;
	k->loading = NULL;
	k->loaded(m);
}

/* What is in force, for a keeper that came new. */
static void
next_again(struct master *m)
{
	struct keys *k = &m->keys;
	struct epoch_cert *c;
	unsigned n;

	c = epoch_certs(m->epoch, &n);
	for (; k->at < n; k->at++) {
		struct err why = ERR_INIT;

		if (!c[k->at].loaded)
			continue;
		if (ask_again(m, &c[k->at], &why) == 0)
			return;
		log_critical("keeper: %s", why.text);
	}
	k->state = KEYS_READY;
	connect_workers(m);
	if (k->loading != NULL)
		load_begin(m);
}

static int
ask_load(struct master *m, struct epoch_cert *c, struct err *why)
{
	int fds[2], r;

	fds[0] = open_file(c->key, c->given[1], why);
	if (fds[0] == -1)
		return -1;
	fds[1] = open_file(c->chain, c->given[0], why);
	if (fds[1] == -1) {
		(void)close(fds[0]);
		return -1;
	}
	r = ask_keeper(m, json_pack("{s:s, s:i, s:I, s:s, s:s}", "type",
	    "load", "seq", (int)m->keys.at, "generation",
	    (json_int_t)epoch_generation(m->keys.loading), "chain", c->chain,
	    "key", c->key), fds, 2, why);
	(void)close(fds[1]);
	file_close(&c->key_fd);
	c->key_fd = fds[0];
	return r;
}

/* The key through the descriptor that the epoch's was read from. */
static int
ask_again(struct master *m, const struct epoch_cert *c, struct err *why)
{
	struct keys *k = &m->keys;
	struct epoch *e = k->state == KEYS_AGAIN ? m->epoch : k->loading;
	const struct conf_reader *r = epoch_reader(e);
	struct buf chain;
	int ret;

	buf_init(&chain, CONF_MAX);
	ret = r->read(r->arg, c->chain, &chain, why);
	if (ret == 0)
		ret = ask_keeper(m, json_pack("{s:s, s:i, s:I, s:s, s:s, s:s}",
		    "type", "load", "seq", (int)k->at, "generation",
		    (json_int_t)epoch_generation(e), "chain", c->chain, "key",
		    c->key, "text", buf_p(&chain)), &c->key_fd, 1, why);
	buf_fini(&chain);
	return ret;
}

/* A keeper that cannot be reached ends, and all begins again. */
static int
ask_keeper(struct master *m, json_t *msg, const int *fds, unsigned n,
    struct err *why)
{
	struct keys *k = &m->keys;

	if (msg == NULL)
		return err_text(why, "a file's name is not UTF-8");
	loop_timer_set(&k->late, PATIENCE);
	if (k->ipc != NULL && ipc_send(k->ipc, msg, fds, n, why) == 0)
		return 0;
	log_warning("keeper: %s", why->text);
	if (k->pid != 0)
		(void)kill(k->pid, SIGKILL);
	return 0;
}

/* given: what is behind a path that is no file's, or -1. */
static int
open_file(const char *path, int given, struct err *why)
{
	struct stat st;
	int fd;

	if (given != -1)
		fd = fcntl(given, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1)
		return err_errno(why, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	(void)close(fd);
	return err_text(why, "%s: not a file", path);
}

static void
keeper_said(void *arg, const json_t *msg, int *fds, unsigned n)
{
	const char *type = control_text(msg, "type");
	struct master *m;

	OBJ_CAST(m, arg, MASTER_MAGIC);
	while (n > 0)
		(void)close(fds[--n]);
	if (type == NULL) {
		/* Its end is told by wait, if it has the grace to end. */
		if (msg == NULL && m->keys.pid != 0)
			(void)kill(m->keys.pid, SIGKILL);
		return;
	}
	if (strcmp(type, "loaded") == 0)
		loaded(m, msg);
	else if (strcmp(type, "pong") == 0)
		keeper_lives(m);
}

static void
loaded(struct master *m, const json_t *msg)
{
	const char *id = control_text(msg, "id"), *text;
	const char *error = control_text(msg, "error");
	struct keys *k = &m->keys;
	struct err why = ERR_INIT;
	struct epoch_cert *c;
	unsigned n;

	if ((k->state != KEYS_AGAIN && k->state != KEYS_LOADING) ||
	    control_number(msg, "seq", -1) != (int64_t)k->at)
		return;
	loop_timer_clear(&k->late);
	text = control_text(msg, "chain");
	k->count = (unsigned)control_number(msg, "keys", k->count);
	c = epoch_certs(k->state == KEYS_AGAIN ? m->epoch : k->loading, &n);
	if (k->at >= n)
		return;
	c += k->at++;
	if (error != NULL || id == NULL || text == NULL)
		(void)err_text(&why, "%s", error != NULL ? error :
		    "a malformed answer");
	if (k->state == KEYS_AGAIN) {
		if (why.text[0] != '\0')
			log_critical("keeper: %s", why.text);
		next_again(m);
		return;
	}
	if (why.text[0] == '\0') {
		take(k->loading, c, id, text);
	} else {
		c->loaded = false;
		file_close(&c->key_fd);
		k->failed(m, c, &why);
	}
	next_load(m);
}

static void
take(struct epoch *e, struct epoch_cert *c, const char *id, const char *text)
{
	unsigned v;
	size_t i;

	for (i = 0; i < sizeof(c->id.sha256) && sscanf(id + 2 * i, "%2x",
	    &v) == 1; i++)
		c->id.sha256[i] = (uint8_t)v;
	epoch_text_add(e, c->chain, str_c(text));
	c->loaded = true;
	look(e, c);
}

/* When it ends. */
static void
look(const struct epoch *e, struct epoch_cert *c)
{
	const struct conf_reader *r = epoch_reader((struct epoch *)
	    (uintptr_t)e);
	struct tlsident *id;
	struct buf text;

	buf_init(&text, CONF_MAX);
	if (r->read(r->arg, c->chain, &text, NULL) == 0 &&
	    tlsident_new(&id, c->chain, buf_str(&text), STR_NULL,
		&keyclient_ops, NULL, NULL) == 0) {
		c->expires = tlsident_expires(id);
		tlsident_unref(&id);
	}
	explicit_bzero(buf_p(&text), buf_len(&text));
	buf_fini(&text);
}

void
keys_current(struct master *m)
{
	struct keys *k = &m->keys;
	struct err why = ERR_INIT;

	if (k->ipc != NULL && ipc_send(k->ipc, json_pack("{s:s, s:I}", "type",
	    "current", "generation", (json_int_t)epoch_generation(m->epoch)),
		NULL, 0, &why) != 0)
		log_warning("keeper: %s", why.text);
}

int
keys_worker(struct master *m, const struct child *c)
{
	struct keys *k = &m->keys;
	struct err why = ERR_INIT;
	int pair[2];

	if (k->ipc == NULL || k->state == KEYS_AGAIN ||
	    ipc_pair(pair, &why) != 0)
		return -1; /* it is told of the next keeper */
	if (ipc_send(k->ipc, json_pack("{s:s, s:i}", "type", "worker", "index",
	    (int)c->index), &pair[0], 1, &why) != 0) {
		log_warning("keeper: %s", why.text);
		file_close(&pair[1]);
	}
	(void)close(pair[0]);
	return pair[1];
}

static void
connect_workers(struct master *m)
{
	struct err why = ERR_INIT;
	struct child *c;
	unsigned i;
	int fd;

	for (i = 0; i < m->nchild; i++) {
		c = &m->child[i];
		if (c->magic != CHILD_MAGIC || c->pid == 0)
			continue;
		fd = keys_worker(m, c);
		if (fd != -1 && ipc_send(c->ipc, json_pack("{s:s}", "type",
		    "keeper"), &fd, 1, &why) != 0)
			log_warning("worker %u: %s", i, why.text);
		file_close(&fd);
	}
}

void
keys_stop(struct master *m)
{
	struct keys *k = &m->keys;

	loop_timer_clear(&k->restart);
	loop_timer_clear(&k->late);
	loop_timer_clear(&k->pulse);
	ipc_destroy(&k->ipc);
}
