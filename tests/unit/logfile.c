#include "logfile.h"

#include <stdio.h>

#include <postern/log_sink.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

static char log_path[256];

static bool
line_add(void *arg, const struct pst_log_record *r)
{
	FILE *f = fopen(log_path, "a");
	char stamp[40];

	(void)arg;
	ck_assert_ptr_nonnull(f);
	clock_asctime(stamp, sizeof(stamp), r->wall);
	(void)fprintf(f, "%s %s: %s\n", stamp,
	    log_level_name((enum log_level)r->level), r->text.p);
	ck_assert_int_eq(fclose(f), 0);
	return true;
}

static bool
nothing(void *arg)
{
	(void)arg;
	return true;
}

void
log_to_file(const char *path)
{
	static const struct log_sink sink = { .emit = line_add,
		.flush = nothing, .reopen = nothing };
	FILE *f = fopen(path, "a");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fclose(f), 0);
	(void)snprintf(log_path, sizeof(log_path), "%s", path);
	log_sinks_set(&sink, 1);
}
