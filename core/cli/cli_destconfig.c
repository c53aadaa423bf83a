/*
 * `postern destconfig`: the dialogue, and each of its operations as a command.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/destconfig.h"

#define KEY_MAX 64

struct words {
	struct destconfig *dc;
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
static int run(struct destconfig *, const struct command *, char **, int,
    struct err *);
static int settings(const struct words *, int, const char *, const char *,
    struct err *);
static int run_list(const struct words *, struct err *);
static int run_detail(const struct words *, struct err *);
static int run_new(const struct words *, struct err *);
static int run_edit(const struct words *, struct err *);
static int run_set(const struct words *, struct err *);
static int run_delete(const struct words *, struct err *);
static int run_default(const struct words *, struct err *);
static int run_clear(const struct words *, struct err *);
static int run_setup(const struct words *, struct err *);
static int run_import(const struct words *, struct err *);
static int run_export(const struct words *, struct err *);

static const struct command commands[] = {
	{ "list", 0, 0, false, run_list },
	{ "detail", 0, 1, false, run_detail },
	{ "new", 1, -1, true, run_new },
	{ "edit", 2, -1, true, run_edit },
	{ "set", 1, -1, true, run_set },
	{ "delete", 1, -1, true, run_delete },
	{ "default", 1, -1, true, run_default },
	{ "clear", 0, 0, true, run_clear },
	{ "setup", 1, -1, true, run_setup },
	{ "import", 1, 1, true, run_import },
	{ "export", 0, 1, false, run_export },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_destconfig(int argc, char **argv)
{
	static const struct option table[] = {
		{ "compat", no_argument, NULL, 'C' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ NULL, 0, NULL, 0 },
	};
	struct destconfig dc = { .json = false };
	const char *conf = CLI_CONF;
	const struct command *cmd = commands;
	struct err why = ERR_INIT;
	bool node = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		switch (c) {
		case 'C':
			dc.compat = true;
			break;
		case 'c':
			conf = optarg;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		case 'j':
			dc.json = true;
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
	if (confedit_open(&dc.ce, conf, &why) != 0)
		return cli_fail("%s", why.text);
	confedit_scope(dc.ce, node);
	dc.pool = pool_new(0);
	if (argc == 0)
		r = destconfig_menu(&dc);
	else
		r = run(&dc, cmd, argv + 1, argc - 1, &why);
	confedit_close(&dc.ce);
	pool_destroy(&dc.pool);
	return r;
}

static int
run(struct destconfig *dc, const struct command *cmd, char **arg, int n,
    struct err *why)
{
	struct words w = { dc, arg, n };

	if (cmd->run(&w, why) != 0 ||
	    (cmd->changes && confedit_save(dc->ce, why) != 0))
		return cli_fail("%s", why->text);
	if (cmd->changes)
		config_hint(dc->ce, dc->json);
	return CLI_OK;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern destconfig [-c FILE]\n"
	    "       postern destconfig [-c FILE] [--json] COMMAND\n"
	    "  list [--compat]\n"
	    "  detail [DOMAIN]\n"
	    "  new [--node] DOMAIN [KEY=VALUE...]\n"
	    "  edit [--node] DOMAIN KEY=VALUE...\n"
	    "  set [--node] DOMAIN [KEY=VALUE...]\n"
	    "  delete DOMAIN...\n"
	    "  default KEY=VALUE...\n"
	    "  clear\n"
	    "  setup [certificate=NAME] [alert_required_tls=yes|no]\n"
	    "  import FILE\n"
	    "  export [FILE]\n"
	    "A KEY is tls, certificate, concurrency, limit_by, max_messages, "
	    "recipients,\nrecipient_minutes, ip, bounce_profile, "
	    "bounce_verification or route; with an\nempty VALUE it is as in "
	    "the default entry. Changes are in force once they are\n"
	    "committed; see postern-destconfig(8).\n", to);
	return status;
}

/* KEY=VALUE from the i-th word on. */
static int
settings(const struct words *w, int i, const char *kind, const char *name,
    struct err *why)
{
	const char *value;
	char key[KEY_MAX];

	for (; i < w->n; i++) {
		value = strchr(w->arg[i], '=');
		if (value == NULL || !str_copy(key, sizeof(key),
			str_n(w->arg[i], (size_t)(value - w->arg[i]))))
			return err_text(why, "\"%.60s\" is not KEY=VALUE",
			    w->arg[i]);
		if (confedit_set(w->dc->ce, kind, name, key, value + 1,
			why) != 0)
			return -1;
	}
	return 0;
}

static int
run_list(const struct words *w, struct err *why)
{
	return destconfig_list(w->dc, why);
}

static int
run_detail(const struct words *w, struct err *why)
{
	return destconfig_detail(w->dc, w->n > 0 ? w->arg[0] : NULL, why);
}

static int
run_new(const struct words *w, struct err *why)
{
	if (destconfig_has(w->dc, w->arg[0]))
		return err_text(why, "there is an entry for %s already",
		    w->arg[0]);
	return run_set(w, why);
}

static int
run_edit(const struct words *w, struct err *why)
{
	if (str_ieq_c(str_c(w->arg[0]), DESTCONFIG_DEFAULT))
		return settings(w, 1, "delivery", "", why);
	if (!destconfig_has(w->dc, w->arg[0]))
		return err_text(why, "there is no entry for %s", w->arg[0]);
	return run_set(w, why);
}

static int
run_set(const struct words *w, struct err *why)
{
	if (!destconfig_has(w->dc, w->arg[0]) &&
	    confedit_new(w->dc->ce, "destination", w->arg[0], why) != 0)
		return -1;
	return settings(w, 1, "destination", w->arg[0], why);
}

static int
run_delete(const struct words *w, struct err *why)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < w->n; i++)
		r = destconfig_delete(w->dc, w->arg[i], why);
	return r;
}

static int
run_default(const struct words *w, struct err *why)
{
	return settings(w, 0, "delivery", "", why);
}

static int
run_clear(const struct words *w, struct err *why)
{
	return destconfig_clear(w->dc, why);
}

static int
run_setup(const struct words *w, struct err *why)
{
	int i;

	for (i = 0; i < w->n; i++) {
		if (strncmp(w->arg[i], "certificate=", 12) != 0 &&
		    strncmp(w->arg[i], "alert_required_tls=", 19) != 0)
			return err_text(why, "\"%.60s\" is no global setting: "
			    "certificate or alert_required_tls", w->arg[i]);
	}
	return settings(w, 0, "delivery", "", why);
}

static int
run_import(const struct words *w, struct err *why)
{
	return destconfig_import(w->dc, w->arg[0], why);
}

static int
run_export(const struct words *w, struct err *why)
{
	return destconfig_export(w->dc, w->n > 0 ? w->arg[0] : "-", why);
}
