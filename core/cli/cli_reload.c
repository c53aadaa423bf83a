/*
 * `postern reload`: the running relay reads its configuration again, and says
 * what it has taken or why it keeps the former one.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/config.h"

struct reloading {
	json_t *taken;	  /* NULL: it has not answered */
	json_t *warnings; /* texts */
};

static int	usage(FILE *, int);
static int	reload(const char *, struct reloading *, struct err *);
static void	on_line(void *, const char *, const json_t *, int);
static void	show(const struct reloading *);
static void	show_json(const struct reloading *, const char *);

int
cli_reload(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct reloading all = { NULL, NULL };
	struct err why = ERR_INIT;
	const char *file = CLI_CONF;
	bool json = false;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == 'c')
			file = optarg;
		else if (c == 'j')
			json = true;
		else
			return usage(stderr, CLI_USAGE);
	}
	if (optind < argc)
		return usage(stderr, CLI_USAGE);
	all.warnings = json_array();
	r = reload(file, &all, &why);
	if (json)
		show_json(&all, r == 0 ? NULL : why.text);
	else if (r == 0)
		show(&all);
	json_decref(all.taken);
	json_decref(all.warnings);
	return r == 0 ? CLI_OK : cli_fail("reload: %s", why.text);
}

static int
usage(FILE *to, int r)
{
	(void)fputs("usage: postern reload [--json] [-c FILE]\n"
	    "The running relay reads the boot file again, and all that it "
	    "names, and puts it in\nforce; if anything is wrong with it, the "
	    "former configuration stays in force.\n"
	    "Exit status: 0 it is in force, 1 it is not, 2 wrong usage.\n",
	    to);
	return r;
}

static int
reload(const char *file, struct reloading *all, struct err *why)
{
	char *run = NULL;
	int r;

	if (ask_run_dir(file, &run, why) != 0)
		return -1;
	if (!ask_running(run))
		r = err_text(why, "the relay is not running: nobody answers "
		    "in %s", run);
	else if (ask(run, ASK_PATIENTLY, json_pack("{s:s}", "verb", "reload"),
		on_line, all, why) != 0)
		r = err_prefix(why, "the relay has not taken it: ");
	else
		r = 0;
	mem_free(run);
	return r;
}

static void
on_line(void *arg, const char *from, const json_t *line, int last)
{
	json_t *text = json_object_get(line, "warning");
	struct reloading *all = arg;

	(void)from;
	if (text != NULL)
		(void)json_array_append(all->warnings, text);
	if (last != 0)
		all->taken = json_deep_copy(line);
}

static const char *
word(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
show(const struct reloading *all)
{
	const json_t *o = all->taken;
	long long revision = (long long)json_integer_value(
	    json_object_get(o, "revision"));
	size_t i;

	for (i = 0; i < json_array_size(all->warnings); i++)
		(void)fprintf(stderr, "The relay says: %s\n",
		    json_string_value(json_array_get(all->warnings, i)));
	(void)printf("configuration %lld is in force: %s",
	    (long long)json_integer_value(json_object_get(o, "generation")),
	    word(o, "file"));
	if (word(o, "policy")[0] != '\0')
		(void)printf(", policy %s", word(o, "policy"));
	if (revision != 0)
		(void)printf(", revision %lld", revision);
	(void)putchar('\n');
}

/* error NULL: it is in force. */
static void
show_json(const struct reloading *all, const char *error)
{
	json_t *o;

	if (error != NULL) {
		config_print(json_pack("{s:b, s:o}", "taken", 0, "error",
		    config_text(str_c(error))));
		return;
	}
	o = json_deep_copy(all->taken);
	(void)json_object_del(o, "done");
	(void)json_object_set(o, "warnings", all->warnings);
	config_print(o);
}
