#include "policy/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	{ "listener 'i' { address = '*:25', sender_groups = 'A' }",
	    "/etc/p/boot.lua:1: listener \"i\": no sender_group \"A\"" },
	{ "sender_group 'A' { senders = 'ALL' }",
	    "/etc/p/boot.lua:1: sender_group \"A\" has no policy" },
	{ "sender_group 'A' { policy = 'P' }",
	    "/etc/p/boot.lua:1: sender_group \"A\": no mail_flow_policy "
	    "\"P\"" },
	{ "mail_flow_policy 'P' { }\n"
	  "sender_group 'A' { policy = 'P', senders = '10.1.1.300' }",
	    "/etc/p/boot.lua:2: sender_group \"A\": senders: \"10.1.1.300\" is "
	    "no address, network, range, host, .domain, dnslist[zone] or "
	    "ALL" },
	{ "mail_flow_policy 'P' { connections = 5 }",
	    "/etc/p/boot.lua:1: mail_flow_policy \"P\": connections is for "
	    "listeners, not for policies" },
	{ "mail_flow_policy 'P' { relay_client_rate = 5 }",
	    "/etc/p/boot.lua:1: mail_flow_policy \"P\": relay_client_rate is "
	    "for "
	    "listeners, not for policies; there it is client_rate" },
	{ "mail_flow_policy 'P' { auth = 'required' }",
	    "/etc/p/boot.lua:1: mail_flow_policy \"P\": auth is required, but "
	    "relay { } has no users" },
	{ "mail_flow_policy 'P' { tls_senders = 'a b' }",
	    "/etc/p/boot.lua:1: mail_flow_policy \"P\": tls_senders: \"a b\" "
	    "is "
	    "no address, domain or .domain" },
	{ "mail_flow_policy 'P' { recipents = 100 }",
	    "/etc/p/boot.lua:1: unknown setting \"recipents\" in "
	    "mail_flow_policy (did you mean \"recipients\"?)" },
	{ "hostnam = 'a.b'",
	    "/etc/p/boot.lua:1: unknown setting \"hostnam\" (did you mean "
	    "\"hostname\"?)" },
	{ "\nlistener 'in' {\n address = '*:25',\n tsl = 'off' }",
	    "/etc/p/boot.lua:4: unknown setting \"tsl\" in listener (did you "
	    "mean \"tls\"?)" },
	{ "listener 'in' { address = '*:25', recipents = 100 }",
	    "/etc/p/boot.lua:1: unknown setting \"recipents\" in listener "
	    "(did you mean \"recipients\"?)" },
	{ "zebra = 1", "/etc/p/boot.lua:1: unknown setting \"zebra\"" },
	{ "queu = 1",
	    "/etc/p/boot.lua:1: unknown setting \"queu\" (did you mean "
	    "\"queue\"?)" },
	{ "workers = 65", "/etc/p/boot.lua:1: workers must be within 0..64" },
	{ "workers = -1", "/etc/p/boot.lua:1: workers must be a number" },
	{ "workers = 1.5", "/etc/p/boot.lua:1: a number must be whole" },
	{ "workers = 'two'", "/etc/p/boot.lua:1: workers must be a number" },
	{ "workers = {}", "/etc/p/boot.lua:1: workers must be a number" },
	{ "workers = print", "/etc/p/boot.lua:1: \"print\" is not defined "
	    "here" },
	{ "hostname = 'a b'", "/etc/p/boot.lua:1: hostname \"a b\" is not a "
	    "host name" },
	{ "tls_selfsigned = 'true'", "/etc/p/boot.lua:1: tls_selfsigned must "
	    "be true or false" },
	{ "delivery {\n tls = 'sometimes' }",
	    "/etc/p/boot.lua:2: tls: \"sometimes\" is no TLS level: none, "
	    "opportunistic, preferred, preferred-verify, "
	    "preferred-verify-hosted, required, required-verify, "
	    "required-verify-hosted or forced" },
	{ "destination 'x.test' { tls = 'required ciphers=RC4-SHA' }",
	    "/etc/p/boot.lua:1: destination \"x.test\": no cipher of "
	    "\"RC4-SHA\" is there" },
	{ "tls { groups = 'X448' }", "/etc/p/boot.lua:1: tls: \"X448\" is not "
	    "a list of groups" },
	{ "listener 'x' { address = '*:25', tls_senders = { 'a b' } }",
	    "/etc/p/boot.lua:1: listener \"x\": tls_senders: \"a b\" is no "
	    "address, domain or .domain" },
	{ "relay { networks = { '10.0.0.1/8' } }", "/etc/p/boot.lua:1: "
	    "networks: " },
	{ "relay { domains = { '*' } }", "/etc/p/boot.lua:1: relay: domains = "
	    "\"*\" would relay for everybody to everywhere" },
	{ "relay { certificates = { 'ab:cd' } }", "/etc/p/boot.lua:1: relay: "
	    "\"ab:cd\" is no SHA-256 fingerprint" },
	{ "listener { }", "/etc/p/boot.lua:1: write listener \"name\" { ... "
	    "}" },
	{ "listener 'x' { }", "/etc/p/boot.lua:1: listener \"x\" has no "
	    "address" },
	{ "log = { file = 'x' }", "/etc/p/boot.lua:1: write log { ... }, "
	    "without =" },
	{ "route 'a.b' { hosts = 'x' }\nroute 'a.b' { hosts = 'x' }",
	    "/etc/p/boot.lua:2: route \"a.b\" is there already on line 1" },
	{ "route 'a.b' { hosts = 'x', bounce_profile = 'y' }",
	    "/etc/p/boot.lua:1: route \"a.b\": no bounce_profile \"y\"" },
	{ "\ndestination 'a b' { }", "/etc/p/boot.lua:2: destination "
	    "\"a b\" is no address, domain, .domain or *" },
	{ "destination '*.a.b' { }", "/etc/p/boot.lua:1: destination "
	    "\"*.a.b\" is no address, domain, .domain or *" },
	{ "destination '@a.b' { }", "/etc/p/boot.lua:1: destination \"@a.b\" "
	    "is no address, domain, .domain or *" },
	{ "destination 'u@' { }", "/etc/p/boot.lua:1: destination \"u@\" "
	    "is no address, domain, .domain or *" },
	{ "destination '.' { }", "/etc/p/boot.lua:1: destination \".\" "
	    "is no address, domain, .domain or *" },
	{ "destination 'a.b' { bounce_profile = 'x' }", "/etc/p/boot.lua:1: "
	    "destination \"a.b\": no bounce_profile \"x\"" },
	{ "bounce_profile 'x' { alternate = 'a b' }", "/etc/p/boot.lua:1: "
	    "bounce_profile \"x\": alternate: \"a b\" is no mail address" },
	{ "destination 'a.b' { route = 'x' }", "/etc/p/boot.lua:1: "
	    "destination \"a.b\": route: there is no route \"x\"" },
	{ "destination 'u@a.b' { concurrency = 2 }", "/etc/p/boot.lua:1: "
	    "destination \"u@a.b\": concurrency: for an address there is "
	    "tls alone" },
	{ "destination 'a.b' { tls = 'mandatory' }", "/etc/p/boot.lua:1: "
	    "tls: \"mandatory\" is no TLS level" },
	{ "queue { store = 'pg' }", "/etc/p/boot.lua:1: queue: no plugin "
	    "instance \"pg\"" },
	{ "route 'a.b' { hosts = {} }", "/etc/p/boot.lua:1: route \"a.b\": "
	    "hosts is empty" },
	{ "route 'a.b' { hosts = 'a b:25' }", "/etc/p/boot.lua:1: route "
	    "\"a.b\": \"a b:25\" is no host:port, [address]:port or "
	    "mx:domain" },
	{ "route 'a.b' { hosts = { 'x:25', 'x:99999' } }", "/etc/p/boot.lua:1: "
	    "route \"a.b\": \"x:99999\" is no host:port, [address]:port or "
	    "mx:domain" },
	{ "route 'a.b' { hosts = '[::1' }", "/etc/p/boot.lua:1: route \"a.b\": "
	    "\"[::1\" is no host:port, [address]:port or mx:domain" },
	{ "route 'a.b' { hosts = 'x', auth_user = 'u' }", "/etc/p/boot.lua:1: "
	    "route \"a.b\": auth_user without auth_password_file" },
	{ "bounce_profile 'x' { first_retry = '2h' }", "/etc/p/boot.lua:1: "
	    "bounce_profile \"x\": first_retry is longer than max_retry" },
	{ "x = ", "/etc/p/boot.lua:1: unexpected symbol near <eof>" },
	{ "\n\nwhile true do end", "/etc/p/boot.lua:3: too many "
	    "instructions" },
	{ "local t = {} for i = 1, 1e7 do t[i] = ('x'):rep(100) .. i end",
	    "/etc/p/boot.lua: not enough memory" },
	{ "local s = ('x'):rep(1e9)", "/etc/p/boot.lua: not enough memory" },
	{ "dofile('/etc/passwd')", "/etc/p/boot.lua:1: \"dofile\" is not "
	    "defined here" },
	{ "local x = ('x'):find('x')", "/etc/p/boot.lua:1: attempt to call a "
	    "nil value (method 'find')" },
	{ "\033Lua", "/etc/p/boot.lua: " },
	{ "spool = 'a\\0b'", "/etc/p/boot.lua:1: a NUL in spool" },
	{ "log { { } }", "/etc/p/boot.lua:1: a value without a name in log" },
	{ "dns { servers = 'ns.example' }", "/etc/p/boot.lua:1: dns: "
	    "\"ns.example\" is no address or address@port" },
	{ "dns { servers = '127.0.0.1@x' }", "/etc/p/boot.lua:1: dns: "
	    "\"127.0.0.1@x\" is no address or address@port" },
	{ "delivery { bind_v4 = '::1' }", "/etc/p/boot.lua:1: delivery: "
	    "\"::1\" is no IPv4 address" },
	{ "postmaster = 'root'", "/etc/p/boot.lua:1: postmaster \"root\" is "
	    "no mail address" },
	{ "plugin 'a b' { }", "/etc/p/boot.lua:1: \"a b\" is no plugin's "
	    "name: letters, digits and _" },
	{ "plugin 'a' 'b/c' { }", "/etc/p/boot.lua:1: \"b/c\" is no "
	    "instance's name: at most 64 letters, digits, _, - and ." },
	{ "plugin 'a' { }\nplugin 'b' 'a' { }", "/etc/p/boot.lua:2: plugin "
	    "\"a\" is there already on line 1" },
	{ "plugin 'a' 'b' 'c' { }", "/etc/p/boot.lua:1: write plugin \"b\" { "
	    "... }" },
	{ "plugin { }", "/etc/p/boot.lua:1: write plugin \"name\" { ... }" },
	{ "plugin 'a' {\n x = 1,\n timeout = '1w' }", "/etc/p/boot.lua:3: "
	    "timeout must be a duration" },
	{ "plugin 'a' {\n on_crash = 'die' }", "/etc/p/boot.lua:2: on_crash "
	    "must be one of tempfail|disable|stop" },
	{ "plugin_order { conect = 'a' }", "/etc/p/boot.lua:1: unknown "
	    "setting \"conect\" in plugin_order (did you mean "
	    "\"connect\"?)" },
	{ "dns { servers = { x = '1' } }", "/etc/p/boot.lua:1: a list must "
	    "not have names in it" },
};

