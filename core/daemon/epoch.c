#include "daemon/epoch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "daemon/ipc.h"

#define EPOCH_MAGIC 0xe90c4001u

struct memory_file {
	const char *path;
	int fd;
};

struct epoch {
	unsigned magic;
	struct pool *pool;
	const char *file;
	uint64_t generation;
	struct buf text;
	int text_fd;
	struct memory_file mem[IPC_FDS];
	unsigned nmem;
	struct epoch_port port[IPC_FDS];
	unsigned nport;
	struct conf_reader reader;
};

static struct epoch *epoch_new(const char *, uint64_t);
static int	memory_file(struct str, int *, struct err *);
static int	memory_read(int, struct buf *, struct err *);
static int	add_file(void *, const char *, struct err *);
static int	reader_read(void *, const char *, struct buf *, struct err *);
static const char *reader_path(void *, struct pool *, const char *);
static const struct memory_file *find(const struct epoch *, const char *);

int
epoch_read(struct epoch **ep_r, const char *file, uint64_t generation,
    struct err *why)
{
	struct epoch *e = epoch_new(file, generation);

	if (file_read(&e->text, file, why) != 0 ||
	    memory_file(buf_str(&e->text), &e->text_fd, why) != 0) {
		epoch_destroy(&e);
		return -1;
	}
	*ep_r = e;
	return 0;
}

static struct epoch *
epoch_new(const char *file, uint64_t generation)
{
	struct epoch *e;

	OBJ_NEW(e, EPOCH_MAGIC);
	e->pool = pool_new(0);
	e->file = pool_strdup(e->pool, file);
	e->generation = generation;
	e->text_fd = -1;
	buf_init(&e->text, CONF_MAX);
	e->reader.read = reader_read;
	e->reader.path = reader_path;
	e->reader.arg = e;
	return e;
}

int
epoch_files(struct epoch *e, const struct conf *conf, const char *extra,
    struct err *why)
{
	OBJ_CHECK(e, EPOCH_MAGIC);
	if (conf_files(conf, add_file, e, why) != 0)
		return -1;
	return extra != NULL ? add_file(e, extra, why) : 0;
}

static int
add_file(void *arg, const char *path, struct err *why)
{
	struct memory_file *m;
	struct epoch *e;
	struct buf b;
	int r;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	if (find(e, path) != NULL)
		return 0;
	if (e->nmem + e->nport + 2 > IPC_FDS)
		return err_text(why, "%s: more than %d files", e->file,
		    IPC_FDS);
	m = &e->mem[e->nmem];
	m->path = pool_strdup(e->pool, path);
	buf_init(&b, CONF_MAX);
	r = file_read(&b, path, why);
	if (r == 0)
		r = memory_file(buf_str(&b), &m->fd, why);
	buf_fini(&b);
	if (r == 0)
		e->nmem++;
	return r;
}

static int
memory_file(struct str s, int *fd_r, struct err *why)
{
	int fd = memfd_create("postern", MFD_CLOEXEC);

	if (fd == -1 || sys_pwrite_all(fd, s.p, s.n, 0) != 0) {
		(void)err_errno(why, "a file in memory");
		file_close(&fd);
		return -1;
	}
	*fd_r = fd;
	return 0;
}

static int
memory_read(int fd, struct buf *dst, struct err *why)
{
	char piece[16384];
	off_t at = 0;
	ssize_t r;

	while ((r = pread(fd, piece, sizeof(piece), at)) > 0) {
		if (buf_add(dst, piece, (size_t)r) != 0)
			return err_text(why, "a file in memory is too long");
		at += r;
	}
	return r == 0 ? 0 : err_errno(why, "a file in memory");
}

void
epoch_destroy(struct epoch **ep)
{
	struct epoch *e = *ep;
	unsigned i;

	if (e == NULL)
		return;
	OBJ_CHECK(e, EPOCH_MAGIC);
	*ep = NULL;
	for (i = 0; i < e->nmem; i++)
		file_close(&e->mem[i].fd);
	for (i = 0; i < e->nport; i++)
		file_close(&e->port[i].fd);
	file_close(&e->text_fd);
	buf_fini(&e->text);
	pool_destroy(&e->pool);
	OBJ_FREE(e);
}

const char *
epoch_file(const struct epoch *e)
{
	return e->file;
}

struct str
epoch_text(const struct epoch *e)
{
	return buf_str(&e->text);
}

uint64_t
epoch_generation(const struct epoch *e)
{
	return e->generation;
}

