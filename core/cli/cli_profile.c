/*
 * `postern profile`: the TLS levels of the house, and the strict profile.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/profile.h"

enum what { WHAT_CHECK = 1 << 0, WHAT_APPLY = 1 << 1, WHAT_OFF = 1 << 2 };

struct options {
	const char *conf;
	bool json, node, force, unverified;
	unsigned what; /* enum what */
};

/* As gateways call them; what is set. */
static const struct {
	const char *word, *name;
	enum tlswant_level set;
} client_levels[] = {
	{ "no", "No TLS encryption", TLSWANT_NONE },
	{ "attempt", "Attempt TLS encryption", TLSWANT_OPPORTUNISTIC },
	{ "require-no-verify", "Require TLS encryption and do not verify "
	    "certificate", TLSWANT_REQUIRED },
	{ "require-verify", "Require TLS encryption and verify certificate",
	    TLSWANT_REQUIRED_VERIFY },
};
static const struct {
	const char *word, *name;
	enum smtpd_tls set;
} server_levels[] = {
	{ "no", "No TLS encryption", SMTPD_TLS_OFF },
	{ "attempt", "Attempt TLS encryption", SMTPD_TLS_PREFERRED },
	{ "require", "Require TLS encryption", SMTPD_TLS_REQUIRED },
};

#define NCLIENT (sizeof(client_levels) / sizeof(client_levels[0]))
#define NSERVER (sizeof(server_levels) / sizeof(server_levels[0]))

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern profile [-c FILE] [--json] [show]\n"
	    "       postern profile [-c FILE] [--json] [--node] COMMAND\n"
	    "  server no|attempt|require\n"
	    "  client no|attempt|require-no-verify|require-verify\n"
	    "  strict [--apply] [--no-verify] [--force]\n"
	    "  strict --check [--no-verify]\n"
	    "  strict --off\n"
	    "The TLS levels of the house: of its server, which receives, and "
	    "its client, which\nsends. The strict profile demands TLS of both "
	    "and takes mail from listed sources\nonly; --check lists what it "
	    "presumes. Changes are in force once they are\ncommitted; see "
	    "postern-profile(8).\n", to);
	return status;
}

/* What anybody can have is the level of the house. */
static unsigned
server_level(const struct conf *c)
{
	unsigned i, k, level = NSERVER - 1;

	for (i = 0; i < c->nlistener; i++) {
		for (k = 0; !c->listener[i].implicit_tls && k < level; k++) {
			if (c->listener[i].tls == (int)server_levels[k].set)
				level = k;
		}
	}
	return level;
}

static unsigned
client_level(const struct tlswant *w)
{
	unsigned i = NCLIENT - 1;

	while (i > 0 && w->level < client_levels[i].set)
		i--;
	return i;
}

static void
add_exception(struct profile *p, json_t *list, const char *kind,
    const char *name, const char *tls)
{
	(void)json_array_append_new(list, json_pack("{s:o, s:s}", "where",
	    config_text(str_c(pool_printf(p->pool, "%s \"%s\"", kind, name))),
	    "tls", tls));
}

/* Whatever has a level of its own that is another. */
static json_t *
exceptions(struct profile *p)
{
	const struct conf *c = p->conf;
	int own, server = (int)server_levels[server_level(c)].set;
	unsigned i, client = client_level(c->delivery.tls);
	json_t *list = json_array();

	for (i = 0; i < c->nlistener; i++) {
		own = c->listener[i].implicit_tls ? SMTPD_TLS_REQUIRED :
		    c->listener[i].tls;
		if (own != server)
			add_exception(p, list, "listener", c->listener[i].name,
			    profile_words[own]);
	}
	for (i = 0; i < c->nflow; i++) {
		if (c->flow[i].behavior <= CONF_RELAY &&
		    c->flow[i].tls != -1 && c->flow[i].tls != server)
			add_exception(p, list, "mail_flow_policy",
			    c->flow[i].name, profile_words[c->flow[i].tls]);
	}
	for (i = 0; i < c->ndestination; i++) {
		if (c->destination[i].tls != NULL &&
		    client_level(c->destination[i].tls) != client)
			add_exception(p, list, "destination",
			    c->destination[i].name,
			    tlswant_name(c->destination[i].tls->level));
	}
	for (i = 0; i < c->nroute; i++) {
		if (c->route[i].tls != NULL &&
		    client_level(c->route[i].tls) != client)
			add_exception(p, list, "route", c->route[i].name,
			    tlswant_name(c->route[i].tls->level));
	}
	return list;
}

