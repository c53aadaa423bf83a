/*
 * SQLite's unix VFS with base/sys in front of what changes the disk.
 *
 * Each open, write, sync, truncation and removal asks the fault injector
 * first; off, that costs one branch. SQLite keeps making the calls itself,
 * since its locks hang on its own file descriptors.
 */
#ifndef STORE_STORE_VFS_H
#define STORE_STORE_VFS_H

#define STORE_VFS "postern"

/* Registers the VFS once in the process; not the default one. */
void store_vfs_init(void);

#endif
