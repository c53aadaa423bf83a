#include "base/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/coll.h"
#include "base/file.h"
#include "base/num.h"
#include "base/obj.h"
#include "base/sys.h"

#define IDS_MAGIC 0x69647321U
#define BLOCK 10000U
#define RECORD 512
#define SKIPPED (10 * BLOCK) /* when a record was damaged */

/*
 * The file has two records of one disk sector, written in turn, so that a torn
 * write leaves the other. Text, for whoever wants to look:
 *
 *	postern ids 1
 *	seq 7
 *	icid 20000
 *	mid 10000
 *	dcid 10000
 *	sum 0123456789abcdef
 */
struct ids {
	unsigned magic;
	struct shm *shm;
	int fd;
	bool owner; /* the master: writes the exact end */
};

struct marks {
	uint64_t seq; /* 0: none */
	uint64_t v[SHM_IDS];
};

static const char *const names[SHM_IDS] = {
	[SHM_ICID] = "icid",
	[SHM_MID] = "mid",
	[SHM_DCID] = "dcid",
};

/* fcntl's locks are between processes; this one is between threads. */
static pthread_mutex_t threads = PTHREAD_MUTEX_INITIALIZER;

static int load(int fd, struct marks *m_r, struct err *why);
static bool parse(struct str record, struct marks *m_r);
static int save(int fd, const struct marks *m, struct err *why);
static int file_lock(int fd, short type, struct err *why);
static int extend_locked(struct ids *ids, struct err *why);

int
ids_open(struct ids **idsp_r, struct shm *shm, const char *path,
    struct err *why)
{
	struct ids *ids;
	struct marks m;
	int fd, i;

	fd = sys_open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return err_errno(why, "%s", path);
	if (load(fd, &m, why) != 0) {
		(void)close(fd);
		return err_prefix(why, "%s: ", path);
	}
	OBJ_NEW(ids, IDS_MAGIC);
	ids->shm = shm;
	ids->fd = fd;
	ids->owner = true;
	for (i = 0; i < SHM_IDS; i++)
		shm_id_set(shm, (enum shm_id)i, m.v[i], m.v[i]);
	if (ids_extend(ids, why) != 0 ||
	    (m.seq == 0 && file_sync_parent(path, why) != 0)) {
		ids->owner = false;
		ids_close(&ids);
		return err_prefix(why, "%s: ", path);
	}
	*idsp_r = ids;
	return 0;
}

void
ids_forked(struct ids *ids)
{
	OBJ_CHECK(ids, IDS_MAGIC);
	ids->owner = false;
}

int
ids_fd(const struct ids *ids)
{
	OBJ_CHECK(ids, IDS_MAGIC);
	return ids->fd;
}

void
ids_close(struct ids **idsp)
{
	struct ids *ids = *idsp;
	struct marks m;
	int i;

	if (ids == NULL)
		return;
	OBJ_CHECK(ids, IDS_MAGIC);
	if (ids->owner && load(ids->fd, &m, NULL) == 0) {
		m.seq++;
		for (i = 0; i < SHM_IDS; i++)
			m.v[i] = shm_id_peek(ids->shm, (enum shm_id)i);
		(void)save(ids->fd, &m, NULL);
	}
	(void)close(ids->fd);
	OBJ_FREE(ids);
	*idsp = NULL;
}

/*
 * If the mark cannot be moved (the disk fails) the id is given out all the
 * same: it is new in this life of the node, nothing can be accepted on such a
 * disk anyway, and the next call tries again.
 */
uint64_t
ids_next(struct ids *ids, enum shm_id id)
{
	uint64_t n = shm_id_next(ids->shm, id);

	if (n >= shm_id_limit(ids->shm, id))
		(void)ids_extend(ids, NULL);
	return n;
}

void
ids_raise(struct ids *ids, enum shm_id which, uint64_t id)
{
	OBJ_CHECK(ids, IDS_MAGIC);
	shm_id_raise(ids->shm, which, id + 1);
}

bool
ids_low(struct ids *ids)
{
	uint64_t next, limit;
	int i;

	for (i = 0; i < SHM_IDS; i++) {
		next = shm_id_peek(ids->shm, (enum shm_id)i);
		limit = shm_id_limit(ids->shm, (enum shm_id)i);
		if (next + BLOCK / 2 > limit)
			return true;
	}
	return false;
}