START_TEST(refuses_with_place_and_reason)
{
	const struct refusal *r = &refusals[_i];
	struct conf *c = parse(r->text);

	ck_assert_msg(c == NULL, "taken: %s", r->text);
	ck_assert_msg(strncmp(why.text, r->why, strlen(r->why)) == 0,
	    "%s; said %s; not %s", r->text, why.text, r->why);
}
END_TEST

START_TEST(an_empty_file_has_the_defaults)
{
	struct conf *c = parse("");

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nlistener, 0);
	ck_assert_uint_ge(c->top.workers, 1);
	ck_assert_uint_eq(c->limits.message_size, 150000000);
	ck_assert_int_eq(c->relay_conf.profile->first_retry, SECONDS(60));
	ck_assert_int_eq(c->relay_conf.profile->max_retry, HOURS(1));
	ck_assert_int_eq(c->relay_conf.profile->lifetime, HOURS(72));
	ck_assert_uint_eq(c->relay_conf.profile->max_retries, 100);
	ck_assert_uint_eq(c->relay.networks.n, 2);
	conf_unref(&c);
	ck_assert_ptr_null(c);
}
END_TEST

START_TEST(only_loopback_may_relay_by_default)
{
	struct conf *c = parse("");
	struct sock_addr a;

	ck_assert_int_eq(sock_addr_ip(STR("127.9.9.9"), 1, &a, NULL), 0);
	ck_assert(conf_nets_has(&c->relay.networks, &a));
	ck_assert_int_eq(sock_addr_ip(STR("::1"), 1, &a, NULL), 0);
	ck_assert(conf_nets_has(&c->relay.networks, &a));
	ck_assert_int_eq(sock_addr_ip(STR("192.0.2.1"), 1, &a, NULL), 0);
	ck_assert(!conf_nets_has(&c->relay.networks, &a));
	ck_assert_ptr_null(c->relay.domains[0]);
	conf_unref(&c);
}
END_TEST

