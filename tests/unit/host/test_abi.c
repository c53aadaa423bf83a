/*
 * Two majors of the plugin interface in one host: the files of tests/sdk/abi1,
 * as they were built for the first, and one of a second, which is here only.
 */
#include "host/event_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi2.h"
#include "base/file.h"
#include "base/log.h"
#include "logfile.h"
#include "scratch.h"
#include "unit.h"

static struct err why;
static struct loop *loop;
static struct host *host;
static struct conf *conf;
static struct host_gen *gen;
static struct hook_run *run;
static struct hook_verdict verdict;
static struct about about;
static struct scope *scopes[PST_INSTANCE + 1];
static const char *dir;
static char trace[256];

/* ---- The second major ---------------------------------------------------- */

static enum pst_verdict
two_sleep(struct pst_event *ev, pst_then *then, uint32_t seconds)
{
	return api_timer(ev, seconds * 1000, then);
}

static void
two_say(struct pst_event *ev, const char *text)
{
	(void)snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace),
	    "%s %s, ", ev->instance, text);
}

static const struct two_api two_table = { .sleep = two_sleep, .major = 2,
	.say = two_say };

static const struct pst_plugin *
two_read(struct pool *pool, const struct pst_plugin *found, const char *name,
    struct err *no)
{
	const struct two_plugin *p = (const void *)found;
	struct pst_plugin *ours = POOL_NEW(pool, struct pst_plugin);
	struct pst_hook *hooks;
	unsigned i;

	if (strcmp(p->name, name) != 0) {
		(void)err_text(no, "plugin \"%s\" was renamed", name);
		return NULL;
	}
	hooks = pool_alloc(pool, (p->nhooks + 1u) * sizeof(*hooks));
	for (i = 0; i < p->nhooks; i++) {
		hooks[i].on = p->hooks[i].on;
		hooks[i].fn = p->hooks[i].fn;
	}
	ours->abi_major = p->abi_major;
	ours->name = p->name;
	ours->version = ours->summary = ours->license = "";
	ours->hooks = hooks;
	return ours;
}

static const struct abi two_majors[] = {
	{ .major = 2, .minor = 0, .api = &two_table, .read = two_read },
	{ .major = PST_ABI_MAJOR,
	    .minor = PST_ABI_MINOR,
	    .api = &api_table,
	    .read = descriptor_read },
	{ .major = 0 }
};

/* ---- A message ----------------------------------------------------------- */

static const char *
fact_of(void *arg, enum fact f, int rcpt, struct pool *pool)
{
	(void)arg;
	(void)rcpt;
	(void)pool;
	return f == FACT_MESSAGE_SIZE ? "3000" : NULL;
}

static int
edited(void *arg, int rcpt, enum edit_op op, const char *name, unsigned nth,
    const char *value, struct err *no)
{
	(void)arg;
	(void)rcpt;
	(void)op;
	(void)nth;
	(void)no;
	(void)snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace),
	    "%s: %s, ", name, value);
	return 0;
}

static struct scope **
scope_of(void *arg, int which, int rcpt)
{
	(void)arg;
	(void)rcpt;
	return &scopes[which];
}

static const struct about_ops mail_ops = { .get = fact_of, .edit = edited,
	.scope = scope_of };

static void
said(void *arg, const struct hook_verdict *v)
{
	(void)arg;
	run = NULL;
	verdict = *v;
}

static void
ask(enum hook h)
{
	msec until = clock_now() + 5000;

	if (hook_ask(gen, h, &about, &verdict, said, NULL, &run))
		return;
	while (run != NULL && loop_step_fake(loop, until))
		;
	ck_assert_ptr_null(run);
}

/* ---- The host ------------------------------------------------------------ */

/* Where nobody else can write, whatever the umask was in the source. */
static void
copy(const char *from, const char *name)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	ck_assert_msg(file_read(&b, from, &why) == 0, "%s", why.text);
	ck_assert_int_eq(file_replace(scratch_path(name), buf_p(&b),
	    buf_len(&b), 0600, &why), 0);
	buf_fini(&b);
}

static void
copy_first(const char *plugin)
{
	const char *src = getenv("top_srcdir");
	char path[4096], name[64];

	(void)snprintf(name, sizeof(name), "%s.so", plugin);
	(void)snprintf(path, sizeof(path), "%s/tests/sdk/abi1/%s",
	    src != NULL ? src : "..", name);
	copy(path, name);
}

static void
begin(const struct abi *abi)
{
	struct host_world world = { .hostname = "a.test" };
	struct log_conf quiet = { .level = LOG_LV_WARNING, .sync = true };
	const char *build = getenv("top_builddir");
	char path[4096];

	dir = scratch();
	clock_fake(1523926673123);
	log_open(&quiet);
	log_to_file(scratch_path("log"));
	(void)snprintf(path, sizeof(path), "%s/tests/plugins/.libs/abi2.so",
	    build != NULL ? build : ".");
	copy(path, "abi2.so");
	loop = world.loop = loop_new();
	host = host_new(&world);
	if (abi != NULL)
		host->abi = abi;
	about = (struct about){ .ops = &mail_ops, .rcpt = -1 };
	trace[0] = '\0';
}

