#include "filemark.h"

#include <sys/stat.h>

struct filemark
filemark_of(const char *file)
{
	struct stat st;

	if (stat(file, &st) != 0)
		return (struct filemark){ .there = false };
	return filemark_stat(&st);
}

struct filemark
filemark_stat(const struct stat *st)
{
	return (struct filemark){
		.there = true,
		.size = (int64_t)st->st_size,
		.mtime = (int64_t)st->st_mtim.tv_sec,
		.nsec = (int64_t)st->st_mtim.tv_nsec,
		.inode = (uint64_t)st->st_ino,
	};
}

bool
filemark_same(const struct filemark *a, const struct filemark *b)
{
	return a->there == b->there && a->size == b->size &&
	    a->mtime == b->mtime && a->nsec == b->nsec &&
	    a->inode == b->inode;
}