START_TEST(a_listener_overrides_the_limits)
{
	struct conf *c = parse("listener 'a' { address = '*:25', "
			       "recipients = 500 }\n"
			       "listener 'b' { address = '[::1]:25' }\n"
			       "limits { recipients = 200, hops = 7 }");

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->listener[0].flow[0].smtpd.max_rcpt, 500);
	ck_assert_uint_eq(c->listener[0].flow[0].smtpd.max_hops, 7);
	ck_assert_uint_eq(c->listener[1].flow[0].smtpd.max_rcpt, 200);
	ck_assert_uint_eq(c->listener[0].address.n, 2);
	ck_assert_uint_eq(c->listener[1].address.n, 1);
	conf_unref(&c);
}
END_TEST

static void
keep_note(void *arg, const char *note)
{
	struct buf *notes = arg;

	(void)buf_printf(notes, "%s\n", note);
}

START_TEST(tells_of_ciphers_that_nobody_knows)
{
	struct conf *c = parse("tls { ciphers = 'RC4-SHA:ECDHE+AESGCM:FOO' }");
	struct buf notes;

	ck_assert_msg(c != NULL, "%s", why.text);
	buf_init(&notes, 1024);
	ck_assert_int_eq(conf_tls_words(c, keep_note, &notes, &why), 0);
	ck_assert_str_eq(buf_p(&notes), "/etc/p/boot.lua:1: tls: ciphers that "
	    "the TLS library does not know are ignored: RC4-SHA:FOO\n");
	buf_fini(&notes);
	conf_unref(&c);
}
END_TEST

