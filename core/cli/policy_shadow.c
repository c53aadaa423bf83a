/*
 * `postern policy shadow`: a candidate is put on live traffic, and what it
 * would have done otherwise is read from the mail log.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/policy.h"

#define LINE_MAX_OCTETS 65536

struct shadow {
	const char *conf, *log; /* log: NULL: as the relay says */
	bool json, off;
	json_t *state; /* the relay's */
	json_t *found; /* differences */
};

static int	options(struct shadow *, int, char **);
static int	turn(const struct shadow *, const char *);
static int	look(struct shadow *);
static int	tell(const struct shadow *, json_t *, json_t **,
		    struct err *);
static void	on_line(void *, const char *, const json_t *, int);
static int	read_log(struct shadow *, const char *, struct err *);
static void	read_line(struct shadow *, struct str);
static bool	behind(struct str, const char *, size_t *);
static void	print_state(const struct shadow *);
static void	print_found(const struct shadow *);

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern policy shadow [-c CONFIG] [--json] "
	    "[FILE | --off]\n"
	    "       postern policy shadow [--json] --log LOG\n"
	    "FILE is a candidate: it is checked, its tests are run, and then "
	    "it looks on at all\nmail of the running relay, without any "
	    "effect, until --off or the end of the\nrelay. Without FILE: "
	    "which one looks on, and what it would have done otherwise\nthan "
	    "the policy in force, as the mail log has it (LOG: a file, or - "
	    "for standard\ninput).\n"
	    "Exit status: 0 it is done, or there is no difference; 1 the "
	    "candidate is refused,\nor there are differences; 2 it cannot be "
	    "said; 64 wrong usage.\n", to);
	return status;
}

int
policy_shadow(int argc, char **argv)
{
	struct shadow s = { .conf = CLI_CONF };
	int r = options(&s, argc, argv);

	if (r >= 0)
		return r;
	if (s.off || optind < argc)
		return turn(&s, argv[optind]);
	s.found = json_array();
	r = look(&s);
	json_decref(s.state);
	json_decref(s.found);
	return r;
}

/* -1: go on; else the status. */
static int
options(struct shadow *s, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "log", required_argument, NULL, 'l' },
		{ "off", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			s->conf = optarg;
			break;
		case 'j':
			s->json = true;
			break;
		case 'l':
			s->log = optarg;
			break;
		case 'o':
			s->off = true;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		default:
			return usage(stderr, POLICY_USAGE);
		}
	}
	if (argc - optind + s->off + (s->log != NULL) > 1)
		return usage(stderr, POLICY_USAGE);
	return -1;
}

