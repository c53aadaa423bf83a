/*
 * What destination blocks demand, on the way it takes: boot file, tls_table,
 * the relay's question, what counts in the end.
 */
#include <stdio.h>

#include "daemon/plugs_out.h"
#include "host/host.h"
#include "relay/destmap.h"
#include "unit.h"

extern const struct pst_plugin tls_table_LTX_postern_plugin;

static struct {
	struct loop *loop;
	struct host *host;
	struct conf *conf;
	struct host_gen *gen;
	struct plugs_out *out;
	struct destmap *map;
	bool started;
} w;

static void
started(void *arg, const struct err *why)
{
	(void)arg;
	ck_assert_msg(why == NULL, "%s", why != NULL ? why->text : "");
	w.started = true;
}

static void
run(msec ms)
{
	msec until = clock_now() + ms;

	while (loop_step_fake(w.loop, until))
		;
}

static void
begin(const char *blocks)
{
	static const struct pst_plugin *const builtins[] = {
		&tls_table_LTX_postern_plugin, NULL };
	struct host_world world = { .hostname = "mx.us.example" };
	struct err why = ERR_INIT;
	char text[4096];

	memset(&w, 0, sizeof(w));
	clock_fake(1700000000000);
	host_builtin(builtins);
	w.loop = loop_new();
	world.loop = w.loop;
	w.host = host_new(&world);
	(void)snprintf(text, sizeof(text), "hostname = 'mx.us.example'\n"
	    "listener 'in' { address = { '127.0.0.1:25' } }\n"
	    "delivery { tls = 'opportunistic' }\n"
	    "log { stderr = true }\n%s", blocks);
	if (conf_parse(&w.conf, "postern.lua", str_c(text), &conf_reader_none,
		&why) != 0 || host_load(w.host, w.conf, &conf_reader_plain,
		&w.gen, &why) != 0)
		ck_abort_msg("%s", why.text);
	host_start(w.gen, started, NULL);
	run(10);
	ck_assert(w.started);
	w.conf->plugins = w.gen;
	w.out = plugs_out_new(w.loop);
	plugs_out_set(w.out, w.conf);
	w.map = destmap_new(&w.conf->relay_conf);
}

static void
end(void)
{
	destmap_destroy(&w.map);
	plugs_out_destroy(&w.out);
	w.conf->plugins = NULL;
	host_gen_unref(&w.gen);
	run(10);
	conf_unref(&w.conf);
	host_destroy(&w.host);
	loop_destroy(&w.loop);
}

/* As the relay asks: postmaster alone is at our own host. */
static const char *
counts(const char *local, const char *domain,
    const struct relay_route *route, const char *stored)
{
	struct relay_opinion v[RELAY_OPINIONS];
	struct destmap_to to = { .route = route, .want = str_c(stored),
		.v = v };

	to.n = plugs_out_asks.tls_rcpt(w.out, domain[0] != '\0' ?
	    str_c(domain) : STR("mx.us.example"), str_c(local), v);
	return destmap_text(w.map, &to);
}

static const char blocks[] =
	"destination '*' { tls = 'preferred' }\n"
	"destination '.example.org' { tls = 'required-verify' }\n"
	"destination 'example.org' { tls = 'required' }\n"
	"destination '.deep.example.org' { tls = 'none' }\n"
	"destination 'Boss@Example.ORG' { tls = 'required-verify' }\n"
	"destination '\"the boss\"@example.org' { tls = 'forced' }\n"
	"destination 'cert.example' { }\n"
	"destination 'b\xc3\xbc" "cher.example' { tls = 'required' }\n"
	"destination 'two.example' { tls = 'required' }\n"
	"destination 'TWO.example' { tls = 'none' }\n"
	"destination 'mx.us.example' { tls = 'required-verify' }\n"
	"destination '[192.0.2.9]' { tls = 'required' }\n";

static const struct tlswant none = { .level = TLSWANT_NONE };
static const struct tlswant verify = { .level = TLSWANT_REQUIRED_VERIFY };
static const struct relay_route clear = { .domain = "*", .tls = &none };
static const struct relay_route strict = { .domain = "*", .tls = &verify };
static const struct relay_route silent = { .domain = "*" };

static const struct {
	const char *local, *domain;
	const struct relay_route *route;
	const char *stored, *text;
} cases[] = {
	{ "a", "example.org", NULL, "", "required" },
	{ "a", "EXAMPLE.org", NULL, "", "required" },
	{ "", "example.org", NULL, "", "required" },
	{ "a", "x.example.org", NULL, "", "required-verify" },
	{ "a", "x.y.example.org", NULL, "", "required-verify" },
	{ "a", "x.deep.example.org", NULL, "", "none" },
	{ "a", "deep.example.org", NULL, "", "required-verify" },
	{ "a", "notexample.org", NULL, "", "preferred" },
	/* An address is nearest, however it is written. */
	{ "boss", "example.org", NULL, "", "required-verify" },
	{ "BOSS", "example.org", NULL, "", "required-verify" },
	{ "\"boss\"", "example.org", NULL, "", "required-verify" },
	{ "\"b\\oss\"", "example.org", NULL, "", "required-verify" },
	{ "\"The Boss\"", "example.org", NULL, "",
	    "required-verify deadline=1d" },
	{ "bos", "example.org", NULL, "", "required" },
	{ "boss", "x.example.net", NULL, "", "preferred" },
	/* A block that says nothing about TLS is looked through. */
	{ "a", "cert.example", NULL, "", "preferred" },
	{ "a", "xn--bcher-kva.example", NULL, "", "required" },
	{ "a", "B\xc3\x9c" "CHER.example", NULL, "", "required" },
	/* Two spellings of one name count both. */
	{ "a", "two.example", NULL, "", "required" },
	{ "postmaster", "", NULL, "", "required-verify" },
	{ "a", "[192.0.2.1]", NULL, "", "preferred" },
	{ "a", "[192.0.2.9]", NULL, "", "required" },
	/* With that of a route and the stored one, the maximum. */
	{ "a", "example.org", &clear, "", "required" },
	{ "a", "example.org", &strict, "", "required-verify" },
	{ "a", "example.org", &silent, "", "required" },
	{ "a", "example.org", NULL, "none", "required" },
	{ "a", "example.org", NULL, "Required-Verify", "required-verify" },
	{ "a", "example.org", &strict, "required", "required-verify" },
	/* What cannot be read stays what it is. */
	{ "a", "example.org", NULL, "most strict", "most strict" },
};

START_TEST(the_nearest_block_counts)
{
	unsigned again;

	begin(blocks);
	for (again = 0; again < 2; again++)
		ck_assert_str_eq(counts(cases[_i].local, cases[_i].domain,
		    cases[_i].route, cases[_i].stored), cases[_i].text);
	end();
}
END_TEST

/* A block may say less than delivery does; a plugin's block may not. */
START_TEST(blocks_stand_in_place_of_what_delivery_wants)
{
	begin("destination 'a.example' { tls = 'none' }\n"
	    "plugin 'tls_table' { entries = { 'b.example none', "
	    "'a.example none', 'c.example required' } }\n");
	ck_assert_str_eq(counts("a", "a.example", NULL, ""), "none");
	ck_assert_str_eq(counts("a", "b.example", NULL, ""), "");
	ck_assert_str_eq(counts("a", "c.example", NULL, ""), "required");
	end();
}
END_TEST

UNIT_SUITE(destinations)
{
	tcase_add_loop_test(tc, the_nearest_block_counts, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, blocks_stand_in_place_of_what_delivery_wants);
}
