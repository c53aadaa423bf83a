/*
 * Plugins on the way out, asked through the host.
 */
#include <stdio.h>

#include <postern/tls_policy.h>

#include "daemon/plugs_priv.h"
#include "rig.h"
#include "unit.h"

static struct {
	struct conf conf;
	struct conf_plugin block[2];
	struct plugs_out *out;
	const char *want, *source;
	char text[300], why[600];
	unsigned answers;
	unsigned count;	/* of the last question */
	char domain[32];
} w;

static void
begin(void)
{
	rig_begin();
	memset(&w, 0, sizeof(w));
	w.conf.plugins = rig.gen;
	w.out = plugs_out_new(rig.loop);
}

static void
end(void)
{
	plugs_out_destroy(&w.out);
	rig_end();
}

static enum pst_verdict
boss(struct pst_event *ev)
{
	struct pst_tls_rcpt *q = ev->arg;

	if (strcmp(q->domain, "xn--bcher-kva.example") == 0 &&
	    strcmp(q->local, "boss") == 0)
		q->want = "required";
	return PST_CONTINUE;
}

static enum pst_verdict
broken(struct pst_event *ev)
{
	struct pst_tls_rcpt *q = ev->arg;

	q->want = "none";
	return PST_TEMPFAIL;
}

static enum pst_verdict
waiting(struct pst_event *ev)
{
	return pst_timer(ev, 10, NULL);
}

START_TEST(opinions_come_from_every_policy)
{
	const struct pst_hook one[] = {
		PST_HOOK(PST_TLS_POLICY_RCPT, boss), PST_END };
	const struct pst_hook two[] = {
		PST_HOOK(PST_TLS_POLICY_RCPT, broken), PST_END };
	const struct pst_hook three[] = {
		PST_HOOK(PST_TLS_POLICY_RCPT, waiting), PST_END };
	struct relay_opinion v[RELAY_OPINIONS];
	unsigned n;

	begin();
	(void)rig_add("one", one);
	plugs_out_set(w.out, &w.conf);
	n = plugs_out_asks.tls_rcpt(w.out, STR("B\xc3\x9c" "CHER.example"),
	    STR("boss"), v);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(v[0].want, "required");
	ck_assert(!v[0].ours);
	ck_assert_str_eq(v[0].who, "one");
	ck_assert_uint_eq(plugs_out_asks.tls_rcpt(w.out, STR("a.example"),
	    STR("boss"), v), 0);
	/* A failure is not silence. */
	(void)rig_add("two", two);
	(void)rig_add("three", three);
	w.block[0] = (struct conf_plugin){ .name = "one", .by = "destination" };
	w.conf.plugin = w.block;
	w.conf.nplugin = 1;
	plugs_out_set(w.out, &w.conf);
	n = plugs_out_asks.tls_rcpt(w.out, STR("xn--bcher-kva.example"),
	    STR("boss"), v);
	ck_assert_uint_eq(n, 3);
	ck_assert(v[0].ours);
	ck_assert_str_eq(v[1].want, "unreadable: two failed");
	ck_assert_str_eq(v[2].want, "unreadable: three failed");
	end();
}
END_TEST

static enum pst_verdict
strict(struct pst_event *ev)
{
	struct pst_tls_hop *q = ev->arg;
	char *text = pst_alloc(ev, PST_EVENT, 20);

	w.count = q->count;
	(void)snprintf(w.domain, sizeof(w.domain), "%s", q->domain);
	memcpy(text, "required-verify", 16);
	q->want = text;
	q->source = "dane";
	q->ttl = 60;
	return PST_CONTINUE;
}

static enum pst_verdict
later(struct pst_event *ev, const struct pst_result *r)
{
	struct pst_tls_hop *q = ev->arg;

	(void)r;
	q->want = "required deadline=2h";
	return PST_CONTINUE;
}

static enum pst_verdict
slow(struct pst_event *ev)
{
	return pst_timer(ev, 2000, later);
}

static enum pst_verdict
no(struct pst_event *ev)
{
	return pst_tempfail(ev, 451, "4.7.0", "no resolver");
}

