#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/log_priv.h"
#include "base/pool.h"

#define TEXT_MAX 2048
/* What sinks have to say themselves: while one is at work, and in a second. */
#define ASIDES 8
#define ASIDES_SECOND 32
#define NOBODY LOG_SINKS_MAX

/* A line that was logged while a sink was at work. */
struct aside {
	unsigned from; /* that sink */
	struct pst_log_record r;
};

/* What a record is made in; two, as a sink may log while it reads one. */
struct desk {
	struct buf text, room;
	struct pst_field field[LOG_ARGS];
	struct pst_log_record r;
};

static struct {
	bool open;
	bool sync;
	bool stderr_on;
	enum log_level level;
	pthread_t thread; /* the one that may log */
	pid_t pid;
	uint64_t lost;
	struct log_sink sink[LOG_SINKS_MAX];
	bool fails[LOG_SINKS_MAX]; /* it cannot be written now */
	unsigned n;
	bool fields;	   /* somebody wants them */
	unsigned asked;	   /* the sink that is at work, or NOBODY */
	bool dying;
	struct log_stderr err;
	struct desk desk, side;
	struct aside aside[ASIDES];
	unsigned nasides;
	struct pool *pool; /* of the asides; NULL: there are none */
	msec asides_second;
	unsigned asides_in_it;
} log_state = {
	.sync = true,
	.level = LOG_LV_WARNING,
	.asked = NOBODY,
};

static void need(void);
static void begin(void);
static void desk_init(struct desk *d);
static void desk_fini(struct desk *d);
static struct desk *desk_of(enum log_level level);
static void add(struct desk *d);
static bool emit(unsigned i, const struct pst_log_record *r);
static bool emit_kept(unsigned i, const struct pst_log_record *r);
static void flush_sinks(void);
static void aside_keep(const struct pst_log_record *r);
static bool asides_tell(void);
static void asides_drop(void);
static void after_fork(void);
static void last_words(const char *text);

void
log_open(const struct log_conf *conf)
{
	log_close();
	begin();
	log_state.level = conf->level;
	log_state.sync = conf->sync;
	log_state.stderr_on = conf->stderr_on;
	die_hook_set(last_words);
}

void
log_close(void)
{
	if (!log_state.open)
		return;
	log_flush();
	log_state.n = 0;
	log_state.fields = false;
	log_stderr_fini(&log_state.err);
	desk_fini(&log_state.desk);
	desk_fini(&log_state.side);
	log_state.open = false;
	log_state.level = LOG_LV_WARNING;
	log_state.sync = true;
	die_hook_set(NULL);
}

void
log_sinks_set(const struct log_sink *v, unsigned n)
{
	unsigned i;

	ASSERT(n <= LOG_SINKS_MAX && log_state.asked == NOBODY);
	need();
	log_flush();
	log_state.n = n;
	log_state.fields = false;
	for (i = 0; i < n; i++) {
		log_state.sink[i] = v[i];
		log_state.fails[i] = false;
		log_state.fields |= v[i].fields;
	}
	/* They open their files. */
	log_flush();
}

void
log_pass(const struct pst_log_record *r)
{
	bool kept = true;
	unsigned i;

	ASSERT(log_state.asked == NOBODY);
	need();
	for (i = 0; i < log_state.n; i++) {
		if (log_state.sink[i].passed && !emit_kept(i, r))
			kept = false;
	}
	if (!kept && !log_stderr_add(&log_state.err, r))
		log_state.lost++;
	asides_tell();
}

void
log_level_set(enum log_level level)
{
	log_state.level = level;
}

void
log_reopen(void)
{
	unsigned i;

	need();
	log_flush();
	for (i = 0; i < log_state.n; i++) {
		log_state.asked = i;
		log_state.fails[i] =
		    !log_state.sink[i].reopen(log_state.sink[i].arg);
	}
	log_state.asked = NOBODY;
	log_flush();
}

void
log_flush(void)
{
	if (!log_state.open || log_state.asked != NOBODY)
		return;
	if (log_state.pid != getpid())
		after_fork();
	flush_sinks();
	if (asides_tell())
		flush_sinks();
	log_stderr_flush(&log_state.err);
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
	struct desk *d;
	va_list ap;

	ASSERT(ev < EV_COUNT);
	if (!log_would(log_event_level(ev)))
		return;
	d = desk_of(log_event_level(ev));
	va_start(ap, ev);
	log_args(ev, arg, ap);
	va_end(ap);
	d->r.event = log_event_name(ev);
	log_line_text(&d->text, ev, arg);
	if (log_state.fields)
		d->r.count = log_line_fields(d->field, &d->room, ev, arg);
	add(d);
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	char text[TEXT_MAX];
	struct desk *d;
	va_list ap;

	if (!log_would(level))
		return;
	d = desk_of(level);
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_free_text(&d->text, str_c(text));
	d->r.count = log_free_fields(d->field, str_c(text));
	add(d);
}

/* Somebody logs before anybody has opened the log. */
static void
need(void)
{
	if (log_state.open)
		return;
	begin();
	log_state.stderr_on = true;
}

static void
begin(void)
{
	log_stderr_init(&log_state.err);
	desk_init(&log_state.desk);
	desk_init(&log_state.side);
	log_state.thread = pthread_self();
	log_state.pid = getpid();
	log_state.open = true;
}

