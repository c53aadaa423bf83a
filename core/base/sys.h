/*
 * System calls that change a disk, with a fault injector in front.
 *
 * Everything that makes mail durable (store, segments, ids, SQLite's VFS)
 * comes through here, so that a test can make the n-th call fail or end the
 * process there. Off, it costs one predictable branch. All restart on EINTR;
 * the _all forms loop over short counts. Thread safe.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum sys_call {
	SYS_OPEN,
	SYS_WRITE,
	SYS_FSYNC,
	SYS_RENAME,
	SYS_UNLINK,
	SYS_TRUNCATE,
	SYS_CALLS
};

int sys_open(const char *path, int flags, mode_t mode);
ssize_t sys_write(int fd, const void *p, size_t n);
ssize_t sys_pwrite(int fd, const void *p, size_t n, off_t at);
int sys_write_all(int fd, const void *p, size_t n);
int sys_pwrite_all(int fd, const void *p, size_t n, off_t at);
int sys_pwritev_all(int fd, struct iovec *iov, int n, off_t at);
int sys_fsync(int fd);
int sys_fdatasync(int fd);
int sys_rename(const char *from, const char *to);
int sys_unlink(const char *path);
int sys_ftruncate(int fd, off_t size);

/*
 * From now on, count calls of the kinds in the bit mask; the nth (from 1)
 * fails with error (an errno), or, with error 0, ends the process at once by
 * _exit(86) before the call acts. sticky: all later ones fail as well.
 * POSTERN_SYS_FAULT=mask:nth:error[:sticky] in the environment of a process
 * built for tests does the same (sys_fault_from_env()).
 */
void sys_fault(unsigned mask, uint64_t nth, int error, bool sticky);
void sys_fault_off(void);
uint64_t sys_fault_count(void); /* counted calls so far */
/* For code that must make the call itself (SQLite's VFS): counts one call of
 * this kind; true, with errno set, if it is the one to fail. */
bool sys_fault_point(enum sys_call call);
void sys_fault_from_env(void);

#endif
