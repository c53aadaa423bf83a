/*
 * `postern profile`: the TLS levels of the house, and the strict profile.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/profile.h"

struct options {
	const char *conf;
	bool json, apply, check, force;
};

/* As gateways call them; ours; what is set. */
static const struct {
	const char *word, *theirs, *set;
} client_levels[] = {
	{ "none", "No TLS encryption", "none" },
	{ "attempt", "Attempt TLS encryption", "opportunistic" },
	{ "require", "Require TLS encryption and do not verify certificate",
	    "required" },
	{ "require-verify", "Require TLS encryption and verify certificate",
	    "required-verify" },
};
static const struct {
	const char *word, *theirs;
} server_levels[] = {
	{ "none", "No TLS encryption" },
	{ "attempt", "Attempt TLS encryption" },
	{ "require", "Require TLS encryption" },
};

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern profile [show]\n"
	    "       postern profile server none|attempt|require\n"
	    "       postern profile client "
	    "none|attempt|require|require-verify\n"
	    "       postern profile strict [--check | --apply [--force]]\n"
	    "Each takes [-c CONFIG] [--json]. The levels of the house: its "
	    "server, which receives,\nand its client, which sends. strict "
	    "demands TLS on both sides, verifies next hops\nand takes mail "
	    "from listed sources only; it tells what is missing for that. "
	    "Changes\nare in force after postern commit.\n"
	    "Exit status: 0 it is so, 1 it is not, 2 wrong usage.\n", to);
	return status;
}

/* Of all that let mail in; -1: they are not the same. */
static int
server_level(const struct conf *c)
{
	int level = -2, one;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		one = c->listener[i].implicit_tls ? SMTPD_TLS_REQUIRED :
		    c->listener[i].tls;
		level = level == -2 || level == one ? one : -1;
	}
	for (i = 0; i < c->nflow; i++) {
		one = c->flow[i].tls;
		if (one != -1 && c->flow[i].behavior <= CONF_RELAY &&
		    one != level)
			level = -1;
	}
	return level < 0 ? -1 : level;
}

static unsigned
client_level(const struct conf *c)
{
	enum tlswant_level level = c->delivery.tls->level;

	if (level == TLSWANT_NONE)
		return 0;
	if (level < TLSWANT_REQUIRED)
		return 1;
	return level == TLSWANT_REQUIRED ? 2 : 3;
}

static int
show(struct profile *p, const struct options *o)
{
	int server = server_level(p->conf);
	unsigned client = client_level(p->conf);
	const char *word = server < 0 ? "mixed" : server_levels[server].word;
	const char *theirs = server < 0 ? "Not the same everywhere" :
	    server_levels[server].theirs;
	const char *want = tlswant_name(p->conf->delivery.tls->level);

	if (o->json) {
		config_print(json_pack("{s:{s:s, s:s}, s:{s:s, s:s, s:s}}",
		    "server", "level", word, "name", theirs, "client",
		    "level", client_levels[client].word, "name",
		    client_levels[client].theirs, "tls", want));
		return CLI_OK;
	}
	(void)printf("Server TLS security level: %s (%s)\n", theirs, word);
	(void)printf("Client TLS security level: %s (%s, tls = \"%s\")\n",
	    client_levels[client].theirs, client_levels[client].word, want);
	return CLI_OK;
}

static int
finish(struct profile *p, const struct options *o, json_t *checks,
    struct err *why)
{
	size_t i;

	if (confedit_save(p->ce, why) != 0)
		return cli_fail("%s", why->text);
	if (o->json) {
		config_print(json_pack("{s:O, s:O?}", "changes", p->changes,
		    "checks", checks));
		return CLI_OK;
	}
	for (i = 0; i < json_array_size(p->changes); i++)
		(void)printf("%s\n", json_string_value(json_array_get(
		    p->changes, i)));
	if (json_array_size(p->changes) == 0)
		(void)puts("Nothing is to be changed.");
	confedit_hint(p->ce);
	return CLI_OK;
}

