/*
 * A plugin with an option of each type: says at start what it was given, or
 * says no. It says no, and takes its time, in `worker` only (the name of the
 * process) and while the file `when` is there; without them always.
 */
#include <postern/plugin.h>

#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct conf {
	const char *text, *mode, *path, *secret, *worker, *when;
	const char *const *list;
	bool refuse, wait;
	int64_t number, time, size, delay;
};

static const struct pst_option options[] = {
	PST_STRING(struct conf, text, "", "a text that is logged"),
	PST_CHOICE(struct conf, mode, "soft", "soft|hard", "a choice"),
	PST_PATH(struct conf, path, "", "a path"),
	PST_SECRET(struct conf, secret, "", "a secret"),
	PST_LIST(struct conf, list, "a b", "a list"),
	PST_BOOL(struct conf, refuse, "no", "refuse to start"),
	PST_BOOL(struct conf, wait, "no", "start after a moment"),
	PST_INT(struct conf, number, "7", "-5..100", "a number"),
	PST_DURATION(struct conf, time, "1m", "1s..1h", "a time"),
	PST_SIZE(struct conf, size, "64k", "1..1M", "a size"),
	PST_STRING(struct conf, worker, "", "where refuse and delay count"),
	PST_STRING(struct conf, when, "", "a file: while they count"),
	PST_DURATION(struct conf, delay, "0s", "0s..1h", "start that late, "
	    "or look that often for `when`"),
	PST_END
};

static bool
counts(const struct conf *c)
{
	char name[16];

	if (c->when[0] != '\0' && access(c->when, F_OK) != 0)
		return false;
	if (c->worker[0] == '\0')
		return true;
	return prctl(PR_GET_NAME, name) == 0 && strcmp(name, c->worker) == 0;
}

static const char *
check(const void *arg)
{
	const struct conf *c = arg;

	return strcmp(c->mode, "hard") == 0 && c->number == 0 ?
	    "hard needs a number" : NULL;
}

static enum pst_verdict
started(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	if (c->refuse && counts(c))
		return pst_tempfail(ev, 451, "4.3.0", "it does not want to");
	pst_log(ev, PST_INFO, "plain: %s starts: %s, %s, number %d, time %d, "
	    "size %d, secret of %zu octets", ev->instance, c->text, c->mode,
	    (int)c->number, (int)c->time, (int)c->size, strlen(c->secret));
	return PST_CONTINUE;
}

static enum pst_verdict
waited(struct pst_event *ev, const struct pst_result *res)
{
	const struct conf *c = ev->conf;

	(void)res;
	if (c->delay > 0 && c->when[0] != '\0' && counts(c))
		return pst_timer(ev, (uint32_t)c->delay, waited);
	return started(ev);
}

static enum pst_verdict
on_start(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	if (c->delay > 0 && counts(c)) {
		pst_log(ev, PST_INFO, "plain: %s waits", ev->instance);
		return pst_timer(ev, (uint32_t)c->delay, waited);
	}
	return c->wait ? pst_timer(ev, 50, waited) : started(ev);
}

static enum pst_verdict
on_stop(struct pst_event *ev)
{
	pst_log(ev, PST_INFO, "plain: %s stops", ev->instance);
	return PST_CONTINUE;
}

static enum pst_verdict
on_mail(struct pst_event *ev)
{
	const struct conf *c = ev->conf;

	pst_log(ev, PST_INFO, "plain: %s sees a sender: %s", ev->instance,
	    c->text);
	return PST_CONTINUE;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_ON_START, on_start),
	PST_HOOK(PST_ON_STOP, on_stop),
	PST_HOOK(PST_ON_MAIL, on_mail),
	PST_END
};

PST_PLUGIN(plain, .version = "1.2", .summary = "Says what it was given",
	   .license = "MIT", .hooks = hooks, .options = options,
	   .conf_size = sizeof(struct conf), .check = check);
