/*
 * From descriptors and a boot file to instances in order; files are another
 * matter (tests/integration).
 */
#include "host/host_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "unit.h"

static struct err why;
static struct loop *loop;
static struct host *host;
static struct conf *conf;
static struct host_gen *gen;
static char trace[256];

struct options {
	const char *text, *path, *secret;
	const char *const *list;
	bool flag;
	int64_t number;
};

static enum pst_verdict
go(struct pst_event *ev)
{
	(void)strncat(trace, ev->on, sizeof(trace) - strlen(trace) - 2);
	(void)strcat(trace, " ");
	(void)strcat(trace, ev->instance);
	(void)strcat(trace, ",");
	return PST_CONTINUE;
}

static enum pst_verdict
refuse(struct pst_event *ev)
{
	return pst_tempfail(ev, 451, "4.3.0", "not today");
}

static enum pst_verdict
waited(struct pst_event *ev, const struct pst_result *res)
{
	(void)res;
	return go(ev);
}

static enum pst_verdict
wait_long(struct pst_event *ev)
{
	return pst_timer(ev, 3600000, waited);
}

#define HEAD(id)                                                               \
	.magic = PST_MAGIC, .size = sizeof(struct pst_plugin),                 \
	.abi_major = PST_ABI_MAJOR, .hook_size = sizeof(struct pst_hook),      \
	.option_size = sizeof(struct pst_option), .name = (id)

static const struct pst_hook eom[] = { PST_HOOK(PST_ON_EOM, go), PST_END };
static const struct pst_hook eom_before_a[] = {
	PST_HOOK_AT(PST_ON_EOM, go, .before = "x a"), PST_END };
static const struct pst_hook eom_after_d[] = {
	PST_HOOK_AT(PST_ON_EOM, go, .after = "d"), PST_END };
static const struct pst_hook eom_after_e[] = {
	PST_HOOK_AT(PST_ON_EOM, go, .after = "e"), PST_END };
static const struct pst_hook life[] = { PST_HOOK(PST_ON_START, go),
	PST_HOOK(PST_ON_STOP, go), PST_END };
static const struct pst_hook never[] = { PST_HOOK(PST_ON_START, refuse),
	PST_HOOK(PST_ON_STOP, go), PST_END };
static const struct pst_hook waits[] = { PST_HOOK(PST_ON_START, wait_long),
	PST_HOOK(PST_ON_STOP, go), PST_END };
static const struct pst_option options[] = {
	PST_STRING(struct options, text, NULL, "must be given"),
	PST_PATH(struct options, path, "/x", "a path"),
	PST_SECRET(struct options, secret, "", "a secret"),
	PST_LIST(struct options, list, "one two", "a list"),
	PST_BOOL(struct options, flag, "yes", "a flag"),
	PST_INT(struct options, number, "-3", "-5..5", "a number"), PST_END };

/* Work that looks at a setting when nobody waits for it any more. */
static int gate[2], begun[2];
static char seen[32];
static bool handed;

static int
looks(void *arg)
{
	const struct options *set = arg;
	char byte;

	if (write(begun[1], "x", 1) == 1 && read(gate[0], &byte,
		1) == 1)
		(void)snprintf(seen, sizeof(seen), "%s", set->text);
	return 0;
}

static enum pst_verdict
looked(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	(void)r;
	return PST_CONTINUE;
}

static enum pst_verdict
look(struct pst_event *ev)
{
	handed = true;
	return pst_offload(ev, looks, (void *)(uintptr_t)ev->conf, looked);
}

static enum pst_verdict
look_later(struct pst_event *ev)
{
	ck_assert_int_eq(pst_task(ev, look, NULL), 0);
	return PST_CONTINUE;
}

static const struct pst_hook works[] = { PST_HOOK(PST_ON_START, look_later),
	PST_END };

static const struct pst_plugin w = { HEAD("w"), .hooks = works,
	.options = options, .conf_size = sizeof(struct options) };
static const struct pst_plugin a = { HEAD("a"), .hooks = eom };
static const struct pst_plugin b = { HEAD("b"), .hooks = eom };
static const struct pst_plugin c = { HEAD("c"), .hooks = eom_before_a };
static const struct pst_plugin d = { HEAD("d"), .hooks = eom_after_e };
static const struct pst_plugin e = { HEAD("e"), .hooks = eom_after_d };
static const struct pst_plugin l = { HEAD("l"), .hooks = life };
static const struct pst_plugin n = { HEAD("n"), .hooks = never };
static const struct pst_plugin o = { HEAD("o"), .options = options,
	.conf_size = sizeof(struct options) };
