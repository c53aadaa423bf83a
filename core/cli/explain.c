#include "cli/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "trial/policytest.h"

static int	work_out(struct explain *, json_t *, struct err *);
static void	deliver(void *, struct trial *, json_t *);

void
explain_put(json_t *o, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		(void)json_object_set_new(o, key, json_string_nocheck(value));
}

const char *
explain_place(struct explain *e, int line)
{
	return pool_printf(e->pool, "%s:%d", e->conf->file, line);
}

/* Each once. */
void
explain_unknown(struct explain *e, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	size_t i;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; i < json_array_size(e->unknown); i++) {
		if (strcmp(json_string_value(json_array_get(e->unknown, i)),
			text) == 0)
			return;
	}
	(void)json_array_append_new(e->unknown, json_string_nocheck(text));
}

/* Certificates by name: which block shows which, without reading a key. */
static void
name_certificates(struct explain *e)
{
	const struct relay_conf *c = &e->conf->relay_conf;
	struct relay_destination *v;
	unsigned i;

	e->certs.pool = e->pool;
	if (conf_certs(e->conf, NULL, &e->certs, &e->no_certs) != 0)
		e->certs.n = 0;
	v = pool_alloc(e->pool, (c->ndestination + 1) * sizeof(*v));
	for (i = 0; i < c->ndestination; i++) {
		v[i] = c->destination[i];
		if (certmap_find(&e->certs, pool_printf(e->pool,
			"destination:%s", v[i].name), 0) != NULL)
			v[i].cert_name = v[i].name;
	}
	e->relay = *c;
	e->relay.destination = v;
}

static int
open_all(struct explain *e, struct err *why)
{
	name_certificates(e);
	e->map = destmap_new(&e->relay);
	if (e->m->live && policy_dns(&e->dns, e->loop, e->conf, why) != 0)
		return -1;
	if (policy_who(&e->who, e->conf, e->m, e->loop, e->dns, why) != 0)
		return -1;
	if (tables_open(&e->tables, e->conf, e->loop, e->dns, e->pool,
		why) != 0)
		return -1;
	plugs_out_explain(e->tables.out, e->pool);
	return 0;
}

static void
close_all(struct explain *e)
{
	policy_who_end(&e->who);
	if (e->tables.host != NULL)
		tables_close(&e->tables);
	destmap_destroy(&e->map);
	dns_destroy(&e->dns);
	loop_destroy(&e->loop);
	conf_unref(&e->conf);
	pool_destroy(&e->pool);
}

static json_t *
about_client(const struct policy_message *m)
{
	json_t *o = json_pack("{s:s, s:s}", "ip", m->ip, "direction",
	    m->relay > 0 ? "outbound" : "inbound");

	explain_put(o, "helo", m->helo);
	explain_put(o, "name", m->name);
	explain_put(o, "auth", m->auth);
	explain_put(o, "tls", m->tls);
	explain_put(o, "listener", m->listener);
	explain_put(o, "group", m->group);
	return o;
}

int
explain_message(struct policy_message *m, json_t **all_r, struct err *why)
{
	struct explain e = { .no_certs = ERR_INIT, .m = m };
	json_t *all = NULL;
	int r;

	e.pool = pool_new(0);
	e.loop = loop_new();
	r = policy_message_conf(&e.conf, m, why);
	/* A trial leaves a clock that stands still: what waits comes first. */
	if (r == 0)
		r = open_all(&e, why);
	if (r == 0) {
		all = json_pack("{s:s, s:s, s:o, s:s, s:[]}", "config",
		    e.conf->file, "sender", m->from, "client",
		    json_object(), "policy", e.conf->policy.file, "unknown");
		if (m->draft)
			(void)json_object_set_new(all, "draft", json_true());
		e.unknown = json_object_get(all, "unknown");
		if (e.tables.left_out.text[0] != '\0')
			explain_put(all, "warning", pool_printf(e.pool,
			    "no plugin but tls_table is asked which TLS is "
			    "needed: %s", e.tables.left_out.text));
		r = work_out(&e, all, why);
		(void)json_object_set_new(all, "client", about_client(m));
	}
	close_all(&e);
	*all_r = r == 0 ? json_incref(all) : NULL;
	json_decref(all);
	return r == 0 ? e.status : -1;
}

