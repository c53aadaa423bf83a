/*
 * `postern destconfig` as a dialogue, word for word that of AsyncOS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/destconfig.h"
#include "cli/menu.h"
#include "cli/prompt.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define CHANGES 16
#define PROFILES 200

/* An entry that is asked about, and what was answered. */
struct asked {
	struct destconfig *dc;
	const char *kind, *name;
	const char *of;		/* "example.com", "this domain" */
	const char *domain;
	bool fresh;		/* it was not there */
	struct relay_rules force; /* what counts, whoever says it */
	bool rcpts;		/* a limit of recipients is wanted */
	bool end;		/* of the input */
	const char *key[CHANGES], *value[CHANGES];
	unsigned n;
};

struct operation {
	struct menu_word w;
	enum menu_step (*run)(struct destconfig *, struct err *);
};

static enum menu_step apply(struct asked *, struct err *);
static void questions(struct asked *);
static void ask_limits(struct asked *);
static bool ask_recipients(struct asked *);
static void ask_scope(struct asked *, unsigned, bool, bool);
static void ask_tls(struct asked *);
static void ask_tag(struct asked *);
static void ask_profile(struct asked *);
static void ask_ip(struct asked *);
static enum menu_step do_new(struct destconfig *, struct err *);
static enum menu_step do_edit(struct destconfig *, struct err *);
static enum menu_step do_delete(struct destconfig *, struct err *);
static enum menu_step do_default(struct destconfig *, struct err *);
static enum menu_step do_list(struct destconfig *, struct err *);
static enum menu_step do_detail(struct destconfig *, struct err *);
static enum menu_step do_clear(struct destconfig *, struct err *);
static enum menu_step do_import(struct destconfig *, struct err *);
static enum menu_step do_export(struct destconfig *, struct err *);

static const struct operation operations[] = {
	{ { "SETUP", "Change global settings." }, destconfig_setup },
	{ { "NEW", "Create a new entry." }, do_new },
	{ { "EDIT", "Modify an entry." }, do_edit },
	{ { "DELETE", "Remove an entry." }, do_delete },
	{ { "DEFAULT", "Change the default." }, do_default },
	{ { "LIST", "Display a summary list of all entries." }, do_list },
	{ { "DETAIL", "Display details for one destination or all entries." },
	    do_detail },
	{ { "CLEAR", "Remove all entries." }, do_clear },
	{ { "IMPORT", "Import tables from a file." }, do_import },
	{ { "EXPORT", "Export tables to a file." }, do_export },
};

int
destconfig_menu(struct destconfig *dc)
{
	struct err why = ERR_INIT;
	const struct conf *c;
	enum menu_step s = MENU_OK;
	int i;

	dc->json = false;
	dc->compat = true;
	while (s != MENU_END) {
		c = destconfig_conf(dc, &why);
		if (c == NULL)
			return cli_fail("%s", why.text);
		prompt_text(pool_printf(dc->pool, "\nThere are currently %u "
		    "entries configured.\n", c->ndestination + 1), 0);
		i = menu_choose(dc->pool, operations, sizeof(operations[0]),
		    NELEM(operations));
		if (i < 0)
			break;
		err_clear(&why);
		s = operations[i].run(dc, &why);
		/* Half of an operation is none of it. */
		if (menu_told(s, &why) != MENU_END && s == MENU_FAILED &&
		    confedit_refresh(dc->ce, &why) != 0)
			return cli_fail("%s", why.text);
	}
	confedit_hint(dc->ce);
	return CLI_OK;
}

/* ---- questions ---- */

static const char *
now(const struct asked *a, const char *key)
{
	return destconfig_now(a->dc, a->kind, a->name, key);
}

/* Only what is another; "": not set any more. */
static void
set(struct asked *a, const char *key, const char *value)
{
	const char *old = now(a, key);

	if (a->end || strcmp(value, old != NULL ? old : "") == 0)
		return;
	ASSERT(a->n < CHANGES);
	a->key[a->n] = key;
	a->value[a->n++] = value;
}

/* So, where it counts already, whoever says it, and nothing that it belongs to
 * was changed since there were n: not at all. */
static void
set_with(struct asked *a, unsigned n, const char *key, const char *value,
    const char *force)
{
	if (a->n > n || strcmp(value, force) != 0)
		set(a, key, value);
}

static bool
is_default(const struct asked *a)
{
	return strcmp(a->kind, "delivery") == 0;
}

static bool
yes(struct asked *a, const char *text, bool def)
{
	if (a->end)
		return false;
	(void)putchar('\n');
	return prompt_yes_here(a->dc->pool, text, def, &a->end) && !a->end;
}

