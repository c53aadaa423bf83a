/*
 * The log as JSON: an object on a line for each record.
 */
#include <postern/log_sink.h>

#include "../common/logfile.h"
#include "jsonline.h"

struct conf {
	const char *file, *level, *mode;
};

struct sink {
	struct logfile f; /* first: add() casts */
	enum pst_log_level level;
	struct jsonline line;
};

static const struct pst_option options[] = {
	PST_PATH(struct conf, file, NULL, "where the JSON lines are written"),
	PST_CHOICE(struct conf, level, "trace", LOGKEEP_LEVELS,
	    "least important level of it, of those that are logged at all"),
	PST_STRING(struct conf, mode, "0640",
	    "rights of a file that is made, less those of the umask"),
	PST_END
};

static bool	add(struct logfile *, const struct pst_log_record *);

static struct sink *
sink_of(struct pst_event *ev)
{
	struct sink *s = pst_data(ev, PST_INSTANCE, struct sink);
	const struct conf *c = ev->conf;

	if (s == NULL || s->f.keep != NULL)
		return s;
	if (logfile_begin(&s->f, ev, c->file, c->mode) != 0)
		return NULL;
	s->f.add = add;
	s->level = logkeep_level(c->level);
	return s;
}

static enum pst_verdict
on_emit(struct pst_event *ev)
{
	const struct pst_log_record *r = ev->arg;
	struct sink *s = sink_of(ev);

	if (s == NULL)
		return PST_TEMPFAIL;
	if (r->level > s->level || add(&s->f, r))
		return PST_CONTINUE;
	return PST_TEMPFAIL;
}

static enum pst_verdict
on_flush(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	return s != NULL ? logfile_flush(&s->f, ev) : PST_TEMPFAIL;
}

static enum pst_verdict
on_reopen(struct pst_event *ev)
{
	struct sink *s = sink_of(ev);

	return s != NULL ? logfile_reopen(&s->f, ev) : PST_TEMPFAIL;
}

static enum pst_verdict
on_try(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	return logfile_try(ev, c->file, c->mode);
}

static bool
add(struct logfile *f, const struct pst_log_record *r)
{
	struct sink *s = (struct sink *)f;

	return jsonline_add(&s->line, f->keep, r);
}

static const char *
check(const void *conf)
{
	const struct conf *c = conf;

	return logfile_check(c->file, c->mode);
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_LOG_SINK_EMIT, on_emit),
	PST_HOOK(PST_LOG_SINK_FLUSH, on_flush),
	PST_HOOK(PST_LOG_SINK_REOPEN, on_reopen),
	PST_HOOK(PST_LOG_SINK_TRY, on_try),
	PST_END
};

PST_PLUGIN(log_json, .version = "1.0", .summary = "The log as JSON lines",
    .license = "BSD-2-Clause", .hooks = hooks, .options = options,
    .conf_size = sizeof(struct conf), .check = check);
