/*
 * `postern alertconfig` as a dialogue, in the manner of AsyncOS.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/alertconfig.h"
#include "cli/cli.h"
#include "cli/menu.h"
#include "cli/prompt.h"

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define CHOICES 16 /* at most, of a question */
#define WAIT_MAX 86400

struct operation {
	struct menu_word w;
	enum menu_step (*run)(struct alertconfig *, struct err *);
};

static size_t offer(const struct conf *, struct operation *);
static enum menu_step do_new(struct alertconfig *, struct err *);
static enum menu_step do_edit(struct alertconfig *, struct err *);
static enum menu_step do_delete(struct alertconfig *, struct err *);
static enum menu_step do_clear(struct alertconfig *, struct err *);
static enum menu_step do_setup(struct alertconfig *, struct err *);
static enum menu_step do_from(struct alertconfig *, struct err *);

static const struct operation operations[] = {
	{ { "NEW", "Add a new email address to send alerts." }, do_new },
	{ { "EDIT", "Modify alert subscription for an email address." },
	    do_edit },
	{ { "DELETE", "Remove an email address." }, do_delete },
	{ { "CLEAR", "Remove all email addresses (disable alerts)." },
	    do_clear },
	{ { "SETUP", "Configure alert settings." }, do_setup },
	{ { "FROM", "Configure the From Address of alert emails." }, do_from },
};

int
alertconfig_menu(struct alertconfig *ac)
{
	struct operation offered[NELEM(operations)];
	struct err why = ERR_INIT;
	const struct conf *c;
	enum menu_step s = MENU_OK;
	size_t n;
	int i;

	ac->json = false;
	while (s != MENU_END) {
		c = alertconfig_conf(ac, &why);
		if (c == NULL)
			return cli_fail("%s", why.text);
		(void)putchar('\n');
		alertconfig_show(ac, c);
		n = offer(c, offered);
		i = menu_choose(ac->pool, offered, sizeof(offered[0]), n);
		if (i < 0)
			break;
		err_clear(&why);
		s = offered[i].run(ac, &why);
		/* Half of an operation is none of it. */
		if (menu_told(s, &why) != MENU_END && s == MENU_FAILED &&
		    confedit_refresh(ac->ce, &why) != 0)
			return cli_fail("%s", why.text);
	}
	confedit_hint(ac->ce);
	return CLI_OK;
}

/* What needs somebody to be there is not offered where nobody is. */
static size_t
offer(const struct conf *c, struct operation *v)
{
	const struct operation *o;
	size_t n = 0;

	for (o = operations; o < operations + NELEM(operations); o++) {
		if (c->nalert_recipient > 0 || (o->run != do_edit &&
		    o->run != do_delete && o->run != do_clear))
			v[n++] = *o;
	}
	return n;
}

static enum menu_step
saved(struct alertconfig *ac, int r, struct err *why)
{
	if (r != 0 || confedit_save(ac->ce, why) != 0)
		return MENU_FAILED;
	return MENU_OK;
}

/* ---- questions ---- */

/* NULL: the input ended. */
static const char *
ask_text(struct alertconfig *ac, const char *text, const char *def)
{
	(void)putchar('\n');
	return menu_ask(ac->pool, text, def);
}

/* A number of the list (from 1), or a word of it; 0: neither. */
static unsigned
one_of(struct str s, const char *const *choices, unsigned n)
{
	uint64_t v;
	unsigned i;

	if (num_u64(s, n, &v) == 0)
		return (unsigned)v;
	for (i = 0; i < n; i++) {
		if (str_ieq_c(s, choices[i]))
			return i + 1;
	}
	return 0;
}

/* "1, 3": which of them, from bit 0; what all means stands first. def 0: an
 * empty answer is 0. -1: the input ended. */
static int
ask_some(struct alertconfig *ac, const char *text, const char *const *words,
    unsigned def, unsigned *mask_r)
{
	const char *choices[CHOICES] = { "All" }, *line, *shown = "";
	struct str rest, piece;
	unsigned i, n, mask;
	bool good;

	for (n = 1; words[n - 1] != NULL; n++) {
		ASSERT(n < CHOICES);
		choices[n] = words[n - 1];
	}
	(void)printf("\n%s Separate multiple choices with commas.\n", text);
	for (i = 0; i < n; i++) {
		(void)printf("%u. %s\n", i + 1, choices[i]);
		if ((def >> i & 1) != 0)
			shown = pool_printf(ac->pool, "%s%s%u", shown,
			    shown[0] != '\0' ? "," : "", i + 1);
	}
	for (;;) {
		line = prompt_line(ac->pool, "", shown);
		if (line == NULL)
			return -1;
		if (line[0] == '\0') {
			*mask_r = 0;
			return 0;
		}
		rest = str_c(line);
		mask = 0;
		good = true;
		while (good && str_split(&rest, ',', &piece)) {
			i = one_of(str_trim(piece), choices, n);
			good = i > 0;
			mask |= good ? 1u << (i - 1) : 0;
		}
		if (good && mask != 0)
			break;
		(void)printf("Please answer with numbers from 1 to %u.\n", n);
	}
	*mask_r = (mask & 1) != 0 ? 1 : mask;
	return 0;
}