static unsigned
pick(struct asked *a, const char *text, const char *const *choices,
    unsigned n, unsigned def)
{
	unsigned i, r;

	if (a->end)
		return 0;
	prompt_text(pool_printf(a->dc->pool, "\n%s\n", text), 0);
	for (i = 0; i < n; i++)
		(void)printf("%u. %s\n", i + 1, choices[i]);
	r = prompt_number(a->dc->pool, "", n, def);
	a->end = r == 0;
	return r;
}

/* A number from 1 to most; def 0: there is none. "": the input ended. */
static const char *
count(struct asked *a, const char *text, unsigned def, unsigned most)
{
	unsigned n;

	if (a->end)
		return "";
	(void)putchar('\n');
	n = prompt_number(a->dc->pool, text, most, def);
	a->end = n == 0;
	return n == 0 ? "" : pool_printf(a->dc->pool, "%u", n);
}

static bool
has(const struct asked *a, const char *key)
{
	const char *s = now(a, key);

	return s != NULL && strcmp(s, "0") != 0;
}

static const char *
decimal(const struct asked *a, unsigned n)
{
	return pool_printf(a->dc->pool, "%u", n);
}

static void
questions(struct asked *a)
{
	destconfig_rules(a->dc, a->name, &a->force);
	ask_limits(a);
	ask_tls(a);
	ask_tag(a);
	if (!is_default(a))
		ask_profile(a);
	ask_ip(a);
}

static void
ask_limits(struct asked *a)
{
	struct pool *pool = a->dc->pool;
	bool had = is_default(a) || has(a, "concurrency") ||
	    has(a, "recipients"), limited = false;
	unsigned n = a->n;
	const char *most;

	if (yes(a, pool_printf(pool, "Do you wish to configure a concurrency "
		"limit for %s?", a->domain), a->fresh || is_default(a) ||
		has(a, "concurrency"))) {
		limited = true;
		most = count(a, pool_printf(pool, "Enter the max concurrency "
			"limit for \"%s\".", a->domain),
		    a->force.concurrency, 10000);
		/* The default entry has one, written or not. */
		set_with(a, n, "concurrency", most, is_default(a) ?
		    decimal(a, a->force.concurrency) : "");
	} else {
		set(a, "concurrency", "");
	}
	if (yes(a, pool_printf(pool, "Do you wish to apply a "
		"messages-per-connection limit to %s?", a->of),
		has(a, "max_messages")))
		set(a, "max_messages", count(a, "Enter the number of messages "
			"per connection.", a->force.max_messages, 1000000));
	else
		set(a, "max_messages", "");
	a->rcpts = ask_recipients(a);
	ask_scope(a, n, had, limited || a->rcpts);
}

static bool
ask_recipients(struct asked *a)
{
	struct pool *pool = a->dc->pool;
	bool had = has(a, "recipients");
	const char *minutes;
	unsigned n = a->n;

	if (!yes(a, pool_printf(pool, "Do you wish to apply a recipient limit "
		"to %s?", a->of), had)) {
		if (had) {
			set(a, "recipient_minutes", "");
			set(a, "recipients", "");
		}
		return false;
	}
	minutes = count(a, "Enter the number of minutes used to measure the "
	    "recipient limit.", a->force.minutes, 60);
	set(a, "recipients", count(a, pool_printf(pool, "Enter the max number "
		"of recipients per %s minutes for \"%s\".", minutes,
		a->domain), a->force.recipients, 100000000));
	set_with(a, n, "recipient_minutes", minutes,
	    decimal(a, a->force.minutes));
	return true;
}

/* had: there was a limit; n: how many changes before those of limits. */
static void
ask_scope(struct asked *a, unsigned n, bool had, bool limited)
{
	static const char *const enforced[] = { "System Wide",
		"Per Virtual Gateway(tm)" };
	static const char *const by[] = { "domain", "mx" };
	unsigned r, now = a->force.limit == RELAY_LIMIT_MX ? 2 : 1;
	struct pool *pool = a->dc->pool;
	const char *choices[2];

	if (!limited) {
		if (had)
			set(a, "limit_by", "");
		return;
	}
	choices[0] = pool_printf(pool, "One limit applies to the entire "
	    "domain %s", a->domain);
	choices[1] = "Separate limit for each mail exchanger IP address";
	r = pick(a, pool_printf(pool, "Select how you want to apply the "
		"limits for %s:", a->domain), choices, 2, now);
	if (r > 0)
		set_with(a, n, "limit_by", by[r - 1], by[now - 1]);
	if (r == 2 && a->rcpts)
		(void)printf("Recipients are counted for the entire domain; "
		    "connections for each address.\n");
	r = pick(a, "Select how the limits will be enforced:", enforced, 2,
	    1);
	if (r == 2)
		(void)printf("There are no virtual gateways; the limits are "
		    "system wide.\n");
}

