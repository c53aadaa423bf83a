#include "stub.h"

#include <string.h>

#include <postern/log_sink.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/obj.h"
#include "host/scope.h"

#define BUILTIN(name) extern const struct pst_plugin name##_LTX_postern_plugin;
#include "tbl/builtins.h"
#undef BUILTIN

/* As in the program, and the tables of the script. */
static const struct pst_plugin *const builtins[] = {
#define BUILTIN(name) &name##_LTX_postern_plugin,
#include "tbl/builtins.h"
#undef BUILTIN
	&canned_table,
	NULL
};

#define WALL 1767225600000 /* 2026-01-01T00:00:00Z */
#define PATIENCE HOURS(1)
#define TEXT_MAX (16 * 1024 * 1024)

static int	open_world(struct stub *st, struct err *why);
static bool	log_line(void *arg, const struct pst_log_record *r);
static void	log_nothing(void *arg);
static int	load(struct stub *st, struct err *why);
static void	run_statements(struct stub *st);
static void	on_started(void *arg, const struct err *why);
static void	on_alert(void *arg, const struct host_alert *a);
static void	on_hook(void *arg, const struct hook_verdict *v);
static void	on_op(void *arg, const struct op_answer *a);
static bool	wait_for_it(struct stub *st);
static void	count_memory(struct stub *st);

int
stub_run(struct stub *st, const struct script *script, struct tap *tap,
    const struct stub_fault *fault, struct err *why)
{
	*st = (struct stub){ .magic = STUB_MAGIC, .script = script,
		.tap = tap };
	if (fault != NULL)
		st->fault = *fault;
	st->pool = pool_new(0);
	buf_init(&st->log, TEXT_MAX);
	buf_init(&st->alerts, TEXT_MAX);
	buf_init(&st->wrong, TEXT_MAX);
	if (open_world(st, why) < 0 || load(st, why) < 0)
		return -1;
	run_statements(st);
	st->requests = canned_asked(st->canned);
	if (st->broken.text[0] != '\0') {
		*why = st->broken;
		return -1;
	}
	return 0;
}

void
stub_fini(struct stub *st)
{
	OBJ_CHECK(st, STUB_MAGIC);
	(void)scope_failing(0);
	if (st->subject != NULL)
		subject_end_session(st->subject);
	if (st->gen != NULL) {
		host_gen_unref(&st->gen);
		stub_settle(st, 0);
	}
	host_destroy(&st->host);
	conf_unref(&st->conf);
	shm_destroy(&st->shm);
	log_close();
	buf_fini(&st->log);
	buf_fini(&st->alerts);
	buf_fini(&st->wrong);
	pool_destroy(&st->pool);
	loop_destroy(&st->loop);
	OBJ_FINI(st);
}

static int
open_world(struct stub *st, struct err *why)
{
	struct log_conf log = { .level = LOG_LV_DEBUG, .sync = true };
	struct log_sink sink = { .emit = log_line, .flush = log_nothing,
		.reopen = log_nothing, .arg = st };

	clock_fake(WALL);
	log_open(&log);
	log_sinks_set(&sink, 1);
	st->loop = loop_new();
	st->shm = shm_new(1, why);
	if (st->shm == NULL)
		return -1;
	st->canned = canned_new(st->pool, st->loop);
	st->subject = subject_new(st->pool);
	st->subject->fact[FACT_HOST] = "stub.example";
	st->subject->fact[FACT_WORKER] = "0";
	st->subject->fact[FACT_LISTENER] = "stub";
	return 0;
}

static bool
log_line(void *arg, const struct pst_log_record *r)
{
	char stamp[40];
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	clock_asctime(stamp, sizeof(stamp), r->wall);
	return buf_printf(&st->log, "%s %s: %s\n", stamp,
	    log_level_name((enum log_level)r->level), r->text.p) == 0;
}

static void
log_nothing(void *arg)
{
	(void)arg;
}

