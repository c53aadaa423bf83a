/*
 * `postern tls-test`: its command line. What it does is relay/probe.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/tester.h"
#include "relay/destmap.h"
#include "relay/route.h"

static int usage(FILE *to, int status);
static int run(struct tester *t, const char *text);
static void in_force(struct tester *t, const struct tester_target *to,
    const struct relay_route *route, struct destmap *map);

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
	struct destmap *map = NULL;
	struct err why = ERR_INIT;
	struct tester_target to;
	int r;

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
	if (t->conf != NULL && t->want == NULL && to.hosts[0] == NULL) {
		map = destmap_new(&t->conf->relay_conf);
		in_force(t, &to, route, map);
	}
	r = tester_run(t, text, to.domain.p, hosts, probe_text);
	destmap_destroy(&map);
	return r;
}

/* Roots of its own are those of the boot file's destinations, not ours. */
static void
in_force(struct tester *t, const struct tester_target *to,
    const struct relay_route *route, struct destmap *map)
{
	struct destmap_to d = { .domain = to->domain, .local = to->local,
		.route = route, .want = STR("") };
	const char *text = destmap_text(map, &d);
	struct tlswant *w = POOL_NEW(t->pool, struct tlswant);

	if (text[0] == '\0')
		text = destmap_usual(map);
	if (tlswant_read(w, str_c(pool_strdup(t->pool, text)), t->pool,
		NULL) != 0 || w->ca != NULL)
		return;
	t->probe.force = w;
	t->probe.force_name = pool_printf(t->pool, "in force: %s", text);
}
