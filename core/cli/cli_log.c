/*
 * `postern log find`: all lines of a message, wherever they stand.
 *
 * Ids are the only join key and are never used twice. The files are read three
 * times, so that memory grows with what is found, not with the log: first for
 * the messages asked for and for which bounce is of which message; then for
 * the connections they came and went by; then to print.
 */
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/codec.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/logline.h"
#include "policy/conf.h"

#define FILES_MAX 1000
#define LINE_LEN (256 * 1024) /* longer ones are none of ours */

struct search {
	const char *conf;
	struct logline_want want;
	bool json;
	unsigned rows;
	char *file[FILES_MAX];
	unsigned nfile;
	struct logline_ids mids, icids, dcids;
	/* pairs: a bounce and what it is of */
	struct logline_ids bounce, of;
};

typedef void line_fn(struct search *, const struct logline *);

static int	usage(FILE *, int);
static int	options(struct search *, int, char **);
static int	option(struct search *, int, const char *);
static int	moment(const char *, time_t *);
static int	find(struct search *);
static int	find_files(struct search *, int, char **);
static int	by_age(const void *, const void *);
static int	each_line(struct search *, line_fn *);
static void	select_line(struct search *, const struct logline *);
static void	select_bounces(struct search *);
static void	join_line(struct search *, const struct logline *);
static void	print_line(struct search *, const struct logline *);
static void	print_json(struct search *, const struct logline *);

enum { O_MID = 256, O_FROM, O_TO, O_SINCE, O_UNTIL, O_ID, O_JSON };

int
cli_log(int argc, char **argv)
{
	struct search *s = mem_zalloc(sizeof(*s));
	unsigned i;
	int r;

	s->conf = CLI_CONF;
	s->want.mid = UINT64_MAX;
	r = options(s, argc, argv);
	if (r < 0)
		r = find(s);
	for (i = 0; i < s->nfile; i++)
		mem_free(s->file[i]);
	logline_ids_fini(&s->mids);
	logline_ids_fini(&s->icids);
	logline_ids_fini(&s->dcids);
	logline_ids_fini(&s->bounce);
	logline_ids_fini(&s->of);
	mem_free(s);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern log find [--mid MID] [--from ADDRESS] "
	    "[--to ADDRESS]\n"
	    "           [--message-id ID] [--since TIME] [--until TIME] "
	    "[--json] [-c FILE]\n"
	    "           [LOG ...]\n"
	    "Shows every line about the messages that match, of the mail log "
	    "and its rotated\nfiles unless others are given. TIME is "
	    "\"2026-11-21 19:30\" or how long ago, as\nin 90s, 2h or 3d. In "
	    "an address * stands for anything.\n", to);
	return status;
}

/* -1: go on. */
static int
options(struct search *s, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "mid", required_argument, NULL, O_MID },
		{ "from", required_argument, NULL, O_FROM },
		{ "sender", required_argument, NULL, O_FROM },
		{ "to", required_argument, NULL, O_TO },
		{ "rcpt", required_argument, NULL, O_TO },
		{ "message-id", required_argument, NULL, O_ID },
		{ "since", required_argument, NULL, O_SINCE },
		{ "until", required_argument, NULL, O_UNTIL },
		{ "json", no_argument, NULL, O_JSON },
		{ NULL, 0, NULL, 0 },
	};
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		r = option(s, c, optarg);
		if (r != 0)
			return r;
	}
	if (optind == argc || strcmp(argv[optind], "find") != 0)
		return usage(stderr, CLI_USAGE);
	optind++;
	if (s->want.mid == UINT64_MAX && s->want.from == NULL &&
	    s->want.to == NULL && s->want.message_id == NULL &&
	    s->want.since == 0 && s->want.until == 0)
		return usage(stderr, CLI_USAGE);
	return find_files(s, argc - optind, argv + optind);
}

static int
option(struct search *s, int c, const char *text)
{
	switch (c) {
	case 'c':
		s->conf = text;
		return 0;
	case O_MID:
		if (num_u64(str_c(text), INT64_MAX, &s->want.mid) == 0)
			return 0;
		(void)cli_fail("%s is not a MID", text);
		return CLI_USAGE;
	case O_FROM:
		s->want.from = text;
		return 0;
	case O_TO:
		s->want.to = text;
		return 0;
	case O_ID:
		s->want.message_id = text;
		return 0;
	case O_SINCE:
		return moment(text, &s->want.since);
	case O_UNTIL:
		return moment(text, &s->want.until);
	default:
		s->json = true;
		return 0;
	}
}

static int
moment(const char *text, time_t *t_r)
{
	static const char *const forms[] = { "%Y-%m-%d %H:%M:%S",
		"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d" };
	const char *end;
	struct tm tm;
	msec ago;
	size_t i;

	if (num_duration(str_c(text), &ago) == 0) {
		*t_r = (time_t)((clock_wall() - ago) / 1000);
		return 0;
	}
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(&tm, 0, sizeof(tm));
		tm.tm_isdst = -1;
		end = strptime(text, forms[i], &tm);
		if (end != NULL && *end == '\0') {
			*t_r = mktime(&tm);
			return 0;
		}
	}
	(void)cli_fail("%s is no time such as \"2026-11-21 19:30\" or 2h",
	    text);
	return CLI_USAGE;
}

