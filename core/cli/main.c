/*
 * The program `postern`: the first word names a subcommand, which gets the
 * rest of the command line and returns the exit status.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static int	help(int argc, char **argv);
static int	version(int argc, char **argv);

static const struct command commands[] = {
	{ "help", help, "show the subcommands" },
	{ "version", version, "show the version and the libraries in use" },
};

int
main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		(void)help(argc, argv);
		return USAGE;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "postern: no subcommand %s; try postern help\n",
	    argv[1]);
	return USAGE;
}

static int
help(int argc, char **argv)
{
	size_t i;

	(void)puts("usage: postern subcommand [argument ...]");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		(void)printf("  %-10s %s\n", commands[i].name,
		    commands[i].help);
	return EXIT_SUCCESS;
}

static int
version(int argc, char **argv)
{
	(void)printf("postern %s, BoringSSL API %d (%s)\n", PACKAGE_VERSION,
	    POSTERN_BORINGSSL_API, POSTERN_BORINGSSL_KIND);
	return EXIT_SUCCESS;
}
