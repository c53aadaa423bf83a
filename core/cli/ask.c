#include "cli/ask.h"

#include <errno.h>
#include <glob.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "policy/conf.h"

#define PEERS_MAX 64
#define SILENCE_MS 60000
#define LINE_MAX_LEN (16 * 1024 * 1024)

struct peer {
	char name[64];
	int fd; /* -1: answered */
	struct buf in;
};

struct asking {
	struct peer peer[PEERS_MAX];
	unsigned n;
	ask_fn *fn;
	void *arg;
};

static int	find_peers(struct asking *, const char *, enum ask_whom,
		    struct err *);
static int	peer_open(const char *, struct err *);
static int	send_all(struct asking *, json_t *, struct err *);
static int	read_all(struct asking *, int, struct err *);
static int	peer_read(struct asking *, struct peer *, struct err *);
static int	peer_line(struct asking *, struct peer *, struct str,
		    struct err *);

int
ask_run_dir(const char *conf_file, char **run_r, struct err *why)
{
	struct conf *c;

	if (conf_load_top(&c, conf_file, why) != 0)
		return -1;
	*run_r = mem_strdup(c->top.run);
	conf_unref(&c);
	return 0;
}

/* A socket of a relay that was killed stays behind, and refuses. */
bool
ask_running(const char *run)
{
	char path[256];
	struct err why;
	bool running;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/master.sock", run);
	fd = peer_open(path, &why);
	running = fd != -1 || (errno != ENOENT && errno != ECONNREFUSED);
	file_close(&fd);
	return running;
}

int
ask(const char *run, enum ask_whom whom, json_t *request, ask_fn *fn,
    void *arg, struct err *why)
{
	struct asking *a = mem_zalloc(sizeof(*a));
	unsigned i;
	int r;

	a->fn = fn;
	a->arg = arg;
	r = find_peers(a, run, whom, why);
	if (r == 0)
		r = send_all(a, request, why);
	else
		json_decref(request);
	if (r == 0)
		r = read_all(a, whom == ASK_PATIENTLY || whom == ASK_ONE ?
			-1 : SILENCE_MS, why);
	for (i = 0; i < a->n; i++) {
		file_close(&a->peer[i].fd);
		buf_fini(&a->peer[i].in);
	}
	mem_free(a);
	return r;
}

static int
find_peers(struct asking *a, const char *run, enum ask_whom whom,
    struct err *why)
{
	struct err last = ERR_INIT;
	char pattern[256];
	struct peer *p;
	const char *slash;
	glob_t g;
	size_t i;
	int fd;

	(void)snprintf(pattern, sizeof(pattern), "%s/%s", run,
	    whom == ASK_WORKERS || whom == ASK_ONE ? "worker-*.sock" :
	    "master.sock");
	if (glob(pattern, 0, NULL, &g) != 0)
		return err_text(why, "the relay is not running: there is no "
		    "%s", pattern);
	for (i = 0; i < g.gl_pathc && a->n < (whom == ASK_ONE ? 1 :
		PEERS_MAX); i++) {
		fd = peer_open(g.gl_pathv[i], &last);
		if (fd == -1)
			continue;
		p = &a->peer[a->n++];
		p->fd = fd;
		slash = strrchr(g.gl_pathv[i], '/');
		(void)str_copy(p->name, sizeof(p->name),
		    str_n(slash + 1, strlen(slash + 1) - strlen(".sock")));
		buf_init(&p->in, LINE_MAX_LEN);
	}
	globfree(&g);
	return a->n > 0 ? 0 : err_text(why, "the relay does not answer: %s",
	    last.text);
}

static int
peer_open(const char *path, struct err *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd, error;

	if (!str_copy(sa.sun_path, sizeof(sa.sun_path), str_c(path)))
		return err_text(why, "%s: too long", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (const struct sockaddr *)&sa,
			    sizeof(sa)) != 0) {
		(void)err_errno(why, "%s", path);
		error = errno;
		file_close(&fd);
		errno = error;
		return -1;
	}
	return fd;
}

static int
add_text(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}

static int
send_all(struct asking *a, json_t *request, struct err *why)
{
	struct buf text;
	unsigned i;
	int r = 0;

	buf_init(&text, 64 * 1024);
	if (json_dump_callback(request, add_text, &text, JSON_COMPACT) != 0 ||
	    buf_add_char(&text, '\n') != 0)
		r = err_text(why, "the request is too long or not UTF-8");
	json_decref(request);
	for (i = 0; r == 0 && i < a->n; i++) {
		if (send(a->peer[i].fd, buf_p(&text), buf_len(&text),
			MSG_NOSIGNAL) != (ssize_t)buf_len(&text))
			r = err_errno(why, "%s", a->peer[i].name);
	}
	buf_fini(&text);
	return r;
}

static int
read_all(struct asking *a, int silence, struct err *why)
{
	struct pollfd v[PEERS_MAX];
	unsigned i, open_n;
	int r;

	for (;;) {
		for (i = open_n = 0; i < a->n; i++) {
			v[i].fd = a->peer[i].fd; /* -1 is passed over */
			v[i].events = POLLIN;
			v[i].revents = 0;
			open_n += a->peer[i].fd != -1;
		}
		if (open_n == 0)
			return 0;
		r = poll(v, a->n, silence);
		if (r == 0)
			return err_text(why, "the relay does not answer");
		if (r == -1 && errno != EINTR)
			return err_errno(why, "poll");
		for (i = 0; i < a->n; i++) {
			if (v[i].revents != 0 &&
			    peer_read(a, &a->peer[i], why) != 0)
				return -1;
		}
	}
}

static int
peer_read(struct asking *a, struct peer *p, struct err *why)
{
	char piece[65536];
	struct str all;
	ssize_t n;
	size_t at;

	n = read(p->fd, piece, sizeof(piece));
	if (n == -1 && errno == EINTR)
		return 0;
	if (n <= 0)
		return err_text(why, "%s: the answer was cut off", p->name);
	if (buf_add(&p->in, piece, (size_t)n) != 0)
		return err_text(why, "%s: a line without an end", p->name);
	while (p->fd != -1) {
		all = buf_str(&p->in);
		at = str_find(all, '\n');
		if (at == all.n)
			break;
		if (peer_line(a, p, str_n(all.p, at), why) != 0)
			return -1;
		buf_consume(&p->in, at + 1);
	}
	return 0;
}

static int
peer_line(struct asking *a, struct peer *p, struct str text, struct err *why)
{
	const json_t *error;
	json_t *line;
	int r = 0;

	line = json_loadb(text.p, text.n, 0, NULL);
	error = json_object_get(line, "error");
	if (line == NULL) {
		r = err_text(why, "%s: not JSON", p->name);
	} else if (json_is_string(error)) {
		r = err_text(why, "%s: %s", p->name,
		    json_string_value(error));
	} else if (json_is_true(json_object_get(line, "done"))) {
		a->fn(a->arg, p->name, line, 1);
		file_close(&p->fd);
	} else {
		a->fn(a->arg, p->name, line, 0);
	}
	json_decref(line);
	return r;
}