/* Oldest first, so that what is printed is in order. */
static int
find_files(struct search *s, int n, char **name)
{
	struct err why = ERR_INIT;
	struct conf *c = NULL;
	char pattern[4096];
	glob_t g;
	size_t i, len;

	for (i = 0; i < (size_t)n && s->nfile < FILES_MAX; i++)
		s->file[s->nfile++] = mem_strdup(name[i]);
	if (n > 0)
		return -1;
	if (conf_load_top(&c, s->conf, &why) != 0)
		return cli_fail("%s", why.text);
	if (c->log.file[0] == '\0') {
		conf_unref(&c);
		return cli_fail("%s has no log file: name one", s->conf);
	}
	(void)snprintf(pattern, sizeof(pattern), "%s*", c->log.file);
	len = strlen(c->log.file);
	conf_unref(&c);
	if (glob(pattern, 0, NULL, &g) != 0)
		return cli_fail("there is no %s", pattern);
	for (i = 0; i < g.gl_pathc && s->nfile < FILES_MAX; i++) {
		const char *end = g.gl_pathv[i] + len;

		if ((*end == '\0' || *end == '.' || *end == '-') &&
		    !str_iends(str_c(end), ".gz") &&
		    !str_iends(str_c(end), ".xz") &&
		    !str_iends(str_c(end), ".zst"))
			s->file[s->nfile++] = mem_strdup(g.gl_pathv[i]);
	}
	globfree(&g);
	qsort(s->file, s->nfile, sizeof(s->file[0]), by_age);
	return -1;
}

static int
by_age(const void *a, const void *b)
{
	const char *const *fa = a, *const *fb = b;
	struct stat sa, sb;

	if (stat(*fa, &sa) != 0 || stat(*fb, &sb) != 0)
		return strcmp(*fb, *fa);
	if (sa.st_mtim.tv_sec != sb.st_mtim.tv_sec)
		return sa.st_mtim.tv_sec < sb.st_mtim.tv_sec ? -1 : 1;
	if (sa.st_mtim.tv_nsec != sb.st_mtim.tv_nsec)
		return sa.st_mtim.tv_nsec < sb.st_mtim.tv_nsec ? -1 : 1;
	return strcmp(*fb, *fa);
}

static int
find(struct search *s)
{
	if (each_line(s, select_line) != 0)
		return CLI_FAILED;
	select_bounces(s);
	if (s->mids.n == 0)
		return cli_fail("no message matches");
	if (each_line(s, join_line) != 0 || each_line(s, print_line) != 0)
		return CLI_FAILED;
	if (s->json)
		config_rows_end(s->rows);
	return CLI_OK;
}

static int
each_line(struct search *s, line_fn *fn)
{
	char *line = mem_alloc(LINE_LEN);
	struct logline l;
	unsigned i;
	size_t n;
	FILE *f;

	for (i = 0; i < s->nfile; i++) {
		f = fopen(s->file[i], "re");
		if (f == NULL) {
			mem_free(line);
			return cli_fail("%s: %s", s->file[i],
			    strerror(errno));
		}
		while (fgets(line, LINE_LEN, f) != NULL) {
			n = strlen(line);
			if (n > 0 && line[n - 1] == '\n')
				n--;
			if (logline_parse(&l, str_n(line, n)))
				fn(s, &l);
		}
		(void)fclose(f);
	}
	mem_free(line);
	return 0;
}

static void
select_line(struct search *s, const struct logline *l)
{
	if (l->bounce_of != 0) {
		logline_ids_push(&s->bounce, l->mid);
		logline_ids_push(&s->of, l->bounce_of);
	}
	if (l->mid != 0 && logline_matches(l, &s->want))
		logline_ids_add(&s->mids, l->mid);
}

/* A message and its bounces belong together, in both directions. */
static void
select_bounces(struct search *s)
{
	bool more = true;
	size_t i;

	while (more) {
		more = false;
		for (i = 0; i < s->bounce.n; i++) {
			bool a = logline_ids_has(&s->mids, s->bounce.v[i]);
			bool b = logline_ids_has(&s->mids, s->of.v[i]);

			if (a == b)
				continue;
			more = true;
			logline_ids_add(&s->mids, a ? s->of.v[i] :
			    s->bounce.v[i]);
		}
	}
}

static void
join_line(struct search *s, const struct logline *l)
{
	if (l->mid == 0 || !logline_ids_has(&s->mids, l->mid))
		return;
	if (l->icid != 0)
		logline_ids_add(&s->icids, l->icid);
	if (l->dcid != 0)
		logline_ids_add(&s->dcids, l->dcid);
}

static void
print_line(struct search *s, const struct logline *l)
{
	bool ours;

	if (l->mid != 0)
		ours = logline_ids_has(&s->mids, l->mid);
	else if (l->icid != 0)
		ours = logline_ids_has(&s->icids, l->icid);
	else
		ours = l->dcid != 0 && logline_ids_has(&s->dcids, l->dcid);
	if (!ours)
		return;
	if (s->json)
		print_json(s, l);
	else
		(void)printf("%.*s\n", STR_FMT(l->whole));
}

static void
print_json(struct search *s, const struct logline *l)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	(void)buf_add_c(&b, "{\"time\":");
	(void)json_quote(&b, l->time);
	(void)buf_add_c(&b, ",\"level\":");
	(void)json_quote(&b, l->level);
	if (l->icid != 0)
		(void)buf_printf(&b, ",\"icid\":%" PRIu64, l->icid);
	if (l->mid != 0)
		(void)buf_printf(&b, ",\"mid\":%" PRIu64, l->mid);
	if (l->dcid != 0)
		(void)buf_printf(&b, ",\"dcid\":%" PRIu64, l->dcid);
	(void)buf_add_c(&b, ",\"text\":");
	(void)json_quote(&b, l->text);
	(void)printf("%s%s}", s->rows++ == 0 ? "[" : ",\n", buf_p(&b));
	buf_fini(&b);
}
