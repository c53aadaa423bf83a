#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/log_priv.h"

enum { SINK_FILE, SINK_STDERR, SINK_SYSLOG, SINK_JSON, SINKS };

static struct {
	bool open;
	bool sync;
	enum log_level level;
	pthread_t thread; /* the one that may log */
	pid_t pid;
	uint64_t lost;
	struct log_sink sink[SINKS];
	struct buf text, json;
} log_state = {
	.sync = true,
	.level = LOG_LV_WARNING,
};

static void need(void);
static void begin(void);
static void add_text(enum log_level level, msec wall);
static void add_json(enum log_level level, msec wall);
static void after_fork(void);
static void last_words(const char *text);

void
log_open(const struct log_conf *conf)
{
	struct log_sink *k = log_state.sink;

	log_close();
	begin();
	log_state.level = conf->level;
	log_state.sync = conf->sync;
	if (conf->file != NULL && conf->file[0] != '\0')
		log_sink_file(&k[SINK_FILE], conf->file, true);
	log_sink_report(&k[SINK_FILE]);
	if (conf->json != NULL && conf->json[0] != '\0')
		log_sink_file(&k[SINK_JSON], conf->json, false);
	log_sink_report(&k[SINK_JSON]);
	if (conf->stderr_on)
		log_sink_stderr(&k[SINK_STDERR]);
	if (conf->syslog_on)
		log_sink_syslog(&k[SINK_SYSLOG],
		    conf->ident != NULL ? conf->ident : "mail_logs",
		    "/dev/log");
	die_hook_set(last_words);
}

void
log_close(void)
{
	int i;

	if (!log_state.open)
		return;
	log_flush();
	for (i = 0; i < SINKS; i++)
		log_sink_fini(&log_state.sink[i]);
	buf_fini(&log_state.text);
	buf_fini(&log_state.json);
	log_state.open = false;
	log_state.level = LOG_LV_WARNING;
	log_state.sync = true;
	die_hook_set(NULL);
}

void
log_reopen(void)
{
	int i;

	need();
	log_flush();
	for (i = 0; i < SINKS; i++)
		log_sink_reopen(&log_state.sink[i]);
}

void
log_flush(void)
{
	int i;

	if (!log_state.open)
		return;
	if (log_state.pid != getpid())
		after_fork();
	for (i = 0; i < SINKS; i++) {
		if (log_state.sink[i].on)
			log_sink_flush(&log_state.sink[i]);
	}
}

bool
log_would(enum log_level level)
{
	return level <= log_state.level;
}

uint64_t
log_lost(void)
{
	uint64_t n = log_state.lost;

	log_state.lost = 0;
	return n;
}

void
mail_log(enum log_event ev, ...)
{
	struct log_arg arg[LOG_ARGS];
	enum log_level level;
	msec wall;
	va_list ap;

	ASSERT(ev < EV_COUNT);
	level = log_event_level(ev);
	if (!log_would(level))
		return;
	need();
	if (log_state.sync && log_state.pid != getpid())
		after_fork();
	va_start(ap, ev);
	log_args(ev, arg, ap);
	va_end(ap);
	/* Nobody else moves the clock in a command-line program. */
	if (log_state.sync)
		clock_update();
	wall = clock_wall();
	buf_reset(&log_state.text);
	log_line_text(&log_state.text, ev, arg);
	add_text(level, wall);
	if (log_state.sink[SINK_JSON].on) {
		buf_reset(&log_state.json);
		log_line_json(&log_state.json, ev, arg, wall);
		add_json(level, wall);
	}
	if (log_state.sync)
		log_flush();
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	char text[2048];
	msec wall;
	va_list ap;

	if (!log_would(level))
		return;
	need();
	if (log_state.sync && log_state.pid != getpid())
		after_fork();
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_state.sync)
		clock_update();
	wall = clock_wall();
	buf_reset(&log_state.text);
	log_free_text(&log_state.text, level, str_c(text));
	add_text(level, wall);
	if (log_state.sink[SINK_JSON].on) {
		buf_reset(&log_state.json);
		log_free_json(&log_state.json, level, str_c(text), wall);
		add_json(level, wall);
	}
	if (log_state.sync)
		log_flush();
}

/* Somebody logs before anybody has opened the log. */
static void
need(void)
{
	if (log_state.open)
		return;
	begin();
	log_sink_stderr(&log_state.sink[SINK_STDERR]);
}

static void
begin(void)
{
	int i;

	for (i = 0; i < SINKS; i++)
		log_sink_init(&log_state.sink[i], i == SINK_JSON ?
		    LOG_FORM_JSON : i == SINK_SYSLOG ? LOG_FORM_SYSLOG :
						       LOG_FORM_TEXT);
	buf_init(&log_state.text, LOG_LINE_MAX);
	buf_init(&log_state.json, LOG_LINE_MAX * 2);
	log_state.thread = pthread_self();
	log_state.pid = getpid();
	log_state.open = true;
}

static void
add_text(enum log_level level, msec wall)
{
	int i;

	for (i = 0; i < SINK_JSON; i++) {
		if (log_state.sink[i].on && !log_sink_add(&log_state.sink[i],
		    level, buf_str(&log_state.text), wall))
			log_state.lost++;
	}
}

static void
add_json(enum log_level level, msec wall)
{
	if (!log_sink_add(&log_state.sink[SINK_JSON], level,
	    buf_str(&log_state.json), wall))
		log_state.lost++;
}

/*
 * What is kept is the parent's, which writes it itself. A child that collects
 * lines opens the log anew first, or loses those until its first flush.
 */
static void
after_fork(void)
{
	int i;

	for (i = 0; i < SINKS; i++) {
		buf_reset(&log_state.sink[i].lines);
		log_state.sink[i].lost = 0;
	}
	log_state.lost = 0;
	log_state.thread = pthread_self();
	log_state.pid = getpid();
}

/* fatal() and panic(): what they say has been on stderr already. */
static void
last_words(const char *text)
{
	if (!log_state.open ||
	    !pthread_equal(log_state.thread, pthread_self()))
		return;
	log_state.sink[SINK_STDERR].on = false;
	log_critical("%s", text);
	log_flush();
}