const struct conf_reader *
epoch_reader(struct epoch *e)
{
	return &e->reader;
}

static const struct memory_file *
find(const struct epoch *e, const char *path)
{
	unsigned i;

	for (i = 0; i < e->nmem; i++) {
		if (strcmp(e->mem[i].path, path) == 0)
			return &e->mem[i];
	}
	return NULL;
}

static int
reader_read(void *arg, const char *path, struct buf *dst, struct err *why)
{
	const struct memory_file *m;
	struct epoch *e;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	m = find(e, path);
	if (m == NULL)
		return file_read(dst, path, why);
	return memory_read(m->fd, dst, why);
}

static const char *
reader_path(void *arg, struct pool *pool, const char *path)
{
	const struct memory_file *m;
	struct epoch *e;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	m = find(e, path);
	return m == NULL ? path : pool_printf(pool, "/proc/self/fd/%d", m->fd);
}

void
epoch_port_add(struct epoch *e, const char *listener, const char *address,
    int fd)
{
	struct epoch_port *p;

	OBJ_CHECK(e, EPOCH_MAGIC);
	ASSERT(e->nport < IPC_FDS);
	p = &e->port[e->nport++];
	(void)str_copy(p->listener, sizeof(p->listener), str_c(listener));
	(void)str_copy(p->address, sizeof(p->address), str_c(address));
	p->fd = fd;
}

const struct epoch_port *
epoch_ports(const struct epoch *e, unsigned *n_r)
{
	*n_r = e->nport;
	return e->port;
}

unsigned
epoch_fds(const struct epoch *e, int *v, unsigned max)
{
	unsigned i, n = 0;

	if (n < max)
		v[n++] = e->text_fd;
	for (i = 0; i < e->nmem && n < max; i++)
		v[n++] = e->mem[i].fd;
	for (i = 0; i < e->nport && n < max; i++)
		v[n++] = e->port[i].fd;
	return n;
}

json_t *
epoch_pack(const struct epoch *e, int *fds, unsigned *n_r, struct err *why)
{
	json_t *msg, *files = json_array(), *ports = json_array();
	unsigned i;

	if (1 + e->nmem + e->nport > IPC_FDS) {
		json_decref(files);
		json_decref(ports);
		(void)err_text(why, "%s: more than %d files and sockets",
		    e->file, IPC_FDS);
		return NULL;
	}
	*n_r = epoch_fds(e, fds, IPC_FDS);
	for (i = 0; i < e->nmem; i++)
		(void)json_array_append_new(files,
		    json_string(e->mem[i].path));
	for (i = 0; i < e->nport; i++)
		(void)json_array_append_new(ports, json_pack("[ss]",
		    e->port[i].listener, e->port[i].address));
	msg = json_pack("{s:s, s:s, s:I, s:o, s:o}", "type", "epoch", "file",
	    e->file, "generation", (json_int_t)e->generation, "files", files,
	    "ports", ports);
	if (msg == NULL)
		(void)err_text(why, "%s: not UTF-8", e->file);
	return msg;
}

int
epoch_unpack(struct epoch **ep_r, const json_t *msg, int *fds, unsigned n,
    struct err *why)
{
	const json_t *files = json_object_get(msg, "files");
	const json_t *ports = json_object_get(msg, "ports");
	const char *file = json_string_value(json_object_get(msg, "file"));
	size_t nf = json_array_size(files), np = json_array_size(ports), i;
	struct epoch *e;

	if (file == NULL || n != 1 + nf + np || n > IPC_FDS) {
		for (i = 0; i < n; i++)
			(void)close(fds[i]);
		return err_text(why, "a malformed epoch");
	}
	e = epoch_new(file, (uint64_t)json_integer_value(
	    json_object_get(msg, "generation")));
	e->text_fd = fds[0];
	for (i = 0; i < nf; i++) {
		e->mem[i].path = pool_strdup(e->pool,
		    json_string_value(json_array_get(files, i)));
		e->mem[i].fd = fds[1 + i];
	}
	e->nmem = (unsigned)nf;
	for (i = 0; i < np; i++) {
		const json_t *p = json_array_get(ports, i);

		epoch_port_add(e, json_string_value(json_array_get(p, 0)),
		    json_string_value(json_array_get(p, 1)), fds[1 + nf + i]);
	}
	if (memory_read(e->text_fd, &e->text, why) != 0) {
		epoch_destroy(&e);
		return -1;
	}
	*ep_r = e;
	return 0;
}