START_TEST(blocks_add_up_and_lua_helps)
{
	struct conf *c = parse(
	    "local n = {}\n"
	    "for i = 1, 3 do n[i] = '10.0.' .. i .. '.0/24' end\n"
	    "relay { networks = n }\nrelay { domains = 'a.b' }\n"
	    "hostname = 'mx.' .. string.lower('EXAMPLE.org')\n"
	    "postmaster = 'p@' .. hostname\n"
	    "route '*' { hosts = { 'x:1', 'y:2' }, tls = 'required',\n"
	    "  concurrency = 3 }");

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->relay.networks.n, 3);
	ck_assert_str_eq(c->relay.domains[0], "a.b");
	ck_assert_str_eq(c->top.postmaster, "p@mx.example.org");
	ck_assert_uint_eq(c->relay_conf.nroute, 1);
	ck_assert_str_eq(c->relay_conf.route[0].hosts[1], "y:2");
	ck_assert_int_eq(c->relay_conf.route[0].tls->level,
	    TLSWANT_REQUIRED);
	ck_assert_int_eq(c->relay_conf.route[0].ip, -1);
	ck_assert_uint_eq(c->relay_conf.route[0].concurrency, 3);
	conf_unref(&c);
}
END_TEST

START_TEST(paths_are_relative_to_the_file)
{
	struct conf *c = parse("spool = 'q'\nlog { file = '/x/y' }\n"
			       "tls { crls = { 'a', '/b' }, directories = "
			       "'le' }");

	ck_assert_str_eq(c->top.spool, "/etc/p/q");
	ck_assert_str_eq(c->log.file, "/x/y");
	ck_assert_str_eq(c->log.json, "");
	ck_assert_str_eq(c->tls.crls[0], "/etc/p/a");
	ck_assert_str_eq(c->tls.crls[1], "/b");
	ck_assert_str_eq(c->tls.directories[0], "/etc/p/le");
	conf_unref(&c);
}
END_TEST

