#include <postern/lookup.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/http.h"
#include "rig.h"
#include "unit.h"

#define ONE(name, hook, fn)                                                    \
	static const struct pst_hook name[] = { PST_HOOK(hook, fn), PST_END }

static pst_fn *ask; /* what the plugin does at "mail" */
static char trace[512];
static int fds[2];
static struct dns_answer dns_says;
static unsigned cancelled;
static struct {
	dns_fn *fn;
	http_fn *http;
	void *arg;
	char name[256];
	struct pst_http q;
} asked;

static struct dns_query *
fake_dns(struct dns *d, const char *name, enum dns_type type, dns_fn *fn,
    void *arg)
{
	(void)d;
	(void)type;
	asked.fn = fn;
	asked.arg = arg;
	(void)snprintf(asked.name, sizeof(asked.name), "%s", name);
	return (struct dns_query *)(void *)&asked;
}

static void
fake_dns_cancel(struct dns_query **qp)
{
	cancelled++;
	*qp = NULL;
}

static struct http *
fake_http(struct http_client *c, const struct pst_http *q, http_fn *fn,
    void *arg)
{
	ck_assert_ptr_nonnull(c);
	asked.q = *q;
	asked.http = fn;
	asked.arg = arg;
	return (struct http *)(void *)&asked;
}

static void
fake_http_cancel(struct http **hp)
{
	cancelled++;
	*hp = NULL;
}

static const struct host_net net = {
	.dns = fake_dns,
	.dns_cancel = fake_dns_cancel,
	.http = fake_http,
	.http_cancel = fake_http_cancel,
};

static enum pst_verdict
asks(struct pst_event *ev)
{
	return ask(ev);
}

ONE(mail_asks, PST_ON_MAIL, asks);

static void
begin(void)
{
	trace[0] = '\0';
	cancelled = 0;
	ck_assert_int_eq(pipe(fds), 0);
	rig_begin_net(&net);
	(void)rig_add("a", mail_asks);
}

static void
end(void)
{
	rig_end();
	(void)close(fds[0]);
	(void)close(fds[1]);
}

/* "status code ttl secure: item|item (error)" */
static enum pst_verdict
show(struct pst_event *ev, const struct pst_result *r)
{
	size_t n = 0, max = sizeof(trace);
	uint32_t i;

	(void)ev;
	n += (size_t)snprintf(trace, max, "%d %u %u %s:", (int)r->status,
	    r->code, r->ttl, r->secure ? "yes" : "no");
	for (i = 0; i < r->count; i++) {
		ck_assert_uint_eq((unsigned char)r->item[i].p[r->item[i].n],
		    0);
		n += (size_t)snprintf(trace + n, max - n, " %s",
		    r->item[i].p);
	}
	if (r->error != NULL)
		(void)snprintf(trace + n, max - n, " (%s)", r->error);
	return PST_CONTINUE;
}

static void
run(pst_fn *fn, const char *expected)
{
	ask = fn;
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(1000);
	ck_assert_str_eq(trace, expected);
	ck_assert_uint_eq(rig.answers, 1);
}

/* ---- Timer and file descriptors ----------------------------------------- */

static enum pst_verdict
asks_timer(struct pst_event *ev)
{
	return pst_timer(ev, 40, show);
}

START_TEST(waits_for_a_time)
{
	ask = asks_timer;
	ck_assert(!rig_hook(HOOK_MAIL));
	rig_run(39);
	ck_assert_uint_eq(rig.answers, 0);
	rig_run(1);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_str_eq(trace, "0 0 0 no:");
}
END_TEST

static enum pst_verdict
watches_read(struct pst_event *ev)
{
	return pst_watch(ev, fds[0], PST_READ, 0, show);
}

static enum pst_verdict
watches_write(struct pst_event *ev)
{
	return pst_watch(ev, fds[1], PST_WRITE, 10, show);
}

static enum pst_verdict
watches_in_vain(struct pst_event *ev)
{
	return pst_watch(ev, fds[0], PST_READ, 10, show);
}

static enum pst_verdict
watches_a_file(struct pst_event *ev)
{
	return pst_watch(ev, STDIN_FILENO, PST_READ, 0, show);
}

static enum pst_verdict
watches_nothing(struct pst_event *ev)
{
	return pst_watch(ev, fds[0], 0, 0, show);
}

START_TEST(waits_for_a_file_descriptor)
{
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	run(watches_read, "0 1 0 no:");
}
END_TEST

START_TEST(tells_what_a_file_descriptor_is_ready_for)
{
	run(watches_write, "0 2 0 no:");
}
END_TEST