static void
ask_tls(struct asked *a)
{
	static const char *const choices[] = { "No", "Preferred", "Required",
		"Preferred - Verify", "Required - Verify",
		"Required - Verify Hosted Domains" };
	static const char *const levels[] = { "none", "preferred", "required",
		"preferred-verify", "required-verify",
		"required-verify-hosted" };
	const char *old = now(a, "tls"), *more, *shown[NELEM(choices) + 1];
	unsigned i, r, def = 0, count = NELEM(choices);
	size_t n;

	if (!yes(a, pool_printf(a->dc->pool, "Do you wish to apply a specific "
		"TLS setting for %s?", a->of), old != NULL)) {
		set(a, "tls", "");
		return;
	}
	n = old != NULL ? strcspn(old, " ") : 0;
	for (i = 0; i < NELEM(levels); i++) {
		if (old != NULL && strlen(levels[i]) == n &&
		    strncmp(old, levels[i], n) == 0)
			def = i + 1;
	}
	memcpy(shown, choices, sizeof(choices));
	/* An empty answer changes nothing, whatever appliances know. */
	if (old != NULL && def == 0) {
		shown[count++] = pool_printf(a->dc->pool, "As it is: %s", old);
		def = count;
	}
	r = pick(a, "Do you want to use TLS support?", shown, count,
	    def > 0 ? def : 1);
	if (r == 0)
		return;
	/* What is wanted besides the level stays. */
	more = old != NULL && r == def ? old + n : "";
	set(a, "tls", r > NELEM(choices) ? old :
	    pool_printf(a->dc->pool, "%s%s", levels[r - 1], more));
	if (r > 1)
		prompt_text("\nYou have chosen to enable TLS. Please use the "
		    "'certconfig' command to ensure that there is a valid "
		    "certificate configured.\n", 0);
}

static void
ask_tag(struct asked *a)
{
	const struct conf *c = confedit_conf(a->dc->ce);
	const char *old = now(a, "bounce_verification");
	bool on;

	if (!yes(a, pool_printf(a->dc->pool, "Do you wish to apply a specific "
		"bounce verification address tagging setting for %s?",
		a->of), old != NULL)) {
		set(a, "bounce_verification", "");
		return;
	}
	on = yes(a, "Perform bounce verification address tagging?",
	    old == NULL || strcmp(old, "on") == 0);
	if (!on || c->delivery.bounce_keys[0] != '\0')
		set(a, "bounce_verification", on ? "on" : "off");
	else
		prompt_text("\nThere are no keys for tags, so it stays as it "
		    "is. Please use 'postern config set delivery "
		    "bounce_keys=FILE' first.\n", 0);
}

static void
ask_profile(struct asked *a)
{
	const char *names[PROFILES] = { NULL };
	const char *old = now(a, "bounce_profile");
	const struct conf *c = confedit_conf(a->dc->ce);
	unsigned i, n, r, def = 1;

	if (!yes(a, pool_printf(a->dc->pool, "Do you wish to apply a specific "
		"bounce profile to %s?", a->of), old != NULL)) {
		set(a, "bounce_profile", "");
		return;
	}
	n = c->nprofile < PROFILES ? c->nprofile : PROFILES;
	for (i = 0; i < n; i++) {
		names[i] = c->profile[i].name;
		if (old != NULL && strcmp(old, names[i]) == 0)
			def = i + 1;
	}
	r = pick(a, "Choose a bounce profile:", names, n, def);
	if (r > 0)
		set(a, "bounce_profile", names[r - 1]);
}

static void
ask_ip(struct asked *a)
{
	static const char *const choices[] = { "Prefer IPv6", "Prefer IPv4",
		"Require IPv6", "Require IPv4" };
	static const char *const ours[] = { "prefer-ipv6", "prefer-ipv4",
		"require-ipv6", "require-ipv4" };
	const char *old = now(a, "ip");
	unsigned i, r, def = 1;

	if (!yes(a, pool_printf(a->dc->pool, "Do you wish to apply a specific "
		"IP sort preference to %s?", a->of), old != NULL)) {
		set(a, "ip", "");
		return;
	}
	for (i = 0; i < NELEM(ours); i++) {
		if (old != NULL && strcmp(old, ours[i]) == 0)
			def = i + 1;
	}
	r = pick(a, "Choose the IP sort preference:", choices,
	    NELEM(choices), def);
	if (r > 0)
		set(a, "ip", ours[r - 1]);
}

