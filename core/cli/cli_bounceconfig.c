/*
 * `postern bounceconfig`: the dialogue, and each of its operations as a
 * command.
 */
#include <stdio.h>

#include "cli/bounceconfig.h"
#include "cli/cli.h"
#include "cli/confcmd.h"

static int usage(FILE *, int);
static int menu(void *);
static int run_list(const struct confcmd_words *, struct err *);
static int run_detail(const struct confcmd_words *, struct err *);
static int run_new(const struct confcmd_words *, struct err *);
static int run_edit(const struct confcmd_words *, struct err *);
static int run_set(const struct confcmd_words *, struct err *);
static int run_delete(const struct confcmd_words *, struct err *);

static const struct confcmd commands[] = {
	{ "list", 0, 0, false, run_list },
	{ "detail", 0, 1, false, run_detail },
	{ "new", 1, -1, true, run_new },
	{ "edit", 2, -1, true, run_edit },
	{ "set", 1, -1, true, run_set },
	{ "delete", 1, -1, true, run_delete },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_bounceconfig(int argc, char **argv)
{
	struct bounceconfig bc = { .json = false };
	const struct confcmd_tool tool = { commands, NCOMMANDS, usage, menu,
		&bc, &bc.ce, &bc.pool, &bc.json, NULL };

	return confcmd_main(&tool, argc, argv);
}

static int
menu(void *of)
{
	return bounceconfig_menu(of);
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern bounceconfig [-c FILE] [--node]\n"
	    "       postern bounceconfig [-c FILE] [--json] [--node] COMMAND\n"
	    "  list\n"
	    "  detail [NAME]\n"
	    "  new NAME [KEY=VALUE...]\n"
	    "  edit NAME KEY=VALUE...\n"
	    "  set NAME [KEY=VALUE...]\n"
	    "  delete NAME...\n"
	    "A KEY is max_retries, max_queue_lifetime, initial_retry, "
	    "max_retry_time,\nsend_bounces, use_dsn_bounce_format, "
	    "send_warnings, send_warnings_count,\nsend_warnings_interval, "
	    "alternate_bounce_address, warn_after or jitter; with\nan empty "
	    "VALUE it is the default. Changes are in force once they are\n"
	    "committed; see postern-bounceconfig(8).\n", to);
	return status;
}

static int
run_list(const struct confcmd_words *w, struct err *why)
{
	return bounceconfig_list(w->of, why);
}

static int
run_detail(const struct confcmd_words *w, struct err *why)
{
	return bounceconfig_detail(w->of, w->n > 0 ? w->arg[0] : NULL, why);
}

static int
run_new(const struct confcmd_words *w, struct err *why)
{
	if (bounceconfig_has(w->of, w->arg[0]))
		return err_text(why, "there is a profile %s already",
		    w->arg[0]);
	return run_set(w, why);
}

static int
run_edit(const struct confcmd_words *w, struct err *why)
{
	if (!bounceconfig_has(w->of, w->arg[0]))
		return err_text(why, "there is no profile %s", w->arg[0]);
	return run_set(w, why);
}

static int
run_set(const struct confcmd_words *w, struct err *why)
{
	struct bounceconfig *bc = w->of;
	const char *name = w->arg[0], *key, *value;
	int i;

	if (!bounceconfig_has(bc, name) &&
	    bounceconfig_new(bc, name, why) != 0)
		return -1;
	for (i = 1; i < w->n; i++) {
		if (confcmd_pair(bc->pool, w->arg[i], &key, &value,
			why) != 0 ||
		    bounceconfig_set(bc, name, key, value, why) != 0)
			return -1;
	}
	return 0;
}

static int
run_delete(const struct confcmd_words *w, struct err *why)
{
	int i;

	for (i = 0; i < w->n; i++) {
		if (bounceconfig_delete(w->of, w->arg[i], why) != 0)
			return -1;
	}
	return 0;
}
