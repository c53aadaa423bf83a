/*
 * `postern check` and `postern version`: small questions.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "daemon/epoch.h"
#include "daemon/lister.h"
#include "daemon/plugcheck.h"
#include "policy/conf.h"
#include "tls/tlsctx.h"

#define DUMP_MAX (16 * 1024 * 1024)

enum check_what {
	CHECK_ONLY,
	CHECK_JSON,
	CHECK_DUMP,
	CHECK_SETTINGS,
	CHECK_SETTINGS_JSON
};

static int	usage(FILE *, int);
static int	check(const char *, enum check_what, int);
static int	check_certs(struct epoch *, struct conf *, struct err *);
static int	check_plugins(struct epoch *, const struct conf *,
		    struct err *);
static void	print_json(const char *, const struct conf *, const char *);
static void	warn_of(const struct conf *);

int
cli_fail(const char *fmt, ...)
{
	va_list ap;

	(void)fprintf(stderr, "postern: ");
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fprintf(stderr, "\n");
	return CLI_FAILED;
}

int
cli_check(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "dump", no_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "settings", no_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	enum check_what what = CHECK_ONLY;
	const char *file = CLI_CONF;
	int c, quiet = 0, json = 0;

	while ((c = getopt_long(argc, argv, "c:hq", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			file = optarg;
			break;
		case 'd':
			what = CHECK_DUMP;
			break;
		case 'j':
			json = 1;
			break;
		case 's':
			what = CHECK_SETTINGS;
			break;
		case 'q':
			quiet = 1;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		default:
			return usage(stderr, CLI_USAGE);
		}
	}
	if (json != 0 && what == CHECK_DUMP)
		return usage(stderr, CLI_USAGE);
	if (json != 0)
		what = what == CHECK_SETTINGS ? CHECK_SETTINGS_JSON :
						CHECK_JSON;
	if (optind + 1 == argc)
		file = argv[optind];
	else if (optind < argc)
		return usage(stderr, CLI_USAGE);
	return check(file, what, quiet);
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern check [-q] [--json | --dump] [-c] [FILE]\n"
	    "       postern check --settings [--json]\n"
	    "Reads the boot file and what it names: exit status 0 if all is "
	    "sound, else 1.\n--dump shows all settings as they are in force, "
	    "--settings explains each.\n", to);
	return status;
}

static int
check(const char *file, enum check_what what, int quiet)
{
	struct err why = ERR_INIT;
	struct epoch *e = NULL;
	struct conf *c = NULL;
	struct buf b;
	int r;

	buf_init(&b, DUMP_MAX);
	if (what == CHECK_SETTINGS || what == CHECK_SETTINGS_JSON) {
		if (what == CHECK_SETTINGS)
			conf_help(&b);
		else
			conf_help_json(&b);
		(void)fputs(buf_p(&b), stdout);
		buf_fini(&b);
		return CLI_OK;
	}
	r = epoch_read(&e, file, 1, &why);
	if (r == 0)
		r = cli_check_epoch(e, &c, &why);
	if (r == 0 && c->nlistener == 0 && what != CHECK_DUMP)
		r = err_text(&why, "%s: there is no listener", file);
	if (what == CHECK_JSON) {
		print_json(file, c, r == 0 ? NULL : why.text);
	} else if (r != 0) {
		(void)cli_fail("%s", why.text);
	} else if (what == CHECK_DUMP) {
		conf_dump(c, &b);
		(void)fputs(buf_p(&b), stdout);
	} else if (quiet == 0) {
		warn_of(c);
		(void)printf("%s: ok\n", file);
	}
	conf_unref(&c);
	epoch_destroy(&e);
	buf_fini(&b);
	return r == 0 ? CLI_OK : CLI_FAILED;
}

/* error NULL: there is none. */
static void
print_json(const char *file, const struct conf *c, const char *error)
{
	json_t *o = json_pack("{s:o, s:b}", "file", config_text(str_c(file)),
	    "sound", (int)(error == NULL));

	if (error != NULL)
		(void)json_object_set_new(o, "error", json_string(error));
	else
		(void)json_object_set_new(o, "revision",
		    json_integer((json_int_t)c->revision));
	config_print(o);
}

int
cli_check_epoch(struct epoch *e, struct conf **c_r, struct err *why)
{
	if (epoch_conf(e, &conf_reader_plain, c_r, why) != 0 ||
	    check_certs(e, *c_r, why) != 0)
		return -1;
	return check_plugins(e, *c_r, why);
}

/* With what plugins have. */
static int
check_certs(struct epoch *e, struct conf *c, struct err *why)
{
	struct certlist *list = NULL;
	int r;

	r = lister_run(e, &list, why);
	if (r == 0)
		r = conf_tls_try(c, list, NULL, NULL, why);
	certlist_destroy(&list);
	return r;
}

/* In a process of their own, as the workers will load them. */
static int
check_plugins(struct epoch *e, const struct conf *c, struct err *why)
{
	struct privs privs;

	if (c->nplugin == 0)
		return 0;
	if (privs_find(&privs, c->top.user, why) != 0 ||
	    epoch_files(e, c, why) != 0)
		return -1;
	return plugcheck(c, epoch_reader(e), &privs, false, why);
}

static void
print_note(void *arg, const char *note)
{
	(void)arg;
	(void)fprintf(stderr, "%s\n", note);
}

static void
warn_of(const struct conf *c)
{
	struct err why = ERR_INIT;

	(void)conf_tls_words(c, print_note, NULL, &why);
	if (strchr(c->top.hostname, '.') == NULL)
		(void)fprintf(stderr, "%s: hostname \"%s\" has no domain; "
		    "other hosts may refuse it\n", c->file, c->top.hostname);
	if (access(c->delivery.ca_file, R_OK) != 0)
		(void)fprintf(stderr, "%s: ca_file %s cannot be read: no "
		    "certificate will verify\n", c->file, c->delivery.ca_file);
}

int
cli_version(int argc, char **argv)
{
	struct err why = ERR_INIT;
	bool json, ok;

	json = argc == 2 && strcmp(argv[1], "--json") == 0;
	if (argc > 1 && !json) {
		ok = strcmp(argv[1], "--help") == 0 ||
		    strcmp(argv[1], "-h") == 0;
		(void)fprintf(ok ? stdout : stderr,
		    "usage: postern version [--json]\nShows the version and "
		    "the TLS library, and whether it is the right one.\n");
		return ok ? CLI_OK : CLI_USAGE;
	}
	ok = tls_self_check(&why) == 0;
	if (json)
		config_print(json_pack("{s:s, s:s, s:b, s:s*}", "version",
		    PACKAGE_VERSION, "tls_library", tls_library(), "sound",
		    (int)ok, "error", ok ? NULL : why.text));
	else
		(void)printf("postern %s, %s\n", PACKAGE_VERSION,
		    tls_library());
	if (!ok)
		return json ? CLI_FAILED : cli_fail("%s", why.text);
	return CLI_OK;
}
