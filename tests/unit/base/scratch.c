#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "unit.h"

static char dir[64];
static struct buf contents;

const char *
scratch(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/postern-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	return dir;
}

const char *
scratch_path(const char *name)
{
	static char path[4][256];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

const char *
scratch_read(const char *name)
{
	struct err why = ERR_INIT;

	buf_fini(&contents);
	buf_init(&contents, 64 << 20);
	if (file_read(&contents, scratch_path(name), &why) != 0)
		ck_abort_msg("%s", why.text);
	return buf_p(&contents);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

void
scratch_remove(void)
{
	buf_fini(&contents);
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