static const char *
word_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
print_exceptions(const json_t *list)
{
	const json_t *o;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		o = json_array_get(list, i);
		(void)printf("  but %s: %s\n", word_of(o, "where"),
		    word_of(o, "tls"));
	}
}

static int
show(struct profile *p, const struct options *o)
{
	const struct tlswant *w = p->conf->delivery.tls;
	unsigned server = server_level(p->conf), client = client_level(w);
	bool on = profile_on(p), holds;
	json_t *others = exceptions(p);

	/* It may have been applied with --no-verify. */
	holds = on && profile_holds(p, TLSWANT_REQUIRED);
	if (o->json) {
		config_print(json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s}, "
		    "s:b, s:b, s:o}", "server", "level",
		    server_levels[server].word, "name",
		    server_levels[server].name, "client", "level",
		    client_levels[client].word, "name",
		    client_levels[client].name, "tls", tlswant_name(w->level),
		    "strict", (int)on, "strict_everywhere", (int)holds,
		    "exceptions", others));
		return CLI_OK;
	}
	(void)printf("Server TLS security level: %s (%s)\n",
	    server_levels[server].name, server_levels[server].word);
	(void)printf("Client TLS security level: %s (%s)\n",
	    client_levels[client].name, client_levels[client].word);
	(void)printf("Strict profile: %s\n", holds ? "on" : on ?
	    "on, but not everywhere: see strict --check" : "off");
	print_exceptions(others);
	json_decref(others);
	return CLI_OK;
}

/* What was set is saved and told. */
static int
finish(struct profile *p, const struct options *o, struct err *why)
{
	const char *who;
	msec since;
	json_t *others;
	size_t i;

	if (confedit_save(p->ce, why) != 0)
		return cli_fail("%s", why->text);
	p->conf = confedit_conf(p->ce);
	others = exceptions(p);
	if (o->json) {
		config_print(json_pack("{s:O, s:o, s:i}", "changes",
		    p->changes, "exceptions", others, "uncommitted",
		    (int)confedit_changes(p->ce, &who, &since)));
		return CLI_OK;
	}
	for (i = 0; i < json_array_size(p->changes); i++)
		(void)puts(json_string_value(json_array_get(p->changes, i)));
	if (i == 0)
		(void)puts("It is so already.");
	print_exceptions(others);
	json_decref(others);
	confedit_hint(p->ce);
	return CLI_OK;
}

static int
server(struct profile *p, const struct options *o, const char *word)
{
	struct err why = ERR_INIT;
	size_t i;

	for (i = 0; i < NSERVER; i++) {
		if (strcmp(word, server_levels[i].word) == 0)
			return profile_server(p, server_levels[i].set, &why) ==
			    0 ? finish(p, o, &why) : cli_fail("%s", why.text);
	}
	return usage(stderr, CLI_USAGE);
}

/* Where the level is that already, what it has besides stays. */
static int
client(struct profile *p, const struct options *o, const char *word)
{
	struct err why = ERR_INIT;
	size_t i;

	for (i = 0; i < NCLIENT; i++) {
		if (strcmp(word, client_levels[i].word) != 0)
			continue;
		return client_level(p->conf->delivery.tls) == i ||
		    profile_client(p, client_levels[i].set, &why) == 0 ?
		    finish(p, o, &why) : cli_fail("%s", why.text);
	}
	return usage(stderr, CLI_USAGE);
}

struct unmet {
	unsigned all, yours; /* that no --apply mends */
};

static struct unmet
count(const json_t *checks)
{
	struct unmet n = { 0, 0 };
	const json_t *o;
	size_t i;

	for (i = 0; i < json_array_size(checks); i++) {
		o = json_array_get(checks, i);
		if (json_is_true(json_object_get(o, "ok")))
			continue;
		n.all++;
		n.yours += strcmp(word_of(o, "remedy"), "you") == 0;
	}
	return n;
}

