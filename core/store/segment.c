#include "store/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/sys.h"

#define SEGS_MAGIC  0x53656773U
#define NAME_DIGITS 16

struct seg {
	RB_ENTRY(seg) node;
	TAILQ_ENTRY(seg) dead_link;
	uint64_t id;
	uint64_t size;
	int64_t live;
	msec since;
	bool dead;
	bool file;
};

static int seg_cmp(const struct seg *a, const struct seg *b);

RB_HEAD(seg_tree, seg);
RB_PROTOTYPE_INTERNAL(seg_tree, seg, node, seg_cmp, ATTR_UNUSED static)

struct segs {
	unsigned magic;
	char *dir;
	uint64_t full;
	_Atomic uint64_t *next;
	struct seg_tree tree;
	TAILQ_HEAD(, seg) dead;
	struct seg *open; /* appended to; NULL: none yet */
	int fd;
	uint64_t before; /* its size before the last append */
};

static int sync_dir(const char *dir, struct err *why);
static int find_files(struct segs *s, struct err *why);
static struct seg *seg_find(const struct segs *s, uint64_t id);
static struct seg *seg_add(struct segs *s, uint64_t id);
static int begin_segment(struct segs *s, struct err *why);
static void end_segment(struct segs *s);
static void check_dead(struct segs *s, struct seg *seg);

int
segs_open(struct segs **sp_r, const char *dir, uint64_t full,
    _Atomic uint64_t *next, struct err *why)
{
	struct segs *s;

	if (file_mkdirs(dir, 0700, why) < 0)
		return -1;
	OBJ_NEW(s, SEGS_MAGIC);
	s->dir = mem_strdup(dir);
	s->full = full;
	s->next = next;
	s->fd = -1;
	RB_INIT(&s->tree);
	TAILQ_INIT(&s->dead);
	if (find_files(s, why) < 0) {
		segs_close(&s);
		return -1;
	}
	*sp_r = s;
	return 0;
}

void
segs_close(struct segs **sp)
{
	struct segs *s = *sp;
	struct seg *seg;

	if (s == NULL)
		return;
	OBJ_CHECK(s, SEGS_MAGIC);
	file_close(&s->fd);
	while ((seg = RB_ROOT(&s->tree)) != NULL) {
		(void)RB_REMOVE(seg_tree, &s->tree, seg);
		mem_free(seg);
	}
	mem_free(s->dir);
	OBJ_FREE(s);
	*sp = NULL;
}

bool
segs_size(const struct segs *s, uint64_t id, uint64_t *size_r)
{
	const struct seg *seg = seg_find(s, id);

	if (seg == NULL || !seg->file)
		return false;
	*size_r = seg->size;
	return true;
}

void
segs_account(struct segs *s, uint64_t id, int64_t len)
{
	struct seg *seg = seg_find(s, id);

	if (seg == NULL) {
		seg = seg_add(s, id);
		seg->size = len > 0 ? (uint64_t)len : 0;
		seg->file = true;
	}
	seg->live += len;
	check_dead(s, seg);
}

void
segs_sweep(struct segs *s, const char *keep)
{
	struct seg *seg, *after;
	char path[SEG_PATH_MAX], to[SEG_PATH_MAX];
	int rc;

	TAILQ_FOREACH_SAFE (seg, &s->dead, dead_link, after) {
		seg_path(path, s->dir, seg->id);
		if (keep == NULL) {
			rc = sys_unlink(path);
		} else {
			seg_path(to, keep, seg->id);
			rc = sys_rename(path, to);
		}
		if (rc < 0 && errno != ENOENT)
			continue;
		TAILQ_REMOVE(&s->dead, seg, dead_link);
		(void)RB_REMOVE(seg_tree, &s->tree, seg);
		mem_free(seg);
	}
}

int
segs_append(struct segs *s, struct iovec *iov, int n, uint64_t total,
    uint64_t *seg_r, uint64_t *off_r, struct err *why)
{
	char path[SEG_PATH_MAX];

	if (s->open != NULL && s->open->size >= s->full)
		end_segment(s);
	if (s->open == NULL && begin_segment(s, why) < 0)
		return -1;
	s->before = s->open->size;
	if (sys_pwritev_all(s->fd, iov, n, (off_t)s->before) < 0 ||
	    sys_fdatasync(s->fd) < 0) {
		seg_path(path, s->dir, s->open->id);
		(void)seg_err(why, "write", path);
		/* After a failed sync nobody knows what the disk has. */
		(void)sys_ftruncate(s->fd, (off_t)s->before);
		end_segment(s);
		return -1;
	}
	*seg_r = s->open->id;
	*off_r = s->before;
	s->open->size += total;
	return 0;
}

void
segs_undo(struct segs *s, bool unknown)
{
	if (s->open == NULL)
		return;
	if (unknown) {
		end_segment(s);
		return;
	}
	s->open->size = s->before;
	if (sys_ftruncate(s->fd, (off_t)s->before) < 0)
		end_segment(s);
}

