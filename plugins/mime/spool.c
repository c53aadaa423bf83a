#define _GNU_SOURCE /* O_TMPFILE */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEMORY = 256 * 1024 };

struct spool {
	const char *folder;
	GString *memory;
	int fd; /* or -1 */
	uint64_t size;
};

struct spool *
spool_new(const char *folder)
{
	struct spool *s = g_new0(struct spool, 1);

	s->folder = folder;
	s->memory = g_string_new(NULL);
	s->fd = -1;
	return s;
}

void
spool_free(struct spool *s)
{
	if (s == NULL)
		return;
	(void)g_string_free(s->memory, TRUE);
	if (s->fd != -1)
		(void)close(s->fd);
	g_free(s);
}

static bool
put(int fd, const char *p, size_t n)
{
	ssize_t did;

	while (n > 0) {
		did = write(fd, p, n);
		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			return false;
		p += did;
		n -= (size_t)did;
	}
	return true;
}

/* Not every file system has O_TMPFILE. */
static int
nameless(const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	char *path;

	if (fd != -1)
		return fd;
	path = g_strconcat(folder, "/postern-mime-XXXXXX", NULL);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd != -1)
		(void)unlink(path);
	g_free(path);
	return fd;
}

bool
spool_add(struct spool *s, const void *p, size_t n)
{
	if (s->fd == -1 && s->memory->len + n <= MEMORY) {
		(void)g_string_append_len(s->memory, p, (gssize)n);
		s->size += n;
		return true;
	}
	if (s->fd == -1) {
		s->fd = nameless(s->folder);
		if (s->fd == -1 ||
		    !put(s->fd, s->memory->str, s->memory->len))
			return false;
		(void)g_string_free(s->memory, TRUE);
		s->memory = g_string_new(NULL);
	}
	if (!put(s->fd, p, n))
		return false;
	s->size += n;
	return true;
}

uint64_t
spool_size(const struct spool *s)
{
	return s->size;
}

size_t
spool_read(struct spool *s, uint64_t at, void *p, size_t n)
{
	size_t have = 0;
	ssize_t did;

	if (at >= s->size)
		return 0;
	if (n > s->size - at)
		n = (size_t)(s->size - at);
	if (s->fd == -1) {
		memcpy(p, s->memory->str + at, n);
		return n;
	}
	while (have < n) {
		did = pread(s->fd, (char *)p + have, n - have,
		    (off_t)(at + have));
		if (did < 0 && errno == EINTR)
			continue;
		if (did <= 0)
			break;
		have += (size_t)did;
	}
	return have;
}

const void *
spool_memory(const struct spool *s)
{
	return s->fd == -1 ? s->memory->str : NULL;
}

int
spool_fd(struct spool *s)
{
	(void)lseek(s->fd, 0, SEEK_SET);
	return s->fd;
}
