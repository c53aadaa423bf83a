#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/conf.h"
#include "policy/conf_object.h"
#include "unit.h"

static struct err why;

static struct conf *
parse(const char *text)
{
	struct conf *c = NULL;

	err_clear(&why);
	if (conf_parse(&c, "/b.lua", str_c(text), &conf_reader_none,
		&why) != 0)
		return NULL;
	return c;
}

static const struct {
	const char *text, *why;
} refusals[] = {
	{ "alert_recipient 'nobody' { }",
	    "/b.lua:1: alert_recipient \"nobody\" is no mail address in ASCII "
	    "without quotes" },
	{ "alert_recipient 'a b@c.example' { }",
	    "/b.lua:1: alert_recipient \"a b@c.example\" is no mail address "
	    "in ASCII without quotes" },
	{ "alert_recipient '\"a\"@c.example' { }",
	    "/b.lua:1: alert_recipient \"\"a\"@c.example\" is no mail address "
	    "in ASCII without quotes" },
	{ "alert_recipient 'a@b\xc3\xa4.example' { }",
	    "/b.lua:1: alert_recipient \"a@b??.example\" is no mail "
	    "address in ASCII without quotes" },
	{ "alert_recipient 'a@b.example' { }\n"
	  "alert_recipient 'a@b.example' { }",
	    "/b.lua:2: alert_recipient \"a@b.example\" is there already on "
	    "line 1" },
	{ "alert_recipient 'a@b.example' {\n  classes = 'System/Loud' }",
	    "/b.lua:2: classes: \"System/Loud\": no such severity: Critical, "
	    "Warning, Information or all" },
	{ "alert_recipient 'a@b.example' { classes = 'System/' }",
	    "/b.lua:1: classes: \"System/\": no such severity: Critical, "
	    "Warning, Information or all" },
	{ "alert_recipient 'a@b.example' { classes = '/Warning' }",
	    "/b.lua:1: classes: \"/Warning\": no such class of alerts: System, "
	    "Hardware, Updater, Outbreak Filters, Anti-Virus, Anti-Spam, "
	    "Directory Harvest Attack Prevention or all" },
	{ "alerts { from = 'nobody' }",
	    "/b.lua:1: alerts: from: \"nobody\" is no mail address in ASCII "
	    "without quotes" },
	{ "alerts { server = '[::1]:0' }",
	    "/b.lua:1: alerts: server: \"[::1]:0\" is not HOST or HOST:PORT" },
	{ "alerts { server = 'a.example:' }",
	    "/b.lua:1: alerts: server: \"a.example:\" is not HOST or "
	    "HOST:PORT" },
	{ "alerts { server = 'a.example:65536' }",
	    "/b.lua:1: alerts: server: \"a.example:65536\" is not HOST or "
	    "HOST:PORT" },
	{ "alerts { server = 'a b' }",
	    "/b.lua:1: alerts: server: \"a b\" is not HOST or HOST:PORT" },
};

START_TEST(refuses_what_no_alert_could_be_sent_by)
{
	struct conf *c = parse(refusals[_i].text);

	ck_assert_ptr_null(c);
	ck_assert_str_eq(why.text, refusals[_i].why);
}
END_TEST

static const char *const servers[] = { "mail.example", "mail.example:25",
	"192.0.2.1", "192.0.2.1:65535", "2001:db8::1", "[2001:db8::1]",
	"[2001:db8::1]:26", "localhost" };

START_TEST(takes_a_server_by_name_or_address)
{
	char text[100];
	struct conf *c;

	(void)snprintf(text, sizeof(text), "alerts { server = '%s' }",
	    servers[_i]);
	c = parse(text);
	ck_assert_msg(c != NULL, "%s", why.text);
	conf_unref(&c);
}
END_TEST

START_TEST(recipients_stand_for_an_instance_of_alert_mail)
{
	struct conf *c = parse("alerts { server = '[::1]:26', from = 'f@b.c',\n"
			       "  initial_wait = '5s', maximum_wait = 0 }\n"
			       "alert_recipient 'Ops@B.example' { }\n"
			       "alert_recipient 'a@b.example' { classes = {\n"
			       "  'system/warning', 'Outbreak Filters' } }\n"
			       "plugin 'alert_mail' { to = 'c@b.example' }");
	static const char *const want[][2] = { { "from", "f@b.c" },
		{ "server", "[::1]:26" }, { "port", NULL },
		{ "initial_wait", "5000ms" }, { "maximum_wait", "0ms" },
		{ "patience", "60000ms" } };
	const struct conf_item *item;
	unsigned i;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nplugin, 2);
	ck_assert_str_eq(c->plugin[0].plugin, "alert_mail");
	ck_assert_str_eq(c->plugin[0].name, "alerts");
	ck_assert_str_eq(c->plugin[0].by, "alert_recipient");
	ck_assert_str_eq(c->plugin[1].name, "alert_mail");
	item = c->plugin[0].items;
	ck_assert_str_eq(item->key, "to");
	ck_assert_uint_eq(item->value->n, 2);
	ck_assert_str_eq(item->value->v[0]->s.p, "Ops@b.example");
	ck_assert_str_eq(item->value->v[1]->s.p,
	    "a@b.example system/warning,Outbreak Filters");
	for (i = 0; i < 6; i++) {
		item = item->next;
		ck_assert_str_eq(item->key, want[i][0]);
		if (want[i][1] != NULL)
			ck_assert_str_eq(item->value->s.p, want[i][1]);
		else
			ck_assert_int_eq(item->value->i, 25);
	}
	ck_assert_ptr_null(item->next);
	conf_unref(&c);
}
END_TEST

START_TEST(without_a_recipient_there_is_no_instance)
{
	struct conf *c = parse("alerts { server = 'mail.example' }");

	ck_assert_uint_eq(c->nplugin, 0);
	conf_unref(&c);
}
END_TEST

START_TEST(classes_have_blanks_in_them)
{
	struct pool *pool = pool_new(0);
	const struct conf_item *item;
	struct conf_object o;

	ck_assert_int_eq(conf_object_new(pool, "alert_recipient",
			     "Ops@B.example", &o, &why), 0);
	ck_assert_str_eq(o.name, "Ops@b.example");
	ck_assert_int_eq(conf_object_set(pool, &o, "classes",
			     "Outbreak Filters/Warning ,, all/Critical", &why),
	    0);
	item = conf_object_get(&o, "classes");
	ck_assert_uint_eq(item->value->n, 2);
	ck_assert_str_eq(item->value->v[0]->s.p, "Outbreak Filters/Warning");
	ck_assert_str_eq(item->value->v[1]->s.p, "all/Critical");
	ck_assert_int_eq(conf_object_new(pool, "alert_recipient", "b.example",
			     &o, &why), -1);
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(conf_alerts)
{
	tcase_add_loop_test(tc, refuses_what_no_alert_could_be_sent_by, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_loop_test(tc, takes_a_server_by_name_or_address, 0,
	    sizeof(servers) / sizeof(servers[0]));
	tcase_add_test(tc, recipients_stand_for_an_instance_of_alert_mail);
	tcase_add_test(tc, without_a_recipient_there_is_no_instance);
	tcase_add_test(tc, classes_have_blanks_in_them);
}