START_TEST(waits_for_a_file_descriptor_only_so_long)
{
	run(watches_in_vain, "3 0 0 no: (nothing within 10 ms)");
}
END_TEST

START_TEST(refuses_to_watch_what_is_never_ready)
{
	ck_assert_ptr_nonnull(freopen("/etc/passwd", "r", stdin));
	run(watches_a_file, "4 0 0 no: (nothing that can be watched)");
	rig.answers = 0;
	run(watches_nothing, "4 0 0 no: (nothing to watch for)");
}
END_TEST

/* ---- Work --------------------------------------------------------------- */

static int
adds(void *arg)
{
	int *n = arg;

	return n[0] + n[1];
}

static enum pst_verdict
asks_work(struct pst_event *ev)
{
	int *n = pst_alloc(ev, PST_EVENT, 2 * sizeof(int));

	n[0] = 40;
	n[1] = 2;
	return pst_offload(ev, adds, n, show);
}

START_TEST(has_work_done_elsewhere)
{
	run(asks_work, "0 42 0 no:");
}
END_TEST

static unsigned works;

static enum pst_verdict
counts_work(struct pst_event *ev, const struct pst_result *r)
{
	(void)ev;
	ck_assert_uint_eq(r->code, 42);
	return ++works == 20 ? PST_CONTINUE : PST_WAIT;
}

static enum pst_verdict
asks_much_work(struct pst_event *ev)
{
	int *n = pst_alloc(ev, PST_EVENT, 2 * sizeof(int)), i;

	n[0] = 40;
	n[1] = 2;
	for (i = 0; i < 20; i++)
		(void)pst_offload(ev, adds, n, counts_work);
	return PST_WAIT;
}

START_TEST(has_much_work_done_on_a_few_threads)
{
	works = 0;
	run(asks_much_work, "");
	ck_assert_uint_eq(works, 20);
}
END_TEST

/* ---- DNS ---------------------------------------------------------------- */

static const char *dns_name, *dns_type;

static enum pst_verdict
asks_dns(struct pst_event *ev)
{
	return pst_dns(ev, dns_name, dns_type, show);
}

#define DATA(s) .data = (const unsigned char *)(s), .len = sizeof(s) - 1

static const struct {
	const char *type;
	struct dns_rr rr;
	const char *expected;
} records[] = {
	{ "A", { .type = DNS_A, DATA("\xc0\x00\x02\x01") },
	    "0 0 60 yes: 192.0.2.1" },
	{ "AAAA", { .type = DNS_AAAA,
	    DATA("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01") },
	    "0 0 60 yes: 2001:db8::1" },
	{ "mx", { .type = DNS_MX, .pref = 10, .name = "mx.example.net" },
	    "0 0 60 yes: 10 mx.example.net" },
	{ "MX", { .type = DNS_MX, .pref = 0, .name = "" },
	    "0 0 60 yes: 0 ." },
	{ "TXT", { .type = DNS_TXT, DATA("\6v=spf1\5 -all") },
	    "0 0 60 yes: v=spf1 -all" },
	{ "TXT", { .type = DNS_TXT, DATA("\7v=spf1") }, "0 0 60 yes:" },
	{ "TLSA", { .type = DNS_TLSA, DATA("\3\1\1\xab\xcd") },
	    "0 0 60 yes: 3 1 1 abcd" },
	{ "CNAME", { .type = DNS_CNAME, .name = "x.example" },
	    "0 0 60 yes: x.example" },
	{ "PTR", { .type = DNS_PTR, .name = "y.example" },
	    "0 0 60 yes: y.example" },
	{ "A", { .type = DNS_A, DATA("\xc0\x00\x02") }, "0 0 60 yes:" },
};

START_TEST(shows_records_as_in_a_zone_file)
{
	dns_name = "example.com";
	dns_type = records[_i].type;
	ask = asks_dns;
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_str_eq(asked.name, "example.com");
	dns_says = (struct dns_answer){ .status = DNS_OK, .secure = true,
		.ttl = 60, .rr = &records[_i].rr, .n = 1 };
	asked.fn(asked.arg, &dns_says);
	ck_assert_str_eq(trace, records[_i].expected);
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert_uint_eq(cancelled, 0);
}
END_TEST

static const struct {
	enum dns_status status;
	const char *why, *expected;
} none[] = {
	{ DNS_NODATA, NULL, "1 0 0 no: (no such record)" },
	{ DNS_NXDOMAIN, NULL, "1 0 0 no: (no such name)" },
	{ DNS_FAIL, "SERVFAIL", "2 0 0 no: (SERVFAIL)" },
	{ DNS_BOGUS, NULL, "2 0 0 no: (no answer)" },
};

