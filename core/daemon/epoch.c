#include "daemon/epoch_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"
#include "policy/conf_object.h"

static struct epoch *epoch_new(const char *, uint64_t);
static const char *shadow_copy(const struct epoch *, const char *);
static int	memory_texts(struct epoch *, struct err *);
static int	over_unpack(struct epoch *, const json_t *, struct err *);
static int	add_file(void *, const char *, struct err *);
static int	keep_file(struct epoch *, const char *, int, struct err *);
static int	reader_read(void *, const char *, struct buf *, struct err *);
static const char *reader_path(void *, struct pool *, const char *);
static bool	reader_has(void *, const char *);
static const struct memory_file *find(const struct epoch *, const char *);

int
epoch_read(struct epoch **ep_r, const char *file, uint64_t generation,
    struct err *why)
{
	const struct epoch_store from = { .path = NULL };

	return epoch_read_from(ep_r, file, &from, generation, why);
}

int
epoch_read_from(struct epoch **ep_r, const char *file,
    const struct epoch_store *from, uint64_t generation, struct err *why)
{
	struct epoch *e = epoch_new(file, generation);
	const char *path = from->path;

	if (file_read(&e->text, file, why) != 0 ||
	    (path == NULL && conf_over_path(e->pool, file, buf_str(&e->text),
		&path, why) != 0) ||
	    conf_over_read(&e->over, e->pool, path, from->proposal,
		from->token, why) != 0 ||
	    memory_texts(e, why) != 0) {
		epoch_destroy(&e);
		return -1;
	}
	e->over.shadow = shadow_copy(e, from->shadow);
	*ep_r = e;
	return 0;
}

static const char *
shadow_copy(const struct epoch *e, const char *file)
{
	return file != NULL ? pool_strdup(e->pool, file) : NULL;
}

static int
memory_texts(struct epoch *e, struct err *why)
{
	if (e->over.text.n > 0 &&
	    epoch_memory_file(e->over.text, &e->over_fd, why) != 0)
		return -1;
	return epoch_memory_file(buf_str(&e->text), &e->text_fd, why);
}

static struct epoch *
epoch_new(const char *file, uint64_t generation)
{
	struct epoch *e;

	OBJ_NEW(e, EPOCH_MAGIC);
	e->pool = pool_new(0);
	e->file = pool_strdup(e->pool, file);
	e->generation = generation;
	e->text_fd = e->over_fd = e->bundle_fd = -1;
	e->map.pool = e->pool;
	buf_init(&e->text, CONF_MAX);
	e->reader.read = reader_read;
	e->reader.path = reader_path;
	e->reader.has = reader_has;
	e->reader.arg = e;
	return e;
}

int
epoch_again(struct epoch **ep_r, const struct epoch *old, uint64_t generation,
    struct err *why)
{
	struct epoch *e = epoch_new(old->file, generation);

	OBJ_CHECK(old, EPOCH_MAGIC);
	(void)buf_add_str(&e->text, buf_str(&old->text));
	e->over = old->over;
	e->over.text = pool_str(e->pool, old->over.text);
	e->over.name = pool_strdup(e->pool, old->over.name);
	e->over.shadow = shadow_copy(e, old->over.shadow);
	if (memory_texts(e, why) != 0) {
		epoch_destroy(&e);
		return -1;
	}
	*ep_r = e;
	return 0;
}

int
epoch_files(struct epoch *e, const struct conf *conf, struct err *why)
{
	OBJ_CHECK(e, EPOCH_MAGIC);
	return conf_files(conf, add_file, e, why);
}

int
epoch_plugin_files(struct epoch *e, const struct conf *conf, struct err *why)
{
	OBJ_CHECK(e, EPOCH_MAGIC);
	return conf_plugin_files(conf, add_file, e, why);
}

static int
add_file(void *arg, const char *path, struct err *why)
{
	struct epoch *e;
	struct buf b;
	int r, fd;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	if (find(e, path) != NULL)
		return 0;
	buf_init(&b, CONF_FILE_MAX);
	r = file_read(&b, path, why);
	if (r == 0)
		r = epoch_memory_file(buf_str(&b), &fd, why);
	buf_fini(&b);
	return r == 0 ? keep_file(e, path, fd, why) : -1;
}

/* Takes fd. */
static int
keep_file(struct epoch *e, const char *path, int fd, struct err *why)
{
	struct memory_file *m = &e->mem[e->nmem];

	if (e->nmem + e->nport + 4 > IPC_FDS) {
		(void)close(fd);
		return err_text(why, "%s: more than %d files", e->file,
		    IPC_FDS);
	}
	m->path = pool_strdup(e->pool, path);
	m->fd = fd;
	e->nmem++;
	return 0;
}

