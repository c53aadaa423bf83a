/*
 * `postern import`: reads, keeps all of it or nothing, and reports.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/import.h"

#define FILE_MAX (64 * 1024 * 1024)
#define NOT_ALL 3 /* exit status */

struct options {
	const char *conf;
	bool json, dry, node, replace;
};

static const struct import_format formats[] = {
	{ "cisco", "destination", "destination control table of AsyncOS",
	    import_cisco },
	{ "postfix-tls", "destination", "smtp_tls_policy_maps of Postfix",
	    import_postfix_tls },
	{ "postfix-transport", "route", "transport maps of Postfix",
	    import_postfix_transport },
	{ "ksmg", "destination", "domains with levels and hosts, as CSV",
	    import_ksmg },
};

#define NFORMATS (sizeof(formats) / sizeof(formats[0]))

static int	usage(FILE *to, int status);
static int	run(struct import *im, const struct import_format *f,
		    const struct options *o, struct err *why);
static int	take_away(struct import *im, struct err *why);
static void	now(struct import *im);
static void	report(struct import *im, const struct options *o);

static int
read_input(struct import *im, struct buf *text, struct err *why)
{
	char piece[4096];
	size_t n;

	if (strcmp(im->file, "-") != 0)
		return file_read(text, im->file, why);
	im->file = "standard input";
	while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0) {
		if (buf_add(text, piece, n) != 0)
			return err_text(why, "standard input: more than %d "
			    "octets", FILE_MAX);
	}
	return ferror(stdin) ? err_errno(why, "standard input") : 0;
}

int
cli_import(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ "replace", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .conf = CLI_CONF };
	const struct import_format *f = formats;
	struct import im = { .replace = false };
	struct err why = ERR_INIT;
	struct buf text;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:hn", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.conf = optarg;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		case 'j':
			o.json = true;
			break;
		case 'N':
			o.node = true;
			break;
		case 'n':
			o.dry = true;
			break;
		case 'r':
			im.replace = true;
			break;
		default:
			return usage(stderr, CLI_USAGE);
		}
	}
	if (argc - optind != 2)
		return usage(stderr, CLI_USAGE);
	while (f < formats + NFORMATS && strcmp(argv[optind], f->name) != 0)
		f++;
	if (f == formats + NFORMATS)
		return usage(stderr, CLI_USAGE);
	im.file = argv[optind + 1];
	buf_init(&text, FILE_MAX);
	r = read_input(&im, &text, &why);
	im.text = buf_str(&text);
	if (r == 0)
		r = run(&im, f, &o, &why);
	buf_fini(&text);
	return r < 0 ? cli_fail("%s", why.text) : r;
}

static int
usage(FILE *to, int status)
{
	size_t i;

	(void)fputs("usage: postern import [-c CONFIG] [-n | --dry-run] "
	    "[--json] [--node]\n           [--replace] FORMAT FILE\n"
	    "FILE may be \"-\". Changes are in force after postern commit. "
	    "A FORMAT is:\n", to);
	for (i = 0; i < NFORMATS; i++)
		(void)fprintf(to, "  %-18s %s\n", formats[i].name,
		    formats[i].help);
	return status;
}

static int
take(struct import *im, const struct import_format *f,
    const struct options *o, struct err *why)
{
	confedit_scope(im->dc.ce, o->node);
	if (f->run(im, why) != 0 ||
	    (im->replace && take_away(im, why) != 0))
		return -1;
	now(im);
	if ((o->dry ? confedit_try(im->dc.ce, why) :
		confedit_save(im->dc.ce, why)) != 0)
		return err_prefix(why, "%s: ", im->file);
	report(im, o);
	return json_array_size(im->left) > 0 ? NOT_ALL : CLI_OK;
}

/* An exit status, or -1. */
static int
run(struct import *im, const struct import_format *f,
    const struct options *o, struct err *why)
{
	int r;

	if (confedit_open(&im->dc.ce, o->conf, why) != 0)
		return -1;
	im->kind = f->kind;
	im->pool = im->dc.pool = pool_new(0);
	im->rows = json_array();
	im->left = json_array();
	im->gone = json_array();
	im->had = json_object();
	r = take(im, f, o, why);
	json_decref(im->rows);
	json_decref(im->left);
	json_decref(im->gone);
	json_decref(im->had);
	confedit_close(&im->dc.ce);
	pool_destroy(&im->pool);
	return r;
}

