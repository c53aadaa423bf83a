#include <string.h>

#include "relay/probe_priv.h"
#include "unit.h"

static struct pool *pool;
static struct buf b;
static struct probe_host host[2];
static struct probe_report report;

static const char *const alt[] = { "mx.example.net", "www.example.net", NULL };
static const struct probe_ref refs[] = { { "example.org", "san:domain",
	false }, { "mail.example.org", "san:mx", false },
	{ NULL, NULL, false } };

static struct probe_line said[] = {
	{ 12, PROBE_NOTE, "Connected to 192.0.2.1:25" },
	{ 34, PROBE_RECEIVED, "220 mail.example.org ESMTP" },
	{ 34, PROBE_SENT, "EHLO tester.example.net" },
	{ 1234, PROBE_RECEIVED, "250-mail.example.org\n250 STARTTLS" },
};

static struct probe_cert cert[] = { {
	.fact = { .subject = "CN=mx.example.net", .issuer = "CN=Test CA",
	    .cn = "mx.example.net", .name = alt, .serial = "01",
	    .key = "RSA-2048", .signature = "RSA-SHA256", .sha256 = "ab12",
	    .sha1 = "", .spki = "", .not_before = 1523926673000,
	    .not_after = 1623926673000 },
	.validated = true,
} };

static void
stages(struct probe_host *h, const char *marks)
{
	enum probe_stage s;

	for (s = 0; s < PROBE_STAGES; s++) {
		h->stage[s].state = marks[s] == '+' ? PROBE_OK :
		    marks[s] == '-' ? PROBE_FAIL : PROBE_UNTRIED;
		h->stage[s].ms = marks[s] == ' ' ? 0 : (msec)s * 11;
	}
}

static void
begin(void)
{
	pool = pool_new(0);
	buf_init(&b, 1 << 20);
	memset(host, 0, sizeof(host));
	host[0] = (struct probe_host){ .name = "mail.example.org",
		.ip = "192.0.2.1", .port = 25, .pref = 10,
		.local = "192.0.2.9", .failure = "", .version = "TLSv1.3",
		.cipher = "TLS_AES_256_GCM_SHA384", .group = "X25519",
		.bits = 256, .alg_bits = 256, .ref = refs, .cert = cert,
		.ncert = 1, .line = said, .nline = 4 };
	host[0].check[0] = (struct probe_check){
		"required-verify match=hosted", false, TLSR_NAME, "", "" };
	host[0].check[1] = (struct probe_check){ "required-verify", false,
		TLSR_NAME, "", "" };
	host[0].ncheck = 2;
	stages(&host[0], "++++-++");
	host[1] = (struct probe_host){ .name = "b.example.org",
		.ip = "2001:db8::1", .port = 25, .pref = 20, .local = "",
		.failure = "Connection refused, while connecting",
		.version = "", .cipher = "", .group = "" };
	stages(&host[1], "-      ");
	report = (struct probe_report){ .target = "u@example.org",
		.domain = "example.org",
		.want = "required-verify match=hosted", .status = MX_OK,
		.host = host, .nhost = 2 };
}

static void
end(void)
{
	buf_fini(&b);
	pool_destroy(&pool);
}

static void
judge_all(void)
{
	unsigned i;

	for (i = 0; i < report.nhost; i++)
		probe_judge(&host[i], NULL, NULL, pool);
}

