/*
 * The program `postern`: the first word names a subcommand, which gets the
 * rest of the command line and returns the exit status.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "daemon/keeper.h"
#include "daemon/master.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static int	help(int argc, char **argv);
static int	run(int argc, char **argv);
static void	open_standard(void);
static int	all_said(int status);

static const struct command commands[] = {
	{ "serve", master_serve, "run the relay" },
	{ "check", cli_check, "say whether the configuration is sound" },
	{ "reload", cli_reload,
	    "the running relay reads its configuration again" },
	{ "config", cli_config,
	    "show and change what is in the configuration store" },
	{ "commit", cli_commit, "put uncommitted changes in force" },
	{ "clear", cli_clear, "drop uncommitted changes" },
	{ "listenerconfig", cli_listenerconfig,
	    "say which clients may do what at which listener" },
	{ "certconfig", cli_certconfig,
	    "make, get and use certificates" },
	{ "destconfig", cli_destconfig,
	    "limits, TLS and more for single destinations" },
	{ "import", cli_import, "take over tables of Postfix and others" },
	{ "alertconfig", cli_alertconfig, "who is told of alerts, and how" },
	{ "profile", cli_profile, "show and set the TLS levels of the house" },
	{ "bounceconfig", cli_bounceconfig,
	    "say how long mail is tried and who is told" },
	{ "plugin", cli_plugin, "list, show, check and begin plugins" },
	{ "policy", cli_policy, "check, list, test and trace a policy" },
	{ "explain", cli_explain,
	    "show what would become of a message, and why" },
	{ "trace", cli_trace,
	    "follow a message that is not sent, step by step" },
	{ "queue", cli_queue, "look at the queue and act on it" },
	{ "log", cli_log, "follow messages through the mail log" },
	{ "sink", cli_sink, "receive mail and show it, for trying things out" },
	{ "headers", cli_headers, "show how a received message was encrypted" },
	{ "status", cli_status, "show what the relay is doing" },
	{ "displayalerts", cli_displayalerts,
	    "show the last alerts, and the TLS that cannot be had just now" },
	{ "keeper", keeper_main, NULL }, /* of `serve` only */
	{ "tls-test", cli_tls_test, "test the TLS of a destination's hosts" },
	{ "tlsverify", cli_tlsverify, "verify the certificate of one host" },
	{ "version", cli_version, "show the version and the libraries in use" },
	{ "help", help, "show the subcommands" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
main(int argc, char **argv)
{
	open_standard();
	cli_builtin();
	return all_said(run(argc, argv));
}

static int
run(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		(void)help(argc, argv);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(1, argv);
	for (i = 0; i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "postern: no subcommand %s; try postern help\n",
	    argv[1]);
	return CLI_USAGE;
}

/* A file that is opened must not get the number of one of them: what is said
 * would be written into it. */
static void
open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

/* What could not be written has not been said, whatever the command thinks. */
static int
all_said(int status)
{
	bool lost = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) != 0 || lost) {
		(void)cli_fail("standard output: %s", errno != 0 ?
		    strerror(errno) : "not all could be written");
		if (status == CLI_OK)
			status = CLI_FAILED;
	}
	return status;
}

static int
help(int argc, char **argv)
{
	bool json = argc > 1 && strcmp(argv[argc - 1], "--json") == 0;
	char option[] = "--help";
	char *args[] = { NULL, option, NULL };
	unsigned rows = 0;
	size_t i;

	for (i = 0; argc == 2 && !json && i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    commands[i].run != help && commands[i].help != NULL) {
			args[0] = argv[1];
			return commands[i].run(2, args);
		}
	}
	if (argc == 2 && !json && strcmp(argv[1], "help") != 0 &&
	    strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0) {
		(void)cli_fail("no subcommand %s; try postern help", argv[1]);
		return CLI_USAGE;
	}
	if (!json)
		(void)puts("usage: postern subcommand [argument ...]");
	for (i = 0; i < NCOMMANDS; i++) {
		if (commands[i].help == NULL)
			continue;
		if (json)
			config_row(&rows, json_pack("{s:s, s:s}",
			    "subcommand", commands[i].name, "help",
			    commands[i].help));
		else
			(void)printf("  %-14s %s\n", commands[i].name,
			    commands[i].help);
	}
	if (json)
		config_rows_end(rows);
	else
		(void)puts("Each has --help; see postern(8) and "
		    "postern.lua(5).");
	return CLI_OK;
}
