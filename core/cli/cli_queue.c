/*
 * `postern queue`: what waits, and doing something about it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/ask.h"
#include "cli/cli.h"

struct command_line {
	const char *conf;
	char *run;
	const char *verb;	/* list, flush, … */
	json_t *filter;
	char **mid;
	int nmid;
	bool json, all, filtered;
	/* results */
	json_int_t count;
	uint64_t rows;		/* printed */
	json_t *sums;
};

static int	usage(FILE *, int);
static int	options(struct command_line *, int, char **);
static int	option(struct command_line *, int, const char *);
static int	duration(struct command_line *, const char *, const char *);
static int	dispatch(struct command_line *);
static int	ask_each(struct command_line *, const char *, ask_fn *);
static void	on_row(void *, const char *, const json_t *, int);
static void	on_show(void *, const char *, const json_t *, int);
static void	on_count(void *, const char *, const json_t *, int);
static void	on_hop(void *, const char *, const json_t *, int);
static void	print_row(struct command_line *, const json_t *);
static void	print_json(const json_t *);
static void	print_clean(const char *);

static const char *const verbs[] = { "list", "show", "count", "flush",
	"hold", "release", "delete", "requeue", "bounce", "hops" };

enum { O_SENDER = 256, O_RCPT, O_DOMAIN, O_OLDER, O_NEWER, O_REASON, O_MID,
	O_HELD, O_JSON, O_ALL, O_LIMIT };

int
cli_queue(int argc, char **argv)
{
	struct command_line l = { .conf = CLI_CONF };
	struct err why = ERR_INIT;
	size_t i;
	int r;

	l.filter = json_object();
	l.sums = json_object();
	r = options(&l, argc, argv);
	if (r >= 0) {
		json_decref(l.filter);
		json_decref(l.sums);
		return r;
	}
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (l.verb != NULL && strcmp(verbs[i], l.verb) == 0)
			break;
	}
	if (i == sizeof(verbs) / sizeof(verbs[0]))
		r = usage(stderr, CLI_USAGE);
	else if (ask_run_dir(l.conf, &l.run, &why) != 0)
		r = cli_fail("%s", why.text);
	else
		r = dispatch(&l);
	mem_free(l.run);
	json_decref(l.filter);
	json_decref(l.sums);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern queue list|count|hops [filter ...]\n"
	    "       postern queue show MID ...\n"
	    "       postern queue flush|hold|release|requeue [filter ...] "
	    "[MID ...]\n"
	    "       postern queue delete|bounce {filter ... | MID ... | "
	    "--all}\n"
	    "  --from ADDRESS --to ADDRESS --domain DOMAIN --reason TEXT   "
	    "* stands for anything\n"
	    "  --older-than TIME --newer-than TIME   as in 90s, 5m, 2h, 3d\n"
	    "  --mid MID --held --limit N --json -c FILE\n", to);
	return status;
}

/* -1: go on. */
static int
options(struct command_line *l, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "from", required_argument, NULL, O_SENDER },
		{ "sender", required_argument, NULL, O_SENDER },
		{ "to", required_argument, NULL, O_RCPT },
		{ "rcpt", required_argument, NULL, O_RCPT },
		{ "domain", required_argument, NULL, O_DOMAIN },
		{ "older-than", required_argument, NULL, O_OLDER },
		{ "newer-than", required_argument, NULL, O_NEWER },
		{ "reason", required_argument, NULL, O_REASON },
		{ "mid", required_argument, NULL, O_MID },
		{ "held", no_argument, NULL, O_HELD },
		{ "json", no_argument, NULL, O_JSON },
		{ "all", no_argument, NULL, O_ALL },
		{ "limit", required_argument, NULL, O_LIMIT },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		r = option(l, c, optarg);
		if (r != 0)
			return r;
	}
	if (optind < argc)
		l->verb = argv[optind++];
	l->mid = argv + optind;
	l->nmid = argc - optind;
	return -1;
}

