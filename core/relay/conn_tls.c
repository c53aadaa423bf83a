/*
 * TLS on connections to other hosts: how much is offered, what became of it,
 * and what is tried next (requirements.md 3.1, dependencies.md 1.8).
 *
 * After a handshake that failed for a reason that a smaller offer can mend,
 * the next connection to the host makes it, each step at most once; below the
 * last step there is clear text for `opportunistic` alone. What worked is
 * remembered with the host. Nothing here weakens a want: a step is bounded by
 * what the want allows, and a host that had working TLS lately gets no clear
 * text because it fails now.
 */
#include "base/codec.h"
#include "relay/relay_priv.h"
#include "relay/route.h"
#include "tls/tlsfail.h"

static bool clear_text_instead(struct conn *c, const struct smtpc_reply *r,
    struct dest_cand *cand);
static void count_failure(const struct conn *c, enum tls_reason reason);
static void log_failed(const struct conn *c, enum tls_reason reason);
static void gather_detail(struct conn *c, const struct smtpc_reply *why);
static void log_detail(struct conn *c);
static void failed_for(void *arg, struct str domain);

static const char *const step_names[TLS_STEPS] = {
	[TLS_STEP_FULL] = "full",
	[TLS_STEP_CLASSIC] = "classic",
	[TLS_STEP_TLS12] = "tls12",
	[TLS_STEP_RSA] = "rsa",
};

const char *
conn_tls_step_name(enum tls_step step)
{
	return step_names[step];
}

void
conn_tls_conf(struct conn *c, const struct dest_cand *cand)
{
	struct smtpc_conf *sc = &c->conf;
	struct host *h = c->host;
	msec now = clock_now();

	sc->tls_step = cand->tls_step;
	if (h->step_until > now && sc->tls_step < h->tls_step)
		sc->tls_step = h->tls_step;
	if (sc->tls_step > conn_tls_lowest(&sc->want))
		sc->tls_step = conn_tls_lowest(&sc->want);
	if (!tlswant_clear_ok(sc->want.level) || sc->implicit_tls)
		return;
	sc->avoid_tls = cand->avoid_tls;
	if (host_had_tls(h))
		return;
	if (h->cut_until > now)
		sc->avoid_tls = true;
	if (h->clear_until > now && sc->want.level == TLSWANT_OPPORTUNISTIC)
		sc->avoid_tls = true;
}

void
conn_tls_told(struct conn *c, const struct tls_info *info,
    const struct smtpc_reply *why)
{
	struct host *h = c->host;

	if (info == NULL) { /* logged when it is known how it goes on */
		c->tls_reason = why->tls_reason;
		buf_reset(&c->tls_why);
		if (why->tls_failure != NULL)
			tls_failure_line(why->tls_failure, &c->tls_why);
		else
			(void)buf_add_str(&c->tls_why, why->text);
		if (c->gen->conf->tls_verbose && why->tls_failure != NULL)
			gather_detail(c, why);
		return;
	}
	c->tls_up = true;
	h->tls_good = clock_now();
	h->clear_until = h->cut_until = 0;
	h->tls_step = c->conf.tls_step;
	h->step_until = h->tls_step == TLS_STEP_FULL ? 0 :
	    clock_now() + c->gen->conf->broken_tls;
	conn_count(c, M_TLS_OUT);
	if (info->resumed)
		conn_count(c, M_TLS_OUT_RESUMED);
	if (info->verified)
		conn_count(c, M_TLS_OUT_VERIFIED);
	mail_log(EV_DCID_TLS_OK, c->dcid, info->version, info->cipher,
	    c->conf.domain);
	if (!tlswant_verifies(c->conf.want.level))
		return;
	if (info->verified)
		mail_log(EV_DCID_VERIFIED, c->dcid,
		    info->matched_by != NULL ? info->matched_by : "",
		    str_c(info->matched));
	else
		mail_log(EV_DCID_UNVERIFIED, c->dcid,
		    info->reason != TLSR_NONE ? tls_reason_word(info->reason) :
		    info->verify_why, str_c(info->names));
}

