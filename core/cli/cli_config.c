/*
 * `postern config`, `postern commit`, `postern clear`: the configuration store.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/config.h"

#define TEXT_MAX 1000 /* octets of a comment */

struct words {
	const char *conf, *pass_file;
	bool json, node;
	uint64_t n, keep;
	char **arg; /* the command and what follows it */
	int narg;
};

/* Number of words behind the command; most -1: any. */
struct command {
	const char *name;
	int least, most;
	int (*run)(struct confedit *, const struct words *, struct err *);
};

static int usage(FILE *, int);
static int options(struct words *, int, char **);
static int run(const struct command *, const struct words *);
static int saved(struct confedit *, const struct words *, struct err *);
static int name_of(const struct words *, const char **, int *, struct err *);
static const char *comment_of(struct confedit *, const struct words *, int);
static void tell_done(const struct words *, const struct confedit_done *);
static int run_status(struct confedit *, const struct words *, struct err *);
static int run_show(struct confedit *, const struct words *, struct err *);
static int run_get(struct confedit *, const struct words *, struct err *);
static int run_set(struct confedit *, const struct words *, struct err *);
static int run_delete(struct confedit *, const struct words *, struct err *);
static int run_diff(struct confedit *, const struct words *, struct err *);
static int run_log(struct confedit *, const struct words *, struct err *);
static int run_clear(struct confedit *, const struct words *, struct err *);
static int run_commit(struct confedit *, const struct words *, struct err *);
static int run_rollback(struct confedit *, const struct words *,
    struct err *);
static int run_prune(struct confedit *, const struct words *, struct err *);
static int run_save(struct confedit *, const struct words *, struct err *);
static int run_load(struct confedit *, const struct words *, struct err *);
static int run_edit(struct confedit *, const struct words *, struct err *);

static const struct command commands[] = {
	{ "status", 0, 0, run_status },
	{ "show", 0, 1, run_show },
	{ "get", 1, 2, run_get },
	{ "set", 1, -1, run_set },
	{ "delete", 1, 2, run_delete },
	{ "diff", 0, 2, run_diff },
	{ "log", 0, 0, run_log },
	{ "clear", 0, 0, run_clear },
	{ "commit", 0, -1, run_commit },
	{ "rollback", 1, -1, run_rollback },
	{ "prune", 0, 0, run_prune },
	{ "save", 0, 1, run_save },
	{ "load", 1, 1, run_load },
	{ "edit", 0, 0, run_edit },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

int
cli_config(int argc, char **argv)
{
	struct words w = { .conf = CLI_CONF };
	const struct command *c;
	int r;

	r = options(&w, argc, argv);
	if (r >= 0)
		return r;
	if (w.narg == 0)
		return usage(stderr, CLI_USAGE);
	for (c = commands; c < commands + NCOMMANDS; c++) {
		if (strcmp(w.arg[0], c->name) == 0)
			break;
	}
	if (c == commands + NCOMMANDS || w.narg - 1 < c->least ||
	    (c->most >= 0 && w.narg - 1 > c->most))
		return usage(stderr, CLI_USAGE);
	return run(c, &w);
}

int
cli_commit(int argc, char **argv)
{
	static const struct command commit = { "commit", 0, -1, run_commit };
	struct words w = { .conf = CLI_CONF };
	int r;

	r = options(&w, argc, argv);
	if (r >= 0)
		return r;
	/* The comment begins at once. */
	w.arg--;
	w.narg++;
	return run(&commit, &w);
}

int
cli_clear(int argc, char **argv)
{
	static const struct command clear = { "clear", 0, 0, run_clear };
	struct words w = { .conf = CLI_CONF };
	int r;

	r = options(&w, argc, argv);
	if (r >= 0)
		return r;
	return w.narg == 0 ? run(&clear, &w) : usage(stderr, CLI_USAGE);
}

static int
run(const struct command *c, const struct words *w)
{
	struct confedit *ce;
	struct err why = ERR_INIT;
	int r;

	if (confedit_open(&ce, w->conf, &why) != 0)
		return cli_fail("%s", why.text);
	confedit_scope(ce, w->node);
	r = c->run(ce, w, &why);
	if (r == CLI_USAGE) {
		(void)cli_fail("%s", why.text);
	} else if (r != 0) {
		r = cli_fail("%s", why.text);
	}
	confedit_close(&ce);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern config [-c FILE] [--json] COMMAND\n"
	    "  status\n"
	    "  show [REVISION]\n"
	    "  get KIND [NAME]\n"
	    "  set [--node] KIND [NAME] KEY=VALUE...\n"
	    "  delete KIND [NAME]\n"
	    "  diff [REVISION [REVISION]]\n"
	    "  commit [COMMENT]\n"
	    "  clear\n"
	    "  log [-n N]\n"
	    "  rollback REVISION [COMMENT]\n"
	    "  prune --keep N\n"
	    "  edit\n"
	    "  save [--passphrase-file FILE] [FILE]\n"
	    "  load [--passphrase-file FILE] FILE\n"
	    "       postern commit [-c FILE] [--json] [COMMENT]\n"
	    "       postern clear [-c FILE] [--json]\n"
	    "A REVISION is a number, head or draft. Changes are in force once "
	    "they are\ncommitted; see postern-config(8).\n", to);
	return status;
}

