/*
 * The program `postern`: the first word names a subcommand, which gets the
 * rest of the command line and returns the exit status.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/keeper.h"
#include "daemon/master.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
};

static int	help(int argc, char **argv);

static const struct command commands[] = {
	{ "serve", master_serve, "run the relay" },
	{ "check", cli_check, "say whether the configuration is sound" },
	{ "config", cli_config,
	    "show and change what is in the configuration store" },
	{ "commit", cli_commit, "put uncommitted changes in force" },
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
	{ "policy", cli_policy, "check, test and trace a policy" },
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
	size_t i;

	cli_builtin();
	if (argc < 2) {
		(void)help(argc, argv);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(argc, argv);
	for (i = 0; i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "postern: no subcommand %s; try postern help\n",
	    argv[1]);
	return CLI_USAGE;
}

static int
help(int argc, char **argv)
{
	char option[] = "--help";
	char *args[] = { NULL, option, NULL };
	size_t i;

	for (i = 0; argc == 2 && i < NCOMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) == 0 &&
		    commands[i].run != help && commands[i].help != NULL) {
			args[0] = argv[1];
			return commands[i].run(2, args);
		}
	}
	(void)puts("usage: postern subcommand [argument ...]");
	for (i = 0; i < NCOMMANDS; i++) {
		if (commands[i].help == NULL)
			continue;
		(void)printf("  %-10s %s\n", commands[i].name,
		    commands[i].help);
	}
	(void)puts("Each has --help; see postern(8) and postern.lua(5).");
	return EXIT_SUCCESS;
}