static const char expected[] =
    "TLS of u@example.org: confidence factor 45, unverified\n"
    "Verified means: required-verify match=hosted\n"
    "\n"
    "MX host                           Pref  Answer        Connect     "
    "  HELO          TLS           Cert          Secure        From\n"
    "mail.example.org [192.0.2.1:25]     10  OK (0ms)      OK (11ms)   "
    "  OK (22ms)     OK (33ms)     FAIL (44ms)   OK (55ms)     OK (66ms"
    ")\n"
    "b.example.org [[2001:db8::1]:25]    20  FAIL (0ms)    -           "
    "  -             -             -             -             -\n"
    "Average                                 50%           50%         "
    "  50%           50%           0%            50%           50%\n"
    "\n"
    "What Postern would do with mail to example.org:\n"
    "  none                    clear, to mail.example.org [192.0.2.1]\n"
    "  opportunistic           encrypted, to mail.example.org [192.0.2."
    "1]\n"
    "  preferred               encrypted, to mail.example.org [192.0.2."
    "1]\n"
    "  preferred-verify        encrypted: name-mismatch (certificate is"
    " for another name), to mail.example.org [192.0.2.1]\n"
    "  required                encrypted, to mail.example.org [192.0.2."
    "1]\n"
    "  required-verify         deferred: name-mismatch (certificate is "
    "for another name)\n"
    "  required-verify-hosted  deferred: name-mismatch (certificate is "
    "for another name)\n"
    "  forced                  deferred: name-mismatch (certificate is "
    "for another name)\n"
    "\n"
    "mail.example.org [192.0.2.1:25]\n"
    "  [000.012]     Connected to 192.0.2.1:25\n"
    "  [000.034] <-- 220 mail.example.org ESMTP\n"
    "  [000.034] --> EHLO tester.example.net\n"
    "  [001.234] <-- 250-mail.example.org\n"
    "                250 STARTTLS\n"
    "  Certificate 1 of 1 in chain: validated\n"
    "    valid from 2018-04-17 00:57:53 to 2021-06-17 10:44:33 UTC\n"
    "    subject CN=mx.example.net\n"
    "    issuer  CN=Test CA\n"
    "    RSA-2048, RSA-SHA256, sha256 ab12\n"
    "  The certificate is for CN mx.example.net, DNS mx.example.net, ww"
    "w.example.net\n"
    "  Host name does not verify: (example.org != mx.example.net | www."
    "example.net) san:domain\n"
    "  Host name does not verify: (mail.example.org != mx.example.net |"
    " www.example.net) san:mx\n"
    "  TCP: reachable; TLS, certificate not verified: name-mismatch (ce"
    "rtificate is for another name)\n"
    "  Hint: The certificate's names, the host name of the interface an"
    "d the MX host name\n"
    "        must be the same.\n"
    "\n"
    "b.example.org [[2001:db8::1]:25]\n"
    "  TCP: not reachable; no TLS\n"
    "  Ended by: Connection refused, while connecting\n"
    "  Hint: The port cannot be reached; that says nothing about TLS. A"
    " firewall may block it.\n";

START_TEST(the_report_has_its_layout)
{
	size_t i = 0;

	judge_all();
	probe_text(&report, &b);
	while (expected[i] != '\0' && expected[i] == buf_p(&b)[i])
		i++;
	ck_assert_msg(expected[i] == buf_p(&b)[i], "at %zu: %.80s", i,
	    buf_p(&b) + i);
}
END_TEST

START_TEST(a_certificate_lowers_the_confidence_but_is_no_failure_of_tls)
{
	report.nhost = 1;
	judge_all();
	ck_assert_uint_eq(probe_confidence(&report), 90);
	ck_assert_int_eq(probe_verdict(&report), PROBE_UNVERIFIED);
	stages(&host[0], "+++++++");
	ck_assert_uint_eq(probe_confidence(&report), 100);
	ck_assert_int_eq(probe_verdict(&report), PROBE_VERIFIED);
	stages(&host[0], "+++-  +");
	ck_assert_uint_eq(probe_confidence(&report), 40);
	ck_assert_int_eq(probe_verdict(&report), PROBE_NO_TLS);
	stages(&host[0], "-      ");
	ck_assert_int_eq(probe_verdict(&report), PROBE_NO_HOST);
	report.nhost = 0;
	ck_assert_uint_eq(probe_confidence(&report), 0);
	ck_assert_int_eq(probe_verdict(&report), PROBE_NO_HOST);
}
END_TEST

/* requirements.md 3.1: C clear, N clear on a new connection, E encrypted, X
 * refused; in the order of the levels. */
struct cell {
	const char *marks;
	enum tls_reason no_tls;
	bool begun;
	enum tls_step step;
	bool hosted, mx; /* verified by these */
	const char *does;
};

