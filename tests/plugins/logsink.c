/*
 * A log sink that is no part of the program: each record as "LEVEL EVENT TEXT
 * [NAME=VALUE …]", in a file that it opens for each line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <postern/log_sink.h>

struct conf {
	const char *file;
	bool fails;
};

static const struct pst_option options[] = {
	PST_PATH(struct conf, file, NULL, "where the records go"),
	PST_BOOL(struct conf, fails, "no", "wait where that is not allowed"),
	PST_END
};

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	const struct pst_log_record *r = ev->arg;
	const struct conf *c = ev->conf;
	FILE *f;
	uint32_t i;

	if (c->fails)
		return PST_WAIT;
	f = fopen(c->file, "ae");
	if (f == NULL)
		return PST_TEMPFAIL;
	(void)fprintf(f, "%d %s %s [", (int)r->level,
	    r->event != NULL ? r->event : "-", r->text.p);
	for (i = 0; i < r->count; i++) {
		if (r->field[i].type == PST_F_NUMBER)
			(void)fprintf(f, " %s=%" PRId64, r->field[i].name,
			    r->field[i].number);
		else
			(void)fprintf(f, " %s=%s", r->field[i].name,
			    r->field[i].text.p);
	}
	(void)fprintf(f, " ]\n");
	return fclose(f) == 0 ? PST_CONTINUE : PST_TEMPFAIL;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_LOG_SINK_EMIT, on_emit),
	PST_END
};

PST_PLUGIN(logsink, .version = "1.0", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf));
