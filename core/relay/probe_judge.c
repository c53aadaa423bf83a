/*
 * What the findings of a tester mean. Nothing here talks to anybody.
 */
#include "relay/probe_priv.h"
#include "relay/relay_priv.h"

/* The levels in the order of their strength; of the wants that verify, the
 * check that speaks for them is found by its match. */
static const char *const levels[PROBE_LEVELS] = { "none", "opportunistic",
	"preferred", "preferred-verify", "required", "required-verify",
	"required-verify-hosted", "forced" };

/* Of 100; a bad certificate is no failure of TLS (S2-65). */
static const unsigned weight[PROBE_STAGES] = { [PROBE_ANSWER] = 10,
	[PROBE_CONNECT] = 10, [PROBE_HELO] = 10, [PROBE_TLS] = 40,
	[PROBE_CERT] = 10, [PROBE_SECURE] = 10, [PROBE_FROM] = 10 };

static void judge(const struct probe_host *h, const struct tlswant *want,
    const struct probe_check *check, struct probe_would *w_r);

void
probe_judge(struct probe_host *h, const struct tlswant *force,
    const char *name, struct pool *pool)
{
	struct tlswant want;
	unsigned i;

	for (i = 0; i < PROBE_LEVELS; i++) {
		if (tlswant_read(&want, str_c(levels[i]), pool, NULL) != 0)
			panic("level %s", levels[i]);
		h->would[i].want = levels[i];
		judge(h, &want, probe_check_find(h, &want, pool),
		    &h->would[i]);
	}
	h->nwould = PROBE_LEVELS;
	if (force == NULL)
		return;
	h->would[i].want = name;
	judge(h, force, probe_check_find(h, force, pool), &h->would[i]);
	h->nwould++;
}

/* requirements.md 3.1, column by column. check: NULL if nobody looked. */
static void
judge(const struct probe_host *h, const struct tlswant *want,
    const struct probe_check *check, struct probe_would *w_r)
{
	struct smtpc_reply no_tls = { .tls_reason = h->no_tls,
		.tls_begun = h->begun };
	bool verifies = tlswant_verifies(want->level);

	w_r->does = PROBE_DOES_REFUSE;
	w_r->verified = false;
	w_r->anew = false;
	w_r->reason = TLSR_NONE;
	if (h->stage[PROBE_CONNECT].state != PROBE_OK)
		return;
	if (h->stage[PROBE_HELO].state != PROBE_OK &&
	    h->no_tls == TLSR_NONE)
		return;
	if (want->level == TLSWANT_NONE) {
		w_r->does = PROBE_DOES_CLEAR;
		return;
	}
	w_r->reason = h->no_tls;
	if (h->stage[PROBE_TLS].state != PROBE_OK) {
		if (!conn_tls_clear(want, false, &no_tls))
			return;
		w_r->does = PROBE_DOES_CLEAR;
		w_r->anew = h->begun || h->stage[PROBE_FROM].state ==
		    PROBE_UNTRIED;
		return;
	}
	if (h->step > conn_tls_lowest(want)) {
		w_r->reason = h->first;
		return;
	}
	if (verifies && check != NULL) {
		w_r->verified = check->verified;
		w_r->reason = check->reason;
		if (tlswant_insists(want->level) && !check->verified)
			return;
	} else {
		w_r->reason = TLSR_NONE;
		if (tlswant_insists(want->level))
			return;
	}
	w_r->does = PROBE_DOES_ENCRYPT;
}

const struct probe_check *
probe_check_find(const struct probe_host *h, const struct tlswant *want,
    struct pool *pool)
{
	const char *text = probe_want_text(want, pool);
	unsigned i;

	for (i = 0; i < h->ncheck; i++) {
		if (str_eq_c(str_c(h->check[i].want), text))
			return &h->check[i];
	}
	return NULL;
}