START_TEST(a_dump_is_a_boot_file_with_the_same_dump)
{
	struct conf *c = parse("hostname = 'a.b'\nworkers = 3\n"
			       "listener 'x' { address = '*:2525', tls = "
			       "'none' }\nroute '.c.d' { hosts = 'mx:e.f' }\n"
			       "plugin 'p' { t = 'file:x', n = -1, l = { 'a',"
			       " 'b' }, ['a b'] = true, timeout = '1s' }\n"
			       "plugin 'p' 'q-1' { }\n"
			       "plugin_order { mail = { 'q-1', 'p' } }");
	struct buf one, two;

	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	ck_assert_msg(c != NULL, "%s", why.text);
	conf_dump(c, &one);
	conf_unref(&c);
	c = parse(buf_p(&one));
	ck_assert_msg(c != NULL, "%s", why.text);
	conf_dump(c, &two);
	conf_unref(&c);
	ck_assert(strcmp(buf_p(&one), buf_p(&two)) == 0);
	buf_fini(&one);
	buf_fini(&two);
}
END_TEST

START_TEST(log_settings_stand_for_plugins)
{
	struct conf *c = parse("log { file = '/l/mail', json = '/l/json',\n"
			       "  syslog = true, ident = 'me' }\n"
			       "plugin 'log_mail' { file = '/l/two' }");
	static const char *const row[][4] = {
		{ "log_mail", "log.file", "file", "/l/mail" },
		{ "log_json", "log.json", "file", "/l/json" },
		{ "log_syslog", "log.syslog", "ident", "me" },
		{ "log_mail", "log_mail", "file", "/l/two" },
	};
	unsigned i;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nplugin, 4);
	for (i = 0; i < 4; i++) {
		ck_assert_str_eq(c->plugin[i].plugin, row[i][0]);
		ck_assert_str_eq(c->plugin[i].name, row[i][1]);
		ck_assert_str_eq(c->plugin[i].items->key, row[i][2]);
		ck_assert_str_eq(c->plugin[i].items->value->s.p, row[i][3]);
		ck_assert_ptr_null(c->plugin[i].items->next);
		if (i < 3)
			ck_assert_str_eq(c->plugin[i].by, "log");
	}
	conf_unref(&c);
	c = parse("log { stderr = true }");
	ck_assert_uint_eq(c->nplugin, 0);
	conf_unref(&c);
}
END_TEST