int
ids_extend(struct ids *ids, struct err *why)
{
	int rc = 0;

	OBJ_CHECK(ids, IDS_MAGIC);
	(void)pthread_mutex_lock(&threads);
	/* Somebody else may have done it while we waited. */
	if (ids_low(ids)) {
		rc = file_lock(ids->fd, F_WRLCK, why);
		if (rc == 0) {
			if (ids_low(ids))
				rc = extend_locked(ids, why);
			(void)file_lock(ids->fd, F_UNLCK, NULL);
		}
	}
	(void)pthread_mutex_unlock(&threads);
	return rc;
}

static int
extend_locked(struct ids *ids, struct err *why)
{
	struct marks m;
	uint64_t next;
	int i;

	if (load(ids->fd, &m, why) != 0)
		return -1;
	m.seq++;
	for (i = 0; i < SHM_IDS; i++) {
		next = shm_id_peek(ids->shm, (enum shm_id)i);
		if (m.v[i] < next)
			m.v[i] = next;
		if (m.v[i] < next + BLOCK)
			m.v[i] += BLOCK;
	}
	if (save(ids->fd, &m, why) != 0)
		return -1;
	/* Durable first, only then usable. */
	for (i = 0; i < SHM_IDS; i++)
		shm_id_extend(ids->shm, (enum shm_id)i, m.v[i]);
	return 0;
}

/* The newer of the two records; ids begin at 1 in a file that is empty. */
static int
load(int fd, struct marks *m_r, struct err *why)
{
	char mem[2 * RECORD];
	struct marks m, best = { 0, { 1, 1, 1 } };
	size_t i, zero = 0, damaged = 0;
	ssize_t n;

	do
		n = pread(fd, mem, sizeof(mem), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(why, "read");
	for (i = 0; i + RECORD <= (size_t)n; i += RECORD) {
		if (!parse(str_n(mem + i, RECORD), &m))
			damaged++;
		else if (m.seq > best.seq)
			best = m;
	}
	/*
	 * A file without a record in which anything stands has been damaged.
	 * One of zeros only is what a power cut leaves of the very first write.
	 */
	while (zero < (size_t)n && mem[zero] == '\0')
		zero++;
	if (best.seq == 0 && zero < (size_t)n)
		return err_set(why, 451, "4.3.0", "damaged: no valid record "
		    "of the ids in use");
	/* It may have been the newer one, and its mark in use. */
	for (i = 0; damaged > 0 && best.seq > 0 && i < SHM_IDS; i++)
		best.v[i] += SKIPPED;
	*m_r = best;
	return 0;
}

static bool
parse(struct str record, struct marks *m_r)
{
	struct str rest = record, line, word, sum;
	struct marks m;
	uint64_t n;
	char want[20];
	int i;

	if (!str_split(&rest, '\n', &line) || !str_eq_c(line, "postern ids 1"))
		return false;
	for (i = -1; i < SHM_IDS; i++) {
		if (!str_split(&rest, '\n', &line) ||
		    !str_word(&line, &word) ||
		    !str_eq_c(word, i < 0 ? "seq" : names[i]) ||
		    num_u64(line, UINT64_MAX / 2, &n) != 0 || n == 0)
			return false;
		if (i < 0)
			m.seq = n;
		else
			m.v[i] = n;
	}
	n = hash_stable(record.p, (size_t)(rest.p - record.p));
	(void)snprintf(want, sizeof(want), "%016" PRIx64, n);
	if (!str_split(&rest, '\n', &line) || !str_word(&line, &word) ||
	    !str_eq_c(word, "sum") || !str_word(&line, &sum) ||
	    !str_eq_c(sum, want))
		return false;
	*m_r = m;
	return true;
}

static int
save(int fd, const struct marks *m, struct err *why)
{
	struct buf b;
	int i, rc = 0;

	buf_init(&b, RECORD);
	(void)buf_printf(&b, "postern ids 1\nseq %" PRIu64 "\n", m->seq);
	for (i = 0; i < SHM_IDS; i++)
		(void)buf_printf(&b, "%s %" PRIu64 "\n", names[i], m->v[i]);
	(void)buf_printf(&b, "sum %016" PRIx64 "\n",
	    hash_stable(buf_p(&b), buf_len(&b)));
	while (buf_len(&b) < RECORD)
		(void)buf_add_char(&b, '\n');
	if (sys_pwrite_all(fd, buf_p(&b), RECORD,
	    m->seq % 2 == 0 ? RECORD : 0) != 0 || sys_fdatasync(fd) != 0)
		rc = err_errno(why, "write");
	buf_fini(&b);
	return rc;
}

static int
file_lock(int fd, short type, struct err *why)
{
	struct flock fl = {
		.l_type = type,
		.l_whence = SEEK_SET,
	};

	while (fcntl(fd, F_SETLKW, &fl) != 0) {
		if (errno != EINTR)
			return err_errno(why, "lock");
	}
	return 0;
}