uint64_t
segs_thin(const struct segs *s, msec now)
{
	struct seg *seg;

	RB_FOREACH (seg, seg_tree, &((struct segs *)s)->tree) {
		if (seg == s->open || seg->dead || seg->live <= 0)
			continue;
		if (now - seg->since < SEG_OLD_AFTER)
			continue;
		if ((uint64_t)seg->live < seg->size / 4)
			return seg->id;
	}
	return 0;
}

void
seg_path(char *path, const char *dir, uint64_t seg)
{
	(void)snprintf(path, SEG_PATH_MAX, "%s/%016" PRIx64, dir, seg);
}

int
seg_create(const char *dir, uint64_t seg, struct err *why)
{
	char path[SEG_PATH_MAX];
	int fd;

	seg_path(path, dir, seg);
	fd = sys_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return seg_err(why, "create", path);
	if (sync_dir(dir, why) < 0) {
		(void)close(fd);
		(void)sys_unlink(path);
		return -1;
	}
	return fd;
}

int
seg_read(const char *dir, uint64_t seg, uint64_t off, char *dst, size_t n,
    struct err *why)
{
	char path[SEG_PATH_MAX];
	ssize_t got = 0;
	int fd, rc = 0;

	seg_path(path, dir, seg);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return seg_err(why, "open", path);
	for (; rc == 0 && n > 0; dst += got, off += (uint64_t)got,
	    n -= (size_t)got) {
		got = pread(fd, dst, n, (off_t)off);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			rc = seg_err(why, "read", path);
		else if (got == 0)
			rc = err_set(why, 451, "4.3.0", "%s is too short",
			    path);
		if (rc < 0)
			break;
	}
	(void)close(fd);
	return rc;
}

int
seg_err(struct err *why, const char *what, const char *path)
{
	bool full = errno == ENOSPC || errno == EDQUOT;

	return err_set(why, full ? 452 : 451, full ? "4.3.1" : "4.3.0",
	    "cannot %s %s: %s", what, path, strerrordesc_np(errno));
}

/* file_sync_dir(), with a full disk told from a broken one. */
static int
sync_dir(const char *dir, struct err *why)
{
	int fd, rc;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return seg_err(why, "open", dir);
	rc = sys_fsync(fd);
	if (rc < 0)
		(void)seg_err(why, "sync", dir);
	(void)close(fd);
	return rc;
}

static int
seg_cmp(const struct seg *a, const struct seg *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE_INTERNAL(seg_tree, seg, node, seg_cmp, ATTR_UNUSED static)

/* Every file counts as referred to by nothing until the rows say more. */
static int
find_files(struct segs *s, struct err *why)
{
	struct dirent *entry;
	struct seg *seg;
	struct stat st;
	uint64_t id;
	char *end;
	DIR *dir;

	dir = opendir(s->dir);
	if (dir == NULL)
		return err_errno(why, "%s", s->dir);
	while ((entry = readdir(dir)) != NULL) {
		if (strlen(entry->d_name) != NAME_DIGITS ||
		    strspn(entry->d_name, "0123456789abcdef") != NAME_DIGITS)
			continue;
		id = strtoull(entry->d_name, &end, 16);
		if (id == 0 || id > INT64_MAX ||
		    fstatat(dirfd(dir), entry->d_name, &st, 0) < 0)
			continue;
		seg = seg_add(s, id);
		seg->file = true;
		seg->size = (uint64_t)st.st_size;
		check_dead(s, seg);
		if (atomic_load(s->next) <= id)
			atomic_store(s->next, id + 1);
	}
	(void)closedir(dir);
	return 0;
}

static struct seg *
seg_find(const struct segs *s, uint64_t id)
{
	struct seg key = { .id = id };

	return RB_FIND(seg_tree, &((struct segs *)s)->tree, &key);
}

static struct seg *
seg_add(struct segs *s, uint64_t id)
{
	struct seg *seg = mem_zalloc(sizeof(*seg));

	seg->id = id;
	(void)RB_INSERT(seg_tree, &s->tree, seg);
	return seg;
}

static int
begin_segment(struct segs *s, struct err *why)
{
	uint64_t id = atomic_fetch_add(s->next, 1);
	int fd;

	fd = seg_create(s->dir, id, why);
	if (fd < 0)
		return -1;
	s->fd = fd;
	s->open = seg_add(s, id);
	s->open->file = true;
	s->open->since = clock_now();
	return 0;
}

static void
end_segment(struct segs *s)
{
	struct seg *seg = s->open;

	file_close(&s->fd);
	s->open = NULL;
	check_dead(s, seg);
}

static void
check_dead(struct segs *s, struct seg *seg)
{
	bool dead = seg->live <= 0 && seg != s->open;

	if (dead && !seg->dead)
		TAILQ_INSERT_TAIL(&s->dead, seg, dead_link);
	else if (!dead && seg->dead)
		TAILQ_REMOVE(&s->dead, seg, dead_link);
	seg->dead = dead;
}