static const struct cell cells[] = {
	{ "++++-++", TLSR_NONE, false, TLS_STEP_FULL, false, false,
	    "CEEEEXXX" },
	{ "+++++++", TLSR_NONE, false, TLS_STEP_FULL, true, false,
	    "CEEEEXEX" },
	{ "+++++++", TLSR_NONE, false, TLS_STEP_FULL, true, true,
	    "CEEEEEEE" },
	{ "+++-  +", TLSR_NO_STARTTLS, false, TLS_STEP_FULL, false, false,
	    "CCCCXXXX" },
	{ "+++-  +", TLSR_NO_ESMTP, false, TLS_STEP_FULL, false, false,
	    "CCCCXXXX" },
	{ "+++-  +", TLSR_REFUSED, false, TLS_STEP_FULL, false, false,
	    "CCCCXXXX" },
	{ "+++-   ", TLSR_BLOCKED, false, TLS_STEP_FULL, false, false,
	    "CNNNXXXX" },
	{ "+++-   ", TLSR_TIMEOUT, true, TLS_STEP_FULL, false, false,
	    "CNXXXXXX" },
	{ "+++++++", TLSR_NONE, false, TLS_STEP_RSA, true, true,
	    "CEEXEXXX" },
	{ "+++++++", TLSR_NONE, false, TLS_STEP_CLASSIC, true, true,
	    "CEEEEEEE" },
	{ "+-     ", TLSR_NONE, false, TLS_STEP_FULL, false, false,
	    "XXXXXXXX" },
	{ "-      ", TLSR_NONE, false, TLS_STEP_FULL, false, false,
	    "XXXXXXXX" },
	{ "++-    ", TLSR_NONE, false, TLS_STEP_FULL, false, false,
	    "XXXXXXXX" },
};

START_TEST(each_level_does_what_the_matrix_says)
{
	const struct cell *c = &cells[_i];
	struct probe_would *w;
	unsigned i;
	char got;

	report.nhost = 1;
	stages(&host[0], c->marks);
	host[0].no_tls = c->no_tls;
	host[0].begun = c->begun;
	host[0].step = c->step;
	host[0].first = c->step == TLS_STEP_FULL ? TLSR_NONE : TLSR_ALERT;
	host[0].check[0].verified = c->hosted;
	host[0].check[0].reason = c->hosted ? TLSR_NONE : TLSR_NAME;
	host[0].check[1].verified = c->mx;
	host[0].check[1].reason = c->mx ? TLSR_NONE : TLSR_NAME;
	judge_all();
	for (i = 0; i < PROBE_LEVELS; i++) {
		w = &host[0].would[i];
		got = w->does == PROBE_DOES_REFUSE ? 'X' :
		    w->does == PROBE_DOES_ENCRYPT ? 'E' : w->anew ? 'N' : 'C';
		ck_assert_msg(got == c->does[i], "%s: %c, not %c", w->want,
		    got, c->does[i]);
	}
}
END_TEST

START_TEST(the_next_host_is_tried_before_a_level_gives_up)
{
	const struct probe_host *h;
	const struct probe_would *w;

	host[1] = host[0];
	host[1].name = "good.example.org";
	host[1].check[0].verified = host[1].check[1].verified = true;
	host[1].check[0].reason = host[1].check[1].reason = TLSR_NONE;
	stages(&host[1], "+++++++");
	judge_all();
	w = probe_would(&report, 1, &h);
	ck_assert_int_eq(w->does, PROBE_DOES_ENCRYPT);
	ck_assert_ptr_eq(h, &host[0]);
	w = probe_would(&report, 5, &h);
	ck_assert_int_eq(w->does, PROBE_DOES_ENCRYPT);
	ck_assert_ptr_eq(h, &host[1]);
	ck_assert_int_eq(probe_verdict(&report), PROBE_UNVERIFIED);
}
END_TEST

START_TEST(what_a_stranger_says_is_made_fit_for_a_terminal)
{
	ck_assert_str_eq(probe_clean(pool, STR("a\033[1m\nb\r\x9b")),
	    "a\\x1b[1m\nb\\x0d\\x9b");
}
END_TEST

UNIT_SUITE(probe)
{
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, the_report_has_its_layout);
	tcase_add_test(tc,
	    a_certificate_lowers_the_confidence_but_is_no_failure_of_tls);
	tcase_add_loop_test(tc, each_level_does_what_the_matrix_says, 0,
	    sizeof(cells) / sizeof(cells[0]));
	tcase_add_test(tc, the_next_host_is_tried_before_a_level_gives_up);
	tcase_add_test(tc, what_a_stranger_says_is_made_fit_for_a_terminal);
}