static const struct pst_plugin z = { HEAD("z"), .hooks = waits };
static const struct pst_plugin *const all[] = { &a, &b, &c, &d, &e, &l, &n,
	&o, &w, &z, NULL };

static void
begin(const struct pst_plugin *const *v)
{
	struct host_world world = { .hostname = "a.test" };

	host_builtin(v);
	loop = world.loop = loop_new();
	host = host_new(&world);
}

static int
load(const char *text)
{
	err_clear(&why);
	if (conf_parse(&conf, "/b.lua", str_c(text), &conf_reader_plain,
		&why) != 0)
		return -1;
	return host_load(host, conf, &conf_reader_plain, &gen, &why);
}

static void
end(void)
{
	host_gen_unref(&gen);
	host_destroy(&host);
	conf_unref(&conf);
	loop_destroy(&loop);
}

static const char *
order(enum on on)
{
	static char text[64];
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < gen->chain[on].n; i++)
		(void)strcat(strcat(text, " "), gen->chain[on].v[i]->name);
	return text;
}

struct ordering {
	const char *text, *order, *why;
};

static const struct ordering orderings[] = {
	{ "plugin 'b' {} plugin 'a' {}", " b a", NULL },
	{ "plugin 'a' {} plugin 'b' {} plugin 'c' {}", " b c a", NULL },
	{ "plugin 'a' {} plugin 'c' {} plugin_order { eom = 'a' }", " a c",
	    NULL },
	{ "plugin 'a' {} plugin 'b' {} plugin 'b' 'b2' {} "
	    "plugin_order { eom = { 'b2', 'b' } }", " b2 b a", NULL },
	{ "plugin 'e' {} plugin 'a' {}", " e a", NULL },
	{ "plugin 'd' {} plugin 'e' {}", NULL, "/b.lua: no order of plugins "
	    "at \"eom\" is right for all: d behind e behind d; name them in "
	    "plugin_order" },
	{ "plugin 'd' {} plugin 'e' {} plugin_order { eom = 'd' }", " d e",
	    NULL },
	{ "plugin 'a' {} plugin_order { eom = 'b' }", NULL, "/b.lua: "
	    "plugin_order: eom: \"b\": there is no such instance (did you "
	    "mean \"a\"?)" },
	{ "plugin 'a' {} plugin_order { eom = { 'a', 'a' } }", NULL, "/b.lua: "
	    "plugin_order: eom: \"a\" is named twice" },
	{ "plugin 'a' {} plugin_order { mail = 'a' }", NULL, "/b.lua: "
	    "plugin_order: mail: \"a\": it has no function there" },
};

START_TEST(the_order_is_the_administrators_then_theirs_then_the_blocks)
{
	const struct ordering *t = &orderings[_i];

	begin(all);
	if (t->why != NULL) {
		ck_assert_int_eq(load(t->text), -1);
		ck_assert_str_eq(why.text, t->why);
	} else {
		ck_assert_msg(load(t->text) == 0, "%s", why.text);
		ck_assert_str_eq(order(ON_EOM), t->order);
	}
	end();
}
END_TEST

START_TEST(what_is_not_set_has_its_default)
{
	const struct options *v;

	begin(all);
	ck_assert_msg(load("plugin 'o' { text = 'x' }") == 0, "%s", why.text);
	v = instance_find(gen, "o")->conf;
	ck_assert_str_eq(v->text, "x");
	ck_assert_str_eq(v->path, "/x");
	ck_assert_str_eq(v->secret, "");
	ck_assert_str_eq(v->list[1], "two");
	ck_assert(v->list[2] == NULL && v->flag);
	ck_assert_int_eq(v->number, -3);
	end();
}
END_TEST

START_TEST(values_are_read_as_they_are_written)
{
	const struct options *v;

	begin(all);
	(void)setenv("TEST_LOAD_SECRET", "hush", 1);
	ck_assert_msg(load("plugin 'o' { text = '', path = 'y', number = '5', "
	    "secret = 'env:TEST_LOAD_SECRET', list = 'a b', flag = false }") ==
	    0, "%s", why.text);
	v = instance_find(gen, "o")->conf;
	ck_assert_str_eq(v->path, "/y");
	ck_assert_str_eq(v->secret, "hush");
	ck_assert_str_eq(v->list[0], "a b");
	ck_assert_int_eq(v->number, 5);
	ck_assert(!v->flag);
	end();
}
END_TEST

