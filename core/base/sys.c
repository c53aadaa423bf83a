#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"
#include "base/num.h"

#define EXIT_FAULT 86

static atomic_bool armed;
static atomic_uint fault_mask;
static atomic_int fault_error;
static atomic_bool fault_sticky;
static _Atomic uint64_t fault_nth, fault_seen;

static bool fault_due(enum sys_call call);

/* True, with errno set, if this call is the one to fail. */
static inline bool
fails(enum sys_call call)
{
	if (__builtin_expect(
	    !atomic_load_explicit(&armed, memory_order_relaxed), true))
		return false;
	return fault_due(call);
}

int
sys_open(const char *path, int flags, mode_t mode)
{
	int fd;

	if (fails(SYS_OPEN))
		return -1;
	do
		fd = open(path, flags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd;
}

ssize_t
sys_write(int fd, const void *p, size_t n)
{
	ssize_t done;

	if (fails(SYS_WRITE))
		return -1;
	do
		done = write(fd, p, n);
	while (done < 0 && errno == EINTR);
	return done;
}

ssize_t
sys_pwrite(int fd, const void *p, size_t n, off_t at)
{
	ssize_t done;

	if (fails(SYS_WRITE))
		return -1;
	do
		done = pwrite(fd, p, n, at);
	while (done < 0 && errno == EINTR);
	return done;
}

int
sys_write_all(int fd, const void *p, size_t n)
{
	const char *from = p;
	ssize_t done;

	while (n > 0) {
		done = sys_write(fd, from, n);
		if (done < 0)
			return -1;
		from += done;
		n -= (size_t)done;
	}
	return 0;
}

int
sys_pwrite_all(int fd, const void *p, size_t n, off_t at)
{
	const char *from = p;
	ssize_t done;

	while (n > 0) {
		done = sys_pwrite(fd, from, n, at);
		if (done < 0)
			return -1;
		from += done;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int
sys_pwritev_all(int fd, struct iovec *iov, int n, off_t at)
{
	ssize_t done;

	for (;;) {
		while (n > 0 && iov->iov_len == 0) {
			iov++;
			n--;
		}
		if (n == 0)
			return 0;
		if (fails(SYS_WRITE))
			return -1;
		do
			done = pwritev(fd, iov, n < 1024 ? n : 1024, at);
		while (done < 0 && errno == EINTR);
		if (done < 0)
			return -1;
		at += done;
		for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n > 0) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
}

int
sys_fsync(int fd)
{
	int rc;

	if (fails(SYS_FSYNC))
		return -1;
	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int
sys_fdatasync(int fd)
{
	int rc;

	if (fails(SYS_FSYNC))
		return -1;
	do
		rc = fdatasync(fd);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int
sys_rename(const char *from, const char *to)
{
	return fails(SYS_RENAME) ? -1 : rename(from, to);
}

int
sys_unlink(const char *path)
{
	return fails(SYS_UNLINK) ? -1 : unlink(path);
}

int
sys_ftruncate(int fd, off_t size)
{
	int rc;

	if (fails(SYS_TRUNCATE))
		return -1;
	do
		rc = ftruncate(fd, size);
	while (rc < 0 && errno == EINTR);
	return rc;
}

bool
sys_fault_point(enum sys_call call)
{
	return fails(call);
}

void
sys_fault(unsigned mask, uint64_t nth, int error, bool sticky)
{
	armed = false;
	fault_mask = mask;
	fault_nth = nth;
	fault_error = error;
	fault_sticky = sticky;
	fault_seen = 0;
	armed = true;
}

void
sys_fault_off(void)
{
	armed = false;
}

uint64_t
sys_fault_count(void)
{
	return fault_seen;
}

void
sys_fault_from_env(void)
{
	/* Never in a program that runs with more rights than its caller. */
	struct str s = str_c(secure_getenv("POSTERN_SYS_FAULT"));
	struct str mask, nth, error, sticky = STR_NULL;
	uint64_t m, n, e;

	if (s.n == 0)
		return;
	if (!str_split(&s, ':', &mask) || !str_split(&s, ':', &nth) ||
	    !str_split(&s, ':', &error) ||
	    num_u64(mask, (1U << SYS_CALLS) - 1, &m) != 0 ||
	    num_u64(nth, UINT64_MAX, &n) != 0 || num_u64(error, 4095, &e) != 0)
		fatal("POSTERN_SYS_FAULT: mask:nth:error[:sticky] wanted");
	if (str_split(&s, ':', &sticky) && !str_eq_c(sticky, "sticky"))
		fatal("POSTERN_SYS_FAULT: the fourth word is not sticky");
	sys_fault((unsigned)m, n, (int)e, sticky.n > 0);
}

static bool
fault_due(enum sys_call call)
{
	uint64_t seen;

	if ((fault_mask & 1U << call) == 0)
		return false;
	seen = atomic_fetch_add(&fault_seen, 1) + 1;
	if (seen != fault_nth && !(fault_sticky && seen > fault_nth))
		return false;
	if (fault_error == 0)
		_exit(EXIT_FAULT);
	errno = fault_error;
	return true;
}