/* Those of the store that the table does not name. */
static int
take_away(struct import *im, struct err *why)
{
	size_t i = json_array_size(im->gone);
	const struct conf_object *o;
	unsigned at;

	for (at = 0; (o = confedit_at(im->dc.ce, im->kind, at)) !=
	    NULL; at++) {
		if (json_object_get(im->had, o->name) == NULL)
			(void)json_array_append_new(im->gone,
			    json_string(o->name));
	}
	for (; i < json_array_size(im->gone); i++) {
		if (confedit_delete(im->dc.ce, im->kind, json_string_value(
			json_array_get(im->gone, i)), why) != 0)
			return -1;
	}
	return 0;
}

/* Of the nearest destination that says something of TLS. */
static const char *
tls_now(struct import *im, const char *name)
{
	const char *p = name, *tls = NULL;

	tls = destconfig_now(&im->dc, "destination", p, "tls");
	if (tls == NULL && strchr(p, '@') != NULL) {
		p = strchr(p, '@') + 1;
		tls = destconfig_now(&im->dc, "destination", p, "tls");
	}
	while (tls == NULL && (p = strchr(p + 1, '.')) != NULL)
		tls = destconfig_now(&im->dc, "destination", p, "tls");
	if (tls == NULL)
		tls = destconfig_now(&im->dc, "destination", "*", "tls");
	if (tls == NULL)
		tls = destconfig_now(&im->dc, "delivery", "", "tls");
	return tls != NULL ? tls : "opportunistic";
}

/* For each that is not mapped: what its destination has. */
static void
now(struct import *im)
{
	const char *name, *route, *own;
	json_t *l;
	size_t i;

	json_array_foreach(im->left, i, l) {
		name = json_string_value(json_object_get(l, "name"));
		if (name[0] == '\0')
			continue;
		own = destconfig_now(&im->dc, "destination", name, "route");
		route = import_route(im, strchr(name, '@') != NULL ?
		    strchr(name, '@') + 1 : name);
		(void)json_object_set_new(l, "now", json_string(pool_printf(
		    im->pool, "TLS %s, %s%s", tls_now(im, name), own != NULL ?
		    "to " : route != NULL ? "by route " : "by MX",
		    own != NULL ? own : route != NULL ? route : "")));
	}
}

static const char *
text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static void
print_row(struct import *im, json_t *row)
{
	int line = (int)json_integer_value(json_object_get(row, "line"));
	json_t *set = json_object_get(row, "set"), *value;
	const char *key, *was, *sep = "";

	(void)printf("%s:%d: %s: %s \"%s\"", im->file, line,
	    text(row, "word"), text(row, "kind"), text(row, "name"));
	json_object_foreach(set, key, value) {
		(void)printf("%s %s=%s", sep, key, json_string_value(value));
		was = text(json_object_get(row, "was"), key);
		if (was[0] != '\0' &&
		    strcmp(was, json_string_value(value)) != 0)
			(void)printf(" (was %s)", was);
		sep = ",";
	}
	if (json_object_size(set) == 0)
		(void)fputs(" is not needed: by MX", stdout);
	if (json_object_get(row, "stronger") != NULL)
		(void)printf("; stronger than there: %s",
		    text(row, "stronger"));
	(void)puts("");
}

static void
print(struct import *im, const struct options *o)
{
	json_t *l;
	size_t i;

	json_array_foreach(im->rows, i, l)
		print_row(im, l);
	json_array_foreach(im->gone, i, l)
		(void)printf("%s \"%s\" is removed\n", im->kind,
		    json_string_value(l));
	if (json_array_size(im->left) > 0)
		(void)puts("\nNot mapped:");
	json_array_foreach(im->left, i, l) {
		(void)printf("%s:%d: %s: %s\n  instead: %s\n", im->file,
		    (int)json_integer_value(json_object_get(l, "line")),
		    text(l, "word"), text(l, "reason"), text(l, "instead"));
		if (json_object_get(l, "now") != NULL)
			(void)printf("  %s has now: %s\n", text(l, "name"),
			    text(l, "now"));
	}
	(void)printf("\n%zu mapped, %zu not mapped%s\n",
	    json_array_size(im->rows), json_array_size(im->left),
	    o->dry ? "; nothing is changed" : "");
	(void)fflush(stdout);
	if (!o->dry)
		confedit_hint(im->dc.ce);
}

static void
report(struct import *im, const struct options *o)
{
	const char *who;
	msec since;

	if (o->json)
		config_print(json_pack("{s:O, s:O, s:O, s:b, s:i}", "mapped",
		    im->rows, "not_mapped", im->left, "removed", im->gone,
		    "dry_run", (int)o->dry, "uncommitted",
		    (int)confedit_changes(im->dc.ce, &who, &since)));
	else
		print(im, o);
}