static int
option(struct command_line *l, int c, const char *text)
{
	static const char *const names[] = { [O_SENDER - 256] = "sender",
		[O_RCPT - 256] = "rcpt", [O_DOMAIN - 256] = "domain",
		[O_REASON - 256] = "reason" };
	uint64_t n;

	switch (c) {
	case 'c':
		l->conf = text;
		return 0;
	case O_SENDER:
	case O_RCPT:
	case O_DOMAIN:
	case O_REASON:
		l->filtered = true;
		if (json_object_set_new(l->filter, names[c - 256],
			json_string(text)) != 0)
			return cli_fail("this is not UTF-8");
		return 0;
	case O_OLDER:
		return duration(l, "older_ms", text);
	case O_NEWER:
		return duration(l, "newer_ms", text);
	case O_HELD:
		l->filtered = true;
		(void)json_object_set_new(l->filter, "hold",
		    json_string("held"));
		return 0;
	case O_JSON:
		l->json = true;
		return 0;
	case O_ALL:
		l->all = true;
		return 0;
	default:
		if (num_u64(str_c(text), INT64_MAX, &n) != 0) {
			(void)cli_fail("%s is not a number", text);
			return CLI_USAGE;
		}
		l->filtered = l->filtered || c == O_MID;
		(void)json_object_set_new(l->filter,
		    c == O_MID ? "mid" : "limit",
		    json_integer((json_int_t)n));
		return 0;
	}
}

static int
duration(struct command_line *l, const char *name, const char *text)
{
	msec ms;

	if (num_duration(str_c(text), &ms) != 0) {
		(void)cli_fail("%s is not a time such as 90s or 2h", text);
		return CLI_USAGE;
	}
	l->filtered = true;
	(void)json_object_set_new(l->filter, name, json_integer(ms));
	return 0;
}

static int
dispatch(struct command_line *l)
{
	bool show = strcmp(l->verb, "show") == 0;

	if (show && l->nmid == 0 && !l->filtered)
		return usage(stderr, CLI_USAGE);
	if (strcmp(l->verb, "list") == 0)
		return ask_each(l, "queue.list", on_row);
	if (show)
		return ask_each(l, "queue.show", on_show);
	if (strcmp(l->verb, "count") == 0)
		return ask_each(l, "queue.count", on_count);
	if (strcmp(l->verb, "hops") == 0)
		return ask_each(l, "queue.hops", on_hop);
	if ((strcmp(l->verb, "delete") == 0 ||
		strcmp(l->verb, "bounce") == 0) &&
	    !l->filtered && l->nmid == 0 && !l->all) {
		(void)cli_fail("%s wants a filter, a MID or --all", l->verb);
		return CLI_USAGE;
	}
	(void)json_object_set_new(l->filter, "action", json_string(l->verb));
	return ask_each(l, "queue.act", on_count);
}

/* Once, or once for each MID. */
static int
ask_each(struct command_line *l, const char *verb, ask_fn *fn)
{
	bool counts = fn == on_count, one = l->nmid > 0 || fn == on_show;
	struct err why = ERR_INIT;
	uint64_t mid;
	int i = 0;

	(void)json_object_set_new(l->filter, "verb", json_string(verb));
	if (counts && !l->filtered && l->nmid == 0)
		(void)json_object_set_new(l->filter, "all", json_true());
	do {
		if (i < l->nmid) {
			if (num_u64(str_c(l->mid[i]), INT64_MAX, &mid) != 0) {
				(void)cli_fail("%s is not a MID", l->mid[i]);
				return CLI_USAGE;
			}
			(void)json_object_set_new(l->filter, "mid",
			    json_integer((json_int_t)mid));
		}
		if (ask(l->run, ASK_WORKERS, json_copy(l->filter), fn, l,
			&why) != 0)
			return cli_fail("%s", why.text);
	} while (++i < l->nmid);
	if (l->json && !counts)
		(void)puts(l->rows == 0 ? "[]" : "]");
	if (one && l->count == 0)
		return cli_fail("there is no such message");
	if (counts && l->json)
		print_json(l->sums);
	else if (counts)
		(void)printf("%" JSON_INTEGER_FORMAT " message%s\n", l->count,
		    l->count == 1 ? "" : "s");
	return CLI_OK;
}

static const char *
text_of(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));

	return s != NULL ? s : "";
}

