/*
 * What a file looked like when it was read: another look tells whether it is to
 * be read again.
 */
#ifndef COMMON_FILEMARK_H
#define COMMON_FILEMARK_H

#include <stdbool.h>
#include <stdint.h>

struct stat;

struct filemark {
	bool there; /* it could be looked at; all others are 0 if not */
	int64_t size, mtime, nsec;
	uint64_t inode;
};

/* By its name; errno is set if it is not there. Taken before the file is read,
 * so that a change meanwhile is seen at the next look. */
struct filemark filemark_of(const char *file);
/* Of a file that is open. */
struct filemark filemark_stat(const struct stat *st);
bool filemark_same(const struct filemark *a, const struct filemark *b);

#endif