/* Which classes and severities r has; all of each are what it wants, or both
 * are 0: no two questions tell it. */
static void
masks_of(const struct conf_alert_recipient *r, unsigned *classes_r,
    unsigned *severities_r)
{
	unsigned classes = 0, severities = 0, both = 0, i, k;

	for (i = 0; i == 0 || conf_alert_classes[i - 1] != NULL; i++) {
		for (k = 0; k == 0 || conf_alert_severities[k - 1] != NULL;
		     k++) {
			if (!alertconfig_says(r, i == 0 ? "all" :
				conf_alert_classes[i - 1], k == 0 ? "all" :
				conf_alert_severities[k - 1]))
				continue;
			classes |= 1u << i;
			severities |= 1u << k;
			both++;
		}
	}
	if ((unsigned)(__builtin_popcount(classes) *
		__builtin_popcount(severities)) != both)
		classes = severities = 0;
	*classes_r = classes;
	*severities_r = severities;
}

/* Each of the classes with each of the severities; r NULL: of nobody yet. ""
 * is as it was. -1: the input ended. */
static int
ask_classes(struct alertconfig *ac, const struct conf_alert_recipient *r,
    const char **list_r)
{
	const char *list = "", *class, *severity;
	unsigned classes = 1, severities = 1, i, k;

	if (r != NULL)
		masks_of(r, &classes, &severities);
	if (r != NULL && classes == 0)
		(void)printf("\nAn empty answer leaves the subscription as it "
		    "is.\n");
	*list_r = "";
	if (ask_some(ac, "Choose the Alert Classes.", conf_alert_classes,
		classes, &classes) != 0)
		return -1;
	if (classes == 0)
		return 0;
	if (ask_some(ac, "Select a Severity Level.", conf_alert_severities,
		severities != 0 ? severities : 1, &severities) != 0)
		return -1;
	for (i = 0; classes >> i != 0; i++) {
		for (k = 0; severities >> k != 0; k++) {
			if ((classes >> i & 1) == 0 ||
			    (severities >> k & 1) == 0)
				continue;
			class = i == 0 ? "all" : conf_alert_classes[i - 1];
			severity = k == 0 ? "all" :
			    conf_alert_severities[k - 1];
			list = pool_printf(ac->pool, "%s%s%s/%s", list,
			    list[0] != '\0' ? "," : "", class, severity);
		}
	}
	*list_r = strcmp(list, "all/all") == 0 ? "all" : list;
	return 0;
}

/* One that is there, by its number or as it is written; NULL: the input
 * ended. */
static const struct conf_alert_recipient *
ask_recipient(struct alertconfig *ac, const char *text)
{
	const struct conf *c = confedit_conf(ac->ce);
	const char *line;
	uint64_t v;
	unsigned i;

	(void)printf("\n%s\n", text);
	for (i = 0; i < c->nalert_recipient; i++)
		(void)printf("%u. %s\n", i + 1, c->alert_recipient[i].name);
	for (;;) {
		line = menu_ask(ac->pool, "", "1");
		if (line == NULL)
			return NULL;
		if (num_u64(str_c(line), c->nalert_recipient, &v) == 0 &&
		    v > 0)
			return &c->alert_recipient[v - 1];
		for (i = 0; i < c->nalert_recipient; i++) {
			if (strcmp(line, c->alert_recipient[i].name) == 0)
				return &c->alert_recipient[i];
		}
		(void)printf("Please answer with a number from 1 to %u, or an "
		    "address of the list.\n", c->nalert_recipient);
	}
}

/* ---- operations ---- */

static enum menu_step
do_new(struct alertconfig *ac, struct err *why)
{
	const char *address, *list;

	address = ask_text(ac, "Please enter a new email address to send "
	    "alerts.\n(Ex: \"administrator@example.com\")", "");
	if (address == NULL)
		return MENU_END;
	if (address[0] == '\0')
		return MENU_OK;
	/* Told before more is asked. */
	if (!conf_alert_address(ac->pool, address)) {
		(void)err_text(why, "\"%s\" is no mail address in ASCII "
		    "without quotes", address);
		return MENU_FAILED;
	}
	if (alertconfig_has(ac, address)) {
		(void)err_text(why, "%s is sent alerts already", address);
		return MENU_FAILED;
	}
	if (ask_classes(ac, NULL, &list) != 0)
		return MENU_END;
	return saved(ac, alertconfig_put(ac, address, list, true, why), why);
}

