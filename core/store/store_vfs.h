/*
 * SQLite's unix VFS with base/sys in front of what changes the disk.
 *
 * Each open, write, sync, truncation and removal asks the fault injector
 * first; off, that costs one branch. SQLite keeps making the calls itself,
 * since its locks hang on its own file descriptors. A path that begins with
 * /proc/self/fd/ is taken as it is.
 */
#ifndef STORE_STORE_VFS_H
#define STORE_STORE_VFS_H

#include <sqlite3.h>

#define STORE_VFS "postern"

/* Registers the VFS once in the process; not the default one. */
void store_vfs_init(void);

/*
 * From now on the frames of a commit go to the WAL in one write, before the
 * sync that makes them durable, instead of in two for each page. Only for a
 * connection with synchronous = FULL, for without that sync others would look
 * for frames that are not there yet; and when it has read something, so that
 * the WAL is open.
 */
void store_vfs_gather(sqlite3 *db);

#endif
