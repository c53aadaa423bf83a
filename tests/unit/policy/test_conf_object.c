#include "unit.h"

#include <string.h>

#include "policy/conf.h"
#include "policy/conf_object.h"

#define BOOT "destination \"Example.COM\" { tls = \"none\", "                  \
	"certificate = \"mail\" }\n"                                           \
	"delivery { concurrency = 3, max_messages = 4 }\n"

static struct conf *
over(const char *text, const char *name, bool lines, struct err *why)
{
	struct conf_over o = { .text = str_c(text), .name = name,
		.lines = lines, .revision = 12 };
	struct conf *c = NULL;

	if (conf_parse_over(&c, "/b.lua", str_c(BOOT), &o, &conf_reader_none,
		why) != 0)
		return NULL;
	return c;
}

START_TEST(the_store_has_the_last_word_setting_by_setting)
{
	struct err why = ERR_INIT;
	struct conf *c;

	c = over("destination \"example.com\" { tls = \"required\" }\n"
	    "destination \"other.example\" { }\n"
	    "delivery { concurrency = 9 }\n", "revision 12", false, &why);
	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->revision, 12);
	ck_assert_uint_eq(c->ndestination, 2);
	ck_assert_str_eq(c->destination[0].name, "Example.COM");
	ck_assert_int_eq(c->destination[0].tls->level, TLSWANT_REQUIRED);
	ck_assert_str_eq(c->destination[0].certificate, "mail");
	ck_assert_uint_eq(c->delivery.concurrency, 9);
	ck_assert_uint_eq(c->delivery.max_messages, 4);
	conf_unref(&c);
}
END_TEST

static const struct {
	const char *text, *name;
	bool lines;
	const char *why;
} wrong[] = {
	{ "destination \"x\" { tls = \"all\" }", "revision 12", false,
	    "revision 12: destination \"x\": tls: \"all\" is no TLS level" },
	{ "destination \"x\" { tls = \"all\" }", NULL, false,
	    "destination \"x\": tls: \"all\" is no TLS level" },
	{ "delivery { concurency = 1 }", "revision 12", false,
	    "revision 12: delivery: unknown setting \"concurency\" in "
	    "delivery (did you mean \"concurrency\"?)" },
	{ "\ndelivery {\n concurrency = 0 }", "file", true,
	    "file:3: concurrency must be within 1..10000" },
	{ "\nspool = 'x'", "file", true, "file:2: \"spool\" is no setting of "
	    "the configuration store" },
	{ "relay { }", "file", true, "file:1: relay { } belongs in the boot "
	    "file, not in the configuration store" },
	{ "rout \"x\" { }", "file", true, "file:1: \"rout\" is no kind of "
	    "object (did you mean \"route\"?)" },
	{ "route \"x\" { }", "revision 12", false,
	    "revision 12: route \"x\": route \"x\" has no hosts" },
	/* What only shows when all is looked at together. */
	{ "destination \"x\" { tls = \"none\", bounce_profile = \"y\" }",
	    "revision 12", false,
	    "revision 12: destination \"x\": no bounce_profile \"y\"" },
	{ "destination \"x\" { bounce_profile = \"y\" }", NULL, false,
	    "destination \"x\": no bounce_profile \"y\"" },
	{ "destination \"x\" {\n tls = \"none\",\n bounce_profile = \"y\",\n}",
	    "file", true,
	    "file:3: destination \"x\": no bounce_profile \"y\"" },
	{ "destination \"example.com\" {\n\n bounce_profile = \"y\",\n}",
	    "file", true,
	    "file:3: destination \"Example.COM\": no bounce_profile \"y\"" },
	{ "destination \"example.com\" { tls = \"required ciphers=RC4-SHA\" }",
	    "revision 12", false, "revision 12: destination \"Example.COM\": "
	    "no cipher of \"RC4-SHA\" is there" },
	{ "delivery {\n bind_v4 = \"::1\",\n}", "file", true,
	    "file:2: delivery: \"::1\" is no IPv4 address" },
	{ "delivery { bind_v4 = \"::1\" }", "revision 12", false,
	    "revision 12: delivery: \"::1\" is no IPv4 address" },
	{ "route \".far.example\" {\n hosts = \"x\",\n auth_user = \"u\" }",
	    "file", true, "file:3: route \".far.example\": auth_user without "
	    "auth_password_file" },
	{ "listener \"i\" { address = \"*:25\",\n sender_groups = \"A\" }",
	    "file", true, "file:2: listener \"i\": no sender_group \"A\"" },
	{ "sender_group \"A\" { policy = \"P\" }", "revision 12", false,
	    "revision 12: sender_group \"A\": no mail_flow_policy \"P\"" },
	{ "recipient_access \"a.test\" { listeners = \"x\" }", NULL, false,
	    "recipient_access \"a.test\": no listener \"x\"" },
	{ "bounce_profile \"x\" { first_retry = \"2h\" }", NULL, false,
	    "bounce_profile \"x\": first_retry is longer than max_retry" },
	{ "destination \"x y\" { }", "file", true, "file:1: destination "
	    "\"x y\" is no address, domain, .domain or *" },
};

