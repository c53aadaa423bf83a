/*
 * posternstub: runs a plugin without a server, from a script. See
 * posternstub(1) and docs/plugin-guide.md.
 */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "stub.h"

static int	one_file(const char *file, struct tap *tap);
static int	run(const struct script *script, struct tap *tap);

static void
usage(FILE *out)
{
	unsigned i;

	(void)fputs("usage: posternstub [-qv] FILE ...\n"
	    "  -q  only what fails\n"
	    "  -v  what plugins log, and each run of chaos\n"
	    "statements:\n", out);
	for (i = 0; i < WORD_COUNT; i++)
		(void)fprintf(out, "  %s\n", script_usage((enum word_id)i));
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 }
	};
	struct tap tap = { .out = stdout };
	int c, worst = 0, rc;

	while ((c = getopt_long(argc, argv, "hqv", options, NULL)) != -1) {
		switch (c) {
		case 'q':
			tap.quiet = true;
			break;
		case 'v':
			tap.verbose = true;
			break;
		case 'V':
			(void)printf("posternstub %s, plugin ABI %d.%d\n",
			    PACKAGE_VERSION, PST_ABI_MAJOR, PST_ABI_MINOR);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return 2;
	}
	(void)unsetenv("LTDL_LIBRARY_PATH");
	for (; optind < argc; optind++) {
		rc = one_file(argv[optind], &tap);
		worst = rc > worst ? rc : worst;
	}
	if (tap.n > 0)
		(void)fprintf(tap.out, "1..%u\n", tap.n);
	return worst != 0 ? worst : tap.failed != 0;
}

static int
one_file(const char *file, struct tap *tap)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct outside outside;
	struct script script;
	struct buf text;
	int rc = 2;

	buf_init(&text, SCRIPT_MAX);
	if (outside_begin(&outside, &why) < 0 ||
	    file_read(&text, file, &why) < 0 ||
	    script_parse(&script, pool, file, &outside, buf_str(&text),
		&why) < 0)
		(void)fprintf(stderr, "posternstub: %s\n", why.text);
	else
		rc = apart_loads(&script, tap) ? run(&script, tap) : 1;
	outside_end(&outside);
	buf_fini(&text);
	pool_destroy(&pool);
	return rc;
}

/* Lines as comments. */
static void
comment(struct tap *tap, const char *what, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line))
		(void)fprintf(tap->out, "# %s%.*s\n", what, STR_FMT(line));
}

static int
run(const struct script *script, struct tap *tap)
{
	struct stub *st = mem_zalloc(sizeof(*st));
	struct err why = ERR_INIT;
	int rc = stub_run(st, script, tap, NULL, &why);

	if (rc == 0 && st->tap->verbose)
		comment(tap, "", stub_log(st));
	if (rc < 0) {
		if (tap->verbose)
			comment(tap, "log: ", stub_log(st));
		(void)fprintf(stderr, "posternstub: %s\n", why.text);
	} else if (canned_unknown(st->t.canned).n > 0) {
		comment(tap, "not in the script: ",
		    canned_unknown(st->t.canned));
	}
	stub_fini(st);
	if (rc == 0 && script->chaos)
		chaos_run(st, tap);
	mem_free(st);
	return rc < 0 ? 2 : 0;
}
