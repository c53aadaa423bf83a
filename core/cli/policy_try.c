#include "cli/policy.h"

#include <limits.h>
#include <postern/lookup.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/tables.h"
#include "mail/header.h"
#include "trial/drive.h"
#include "trial/policytest.h"

#define EML_MAX (64 * 1024 * 1024)

static int	read_eml(json_t *m, const char *file, struct err *why);
static void	put_text(json_t *m, struct str raw);
static int	open_live(struct trial *t, const struct conf *conf,
		    struct err *why);
static void	close_trial(struct trial *t);
static int	run(struct trial *t, const struct policy_message *m,
		    policy_then *then, void *arg, json_t **out_r,
		    struct err *why);

/* A file alone has the usual settings. */
int
policy_conf(struct conf **c_r, const char *conf_file, const char *file,
    struct err *why)
{
	const char *boot = conf_file != NULL ? conf_file : CLI_CONF;
	char path[PATH_MAX];
	struct buf text;
	size_t i;
	int r;

	if (file != NULL && realpath(file, path) == NULL)
		return err_errno(why, "%s", file);
	if (file == NULL || conf_file != NULL)
		return conf_load_policy(c_r, boot, file != NULL ? path : NULL,
		    &conf_reader_plain, why);
	buf_init(&text, 65536);
	(void)buf_add_c(&text, "policy { file = \"");
	for (i = 0; path[i] != '\0'; i++)
		(void)buf_printf(&text, "\\%03u",
		    (unsigned)(unsigned char)path[i]);
	(void)buf_add_c(&text, "\" }");
	r = conf_parse(c_r, "postern.lua", buf_str(&text), &conf_reader_plain,
	    why);
	buf_fini(&text);
	if (r == 0)
		(*c_r)->alone = true;
	return r;
}

int
policy_message_conf(struct conf **c_r, const struct policy_message *m,
    struct err *why)
{
	return m->draft ? conf_load_draft(c_r, m->conf_file != NULL ?
	    m->conf_file : CLI_CONF, &conf_reader_plain, why) :
	    policy_conf(c_r, m->conf_file, NULL, why);
}

static void
put(json_t *o, const char *key, const char *value)
{
	if (value != NULL)
		(void)json_object_set_new(o, key, json_string(value));
}

static json_t *
message_json(const struct policy_message *m, struct err *why)
{
	json_t *o = json_object(), *rcpt = json_array();
	unsigned i;

	put(o, "from", m->from);
	put(o, "ip", m->ip);
	put(o, "helo", m->helo);
	put(o, "name", m->name);
	put(o, "auth", m->auth);
	put(o, "listener", m->listener);
	put(o, "group", m->group);
	if (m->refused != NULL)
		(void)json_object_set(o, "refused",
		    (json_t *)(uintptr_t)m->refused);
	for (i = 0; i < m->nrcpt; i++)
		(void)json_array_append_new(rcpt, json_string(m->rcpt[i]));
	(void)json_object_set_new(o, "rcpt", rcpt);
	if (m->relay != 0)
		(void)json_object_set_new(o, "relay", json_boolean(m->relay >
		    0));
	if (m->tls != NULL)
		(void)json_object_set_new(o, "tls", json_pack("{s:s}",
		    "version", m->tls));
	if (m->eml != NULL && read_eml(o, m->eml, why) < 0) {
		json_decref(o);
		return NULL;
	}
	if (m->eml == NULL && m->typed.p != NULL)
		put_text(o, m->typed);
	return o;
}

