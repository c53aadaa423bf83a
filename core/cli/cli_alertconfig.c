/*
 * `postern alertconfig`: the dialogue, and each of its operations as a command.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/alertconfig.h"
#include "cli/cli.h"
#include "cli/config.h"

#define KEY_MAX 64

struct words {
	struct alertconfig *ac;
	char **arg; /* behind the command */
	int n;
};

/* Number of words; most -1: any. changes: it is saved. */
struct command {
	const char *name;
	int least, most;
	bool changes;
	int (*run)(const struct words *, struct err *);
};

static int usage(FILE *, int);
static int run(struct alertconfig *, const struct command *, char **, int,
    struct err *);
static const char *classes_of(const struct words *);
static int run_list(const struct words *, struct err *);
static int run_new(const struct words *, struct err *);
static int run_edit(const struct words *, struct err *);
static int run_delete(const struct words *, struct err *);
static int run_clear(const struct words *, struct err *);
static int run_setup(const struct words *, struct err *);
static int run_from(const struct words *, struct err *);
static int run_test(const struct words *, struct err *);

static const struct command commands[] = {
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
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ NULL, 0, NULL, 0 },
	};
	struct alertconfig ac = { .json = false };
	const char *conf = CLI_CONF;
	const struct command *cmd = commands;
	struct err why = ERR_INIT;
	bool node = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			conf = optarg;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		case 'j':
			ac.json = true;
			break;
		case 'N':
			node = true;
			break;
		default:
			return usage(stderr, CLI_USAGE);
		}
	}
	argc -= optind;
	argv += optind;
	while (argc > 0 && cmd < commands + NCOMMANDS &&
	    strcmp(argv[0], cmd->name) != 0)
		cmd++;
	if (argc > 0 && (cmd == commands + NCOMMANDS ||
		argc - 1 < cmd->least ||
		(cmd->most >= 0 && argc - 1 > cmd->most)))
		return usage(stderr, CLI_USAGE);
	if (confedit_open(&ac.ce, conf, &why) != 0)
		return cli_fail("%s", why.text);
	confedit_scope(ac.ce, node);
	ac.pool = pool_new(0);
	if (argc == 0)
		r = alertconfig_menu(&ac);
	else
		r = run(&ac, cmd, argv + 1, argc - 1, &why);
	confedit_close(&ac.ce);
	pool_destroy(&ac.pool);
	return r;
}

static int
run(struct alertconfig *ac, const struct command *cmd, char **arg, int n,
    struct err *why)
{
	struct words w = { ac, arg, n };

	if (cmd->run(&w, why) != 0 ||
	    (cmd->changes && confedit_save(ac->ce, why) != 0))
		return cli_fail("%s", why->text);
	if (cmd->changes)
		config_hint(ac->ce, ac->json);
	return CLI_OK;
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
classes_of(const struct words *w)
{
	const char *list = "";
	int i;

	for (i = 1; i < w->n; i++)
		list = pool_printf(w->ac->pool, "%s%s%s", list,
		    i > 1 ? "," : "", w->arg[i]);
	return list;
}

static int
run_list(const struct words *w, struct err *why)
{
	return alertconfig_list(w->ac, why);
}

static int
run_new(const struct words *w, struct err *why)
{
	return alertconfig_put(w->ac, w->arg[0], classes_of(w), true, why);
}

static int
run_edit(const struct words *w, struct err *why)
{
	return alertconfig_put(w->ac, w->arg[0], classes_of(w), false, why);
}

static int
run_delete(const struct words *w, struct err *why)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < w->n; i++)
		r = alertconfig_delete(w->ac, w->arg[i], why);
	return r;
}

static int
run_clear(const struct words *w, struct err *why)
{
	return alertconfig_clear(w->ac, why);
}

static int
run_setup(const struct words *w, struct err *why)
{
	const char *value;
	char key[KEY_MAX];
	int i;

	for (i = 0; i < w->n; i++) {
		value = strchr(w->arg[i], '=');
		if (value == NULL || !str_copy(key, sizeof(key),
			str_n(w->arg[i], (size_t)(value - w->arg[i]))))
			return err_text(why, "\"%.60s\" is not KEY=VALUE",
			    w->arg[i]);
		if (alertconfig_set(w->ac, key, value + 1, why) != 0)
			return -1;
	}
	return 0;
}

static int
run_from(const struct words *w, struct err *why)
{
	return alertconfig_set(w->ac, "from",
	    str_ieq_c(str_c(w->arg[0]), "default") ? NULL : w->arg[0], why);
}

static int
run_test(const struct words *w, struct err *why)
{
	return alertconfig_test(w->ac, w->n > 0 ? w->arg[0] : NULL, why);
}