START_TEST(tells_no_from_no_answer)
{
	dns_name = "example.com";
	dns_type = "A";
	ask = asks_dns;
	ck_assert(!rig_hook(HOOK_MAIL));
	dns_says = (struct dns_answer){ .status = none[_i].status,
		.why = none[_i].why };
	asked.fn(asked.arg, &dns_says);
	ck_assert_str_eq(trace, none[_i].expected);
}
END_TEST

START_TEST(asks_for_the_name_of_an_address)
{
	ask = asks_dns;
	dns_type = "PTR";
	dns_name = "192.0.2.1";
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_str_eq(asked.name, "1.2.0.192.in-addr.arpa");
	hook_cancel(&rig.run);
	dns_name = "1.2.0.192.in-addr.arpa";
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_str_eq(asked.name, "1.2.0.192.in-addr.arpa");
	hook_cancel(&rig.run);
	ck_assert_uint_eq(cancelled, 2);
}
END_TEST

START_TEST(knows_the_types_it_knows)
{
	dns_name = "example.com";
	dns_type = "SRV";
	run(asks_dns, "4 0 0 no: (no such type)");
}
END_TEST

/* ---- Tables ------------------------------------------------------------- */

static const char *table;

static enum pst_verdict
looks_up(struct pst_event *ev)
{
	return pst_lookup(ev, table, "the key", show);
}

static enum pst_verdict
get(struct pst_event *ev)
{
	struct pst_lookup *q = ev->arg;
	struct pst_str *item = pst_alloc(ev, PST_EVENT, 2 * sizeof(*item));

	ck_assert_str_eq(q->key.p, "the key");
	ck_assert_uint_eq(q->key.n, 7);
	ck_assert_str_eq(pst_get(ev, "mid"), "7");
	ck_assert_ptr_null(pst_get(ev, "sender"));
	item[0] = (struct pst_str){ "one", 3 };
	item[1] = (struct pst_str){ "twofold", 3 };
	q->item = item;
	q->count = strcmp(ev->instance, "none") == 0 ? 0 : 2;
	q->ttl = 5;
	return PST_CONTINUE;
}

static enum pst_verdict
gets_later(struct pst_event *ev, const struct pst_result *r)
{
	(void)r;
	return get(ev);
}

static enum pst_verdict
get_later(struct pst_event *ev)
{
	return pst_timer(ev, 10, gets_later);
}

static enum pst_verdict
get_not(struct pst_event *ev)
{
	return pst_tempfail(ev, 0, "", "the disk is wet");
}

static enum pst_verdict
get_without_values(struct pst_event *ev)
{
	struct pst_lookup *q = ev->arg;

	q->count = 3;
	return PST_CONTINUE;
}

static enum pst_verdict
get_too_many(struct pst_event *ev)
{
	struct pst_lookup *q = ev->arg;
	struct pst_str *item = pst_alloc(ev, PST_EVENT, sizeof(*item));

	q->count = UINT32_MAX;
	q->item = item;
	return PST_CONTINUE;
}

ONE(get_now_on, PST_LOOKUP_GET, get);
ONE(get_later_on, PST_LOOKUP_GET, get_later);
ONE(get_not_on, PST_LOOKUP_GET, get_not);
ONE(get_void_on, PST_LOOKUP_GET, get_without_values);
ONE(get_many_on, PST_LOOKUP_GET, get_too_many);

static const struct {
	const char *table, *expected;
} lookups[] = {
	{ "now", "0 0 5 no: one two" },
	{ "later", "0 0 5 no: one two" },
	{ "none", "1 0 5 no: (no such key)" },
	{ "broken", "2 0 0 no: (the disk is wet)" },
	{ "void", "2 0 0 no: (the table's answer has no values)" },
	{ "many", "2 0 0 no: (the table's answer has no values)" },
	{ "nowhere", "4 0 0 no: (nowhere is no table: "
	    "no plugin of that name is loaded)" },
	{ "a", "4 0 0 no: (a is no table)" },
};

/* A value need not end with a NUL where it comes from. */
START_TEST(looks_up_in_tables_of_other_plugins)
{
	(void)rig_add("now", get_now_on);
	(void)rig_add("later", get_later_on);
	(void)rig_add("none", get_now_on);
	(void)rig_add("broken", get_not_on);
	(void)rig_add("void", get_void_on);
	(void)rig_add("many", get_many_on);
	table = lookups[_i].table;
	run(looks_up, lookups[_i].expected);
}
END_TEST

