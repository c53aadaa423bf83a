/*
 * Who sends what, and when: the plugin with a host that lets no time pass, and
 * a courier that hangs until the test says what became of the errand.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <postern/alert_sink.h>

#include "../common/gather.h"
#include "courier.h"
#include "outbox.h"
#include "unit.h"

enum { EVENTS = 200 };

/* An event of the instance: in the order in which they came to be. */
struct fake {
	struct pst_event pub; /* first */
	pst_fn *fn;	      /* NULL: it has begun */
	pst_then *then;	      /* of its timer; NULL: it has none */
	uint32_t ms;
	struct errand *errand; /* that hangs */
	void *data;
	void (*clean)(void *);
	void *cleaned;
	bool over;
};

/* As the plugin reads its own settings. */
struct settings {
	const char *const *to;
	const char *from, *server;
	int64_t port, initial_wait, maximum_wait, patience;
};

extern const struct pst_plugin alert_mail_LTX_postern_plugin;

static struct fake fakes[EVENTS], start;
static unsigned nfakes;
static void *state;
static void (*instance_clean)(void *);
static void *instance_cleaned;
static gather_tell *told;
static char logged[65536];
static const char *to[41];
static char names[40][32];
static struct settings conf = { to, "", "", 25, 0, 0, 60000 };

CURLcode
curl_global_init(long flags)
{
	(void)flags;
	return CURLE_OK;
}

struct gather *
gather_new(struct pst_event *ev, gather_tell *tell, int64_t first,
    int64_t most)
{
	(void)ev;
	(void)first;
	(void)most;
	told = tell;
	return (struct gather *)(void *)&told;
}

void
gather_came(struct pst_event *ev, struct gather *g,
    const struct pst_alert_record *r)
{
	(void)g;
	told(ev, r, 0);
}

enum pst_verdict
courier_send(struct pst_event *ev, struct errand *e)
{
	((struct fake *)(void *)ev)->errand = e;
	return PST_WAIT;
}

static void fake_log(struct pst_event *, enum pst_level, const char *, ...)
	    PST_PRINTF(3, 4);

static void
fake_log(struct pst_event *ev, enum pst_level level, const char *fmt, ...)
{
	size_t n = strlen(logged);
	va_list ap;

	(void)ev;
	(void)level;
	va_start(ap, fmt);
	(void)vsnprintf(logged + n, sizeof(logged) - n, fmt, ap);
	va_end(ap);
}

static void
fake_count(struct pst_event *ev, const char *metric, int64_t by)
{
	(void)ev;
	(void)metric;
	(void)by;
}

static void *
fake_data(struct pst_event *ev, enum pst_scope scope, size_t n)
{
	struct fake *f = (struct fake *)(void *)ev;
	void **p = scope == PST_INSTANCE ? &state : &f->data;

	if (*p == NULL)
		*p = calloc(1, n);
	return *p;
}

static void
fake_defer(struct pst_event *ev, enum pst_scope scope, void (*fn)(void *),
    void *arg)
{
	struct fake *f = (struct fake *)(void *)ev;

	*(scope == PST_INSTANCE ? &instance_clean : &f->clean) = fn;
	*(scope == PST_INSTANCE ? &instance_cleaned : &f->cleaned) = arg;
}

static int64_t
fake_now(struct pst_event *ev)
{
	(void)ev;
	return 1790000000000;
}

static int
fake_task(struct pst_event *ev, pst_fn *fn, void *arg)
{
	struct fake *f = &fakes[nfakes++];

	ck_assert_uint_le(nfakes, EVENTS);
	f->pub = (struct pst_event){ .api = ev->api, .conf = ev->conf,
		.instance = "alerts", .on = "task", .arg = arg };
	f->fn = fn;
	return 0;
}

static enum pst_verdict
fake_timer(struct pst_event *ev, uint32_t ms, pst_then *then)
{
	struct fake *f = (struct fake *)(void *)ev;

	f->then = then;
	f->ms = ms;
	return PST_WAIT;
}

static const struct pst_api api = { .size = sizeof(api), .major = 1,
	.log = fake_log, .count = fake_count, .data = fake_data,
	.defer = fake_defer, .now = fake_now, .task = fake_task,
	.timer = fake_timer };

static enum pst_verdict
call(const char *on, void *arg)
{
	const struct pst_hook *h = alert_mail_LTX_postern_plugin.hooks;

	for (; strcmp(h->on, on) != 0; h++)
		continue;
	start.pub = (struct pst_event){ .api = &api, .conf = &conf,
		.instance = "alerts", .on = on, .arg = arg };
	return h->fn(&start.pub);
}

static void
ends(struct fake *f, enum pst_verdict v)
{
	if (v == PST_WAIT)
		return;
	f->over = true;
	if (f->clean != NULL)
		f->clean(f->cleaned);
	free(f->data);
	f->data = NULL;
}

/* Those that were made begin. */
static void
go(void)
{
	struct fake *f;
	pst_fn *fn;

	for (f = fakes; f < fakes + nfakes; f++) {
		fn = f->fn;
		f->fn = NULL;
		if (fn != NULL)
			ends(f, fn(&f->pub));
	}
}

/* So long goes by at least: each timer that long or shorter. */
static void
pass(uint32_t ms)
{
	struct fake *f;
	pst_then *then;

	for (f = fakes; f < fakes + nfakes; f++) {
		then = f->ms <= ms ? f->then : NULL;
		if (then == NULL)
			continue;
		f->then = NULL;
		ends(f, then(&f->pub, NULL));
	}
	go();
}

