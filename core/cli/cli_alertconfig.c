/*
 * `postern alertconfig`: the dialogue, and each of its operations as a command.
 */
#include <stdio.h>

#include "cli/alertconfig.h"
#include "cli/cli.h"
#include "cli/confcmd.h"

static int usage(FILE *, int);
static int menu(void *);
static const char *classes_of(const struct confcmd_words *);
static int run_list(const struct confcmd_words *, struct err *);
static int run_new(const struct confcmd_words *, struct err *);
static int run_edit(const struct confcmd_words *, struct err *);
static int run_delete(const struct confcmd_words *, struct err *);
static int run_clear(const struct confcmd_words *, struct err *);
static int run_setup(const struct confcmd_words *, struct err *);
static int run_from(const struct confcmd_words *, struct err *);
static int run_test(const struct confcmd_words *, struct err *);

static const struct confcmd commands[] = {
	{ "list", 0, 0, false, run_list },
	{ "new", 1, -1, true, run_new },
	{ "edit", 2, -1, true, run_edit },
	{ "delete", 1, -1, true, run_delete },
	{ "clear", 0, 0, true, run_clear },
	{ "setup", 1, -1, true, run_setup },
	{ "from", 1, 1, true, run_from },
	{ "test", 0, 1, false, run_test },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_alertconfig(int argc, char **argv)
{
	struct alertconfig ac = { .json = false };
	const struct confcmd_tool tool = { commands, NCOMMANDS, usage, menu,
		&ac, &ac.ce, &ac.pool, &ac.json, NULL };

	return confcmd_main(&tool, argc, argv);
}

static int
menu(void *of)
{
	return alertconfig_menu(of);
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern alertconfig [-c FILE] [--node]\n"
	    "       postern alertconfig [-c FILE] [--json] [--node] COMMAND\n"
	    "  list\n"
	    "  new ADDRESS [CLASS/SEVERITY...]\n"
	    "  edit ADDRESS CLASS/SEVERITY...\n"
	    "  delete ADDRESS...\n"
	    "  clear\n"
	    "  setup KEY=VALUE...\n"
	    "  from ADDRESS|default\n"
	    "  test [ADDRESS]\n"
	    "Classes are System, Hardware, Updater, \"Outbreak Filters\", "
	    "Anti-Virus, Anti-Spam,\n\"Directory Harvest Attack Prevention\" "
	    "and all; severities Critical, Warning,\nInformation and all. A "
	    "KEY is initial_wait, maximum_wait, server, port, patience\nor "
	    "alert_required_tls. Changes are in force once they are "
	    "committed; see\npostern-alertconfig(8).\n", to);
	return status;
}

/* From the second word on, as a list. */
static const char *
classes_of(const struct confcmd_words *w)
{
	const struct alertconfig *ac = w->of;
	const char *list = "";
	int i;

	for (i = 1; i < w->n; i++)
		list = pool_printf(ac->pool, "%s%s%s", list,
		    i > 1 ? "," : "", w->arg[i]);
	return list;
}

static int
run_list(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_list(w->of, why);
}

static int
run_new(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_put(w->of, w->arg[0], classes_of(w), true, why);
}

static int
run_edit(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_put(w->of, w->arg[0], classes_of(w), false, why);
}

static int
run_delete(const struct confcmd_words *w, struct err *why)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < w->n; i++)
		r = alertconfig_delete(w->of, w->arg[i], why);
	return r;
}

static int
run_clear(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_clear(w->of, why);
}

static int
run_setup(const struct confcmd_words *w, struct err *why)
{
	struct alertconfig *ac = w->of;
	const char *key, *value;
	int i;

	for (i = 0; i < w->n; i++) {
		if (confcmd_pair(ac->pool, w->arg[i], &key, &value,
			why) != 0 ||
		    alertconfig_set(ac, key, value, why) != 0)
			return -1;
	}
	return 0;
}

static int
run_from(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_set(w->of, "from",
	    str_ieq_c(str_c(w->arg[0]), "default") ? NULL : w->arg[0], why);
}

static int
run_test(const struct confcmd_words *w, struct err *why)
{
	return alertconfig_test(w->of, w->n > 0 ? w->arg[0] : NULL, why);
}
