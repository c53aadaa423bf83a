/*
 * `postern displayalerts`: the last alerts, and the episodes of required TLS
 * that are open, out of the spool: the relay need not run.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "daemon/alertbook.h"
#include "policy/conf.h"

#define ALERTS_SHOWN 10

static int	usage(FILE *, int);
static int	display(const char *, uint64_t, int, int);
static int	spool_of(const char *, char **, struct err *);
static void	show_alerts(const json_t *, uint64_t);
static void	show_alert(const json_t *);
static void	show_open(const json_t *);
static void	show_episode(const json_t *);

int
cli_displayalerts(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "open", no_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *file = CLI_CONF;
	uint64_t n = ALERTS_SHOWN;
	int c, json = 0, open = 0;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		if (c == 'c')
			file = optarg;
		else if (c == 'o')
			open = 1;
		else
			json = 1;
	}
	if (argc - optind > 1 || (open != 0 && optind < argc) ||
	    (optind < argc &&
		(num_u64(str_c(argv[optind]), ALERTBOOK_KEPT, &n) != 0 ||
		    n == 0)))
		return usage(stderr, CLI_USAGE);
	return display(file, n, open, json);
}

static int
usage(FILE *to, int r)
{
	(void)fprintf(to, "usage: postern displayalerts [--json] [-c FILE] "
	    "[N]\n       postern displayalerts --open [--json] [-c FILE]\n"
	    "Shows the last N alerts (1 to %d, default %d), or what TLS that "
	    "is required\ncannot be had just now. The relay need not run.\n",
	    ALERTBOOK_KEPT, ALERTS_SHOWN);
	return r;
}

/* The last n of alerts, or what is open of episodes. */
static json_t *
chosen(const json_t *book, uint64_t n, int open)
{
	const json_t *all = json_object_get(book, open != 0 ? "episodes" :
	    "alerts"), *x;
	json_t *some = json_array();
	size_t i;

	json_array_foreach(all, i, x) {
		if (open != 0 ? json_integer_value(json_object_get(x,
		    "resolved")) == 0 : i + n >= json_array_size(all))
			(void)json_array_append(some,
			    (json_t *)(uintptr_t)x);
	}
	return some;
}

static int
display(const char *file, uint64_t n, int open, int json)
{
	struct err why = ERR_INIT;
	json_t *book = NULL, *some, *x;
	char *spool = NULL;
	unsigned rows = 0;
	size_t i;

	if (spool_of(file, &spool, &why) == 0)
		book = alertbook_read(spool, &why);
	mem_free(spool);
	if (book == NULL)
		return cli_fail("%s", why.text);
	some = chosen(book, n, open);
	if (json != 0) {
		json_array_foreach(some, i, x)
			config_row(&rows, json_incref(x));
		config_rows_end(rows);
	} else if (open != 0) {
		show_open(some);
	} else {
		show_alerts(some, n);
	}
	json_decref(some);
	json_decref(book);
	return CLI_OK;
}

static int
spool_of(const char *file, char **spool_r, struct err *why)
{
	struct conf *c;

	if (conf_load_top(&c, file, why) != 0)
		return -1;
	*spool_r = mem_strdup(c->top.spool);
	conf_unref(&c);
	return 0;
}

static const char *
text(const json_t *j, const char *name)
{
	const char *s = json_string_value(json_object_get(j, name));

	return s != NULL ? s : "";
}

static json_int_t
number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static const char *
at(const json_t *j, const char *name, char *dst, size_t n)
{
	if (number(j, name) == 0)
		(void)str_copy(dst, n, STR("-"));
	else
		clock_asctime(dst, n, number(j, name));
	return dst;
}

static void
show_alerts(const json_t *some, uint64_t n)
{
	const json_t *x;
	size_t i;

	if (json_array_size(some) == 0)
		(void)puts("There are no alerts.");
	else
		(void)printf("%zu of the last %llu alerts, the newest at the "
		    "end:\n", json_array_size(some), (unsigned long long)n);
	json_array_foreach(some, i, x)
		show_alert(x);
}

static void
show_alert(const json_t *x)
{
	const char *state = text(x, "state");
	char when[64];

	(void)printf("\n%s  %s <%s>%s%s%s\n    %s\n", at(x, "wall", when,
	    sizeof(when)), text(x, "severity"), text(x, "class"),
	    state[0] != '\0' ? "  " : "", state,
	    json_is_false(json_object_get(x, "told")) ?
		"  (not sent: alert_required_tls is off)" : "",
	    text(x, "text"));
	if (state[0] != '\0')
		(void)printf("    episode %lld, messages held: %lld, "
		    "attempts: %lld, host: %s [%s]\n",
		    (long long)number(x, "episode"),
		    (long long)number(x, "held"),
		    (long long)number(x, "attempts"), text(x, "mx"),
		    text(x, "ip"));
}

static void
show_open(const json_t *some)
{
	const json_t *x;
	size_t i;

	if (json_array_size(some) == 0)
		(void)puts("No episode is open.");
	json_array_foreach(some, i, x)
		show_episode(x);
}

static void
show_episode(const json_t *x)
{
	const json_t *h;
	char when[64];
	size_t i;

	(void)printf("episode %lld  %s  %s (%s)\n",
	    (long long)number(x, "episode"), text(x, "domain"),
	    text(x, "cause"), text(x, "reason"));
	(void)printf("    opened     %s\n", at(x, "first", when,
	    sizeof(when)));
	(void)printf("    last       %s, attempts: %lld\n", at(x, "last",
	    when, sizeof(when)), (long long)number(x, "attempts"));
	(void)printf("    held       %lld messages, the oldest of %s\n",
	    (long long)number(x, "held"), at(x, "oldest", when,
	    sizeof(when)));
	(void)printf("    given up   %s\n", at(x, "deadline", when,
	    sizeof(when)));
	json_array_foreach(json_object_get(x, "hosts"), i, h)
		(void)printf("    host       %s [%s], %lld times: %s\n",
		    text(h, "mx")[0] != '\0' ? text(h, "mx") : "-",
		    text(h, "ip"), (long long)number(h, "times"),
		    text(h, "why"));
}
