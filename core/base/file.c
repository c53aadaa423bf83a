#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sys.h"

#define CHUNK 65536

static int write_temporary(const char *tmp, const void *p, size_t n,
    mode_t mode, struct err *why);

int
file_read(struct buf *b, const char *path, struct err *why)
{
	size_t before = buf_len(b), want;
	int rc = 0, fd;
	ssize_t got;
	char *room;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(why, "%s", path);
	for (;;) {
		/* One octet past the ceiling shows that there is more. */
		want = b->max - buf_len(b);
		want = want < CHUNK ? want : CHUNK;
		room = want > 0 ? buf_room(b, want) : (char[1]){ 0 };
		do
			got = read(fd, room, want > 0 ? want : 1);
		while (got < 0 && errno == EINTR);
		if (got == 0)
			break;
		if (got < 0) {
			rc = err_errno(why, "%s", path);
			break;
		}
		if (want == 0) {
			b->full = true;
			rc = err_text(why, "%s: larger than %zu bytes", path,
			    b->max);
			break;
		}
		buf_added(b, (size_t)got);
	}
	(void)close(fd);
	if (rc != 0)
		buf_truncate(b, before);
	return rc;
}

int
file_replace(const char *path, const void *p, size_t n, mode_t mode,
    struct err *why)
{
	size_t len = strlen(path) + 32;
	char *tmp = mem_alloc(len);
	int rc;

	(void)snprintf(tmp, len, "%s.%ld.tmp", path, (long)getpid());
	rc = write_temporary(tmp, p, n, mode, why);
	if (rc == 0 && sys_rename(tmp, path) != 0)
		rc = err_errno(why, "%s: rename", path);
	if (rc != 0)
		(void)unlink(tmp);
	mem_free(tmp);
	return rc != 0 ? rc : file_sync_parent(path, why);
}

int
file_mkdirs(const char *path, mode_t mode, struct err *why)
{
	char *copy = mem_strdup(path), *slash = copy, end;
	int rc = 0;

	do {
		slash += strspn(slash, "/");
		slash += strcspn(slash, "/");
		end = *slash;
		*slash = '\0';
		if (mkdir(copy, mode) == 0)
			rc = file_sync_parent(copy, why);
		else if (errno != EEXIST)
			rc = err_errno(why, "%s: mkdir", copy);
		*slash = end;
	} while (rc == 0 && end != '\0');
	if (rc == 0 && access(path, F_OK) != 0)
		rc = err_errno(why, "%s", path);
	mem_free(copy);
	return rc;
}

int
file_sync_dir(const char *path, struct err *why)
{
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(why, "%s", path);
	/* EINVAL: a file system that has nothing to sync here. */
	if (sys_fsync(fd) != 0 && errno != EINVAL)
		rc = err_errno(why, "%s: fsync", path);
	(void)close(fd);
	return rc;
}

int
file_sync_parent(const char *path, struct err *why)
{
	char *copy = mem_strdup(path), *end = copy + strlen(copy);
	int rc;

	while (end > copy + 1 && end[-1] == '/')
		end--;
	while (end > copy && end[-1] != '/')
		end--;
	*end = '\0';
	rc = file_sync_dir(copy[0] == '\0' ? "." : copy, why);
	mem_free(copy);
	return rc;
}

void
file_close(int *fdp)
{
	if (*fdp >= 0)
		(void)close(*fdp);
	*fdp = -1;
}

int
file_nonblock(int fd, struct err *why)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0 || fcntl(fd, F_SETFL, fl | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_errno(why, "fcntl");
	return 0;
}

static int
write_temporary(const char *tmp, const void *p, size_t n, mode_t mode,
    struct err *why)
{
	int fd, rc = 0;

	/* A left-over of a process that had our number. */
	(void)unlink(tmp);
	fd = sys_open(tmp, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return err_errno(why, "%s", tmp);
	if (fchmod(fd, mode) != 0 || sys_write_all(fd, p, n) != 0 ||
	    sys_fsync(fd) != 0)
		rc = err_errno(why, "%s", tmp);
	if (close(fd) != 0 && rc == 0)
		rc = err_errno(why, "%s", tmp);
	return rc;
}

int
file_guard(const char *path, const struct stat *st, mode_t type,
    struct err *why)
{
	if ((st->st_mode & S_IFMT) != type)
		return err_text(why, "%s: not a %s", path,
		    type == S_IFDIR ? "directory" : "file");
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_text(why, "%s: belongs to user number %u, not to "
		    "us (%u) or root", path, (unsigned)st->st_uid,
		    (unsigned)geteuid());
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_text(why, "%s: others may write to it (mode "
		    "%04o); chmod go-w it", path,
		    (unsigned)(st->st_mode & 07777));
	return 0;
}
