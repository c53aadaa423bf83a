/*
 * Files as a whole, and directories.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Adds the whole file to b; -1 if unreadable or past b's ceiling. */
int file_read(struct buf *b, const char *path, struct err *why);
/* New contents or old, never half: temporary file, fsync, rename, dirsync. */
int file_replace(const char *path, const void *p, size_t n, mode_t mode,
    struct err *why);
/* Makes path and its parents; those that exist are fine. */
int file_mkdirs(const char *path, mode_t mode, struct err *why);
int file_sync_dir(const char *path, struct err *why);
/* The directory that path is in: makes its creation or removal durable. */
int file_sync_parent(const char *path, struct err *why);
void file_close(int *fdp); /* -1 is fine; leaves -1 */
int file_nonblock(int fd, struct err *why); /* and close-on-exec */
/* Is it of that type (S_IFDIR, S_IFREG), ours or root's, and may nobody else
 * write to it? */
struct stat;
int file_guard(const char *path, const struct stat *st, mode_t type,
    struct err *why);

#endif
