/*
 * `postern tls-test`: its command line. What it does is relay/probe.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/tester.h"
#include "daemon/plugs_out.h"
#include "host/host.h"
#include "relay/destmap.h"
#include "relay/route.h"

/* Who says what is demanded in the boot file: the tables of TLS. */
struct tables {
	struct conf conf;	/* as if there were no other plugins */
	struct host *host;
	struct plugs_out *out;
	bool told;
	struct err why;
};

static int usage(FILE *to, int status);
static int run(struct tester *t, const char *text);
static void in_force(struct tester *t, const struct tester_target *to,
    const struct relay_route *route);
static bool tables_open(struct tester *t, struct tables *v);
static void tables_close(struct tables *v);

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
		in_force(t, &to, route);
	return tester_run(t, text, to.domain.p, hosts, probe_text);
}

/* Roots of its own are those of the boot file's destinations, not ours. */
static void
in_force(struct tester *t, const struct tester_target *to,
    const struct relay_route *route)
{
	struct destmap *map = destmap_new(&t->conf->relay_conf);
	struct tlswant *w = POOL_NEW(t->pool, struct tlswant);
	struct relay_opinion v[RELAY_OPINIONS];
	struct destmap_to d = { .route = route, .want = STR(""), .v = v };
	struct tables tables;
	const char *text;

	if (tables_open(t, &tables)) {
		d.n = plugs_out_asks.tls_rcpt(tables.out, to->domain,
		    to->local, v);
		text = destmap_text(map, &d);
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
		    "known: %s", tables.why.text);
	}
	tables_close(&tables);
	destmap_destroy(&map);
}

static void
started(void *arg, const struct err *why)
{
	struct tables *v = arg;

	v->told = true;
	if (why != NULL)
		v->why = *why;
}

static bool
tables_open(struct tester *t, struct tables *v)
{
	static const char *const none[] = { NULL };
	struct host_world world = { .loop = t->loop,
		.hostname = t->conf->top.hostname };
	const struct conf *conf = t->conf;
	unsigned i;

	memset(v, 0, sizeof(*v));
	v->conf = *conf;
	v->conf.plugins = NULL;
	v->conf.plugin = pool_alloc(t->pool, (conf->nplugin + 1) *
	    sizeof(v->conf.plugin[0]));
	v->conf.nplugin = 0;
	for (i = 0; i < conf->nplugin; i++)
		if (strcmp(conf->plugin[i].plugin, "tls_table") == 0)
			v->conf.plugin[v->conf.nplugin++] = conf->plugin[i];
	v->conf.order = (struct conf_order){
#define PARAM_ORDER(name, type, def, range, help) .name = none,
#include "tbl/params.h"
	};
	v->host = host_new(&world);
	v->out = plugs_out_new(t->loop);
	if (host_load(v->host, &v->conf, &conf_reader_plain, &v->conf.plugins,
		&v->why) != 0)
		return false;
	host_start(v->conf.plugins, started, v);
	while (!v->told)
		loop_once(t->loop, true);
	if (v->why.text[0] != '\0')
		return false;
	plugs_out_set(v->out, &v->conf);
	return true;
}

static void
tables_close(struct tables *v)
{
	plugs_out_destroy(&v->out);
	host_gen_unref(&v->conf.plugins);
	host_destroy(&v->host);
}
