/*
 * `postern tls-test`: its command line. What it does is relay/probe.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/tables.h"
#include "cli/tester.h"
#include "relay/destmap.h"
#include "relay/route.h"
#include "relay/way.h"

static int usage(FILE *to, int status);
static int run(struct tester *t, const char *text);
static void in_force(struct tester *t, const struct tester_target *to);

int
cli_tls_test(int argc, char **argv)
{
	struct err why = ERR_INIT;
	struct tester t;
	int c, r = -1;

	tester_init(&t);
	while (r < 0 && (c = getopt_long(argc, argv, TESTER_SHORT,
	    tester_options, NULL)) != -1) {
		if (c == 'h') {
			r = usage(stdout, CLI_OK);
		} else if (c == '?') {
			r = usage(stderr, TESTER_USAGE);
		} else if (tester_option(&t, c, optarg, &why) != 0) {
			(void)cli_fail("tls-test: %s", why.text);
			r = TESTER_USAGE;
		}
	}
	if (r < 0 && optind + 1 != argc)
		r = usage(stderr, TESTER_USAGE);
	if (r < 0 && tester_open(&t, &why) != 0) {
		(void)cli_fail("tls-test: %s", why.text);
		r = TESTER_BROKEN;
	}
	if (r < 0)
		r = run(&t, argv[optind]);
	tester_close(&t);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern tls-test [option ...] "
	    "user@domain | domain | host:port | [address]\n"
	    "Tests the hosts that take a domain's mail, or one host: whether "
	    "they speak TLS, and\nwhether their certificate verifies. Sends no "
	    "message.\n", to);
	(void)fputs(tester_usage, to);
	(void)fputs("Exit status: 0 verified, 1 TLS but not verified, 2 no "
	    "TLS, 64 wrong usage, 69 no\nhost answers, 78 cannot begin.\n",
	    to);
	return status;
}

static int
run(struct tester *t, const char *text)
{
	const struct relay_route *route = NULL;
	const char *const *hosts = NULL;
	struct err why = ERR_INIT;
	struct tester_target to;

	if (tester_target(t, text, &to, &why) != 0) {
		(void)cli_fail("tls-test: %s", why.text);
		return TESTER_USAGE;
	}
	if (to.hosts[0] != NULL) {
		hosts = to.hosts;
	} else if (t->conf != NULL) {
		route = route_find(&t->conf->relay_conf, to.domain);
		if (route != NULL) {
			hosts = route->hosts;
			t->probe.implicit_tls = t->probe.implicit_tls ||
			    route->implicit_tls;
		}
	}
	if (t->conf != NULL && t->want == NULL && to.hosts[0] == NULL)
		in_force(t, &to);
	return tester_run(t, text, to.domain.p, hosts, probe_text);
}

/* Roots of its own are those of the boot file's destinations, not ours. */
static void
in_force(struct tester *t, const struct tester_target *to)
{
	struct destmap *map = destmap_new(&t->conf->relay_conf);
	struct tlswant *w = POOL_NEW(t->pool, struct tlswant);
	struct queue_to rcpt = { .domain = to->domain, .local = to->local };
	struct err why = ERR_INIT;
	struct tables tables;
	struct way way;
	const char *text;

	if (tables_open(&tables, t->conf, t->loop, NULL, t->pool,
		&why) == 0) {
		way_find(&way, &t->conf->relay_conf, map, &plugs_out_asks,
		    tables.out, &rcpt);
		text = way.text;
		if (text[0] == '\0')
			text = destmap_usual(map);
		text = pool_strdup(t->pool, text);
		if (tlswant_read(w, str_c(text), t->pool, NULL) == 0 &&
		    w->ca == NULL) {
			t->probe.force = w;
			t->probe.force_name = pool_printf(t->pool,
			    "in force: %s", text);
		}
	} else {
		(void)cli_fail("tls-test: what the boot file demands is not "
		    "known: %s", why.text);
	}
	tables_close(&tables);
	destmap_destroy(&map);
}