START_TEST(a_file_of_a_path_is_a_copy)
{
	const struct options *v;
	struct buf file, copy;

	begin(all);
	ck_assert_msg(load("plugin 'o' { text = '', path = "
	    "'file:/etc/passwd' }") == 0, "%s", why.text);
	v = instance_find(gen, "o")->conf;
	ck_assert(strncmp(v->path, "/proc/self/fd/", 14) == 0);
	buf_init(&file, CONF_MAX);
	buf_init(&copy, CONF_MAX);
	ck_assert_int_eq(file_read(&file, "/etc/passwd", NULL), 0);
	ck_assert_int_eq(file_read(&copy, v->path, NULL), 0);
	ck_assert(str_eq(buf_str(&file), buf_str(&copy)));
	buf_fini(&file);
	buf_fini(&copy);
	end();
}
END_TEST

START_TEST(what_must_be_given_is_missed)
{
	begin(all);
	ck_assert_int_eq(load("\nplugin 'o' { }"), -1);
	ck_assert_str_eq(why.text, "/b.lua:2: plugin \"o\": text must be "
	    "given");
	end();
}
END_TEST

static const struct pst_hook no_such[] = { PST_HOOK("eon", go), PST_END };
static const struct pst_hook no_op[] = { PST_HOOK("lookup/2.get", go),
	PST_END };
static const struct pst_hook twice[] = { PST_HOOK(PST_ON_EOM, go),
	PST_HOOK(PST_ON_EOM, go), PST_END };
static const struct pst_hook no_fn[] = { PST_HOOK(PST_ON_EOM, NULL), PST_END };
#define TABLE(id, ...)                                                         \
	static const struct pst_option id[] = { { __VA_ARGS__ }, PST_END }
TABLE(opt_place, "x", PST_T_INT, 12, "1", NULL, "");
TABLE(opt_outside, "x", PST_T_INT, 16, "1", NULL, "");
TABLE(opt_type, "x", (enum pst_type)77, 0, "1", NULL, "");
TABLE(opt_range, "x", PST_T_INT, 0, "1", "5..1", "");
TABLE(opt_default, "x", PST_T_INT, 0, "9", "1..5", "");
TABLE(opt_choice, "x", PST_T_CHOICE, 0, "a", NULL, "");
TABLE(opt_common, "timeout", PST_T_INT, 0, "1", NULL, "");
TABLE(opt_name, "x y", PST_T_INT, 0, "1", NULL, "");
TABLE(opt_secret, "x", PST_T_SECRET, 0, "hunter2", NULL, "");

struct broken {
	struct pst_plugin p;
	const char *why;
};

static const struct broken brokens[] = {
	{ { HEAD("p"), .hooks = no_such }, "plugin \"p\": there is no hook or "
	    "operation \"eon\" (did you mean \"eom\"?)" },
	{ { HEAD("p"), .hooks = no_op }, "plugin \"p\": there is no hook or "
	    "operation \"lookup/2.get\" (did you mean \"lookup/1.get\"?)" },
	{ { HEAD("p"), .hooks = twice }, "plugin \"p\": two functions for "
	    "\"eom\"" },
	{ { HEAD("p"), .hooks = no_fn }, "plugin \"p\": hook 0, \"eom\", has "
	    "no function" },
	{ { HEAD("p"), .options = opt_place, .conf_size = 16 },
	    "option \"x\": it does not fit at octet 12 of 16" },
	{ { HEAD("p"), .options = opt_outside, .conf_size = 16 },
	    "option \"x\": it does not fit at octet 16 of 16" },
	{ { HEAD("p"), .options = opt_type, .conf_size = 16 },
	    "option \"x\": type 77 is none" },
	{ { HEAD("p"), .options = opt_range, .conf_size = 16 },
	    "option \"x\": range \"5..1\" is none" },
	{ { HEAD("p"), .options = opt_default, .conf_size = 16 },
	    "default of option x must be within 1..5" },
	{ { HEAD("p"), .options = opt_choice, .conf_size = 16 },
	    "option \"x\": a choice of nothing" },
	{ { HEAD("p"), .options = opt_common, .conf_size = 16 },
	    "option \"timeout\": every plugin has a setting of that name" },
	{ { HEAD("p"), .options = opt_name, .conf_size = 16 },
	    "option 0 has no name but \"x y\"" },
	{ { HEAD("p"), .options = opt_secret, .conf_size = 16 },
	    "default of option x must be \"file:PATH\" or \"env:NAME\"" },
	{ { .magic = 1, .name = "p" }, "its descriptor has the wrong magic" },
	{ { .magic = PST_MAGIC, .abi_major = 2, .name = "p" },
	    "was built for ABI 2" },
	{ { .magic = PST_MAGIC, .abi_major = 1, .abi_need = 7, .name = "p" },
	    "needs ABI 1.7" },
	{ { .magic = PST_MAGIC, .abi_major = 1, .size = 8, .name = "p" },
	    "its descriptor is too small (8, 0, 0 octets)" },
	{ { HEAD("p"), .conf_size = 1 << 30 }, "conf_size is 1073741824" },
};

