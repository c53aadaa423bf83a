#include "trial/trial.h"

#include <string.h>

#include <postern/log_sink.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/obj.h"
#include "host/scope.h"

#define PATIENCE HOURS(1)
#define TEXT_MAX (16 * 1024 * 1024)

static bool	log_line(void *arg, const struct pst_log_record *r);
static bool	log_nothing(void *arg);
static void	on_started(void *arg, const struct err *why);
static void	on_alert(void *arg, const struct host_alert *a);
static void	on_hook(void *arg, const struct hook_verdict *v);
static void	on_op(void *arg, const struct op_answer *a);
static void	said(struct trial *t);
static bool	wait_for_it(struct trial *t);

static void
begin(struct trial *t, const char *hostname, const char *listener)
{
	struct log_conf log = { .level = LOG_LV_DEBUG, .sync = true };
	struct log_sink sink = { .emit = log_line, .flush = log_nothing,
		.reopen = log_nothing, .arg = t };

	*t = (struct trial){ .magic = TRIAL_MAGIC, .hostname = hostname,
		.listener = listener };
	t->pool = pool_new(0);
	buf_init(&t->log, TEXT_MAX);
	buf_init(&t->alerts, TEXT_MAX);
	log_open(&log);
	log_sinks_set(&sink, 1);
	t->subject = subject_new(t->pool);
	t->subject->fact[FACT_HOST] = hostname;
	t->subject->fact[FACT_WORKER] = "0";
	t->subject->fact[FACT_LISTENER] = listener;
}

void
trial_live(struct trial *t, struct loop *loop, struct dns *dns,
    const char *hostname, const char *listener)
{
	begin(t, hostname, listener);
	t->loop = loop;
	t->dns = dns;
}

int
trial_init(struct trial *t, const char *hostname, const char *listener,
    struct err *why)
{
	clock_fake(TRIAL_WALL);
	begin(t, hostname, listener);
	t->loop = loop_new();
	t->shm = shm_new(1, why);
	if (t->shm == NULL)
		return -1;
	t->canned = canned_new(t->pool, t->loop);
	return 0;
}

void
trial_fini(struct trial *t)
{
	OBJ_CHECK(t, TRIAL_MAGIC);
	(void)scope_failing(0);
	if (t->subject != NULL)
		subject_end_session(t->subject);
	if (t->gen != NULL) {
		host_gen_unref(&t->gen);
		trial_settle(t, 0);
	}
	host_destroy(&t->host);
	conf_unref(&t->owned);
	shm_destroy(&t->shm);
	log_close();
	buf_fini(&t->log);
	buf_fini(&t->alerts);
	pool_destroy(&t->pool);
	if (t->dns == NULL)
		loop_destroy(&t->loop);
	OBJ_FINI(t);
}

static bool
log_line(void *arg, const struct pst_log_record *r)
{
	char stamp[40];
	struct trial *t;

	OBJ_CAST(t, arg, TRIAL_MAGIC);
	clock_asctime(stamp, sizeof(stamp), r->wall);
	return buf_printf(&t->log, "%s %s: %s\n", stamp,
	    log_level_name((enum log_level)r->level), r->text.p) == 0;
}

static bool
log_nothing(void *arg)
{
	(void)arg;
	return true;
}

int
trial_load(struct trial *t, struct err *why)
{
	struct host_world w = { .loop = t->loop, .shm = t->shm,
		.dns = t->dns, .hostname = t->hostname, .alert = on_alert,
		.arg = t, .loads = t->loads, .loads_arg = t->loads_arg };

	OBJ_CHECK(t, TRIAL_MAGIC);
	if (t->canned != NULL) {
		w.dns = canned_dns(t->canned);
		w.net = t->tables ? &canned_net_tables : &canned_net;
	}
	if (!t->conf->alone)
		t->subject->relay = &t->conf->relay_conf;
	t->host = host_new(&w);
	return host_load(t->host, t->conf, &conf_reader_plain, &t->gen, why);
}

