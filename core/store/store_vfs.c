#include "store/store_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sys.h"

/* SQLite's unix VFS takes less than 128 KB at a time: it cuts the length to
 * its lower 17 bits, and calls the disk full when they are 0. */
#define GATHER_MAX (64 * 1024)

/* Writes that follow each other and are made as one. */
struct gather {
	sqlite3_int64 at;
	int n;
	char bytes[GATHER_MAX];
};

/* SQLite allocates szOsFile octets: ours, and the real file behind it. */
struct vfile {
	sqlite3_file head;
	sqlite3_file *real;
	struct gather *gather; /* NULL: each write is made at once */
};

#define REAL(f) (((struct vfile *)(void *)(f))->real)
#define CALL(f, fn, ...) (REAL(f)->pMethods->fn(REAL(f), ##__VA_ARGS__))

static int gather_add(sqlite3_file *f, const void *p, int n, sqlite3_int64 at);
static int gather_write(sqlite3_file *f);
static sqlite3_vfs *base_of(sqlite3_vfs *vfs);

static int
refusal(int otherwise)
{
	return errno == ENOSPC ? SQLITE_FULL : otherwise;
}

static int
file_close_(sqlite3_file *f)
{
	struct vfile *file = (struct vfile *)(void *)f;
	int rc = CALL(f, xClose);

	/* What was not synced belongs to no commit. */
	mem_free(file->gather);
	file->gather = NULL;
	f->pMethods = NULL;
	return rc;
}

static int
file_read_(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	int rc = gather_write(f);

	return rc != SQLITE_OK ? rc : CALL(f, xRead, p, n, at);
}

static int
file_write_(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	if (((struct vfile *)(void *)f)->gather != NULL)
		return gather_add(f, p, n, at);
	if (sys_fault_point(SYS_WRITE))
		return refusal(SQLITE_IOERR_WRITE);
	return CALL(f, xWrite, p, n, at);
}

static int
file_truncate_(sqlite3_file *f, sqlite3_int64 size)
{
	int rc = gather_write(f);

	if (rc != SQLITE_OK)
		return rc;
	if (sys_fault_point(SYS_TRUNCATE))
		return refusal(SQLITE_IOERR_TRUNCATE);
	return CALL(f, xTruncate, size);
}

static int
file_sync_(sqlite3_file *f, int flags)
{
	int rc = gather_write(f);

	if (rc != SQLITE_OK)
		return rc;
	if (sys_fault_point(SYS_FSYNC))
		return refusal(SQLITE_IOERR_FSYNC);
	return CALL(f, xSync, flags);
}

static int
file_size_(sqlite3_file *f, sqlite3_int64 *size_r)
{
	int rc = gather_write(f);

	return rc != SQLITE_OK ? rc : CALL(f, xFileSize, size_r);
}

static int
file_lock_(sqlite3_file *f, int level)
{
	return CALL(f, xLock, level);
}

static int
file_unlock_(sqlite3_file *f, int level)
{
	return CALL(f, xUnlock, level);
}

static int
file_check_lock_(sqlite3_file *f, int *held_r)
{
	return CALL(f, xCheckReservedLock, held_r);
}

static int
file_control_(sqlite3_file *f, int op, void *arg)
{
	return CALL(f, xFileControl, op, arg);
}

static int
file_sector_(sqlite3_file *f)
{
	return CALL(f, xSectorSize);
}

static int
file_device_(sqlite3_file *f)
{
	return CALL(f, xDeviceCharacteristics);
}

static int
file_shm_map_(sqlite3_file *f, int i, int n, int extend, void volatile **p_r)
{
	return CALL(f, xShmMap, i, n, extend, p_r);
}

static int
file_shm_lock_(sqlite3_file *f, int from, int n, int flags)
{
	return CALL(f, xShmLock, from, n, flags);
}

static void
file_shm_barrier_(sqlite3_file *f)
{
	CALL(f, xShmBarrier);
}

static int
file_shm_unmap_(sqlite3_file *f, int remove)
{
	return CALL(f, xShmUnmap, remove);
}

static int
file_fetch_(sqlite3_file *f, sqlite3_int64 at, int n, void **p_r)
{
	return CALL(f, xFetch, at, n, p_r);
}

static int
file_unfetch_(sqlite3_file *f, sqlite3_int64 at, void *p)
{
	return CALL(f, xUnfetch, at, p);
}