/* ---- operations ---- */

static enum menu_step
saved(struct destconfig *dc, int r, struct err *why)
{
	if (r != 0 || confedit_save(dc->ce, why) != 0)
		return MENU_FAILED;
	return MENU_OK;
}

/* All answers, or none where the input ended between them. */
static enum menu_step
apply(struct asked *a, struct err *why)
{
	unsigned i;
	int r = 0;

	if (a->end)
		return MENU_END;
	if (a->fresh)
		r = confedit_new(a->dc->ce, a->kind, a->name, why);
	for (i = 0; r == 0 && i < a->n; i++)
		r = confedit_set(a->dc->ce, a->kind, a->name, a->key[i],
		    a->value[i], why);
	return saved(a->dc, r, why);
}

/* NULL: the input ended. */
static const char *
name_of(struct destconfig *dc, const char *text, const char *def)
{
	(void)putchar('\n');
	return menu_ask(dc->pool, text, def);
}

static enum menu_step
entry(struct destconfig *dc, const char *name, bool fresh, struct err *why)
{
	struct asked a = { .dc = dc, .kind = "destination", .name = name,
		.domain = name, .of = "this domain", .fresh = fresh };

	questions(&a);
	return apply(&a, why);
}

static enum menu_step
do_new(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter the domain you wish to "
	    "configure.", "");
	struct conf_object o;

	if (name == NULL)
		return MENU_END;
	if (conf_object_new(dc->pool, "destination", name, &o, why) != 0)
		return MENU_FAILED;
	if (destconfig_has(dc, o.name)) {
		(void)err_text(why, "there is an entry for %s already", name);
		return MENU_FAILED;
	}
	return entry(dc, name, true, why);
}

static enum menu_step
do_edit(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter the domain you wish to edit.",
	    "");

	if (name == NULL)
		return MENU_END;
	if (str_ieq_c(str_c(name), DESTCONFIG_DEFAULT))
		return do_default(dc, why);
	if (!destconfig_has(dc, name)) {
		(void)err_text(why, "there is no entry for %s", name);
		return MENU_FAILED;
	}
	return entry(dc, name, false, why);
}

static enum menu_step
do_delete(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter the domain you wish to delete.",
	    "");

	if (name == NULL)
		return MENU_END;
	return saved(dc, destconfig_delete(dc, name, why), why);
}

static enum menu_step
do_default(struct destconfig *dc, struct err *why)
{
	struct asked a = { .dc = dc, .kind = "delivery", .name = "",
		.domain = "the default", .of = "the default" };

	questions(&a);
	return apply(&a, why);
}

static enum menu_step
do_list(struct destconfig *dc, struct err *why)
{
	(void)putchar('\n');
	return destconfig_list(dc, why) == 0 ? MENU_OK : MENU_FAILED;
}

static enum menu_step
do_detail(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter the domain name to view, or "
	    "enter DEFAULT to view details for the default, or enter ALL to "
	    "view details for all:", "ALL");

	if (name == NULL)
		return MENU_END;
	return destconfig_detail(dc, str_ieq_c(str_c(name), "ALL") ? NULL :
	    name, why) == 0 ? MENU_OK : MENU_FAILED;
}

static enum menu_step
do_clear(struct destconfig *dc, struct err *why)
{
	struct asked a = { .dc = dc };

	if (!yes(&a, "Are you sure you want to remove all entries but the "
		"default?", false))
		return a.end ? MENU_END : MENU_OK;
	if (saved(dc, destconfig_clear(dc, why), why) != MENU_OK)
		return MENU_FAILED;
	destconfig_stays(dc);
	return MENU_OK;
}

static enum menu_step
do_import(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter the name of the file to import:",
	    "");

	if (name == NULL)
		return MENU_END;
	return saved(dc, destconfig_import(dc, name, why), why);
}

static enum menu_step
do_export(struct destconfig *dc, struct err *why)
{
	const char *name = name_of(dc, "Enter a name for the exported file:",
	    "");

	if (name == NULL)
		return MENU_END;
	if (name[0] == '\0') {
		(void)err_text(why, "a file needs a name");
		return MENU_FAILED;
	}
	return destconfig_export(dc, name, why) == 0 ? MENU_OK : MENU_FAILED;
}
