#include "admin/control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "net/stream.h"

#define CONTROL_MAGIC 0xc0417001u
#define CONTROL_REQ_MAGIC 0xc0417002u
#define LINE_MAX_LEN (64 * 1024)
#define UNREAD_MAX (16 * 1024 * 1024)
#define CLIENTS_MAX 32
#define PATIENCE SECONDS(10)

struct control {
	unsigned magic;
	struct loop *loop;
	const struct control_verb *verbs;
	void *arg;
	int fd;
	char *path;
	struct loop_fd *watch;
	LIST_HEAD(, control_req) reqs;
	unsigned n;
};

/* Lives while its client is there or its verb at work. */
struct control_req {
	unsigned magic;
	LIST_ENTRY(control_req) entry;
	struct control *c;
	struct stream *stream; /* NULL: the client is gone */
	struct loop_timer patience;
	struct pool *pool;
	bool started, ended;
};

static int	socket_open(const char *, int *, struct err *);
static void	on_accept(void *, int, unsigned);
static void	on_input(void *);
static void	on_closed(void *, enum stream_end, const struct err *);
static void	on_late(void *);
static void	req_start(struct control_req *, struct str);
static int	add_text(const char *, size_t, void *);
static void	req_end(struct control_req *, json_t *);
static void	req_write(struct control_req *, const char *, size_t);
static void	req_free(struct control_req *);

static const struct stream_ops req_ops = {
	.input = on_input,
	.closed = on_closed,
};

int
control_new(struct control **c_r, struct loop *l, const char *path,
    const struct control_verb *verbs, void *arg, struct err *why)
{
	struct control *c;
	int fd = -1;

	if (socket_open(path, &fd, why) != 0)
		return -1;
	OBJ_NEW(c, CONTROL_MAGIC);
	c->loop = l;
	c->verbs = verbs;
	c->arg = arg;
	c->fd = fd;
	c->path = mem_strdup(path);
	LIST_INIT(&c->reqs);
	c->watch = loop_fd_start(l, fd, LOOP_READ, on_accept, c);
	*c_r = c;
	return 0;
}