START_TEST(a_descriptor_that_cannot_be_right_is_refused)
{
	const struct broken *t = &brokens[_i];
	const struct pst_plugin *v[] = { &t->p, NULL };

	begin(v);
	ck_assert_int_eq(load("plugin 'p' { }"), -1);
	ck_assert_msg(strstr(why.text, t->why) != NULL, "%s", why.text);
	ck_assert_msg(strncmp(why.text, "/b.lua:1: ", 10) == 0, "%s", why.text);
	end();
}
END_TEST

START_TEST(the_descriptor_must_have_the_files_name)
{
	static const struct pst_plugin p = { HEAD("other") };
	struct pool *pool = pool_new(0);

	err_clear(&why);
	ck_assert(descriptor_read(pool, &p, "p", &why) == NULL);
	ck_assert_str_eq(why.text, "plugin \"p\" calls itself \"other\": it "
	    "was renamed");
	pool_destroy(&pool);
}
END_TEST

/* Of a later minor, which appended to all three. */
struct later_hook {
	struct pst_hook h;
	void *more;
};
struct later_option {
	struct pst_option o;
	void *more;
};

START_TEST(a_descriptor_with_larger_elements_is_read)
{
	static const struct later_hook hooks[] = {
		{ PST_HOOK(PST_ON_MAIL, go), NULL },
		{ PST_HOOK(PST_ON_EOM, go), NULL }, { { 0 }, NULL } };
	static const struct later_option opts[] = {
		{ { "x", PST_T_INT, 0, "1", NULL, "" }, NULL },
		{ { "y", PST_T_INT, 8, "2", NULL, "" }, NULL },
		{ { 0 }, NULL } };
	struct {
		struct pst_plugin p;
		void *more;
	} later = { .p = { HEAD("p"), .conf_size = 16 } };
	struct pool *pool = pool_new(0);
	const struct pst_plugin *p;

	later.p.size = sizeof(later);
	later.p.hook_size = sizeof(struct later_hook);
	later.p.option_size = sizeof(struct later_option);
	later.p.hooks = &hooks[0].h;
	later.p.options = &opts[0].o;
	err_clear(&why);
	p = descriptor_read(pool, &later.p, "p", &why);
	ck_assert_msg(p != NULL, "%s", why.text);
	ck_assert_str_eq(p->hooks[1].on, PST_ON_EOM);
	ck_assert(p->hooks[2].on == NULL);
	ck_assert_str_eq(p->options[1].name, "y");
	ck_assert(p->options[2].name == NULL);
	pool_destroy(&pool);
}
END_TEST

static void
started(void *arg, const struct err *no)
{
	(void)snprintf(arg, 512, "%s", no == NULL ? "yes" : no->text);
}

START_TEST(instances_start_in_turn_and_stop_the_last_one_first)
{
	char said[512] = "";

	begin(all);
	ck_assert_msg(load("plugin 'l' 'one' {} plugin 'l' 'two' {}") == 0,
	    "%s", why.text);
	host_start(gen, started, said);
	ck_assert_str_eq(said, "");
	loop_once(loop, false);
	ck_assert_str_eq(said, "yes");
	end();
	ck_assert_str_eq(trace, "start one,start two,stop two,stop one,");
}
END_TEST