/* What became of the one that has been on its way for longest. */
static const char *
comes_back(const char *why)
{
	static char address[32];
	struct errand *e;
	struct fake *f;

	for (f = fakes; f->errand == NULL; f++)
		ck_assert_ptr_ne(f, fakes + nfakes);
	e = f->errand;
	f->errand = NULL;
	e->sent = why == NULL;
	(void)snprintf(address, sizeof(address), "%s", e->to);
	ends(f, e->then(&f->pub, e, why));
	go();
	return address;
}

static unsigned
on_their_way(void)
{
	unsigned i, n = 0;

	for (i = 0; i < nfakes; i++)
		n += fakes[i].errand != NULL;
	return n;
}

static void
begin(unsigned recipients)
{
	unsigned i;

	for (i = 0; i < recipients; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "r%u@b.example", i);
		to[i] = names[i];
	}
	to[i] = NULL;
	ck_assert_int_eq(call(PST_ON_START, NULL), PST_CONTINUE);
}

static void
alert(void)
{
	struct pst_alert_record r = { .size = sizeof(r),
		.severity = "Warning", .category = "System", .key = "k",
		.host = "mx.a.example", .text = "t", .detail = "" };

	ck_assert_int_eq(call(PST_ALERT_SINK_EMIT, &r), PST_CONTINUE);
}

/* As the host ends an instance: the hook, its events, its clean-ups. */
static void
end(void)
{
	struct fake *f;

	(void)call(PST_ON_STOP, NULL);
	for (f = fakes; f < fakes + nfakes; f++) {
		if (!f->over && f->fn == NULL)
			ends(f, PST_CONTINUE);
	}
	instance_clean(instance_cleaned);
	free(state);
	state = NULL;
}

START_TEST(four_are_on_their_way_be_it_for_the_second_time)
{
	unsigned i;

	begin(40);
	alert();
	go();
	ck_assert_uint_eq(on_their_way(), 4);
	for (i = 0; i < 40; i++) {
		(void)comes_back("it is down");
		ck_assert_uint_le(on_their_way(), 4);
	}
	ck_assert_uint_eq(on_their_way(), 0);
	pass(60000);
	ck_assert_uint_eq(on_their_way(), 4);
	/* What hangs keeps its place, and only that. */
	pass(60000);
	ck_assert_uint_eq(on_their_way(), 4);
	for (i = 0; i < 40; i++) {
		(void)comes_back(NULL);
		pass(1000);
		ck_assert_uint_eq(on_their_way(), i < 36 ? 4 : 39 - i);
	}
	end();
	ck_assert_ptr_null(strstr(logged, "stopped before"));
}
END_TEST

START_TEST(a_place_that_is_free_is_that_of_who_was_not_tried_yet)
{
	unsigned i;

	begin(12);
	alert();
	go();
	for (i = 0; i < 12; i++)
		(void)comes_back("it is down");
	pass(60000);
	to[0] = "fresh@b.example";
	to[1] = NULL;
	alert();
	go();
	for (i = 0; i < 4; i++)
		(void)comes_back("it is down");
	ck_assert_uint_eq(on_their_way(), 1);
	pass(1000);
	ck_assert_uint_eq(on_their_way(), 4);
	for (i = 0; strcmp(comes_back(NULL), "fresh@b.example") != 0; i++)
		ck_assert_uint_lt(i, 4);
	end();
}
END_TEST

static const struct {
	unsigned recipients;
	bool began;
	unsigned tasks;
} counts[] = {
	{ 1, false, 1 }, { 3, false, 3 }, { 3, true, 3 }, { 4, true, 4 },
	{ 9, false, 4 }, { 9, true, 4 },
};

START_TEST(as_many_are_hired_and_told_of_as_there_are_messages)
{
	char want[64];

	(void)snprintf(want, sizeof(want), "stopped before %u messages were "
	    "sent", counts[_i].recipients);
	begin(counts[_i].recipients);
	alert();
	ck_assert_uint_eq(nfakes, counts[_i].tasks);
	if (counts[_i].began)
		go();
	ck_assert_uint_eq(nfakes, counts[_i].tasks);
	end();
	ck_assert_str_eq(logged, want);
}
END_TEST

START_TEST(what_rests_is_told_of_once)
{
	begin(6);
	alert();
	go();
	(void)comes_back("it is down");
	(void)comes_back(NULL);
	logged[0] = '\0';
	end();
	ck_assert_str_eq(logged, "stopped before 5 messages were sent");
}
END_TEST

START_TEST(it_is_logged_that_what_was_left_is_too_much)
{
	struct outbox *old = outbox_new("alerts");
	struct letter *l;
	unsigned i;

	begin(1);
	for (i = 0; i < OUTBOX_MAX + 3; i++) {
		l = letter_new();
		ck_assert_ptr_nonnull(l);
		l->to = strdup("a@b.example");
		outbox_back(old, l);
	}
	outbox_free(old);
	go(); /* it looks for what a predecessor left */
	ck_assert_str_eq(logged, "Error while sending alert: more than 1000 "
	    "messages were left by a reload, the oldest 3 are dropped");
	end();
}
END_TEST

UNIT_SUITE(senders)
{
	tcase_add_test(tc, four_are_on_their_way_be_it_for_the_second_time);
	tcase_add_test(tc,
	    a_place_that_is_free_is_that_of_who_was_not_tried_yet);
	tcase_add_loop_test(tc,
	    as_many_are_hired_and_told_of_as_there_are_messages, 0,
	    sizeof(counts) / sizeof(counts[0]));
	tcase_add_test(tc, what_rests_is_told_of_once);
	tcase_add_test(tc, it_is_logged_that_what_was_left_is_too_much);
}