static void
print_checks(json_t *checks, bool json)
{
	const json_t *o;
	size_t i;
	bool ok;

	if (json) {
		config_print(json_pack("{s:b, s:O}", "ok",
		    (int)(count(checks).all == 0), "checks", checks));
		return;
	}
	for (i = 0; i < json_array_size(checks); i++) {
		o = json_array_get(checks, i);
		ok = json_is_true(json_object_get(o, "ok"));
		(void)printf("%s %s, %s: %s%s\n", ok ? "ok     " : "missing",
		    word_of(o, "what"), word_of(o, "where"),
		    word_of(o, "text"), ok || strcmp(word_of(o, "remedy"),
		    "you") == 0 ? "" : " (--apply sets it)");
	}
	(void)puts("Partners must have the same settings, which cannot be "
	    "seen from here.");
}

static int
strict(struct profile *p, const struct options *o)
{
	enum tlswant_level least = o->unverified ? TLSWANT_REQUIRED :
	    TLSWANT_REQUIRED_VERIFY;
	struct err why = ERR_INIT;
	json_t *checks;
	int r;

	if (o->what == WHAT_OFF)
		return profile_off(p, &why) == 0 ? finish(p, o, &why) :
		    cli_fail("%s", why.text);
	checks = json_array();
	profile_check(p, least, checks);
	if (o->what == WHAT_CHECK) {
		print_checks(checks, o->json);
		r = count(checks).all == 0 ? CLI_OK : CLI_FAILED;
	} else if (count(checks).yours > 0 && !o->force) {
		print_checks(checks, o->json);
		r = cli_fail("nothing was changed: what is missing and "
		    "--apply does not set would keep mail from coming or "
		    "going; --force applies it all the same");
	} else {
		r = profile_apply(p, least, &why) == 0 ? finish(p, o, &why) :
		    cli_fail("%s", why.text);
	}
	json_decref(checks);
	return r;
}

static int
run(struct profile *p, const struct options *o, char **word, int n)
{
	if (p->conf == NULL)
		return cli_fail("%s", confedit_broken(p->ce));
	if (n == 0 || (n == 1 && strcmp(word[0], "show") == 0))
		return show(p, o);
	if (n == 1 && o->what != 0)
		return strict(p, o);
	if (n == 2 && strcmp(word[0], "server") == 0)
		return server(p, o, word[1]);
	if (n == 2 && strcmp(word[0], "client") == 0)
		return client(p, o, word[1]);
	return usage(stderr, CLI_USAGE);
}

/* strict takes one of its three at most, and they nothing that means nothing;
 * the others take none of these. */
static bool
sound(const struct options *o, char **word, int n)
{
	bool apply = o->what == WHAT_APPLY;

	if (n == 0 || strcmp(word[0], "strict") != 0)
		return o->what == 0 && !o->force && !o->unverified;
	return (apply || o->what == WHAT_CHECK || o->what == WHAT_OFF) &&
	    (apply || !o->force) && (o->what != WHAT_OFF || !o->unverified);
}

int
cli_profile(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ "force", no_argument, NULL, 'f' },
		{ "no-verify", no_argument, NULL, 'n' },
		{ "check", no_argument, NULL, 'C' },
		{ "apply", no_argument, NULL, 'A' },
		{ "off", no_argument, NULL, 'O' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .conf = CLI_CONF };
	struct profile p = { .put = profile_set };
	struct err why = ERR_INIT;
	int c, r;

	while ((c = getopt_long(argc, argv, "c:h", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		if (c == 'c')
			o.conf = optarg;
		o.json = o.json || c == 'j';
		o.node = o.node || c == 'N';
		o.force = o.force || c == 'f';
		o.unverified = o.unverified || c == 'n';
		o.what |= c == 'C' ? WHAT_CHECK : c == 'A' ? WHAT_APPLY :
		    c == 'O' ? WHAT_OFF : 0U;
	}
	argc -= optind;
	argv += optind;
	if (o.what == 0 && argc > 0 && strcmp(argv[0], "strict") == 0)
		o.what = WHAT_APPLY;
	if (!sound(&o, argv, argc))
		return usage(stderr, CLI_USAGE);
	if (confedit_open(&p.ce, o.conf, &why) != 0)
		return cli_fail("%s", why.text);
	p.conf = confedit_conf(p.ce);
	p.node = o.node;
	p.pool = pool_new(0);
	p.changes = json_array();
	r = run(&p, &o, argv, argc);
	json_decref(p.changes);
	confedit_close(&p.ce);
	pool_destroy(&p.pool);
	return r;
}