int
trial_start(struct trial *t, struct err *why)
{
	OBJ_CHECK(t, TRIAL_MAGIC);
	t->answered = false;
	host_start(t->gen, on_started, t);
	while (!t->answered && trial_step(t))
		;
	if (!t->answered)
		return err_text(why, "%s: a start hook never ends",
		    t->conf->file);
	if (t->broken.text[0] == '\0')
		return 0;
	*why = t->broken;
	return -1;
}

bool
trial_ask(struct trial *t, enum hook h, int rcpt)
{
	struct about about = { .ops = &subject_ops, .arg = t->subject,
		.icid = t->icid, .mid = t->subject->message ? t->mid : 0,
		.rcpt = rcpt };

	t->subject->at = h;
	t->subject->about = rcpt;
	t->asked = true;
	t->verdict = (struct hook_verdict){ .act = HOOK_GO };
	t->answered = false;
	if (!hook_wanted(t->gen, h))
		return true;
	if (hook_ask(t->gen, h, &about, &t->verdict, on_hook, t,
		&t->hook_pending))
		return true;
	if (wait_for_it(t))
		return true;
	hook_cancel(&t->hook_pending);
	return false;
}

bool
trial_ask_op(struct trial *t, struct instance *i, const char *op,
    bool may_wait, void *arg)
{
	struct about about = { .ops = &subject_ops, .arg = t->subject,
		.icid = t->icid, .mid = t->subject->message ? t->mid : 0,
		.rcpt = -1 };
	const struct about *a = t->subject->session ? &about : NULL;

	t->asked = true;
	t->answered = false;
	t->oparg = arg;
	t->op = (struct op_answer){ .verdict = PST_CONTINUE };
	if (!may_wait) {
		op_now(i, op, a, arg, &t->op);
		said(t);
		return true;
	}
	if (op_ask(i, op, a, arg, &t->op, on_op, t, &t->op_pending)) {
		said(t);
		return true;
	}
	if (wait_for_it(t))
		return true;
	op_cancel(&t->op_pending);
	return false;
}

/* False: the client left meanwhile, or nothing will ever happen. */
static bool
wait_for_it(struct trial *t)
{
	while (!t->answered) {
		if (t->waits != NULL && !t->waits(t->arg)) {
			t->gone = true;
			return false;
		}
		if (!trial_step(t) && !t->answered) {
			(void)err_text(&t->broken, "it waits, and nothing "
			    "can happen any more");
			t->gone = true;
			return false;
		}
	}
	return true;
}

static void
on_hook(void *arg, const struct hook_verdict *v)
{
	struct trial *t;

	OBJ_CAST(t, arg, TRIAL_MAGIC);
	t->verdict = *v;
	t->hook_pending = NULL;
	t->answered = true;
}

static void
on_op(void *arg, const struct op_answer *a)
{
	struct trial *t;

	OBJ_CAST(t, arg, TRIAL_MAGIC);
	t->op = *a;
	t->op_pending = NULL;
	t->answered = true;
	said(t);
}

static void
said(struct trial *t)
{
	if (t->says != NULL)
		t->says(t->arg, t->oparg);
}

static void
on_started(void *arg, const struct err *why)
{
	struct trial *t;

	OBJ_CAST(t, arg, TRIAL_MAGIC);
	if (why != NULL)
		t->broken = *why;
	t->answered = true;
}

static void
on_alert(void *arg, const struct host_alert *a)
{
	struct trial *t;

	OBJ_CAST(t, arg, TRIAL_MAGIC);
	(void)buf_printf(&t->alerts, "%s %s %s: %s\n", a->severity,
	    a->category, a->key, a->text);
}

bool
trial_step(struct trial *t)
{
	if (t->canned != NULL)
		return loop_step_fake(t->loop, clock_now() + PATIENCE);
	loop_once(t->loop, true);
	return true;
}

void
trial_settle(struct trial *t, msec for_ms)
{
	msec until = clock_now() + for_ms;

	if (t->canned == NULL) {
		loop_once(t->loop, false);
		return;
	}
	while (loop_step_fake(t->loop, until))
		;
}

enum pst_verdict
trial_verdict(const struct trial *t)
{
	const struct hook_verdict *v = &t->verdict;

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

bool
trial_may(struct trial *t, bool ok, const char *why)
{
	if (!ok && !t->lenient)
		(void)err_text(&t->broken, "%s", why);
	return ok;
}