/* The connection ends before anything is said. */
static void
not_greeted(struct explain *e, json_t *all, const struct err *no)
{
	(void)json_object_update_new(all, json_pack("{s:s, s:s, s:[]}",
	    "stage", "connect", "verdict", no->code == 0 ? "disconnect" :
	    no->code < 500 ? "tempfail" : "reject", "recipients"));
	(void)json_object_set_new(all, "by", json_sprintf(
	    "mail_flow_policy %s", e->who.flow->policy->name));
	if (no->code != 0)
		(void)json_object_set_new(all, "reply", json_pack(
		    "{s:i, s:s, s:s}", "code", no->code, "enhanced", no->enh,
		    "text", no->text));
	e->status = 1;
}

/* Hooks at which somebody has a say. */
static bool
has_say(const json_t *hooks)
{
	const char *word;
	size_t i;
	int h;

	for (i = 0; i < json_array_size(hooks); i++) {
		word = json_string_value(json_array_get(hooks, i));
		for (h = HOOK_CONNECT; h <= HOOK_DELIVER; h++) {
			if (strcmp(word, hook_word((enum hook)h)) == 0)
				return true;
		}
	}
	return false;
}

/* Plugins that would have a say and are no policies: they would begin to
 * serve, so they are not started. */
static void
name_others(void *arg, struct str row)
{
	struct explain *e = arg;
	json_t *o = json_loadb(row.p, row.n, 0, NULL);
	const char *plugin = json_string_value(json_object_get(o, "plugin"));
	const char *name = json_string_value(json_object_get(o, "instance"));

	if (plugin != NULL && name != NULL &&
	    strcmp(plugin, POLICY_ENGINE) != 0 &&
	    !policytest_content(plugin, name) &&
	    has_say(json_object_get(o, "hooks")))
		explain_unknown(e, "what the plugin %s says at its hooks: it "
		    "is not started", name);
	json_decref(o);
}

static void
others(struct explain *e)
{
	struct host_world world = { .loop = e->loop,
		.hostname = e->conf->top.hostname };
	struct host *host = host_new(&world);
	struct host_gen *gen = NULL;
	struct err ignored = ERR_INIT;

	if (host_load(host, e->conf, &conf_reader_plain, &gen,
		&ignored) == 0) {
		host_list(gen, name_others, e);
		host_gen_unref(&gen);
	}
	host_destroy(&host);
}

static void
put_outcome(struct explain *e, json_t *all, json_t *out)
{
	static const char *const keys[] = { "stage", "verdict", "reply", "by",
		"branches", "error", "log", "alerts" };
	json_t *result = json_object_get(out, "result");
	const char *verdict = json_string_value(json_object_get(result,
	    "verdict"));
	size_t i;

	(void)json_object_set(all, "tried", json_object_get(out, "tried"));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(result, keys[i]) != NULL)
			(void)json_object_set(all, keys[i],
			    json_object_get(result, keys[i]));
	(void)json_object_set(all, "recipients", json_object_get(result,
	    "rcpt"));
	if ((strcmp(verdict, "accept") != 0 &&
		strcmp(verdict, "quarantine") != 0 &&
		strcmp(verdict, "discard") != 0) ||
	    json_object_get(result, "error") != NULL)
		e->status = 1;
}

static int
work_out(struct explain *e, json_t *all, struct err *why)
{
	struct err no = ERR_INIT;
	json_t *refused = NULL, *out = NULL;
	int r;

	if (explain_client(e, all, &no) != 0) {
		not_greeted(e, all, &no);
		return 0;
	}
	others(e);
	r = explain_envelope(e, all, &refused, why);
	e->m->refused = refused;
	if (r == 0)
		r = policy_try(e->conf, e->m, deliver, e, &out, why);
	if (r == 0)
		put_outcome(e, all, out);
	e->m->refused = NULL;
	json_decref(refused);
	json_decref(out);
	return r < 0 ? -1 : 0;
}

/* Of those who are refused their reply is the end. */
static void
deliver(void *arg, struct trial *t, json_t *out)
{
	const json_t *result = json_object_get(out, "result");
	const char *verdict = json_string_value(json_object_get(result,
	    "verdict"));
	json_t *rcpts = json_object_get(result, "rcpt"), *o;
	bool taken = strcmp(verdict, "accept") == 0 ||
	    strcmp(verdict, "quarantine") == 0;
	struct explain *e = arg;
	size_t i;

	e->trial = t;
	for (i = 0; i < json_array_size(rcpts); i++) {
		o = json_array_get(rcpts, i);
		(void)json_object_del(o, "header");
		if (!json_is_true(json_object_get(o, "taken")))
			e->status = 1;
		else if (taken && !json_is_true(json_object_get(o,
			"dropped")) && explain_rcpt(e, o, json_object_get(out,
			"tried")) != 0)
			e->status = 1;
	}
	e->trial = NULL;
}