static const sqlite3_io_methods methods = {
	.iVersion = 3,
	.xClose = file_close_,
	.xRead = file_read_,
	.xWrite = file_write_,
	.xTruncate = file_truncate_,
	.xSync = file_sync_,
	.xFileSize = file_size_,
	.xLock = file_lock_,
	.xUnlock = file_unlock_,
	.xCheckReservedLock = file_check_lock_,
	.xFileControl = file_control_,
	.xSectorSize = file_sector_,
	.xDeviceCharacteristics = file_device_,
	.xShmMap = file_shm_map_,
	.xShmLock = file_shm_lock_,
	.xShmBarrier = file_shm_barrier_,
	.xShmUnmap = file_shm_unmap_,
	.xFetch = file_fetch_,
	.xUnfetch = file_unfetch_,
};

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags,
    int *flags_r)
{
	struct vfile *file = (struct vfile *)(void *)f;
	int rc;

	file->head.pMethods = NULL;
	file->gather = NULL;
	file->real = (sqlite3_file *)(void *)(file + 1);
	if (sys_fault_point(SYS_OPEN))
		return refusal(SQLITE_CANTOPEN);
	rc = base_of(vfs)->xOpen(base_of(vfs), name, file->real, flags,
	    flags_r);
	if (file->real->pMethods == NULL)
		return rc;
	ASSERT(file->real->pMethods->iVersion >= 3);
	file->head.pMethods = &methods;
	return rc;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	if (sys_fault_point(SYS_UNLINK))
		return SQLITE_IOERR_DELETE;
	return base_of(vfs)->xDelete(base_of(vfs), name, sync_dir);
}

/* A path by way of a directory that is open is not to be resolved: another
 * directory might have its name by now. */
static int
vfs_full(sqlite3_vfs *vfs, const char *name, int n, char *dst)
{
	if (strncmp(name, "/proc/self/fd/", strlen("/proc/self/fd/")) != 0)
		return base_of(vfs)->xFullPathname(base_of(vfs), name, n, dst);
	return str_copy(dst, (size_t)n, str_c(name)) ? SQLITE_OK :
						      SQLITE_CANTOPEN;
}

static sqlite3_vfs *
base_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int
gather_add(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct gather *g = ((struct vfile *)(void *)f)->gather;
	int rc;

	if (g->n > 0 && (at != g->at + g->n || n > GATHER_MAX - g->n)) {
		rc = gather_write(f);
		if (rc != SQLITE_OK)
			return rc;
	}
	ASSERT(n <= GATHER_MAX);
	if (g->n == 0)
		g->at = at;
	memcpy(g->bytes + g->n, p, (size_t)n);
	g->n += n;
	return SQLITE_OK;
}

/* Failed or not, it is not tried again: SQLite hears of it and undoes. */
static int
gather_write(sqlite3_file *f)
{
	struct gather *g = ((struct vfile *)(void *)f)->gather;
	int n;

	if (g == NULL || g->n == 0)
		return SQLITE_OK;
	n = g->n;
	g->n = 0;
	if (sys_fault_point(SYS_WRITE))
		return refusal(SQLITE_IOERR_WRITE);
	return CALL(f, xWrite, g->bytes, n, g->at);
}

void
store_vfs_gather(sqlite3 *db)
{
	sqlite3_file *wal = NULL;
	struct vfile *file;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER,
		&wal) != SQLITE_OK ||
	    wal == NULL || wal->pMethods != &methods)
		return;
	file = (struct vfile *)(void *)wal;
	if (file->gather != NULL)
		return;
	file->gather = mem_alloc(sizeof(*file->gather));
	file->gather->n = 0;
}

void
store_vfs_init(void)
{
	sqlite3_vfs *base, *vfs;

	if (sqlite3_vfs_find(STORE_VFS) != NULL)
		return;
	base = sqlite3_vfs_find("unix");
	if (base == NULL)
		fatal("SQLite has no unix VFS");
	vfs = sqlite3_malloc(sizeof(*vfs));
	if (vfs == NULL)
		fatal("out of memory");
	/* The other methods of the unix VFS take no VFS of their own kind:
	 * paths, time and randomness only. */
	*vfs = *base;
	vfs->szOsFile = (int)sizeof(struct vfile) + base->szOsFile;
	vfs->pNext = NULL;
	vfs->zName = STORE_VFS;
	vfs->pAppData = base;
	vfs->xOpen = vfs_open;
	vfs->xDelete = vfs_delete;
	vfs->xFullPathname = vfs_full;
	if (sqlite3_vfs_register(vfs, 0) != SQLITE_OK)
		fatal("SQLite refuses a VFS");
}