/* -1: go on. */
static int
options(struct words *w, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "keep", required_argument, NULL, 'k' },
		{ "node", no_argument, NULL, 'N' },
		{ "passphrase-file", required_argument, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hn:", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			w->conf = optarg;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		case 'j':
			w->json = true;
			break;
		case 'k':
			if (num_u64(str_c(optarg), INT64_MAX, &w->keep) == 0 &&
			    w->keep > 0)
				break;
			(void)cli_fail("--keep takes a number above 0");
			return CLI_USAGE;
		case 'N':
			w->node = true;
			break;
		case 'P':
			w->pass_file = optarg;
			break;
		case 'n':
			if (num_u64(str_c(optarg), INT64_MAX, &w->n) == 0 &&
			    w->n > 0)
				break;
			(void)cli_fail("-n takes a number above 0");
			return CLI_USAGE;
		default:
			return usage(stderr, CLI_USAGE);
		}
	}
	w->arg = argv + optind;
	w->narg = argc - optind;
	return -1;
}

static int
run_status(struct confedit *ce, const struct words *w, struct err *why)
{
	return config_status(ce, w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_show(struct confedit *ce, const struct words *w, struct err *why)
{
	struct config_rev rev = { CONFIG_DRAFT, 0 };

	if (w->narg > 1 && config_rev(ce, w->arg[1], &rev, why) != 0)
		return CLI_FAILED;
	return config_show(ce, rev, w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_get(struct confedit *ce, const struct words *w, struct err *why)
{
	return config_get(ce, w->arg[1], w->narg > 2 ? w->arg[2] : "",
	    w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

/* The name, and where the settings begin. */
static int
name_of(const struct words *w, const char **name_r, int *at_r,
    struct err *why)
{
	const struct conf_scope *scope = conf_kind_find(w->arg[1], why);

	*name_r = "";
	*at_r = 2;
	if (scope == NULL)
		return -1;
	if (!conf_kind_named(scope))
		return 0;
	if (w->narg < 3)
		return err_text(why, "which %s?", w->arg[1]);
	*name_r = w->arg[2];
	*at_r = 3;
	return 0;
}

static int
run_set(struct confedit *ce, const struct words *w, struct err *why)
{
	const char *name, *value;
	char key[64];
	int i, at;

	if (name_of(w, &name, &at, why) != 0)
		return CLI_FAILED;
	if (at == w->narg &&
	    confedit_new(ce, w->arg[1], name, why) != 0)
		return CLI_FAILED;
	for (i = at; i < w->narg; i++) {
		value = strchr(w->arg[i], '=');
		if (value == NULL || !str_copy(key, sizeof(key),
			str_n(w->arg[i], (size_t)(value - w->arg[i])))) {
			(void)err_text(why, "\"%.60s\" is not KEY=VALUE",
			    w->arg[i]);
			return CLI_USAGE;
		}
		if (confedit_set(ce, w->arg[1], name, key, value + 1,
			why) != 0)
			return CLI_FAILED;
	}
	return saved(ce, w, why);
}

static int
saved(struct confedit *ce, const struct words *w, struct err *why)
{
	if (confedit_save(ce, why) != 0)
		return CLI_FAILED;
	config_hint(ce, w->json);
	return CLI_OK;
}

static int
run_delete(struct confedit *ce, const struct words *w, struct err *why)
{
	const char *name = w->narg > 2 ? w->arg[2] : "";

	if (confedit_delete(ce, w->arg[1], name, why) != 0)
		return CLI_FAILED;
	if (!w->json && confedit_boot(ce, w->arg[1], name) != NULL)
		(void)fprintf(stderr, "What %s says of it counts again.\n",
		    confedit_file(ce));
	return saved(ce, w, why);
}

static int
run_diff(struct confedit *ce, const struct words *w, struct err *why)
{
	struct config_rev a, b;

	if (config_rev(ce, w->narg > 1 ? w->arg[1] : "head", &a, why) != 0 ||
	    config_rev(ce, w->narg > 2 ? w->arg[2] : "draft", &b, why) != 0)
		return CLI_FAILED;
	return config_diff(ce, a, b, w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_log(struct confedit *ce, const struct words *w, struct err *why)
{
	return config_log(ce, w->n, w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_clear(struct confedit *ce, const struct words *w, struct err *why)
{
	const char *who;
	msec since;
	unsigned n = confedit_changes(ce, &who, &since);

	if (confedit_clear(ce, why) != 0)
		return CLI_FAILED;
	if (w->json)
		config_print(json_pack("{s:i}", "dropped", (int)n));
	else
		(void)printf("%u uncommitted change%s dropped.\n", n,
		    n == 1 ? " was" : "s were");
	return CLI_OK;
}

/* The words from the i-th on, as one line. */
static const char *
comment_of(struct confedit *ce, const struct words *w, int i)
{
	struct pool *pool = confedit_pool(ce);
	const char *text = "";

	for (; i < w->narg && strlen(text) <= TEXT_MAX; i++)
		text = pool_printf(pool, "%s%s%s", text,
		    text[0] != '\0' ? " " : "", w->arg[i]);
	return text_clean(pool, str_c(text), TEXT_MAX);
}

static int
run_commit(struct confedit *ce, const struct words *w, struct err *why)
{
	struct confedit_done done;

	if (confedit_commit(ce, comment_of(ce, w, 1), &done, why) != 0)
		return CLI_FAILED;
	tell_done(w, &done);
	return CLI_OK;
}

static int
run_rollback(struct confedit *ce, const struct words *w, struct err *why)
{
	struct confedit_done done;
	const char *comment = comment_of(ce, w, 2);
	uint64_t n;

	if (num_u64(str_c(w->arg[1]), INT64_MAX, &n) != 0) {
		(void)err_text(why, "a revision is a number");
		return CLI_USAGE;
	}
	if (confedit_rollback(ce, n, comment[0] != '\0' ? comment : NULL,
		&done, why) != 0)
		return CLI_FAILED;
	tell_done(w, &done);
	return CLI_OK;
}

static void
tell_done(const struct words *w, const struct confedit_done *d)
{
	if (w->json) {
		config_print(json_pack("{s:I, s:i, s:b}", "revision",
		    (json_int_t)d->revision, "changes", (int)d->changes,
		    "running", (int)d->running));
		return;
	}
	(void)printf("Revision %ju: %u object%s changed.\n",
	    (uintmax_t)d->revision, d->changes, d->changes == 1 ? "" : "s");
	(void)fprintf(stderr, d->running ? "The relay has taken it.\n" :
	    "The relay is not running; it will take it when it starts.\n");
}

static int
run_prune(struct confedit *ce, const struct words *w, struct err *why)
{
	uint64_t n;

	if (w->keep == 0) {
		(void)err_text(why, "prune needs --keep N");
		return CLI_USAGE;
	}
	if (config_prune(ce, w->keep, &n, why) != 0)
		return CLI_FAILED;
	if (w->json)
		config_print(json_pack("{s:I}", "pruned", (json_int_t)n));
	else
		(void)printf("%ju revision%s dropped.\n", (uintmax_t)n,
		    n == 1 ? " was" : "s were");
	return CLI_OK;
}

static int
run_save(struct confedit *ce, const struct words *w, struct err *why)
{
	return config_save(ce, w->narg > 1 ? w->arg[1] : NULL, w->pass_file,
	    w->json, why) == 0 ? CLI_OK : CLI_FAILED;
}

static int
run_load(struct confedit *ce, const struct words *w, struct err *why)
{
	if (config_load(ce, w->arg[1], w->pass_file, why) != 0)
		return CLI_FAILED;
	return saved(ce, w, why);
}

static int
run_edit(struct confedit *ce, const struct words *w, struct err *why)
{
	bool changed;

	if (config_edit(ce, &changed, why) != 0)
		return CLI_FAILED;
	if (!changed)
		(void)fprintf(stderr, "Nothing was changed.\n");
	return saved(ce, w, why);
}