static enum pst_verdict
mute(struct pst_event *ev)
{
	return pst_timer(ev, 3600 * 1000, later);
}

static enum pst_verdict
odd(struct pst_event *ev)
{
	struct pst_tls_hop *q = ev->arg;

	q->want = "tight";
	return PST_CONTINUE;
}

static void
policed(void *arg, const char *want, const char *source, msec ttl,
    const struct err *why)
{
	(void)arg;
	(void)snprintf(w.text, sizeof(w.text), "%s of %s for %d",
	    want != NULL ? want : "-", source != NULL ? source : "-",
	    (int)(ttl / 1000));
	(void)snprintf(w.why, sizeof(w.why), "%s",
	    why != NULL ? why->text : "");
	w.answers++;
}

static const struct pst_hook hop_strict[] = {
	PST_HOOK(PST_TLS_POLICY_DECIDE, strict), PST_END };
static const struct pst_hook hop_slow[] = {
	PST_HOOK(PST_TLS_POLICY_DECIDE, slow), PST_END };
static const struct pst_hook hop_no[] = {
	PST_HOOK(PST_TLS_POLICY_DECIDE, no), PST_END };
static const struct pst_hook hop_mute[] = {
	PST_HOOK(PST_TLS_POLICY_DECIDE, mute), PST_END };
static const struct pst_hook hop_odd[] = {
	PST_HOOK(PST_TLS_POLICY_DECIDE, odd), PST_END };

static void *
ask_hop(void)
{
	static struct mx_host hosts[] = { { .name = "a.example",
		.secure = true }, { .name = "b.example" } };
	static const struct mx_result mx = { .host = hosts, .nhost = 2 };
	static const struct relay_hop hop = { .domain = "them.example",
		.mx = &mx };

	plugs_out_set(w.out, &w.conf);
	return plugs_out_asks.tls_hop(w.out, &hop, policed, NULL);
}

START_TEST(policies_of_a_next_hop_combine)
{
	begin();
	ck_assert_ptr_null(ask_hop()); /* nobody is there */
	(void)rig_add("strict", hop_strict);
	ck_assert_ptr_nonnull(ask_hop());
	ck_assert_uint_eq(w.answers, 0); /* never from inside */
	rig_now();
	ck_assert_str_eq(w.text, "required-verify of dane for 60");
	ck_assert_str_eq(w.domain, "them.example");
	ck_assert_uint_eq(w.count, 2);
	(void)rig_add("slow", hop_slow);
	ck_assert_ptr_nonnull(ask_hop());
	rig_run(3000);
	ck_assert_uint_eq(w.answers, 2);
	ck_assert_str_eq(w.text,
	    "required-verify deadline=2h of dane, slow for 60");
	ck_assert_str_eq(w.why, "");
	end();
}
END_TEST

static const struct {
	const struct pst_hook *hooks;
	const char *why;
} failures[] = {
	{ hop_no, "bad: no resolver" },
	{ hop_mute, "bad: temporary local problem" },
	{ hop_odd, "bad gave \"tight\": " },
};

START_TEST(a_policy_that_fails_says_so)
{
	begin();
	(void)rig_add("strict", hop_strict);
	(void)rig_add("bad", failures[_i].hooks);
	ck_assert_ptr_nonnull(ask_hop());
	rig_run(40000);
	ck_assert_uint_eq(w.answers, 1);
	ck_assert_ptr_eq(strstr(w.why, failures[_i].why), w.why);
	end();
}
END_TEST

START_TEST(a_question_can_be_taken_back)
{
	void *pending;

	begin();
	(void)rig_add("slow", hop_slow);
	pending = ask_hop();
	rig_run(100);
	plugs_out_asks.cancel(w.out, pending);
	rig_run(10000);
	ck_assert_uint_eq(w.answers, 0);
	end();
}
END_TEST

UNIT_SUITE(plugs)
{
	tcase_add_test(tc, opinions_come_from_every_policy);
	tcase_add_test(tc, policies_of_a_next_hop_combine);
	tcase_add_loop_test(tc, a_policy_that_fails_says_so, 0, 3);
	tcase_add_test(tc, a_question_can_be_taken_back);
}