/* The session goes on, in clear if TLS was refused. */
void
conn_tls_ready(struct conn *c)
{
	struct dest_cand *cand = conn_cand(c);

	if (cand != NULL) {
		cand->tls_step = TLS_STEP_FULL;
		cand->avoid_tls = false;
	}
	if (c->tls_reason == TLSR_NONE)
		return;
	count_failure(c, c->tls_reason);
	log_failed(c, c->tls_reason);
	c->tls_reason = TLSR_NONE;
}

void
conn_tls_log(struct conn *c, const struct smtpc_reply *r)
{
	const char *word = tls_reason_word(r->tls_reason);
	char ip[SOCK_IP_MAX];

	if (r->tls_reason == TLSR_NONE)
		return;
	count_failure(c, r->tls_reason);
	if (!c->tls_up) { /* one line of its own for each connection */
		if (buf_len(&c->tls_why) == 0)
			(void)buf_add_str(&c->tls_why, r->text);
		log_failed(c, r->tls_reason);
	}
	if (c->conf.want.level >= TLSWANT_REQUIRED)
		mail_log(EV_DCID_TLS_REQUIRED, c->dcid,
		    sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)), word);
	if (r->tls_reason >= TLSR_NO_CERT)
		mail_log(EV_DCID_UNVERIFIED, c->dcid, word,
		    r->tls_failure != NULL ? str_c(r->tls_failure->names) :
		    STR_NULL);
	log_detail(c);
}

struct failed {
	const struct relay_world *w;
	struct relay_tls_fail f;
};

void
conn_tls_failed(const struct conn *c, const struct smtpc_reply *r)
{
	char ip[SOCK_IP_MAX];
	struct failed t = { .w = &c->relay->w };

	if (r->tls_reason == TLSR_NONE || t.w->tls_failed == NULL ||
	    c->conf.want.level < TLSWANT_REQUIRED)
		return;
	t.f.host = c->name[0] != '[' ? c->name : "";
	t.f.ip = sock_addr_ip_text(&c->host->addr, ip, sizeof(ip));
	t.f.reason = r->tls_reason;
	t.f.why = buf_len(&c->tls_why) > 0 ? buf_str(&c->tls_why) : r->text;
	if (c->delivery != NULL) /* what it was to carry is due no longer */
		failed_for(&t, c->conf.domain);
	else
		qhop_each_domain(c->dest->hop, failed_for, &t);
}

static void
failed_for(void *arg, struct str domain)
{
	char name[WAY_HOP_MAX];
	struct failed *t = arg;

	route_domain(domain, name, sizeof(name));
	t->f.domain = str_c(name);
	t->w->tls_failed(t->w->alert_arg, &t->f);
}

bool
conn_tls_again(struct conn *c, const struct smtpc_reply *r)
{
	static const unsigned counters[TLS_STEPS] = {
		[TLS_STEP_CLASSIC] = M_TLS_STEP_CLASSIC,
		[TLS_STEP_TLS12] = M_TLS_STEP_TLS12,
		[TLS_STEP_RSA] = M_TLS_STEP_RSA,
	};
	struct dest_cand *cand = conn_cand(c);
	enum tls_step next;
	char ip[SOCK_IP_MAX];

	if (cand == NULL)
		return false;
	if (r->tls_reason == TLSR_NONE || c->conf.avoid_tls)
		goto over;
	next = conn_tls_next(&c->conf.want, c->conf.tls_step, r);
	if (next != c->conf.tls_step) {
		c->host->step_until = 0;
		cand->tls_step = next;
		conn_count(c, counters[next]);
		mail_log(EV_DCID_TLS_STEP, c->dcid,
		    sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)),
		    step_names[c->conf.tls_step],
		    tls_reason_word(r->tls_reason), step_names[next]);
		return true;
	}
	if (clear_text_instead(c, r, cand))
		return true;
over:
	cand->tls_step = TLS_STEP_FULL;
	cand->avoid_tls = false;
	return false;
}

enum tls_step
conn_tls_lowest(const struct tlswant *w)
{
	if (tlswant_verifies(w->level) || w->min_version > 0x0303)
		return TLS_STEP_CLASSIC;
	return TLS_STEP_RSA;
}

