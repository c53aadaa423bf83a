/*
 * The tester's report for people (requirements.md S2-59 to S2-68).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/probe_priv.h"

static void table(const struct probe_report *r, struct buf *dst);
static void average(const struct probe_report *r, struct buf *dst, int width);
static void destination(const struct probe_report *r, struct buf *dst);
static void host(const struct probe_host *h, struct buf *dst);
static void transcript(const struct probe_host *h, struct buf *dst);
static void lines(struct buf *dst, const char *prefix, const char *text);
static void certificate(const struct probe_host *h, unsigned i,
    struct buf *dst);
static void names(const struct probe_host *h, struct buf *dst);
static void verdict(const struct probe_host *h, struct buf *dst);
static void outcome(const struct probe_would *w, struct buf *dst);
static void reason(enum tls_reason r, struct buf *dst);
static int width_of(const struct probe_report *r);
static void add_where(struct buf *dst, const struct probe_host *h);

void
probe_text(const struct probe_report *r, struct buf *dst)
{
	unsigned i;

	(void)buf_printf(dst, "TLS of %s: confidence factor %u, %s\n",
	    r->target, probe_confidence(r),
	    probe_verdict_word(probe_verdict(r)));
	(void)buf_printf(dst, "Verified means: %s\n\n", r->want);
	if (r->nhost == 0) {
		(void)buf_printf(dst, "No host to test: %s\n",
		    r->why != NULL ? r->why : "none has an address");
		return;
	}
	table(r, dst);
	destination(r, dst);
	for (i = 0; i < r->nhost; i++)
		host(&r->host[i], dst);
}

static void
table(const struct probe_report *r, struct buf *dst)
{
	static const char *const title[PROBE_STAGES] = { "Answer", "Connect",
		"HELO", "TLS", "Cert", "Secure", "From" };
	int width = width_of(r), n;
	const struct probe_host *h;
	enum probe_stage s;
	char cell[64];
	unsigned i;

	(void)buf_printf(dst, "%-*s  Pref", width, "MX host");
	for (s = 0; s < PROBE_STAGES; s++)
		(void)buf_printf(dst, s + 1 < PROBE_STAGES ? "  %-12s" :
		    "  %s", title[s]);
	(void)buf_add_c(dst, "\n");
	for (i = 0; i < r->nhost; i++) {
		h = &r->host[i];
		n = (int)buf_len(dst);
		add_where(dst, h);
		n = width - ((int)buf_len(dst) - n);
		(void)buf_printf(dst, "%*s  %4u", n, "", h->pref);
		for (s = 0; s < PROBE_STAGES; s++) {
			if (h->stage[s].state == PROBE_UNTRIED)
				(void)snprintf(cell, sizeof(cell), "-");
			else
				(void)snprintf(cell, sizeof(cell),
				    "%s (%" PRId64 "ms)",
				    h->stage[s].state == PROBE_OK ? "OK" :
				    "FAIL", h->stage[s].ms);
			(void)buf_printf(dst, s + 1 < PROBE_STAGES ?
			    "  %-12s" : "  %s", cell);
		}
		(void)buf_add_c(dst, "\n");
	}
	average(r, dst, width);
}

static int
width_of(const struct probe_report *r)
{
	int width = (int)strlen("Average");
	struct buf b;
	unsigned i;

	buf_init(&b, 4 * (size_t)PROBE_TEXT_MAX);
	for (i = 0; i < r->nhost; i++) {
		buf_reset(&b);
		add_where(&b, &r->host[i]);
		if ((int)buf_len(&b) > width)
			width = (int)buf_len(&b);
	}
	buf_fini(&b);
	return width;
}

/* "mx.example.org [192.0.2.1:25]" */
static void
add_where(struct buf *dst, const struct probe_host *h)
{
	(void)buf_printf(dst, strchr(h->ip, ':') != NULL ?
	    "%s [[%s]:%u]" : "%s [%s:%u]", h->name, h->ip, h->port);
}

static void
average(const struct probe_report *r, struct buf *dst, int width)
{
	unsigned i, ok;
	enum probe_stage s;
	char cell[16];

	(void)buf_printf(dst, "%-*s      ", width, "Average");
	for (s = 0; s < PROBE_STAGES; s++) {
		for (i = ok = 0; i < r->nhost; i++)
			ok += r->host[i].stage[s].state == PROBE_OK;
		(void)snprintf(cell, sizeof(cell), "%u%%",
		    ok * 100 / r->nhost);
		(void)buf_printf(dst, s + 1 < PROBE_STAGES ? "  %-12s" :
		    "  %s", cell);
	}
	(void)buf_add_c(dst, "\n\n");
}

static void
destination(const struct probe_report *r, struct buf *dst)
{
	const struct probe_would *w;
	const struct probe_host *h;
	unsigned i;

	(void)buf_printf(dst, "What Postern would do with mail to %s:\n",
	    r->domain);
	for (i = 0; i < r->host[0].nwould; i++) {
		w = probe_would(r, i, &h);
		(void)buf_printf(dst, "  %-22s  ", w->want);
		outcome(w, dst);
		if (h != NULL && r->nhost > 1)
			(void)buf_printf(dst, ", to %s [%s]", h->name, h->ip);
		(void)buf_add_c(dst, "\n");
	}
}

static void
outcome(const struct probe_would *w, struct buf *dst)
{
	switch (w->does) {
	case PROBE_DOES_REFUSE:
		(void)buf_add_c(dst, "deferred");
		break;
	case PROBE_DOES_CLEAR:
		(void)buf_add_c(dst, w->anew ?
		    "clear, on a new connection" : "clear");
		break;
	case PROBE_DOES_ENCRYPT:
		(void)buf_add_c(dst, w->verified ? "encrypted, verified" :
		    "encrypted");
		break;
	}
	if (w->reason != TLSR_NONE)
		reason(w->reason, dst);
	else if (w->does == PROBE_DOES_REFUSE)
		(void)buf_add_c(dst, ": no host can be used");
}