int
epoch_file_keep(struct epoch *e, const struct epoch *old, const char *path,
    struct err *why)
{
	const struct memory_file *m = find(old, path);
	int fd;

	OBJ_CHECK(e, EPOCH_MAGIC);
	if (m == NULL)
		return err_text(why, "%s: there is no earlier one", path);
	fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
	if (fd == -1)
		return err_errno(why, "%s", path);
	return keep_file(e, path, fd, why);
}

int
epoch_memory_file(struct str s, int *fd_r, struct err *why)
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

int
epoch_memory_read(int fd, struct buf *dst, struct err *why)
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
	file_close(&e->over_fd);
	epoch_certs_close(e);
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

const struct conf_over *
epoch_over(const struct epoch *e)
{
	return &e->over;
}

int
epoch_conf(const struct epoch *e, const struct conf_reader *reader,
    struct conf **c_r, struct err *why)
{
	return conf_parse_over(c_r, e->file, buf_str(&e->text), &e->over,
	    reader, why);
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
	const struct bundled *b;
	struct epoch *e;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	b = epoch_bundled(e, path);
	if (b != NULL)
		return buf_add_str(dst, b->text) == 0 ? 0 :
		    err_text(why, "%s: too long", path);
	m = find(e, path);
	if (m == NULL)
		return file_read(dst, path, why);
	return epoch_memory_read(m->fd, dst, why);
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

static bool
reader_has(void *arg, const char *path)
{
	struct epoch *e;

	OBJ_CAST(e, arg, EPOCH_MAGIC);
	return find(e, path) != NULL || epoch_bundled(e, path) != NULL;
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
	if (n < max && e->over_fd != -1)
		v[n++] = e->over_fd;
	if (n < max && e->bundle_fd != -1)
		v[n++] = e->bundle_fd;
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

	if (3 + e->nmem + e->nport > IPC_FDS) {
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
	msg = json_pack("{s:s, s:s, s:I, s:I, s:s*, s:b, s:b, s:o, s:o}",
	    "type", "epoch", "file", e->file, "generation",
	    (json_int_t)e->generation, "revision",
	    (json_int_t)e->over.revision, "shadow", e->over.shadow, "over",
	    (int)(e->over_fd != -1), "bundle", (int)(e->bundle_fd != -1),
	    "files", files, "ports", ports);
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
	bool bundle = json_is_true(json_object_get(msg, "bundle"));
	bool over = json_is_true(json_object_get(msg, "over"));
	struct epoch *e;

	if (file == NULL || n != 1 + (over ? 1 : 0) + (bundle ? 1 : 0) +
	    nf + np ||
	    n > IPC_FDS) {
		for (i = 0; i < n; i++)
			(void)close(fds[i]);
		return err_text(why, "a malformed epoch");
	}
	e = epoch_new(file, (uint64_t)json_integer_value(
	    json_object_get(msg, "generation")));
	e->text_fd = *fds++;
	if (over)
		e->over_fd = *fds++;
	if (bundle)
		e->bundle_fd = *fds++;
	for (i = 0; i < nf; i++) {
		e->mem[i].path = pool_strdup(e->pool,
		    json_string_value(json_array_get(files, i)));
		e->mem[i].fd = fds[i];
	}
	e->nmem = (unsigned)nf;
	for (i = 0; i < np; i++) {
		const json_t *p = json_array_get(ports, i);

		epoch_port_add(e, json_string_value(json_array_get(p, 0)),
		    json_string_value(json_array_get(p, 1)), fds[nf + i]);
	}
	if (epoch_memory_read(e->text_fd, &e->text, why) != 0 ||
	    over_unpack(e, msg, why) != 0 ||
	    (bundle && epoch_unbundle(e, why) != 0)) {
		epoch_destroy(&e);
		return -1;
	}
	*ep_r = e;
	return 0;
}

static int
over_unpack(struct epoch *e, const json_t *msg, struct err *why)
{
	struct buf text;
	int r;

	e->over.revision = (uint64_t)json_integer_value(
	    json_object_get(msg, "revision"));
	e->over.name = pool_printf(e->pool, "revision %ju",
	    (uintmax_t)e->over.revision);
	e->over.shadow = shadow_copy(e, json_string_value(json_object_get(msg,
	    "shadow")));
	if (e->over_fd == -1)
		return 0;
	buf_init(&text, CONF_OVER_MAX);
	r = epoch_memory_read(e->over_fd, &text, why);
	if (r == 0)
		e->over.text = pool_str(e->pool, buf_str(&text));
	buf_fini(&text);
	return r;
}