enum tls_step
conn_tls_next(const struct tlswant *want, enum tls_step now,
    const struct smtpc_reply *r)
{
	enum tls_step next = now;

	if (!r->tls_begun)
		return now;
	switch (r->tls_reason) {
	case TLSR_BLOCKED: /* 220, then silence */
	case TLSR_TIMEOUT:
	case TLSR_RESET:
	case TLSR_VERSION:
		/* A hello of two packets, or a group nobody knows. */
		if (now == TLS_STEP_FULL && !r->tls_cert)
			next = TLS_STEP_CLASSIC;
		break;
	case TLSR_PROTOCOL:
		if (now == TLS_STEP_FULL && !r->tls_cert)
			next = TLS_STEP_CLASSIC;
		else if (now < TLS_STEP_TLS12)
			next = TLS_STEP_TLS12;
		break;
	case TLSR_ALERT:
		if (now < TLS_STEP_TLS12)
			next = TLS_STEP_TLS12;
		break;
	case TLSR_KEY_USAGE: /* which TLS 1.3 does not do */
		next = TLS_STEP_RSA;
		break;
	default: /* of a list that others make longer: no step helps */
		break;
	}
	return next > conn_tls_lowest(want) ? now : next;
}

/*
 * Before the 220 wherever clear text may be at all, after it under
 * `opportunistic` only; never because somebody spoke behind the 220, who would
 * gain by it. A connection that ended takes a new one.
 */
bool
conn_tls_clear(const struct tlswant *w, bool implicit_tls,
    const struct smtpc_reply *r)
{
	return !implicit_tls && tlswant_clear_ok(w->level) &&
	    (!r->tls_begun || w->level == TLSWANT_OPPORTUNISTIC) &&
	    r->tls_reason != TLSR_INJECTION;
}

static bool
clear_text_instead(struct conn *c, const struct smtpc_reply *r,
    struct dest_cand *cand)
{
	const struct tlswant *w = &c->conf.want;
	msec wait = c->gen->conf->broken_tls;
	const char *word = tls_reason_word(r->tls_reason);
	char ip[SOCK_IP_MAX];

	if (!conn_tls_clear(w, c->conf.implicit_tls, r))
		return false;
	(void)sock_addr_ip_text(&c->host->addr, ip, sizeof(ip));
	if (host_had_tls(c->host)) {
		mail_log(EV_DCID_TLS_HISTORY, c->dcid, ip, word);
		return false;
	}
	if (r->tls_begun)
		c->host->clear_until = clock_now() + wait;
	else
		c->host->cut_until = clock_now() + wait;
	cand->avoid_tls = true;
	conn_count(c, M_TLS_STEP_CLEAR);
	mail_log(EV_DCID_TLS_CLEAR, c->dcid, ip, word, (uint64_t)wait / 1000);
	return true;
}

static void
count_failure(const struct conn *c, enum tls_reason reason)
{
	conn_count(c, M_TLS_OUT_FAILED);
	conn_count(c, M_TLS_OUT_FAILED_NO_ESMTP + (unsigned)reason - 1);
}

static void
log_failed(const struct conn *c, enum tls_reason reason)
{
	mail_log(EV_DCID_TLS_FAILED, c->dcid, buf_str(&c->tls_why),
	    tls_reason_word(reason));
}

/* While the peer's certificates are still there. */
static void
gather_detail(struct conn *c, const struct smtpc_reply *why)
{
	char ip[SOCK_IP_MAX];
	struct buf *b = &c->tls_detail;

	(void)buf_printf(b, "phase %s, host %s [%s]:%u, domain %s, level %s, "
	    "step %s\n", c->conf.implicit_tls ? "TLS from the first octet" :
	    why->step == SMTPC_AT_HANDSHAKE ? "after STARTTLS" :
	    smtpc_step_phrase(why->step), c->name,
	    sock_addr_ip_text(&c->host->addr, ip, sizeof(ip)),
	    (unsigned)sock_addr_port(&c->host->addr), c->domain,
	    tlswant_name(c->conf.want.level), step_names[c->conf.tls_step]);
	tls_failure_block(why->tls_failure, b);
	c->relay->peer->tls_chain(c->client, b);
}

/* The chain as it was shown, line by line, each an event of the same kind. */
static void
log_detail(struct conn *c)
{
	struct str rest = buf_str(&c->tls_detail), line;

	while (str_split(&rest, '\n', &line))
		if (line.n > 0)
			mail_log(EV_DCID_TLS_DETAIL, c->dcid, line);
	buf_reset(&c->tls_detail);
}
