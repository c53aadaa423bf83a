/*
 * `postern explain`: what would become of a message, from the client that
 * brings it to the hosts that take it, and what happens where that fails.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/explain.h"

#define OUT_MAX (64 * 1024 * 1024)

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern explain [--client IP] [--host NAME] "
	    "[--helo NAME] [--auth USER]\n"
	    "           [--tls[=VERSION]] [--listener NAME] [--live] "
	    "[--draft]\n"
	    "           [-c CONFIG] [--json]\n"
	    "           SENDER RCPT ... [MESSAGE]\n"
	    "Shows what would become of a message: the sender group of its "
	    "client, rules and\nhandlers, branches, who wants which TLS of "
	    "the next hop, the names that its\ncertificate may be for, and "
	    "what happens at each point where the delivery may\nfail. Sends "
	    "nothing. --live asks the DNS and real tables, --draft counts "
	    "uncommitted changes\nin. What has an @ behind SENDER is a "
	    "recipient.\n"
	    "Exit status: 0 it would be taken, 1 not by all, 2 it cannot be "
	    "said, 64 wrong usage.\n", to);
	return status;
}

int
cli_explain(int argc, char **argv)
{
	struct policy_message *m = &(struct policy_message){ .ip =
		"127.0.0.1" };
	struct err why = ERR_INIT;
	json_t *all = NULL;
	struct buf text;
	int r = policy_options(argc, argv, m, usage);

	if (r >= 0)
		return r;
	if (optind == argc || m->from != NULL || m->nrcpt > 0)
		return usage(stderr, POLICY_USAGE);
	m->from = argv[optind++];
	for (; optind < argc && (m->nrcpt == 0 ||
		strchr(argv[optind], '@') != NULL); optind++)
		if (policy_rcpt(m, argv[optind]) < 0)
			return usage(stderr, POLICY_USAGE);
	if (optind + 1 < argc || m->nrcpt == 0)
		return usage(stderr, POLICY_USAGE);
	m->eml = argv[optind];
	cli_builtin();
	r = explain_message(m, &all, &why);
	if (r < 0) {
		(void)cli_fail("explain: %s", why.text);
		return 2;
	}
	if (m->json) {
		config_print(all);
		return r;
	}
	buf_init(&text, OUT_MAX);
	explain_text(all, &text);
	(void)fputs(buf_p(&text), stdout);
	buf_fini(&text);
	json_decref(all);
	return r;
}
