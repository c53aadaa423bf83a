/*
 * `postern policy shadow`: what the candidate would have done otherwise, out of
 * the mail log.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/policy.h"

#define SHADOW "policy.shadow"
#define LINE_MAX_OCTETS 65536

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern policy shadow [--json] LOG\n"
	    "Lists what the policy of policy { shadow = FILE } would have done "
	    "otherwise than\nthe one in force, as the mail log has it (a file, "
	    "or - for standard input).\n"
	    "Exit status: 0 no difference, 1 there are some, 2 the log cannot "
	    "be read, 64 wrong\nusage.\n", to);
	return status;
}

/* The time, and what stands behind the name of the instance. */
static bool
difference(struct str line, struct str *when_r, struct str *text_r)
{
	static const char mark[] = SHADOW ": ";
	size_t n = strlen(mark), i, at;

	for (i = 0; i + n <= line.n; i++) {
		if (memcmp(line.p + i, mark, n) != 0)
			continue;
		at = i;
		/* Up to the level: "Sun Nov 22 06:00:00 2026 Info: " */
		for (i = 0; i + 1 < at && (line.p[i] != ':' ||
		    line.p[i + 1] != ' '); i++)
			;
		*when_r = str_n(line.p, i);
		*text_r = str_n(line.p + at + n, line.n - at - n);
		return true;
	}
	return false;
}

/* All of it; how many there were. */
static size_t
list(FILE *f, json_t *all)
{
	char line[LINE_MAX_OCTETS];
	struct str whole;
	struct str when, text;
	size_t n = 0;

	while (fgets(line, sizeof(line), f) != NULL) {
		whole = str_n(line, strcspn(line, "\r\n"));
		if (!difference(whole, &when, &text))
			continue;
		n++;
		if (all == NULL)
			(void)printf("%.*s: %.*s\n", STR_FMT(when),
			    STR_FMT(text));
		else
			(void)json_array_append_new(all, json_pack(
			    "{s:s%, s:s%}", "time", when.p, when.n, "text",
			    text.p, text.n));
	}
	return n;
}

int
policy_shadow(int argc, char **argv)
{
	static const struct option table[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	json_t *all = NULL;
	size_t n;
	FILE *f;
	int c;

	while ((c = getopt_long(argc, argv, "hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c != 'j')
			return usage(stderr, POLICY_USAGE);
		all = json_array();
	}
	if (optind + 1 != argc)
		return usage(stderr, POLICY_USAGE);
	f = strcmp(argv[optind], "-") == 0 ? stdin : fopen(argv[optind], "re");
	if (f == NULL) {
		(void)cli_fail("policy: %s cannot be read", argv[optind]);
		return 2;
	}
	n = list(f, all);
	if (all != NULL) {
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
		(void)fputc('\n', stdout);
		json_decref(all);
	}
	(void)fclose(f);
	return n == 0 ? CLI_OK : CLI_FAILED;
}