/* Reads what is said about the world, and makes the instances. */
static int
load(struct stub *st, struct err *why)
{
	struct host_world w = { .loop = st->loop, .shm = st->shm,
		.dns = canned_dns(st->canned), .hostname = "stub.example",
		.net = &canned_net, .alert = on_alert, .arg = st };
	const struct stmt *s;
	struct buf text;
	int rc;

	for (s = st->script->first; s != NULL; s = s->next) {
		if ((s->id == WORD_DNS || s->id == WORD_HTTP ||
			s->id == WORD_LOOKUP) &&
		    canned_add(st->canned, s, why) < 0)
			return err_prefix(why, "%s:%d: ", st->script->file,
			    s->line);
	}
	buf_init(&text, TEXT_MAX);
	rc = conftext(st, &text, why);
	if (rc == 0)
		rc = conf_parse(&st->conf, st->script->file, buf_str(&text),
		    &conf_reader_plain, why);
	buf_fini(&text);
	if (rc < 0)
		return -1;
	host_builtin(builtins);
	st->host = host_new(&w);
	if (host_load(st->host, st->conf, &conf_reader_plain, &st->gen, why) <
	    0)
		return -1;
	(void)scope_failing(0);
	if (st->fault.kind == FAULT_MEMORY) {
		st->memory_left = st->fault.at;
		(void)scope_failing(st->memory_left);
	} else if (st->fault.kind >= FAULT_TIMEOUT)
		canned_fail(st->canned, st->fault.at,
		    st->fault.kind == FAULT_TIMEOUT ? CANNED_TIMEOUT :
		    st->fault.kind == FAULT_ERROR ? CANNED_ERROR :
						    CANNED_SILENCE);
	st->answered = false;
	host_start(st->gen, on_started, st);
	while (!st->answered && loop_step_fake(st->loop,
	    clock_now() + PATIENCE))
		;
	if (!st->answered)
		return err_text(why, "%s: a start hook never ends",
		    st->script->file);
	if (st->broken.text[0] == '\0')
		return 0;
	*why = st->broken;
	/* That is what a start hook has to do when something fails. */
	if (st->fault.kind == FAULT_NONE)
		return -1;
	err_clear(&st->broken);
	st->gone = true;
	return 0;
}

static void
run_statements(struct stub *st)
{
	const struct stmt *s;

	for (s = st->script->first; s != NULL && !st->gone; s = s->next) {
		st->struck = false;
		st->asked = false;
		if (s->id == WORD_EXPECT) {
			if (st->tap != NULL)
				expect_run(st, s);
			continue;
		}
		step_run(st, s);
		if (st->broken.text[0] != '\0') {
			(void)err_prefix(&st->broken, "%s:%d: ",
			    st->script->file, s->line);
			return;
		}
		count_memory(st);
		if (st->tap != NULL && s->want.given && s->id != WORD_CHAOS)
			expect_want(st, s);
		if (st->tap == NULL && st->struck && !st->gone && st->asked)
			expect_never(st, s);
	}
}

/* Which step the allocation failed in that was to fail. */
static void
count_memory(struct stub *st)
{
	unsigned n = scope_failing(0);

	st->memory += n;
	if (st->fault.kind != FAULT_MEMORY || st->memory_left == 0)
		return;
	if (n >= st->memory_left) {
		st->memory_left = 0;
		st->struck = true;
		return;
	}
	st->memory_left -= n;
	(void)scope_failing(st->memory_left);
}

bool
stub_ask(struct stub *st, enum hook h, int rcpt)
{
	struct about about = { .ops = &subject_ops, .arg = st->subject,
		.icid = st->icid, .mid = st->subject->message ? st->mid : 0,
		.rcpt = rcpt };

	st->subject->at = h;
	st->asked = true;
	st->verdict = (struct hook_verdict){ .act = HOOK_GO };
	st->answered = false;
	if (!hook_wanted(st->gen, h))
		return true;
	if (hook_ask(st->gen, h, &about, &st->verdict, on_hook, st,
		&st->hook_pending))
		return true;
	if (wait_for_it(st))
		return true;
	hook_cancel(&st->hook_pending);
	return false;
}