static int
socket_open(const char *path, int *fd_r, struct err *why)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, r;

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_text(why, "%s: too long for a socket", path);
	(void)str_copy(sa.sun_path, sizeof(sa.sun_path), str_c(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_errno(why, "socket");
	(void)sys_unlink(path);
	mask = umask(0177);
	r = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
	(void)umask(mask);
	if (r != 0 || listen(fd, CLIENTS_MAX) != 0) {
		(void)err_errno(why, "%s", path);
		(void)close(fd);
		return -1;
	}
	*fd_r = fd;
	return 0;
}

void
control_destroy(struct control **cp)
{
	struct control *c = *cp;
	struct control_req *r;

	if (c == NULL)
		return;
	OBJ_CHECK(c, CONTROL_MAGIC);
	*cp = NULL;
	while ((r = LIST_FIRST(&c->reqs)) != NULL)
		req_free(r);
	loop_fd_stop(&c->watch);
	file_close(&c->fd);
	(void)sys_unlink(c->path);
	mem_free(c->path);
	OBJ_FREE(c);
}

static void
on_accept(void *arg, int fd, unsigned what)
{
	struct control_req *r;
	struct control *c;
	int client;

	OBJ_CAST(c, arg, CONTROL_MAGIC);
	(void)what;
	client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (client == -1)
		return;
	if (c->n >= CLIENTS_MAX) {
		(void)close(client);
		return;
	}
	OBJ_NEW(r, CONTROL_REQ_MAGIC);
	r->c = c;
	r->pool = pool_new(0);
	r->stream = stream_new(c->loop, client, LINE_MAX_LEN, &req_ops, r);
	loop_timer_init(c->loop, &r->patience, on_late, r);
	loop_timer_set(&r->patience, PATIENCE);
	LIST_INSERT_HEAD(&c->reqs, r, entry);
	c->n++;
}

static void
on_input(void *arg)
{
	struct control_req *r;
	struct str in;
	size_t n;

	OBJ_CAST(r, arg, CONTROL_REQ_MAGIC);
	in = stream_in(r->stream);
	if (r->started) {
		stream_consume(r->stream, in.n);
		return;
	}
	n = str_find(in, '\n');
	if (n == in.n) {
		if (in.n >= LINE_MAX_LEN)
			on_late(r);
		return;
	}
	r->started = true;
	loop_timer_clear(&r->patience);
	in = pool_str(r->pool, str_n(in.p, n));
	stream_discard(r->stream);
	req_start(r, in);
}

static void
on_closed(void *arg, enum stream_end how, const struct err *why)
{
	struct control_req *r;

	OBJ_CAST(r, arg, CONTROL_REQ_MAGIC);
	(void)how;
	(void)why;
	stream_destroy(&r->stream);
	if (!r->started || r->ended)
		req_free(r);
}

static void
on_late(void *arg)
{
	struct control_req *r;

	OBJ_CAST(r, arg, CONTROL_REQ_MAGIC);
	stream_destroy(&r->stream);
	req_free(r);
}

static void
req_start(struct control_req *r, struct str line)
{
	const struct control_verb *v;
	const char *name;
	json_t *args;

	args = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
	name = control_text(args, "verb");
	for (v = r->c->verbs; name != NULL && v->name != NULL; v++) {
		if (strcmp(v->name, name) == 0) {
			v->run(r->c->arg, r, args);
			json_decref(args);
			return;
		}
	}
	json_decref(args);
	control_fail(r, name == NULL ? "a JSON object with a verb is wanted" :
	    "no such verb");
}

struct pool *
control_pool(struct control_req *r)
{
	return r->pool;
}

void
control_row(struct control_req *r, struct str json)
{
	OBJ_CHECK(r, CONTROL_REQ_MAGIC);
	ASSERT(!r->ended);
	req_write(r, json.p, json.n);
	req_write(r, "\n", 1);
}

void
control_row_json(struct control_req *r, json_t *row)
{
	struct buf text;

	buf_init(&text, UNREAD_MAX);
	if (json_dump_callback(row, add_text, &text, JSON_COMPACT) == 0)
		control_row(r, buf_str(&text));
	json_decref(row);
	buf_fini(&text);
}

static int
add_text(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}

void
control_done(struct control_req *r, json_t *more)
{
	if (more == NULL)
		more = json_object();
	(void)json_object_set_new(more, "done", json_true());
	req_end(r, more);
}

void
control_fail(struct control_req *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	req_end(r, json_pack("{s:s}", "error", text));
}

static void
req_end(struct control_req *r, json_t *last)
{
	OBJ_CHECK(r, CONTROL_REQ_MAGIC);
	control_row_json(r, last);
	r->ended = true;
	if (r->stream != NULL)
		stream_finish(r->stream);
	else
		req_free(r);
}

static void
req_write(struct control_req *r, const char *p, size_t n)
{
	if (r->stream == NULL)
		return;
	/* A reader this slow would have us keep its answer for it. */
	if (stream_out_len(r->stream) + n > UNREAD_MAX)
		stream_destroy(&r->stream);
	else
		stream_write(r->stream, p, n);
}

static void
req_free(struct control_req *r)
{
	LIST_REMOVE(r, entry);
	r->c->n--;
	loop_timer_clear(&r->patience);
	stream_destroy(&r->stream);
	pool_destroy(&r->pool);
	OBJ_FREE(r);
}

bool
control_gone(const struct control_req *r)
{
	return r->stream == NULL;
}

const char *
control_text(const json_t *args, const char *name)
{
	return json_string_value(json_object_get(args, name));
}

int64_t
control_number(const json_t *args, const char *name, int64_t other)
{
	const json_t *v = json_object_get(args, name);

	return json_is_integer(v) ? (int64_t)json_integer_value(v) : other;
}
