/*
 * The tester's report for programs: one object, on one line.
 */
#include <jansson.h>

#include "relay/probe_priv.h"

static json_t *host(const struct probe_host *h);
static json_t *stages(const struct probe_host *h);
static json_t *checks(const struct probe_host *h);
static json_t *references(const struct probe_host *h);
static json_t *chain(const struct probe_host *h);
static json_t *lines(const struct probe_host *h);
static json_t *would(const struct probe_would *w, const struct probe_host *h);
static json_t *strings(const char *const *v);
static void date(json_t *o, const char *name, msec wall);
static int put(const char *p, size_t n, void *arg);

void
probe_json(const struct probe_report *r, struct buf *dst)
{
	json_t *hosts = json_array(), *levels = json_array(), *o;
	enum probe_verdict v = probe_verdict(r);
	const struct probe_would *w;
	const struct probe_host *h;
	unsigned i;

	for (i = 0; i < r->nhost; i++)
		(void)json_array_append_new(hosts, host(&r->host[i]));
	for (i = 0; r->nhost > 0 && i < r->host[0].nwould; i++) {
		w = probe_would(r, i, &h);
		(void)json_array_append_new(levels, would(w, h));
	}
	o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s*, s:o, s:o}",
	    "target", r->target, "domain", r->domain, "want", r->want,
	    "verdict", probe_verdict_word(v),
	    "confidence", (int)probe_confidence(r), "error", r->why,
	    "levels", levels, "hosts", hosts);
	(void)json_dump_callback(o, put, dst, JSON_COMPACT);
	(void)buf_add_c(dst, "\n");
	json_decref(o);
}

static json_t *
host(const struct probe_host *h)
{
	bool answers = h->stage[PROBE_ANSWER].state == PROBE_OK;
	bool tls = h->stage[PROBE_TLS].state == PROBE_OK;
	json_t *o, *levels = json_array(), *hints = json_array();
	unsigned i;

	for (i = 0; i < h->nwould; i++)
		(void)json_array_append_new(levels, would(&h->would[i], NULL));
	for (i = 0; probe_hint(h, i) != NULL; i++)
		(void)json_array_append_new(hints,
		    json_string(probe_hint(h, i)));
	o = json_pack("{s:s, s:s, s:i, s:i, s:b, s:s, s:s*, s:b, s:b, s:o}",
	    "host", h->name, "ip", h->ip, "port", (int)h->port,
	    "preference", (int)h->pref, "secure", h->secure, "interface",
	    h->local, "ptr", h->ptr, "reachable", answers, "tls", tls,
	    "stages", stages(h));
	if (tls)
		(void)json_object_update_new(o, json_pack(
		    "{s:s, s:s, s:s, s:i, s:i, s:i}", "version", h->version,
		    "cipher", h->cipher, "group", h->group, "bits", h->bits,
		    "alg_bits", h->alg_bits, "step", (int)h->step));
	else if (h->no_tls != TLSR_NONE)
		(void)json_object_update_new(o, json_pack("{s:s, s:s}",
		    "reason", tls_reason_word(h->no_tls),
		    "reason_text", tls_reason_text(h->no_tls)));
	if (h->failure[0] != '\0')
		(void)json_object_set_new(o, "failure",
		    json_string(h->failure));
	(void)json_object_update_new(o, json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o}", "references", references(h),
	    "checks", checks(h), "certificates", chain(h), "levels", levels,
	    "hints", hints, "transcript", lines(h)));
	return o;
}

static json_t *
stages(const struct probe_host *h)
{
	static const char *const states[] = { "untried", "ok", "fail" };
	json_t *o = json_object();
	enum probe_stage s;

	for (s = 0; s < PROBE_STAGES; s++)
		(void)json_object_set_new(o, probe_stage_word(s),
		    json_pack("{s:s, s:I}", "state", states[h->stage[s].state],
		    "ms", (json_int_t)h->stage[s].ms));
	return o;
}

static json_t *
checks(const struct probe_host *h)
{
	const struct probe_check *c;
	json_t *v = json_array();
	unsigned i;

	for (i = 0; i < h->ncheck; i++) {
		c = &h->check[i];
		(void)json_array_append_new(v, json_pack(
		    "{s:s, s:b, s:s, s:s, s:s}", "want", c->want,
		    "verified", c->verified, "reason",
		    tls_reason_word(c->reason), "matched", c->matched,
		    "matched_by", c->matched_by));
	}
	return v;
}

static json_t *
references(const struct probe_host *h)
{
	json_t *v = json_array();
	unsigned i;

	for (i = 0; h->ref != NULL && h->ref[i].name != NULL; i++)
		(void)json_array_append_new(v, json_pack("{s:s, s:s}",
		    "name", h->ref[i].name, "as", h->ref[i].as));
	return v;
}

static json_t *
chain(const struct probe_host *h)
{
	const struct certfact *f;
	json_t *v = json_array(), *o;
	unsigned i;

	for (i = 0; i < h->ncert; i++) {
		f = &h->cert[i].fact;
		o = json_pack("{s:i, s:i, s:b, s:s, s:s, s:s, s:o, s:s, s:s, "
		    "s:s, s:s, s:b, s:b}", "position", (int)i + 1, "of",
		    (int)h->ncert, "validated", h->cert[i].validated,
		    "subject", f->subject, "issuer", f->issuer, "cn", f->cn,
		    "names", strings(f->name), "serial", f->serial, "key",
		    f->key, "signature", f->signature, "sha256", f->sha256,
		    "ca", f->ca, "self_signed", f->self_signed);
		date(o, "not_before", f->not_before);
		date(o, "not_after", f->not_after);
		(void)json_array_append_new(v, o);
	}
	return v;
}

static json_t *
lines(const struct probe_host *h)
{
	static const char *const who[] = { "note", "sent", "received" };
	json_t *v = json_array();
	unsigned i;

	for (i = 0; i < h->nline; i++)
		(void)json_array_append_new(v, json_pack("{s:I, s:s, s:s}",
		    "ms", (json_int_t)h->line[i].at, "who",
		    who[h->line[i].who], "text", h->line[i].text));
	return v;
}

static json_t *
would(const struct probe_would *w, const struct probe_host *h)
{
	static const char *const does[] = { "refused", "clear", "encrypted" };
	json_t *o;

	o = json_pack("{s:s, s:s, s:b, s:s}", "level", w->want, "result",
	    does[w->does], "verified", w->verified, "reason",
	    tls_reason_word(w->reason));
	if (w->anew)
		(void)json_object_set_new(o, "new_connection", json_true());
	if (h != NULL)
		(void)json_object_update_new(o, json_pack("{s:s, s:s}",
		    "host", h->name, "ip", h->ip));
	return o;
}

static json_t *
strings(const char *const *v)
{
	json_t *a = json_array();
	unsigned i;

	for (i = 0; v != NULL && v[i] != NULL; i++)
		(void)json_array_append_new(a, json_string(v[i]));
	return a;
}

static void
date(json_t *o, const char *name, msec wall)
{
	char text[32];

	clock_rfc3339(text, sizeof(text), wall);
	(void)json_object_set_new(o, name, json_string(text));
}

static int
put(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}
