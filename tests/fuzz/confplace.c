#include "confplace.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/die.h"

static struct confplace place;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_place(void)
{
	(void)nftw(place.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const struct confplace *
confplace(const char *boot)
{
	FILE *f;

	if (place.dir[0] != '\0')
		return &place;
	(void)snprintf(place.dir, sizeof(place.dir), "%s/fuzz-conf-XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(place.dir) == NULL)
		fatal("mkdtemp");
	(void)atexit(remove_place);
	(void)snprintf(place.conf, sizeof(place.conf), "%s/c.lua", place.dir);
	f = fopen(place.conf, "we");
	if (f == NULL || fprintf(f, "spool = \"%s/spool\"\nrun = \"%s/run\"\n"
		"%s", place.dir, place.dir, boot) < 0 || fclose(f) != 0)
		fatal("%s", place.conf);
	return &place;
}
