/*
 * `postern explain`: what would become of a message, from the client that
 * brings it to the hosts that take it, and what happens where that fails.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/explain.h"
#include "mail/addr.h"

#define OUT_MAX (64 * 1024 * 1024)

static int usage(FILE *to, int status);
static int explain(struct explain *e, struct policy_message *m,
    json_t **all_r, struct err *why);

int
cli_explain(int argc, char **argv)
{
	static const struct option table[] = {
		{ "client", required_argument, NULL, 'i' },
		POLICY_OPTIONS { NULL, 0, NULL, 0 },
	};
	struct policy_message *m = &(struct policy_message){ .ip =
		"127.0.0.1" };
	struct explain e = { .no_certs = ERR_INIT };
	struct err why = ERR_INIT;
	const char *conf_file = NULL;
	json_t *all = NULL;
	bool json = false;
	struct buf text;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == 'c')
			conf_file = optarg;
		else if (c == 'j')
			json = true;
		else if (c == 'f' || c == 'r' ||
		    policy_option(m, c, optarg) < 0)
			return usage(stderr, POLICY_USAGE);
	}
	if (optind == argc)
		return usage(stderr, POLICY_USAGE);
	m->from = argv[optind++];
	for (; optind < argc && (m->nrcpt == 0 ||
		strchr(argv[optind], '@') != NULL); optind++)
		if (policy_option(m, 'r', argv[optind]) < 0)
			return usage(stderr, POLICY_USAGE);
	if (optind + 1 < argc || m->nrcpt == 0)
		return usage(stderr, POLICY_USAGE);
	m->eml = argv[optind];
	cli_builtin();
	e.pool = pool_new(0);
	r = policy_conf(&e.conf, conf_file, NULL, &why);
	if (r == 0)
		r = explain(&e, m, &all, &why);
	if (r < 0) {
		(void)cli_fail("explain: %s", why.text);
		r = 2;
	} else if (json) {
		(void)json_dumpf(all, stdout, JSON_INDENT(2));
		(void)fputc('\n', stdout);
	} else {
		buf_init(&text, OUT_MAX);
		explain_text(all, &text);
		(void)fputs(buf_p(&text), stdout);
		buf_fini(&text);
	}
	json_decref(all);
	conf_unref(&e.conf);
	pool_destroy(&e.pool);
	return r;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern explain [--client IP] [--helo NAME] "
	    "[--name NAME] [--auth USER]\n"
	    "           [--tls VERSION] [--listener NAME] [--live] "
	    "[-c CONFIG] [--json]\n"
	    "           SENDER RCPT ... [MESSAGE]\n"
	    "Shows what would become of a message: rules and handlers, "
	    "branches, who wants which\nTLS of the next hop, the names that "
	    "its certificate may be for, and what happens at\neach point "
	    "where the delivery may fail. Sends nothing. --live asks the DNS "
	    "and real\ntables. What has an @ behind SENDER is a recipient.\n"
	    "Exit status: 0 it would be taken, 1 not by all, 2 it cannot be "
	    "said, 64 wrong usage.\n", to);
	return status;
}

static int
check_listener(const struct conf *c, const char *name, struct err *why)
{
	unsigned i;

	for (i = 0; name != NULL && i < c->nlistener; i++)
		if (strcmp(c->listener[i].name, name) == 0)
			return 0;
	return name == NULL ? 0 : err_text(why, "%s has no listener \"%s\"",
	    c->file, name);
}

static json_t *
refusal(const char *address, const struct err *e)
{
	return json_pack("{s:s, s:b, s:{s:i, s:s, s:s}}", "address", address,
	    "taken", 0, "reply", "code", e->code, "enhanced", e->enh, "text",
	    e->text);
}

/* Who is refused before anybody is asked, as in the server; the others stay
 * in m. */
