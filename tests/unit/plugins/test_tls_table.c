/*
 * tls_table in the real host, as it is built into the program.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postern/tls_policy.h>

#include "base/log.h"
#include "host/hooks.h"
#include "host/host.h"
#include "logfile.h"
#include "scratch.h"
#include "unit.h"

extern const struct pst_plugin tls_table_LTX_postern_plugin;

static struct {
	struct loop *loop;
	struct host *host;
	struct conf *conf;
	struct host_gen *gen;
	bool started, good;
	struct err why;
} w;

static void
started(void *arg, const struct err *why)
{
	(void)arg;
	w.started = true;
	w.good = why == NULL;
	if (why != NULL)
		w.why = *why;
}

/* Runs what is due for so many milliseconds. */
static void
run(msec ms)
{
	msec until = clock_now() + ms;

	while (loop_step_fake(w.loop, until))
		;
}

/* body: what stands in the block. */
static void
begin(const char *body)
{
	static const struct pst_plugin *const builtins[] = {
		&tls_table_LTX_postern_plugin, NULL };
	struct log_conf log = { .level = LOG_LV_INFO, .sync = true };
	struct host_world world = { .hostname = "mx.us.example" };
	struct err why = ERR_INIT;
	char text[4096];

	memset(&w, 0, sizeof(w));
	clock_fake(1700000000000);
	log_open(&log);
	log_to_file(scratch_path("log"));
	host_builtin(builtins);
	w.loop = loop_new();
	world.loop = w.loop;
	w.host = host_new(&world);
	(void)snprintf(text, sizeof(text), "hostname = 'mx.us.example'\n"
	    "listener 'in' { address = { '127.0.0.1:25' } }\n"
	    "plugin 'tls_table' { %s }\n", body);
	if (conf_parse(&w.conf, "postern.lua", str_c(text), &conf_reader_none,
		&why) != 0)
		ck_abort_msg("%s", why.text);
	if (host_load(w.host, w.conf, &conf_reader_plain, &w.gen, &why) != 0)
		ck_abort_msg("%s", why.text);
	host_start(w.gen, started, NULL);
	run(10);
	ck_assert(w.started);
}

static void
end(void)
{
	host_gen_unref(&w.gen);
	run(10);
	conf_unref(&w.conf);
	host_destroy(&w.host);
	loop_destroy(&w.loop);
	log_close();
	scratch_remove();
}

static const char *
want(const char *local, const char *domain)
{
	struct pst_tls_rcpt q = { .size = sizeof(q), .local = local,
		.domain = domain };
	struct op_answer a;

	op_now(op_next(w.gen, PST_TLS_POLICY_RCPT, NULL), PST_TLS_POLICY_RCPT,
	    NULL, &q, &a);
	ck_assert_int_eq(a.verdict, PST_CONTINUE);
	return q.want != NULL ? q.want : "";
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(scratch_path("new"), "w");

	ck_assert_ptr_nonnull(f);
	(void)fputs(text, f);
	(void)fclose(f);
	ck_assert_int_eq(rename(scratch_path("new"), scratch_path(name)), 0);
}

static const char entries[] = "entries = { '* preferred', "
    "'.example.org required-verify', 'example.org  required', "
    "'.deep.example.org none', 'Boss@Example.ORG required-verify match=mx', "
    "'b\xc3\xbc" "cher.example required' }";

static const struct {
	const char *local, *domain, *want;
} cases[] = {
	{ "a", "example.org", "required" },
	{ "", "example.org", "required" },
	{ "a", "x.example.org", "required-verify" },
	{ "a", "x.y.example.org", "required-verify" },
	{ "a", "x.deep.example.org", "none" },
	{ "a", "deep.example.org", "required-verify" },
	{ "a", "notexample.org", "preferred" },
	{ "boss", "example.org", "required-verify match=mx" },
	{ "BOSS", "example.org", "required-verify match=mx" },
	{ "\"boss\"", "example.org", "required-verify match=mx" },
	{ "\"b\\oss\"", "example.org", "required-verify match=mx" },
	{ "bos", "example.org", "required" },
	{ "boss", "x.example.net", "preferred" },
	{ "a", "xn--bcher-kva.example", "required" },
	{ "a", "[192.0.2.1]", "preferred" },
};

START_TEST(the_nearest_entry_counts)
{
	(void)scratch();
	begin(entries);
	ck_assert(w.good);
	ck_assert_str_eq(want(cases[_i].local, cases[_i].domain),
	    cases[_i].want);
	end();
}
END_TEST

static const struct {
	const char *entry, *why;
} bad[] = {
	{ "example.org", "the TLS is missing" },
	{ "example.org strict", "a word is none of a TLS want" },
	{ "example.org required mach=mx", "a word is none of a TLS want" },
	{ "example.org required now", "a word is no NAME=VALUE" },
	{ "@example.org required", "this is no address" },
	{ ". required", "this is no address" },
	{ "A.example required', 'a.EXAMPLE none", "there is an entry for it" },
};