static enum menu_step
do_edit(struct alertconfig *ac, struct err *why)
{
	const struct conf_alert_recipient *r = ask_recipient(ac,
	    "Please select the email address to edit.");
	const char *address, *list;

	if (r == NULL || ask_classes(ac, r, &list) != 0)
		return MENU_END;
	if (list[0] == '\0')
		return MENU_OK;
	address = pool_strdup(ac->pool, r->name);
	return saved(ac, alertconfig_put(ac, address, list, false, why), why);
}

static enum menu_step
do_delete(struct alertconfig *ac, struct err *why)
{
	const struct conf_alert_recipient *r = ask_recipient(ac,
	    "Please select the email address to remove.");
	const char *address;

	if (r == NULL)
		return MENU_END;
	address = pool_strdup(ac->pool, r->name);
	return saved(ac, alertconfig_delete(ac, address, why), why);
}

static enum menu_step
do_clear(struct alertconfig *ac, struct err *why)
{
	bool end = false, yes;

	(void)putchar('\n');
	yes = prompt_yes_here(ac->pool, "Are you sure you want to remove all "
	    "email addresses and disable alerts?", false, &end);
	if (end)
		return MENU_END;
	return yes ? saved(ac, alertconfig_clear(ac, why), why) : MENU_OK;
}

/* Seconds as a setting; NULL: the input ended. */
static const char *
ask_wait(struct alertconfig *ac, const char *text, msec now, uint64_t most)
{
	const char *shown = pool_printf(ac->pool, "%ju",
	    (uintmax_t)(now / 1000)), *line;
	uint64_t v;

	for (;;) {
		line = ask_text(ac, text, shown);
		if (line == NULL)
			return NULL;
		if (line == shown || strcmp(line, shown) == 0)
			return "";
		if (num_u64(str_c(line), most, &v) == 0)
			return pool_printf(ac->pool, "%jus", (uintmax_t)v);
		(void)printf("Please answer with a number from 0 to %ju.\n",
		    (uintmax_t)most);
	}
}

static enum menu_step
do_setup(struct alertconfig *ac, struct err *why)
{
	const struct conf *c = confedit_conf(ac->ce);
	bool tls = c->delivery.alert_required_tls, end = false, want;
	const char *first, *most, *old, *server;
	int r = 0;

	old = pool_strdup(ac->pool, c->alerts.server);
	first = ask_wait(ac, "Initial number of seconds to wait before "
	    "sending a duplicate alert.\nEnter a value of 0 to disable "
	    "duplicate alert summaries.", c->alerts.initial_wait, WAIT_MAX);
	if (first == NULL)
		return MENU_END;
	most = ask_wait(ac, "Maximum number of seconds to wait before sending "
	    "a duplicate alert.\nEnter a value of 0 for no maximum.",
	    c->alerts.maximum_wait, 7 * WAIT_MAX);
	if (most == NULL)
		return MENU_END;
	server = ask_text(ac, "Enter the host that takes the alerts, HOST or "
	    "HOST:PORT, or MX for the\nmail exchangers of each address.",
	    old[0] != '\0' ? old : "MX");
	if (server == NULL)
		return MENU_END;
	(void)putchar('\n');
	want = prompt_yes_here(ac->pool, "Do you want to send an alert when a "
	    "required TLS connection fails?", tls, &end);
	if (end)
		return MENU_END;
	if (first[0] != '\0')
		r = alertconfig_set(ac, "initial_wait", first, why);
	if (r == 0 && most[0] != '\0')
		r = alertconfig_set(ac, "maximum_wait", most, why);
	if (r == 0 && str_ieq_c(str_c(server), "MX") && old[0] != '\0')
		r = alertconfig_set(ac, "server", NULL, why);
	else if (r == 0 && !str_ieq_c(str_c(server), "MX") &&
	    strcmp(server, old) != 0)
		r = alertconfig_set(ac, "server", server, why);
	if (r == 0 && want != tls)
		r = alertconfig_set(ac, "alert_required_tls",
		    want ? "yes" : "no", why);
	return saved(ac, r, why);
}

static enum menu_step
do_from(struct alertconfig *ac, struct err *why)
{
	const struct conf *c = confedit_conf(ac->ce);
	const char *old = c->alerts.from[0] != '\0' ?
	    pool_strdup(ac->pool, c->alerts.from) : "DEFAULT";
	const char *from = ask_text(ac, "Please enter the From Address of "
	    "alerts, or DEFAULT for the system-default.", old);

	if (from == NULL)
		return MENU_END;
	if (strcmp(from, old) == 0)
		return MENU_OK;
	return saved(ac, alertconfig_set(ac, "from",
	    str_ieq_c(str_c(from), "DEFAULT") ? NULL : from, why), why);
}