static void
desk_init(struct desk *d)
{
	buf_init(&d->text, LOG_LINE_MAX);
	buf_init(&d->room, (size_t)1 << 20);
}

static void
desk_fini(struct desk *d)
{
	buf_fini(&d->text);
	buf_fini(&d->room);
}

/* For a record of now, empty. */
static struct desk *
desk_of(enum log_level level)
{
	struct desk *d;

	need();
	if (log_state.sync && log_state.pid != getpid())
		after_fork();
	d = log_state.asked != NOBODY ? &log_state.side : &log_state.desk;
	/* Nobody else moves the clock in a command-line program. */
	if (log_state.sync)
		clock_update();
	buf_reset(&d->text);
	d->r = (struct pst_log_record){ .size = sizeof(d->r),
		.level = (enum pst_log_level)level, .wall = clock_wall(),
		.field = d->field };
	return d;
}

/* To all. */
static void
add(struct desk *d)
{
	bool kept = true;
	unsigned i;

	d->r.text.p = buf_p(&d->text);
	d->r.text.n = buf_len(&d->text);
	if (d == &log_state.side) {
		aside_keep(&d->r);
		return;
	}
	for (i = 0; i < log_state.n; i++) {
		if (!emit_kept(i, &d->r))
			kept = false;
	}
	if ((log_state.stderr_on || !kept) &&
	    !log_stderr_add(&log_state.err, &d->r))
		log_state.lost++;
	asides_tell();
	if (log_state.sync)
		log_flush();
}

static bool
emit(unsigned i, const struct pst_log_record *r)
{
	const struct log_sink *s = &log_state.sink[i];
	struct pst_log_record bare;
	bool kept;

	if (!s->fields && r->count > 0) {
		bare = *r;
		bare.count = 0;
		r = &bare;
	}
	log_state.asked = i;
	kept = s->emit(s->arg, r);
	log_state.asked = NOBODY;
	return kept;
}

/* False: standard error is to have it, too. */
static bool
emit_kept(unsigned i, const struct pst_log_record *r)
{
	bool kept = emit(i, r);

	if (!kept)
		log_state.lost++;
	return kept && !log_state.fails[i];
}

static void
flush_sinks(void)
{
	unsigned i;

	for (i = 0; i < log_state.n; i++) {
		log_state.asked = i;
		log_state.fails[i] =
		    !log_state.sink[i].flush(log_state.sink[i].arg);
	}
	log_state.asked = NOBODY;
}

static void
aside_keep(const struct pst_log_record *r)
{
	struct aside *a = &log_state.aside[log_state.nasides];
	struct pst_field *field;
	unsigned i;

	if (r->wall / 1000 != log_state.asides_second) {
		log_state.asides_second = r->wall / 1000;
		log_state.asides_in_it = 0;
	}
	if (log_state.nasides == ASIDES ||
	    log_state.asides_in_it == ASIDES_SECOND) {
		log_state.lost++;
		return;
	}
	log_state.nasides++;
	log_state.asides_in_it++;
	if (log_state.pool == NULL)
		log_state.pool = pool_new(0);
	a->from = log_state.asked;
	a->r = *r;
	a->r.text.p = pool_strndup(log_state.pool, r->text.p, r->text.n);
	field = pool_alloc(log_state.pool, sizeof(*field) * LOG_ARGS);
	for (i = 0; i < r->count; i++) {
		field[i] = r->field[i];
		if (field[i].text.p != NULL)
			field[i].text.p = pool_strndup(log_state.pool,
			    field[i].text.p, field[i].text.n);
	}
	a->r.field = field;
}

/* To all but the sink it is of, and to standard error. What they have to say
 * to that is lost, as there is no room before asides_drop(). False: there was
 * nothing. */
static bool
asides_tell(void)
{
	unsigned n = log_state.nasides, i, k;
	const struct aside *a;

	if (n == 0)
		return false;
	log_state.nasides = ASIDES;
	for (k = 0; k < n; k++) {
		a = &log_state.aside[k];
		for (i = 0; i < log_state.n; i++) {
			if (i != a->from && !emit(i, &a->r))
				log_state.lost++;
		}
		if (!log_stderr_add(&log_state.err, &a->r))
			log_state.lost++;
	}
	asides_drop();
	return true;
}

static void
asides_drop(void)
{
	log_state.nasides = 0;
	pool_destroy(&log_state.pool);
}

/*
 * What is kept is the parent's, which writes it itself. A child that collects
 * lines opens the log anew first, or loses those until its first flush.
 */
static void
after_fork(void)
{
	buf_reset(&log_state.err.lines);
	log_state.err.lost = 0;
	asides_drop();
	log_state.lost = 0;
	log_state.thread = pthread_self();
	log_state.pid = getpid();
}

/* fatal() and panic(): what they say has been on stderr already. The sink
 * that was at work is asked no more. */
static void
last_words(const char *text)
{
	unsigned i;

	if (!log_state.open || log_state.dying ||
	    !pthread_equal(log_state.thread, pthread_self()))
		return;
	log_state.dying = true;
	log_state.stderr_on = false;
	if (log_state.asked != NOBODY) {
		i = log_state.asked;
		log_state.sink[i] = log_state.sink[--log_state.n];
		log_state.fails[i] = log_state.fails[log_state.n];
		log_state.asked = NOBODY;
		asides_drop();
	}
	log_critical("%s", text);
	log_flush();
}
