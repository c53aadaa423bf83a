#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/addr.h"
#include "policy/conf.h"

#include "unit.h"

static struct err why;

static struct conf *
parse(const char *text)
{
	struct conf *c = NULL;

	err_clear(&why);
	if (conf_parse(&c, "/etc/p/boot.lua", str_c(text), &conf_reader_none,
		&why) != 0)
		return NULL;
	return c;
}

struct refusal {
	const char *text, *why;
};

static const struct refusal refusals[] = {
	{ "relay { user_table = 'x' }",
	    "/etc/p/boot.lua:1: relay: no plugin instance \"x\"" },
	{ "listener 'a' { address = '*:25', sender_groups = 'G',\n"
	  "  reverse_timeout = '0s' }\n"
	  "sender_group 'G' { policy = 'P', senders = { '.a.test' } }\n"
	  "mail_flow_policy 'P' { }",
	    "/etc/p/boot.lua:1: listener \"a\": sender_group \"G\" has names "
	    "of hosts, which reverse_timeout 0 never looks up" },
	{ "limits { recipients = 99 }",
	    "/etc/p/boot.lua:1: limits: recipients must be at least 100; fewer "
	    "are for a mail_flow_policy" },
	{ "listener 'a' { address = '*:25', recipients = 99 }",
	    "/etc/p/boot.lua:1: listener \"a\": recipients must be at least "
	    "100; fewer are for a mail_flow_policy" },
	{ "mail_flow_policy 'P' { recipients = 0 }",
	    "/etc/p/boot.lua:1: recipients must be within 1..100000" },
	{ "sender_exception '*' { }",
	    "/etc/p/boot.lua:1: sender_exception \"*\" is no address, "
	    "domain, .domain or ALL" },
	{ "recipient_access 'ALL' { }",
	    "/etc/p/boot.lua:1: recipient_access \"ALL\": this would relay for "
	    "everybody to everywhere" },
	{ "recipient_access 'abuse@' { }",
	    "/etc/p/boot.lua:1: recipient_access \"abuse@\": this would relay "
	    "for everybody to everywhere" },
	{ "recipient_access '@' { }",
	    "/etc/p/boot.lua:1: recipient_access \"@\" is no address, domain, "
	    ".domain or ALL" },
	{ "recipient_access '*' { }",
	    "/etc/p/boot.lua:1: recipient_access \"*\" is no address, domain, "
	    ".domain or ALL" },
	{ "recipient_access 'a.test' { listeners = 'x' }",
	    "/etc/p/boot.lua:1: recipient_access \"a.test\": no listener "
	    "\"x\"" },
};

START_TEST(refuses_with_place_and_reason)
{
	struct conf *c = parse(refusals[_i].text);

	ck_assert_ptr_null(c);
	ck_assert_str_eq(why.text, refusals[_i].why);
}
END_TEST

START_TEST(a_dump_has_what_is_set_and_is_read_again)
{
	struct conf *c = parse(
	    "listener 'a' { address = '*:25', sender_groups = 'G' }\n"
	    "sender_group 'G' { policy = 'P', senders = { '.a.test' } }\n"
	    "mail_flow_policy 'P' { tls = 'off', recipients = 1 }\n"
	    "recipient_access '.A.test' { }");
	struct conf *d = NULL;
	struct buf b, again;

	ck_assert_msg(c != NULL, "%s", why.text);
	buf_init(&b, 1 << 20);
	buf_init(&again, 1 << 20);
	conf_dump(c, &b);
	ck_assert_ptr_nonnull(strstr(buf_p(&b), "mail_flow_policy \"P\" {\n"
	    "  tls = \"off\",\n  recipients = 1,\n}\n"));
	ck_assert_ptr_nonnull(strstr(buf_p(&b),
	    "recipient_access \".a.test\""));
	d = parse(buf_p(&b));
	ck_assert_msg(d != NULL, "%s", why.text);
	conf_dump(d, &again);
	ck_assert_str_eq(buf_p(&b), buf_p(&again));
	buf_fini(&b);
	buf_fini(&again);
	conf_unref(&c);
	conf_unref(&d);
}
END_TEST

struct taken {
	const char *rcpt, *listener;
	bool relay;
	const char *reply; /* NULL: taken */
};

static const struct taken takens[] = {
	{ "a@ours.test", NULL, false, NULL },
	{ "a@OURS.Test", NULL, false, NULL },
	{ "boss@ours.test", NULL, false, "450 4.7.1 On holiday" },
	{ "BOSS@ours.test", NULL, false, "450 4.7.1 On holiday" },
	{ "\"boss\"@ours.test", NULL, false, "450 4.7.1 On holiday" },
	{ "\"ab\\use\"@simple.test", NULL, false, "451 4.7.1 By letter" },
	{ "boss@ours.test", NULL, true, NULL },
	{ "a@x.ours.test", NULL, false, "550 5.7.1 Relaying denied" },
	{ "a@x.below.test", NULL, false, NULL },
	{ "a@closed.below.test", NULL, false, "550 5.7.1 Recipient rejected" },
	{ "a@x.closed.below.test", NULL, false, NULL },
	{ "a@simple.test", NULL, false, NULL },
	{ "off@simple.test", NULL, false, "550 5.7.1 Recipient rejected" },
	{ "a@inside.test", "in", false, NULL },
	{ "a@inside.test", "mx", false, "550 5.7.1 Relaying denied" },
	{ "a@inside.test", NULL, false, "550 5.7.1 Relaying denied" },
	{ "\"a%far.test\"@ours.test", NULL, false,
	    "550 5.7.1 Relaying denied" },
	{ "a@far.test", "mx", false, "550 5.7.1 Relaying denied" },
	{ "Abuse@far.test", "mx", false, "451 4.7.1 By letter" },
	{ "abuse@simple.test", NULL, false, "451 4.7.1 By letter" },
	{ "abuse@ours.test", "mx", false, NULL },
	{ "abuse@far.test", "mx", true, NULL },
};