static int
level(struct profile *p, const struct options *o, const char *side,
    const char *word)
{
	struct err why = ERR_INIT;
	size_t i;

	for (i = 0; strcmp(side, "server") == 0 && i < 3; i++) {
		if (strcmp(word, server_levels[i].word) != 0)
			continue;
		return profile_server(p, (int)i, &why) != 0 ?
		    cli_fail("%s", why.text) : finish(p, o, NULL, &why);
	}
	for (i = 0; strcmp(side, "client") == 0 && i < 4; i++) {
		if (strcmp(word, client_levels[i].word) != 0)
			continue;
		return profile_client(p, client_levels[i].set, &why) != 0 ?
		    cli_fail("%s", why.text) : finish(p, o, NULL, &why);
	}
	return usage(stderr, CLI_USAGE);
}

/* How many are not so. */
static unsigned
print_checks(const json_t *checks, bool silent)
{
	const json_t *o;
	unsigned n = 0;
	bool ok;
	size_t i;

	for (i = 0; i < json_array_size(checks); i++) {
		o = json_array_get(checks, i);
		ok = json_is_true(json_object_get(o, "ok"));
		n += !ok;
		if (!silent)
			(void)printf("%s %s, %s: %s%s\n", ok ? "ok     " :
			    "missing", json_string_value(json_object_get(o,
				"what")), json_string_value(json_object_get(o,
				"where")), json_string_value(json_object_get(
				o, "text")), ok || strcmp(json_string_value(
				json_object_get(o, "remedy")), "you") == 0 ?
			    "" : " (--apply sets it)");
	}
	return n;
}

static int
strict(struct profile *p, const struct options *o)
{
	json_t *checks = profile_check(p);
	struct err why = ERR_INIT;
	int r;

	if (!o->apply) {
		r = print_checks(checks, o->json) == 0 ? CLI_OK : CLI_FAILED;
		if (o->json)
			config_print(json_incref(checks));
		else
			(void)puts("Partners must have the same settings, "
			    "which cannot be seen from here.");
	} else if (profile_unmet(checks) && !o->force) {
		(void)print_checks(checks, o->json);
		r = cli_fail("profile: not applied: what is missing above "
		    "would keep mail out; --force does it all the same");
	} else if (profile_apply(p, &why) != 0) {
		r = cli_fail("%s", why.text);
	} else {
		r = finish(p, o, checks, &why);
	}
	json_decref(checks);
	return r;
}

int
cli_profile(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "apply", no_argument, NULL, 'a' },
		{ "check", no_argument, NULL, 'k' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .conf = CLI_CONF };
	struct profile p = { .ce = NULL };
	struct err why = ERR_INIT;
	const char *word;
	int c, r, n;

	while ((c = getopt_long(argc, argv, "c:hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c == '?')
			return usage(stderr, CLI_USAGE);
		if (c == 'c')
			o.conf = optarg;
		o.json = o.json || c == 'j';
		o.apply = o.apply || c == 'a';
		o.check = o.check || c == 'k';
		o.force = o.force || c == 'f';
	}
	n = argc - optind;
	word = n == 0 ? "show" : argv[optind];
	if ((o.apply && o.check) ||
	    ((o.apply || o.check || o.force) && strcmp(word, "strict") != 0))
		return usage(stderr, CLI_USAGE);
	if (confedit_open(&p.ce, o.conf, &why) != 0)
		return cli_fail("%s", why.text);
	p.conf = confedit_conf(p.ce);
	p.pool = pool_new(0);
	p.changes = json_array();
	if (p.conf == NULL)
		r = cli_fail("%s", confedit_broken(p.ce));
	else if (strcmp(word, "show") == 0 && n <= 1)
		r = show(&p, &o);
	else if (strcmp(word, "strict") == 0 && n == 1)
		r = strict(&p, &o);
	else if (n == 2)
		r = level(&p, &o, word, argv[optind + 1]);
	else
		r = usage(stderr, CLI_USAGE);
	json_decref(p.changes);
	confedit_close(&p.ce);
	pool_destroy(&p.pool);
	return r;
}