/* ---- HTTP --------------------------------------------------------------- */

static enum pst_verdict
asks_http(struct pst_event *ev)
{
	struct pst_http q = { .size = sizeof(q), .url = "http://x/y",
		.timeout_ms = 5 };

	return pst_http(ev, &q, show);
}

START_TEST(asks_web_servers)
{
	struct pst_str body = { "body", 4 };
	struct pst_result r = { .size = sizeof(r), .code = 200, .count = 1,
		.item = &body };

	ask = asks_http;
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_uint_eq(asked.q.timeout_ms, 5);
	asked.http(asked.arg, &r);
	ck_assert_str_eq(trace, "0 200 0 no: body");
	ck_assert_uint_eq(rig.answers, 1);
	ck_assert(!rig_hook(HOOK_MAIL));
	hook_cancel(&rig.run);
	ck_assert_uint_eq(cancelled, 1);
}
END_TEST

static enum pst_verdict
asks_http_as_of_old(struct pst_event *ev)
{
	struct pst_http q = { .url = "http://x/y",
		.size = offsetof(struct pst_http, ca_file),
		.ca_file = "not known then" };

	return pst_http(ev, &q, show);
}

START_TEST(reads_no_more_of_a_request_than_its_plugin_knows)
{
	ask = asks_http_as_of_old;
	ck_assert(!rig_hook(HOOK_MAIL));
	ck_assert_str_eq(asked.q.url, "http://x/y");
	ck_assert_ptr_null(asked.q.ca_file);
	ck_assert_uint_eq(asked.q.size, sizeof(struct pst_http));
}
END_TEST

/* ---- Parking ------------------------------------------------------------ */

static uint64_t parked;

static enum pst_verdict
parks(struct pst_event *ev)
{
	return pst_park(ev, 20, &parked, show);
}

static enum pst_verdict
parks_and_wakes(struct pst_event *ev)
{
	char value[] = "value";
	struct pst_str item = { value, 5 };
	struct pst_result r = { .size = sizeof(r), .code = 9, .ttl = 3,
		.count = 1, .item = &item };
	enum pst_verdict v = pst_park(ev, 20, &parked, show);

	ck_assert(pst_wake(ev, parked, &r));
	memset(value, 'x', 5);
	return v;
}

START_TEST(gives_a_copy_of_the_result_to_who_was_parked)
{
	run(parks_and_wakes, "0 9 3 no: value");
}
END_TEST

static enum pst_verdict
wakes_without_a_size(struct pst_event *ev)
{
	struct pst_result r = { .status = PST_NOTFOUND };
	enum pst_verdict v = pst_park(ev, 20, &parked, show);

	ck_assert(pst_wake(ev, parked, &r));
	return v;
}

START_TEST(never_takes_a_result_without_its_size_for_success)
{
	run(wakes_without_a_size, "4 0 0 no: (a result without its size)");
}
END_TEST

START_TEST(is_parked_only_so_long)
{
	run(parks, "3 0 0 no: (nothing within 20 ms)");
}
END_TEST

UNIT_SUITE(request)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, waits_for_a_time);
	tcase_add_test(tc, waits_for_a_file_descriptor);
	tcase_add_test(tc, tells_what_a_file_descriptor_is_ready_for);
	tcase_add_test(tc, waits_for_a_file_descriptor_only_so_long);
	tcase_add_test(tc, refuses_to_watch_what_is_never_ready);
	tcase_add_test(tc, has_work_done_elsewhere);
	tcase_add_test(tc, has_much_work_done_on_a_few_threads);
	tcase_add_loop_test(tc, shows_records_as_in_a_zone_file, 0,
	    sizeof(records) / sizeof(records[0]));
	tcase_add_loop_test(tc, tells_no_from_no_answer, 0,
	    sizeof(none) / sizeof(none[0]));
	tcase_add_test(tc, asks_for_the_name_of_an_address);
	tcase_add_test(tc, knows_the_types_it_knows);
	tcase_add_loop_test(tc, looks_up_in_tables_of_other_plugins, 0,
	    sizeof(lookups) / sizeof(lookups[0]));
	tcase_add_test(tc, asks_web_servers);
	tcase_add_test(tc,
	    reads_no_more_of_a_request_than_its_plugin_knows);
	tcase_add_test(tc, gives_a_copy_of_the_result_to_who_was_parked);
	tcase_add_test(tc,
	    never_takes_a_result_without_its_size_for_success);
	tcase_add_test(tc, is_parked_only_so_long);
}