START_TEST(the_policy_stands_for_instances_of_the_engine)
{
	struct conf *c = parse("policy { file = '/p/a.lua', timeout = '5s',\n"
			       "  shadow = '/p/b.lua', memory = '32M' }");
	const struct conf_item *item;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nplugin, 2);
	ck_assert_str_eq(c->plugin[0].plugin, "lua");
	ck_assert_str_eq(c->plugin[0].name, "policy");
	ck_assert_str_eq(c->plugin[0].by, "policy");
	ck_assert_int_eq(c->plugin[0].timeout, 5000);
	item = c->plugin[0].items;
	ck_assert_str_eq(item->key, "file");
	ck_assert_str_eq(item->value->s.p, "/p/a.lua");
	item = item->next;
	ck_assert_str_eq(item->key, "on_error");
	ck_assert_str_eq(item->value->s.p, "tempfail");
	item = item->next->next;
	ck_assert_str_eq(item->key, "memory");
	ck_assert_int_eq(item->value->i, 32 * 1024 * 1024);
	ck_assert_str_eq(c->plugin[1].name, "policy.shadow");
	for (item = c->plugin[1].items; item->next != NULL;)
		item = item->next;
	ck_assert_str_eq(item->key, "shadow");
	ck_assert(item->value->b);
	ck_assert(!c->plugin[0].looks_on && c->plugin[1].looks_on);
	ck_assert_int_eq(c->plugin[1].timeout, 5000);
	ck_assert_int_eq(c->plugin[1].on_crash, CONF_CRASH_DISABLE);
	conf_unref(&c);
	c = parse("policy { on_error = 'accept' }");
	ck_assert_uint_eq(c->nplugin, 0);
	conf_unref(&c);
}
END_TEST

START_TEST(a_plugin_block_keeps_what_only_the_plugin_knows)
{
	struct conf *c = parse("plugin 'rate' {\n"
			       "  limit = 10,\n"
			       "  timeout = '2s',\n"
			       "  zones = { 'a', 'b' } }\n"
			       "plugin 'rate' 'second' { deepbind = true }\n"
			       "plugin_order { rcpt = 'second' }");
	const struct conf_item *item;

	ck_assert_msg(c != NULL, "%s", why.text);
	ck_assert_uint_eq(c->nplugin, 2);
	ck_assert_str_eq(c->plugin[0].name, "rate");
	ck_assert_str_eq(c->plugin[0].plugin, "rate");
	ck_assert_int_eq(c->plugin[0].timeout, SECONDS(2));
	ck_assert(c->plugin[0].by == NULL && !c->plugin[0].deepbind);
	item = c->plugin[0].items;
	ck_assert_str_eq(item->key, "limit");
	ck_assert_int_eq(item->line, 2);
	ck_assert_int_eq(item->value->i, 10);
	item = item->next;
	ck_assert_str_eq(item->key, "zones");
	ck_assert_int_eq(item->line, 4);
	ck_assert_uint_eq(item->value->n, 2);
	ck_assert(item->next == NULL);
	ck_assert_str_eq(c->plugin[1].name, "second");
	ck_assert_str_eq(c->plugin[1].plugin, "rate");
	ck_assert(c->plugin[1].deepbind && c->plugin[1].items == NULL);
	ck_assert_int_eq(c->plugin[1].timeout, SECONDS(30));
	ck_assert_str_eq(c->order.rcpt[0], "second");
	ck_assert(c->order.mail[0] == NULL);
	conf_unref(&c);
}
END_TEST

static int
add_path(void *arg, const char *path, struct err *e)
{
	(void)e;
	return buf_printf(arg, "%s ", path);
}

START_TEST(files_of_a_plugins_settings_are_the_masters_to_read)
{
	struct conf *c = NULL;
	struct buf b;

	buf_init(&b, 4096);
	ck_assert_msg(conf_parse(&c, "/etc/b.lua", str_c(
	    "plugin 'a' { x = 'file:/etc/passwd', y = 'file:hosts',\n"
	    "  z = { 'file:group', 'services', 'file:/etc' },\n"
	    "  w = 'file:///no/such/database' }"), &conf_reader_none,
	    &why) == 0, "%s", why.text);
	ck_assert_int_eq(conf_files(c, add_path, &b, &why), 0);
	ck_assert_msg(strstr(buf_p(&b), "/etc/passwd /etc/hosts /etc/group") !=
	    NULL, "%s", buf_p(&b));
	ck_assert(strstr(buf_p(&b), "services") == NULL);
	ck_assert(strstr(buf_p(&b), "/etc ") == NULL);
	conf_unref(&c);
	buf_fini(&b);
}
END_TEST