START_TEST(one_that_does_not_start_stops_those_that_did)
{
	char said[512] = "";

	begin(all);
	ck_assert_msg(load("plugin 'l' {}\nplugin 'n' {}\nplugin 'l' 'x' {}")
	    == 0, "%s", why.text);
	host_start(gen, started, said);
	loop_once(loop, false);
	ck_assert_str_eq(said, "plugin \"n\" (line 2) does not start: not "
	    "today");
	ck_assert_str_eq(trace, "start l,stop l,");
	end();
	ck_assert_str_eq(trace, "start l,stop l,");
}
END_TEST

START_TEST(a_host_may_end_while_its_plugins_start)
{
	char said[512] = "";

	begin(all);
	ck_assert_msg(load("plugin 'l' {}") == 0, "%s", why.text);
	host_start(gen, started, said);
	end();
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(trace, "");
}
END_TEST

START_TEST(settings_live_until_work_that_has_them_returned)
{
	char said[512] = "";
	int i;
	char byte;

	ck_assert_int_eq(pipe(gate), 0);
	ck_assert_int_eq(pipe(begun), 0);
	begin(all);
	ck_assert_msg(load("plugin 'w' { text = 'abcdefghijklmnopqrstuvwx' }")
	    == 0, "%s", why.text);
	host_start(gen, started, said);
	while (!handed)
		loop_once(loop, false);
	ck_assert_str_eq(said, "yes");
	ck_assert_int_eq(read(begun[0], &byte, 1), 1);
	host_gen_unref(&gen);
	while (host->gens != NULL)
		loop_once(loop, false);
	ck_assert_int_eq(write(gate[1], "x", 1), 1);
	end();
	ck_assert_str_eq(seen, "abcdefghijklmnopqrstuvwx");
	for (i = 0; i < 2; i++) {
		(void)close(gate[i]);
		(void)close(begun[i]);
	}
}
END_TEST

START_TEST(a_start_that_is_cancelled_stops_those_that_did)
{
	char said[512] = "";

	begin(all);
	ck_assert_msg(load("plugin 'l' {} plugin 'z' {} plugin 'l' 'x' {}")
	    == 0, "%s", why.text);
	host_start(gen, started, said);
	loop_once(loop, false);
	ck_assert_str_eq(trace, "start l,");
	host_start_cancel(gen);
	ck_assert_str_eq(trace, "start l,stop l,");
	host_start_cancel(gen);
	loop_once(loop, false);
	end();
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(trace, "start l,stop l,");
}
END_TEST

START_TEST(a_start_may_be_cancelled_before_it_has_begun)
{
	char said[512] = "";

	begin(all);
	ck_assert_msg(load("plugin 'l' {}") == 0, "%s", why.text);
	host_start(gen, started, said);
	host_start_cancel(gen);
	loop_once(loop, false);
	end();
	ck_assert_str_eq(said, "");
	ck_assert_str_eq(trace, "");
}
END_TEST

UNIT_SUITE(load)
{
	tcase_add_loop_test(tc,
	    the_order_is_the_administrators_then_theirs_then_the_blocks, 0,
	    sizeof(orderings) / sizeof(orderings[0]));
	tcase_add_test(tc, what_is_not_set_has_its_default);
	tcase_add_test(tc, values_are_read_as_they_are_written);
	tcase_add_test(tc, a_file_of_a_path_is_a_copy);
	tcase_add_test(tc, what_must_be_given_is_missed);
	tcase_add_loop_test(tc, a_descriptor_that_cannot_be_right_is_refused,
	    0, sizeof(brokens) / sizeof(brokens[0]));
	tcase_add_test(tc, the_descriptor_must_have_the_files_name);
	tcase_add_test(tc, a_descriptor_with_larger_elements_is_read);
	tcase_add_test(tc, a_start_that_is_cancelled_stops_those_that_did);
	tcase_add_test(tc, a_start_may_be_cancelled_before_it_has_begun);
	tcase_add_test(tc,
	    instances_start_in_turn_and_stop_the_last_one_first);
	tcase_add_test(tc, one_that_does_not_start_stops_those_that_did);
	tcase_add_test(tc, a_host_may_end_while_its_plugins_start);
	tcase_add_test(tc,
	    settings_live_until_work_that_has_them_returned);
}