bool
stub_ask_op(struct stub *st, struct instance *i, const char *op,
    bool may_wait, void *arg)
{
	struct about about = { .ops = &subject_ops, .arg = st->subject,
		.icid = st->icid, .mid = st->subject->message ? st->mid : 0,
		.rcpt = -1 };
	const struct about *a = st->subject->session ? &about : NULL;

	st->asked = true;
	st->answered = false;
	st->op = (struct op_answer){ .verdict = PST_CONTINUE };
	if (!may_wait) {
		op_now(i, op, a, arg, &st->op);
		return true;
	}
	if (op_ask(i, op, a, arg, &st->op, on_op, st, &st->op_pending))
		return true;
	if (wait_for_it(st))
		return true;
	op_cancel(&st->op_pending);
	return false;
}

/* False: the client left meanwhile, or nothing will ever happen. */
static bool
wait_for_it(struct stub *st)
{
	unsigned before;

	while (!st->answered) {
		st->waits++;
		if (st->fault.kind == FAULT_GONE &&
		    st->waits == st->fault.at) {
			st->struck = st->gone = true;
			return false;
		}
		before = canned_asked(st->canned);
		if (st->fault.kind >= FAULT_TIMEOUT && before >= st->fault.at &&
		    st->requests < st->fault.at)
			st->struck = true;
		st->requests = before;
		if (!loop_step_fake(st->loop, clock_now() + PATIENCE) &&
		    !st->answered) {
			(void)err_text(&st->broken, "it waits, and nothing "
			    "can happen any more");
			st->gone = true;
			return false;
		}
	}
	return true;
}

static void
on_hook(void *arg, const struct hook_verdict *v)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	st->verdict = *v;
	st->hook_pending = NULL;
	st->answered = true;
}

static void
on_op(void *arg, const struct op_answer *a)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	st->op = *a;
	st->op_pending = NULL;
	st->answered = true;
}

static void
on_started(void *arg, const struct err *why)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	if (why != NULL)
		st->broken = *why;
	st->answered = true;
}

static void
on_alert(void *arg, const struct host_alert *a)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	(void)buf_printf(&st->alerts, "%s %s %s: %s\n", a->severity,
	    a->category, a->key, a->text);
}

/* What runs by itself: reports, tasks, timers. */
void
stub_settle(struct stub *st, msec for_ms)
{
	msec until = clock_now() + for_ms;

	while (loop_step_fake(st->loop, until))
		;
}

enum pst_verdict
stub_verdict(const struct stub *st)
{
	const struct hook_verdict *v = &st->verdict;

	switch (v->act) {
	case HOOK_REJECT:
		return PST_REJECT;
	case HOOK_TEMPFAIL:
		return PST_TEMPFAIL;
	case HOOK_DISCARD:
		return PST_DISCARD;
	case HOOK_DISCONNECT_NOW:
		return PST_DISCONNECT;
	case HOOK_GO:
		if (v->quarantine[0] != '\0')
			return PST_QUARANTINE;
		return v->by != NULL ? PST_ACCEPT : PST_CONTINUE;
	}
	panic("no such act");
}

void
stub_set_out(struct stub *st, const char *name, const char *value)
{
	unsigned i;

	for (i = 0; i < st->nout && strcmp(st->out[i].name, name) != 0; i++)
		;
	if (i == STUB_OUTS)
		return;
	if (i == st->nout)
		st->nout++;
	st->out[i].name = pool_strdup(st->pool, name);
	st->out[i].value = pool_strdup(st->pool, value);
}

struct str
stub_log(struct stub *st)
{
	return buf_str(&st->log);
}
