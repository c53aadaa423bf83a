/*
 * `postern plugin`: its command line, and what its commands share.
 */
#include "cli/cli_plugin.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/log.h"
#include "cli/cli.h"

static const struct command {
	const char *name;
	int (*run)(struct plugin_cli *);
	int least, most; /* arguments */
	const char *usage, *help;
} commands[] = {
	{ "list", plugin_list, 0, 0, "[--json] [-c FILE]",
	    "Shows the instances of the running relay, with plugin, version, "
	    "file and where they\nare asked; without a relay, those of the "
	    "boot file." },
	{ "show", plugin_show, 1, 1, "[--json | --mdoc] [-c FILE] NAME|FILE",
	    "Shows what a plugin says of itself: purpose, hooks, operations, "
	    "options.\n--json: with a JSON schema of its options." },
	{ "check", plugin_check, 0, INT_MAX, "[--json] [-c FILE] "
	    "[NAME|FILE ...]",
	    "Loads plugins, by default all of the boot file with their "
	    "options, each in a process\nof its own, and says what is wrong. "
	    "Exit status: 0 all are sound, 1 one is not." },
	{ "new", plugin_new, 1, 2, "NAME [DIRECTORY]",
	    "Writes a plugin to begin with: code, Makefile, test, README; by "
	    "default into ./NAME." },
	{ "restart", plugin_restart, 0, 0, "[--json] [-c FILE]",
	    "Takes plugins' new files: worker after worker ends gracefully "
	    "and comes again, while\nthe others serve. Returns when all are "
	    "new." },
	{ "reset", plugin_reset, 1, 1, "[--json] [-c FILE] INSTANCE",
	    "Lets an instance run again that was switched off because it "
	    "ended workers." },
	{ "order", plugin_order, 0, 1, "[--json] [-c FILE] [HOOK]",
	    "Shows who is asked at each hook, in which order and why." },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int	usage(FILE *, const struct command *, int);
static const struct command *find(const char *);
static int	options(struct plugin_cli *, const struct command *, int,
		    char **);

int
cli_plugin(int argc, char **argv)
{
	struct plugin_cli c = { .file = CLI_CONF };
	const struct command *command;
	int r;

	if (argc < 2)
		return usage(stderr, NULL, CLI_USAGE);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, NULL, CLI_OK);
	command = find(argv[1]);
	if (command == NULL)
		return CLI_USAGE;
	r = options(&c, command, argc - 1, argv + 1);
	if (r >= 0)
		return r;
	if (c.narg < command->least || c.narg > command->most)
		return usage(stderr, command, CLI_USAGE);
	c.pool = pool_new(0);
	r = command->run(&c);
	epoch_destroy(&c.epoch);
	conf_unref(&c.conf);
	pool_destroy(&c.pool);
	return r;
}

static int
usage(FILE *to, const struct command *one, int status)
{
	size_t i;

	for (i = 0; i < NCOMMANDS; i++) {
		if (one != NULL && one != &commands[i])
			continue;
		(void)fprintf(to, "%s postern plugin %s %s\n",
		    i == 0 || one != NULL ? "usage:" : "      ",
		    commands[i].name, commands[i].usage);
	}
	if (one != NULL)
		(void)fprintf(to, "%s\n", one->help);
	else
		(void)fputs("Each has --help; see postern-plugin(8).\n", to);
	return status;
}

static const struct command *
find(const char *word)
{
	unsigned d, least = (unsigned)(strlen(word) / 3 + 2);
	const char *near = NULL;
	size_t i;

	for (i = 0; i < NCOMMANDS; i++) {
		if (strcmp(commands[i].name, word) == 0)
			return &commands[i];
		d = str_distance(str_c(word), str_c(commands[i].name));
		if (d < least) {
			least = d;
			near = commands[i].name;
		}
	}
	(void)cli_fail("plugin: there is no command %s%s%s%s", word,
	    near != NULL ? " (did you mean " : "", near != NULL ? near : "",
	    near != NULL ? "?)" : "; try postern plugin --help");
	return NULL;
}

/* -1: go on. */
static int
options(struct plugin_cli *c, const struct command *command, int argc,
    char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "mdoc", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (o == 'h')
			return usage(stdout, command, CLI_OK);
		if (o == '?' || (o == 'm' && command->run != plugin_show) ||
		    (o == 'j' && command->run == plugin_new))
			return usage(stderr, command, CLI_USAGE);
		if (o == 'c') {
			c->file = optarg;
			c->given = true;
		}
		c->json = c->json || o == 'j';
		c->mdoc = c->mdoc || o == 'm';
	}
	c->arg = argv + optind;
	c->narg = argc - optind;
	return c->json && c->mdoc ? usage(stderr, command, CLI_USAGE) : -1;
}

int
plugin_boot(struct plugin_cli *c, bool files, bool must, struct err *why)
{
	static const char *const shipped[] = { POSTERN_PLUGINDIR, NULL };

	c->dirs = shipped;
	if (!must && !c->given && access(c->file, F_OK) != 0)
		return privs_find(&c->privs, "", why);
	/* Keys and passwords are nobody's business who only looks. */
	if (conf_load(&c->conf, c->file, files ? &conf_reader_plain :
		&conf_reader_none, why) != 0 ||
	    privs_find(&c->privs, c->conf->top.user, why) != 0)
		return -1;
	c->dirs = c->conf->top.plugin_dirs;
	if (!files)
		return 0;
	if (epoch_read(&c->epoch, c->file, 1, why) != 0)
		return -1;
	return epoch_files(c->epoch, c->conf, why);
}

const char *
plugin_text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s != NULL ? s : "";
}

void
plugin_print(const char *text)
{
	struct buf b;

	buf_init(&b, 256 * 1024);
	(void)log_clean(&b, str_c(text), 8192, true);
	(void)fputs(buf_p(&b), stdout);
	buf_fini(&b);
}

void
plugin_print_list(const json_t *words)
{
	const json_t *word;
	size_t i;

	json_array_foreach(words, i, word) {
		(void)fputs(i > 0 ? ", " : "", stdout);
		plugin_print(json_string_value(word));
	}
}

int
plugin_print_json(json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_INDENT(2));
	(void)printf("\n");
	json_decref(j);
	return CLI_OK;
}