static int
check_rcpts(struct explain *e, struct policy_message *m, bool relay,
    json_t *refused, struct err *why)
{
	struct err no = ERR_INIT;
	struct addr a;
	unsigned i, n = 0;

	for (i = 0; i < m->nrcpt; i++) {
		if (addr_parse(e->pool, str_c(m->rcpt[i]), ADDR_UTF8_OK |
			ADDR_POSTMASTER_OK, &a, why) != 0)
			return err_prefix(why, "%s: ", m->rcpt[i]);
		if (conf_takes(e->conf, m->listener, relay, &a, &no) == 0)
			m->rcpt[n++] = m->rcpt[i];
		else
			(void)json_array_append_new(refused,
			    refusal(m->rcpt[i], &no));
	}
	m->nrcpt = n;
	return 0;
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
open_all(struct explain *e, bool live, struct err *why)
{
	e->loop = loop_new();
	name_certificates(e);
	e->map = destmap_new(&e->relay);
	if (live && policy_dns(&e->dns, e->loop, e->conf, why) != 0)
		return -1;
	if (tables_open(&e->tables, e->conf, e->loop, e->pool, why) != 0)
		return -1;
	plugs_out_explain(e->tables.out, e->pool);
	return 0;
}

static void
close_all(struct explain *e)
{
	if (e->tables.host != NULL)
		tables_close(&e->tables);
	destmap_destroy(&e->map);
	dns_destroy(&e->dns);
	loop_destroy(&e->loop);
}

/* Of those who are refused their reply is the end. */
static int
way_of_each(struct explain *e, json_t *rcpts, const json_t *tried)
{
	json_t *o;
	int r = 0;
	size_t i;

	for (i = 0; i < json_array_size(rcpts); i++) {
		o = json_array_get(rcpts, i);
		(void)json_object_del(o, "header");
		if (!json_is_true(json_object_get(o, "taken")))
			r = 1;
		else if (!json_is_true(json_object_get(o, "dropped")) &&
		    explain_rcpt(e, o, tried) != 0)
			r = 1;
	}
	return r;
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
	return o;
}

/* Whether all would be taken: 0 or 1. */
static int
put_outcome(struct explain *e, json_t *all, json_t *out, json_t *refused)
{
	json_t *result = json_object_get(out, "result"), *rcpts, *way;
	const char *verdict = json_string_value(json_object_get(result,
	    "verdict"));
	bool taken = verdict != NULL && (strcmp(verdict, "accept") == 0 ||
	    strcmp(verdict, "quarantine") == 0);
	static const char *const keys[] = { "stage", "verdict", "reply", "by",
		"branches", "error", "log", "alerts" };
	int r = 0;
	size_t i;

	(void)json_object_set(all, "tried", json_object_get(out, "tried"));
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(result, keys[i]) != NULL)
			(void)json_object_set(all, keys[i],
			    json_object_get(result, keys[i]));
	rcpts = json_copy(json_object_get(result, "rcpt"));
	way = taken ? rcpts : NULL;
	r = way_of_each(e, way, json_object_get(out, "tried"));
	(void)json_array_extend(rcpts, refused);
	(void)json_object_set_new(all, "recipients", rcpts);
	if (json_array_size(refused) > 0 || (!taken && verdict != NULL &&
		strcmp(verdict, "discard") != 0) ||
	    json_object_get(result, "error") != NULL)
		r = 1;
	return r;
}

static int
explain(struct explain *e, struct policy_message *m, json_t **all_r,
    struct err *why)
{
	json_t *refused = json_array(), *out = NULL, *all;
	int r = check_listener(e->conf, m->listener, why);

	if (r == 0)
		r = policy_relays(e->conf, m, why);
	if (r == 0)
		r = check_rcpts(e, m, m->relay > 0, refused, why);
	/* A trial leaves a clock that stands still: it comes last. */
	if (r == 0)
		r = open_all(e, m->live, why);
	if (r == 0 && m->nrcpt > 0)
		r = policy_try(e->conf, m, &out, why);
	if (r == 0) {
		all = json_pack("{s:s, s:s, s:o, s:s}", "config",
		    e->conf->file, "sender", m->from, "client",
		    about_client(m), "policy", e->conf->policy.file);
		if (e->tables.left_out.text[0] != '\0')
			explain_put(all, "warning", pool_printf(e->pool,
			    "no plugin but tls_table is asked which TLS is "
			    "needed: %s", e->tables.left_out.text));
		if (out != NULL) {
			r = put_outcome(e, all, out, refused);
		} else {
			(void)json_object_set(all, "recipients", refused);
			r = 1;
		}
		*all_r = all;
	}
	close_all(e);
	json_decref(refused);
	json_decref(out);
	return r;
}