static json_int_t
number_of(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static void
on_row(void *arg, const char *from, const json_t *row, int last)
{
	struct command_line *l = arg;

	(void)from;
	if (last != 0)
		return;
	l->count++;
	if (l->json) {
		print_row(l, row);
		return;
	}
	(void)printf("%-9" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT
	    " %.19s %3" JSON_INTEGER_FORMAT "x %-6s <", number_of(row, "mid"),
	    number_of(row, "size"), text_of(row, "queued"),
	    number_of(row, "attempts"), text_of(row, "hold"));
	print_clean(text_of(row, "sender"));
	(void)printf("> <");
	print_clean(text_of(row, "rcpt"));
	(void)printf(">");
	if (text_of(row, "quarantine")[0] != '\0') {
		(void)printf(" quarantine: ");
		print_clean(text_of(row, "quarantine"));
	}
	if (text_of(row, "waits_for")[0] != '\0') {
		(void)printf(" waits for MID ");
		print_clean(text_of(row, "waits_for"));
	}
	if (text_of(row, "reason")[0] != '\0') {
		(void)printf(" (");
		print_clean(text_of(row, "reason"));
		(void)printf(")");
	}
	(void)printf("\n");
}

static void
on_show(void *arg, const char *from, const json_t *row, int last)
{
	struct command_line *l = arg;
	struct str rest, line;
	const char *name;
	json_t *value;

	(void)from;
	if (last != 0)
		return;
	l->count++;
	if (l->json) {
		print_row(l, row);
		return;
	}
	json_object_foreach((json_t *)(uintptr_t)row, name, value) {
		if (strcmp(name, "header") == 0) {
			rest = str_c(json_string_value(value));
			while (str_split(&rest, '\n', &line)) {
				char *copy = mem_strndup(line.p, line.n);

				(void)printf("  ");
				print_clean(copy);
				(void)printf("\n");
				mem_free(copy);
			}
			continue;
		}
		(void)printf("%-9s ", name);
		if (json_is_string(value))
			print_clean(json_string_value(value));
		else if (json_is_boolean(value))
			(void)printf("%s", json_is_true(value) ? "yes" : "no");
		else
			(void)printf("%" JSON_INTEGER_FORMAT,
			    json_integer_value(value));
		(void)printf("\n");
	}
}

static void
on_count(void *arg, const char *from, const json_t *row, int last)
{
	struct command_line *l = arg;
	const char *name;
	json_t *value;

	(void)from;
	if (last == 0)
		return;
	l->count += number_of(row, "messages");
	json_object_foreach((json_t *)(uintptr_t)row, name, value) {
		if (json_is_integer(value))
			(void)json_object_set_new(l->sums, name, json_integer(
			    number_of(l->sums, name) +
			    json_integer_value(value)));
	}
}

static void
on_hop(void *arg, const char *from, const json_t *row, int last)
{
	struct command_line *l = arg;
	const char *name;
	json_t *value;

	if (last != 0)
		return;
	if (l->json) {
		print_row(l, row);
		return;
	}
	(void)printf("%s", from);
	json_object_foreach((json_t *)(uintptr_t)row, name, value) {
		(void)printf(" %s=", name);
		if (json_is_string(value))
			print_clean(json_string_value(value));
		else
			(void)printf("%" JSON_INTEGER_FORMAT,
			    json_integer_value(value));
	}
	(void)printf("\n");
}

/* A row of the one array that a listing is. */
static void
print_row(struct command_line *l, const json_t *row)
{
	(void)fputs(l->rows++ == 0 ? "[" : ",\n", stdout);
	(void)json_dumpf(row, stdout, JSON_COMPACT);
}

static void
print_json(const json_t *row)
{
	(void)json_dumpf(row, stdout, JSON_COMPACT);
	(void)printf("\n");
}

/* What strangers wrote must not drive the terminal. */
static void
print_clean(const char *text)
{
	struct buf b;

	buf_init(&b, 256 * 1024);
	(void)log_clean(&b, str_c(text), 8192, true);
	(void)fputs(buf_p(&b), stdout);
	buf_fini(&b);
}