static int
load(const char *blocks)
{
	char text[1024];

	err_clear(&why);
	(void)snprintf(text, sizeof(text), "plugin_dirs = '%s'\n%s", dir,
	    blocks);
	ck_assert_msg(conf_parse(&conf, "/b.lua", str_c(text),
	    &conf_reader_plain, &why) == 0, "%s", why.text);
	return host_load(host, conf, &conf_reader_plain, &gen, &why);
}

static void
end(void)
{
	unsigned i;

	for (i = 0; i <= PST_INSTANCE; i++)
		scope_end(&scopes[i]);
	host_gen_unref(&gen);
	host_destroy(&host);
	conf_unref(&conf);
	loop_destroy(&loop);
	log_close();
	scratch_remove();
}

#ifdef __x86_64__
START_TEST(files_of_two_majors_work_in_one_process)
{
	static const char *const first[] = { "dnslist", "hello", "outside",
		"pairs", "partner", "score", "small" };
	unsigned i;

	begin(two_majors);
	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		copy_first(first[i]);
	ck_assert_msg(load("plugin 'hello' {} plugin 'abi2' {} "
	    "plugin 'hello' 'again' {} plugin 'abi2' 'and' {} "
	    "plugin 'small' { limit = '2k' } "
	    "plugin 'dnslist' { zone = 'list.test' } "
	    "plugin 'pairs' { pairs = 'sky:blue' } "
	    "plugin 'outside' { domain = 'a.test' } "
	    "plugin 'partner' { table = 'pairs' } "
	    "plugin 'score' { zone = 'list.test', "
	    "url = 'http://127.0.0.1:1/' } "
	    "plugin_order { eom = { 'hello', 'abi2', 'again', 'and' } }") == 0,
	    "%s", why.text);
	ck_assert_ptr_eq(instance_find(gen, "small")->api, &api_table);
	ck_assert_ptr_eq(instance_find(gen, "and")->api, &two_table);
	ask(HOOK_EOM);
	ck_assert_str_eq(trace, "X-Hello: world, abi2 goes to sleep, "
	    "abi2 slept, X-Hello: world, and goes to sleep, and slept, "
	    "X-Score: 0, ");
	ask(HOOK_MAIL);
	ck_assert_int_eq(verdict.act, HOOK_REJECT);
	ck_assert_str_eq(verdict.by, "small");
	ck_assert_str_eq(verdict.reply.text, "too large, ask postmaster");
	end();
}
END_TEST
#endif

static const struct pst_plugin third = { .magic = PST_MAGIC, .abi_major = 3,
	.size = 8, .name = "third" };
static const struct pst_plugin newer = { .magic = PST_MAGIC, .abi_major = 2,
	.abi_need = 1, .size = 8, .name = "newer" };
static const struct pst_plugin *const strangers[] = { &third, &newer, NULL };

START_TEST(a_major_that_is_not_served_is_refused)
{
	begin(two_majors);
	host_builtin(strangers);
	ck_assert_int_eq(load("plugin 'third' {}"), -1);
	ck_assert_str_eq(why.text, "/b.lua:2: plugin \"third\" was built for "
	    "ABI 3, this is Postern " PACKAGE_VERSION " with ABI 2 and 1");
	end();
}
END_TEST

START_TEST(the_minor_that_counts_is_that_of_its_major)
{
	begin(two_majors);
	host_builtin(strangers);
	ck_assert_int_eq(load("plugin 'newer' {}"), -1);
	ck_assert_str_eq(why.text, "/b.lua:2: plugin \"newer\" needs ABI 2.1, "
	    "this is Postern " PACKAGE_VERSION " with ABI 2.0");
	end();
}
END_TEST

START_TEST(the_program_serves_one)
{
	begin(NULL);
	ck_assert_int_eq(load("plugin 'abi2' {}"), -1);
	ck_assert_msg(strstr(why.text, "plugin \"abi2\" was built for ABI 2, "
	    "this is Postern " PACKAGE_VERSION " with ABI 1") != NULL, "%s",
	    why.text);
	end();
}
END_TEST

UNIT_SUITE(abi)
{
#ifdef __x86_64__
	tcase_add_test(tc, files_of_two_majors_work_in_one_process);
#endif
	tcase_add_test(tc, a_major_that_is_not_served_is_refused);
	tcase_add_test(tc, the_minor_that_counts_is_that_of_its_major);
	tcase_add_test(tc, the_program_serves_one);
}