START_TEST(tells_what_is_wrong_and_where)
{
	struct err why = ERR_INIT;

	ck_assert_ptr_null(over(wrong[_i].text, wrong[_i].name,
	    wrong[_i].lines, &why));
	ck_assert_msg(strncmp(why.text, wrong[_i].why,
	    strlen(wrong[_i].why)) == 0, "%s", why.text);
}
END_TEST

START_TEST(equal_objects_are_equal_texts)
{
	static const char *const text[] = {
		"destination 'Example.COM' { certificate = 'm', "
		"tls = 'none' }",
		"local x = 'none' destination \"example.com\" "
		"{ tls = x, certificate = \"m\" }",
	};
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct conf_object *v;
	struct buf b;
	unsigned i, n;

	buf_init(&b, 10000);
	for (i = 0; i < 2; i++) {
		buf_reset(&b);
		ck_assert_int_eq(conf_objects_read(pool, "f", str_c(text[i]),
		    &v, &n, &why), 0);
		ck_assert_uint_eq(n, 1);
		conf_object_write(v, &b);
		ck_assert_str_eq(buf_p(&b), "destination \"example.com\" {\n"
		    "  tls = \"none\",\n  certificate = \"m\",\n}\n");
	}
	buf_fini(&b);
	pool_destroy(&pool);
}
END_TEST

static const struct {
	const char *kind, *key, *value, *line;
} words[] = {
	{ "delivery", "concurrency", "20", "  concurrency = 20,\n" },
	{ "delivery", "alert_required_tls", "Yes",
	    "  alert_required_tls = true,\n" },
	{ "delivery", "alert_required_tls", "off",
	    "  alert_required_tls = false,\n" },
	{ "delivery", "idle", "5s", "  idle = \"5s\",\n" },
	{ "delivery", "certificate", "\"\"", "  certificate = \"\",\n" },
	{ "delivery", "certificate", "a \"b\"\\\n\x01",
	    "  certificate = \"a \\\"b\\\"\\\\\\010\\001\",\n" },
	{ "limits", "message_size", "10M", "  message_size = \"10M\",\n" },
};

START_TEST(takes_a_value_as_a_person_writes_it)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct conf_object o, *v;
	struct buf b;
	unsigned n;

	buf_init(&b, 10000);
	ck_assert_int_eq(conf_object_new(pool, words[_i].kind, "", &o, &why),
	    0);
	ck_assert_int_eq(conf_object_set(pool, &o, words[_i].key,
	    words[_i].value, &why), 0);
	conf_object_write(&o, &b);
	ck_assert_msg(strstr(buf_p(&b), words[_i].line) != NULL, "%s",
	    buf_p(&b));
	ck_assert_int_eq(conf_objects_read(pool, "f", buf_str(&b), &v, &n,
	    &why), 0);
	ck_assert_int_eq(conf_object_set(pool, &o, words[_i].key, "", &why),
	    0);
	ck_assert_ptr_null(o.items);
	buf_fini(&b);
	pool_destroy(&pool);
}
END_TEST

START_TEST(a_list_has_commas_or_blanks)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct conf_object o;
	struct buf b;

	buf_init(&b, 10000);
	ck_assert_int_eq(conf_object_new(pool, "route", "X.example", &o, &why),
	    0);
	ck_assert_int_eq(conf_object_set(pool, &o, "hosts", "a:1, b:2 c:3",
	    &why), 0);
	conf_object_write(&o, &b);
	ck_assert_str_eq(buf_p(&b), "route \"x.example\" {\n"
	    "  hosts = { \"a:1\", \"b:2\", \"c:3\" },\n}\n");
	buf_fini(&b);
	pool_destroy(&pool);
}
END_TEST

START_TEST(a_text_may_be_large_but_not_without_end)
{
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct conf_object *v;
	struct buf b;
	unsigned i, n = 0;

	buf_init(&b, CONF_OVER_MAX);
	for (i = 0; i < CONF_MAX_BLOCKS - 1; i++)
		(void)buf_printf(&b, "destination \"d%u.example\" { "
		    "tls = \"none\" }\n", i);
	ck_assert_msg(conf_objects_read(pool, "f", buf_str(&b), &v, &n,
	    &why) == 0, "%s", why.text);
	ck_assert_uint_eq(n, CONF_MAX_BLOCKS - 1);
	(void)buf_add_c(&b, "destination \"one.more\" { }\n");
	ck_assert_int_eq(conf_objects_read(pool, "f", buf_str(&b), &v, &n,
	    &why), -1);
	ck_assert_int_eq(conf_objects_read(pool, "f", str_c("while true do "
	    "end"), &v, &n, &why), -1);
	ck_assert_str_eq(why.text, "f:1: too many instructions");
	buf_fini(&b);
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(conf_object)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, the_store_has_the_last_word_setting_by_setting);
	tcase_add_loop_test(tc, tells_what_is_wrong_and_where, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tc, equal_objects_are_equal_texts);
	tcase_add_loop_test(tc, takes_a_value_as_a_person_writes_it, 0,
	    sizeof(words) / sizeof(words[0]));
	tcase_add_test(tc, a_list_has_commas_or_blanks);
	tcase_add_test(tc, a_text_may_be_large_but_not_without_end);
}