/* Lines of a file end with LF; those of a message do with CRLF. */
static void
as_sent(struct str raw, struct buf *dst)
{
	struct str line;

	while (str_split(&raw, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		(void)buf_add_str(dst, line);
		(void)buf_add_c(dst, "\r\n");
	}
}

static int
read_eml(json_t *m, const char *file, struct err *why)
{
	struct buf raw;
	int r;

	buf_init(&raw, EML_MAX);
	r = file_read(&raw, file, why);
	if (r == 0)
		put_text(m, buf_str(&raw));
	buf_fini(&raw);
	return r;
}

static void
put_text(json_t *m, struct str raw)
{
	struct pool *pool = pool_new(0);
	json_t *fields = json_array();
	struct header h;
	struct buf text;
	struct str all, body, line;
	size_t i;

	buf_init(&text, 2 * EML_MAX);
	as_sent(raw, &text);
	all = buf_str(&text);
	header_parse(pool, all, 100000, &h);
	for (i = 0; i < h.n; i++)
		(void)json_array_append_new(fields, json_pack("[s%, s%]",
		    h.v[i].name.p, h.v[i].name.n,
		    str_trim(h.v[i].value).p, str_trim(h.v[i].value).n));
	body = str_n(all.p + h.bytes, all.n - h.bytes);
	(void)str_split(&body, '\n', &line);
	(void)json_object_set_new(m, "headers", fields);
	(void)json_object_set_new(m, "body", json_stringn_nocheck(body.p,
	    body.n));
	buf_fini(&text);
	pool_destroy(&pool);
}

int
policy_try(const struct conf *conf, const struct policy_message *m,
    policy_then *then, void *arg, json_t **out_r, struct err *why)
{
	struct trial t;
	int r;

	r = m->live ? open_live(&t, conf, why) :
	    policytest_open_empty(&t, conf, why);
	if (r < 0)
		return -1;
	r = run(&t, m, then, arg, out_r, why);
	close_trial(&t);
	return r;
}

int
policy_dns(struct dns **dns_r, struct loop *loop, const struct conf *conf,
    struct err *why)
{
	const char *records = conf->dns.records;
	const char *anchor = conf->dns.trust_anchor;
	struct dns_conf d = { .servers = conf->dns.servers,
		.records = records[0] != '\0' ? records : NULL,
		.trust_anchor = anchor[0] != '\0' ? anchor : NULL,
		.timeout = conf->dns.timeout };

	return dns_new(dns_r, loop, &d, why);
}

/* The policies and what they may ask; the others would begin to serve: open
 * logs, listen. */
static int
askable(struct trial *t, const struct conf *conf, struct err *why)
{
	static const char *const ops[] = { PST_LOOKUP_GET, NULL };
	struct host_world world = { .loop = t->loop, .dns = t->dns,
		.hostname = conf->top.hostname };
	struct host *host = host_new(&world);
	struct conf *only = POOL_NEW(t->pool, struct conf);
	int r;

	r = tables_choose(only, conf, host, ops, POLICY_ENGINE, t->pool, why);
	host_destroy(&host);
	t->conf = only;
	return r;
}

static int
open_live(struct trial *t, const struct conf *conf, struct err *why)
{
	struct loop *loop = loop_new();
	struct dns *dns = NULL;

	if (policy_dns(&dns, loop, conf, why) != 0) {
		loop_destroy(&loop);
		return -1;
	}
	trial_live(t, loop, dns, conf->top.hostname, "test");
	if (askable(t, conf, why) == 0 && trial_load(t, why) == 0 &&
	    trial_start(t, why) == 0)
		return 0;
	close_trial(t);
	return -1;
}

/* The resolver belongs to the loop, plugins may use both to the end. */
static void
close_trial(struct trial *t)
{
	struct loop *loop = t->loop;
	struct dns *dns = t->dns;

	trial_fini(t);
	if (dns == NULL)
		return;
	dns_destroy(&dns);
	loop_destroy(&loop);
}

/* Adds what the policy has tried since it was asked last. */
static int
add_tried(struct trial *t, json_t *tried, struct err *why)
{
	json_t *q = json_pack("{s:s}", "ask", "traced"), *said = NULL;
	int r = drive_ask(t, "policy", q, &said, why);

	(void)json_array_extend(tried, said);
	json_decref(said);
	json_decref(q);
	return r;
}

static int
run(struct trial *t, const struct policy_message *m, policy_then *then,
    void *arg, json_t **out_r, struct err *why)
{
	json_t *q = json_pack("{s:s, s:b}", "ask", "trace", "on", 1);
	json_t *tried = json_array(), *said = NULL, *out = NULL;
	json_t *message = message_json(m, why);
	bool has = instance_find(t->gen, "policy") != NULL;
	int r = message == NULL ? -1 : 0;

	if (r == 0 && has)
		r = drive_ask(t, "policy", q, &said, why);
	if (r == 0) {
		out = json_pack("{s:O, s:o}", "tried", tried, "result",
		    drive_message(t, message));
		r = has ? add_tried(t, tried, why) : 0;
	}
	if (r == 0 && then != NULL) {
		then(arg, t, out);
		r = has ? add_tried(t, tried, why) : 0;
	}
	if (t->subject->session)
		trial_disconnect(t);
	if (r == 0)
		*out_r = json_incref(out);
	json_decref(out);
	json_decref(tried);
	json_decref(said);
	json_decref(q);
	json_decref(message);
	return r;
}

/* The engine raises an alert for each failure, and says so in these words; the
 * host logs in these that it gave no verdict. */
bool
policy_failed(const json_t *result)
{
	const char *alerts = json_string_value(json_object_get(result,
	    "alerts"));
	const char *log = json_string_value(json_object_get(result, "log"));

	return json_object_get(result, "error") != NULL ||
	    (alerts != NULL && strstr(alerts, ": policy error ") != NULL) ||
	    (log != NULL && strstr(log, "Plugin policy (lua) failed at ") !=
		NULL);
}
