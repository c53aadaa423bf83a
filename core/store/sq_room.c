/*
 * The end of the disk. New mail may fill it, and what makes room again, the
 * results of deliveries, needs some: so mail is not let at the last of it.
 *
 * - Each store keeps a reserve in a file and gives it back to the disk when a
 *   commit finds that full. Mail, of whatever store, leaves as much alone as
 *   there are reserves that are not on the disk, or one store's mail would
 *   take what another gave back.
 * - The database has its pages on the disk before they are committed to the
 *   WAL, so that a checkpoint, which empties the WAL, needs no room at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/obj.h"
#include "store/sq.h"

#define RESERVE (2 * 1024 * 1024)
#define GROW	(256 * 1024) /* a database grows by so much at once */
#define PAGE	4096	     /* as in its pragma */

static void
reserve_path(const struct store_conf *conf, unsigned index, char *path)
{
	(void)snprintf(path, SEG_PATH_MAX, "%s/store-%u.reserve", conf->dir,
	    index);
}

bool
store_room(const struct store *s, uint64_t n)
{
	const struct store_conf *c = &s->conf;
	unsigned i, stores = c->stores > c->index ? c->stores : c->index + 1;
	char path[SEG_PATH_MAX];
	struct statvfs st;
	uint64_t room;

	if (c->ops != NULL || c->memory || statvfs(c->dir, &st) < 0)
		return true;
	room = (uint64_t)st.f_bavail * st.f_frsize;
	if (room >= n && room - n >= (uint64_t)stores * RESERVE)
		return true;
	/* Looked at after the room: what is given back meanwhile counts. */
	for (i = 0; i < stores; i++) {
		reserve_path(c, i, path);
		if (access(path, F_OK) < 0)
			n += RESERVE;
	}
	return room >= n;
}

bool
sq_reserve(struct sq *q)
{
	char path[SEG_PATH_MAX];
	int fd, rc;

	if (q->reserved)
		return true;
	reserve_path(&q->store->conf, q->store->conf.index, path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno != ENOSPC && errno != EDQUOT;
	rc = posix_fallocate(fd, 0, RESERVE);
	(void)close(fd);
	if (rc == ENOSPC || rc == EDQUOT) {
		(void)unlink(path);
		return false;
	}
	q->reserved = true; /* or the file system has no such thing */
	return true;
}

void
sq_spend(struct sq *q)
{
	char path[SEG_PATH_MAX];

	reserve_path(&q->store->conf, q->store->conf.index, path);
	(void)unlink(path);
	q->reserved = false;
}

/* With a size to grow by, SQLite allocates what it is told of. */
void
sq_grow_init(struct sq *q)
{
	int step = GROW;

	(void)sqlite3_file_control(q->db, "main", SQLITE_FCNTL_CHUNK_SIZE,
	    &step);
}

int
sq_grow(struct sq *q)
{
	sqlite3_stmt *st = q->st[SQ_PAGES];
	sqlite3_int64 size;
	int rc;

	rc = sqlite3_step(st);
	size = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) * PAGE : 0;
	(void)sqlite3_reset(st);
	if (rc != SQLITE_ROW)
		return rc;
	rc = sqlite3_file_control(q->db, "main", SQLITE_FCNTL_SIZE_HINT,
	    &size);
	return rc == SQLITE_OK || rc == SQLITE_NOTFOUND ? SQLITE_OK :
							  SQLITE_FULL;
}