/* What can change the verdict on a certificate, and nothing else. */
const char *
probe_want_text(const struct tlswant *want, struct pool *pool)
{
	struct tlswant w = *want;
	const char *text;
	struct buf b;

	w.deadline = 0;
	w.warn_after = 0;
	if (tlswant_verifies(w.level))
		w.level = TLSWANT_REQUIRED_VERIFY;
	buf_init(&b, 65536);
	tlswant_write(&w, &b);
	text = pool_strndup(pool, buf_p(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

unsigned
probe_confidence(const struct probe_report *r)
{
	unsigned i, sum = 0;
	enum probe_stage s;

	for (i = 0; i < r->nhost; i++) {
		for (s = 0; s < PROBE_STAGES; s++)
			sum += r->host[i].stage[s].state == PROBE_OK ?
			    weight[s] : 0;
	}
	return r->nhost == 0 ? 0 : sum / r->nhost;
}

const struct probe_would *
probe_would(const struct probe_report *r, unsigned i,
    const struct probe_host **host_r)
{
	const struct probe_would *w = NULL, *refused = NULL;
	unsigned n;

	*host_r = NULL;
	for (n = 0; n < r->nhost; n++) {
		w = &r->host[n].would[i];
		if (w->does != PROBE_DOES_REFUSE) {
			*host_r = &r->host[n];
			return w;
		}
		if (refused == NULL || refused->reason == TLSR_NONE)
			refused = w;
	}
	return refused;
}

const char *
probe_hint(const struct probe_host *h, unsigned i)
{
	static const char *const hints[TLSR_COUNT][3] = {
		[TLSR_BLOCKED] = {
		    "A middlebox is suspected: a firewall on the way that does "
		    "not let TLS through",
		    "on this port, or one that rewrites what is offered." },
		[TLSR_NO_STARTTLS] = {
		    "The host offers no STARTTLS: it has no certificate, or a "
		    "middlebox hides it." },
		[TLSR_SELF_SIGNED] = {
		    "This is expected of a self-signed certificate: it "
		    "encrypts, but nobody can verify it." },
		[TLSR_INCOMPLETE] = {
		    "The host must send its intermediate certificate behind "
		    "its own." },
		[TLSR_UNTRUSTED] = {
		    "If a known CA signed it, look whether the chain is whole "
		    "and in order;",
		    "postern certconfig check shows duplicate, missing and "
		    "wrong intermediates." },
		[TLSR_NAME] = {
		    "The certificate's names, the host name of the interface "
		    "and the MX host name",
		    "must be the same." },
		[TLSR_EXPIRED] = { "The certificate must be renewed." },
		[TLSR_NOT_YET] = {
		    "Are the clocks of both hosts right?" },
	};
	enum tls_reason r = h->no_tls;

	if (h->stage[PROBE_ANSWER].state == PROBE_FAIL)
		return i == 0 ? "The port cannot be reached; that says nothing "
		    "about TLS. A firewall may block it." : NULL;
	if (r == TLSR_NONE && h->ncheck > 0)
		r = h->check[0].reason;
	return i < 3 ? hints[r][i] : NULL;
}

enum probe_verdict
probe_verdict(const struct probe_report *r)
{
	enum probe_verdict v = PROBE_VERIFIED, one;
	unsigned i, answered = 0;

	for (i = 0; i < r->nhost; i++) {
		const struct probe_result *s = r->host[i].stage;

		if (s[PROBE_ANSWER].state != PROBE_OK)
			continue;
		answered++;
		one = s[PROBE_TLS].state != PROBE_OK ? PROBE_NO_TLS :
		    s[PROBE_CERT].state != PROBE_OK ? PROBE_UNVERIFIED :
		    PROBE_VERIFIED;
		if (one > v)
			v = one;
	}
	return answered == 0 ? PROBE_NO_HOST : v;
}

const char *
probe_verdict_word(enum probe_verdict v)
{
	static const char *const words[] = { "verified", "unverified",
		"no-tls", "no-host" };

	return words[v];
}

const char *
probe_stage_word(enum probe_stage s)
{
	static const char *const words[PROBE_STAGES] = { "answer", "connect",
		"helo", "tls", "cert", "secure", "from" };

	return words[s];
}