START_TEST(an_entry_that_cannot_be_meant_refuses_the_configuration)
{
	char text[200];

	(void)scratch();
	(void)snprintf(text, sizeof(text), "entries = { '%s' }",
	    bad[_i].entry);
	begin(text);
	ck_assert(!w.good);
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("log"), bad[_i].why));
	end();
}
END_TEST

START_TEST(a_file_is_read_again_when_it_has_changed)
{
	char text[400];

	(void)scratch();
	put("table", "# ours\na.example required # why\n\n"
	    "b.example\tnone\r\n");
	(void)snprintf(text, sizeof(text), "file = '%s', reload = '1s', "
	    "entries = { 'c.example required' }", scratch_path("table"));
	begin(text);
	ck_assert(w.good);
	ck_assert_str_eq(want("x", "a.example"), "required");
	ck_assert_str_eq(want("x", "b.example"), "none");
	ck_assert_str_eq(want("x", "c.example"), "required");
	put("table", "a.example required-verify\n");
	run(1500);
	ck_assert_str_eq(want("x", "a.example"), "required-verify");
	ck_assert_str_eq(want("x", "b.example"), "");
	/* A broken file, or none, leaves what there was. */
	put("table", "a.example none\nb.example tight\n");
	run(1500);
	ck_assert_str_eq(want("x", "a.example"), "required-verify");
	log_flush();
	ck_assert_ptr_nonnull(strstr(scratch_read("log"),
	    "table:2: a word is none of a TLS want"));
	ck_assert_int_eq(unlink(scratch_path("table")), 0);
	run(1500);
	ck_assert_str_eq(want("x", "a.example"), "required-verify");
	put("table", "a.example preferred\n");
	run(1500);
	ck_assert_str_eq(want("x", "a.example"), "preferred");
	end();
}
END_TEST

static const char *
entry(const char *domain)
{
	struct pst_tls_entry q = { .size = sizeof(q), .local = "x",
		.domain = domain };
	struct op_answer a;

	op_now(op_next(w.gen, PST_TLS_POLICY_ENTRY, NULL),
	    PST_TLS_POLICY_ENTRY, NULL, &q, &a);
	ck_assert_int_eq(a.verdict, PST_CONTINUE);
	return q.entry != NULL ? q.entry : "";
}

START_TEST(who_asks_is_told_which_entry_it_was)
{
	char text[400], file[300];

	(void)scratch();
	put("table", "# ours\n.a.example required\n");
	(void)snprintf(text, sizeof(text), "file = '%s', entries = { "
	    "'B.example required' }", scratch_path("table"));
	(void)snprintf(file, sizeof(file), "%s:2 .a.example",
	    scratch_path("table"));
	begin(text);
	ck_assert_str_eq(entry("b.a.example"), file);
	ck_assert_str_eq(entry("b.example"), "b.example");
	ck_assert_str_eq(entry("c.example"), "");
	end();
}
END_TEST

START_TEST(a_file_that_is_missing_at_start_refuses_the_configuration)
{
	(void)scratch();
	begin("file = '/nonexistent/table'");
	ck_assert(!w.good);
	end();
}
END_TEST

START_TEST(many_entries_are_no_matter)
{
	char text[400], domain[40];
	FILE *f;
	unsigned i;

	(void)scratch();
	f = fopen(scratch_path("table"), "w");
	ck_assert_ptr_nonnull(f);
	for (i = 0; i < 50000; i++)
		(void)fprintf(f, "d%u.example %s\n", i,
		    i % 2 == 0 ? "required" : "required-verify");
	(void)fclose(f);
	(void)snprintf(text, sizeof(text), "file = '%s'",
	    scratch_path("table"));
	begin(text);
	ck_assert(w.good);
	for (i = 0; i < 50000; i++) {
		(void)snprintf(domain, sizeof(domain), "d%u.example", i);
		ck_assert_str_eq(want("a", domain), i % 2 == 0 ?
		    "required" : "required-verify");
	}
	end();
}
END_TEST

UNIT_SUITE(tls_table)
{
	tcase_add_loop_test(tc, the_nearest_entry_counts, 0,
	    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_loop_test(tc,
	    an_entry_that_cannot_be_meant_refuses_the_configuration, 0,
	    (int)(sizeof(bad) / sizeof(bad[0])));
	tcase_add_test(tc, who_asks_is_told_which_entry_it_was);
	tcase_add_test(tc, a_file_is_read_again_when_it_has_changed);
	tcase_add_test(tc,
	    a_file_that_is_missing_at_start_refuses_the_configuration);
	tcase_add_test(tc, many_entries_are_no_matter);
}