static void
reason(enum tls_reason r, struct buf *dst)
{
	(void)buf_printf(dst, ": %s (%s)", tls_reason_word(r),
	    tls_reason_text(r));
}

static void
host(const struct probe_host *h, struct buf *dst)
{
	unsigned i;

	(void)buf_add_c(dst, "\n");
	add_where(dst, h);
	(void)buf_add_c(dst, "\n");
	transcript(h, dst);
	for (i = 0; i < h->ncert; i++)
		certificate(h, i, dst);
	if (h->ncert > 0)
		names(h, dst);
	verdict(h, dst);
	for (i = 0; probe_hint(h, i) != NULL; i++)
		(void)buf_printf(dst, "  %s%s\n", i == 0 ? "Hint: " :
		    "      ", probe_hint(h, i));
}

static void
transcript(const struct probe_host *h, struct buf *dst)
{
	static const char *const arrow[] = { "    ", "--> ", "<-- " };
	char prefix[40];
	unsigned i;

	for (i = 0; i < h->nline; i++) {
		(void)snprintf(prefix, sizeof(prefix),
		    "  [%03" PRId64 ".%03" PRId64 "] %s",
		    h->line[i].at / 1000, h->line[i].at % 1000,
		    arrow[h->line[i].who]);
		lines(dst, prefix, h->line[i].text);
	}
}

/* The prefix on the first, blanks before the others. */
static void
lines(struct buf *dst, const char *prefix, const char *text)
{
	struct str rest = str_c(text), line;
	int n = (int)strlen(prefix);

	(void)str_split(&rest, '\n', &line);
	(void)buf_printf(dst, "%s%.*s\n", prefix, STR_FMT(line));
	while (str_split(&rest, '\n', &line))
		(void)buf_printf(dst, "%*s%.*s\n", n, "", STR_FMT(line));
}

static void
certificate(const struct probe_host *h, unsigned i, struct buf *dst)
{
	const struct certfact *f = &h->cert[i].fact;
	char from[32], until[32];

	clock_rfc3339(from, sizeof(from), f->not_before);
	clock_rfc3339(until, sizeof(until), f->not_after);
	(void)buf_printf(dst, "  Certificate %u of %u in chain: %svalidated\n",
	    i + 1, h->ncert, h->cert[i].validated ? "" : "NOT ");
	(void)buf_printf(dst, "    valid from %.10s %.8s to %.10s %.8s UTC\n",
	    from, from + 11, until, until + 11);
	(void)buf_printf(dst, "    subject %s\n    issuer  %s\n", f->subject,
	    f->issuer);
	(void)buf_printf(dst, "    %s, %s, sha256 %s\n", f->key,
	    f->signature, f->sha256);
}

/* The names that were compared, and those the certificate has (S2-63, 66). */
static void
names(const struct probe_host *h, struct buf *dst)
{
	const struct certfact *f = &h->cert[0].fact;
	const struct probe_check *c = h->ncheck > 0 ? &h->check[0] : NULL;
	const struct probe_ref *ref;
	const char *sep;
	unsigned i, k;

	(void)buf_printf(dst, "  The certificate is for CN %s, DNS",
	    f->cn[0] != '\0' ? f->cn : "(none)");
	for (k = 0, sep = " "; f->name[k] != NULL; k++, sep = ", ")
		(void)buf_printf(dst, "%s%s", sep, f->name[k]);
	(void)buf_add_c(dst, k == 0 ? " (none)\n" : "\n");
	if (c == NULL || h->ref == NULL)
		return;
	if (c->matched[0] != '\0') {
		(void)buf_printf(dst, "  Host name verified: %s (%s)\n",
		    c->matched, c->matched_by);
		return;
	}
	for (i = 0; h->ref[i].name != NULL; i++) {
		ref = &h->ref[i];
		(void)buf_printf(dst, "  Host name does not verify: (%s !=",
		    ref->name);
		for (k = 0, sep = " "; !ref->cn && f->name[k] != NULL;
		     k++, sep = " | ")
			(void)buf_printf(dst, "%s%s", sep, f->name[k]);
		if (k == 0)
			(void)buf_printf(dst, " %s",
			    f->cn[0] != '\0' ? f->cn : "(none)");
		(void)buf_printf(dst, ") %s\n", ref->as);
	}
}

static void
verdict(const struct probe_host *h, struct buf *dst)
{
	const struct probe_check *c = h->ncheck > 0 ? &h->check[0] : NULL;

	(void)buf_printf(dst, "  TCP: %s; ",
	    h->stage[PROBE_ANSWER].state == PROBE_OK ? "reachable" :
	    "not reachable");
	if (h->stage[PROBE_TLS].state != PROBE_OK) {
		(void)buf_add_c(dst, "no TLS");
		if (h->no_tls != TLSR_NONE)
			reason(h->no_tls, dst);
	} else if (c != NULL && c->verified) {
		(void)buf_add_c(dst, "TLS, certificate verified");
	} else {
		(void)buf_add_c(dst, "TLS, certificate not verified");
		if (c != NULL && c->reason != TLSR_NONE)
			reason(c->reason, dst);
	}
	(void)buf_add_c(dst, "\n");
	if (h->failure[0] != '\0')
		(void)buf_printf(dst, "  Ended by: %s\n", h->failure);
}