START_TEST(the_nearest_entry_of_the_access_table_counts)
{
	struct conf *c = parse(
	    "relay { domains = { 'simple.test' } }\n"
	    "listener 'in' { address = '*:25' }\n"
	    "listener 'mx' { address = '*:26' }\n"
	    "recipient_access 'Ours.test' { }\n"
	    "recipient_access 'Boss@ours.test' { access = 'reject',\n"
	    " code = 450, text = 'On holiday' }\n"
	    "recipient_access '.below.test' { }\n"
	    "recipient_access 'closed.below.test' { access = 'reject' }\n"
	    "recipient_access 'off@simple.test' { access = 'reject' }\n"
	    "recipient_access 'inside.test' { listeners = 'in' }\n"
	    "recipient_access 'ABUSE@' { access = 'reject', code = 451,\n"
	    " text = 'By letter' }\n"
	    "recipient_access 'abuse@ours.test' { }\n");
	const struct taken *t = &takens[_i];
	struct err no = ERR_INIT;
	char text[600] = "";
	struct addr a;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_int_eq(addr_parse(c->pool, str_c(t->rcpt), 0, &a, &why), 0);
	if (conf_takes(c, t->listener, t->relay, &a, &no) != 0)
		(void)snprintf(text, sizeof(text), "%d %s %s", no.code, no.enh,
		    no.text);
	ck_assert_str_eq(text, t->reply != NULL ? t->reply : "");
	conf_unref(&c);
}
END_TEST

START_TEST(all_may_have_a_reply_of_its_own)
{
	struct conf *c = parse("recipient_access 'all' { access = 'reject', "
			       "text = 'Not here' }\n"
			       "relay { domains = 'ours.test' }");
	struct err no = ERR_INIT;
	struct addr a;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_int_eq(addr_parse(c->pool, STR("a@b.test"), 0, &a, &why), 0);
	ck_assert_int_eq(conf_takes(c, NULL, false, &a, &no), -1);
	ck_assert_str_eq(no.text, "Not here");
	ck_assert_int_eq(addr_parse(c->pool, STR("a@ours.test"), 0, &a,
	    &why), 0);
	ck_assert_int_eq(conf_takes(c, NULL, false, &a, &no), 0);
	conf_unref(&c);
}
END_TEST

START_TEST(mail_flow_policies_and_limits_share_no_name)
{
	struct buf b;

	buf_init(&b, 1 << 20);
#define PARAM_LIMITS(name, ...) (void)buf_add_c(&b, " " #name " ");
#include "tbl/params.h"
#define PARAM_FLOW(name, ...) \
	ck_assert_msg(strstr(buf_p(&b), " " #name " ") == NULL, #name);
#include "tbl/params.h"
	buf_fini(&b);
}
END_TEST

START_TEST(a_policy_takes_from_the_listener_what_it_has_not)
{
	struct conf *c = parse(
	    "listener 'a' { address = '*:25', sender_groups = { 'G', 'H' },\n"
	    " message_size = '2M', tls = 'required', banner_text = 'x' }\n"
	    "listener 'b' { address = '*:26', sender_groups = 'H' }\n"
	    "listener 'c' { address = '*:27' }\n"
	    "sender_group 'G' { policy = 'P', senders = '192.0.2.0/24' }\n"
	    "sender_group 'H' { policy = 'Q', senders = 'ALL' }\n"
	    "mail_flow_policy 'P' { recipients = 100, tls = 'off' }\n"
	    "mail_flow_policy 'Q' { behavior = 'relay',\n"
	    " message_size = '1M',\n"
	    " banner_text = '' }\n"
	    "limits { relay_client_connections = 7 }");
	const struct conf_flow *f;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->listener[0].nflow, 3);
	ck_assert_uint_eq(c->listener[2].nflow, 1);
	ck_assert_uint_eq(c->listener[0].ngroup, 2);
	ck_assert_str_eq(c->listener[0].group[0]->name, "G");
	f = &c->listener[0].flow[1 + c->listener[0].group[0]->flow];
	ck_assert_str_eq(f->policy->name, "P");
	ck_assert_uint_eq(f->smtpd.max_rcpt, 100);
	ck_assert_uint_eq(f->smtpd.max_size, 2097152);
	ck_assert_int_eq(f->smtpd.tls, SMTPD_TLS_OFF);
	ck_assert_str_eq(f->smtpd.banner_text, "x");
	ck_assert_uint_eq(f->limits.client_connections, 20);
	f = &c->listener[0].flow[1 + c->listener[0].group[1]->flow];
	ck_assert_uint_eq(f->smtpd.max_rcpt, 1000);
	ck_assert_uint_eq(f->smtpd.max_size, 1048576);
	ck_assert_int_eq(f->smtpd.tls, SMTPD_TLS_REQUIRED);
	ck_assert_str_eq(f->smtpd.banner_text, "");
	ck_assert_uint_eq(f->limits.client_connections, 7);
	conf_unref(&c);
}
END_TEST

UNIT_SUITE(conf_hat)
{
	tcase_add_loop_test(tc, refuses_with_place_and_reason, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tc, a_dump_has_what_is_set_and_is_read_again);
	tcase_add_test(tc, a_policy_takes_from_the_listener_what_it_has_not);
	tcase_add_loop_test(tc, the_nearest_entry_of_the_access_table_counts, 0,
	    sizeof(takens) / sizeof(takens[0]));
	tcase_add_test(tc, all_may_have_a_reply_of_its_own);
	tcase_add_test(tc, mail_flow_policies_and_limits_share_no_name);
}
