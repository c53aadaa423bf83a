#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/obj.h"
#include "store/body_priv.h"

/* Large bodies, piece by piece; the _work functions run on the reader. */

static int map_file(struct body_ref *c, const char *path);
static void read_work(void *arg);
static void read_done(void *arg);
static void check_work(void *arg);
static void check_done(void *arg);
static void aside_work(void *arg);
static void aside_done(void *arg);

bool
body_read(struct body_ref *b, uint64_t off, size_t max, struct str *piece_r,
    body_read_fn *fn, void *arg)
{
	struct body_ref *c = body_content(b);
	struct body_job *j;
	uint64_t left = off < c->size ? c->size - off : 0;

	ASSERT(b->reading == NULL);
	if (!c->large || left == 0) {
		*piece_r = left == 0 ?
		    str_n("", 0) :
		    str_n(c->mem + off, left < max ? (size_t)left : max);
		return true;
	}
	j = body_job_new(b);
	j->n = max < READ_MAX ? max : READ_MAX;
	if (j->n > left)
		j->n = (size_t)left;
	j->off = c->place.off + off;
	j->fn = fn;
	j->arg = arg;
	j->bytes = b->piece; /* as large as any read, once there is one */
	b->piece = NULL;
	b->reading = j;
	store_run(b->store, true, read_work, read_done, j);
	return false;
}

void
body_read_cancel(struct body_ref *b)
{
	OBJ_CHECK(b, BODY_MAGIC);
	if (b->reading == NULL)
		return;
	b->reading->fn = NULL;
	b->reading = NULL;
}

bool
body_settle(struct body_ref *b, body_ready *fn, void *arg)
{
	struct body_ref *c = body_content(b);

	ASSERT(c->finished && (c->ready == NULL || fn == NULL));
	if (!c->large || c->synced || c->failed)
		return true;
	c->ready = fn;
	c->arg = arg;
	return false;
}

int
body_map(struct body_ref *b, struct str *all_r, struct err *why)
{
	struct body_ref *c = body_content(b);
	char path[SEG_PATH_MAX];

	ASSERT(c->finished);
	if (c->failed) {
		*why = c->why;
		return -1;
	}
	if (!c->large) {
		*all_r = body_memory(c);
		return 0;
	}
	if (!c->synced)
		return err_set(why, 451, "4.3.0", "the body is not there yet");
	if (c->map.p == NULL) {
		seg_path(path, c->store->seg_dir, c->place.seg);
		if (map_file(c, path) < 0)
			return seg_err(why, "map", path);
	}
	*all_r = c->mapped;
	return 0;
}

/* From the page that the content begins on. */
static int
map_file(struct body_ref *c, const char *path)
{
	uint64_t skip = c->place.off % (uint64_t)sysconf(_SC_PAGESIZE);
	size_t n = (size_t)(c->size + skip);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *p;

	if (fd < 0)
		return -1;
	/* What is cut short would be a fault when it is read. */
	if (fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size < c->place.off + c->size) {
		(void)close(fd);
		errno = EIO;
		return -1;
	}
	p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd,
	    (off_t)(c->place.off - skip));
	(void)close(fd);
	if (p == MAP_FAILED)
		return -1;
	c->map = str_n(p, n);
	c->mapped = str_n(p + skip, (size_t)c->size);
	return 0;
}

void
body_unmap(struct body_ref *b)
{
	union {
		const char *p;
		void *v;
	} map = { .p = b->map.p };

	if (map.p != NULL)
		(void)munmap(map.v, b->map.n);
	b->map = b->mapped = STR_NULL;
}

void
body_check(struct body_ref *b, uint64_t mid, store_done *fn, void *arg)
{
	struct body_job *j;

	if (!b->large) {
		fn(arg, NULL);
		return;
	}
	j = body_job_new(b);
	j->checked = fn;
	j->arg = arg;
	j->mid = mid;
	store_run(b->store, true, check_work, check_done, j);
}

/* The reader opens what it has not written itself. */
static int
open_file(struct body_ref *b, struct err *why)
{
	char path[SEG_PATH_MAX];

	if (b->file.fd >= 0)
		return 0;
	seg_path(path, b->store->seg_dir, b->place.seg);
	b->file.fd = open(path, O_RDONLY | O_CLOEXEC);
	return b->file.fd < 0 ? seg_err(why, "open", path) : 0;
}

static int
read_file(struct body_ref *b, char *dst, size_t n, uint64_t off,
    struct err *why)
{
	ssize_t got;

	if (open_file(b, why) < 0)
		return -1;
	while (n > 0) {
		got = pread(b->file.fd, dst, n, (off_t)off);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return seg_err(why, "read", b->store->seg_dir);
		if (got == 0)
			return err_set(why, 451, "4.3.0",
			    "the body is cut short");
		dst += got;
		n -= (size_t)got;
		off += (uint64_t)got;
	}
	return 0;
}

static void
read_work(void *arg)
{
	struct body_job *j;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	j->bytes = mem_realloc(j->bytes, j->n);
	j->failed =
	    read_file(j->content, j->bytes, j->n, j->off, &j->why) < 0;
}

static void
read_done(void *arg)
{
	struct body_job *j;
	struct body_ref *b;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->b;
	if (j->fn != NULL) {
		b->reading = NULL;
		mem_free(b->piece);
		b->piece = j->bytes;
		j->bytes = NULL;
		if (j->failed)
			j->fn(j->arg, str_n("", 0), &j->why);
		else
			j->fn(j->arg, str_n(b->piece, j->n), NULL);
	}
	body_job_free(j);
}

/* From where the engine has it to where it is read. */
static bool
fetched(struct body_job *j)
{
	struct store *s = j->content->store;

	if (s->engine->fetch == NULL)
		return true;
	switch (s->engine->fetch(s->e, j->mid, &j->content->place, &j->why)) {
	case FETCHED:
		return true;
	case FETCH_LATER:
		j->later = true;
		break;
	case FETCH_DAMAGED:
		break;
	}
	j->failed = true;
	return false;
}

static void
check_work(void *arg)
{
	struct body_job *j;
	struct body_ref *b;
	struct sum sum;
	uint64_t at, left;
	size_t n;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	b = j->content;
	if (!fetched(j))
		return;
	sum_init(&sum);
	j->bytes = mem_alloc(READ_MAX);
	for (at = 0; at < b->size; at += n) {
		left = b->size - at;
		n = left < READ_MAX ? (size_t)left : READ_MAX;
		j->failed = read_file(b, j->bytes, n, b->place.off + at,
				&j->why) < 0;
		if (j->failed)
			return;
		sum_add(&sum, j->bytes, n);
	}
	if (sum_end(&sum) != b->place.sum) {
		j->failed = true;
		(void)err_set(&j->why, 451, "4.3.0",
		    "the body's checksum is wrong");
	}
}

static void
check_done(void *arg)
{
	struct body_job *j;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	if (j->failed && !j->later) {
		store_run(j->b->store, false, aside_work, aside_done, j);
		return;
	}
	j->content->unchecked = j->later;
	j->checked(j->arg, j->failed ? &j->why : NULL);
	body_job_free(j);
}

/* On the writer. */
static void
aside_work(void *arg)
{
	struct body_job *j;
	struct store *s;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	s = j->b->store;
	s->engine->set_aside(s->e, j->mid, j->why.text);
}

static void
aside_done(void *arg)
{
	struct body_job *j;

	OBJ_CAST(j, arg, BODY_JOB_MAGIC);
	j->checked(j->arg, &j->why);
	body_job_free(j);
}
