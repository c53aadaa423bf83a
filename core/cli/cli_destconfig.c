/*
 * `postern destconfig`: the dialogue, and each of its operations as a command.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/confcmd.h"
#include "cli/destconfig.h"

static int usage(FILE *, int);
static int menu(void *);
static int settings(const struct confcmd_words *, int, const char *,
    const char *, struct err *);
static int run_list(const struct confcmd_words *, struct err *);
static int run_detail(const struct confcmd_words *, struct err *);
static int run_new(const struct confcmd_words *, struct err *);
static int run_edit(const struct confcmd_words *, struct err *);
static int run_set(const struct confcmd_words *, struct err *);
static int run_delete(const struct confcmd_words *, struct err *);
static int run_default(const struct confcmd_words *, struct err *);
static int run_clear(const struct confcmd_words *, struct err *);
static int run_setup(const struct confcmd_words *, struct err *);
static int run_import(const struct confcmd_words *, struct err *);
static int run_export(const struct confcmd_words *, struct err *);

static const struct confcmd commands[] = {
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
	struct destconfig dc = { .json = false };
	const struct confcmd_tool tool = { commands, NCOMMANDS, usage, menu,
		&dc, &dc.ce, &dc.pool, &dc.json, &dc.compat };

	return confcmd_main(&tool, argc, argv);
}

static int
menu(void *of)
{
	return destconfig_menu(of);
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
settings(const struct confcmd_words *w, int i, const char *kind,
    const char *name, struct err *why)
{
	return confcmd_pairs(w->ce, w->arg + i, w->n - i, kind, name, why);
}

static int
run_list(const struct confcmd_words *w, struct err *why)
{
	return destconfig_list(w->of, why);
}

static int
run_detail(const struct confcmd_words *w, struct err *why)
{
	return destconfig_detail(w->of, w->n > 0 ? w->arg[0] : NULL, why);
}

static int
run_new(const struct confcmd_words *w, struct err *why)
{
	if (destconfig_has(w->of, w->arg[0]))
		return err_text(why, "there is an entry for %s already",
		    w->arg[0]);
	return run_set(w, why);
}

static int
run_edit(const struct confcmd_words *w, struct err *why)
{
	if (str_ieq_c(str_c(w->arg[0]), DESTCONFIG_DEFAULT))
		return settings(w, 1, "delivery", "", why);
	if (!destconfig_has(w->of, w->arg[0]))
		return err_text(why, "there is no entry for %s", w->arg[0]);
	return run_set(w, why);
}

static int
run_set(const struct confcmd_words *w, struct err *why)
{
	if (!destconfig_has(w->of, w->arg[0]) &&
	    confedit_new(w->ce, "destination", w->arg[0], why) != 0)
		return -1;
	return settings(w, 1, "destination", w->arg[0], why);
}

static int
run_delete(const struct confcmd_words *w, struct err *why)
{
	int i, r = 0;

	for (i = 0; r == 0 && i < w->n; i++)
		r = destconfig_delete(w->of, w->arg[i], why);
	return r;
}

static int
run_default(const struct confcmd_words *w, struct err *why)
{
	return settings(w, 0, "delivery", "", why);
}

static int
run_clear(const struct confcmd_words *w, struct err *why)
{
	if (destconfig_clear(w->of, why) != 0)
		return -1;
	destconfig_stays(w->of);
	return 0;
}

static int
run_setup(const struct confcmd_words *w, struct err *why)
{
	const char *name;
	int i;

	for (i = 0; i < w->n; i++) {
		name = strncmp(w->arg[i], "certificate=", 12) == 0 ?
		    w->arg[i] + 12 : NULL;
		if (name == NULL &&
		    strncmp(w->arg[i], "alert_required_tls=", 19) != 0)
			return err_text(why, "\"%.60s\" is no global setting: "
			    "certificate or alert_required_tls", w->arg[i]);
		if (name != NULL && name[0] != '\0' &&
		    strcmp(name, "\"\"") != 0 &&
		    destconfig_certificate(w->of, name, why) != 0)
			return -1;
	}
	return settings(w, 0, "delivery", "", why);
}

static int
run_import(const struct confcmd_words *w, struct err *why)
{
	return destconfig_import(w->of, w->arg[0], why);
}

static int
run_export(const struct confcmd_words *w, struct err *why)
{
	return destconfig_export(w->of, w->n > 0 ? w->arg[0] : "-", why);
}