START_TEST(users_are_read_from_their_file)
{
	char path[] = "/tmp/postern-users-XXXXXX", text[200];
	static const char users[] = "# who\nanna:$6$x$y\n\nbert:z\n";
	int fd = mkstemp(path);
	struct conf *c = NULL;

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, users, sizeof(users) - 1),
	    sizeof(users) - 1);
	(void)snprintf(text, sizeof(text), "relay { users = '%s' }\n"
	    "listener 'x' { address = '*:25' }", path);
	ck_assert_msg(conf_parse(&c, "/b.lua", str_c(text),
	    &conf_reader_plain, &why) == 0, "%s", why.text);
	ck_assert_uint_eq(c->nuser, 2);
	ck_assert_str_eq(c->user[0].name, "anna");
	ck_assert_str_eq(c->user[1].hash, "z");
	ck_assert(c->listener[0].flow[0].smtpd.auth);
	conf_unref(&c);
	(void)close(fd);
	(void)unlink(path);
}
END_TEST

START_TEST(ten_thousand_destinations_are_not_many)
{
	struct conf *c = NULL;

	ck_assert_msg(conf_parse(&c, "/b.lua", str_c(
	    "for i = 1, 20000 do\n"
	    "  destination('d' .. i .. '.test') { tls = 'required' }\n"
	    "end"), &conf_reader_none, &why) == 0, "%s", why.text);
	ck_assert_uint_eq(c->ndestination, 20000);
	ck_assert_str_eq(c->destination[19999].name, "d20000.test");
	conf_unref(&c);
	ck_assert_int_eq(conf_parse(&c, "/b.lua", str_c(
	    "for i = 1, 50001 do destination('d' .. i) { } end"),
	    &conf_reader_none, &why), -1);
	ck_assert_str_eq(why.text, "/b.lua:1: more than 50000 blocks");
}
END_TEST

START_TEST(listener_and_limits_share_no_name)
{
	struct buf b;

	/* Both kinds are set in a listener, so the names must differ. */
	buf_init(&b, 1 << 20);
#define PARAM_LIMITS(name, ...) (void)buf_add_c(&b, " " #name " ");
#include "tbl/params.h"
#define PARAM_LISTENER(name, ...) \
	ck_assert_msg(strstr(buf_p(&b), " " #name " ") == NULL, #name);
#include "tbl/params.h"
	buf_fini(&b);
}
END_TEST

UNIT_SUITE(conf)
{
	tcase_add_test(tc, listener_and_limits_share_no_name);
	tcase_add_test(tc, ten_thousand_destinations_are_not_many);
	tcase_add_loop_test(tc, refuses_with_place_and_reason, 0,
	    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tc, an_empty_file_has_the_defaults);
	tcase_add_test(tc, only_loopback_may_relay_by_default);
	tcase_add_test(tc, a_listener_overrides_the_limits);
	tcase_add_test(tc, tells_of_ciphers_that_nobody_knows);
	tcase_add_test(tc, blocks_add_up_and_lua_helps);
	tcase_add_test(tc, paths_are_relative_to_the_file);
	tcase_add_test(tc, a_dump_is_a_boot_file_with_the_same_dump);
	tcase_add_test(tc, users_are_read_from_their_file);
	tcase_add_test(tc, log_settings_stand_for_plugins);
	tcase_add_test(tc, the_policy_stands_for_instances_of_the_engine);
	tcase_add_test(tc, a_plugin_block_keeps_what_only_the_plugin_knows);
	tcase_add_test(tc,
	    files_of_a_plugins_settings_are_the_masters_to_read);
}