static void
print_json(const json_t *o)
{
	(void)json_dumpf(o, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
}

/* file NULL: off. */
static int
turn(const struct shadow *s, const char *file)
{
	json_t *request, *answer = NULL;
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	int r = -1;

	if (file != NULL && realpath(file, path) == NULL) {
		(void)cli_fail("policy: %s: %s", file, strerror(errno));
		return 2;
	}
	request = file != NULL ? json_pack("{s:s, s:s}", "verb", "shadow",
	    "file", path) : json_pack("{s:s, s:b}", "verb", "shadow", "off",
	    1);
	if (request == NULL)
		(void)err_text(&why, "%s: not UTF-8", file);
	else
		r = tell(s, request, &answer, &why);
	json_decref(answer);
	answer = NULL;
	if (r != 0)
		return cli_fail("policy: %s", why.text);
	if (tell(s, json_pack("{s:s}", "verb", "shadow"), &answer,
		&why) != 0) {
		(void)cli_fail("policy: %s", why.text);
		return 2;
	}
	if (s->json)
		print_json(answer);
	else
		print_state(&(struct shadow){ .state = answer });
	json_decref(answer);
	return CLI_OK;
}

static int
look(struct shadow *s)
{
	struct err why = ERR_INIT;
	const char *log = s->log;
	int r = 0;

	if (log == NULL) {
		r = tell(s, json_pack("{s:s}", "verb", "shadow"), &s->state,
		    &why);
		log = json_string_value(json_object_get(s->state, "log"));
	}
	if (r == 0 && (log == NULL || log[0] == '\0'))
		r = err_text(&why, "the mail log is no file: tell where it "
		    "is, --log LOG");
	if (r == 0)
		r = read_log(s, log, &why);
	if (r != 0) {
		if (s->state != NULL && !s->json)
			print_state(s);
		(void)cli_fail("policy: %s", why.text);
		return 2;
	}
	if (s->state == NULL)
		s->state = json_object();
	else if (!s->json)
		print_state(s);
	(void)json_object_set(s->state, "differences", s->found);
	if (s->json)
		print_json(s->state);
	else
		print_found(s);
	return json_array_size(s->found) == 0 ? CLI_OK : CLI_FAILED;
}

/* Steals request. */
static int
tell(const struct shadow *s, json_t *request, json_t **answer_r,
    struct err *why)
{
	char *run = NULL;
	int r = ask_run_dir(s->conf, &run, why);

	if (r == 0)
		r = ask(run, ASK_PATIENTLY, request, on_line, answer_r, why);
	else
		json_decref(request);
	mem_free(run);
	return r;
}

/* The last one is the answer. */
static void
on_line(void *arg, const char *from, const json_t *line, int last)
{
	json_t **answer = arg;

	(void)from;
	if (last == 0)
		return;
	json_decref(*answer);
	*answer = json_deep_copy(line);
	(void)json_object_del(*answer, "done");
}

static int
read_log(struct shadow *s, const char *log, struct err *why)
{
	bool standard = strcmp(log, "-") == 0;
	FILE *f = standard ? stdin : fopen(log, "re");
	char line[LINE_MAX_OCTETS];

	if (f == NULL)
		return err_errno(why, "%s", log);
	while (fgets(line, sizeof(line), f) != NULL)
		read_line(s, str_n(line, strcspn(line, "\r\n")));
	if (!standard)
		(void)fclose(f);
	return 0;
}

/* "Sun Nov 22 06:00:00 2026 Info: MID 3 policy.shadow: …". What stands before
 * the line with which one began to look on, is another's. */
static void
read_line(struct shadow *s, struct str line)
{
	static const char level[] = ": ";
	struct str when, text;
	size_t at, i = 0;

	if (behind(line, CONF_SHADOW " looks on: ", &at)) {
		(void)json_array_clear(s->found);
		return;
	}
	if (!behind(line, CONF_SHADOW ": ", &at))
		return;
	text = str_n(line.p + at, line.n - at);
	while (i + 1 < at && memcmp(line.p + i, level, 2) != 0)
		i++;
	when = str_n(line.p, i);
	(void)json_array_append_new(s->found, json_pack("{s:o, s:o}", "time",
	    json_stringn_nocheck(when.p, when.n), "text",
	    json_stringn_nocheck(text.p, text.n)));
}

/* Behind the first of it. */
static bool
behind(struct str line, const char *mark, size_t *at_r)
{
	const char *p = memmem(line.p, line.n, mark, strlen(mark));

	if (p == NULL)
		return false;
	*at_r = (size_t)(p - line.p) + strlen(mark);
	return true;
}

static void
print_state(const struct shadow *s)
{
	const char *file = json_string_value(json_object_get(s->state,
	    "shadow"));
	char since[40];

	if (file == NULL) {
		(void)printf("no candidate looks on\n");
	} else if (json_is_true(json_object_get(s->state, "switched"))) {
		clock_asctime(since, sizeof(since), (msec)json_integer_value(
		    json_object_get(s->state, "since")));
		(void)printf("%s looks on, since %s\n", file, since);
	} else {
		(void)printf("%s looks on, as the configuration says\n", file);
	}
}

static void
print_found(const struct shadow *s)
{
	const json_t *one;
	size_t i;

	for (i = 0; i < json_array_size(s->found); i++) {
		one = json_array_get(s->found, i);
		(void)printf("%s: %s\n", json_string_value(
		    json_object_get(one, "time")), json_string_value(
		    json_object_get(one, "text")));
	}
}
