/*
 * `postern listenerconfig`: each operation as a command, and the dialogue,
 * which asks for the words of the command and does the same.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/confcmd.h"
#include "cli/config.h"
#include "cli/listenerconfig.h"
#include "cli/menu.h"
#include "cli/prompt.h"

#define WORDS_MAX 1000 /* of an answer */
#define SETTINGS "Settings as KEY=VALUE, with blanks between:"
#define LISTENER "Enter the name of the listener:"
#define GROUP "Enter the name of the sender group:"
#define KIND "Is it public or private?"
#define ANY_KIND "Is it public or private (or neither)?"
#define FROM "Enter the file:"
#define TO "Enter the file, or nothing for the screen:"

/* of: the word before it, or "". most -1: any number of words. */
struct operation {
	const char *of, *name;
	int least, most;
	bool changes;
	int (*run)(struct listenerconfig *, struct err *);
	const char *help;
	const char *ask[3];
};

static int op_edit(struct listenerconfig *, struct err *);
static int op_delete(struct listenerconfig *, struct err *);
static int policy_list(struct listenerconfig *, struct err *);
static int policy_set(struct listenerconfig *, struct err *);
static int policy_delete(struct listenerconfig *, struct err *);
static int rat_print(struct listenerconfig *, struct err *);
static int rat_new(struct listenerconfig *, struct err *);
static int rat_edit(struct listenerconfig *, struct err *);
static int rat_delete(struct listenerconfig *, struct err *);
static int run(struct listenerconfig *, const struct operation *,
    struct err *);
static int dialogue(struct listenerconfig *);
static enum menu_step perform(struct listenerconfig *,
    const struct operation *, struct err *);
static enum menu_step menu(struct listenerconfig *, const char *);

static const struct operation operations[] = {
	{ "", "list", 0, 0, false, listener_list, "List the listeners.",
	    { NULL } },
	{ "", "new", 2, -1, true, listener_new, "Create a new listener.",
	    { LISTENER, ANY_KIND, SETTINGS } },
	{ "", "reset", 2, 2, true, listener_reset,
	    "Give a listener the table it would begin with.",
	    { LISTENER, KIND } },
	{ "", "edit", 2, -1, true, op_edit, "Modify a listener.",
	    { LISTENER, SETTINGS } },
	{ "", "delete", 1, 1, true, op_delete, "Remove a listener.",
	    { LISTENER } },
	{ "hostaccess", "print", 1, 1, false, hat_print,
	    "Display the sender groups of a listener.", { LISTENER } },
	{ "hostaccess", "new", 3, -1, true, hat_new, "Create a sender group.",
	    { LISTENER, GROUP,
		"[at=PLACE] policy=NAME [senders=A,B] [comment=TEXT]:" } },
	{ "hostaccess", "edit", 3, -1, true, hat_edit,
	    "Modify a sender group.", { LISTENER, GROUP,
		"+SENDER and -SENDER, then KEY=VALUE:" } },
	{ "hostaccess", "delete", 2, 2, true, hat_delete,
	    "Remove a sender group.", { LISTENER, GROUP } },
	{ "hostaccess", "reorder", 3, 3, true, hat_reorder,
	    "Move a sender group.", { LISTENER, GROUP,
		"Enter its new place, from 1:" } },
	{ "hostaccess", "import", 2, 2, true, hat_import,
	    "Take the table from a file.", { LISTENER, FROM } },
	{ "hostaccess", "export", 1, 2, false, hat_export,
	    "Write the table to a file.", { LISTENER, TO } },
	{ "policy", "list", 0, 0, false, policy_list,
	    "List the mail flow policies.", { NULL } },
	{ "policy", "set", 1, -1, true, policy_set,
	    "Create or modify a mail flow policy.",
	    { "Enter the name of the policy:", SETTINGS } },
	{ "policy", "delete", 1, 1, true, policy_delete,
	    "Remove a mail flow policy.",
	    { "Enter the name of the policy:" } },
	{ "rcptaccess", "print", 0, 0, false, rat_print,
	    "Display the recipient access table.", { NULL } },
	{ "rcptaccess", "new", 1, -1, true, rat_new, "Create an entry.",
	    { "Enter the recipient (address, domain, .domain or ALL):",
		SETTINGS } },
	{ "rcptaccess", "edit", 2, -1, true, rat_edit, "Modify an entry.",
	    { "Enter the recipient:", SETTINGS } },
	{ "rcptaccess", "delete", 1, 1, true, rat_delete, "Remove an entry.",
	    { "Enter the recipient:" } },
	{ "rcptaccess", "import", 1, 1, true, rat_import,
	    "Take the table from a file.", { FROM } },
	{ "rcptaccess", "export", 0, 1, false, rat_export,
	    "Write the table to a file.", { TO } },
};

#define NOPERATIONS (sizeof(operations) / sizeof(operations[0]))
#define AFTER (operations + NOPERATIONS)

static const struct {
	const char *of, *help;
} tables[] = {
	{ "hostaccess", "Modify the Host Access Table of a listener." },
	{ "policy", "Modify the mail flow policies." },
	{ "rcptaccess", "Modify the Recipient Access Table." },
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static int
usage(FILE *to, int status)
{
	static const struct {
		const char *ask, *shown;
	} args[] = {
		{ LISTENER, "LISTENER" },
		{ GROUP, "GROUP" },
		{ SETTINGS, "KEY=VALUE ..." },
		{ KIND, "public|private" },
		{ ANY_KIND, "[public|private]" },
		{ FROM, "FILE" },
		{ TO, "[FILE]" },
	};
	const struct operation *o;
	const char *shown;
	size_t i, k;

	(void)fputs("usage: postern listenerconfig [-c CONFIG] [--json] "
	    "[--node] [OPERATION ...]\nWithout an operation a dialogue "
	    "begins. Changes are in force after postern commit.\n", to);
	for (o = operations; o < AFTER; o++) {
		(void)fprintf(to, "  %s%s%s", o->of, o->of[0] != '\0' ? " " :
		    "", o->name);
		for (i = 0; i < 3 && o->ask[i] != NULL; i++) {
			shown = i == 0 ? "NAME" : "...";
			for (k = 0; k < sizeof(args) / sizeof(args[0]); k++) {
				if (strcmp(o->ask[i], args[k].ask) == 0)
					shown = args[k].shown;
			}
			(void)fprintf(to, " %s", shown);
		}
		(void)fprintf(to, "\n      %s\n", o->help);
	}
	return status;
}

static const struct operation *
find(const char *of, const char *name)
{
	const struct operation *o;

	for (o = operations; o < AFTER; o++) {
		if (str_ieq_c(str_c(of), o->of) &&
		    str_ieq_c(str_c(name), o->name))
			return o;
	}
	return NULL;
}

static const struct operation *
operation_of(struct listenerconfig *lc, char **argv, int argc)
{
	const struct operation *o = find("", argv[0]);
	int words = 1;

	if (o == NULL && argc > 1) {
		o = find(argv[0], argv[1]);
		words = 2;
	}
	lc->arg = argv + words;
	lc->n = argc - words;
	return o == NULL || lc->n < o->least ||
	    (o->most >= 0 && lc->n > o->most) ? NULL : o;
}

int
cli_listenerconfig(int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ NULL, 0, NULL, 0 },
	};
	struct listenerconfig lc = { .json = false };
	const struct operation *o = NULL;
	struct err why = ERR_INIT;
	const char *conf = CLI_CONF;
	bool node = false;
	int c, r;

	/* "+": "-SENDER" behind an operation is none of ours. */
	while ((c = getopt_long(argc, argv, "+c:h", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			conf = optarg;
			break;
		case 'h':
			return usage(stdout, CLI_OK);
		case 'j':
			lc.json = true;
			break;
		case 'N':
			node = true;
			break;
		default:
			return usage(stderr, CLI_USAGE);
		}
	}
	if (optind < argc) {
		o = operation_of(&lc, argv + optind, argc - optind);
		if (o == NULL)
			return usage(stderr, CLI_USAGE);
	}
	if (confedit_open(&lc.ce, conf, &why) != 0)
		return cli_fail("%s", why.text);
	confedit_scope(lc.ce, node);
	lc.pool = pool_new(0);
	if (o == NULL)
		r = dialogue(&lc);
	else
		r = run(&lc, o, &why) == 0 ? CLI_OK : cli_fail("%s", why.text);
	if (r == CLI_OK && (o == NULL || o->changes))
		config_hint(lc.ce, lc.json);
	confedit_close(&lc.ce);
	pool_destroy(&lc.pool);
	return r;
}

static int
run(struct listenerconfig *lc, const struct operation *o, struct err *why)
{
	struct err ignored = ERR_INIT;
	int r = o->run(lc, why);

	if (r == 0 && o->changes)
		return confedit_save(lc->ce, why);
	/* Nothing of it may go with the next change. */
	if (r != 0 && o->changes)
		(void)confedit_refresh(lc->ce, &ignored);
	return r;
}

/* ---- the dialogue ---- */

/* Nobody quotes here: a word without "=" behind one with it is more of its
 * value, unless it is +SENDER or -SENDER. */
static void
add_word(struct listenerconfig *lc, int first, struct str word)
{
	char **last = &lc->arg[lc->n - 1];

	if (lc->n > first && strchr(*last, '=') != NULL &&
	    str_find(word, '=') == word.n && word.p[0] != '+' &&
	    word.p[0] != '-')
		*last = pool_printf(lc->pool, "%s %.*s", *last,
		    STR_FMT(word));
	else
		lc->arg[lc->n++] = pool_strndup(lc->pool, word.p, word.n);
}

/* -1: the input ended. */
static int
ask_words(struct listenerconfig *lc, const struct operation *o)
{
	struct str rest, word;
	const char *line;
	int i, first;

	lc->arg = pool_alloc(lc->pool, WORDS_MAX * sizeof(*lc->arg));
	lc->n = 0;
	for (i = 0; i < 3 && o->ask[i] != NULL; i++) {
		line = prompt_line(lc->pool, o->ask[i], "");
		if (line == NULL)
			return -1;
		rest = str_c(line);
		first = lc->n;
		while (lc->n < WORDS_MAX && str_word(&rest, &word))
			add_word(lc, first, word);
	}
	return 0;
}

static int
dialogue(struct listenerconfig *lc)
{
	struct err why = ERR_INIT;

	lc->json = false;
	if (listener_list(lc, &why) != 0)
		return cli_fail("%s", why.text);
	(void)menu(lc, "");
	return CLI_OK;
}

/* Of the operations, or those of a table; o NULL: this one is a table. */
struct choice {
	struct menu_word w;
	const struct operation *o;
	const char *of;
};

static unsigned
choices(struct listenerconfig *lc, const char *of, struct choice *v)
{
	const struct operation *o;
	char *word, *p;
	unsigned n = 0;
	size_t i;

	for (o = operations; o < AFTER; o++) {
		if (strcmp(o->of, of) == 0)
			v[n++] = (struct choice){ { o->name, o->help }, o,
				of };
	}
	for (i = 0; of[0] == '\0' && i < NTABLES; i++)
		v[n++] = (struct choice){ { tables[i].of, tables[i].help },
			NULL, tables[i].of };
	for (i = 0; i < n; i++) {
		word = pool_strdup(lc->pool, v[i].w.word);
		for (p = word; *p != '\0'; p++)
			*p += 'A' - 'a';
		v[i].w.word = word;
	}
	return n;
}

static enum menu_step
menu(struct listenerconfig *lc, const char *of)
{
	struct choice v[NOPERATIONS + NTABLES];
	unsigned n = choices(lc, of, v);
	enum menu_step s = MENU_OK;
	struct err why;
	int i;

	while (s != MENU_END) {
		i = menu_choose(lc->pool, v, sizeof(v[0]), n);
		if (i < 0)
			return i == MENU_LEFT ? MENU_OK : MENU_END;
		err_clear(&why);
		s = v[i].o == NULL ? menu(lc, v[i].of) :
		    menu_told(perform(lc, v[i].o, &why), &why);
	}
	return s;
}

static enum menu_step
perform(struct listenerconfig *lc, const struct operation *o, struct err *why)
{
	if (ask_words(lc, o) != 0)
		return MENU_END;
	if (lc->n < o->least || (o->most >= 0 && lc->n > o->most))
		return menu_step(err_text(why, "that is too little or too "
		    "much"));
	return menu_step(run(lc, o, why));
}

/* ---- what operations have in common ---- */

const struct conf *
listenerconfig_conf(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = confedit_conf(lc->ce);

	if (c == NULL)
		(void)err_text(why, "%s", confedit_broken(lc->ce));
	return c;
}

const struct conf_listener *
listenerconfig_find(struct listenerconfig *lc, const char *name,
    struct err *why)
{
	const struct conf *c = confedit_conf(lc->ce);
	unsigned i;

	for (i = 0; c != NULL && i < c->nlistener; i++) {
		if (strcmp(c->listener[i].name, name) == 0)
			return &c->listener[i];
	}
	(void)err_text(why, "there is no listener \"%.60s\"", name);
	return NULL;
}

int
listenerconfig_set(struct listenerconfig *lc, int i, const char *kind,
    const char *name, struct err *why)
{
	return confcmd_pairs(lc->ce, lc->arg + i, lc->n - i, kind, name, why);
}

bool
listenerconfig_known(struct listenerconfig *lc, const char *kind,
    const char *name)
{
	return confedit_get(lc->ce, kind, name) != NULL ||
	    confedit_boot(lc->ce, kind, name) != NULL;
}

/* Creates or changes the object that arg[0] names. */
static int
put(struct listenerconfig *lc, const char *kind, bool there, struct err *why)
{
	bool is = listenerconfig_known(lc, kind, lc->arg[0]);

	if (is != there)
		return err_text(why, is ? "%s \"%.60s\" is there already" :
		    "there is no %s \"%.60s\"", kind, lc->arg[0]);
	if (!is && confedit_new(lc->ce, kind, lc->arg[0], why) != 0)
		return -1;
	return listenerconfig_set(lc, 1, kind, lc->arg[0], why);
}

/* ---- listeners ---- */

static int
op_edit(struct listenerconfig *lc, struct err *why)
{
	return put(lc, "listener", true, why);
}

static int
op_delete(struct listenerconfig *lc, struct err *why)
{
	return confedit_delete(lc->ce, "listener", lc->arg[0], why);
}

/* ---- mail flow policies ---- */

static void
policy_show(const struct conf_policy_flow *f, struct err *why)
{
	struct conf_object o = { .scope = conf_kind_find("mail_flow_policy",
	    why), .kind = "mail_flow_policy", .name = f->name,
		.items = (struct conf_item *)(uintptr_t)f->items };
	struct buf text;

	buf_init(&text, SIZE_MAX);
	conf_object_write(&o, &text);
	(void)fputs(buf_p(&text), stdout);
	buf_fini(&text);
}

/* Those of the boot file as well, unless the store has something of them. */
static int
policy_list(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	unsigned i, rows = 0;

	if (c == NULL)
		return -1;
	for (i = 0; i < c->nflow; i++) {
		if (lc->json)
			config_row(&rows, json_pack("{s:s, s:o}", "name",
			    c->flow[i].name, "settings",
			    config_settings(c->flow[i].items)));
		else
			policy_show(&c->flow[i], why);
	}
	if (lc->json)
		config_rows_end(rows);
	return 0;
}

static int
policy_set(struct listenerconfig *lc, struct err *why)
{
	return put(lc, "mail_flow_policy",
	    listenerconfig_known(lc, "mail_flow_policy", lc->arg[0]), why);
}

static int
policy_delete(struct listenerconfig *lc, struct err *why)
{
	return confedit_delete(lc->ce, "mail_flow_policy", lc->arg[0], why);
}

/* ---- the recipient access table ---- */

static json_t *
rat_json(const struct conf_access *a)
{
	json_t *listeners = json_array();
	const char *const *p;

	for (p = a->listeners; *p != NULL; p++)
		(void)json_array_append_new(listeners, json_string(*p));
	return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:s}", "recipient",
	    a->name, "access", a->access == 0 ? "accept" : "reject", "code",
	    (int)a->code, "text", config_text(str_c(a->text)), "comment",
	    config_text(str_c(a->comment)), "listeners", listeners, "source",
	    "recipient_access");
}

static void
rat_show(struct pool *pool, const struct conf_access *a)
{
	const char *const *p = a->listeners;
	const char *names;

	if (a->access == 0)
		(void)printf("%s ACCEPT\n", a->name);
	else
		prompt_text(pool_printf(pool, "%s REJECT %u %s\n", a->name,
		    a->code, a->text), 4);
	if (*p != NULL) {
		names = *p++;
		for (; *p != NULL; p++)
			names = pool_printf(pool, "%s, %s", names, *p);
		prompt_text(pool_printf(pool, "    listeners: %s\n", names),
		    8);
	}
	if (a->comment[0] != '\0')
		prompt_text(pool_printf(pool, "    comment: %s\n",
		    a->comment), 8);
}

static int
rat_print(struct listenerconfig *lc, struct err *why)
{
	const struct conf *c = listenerconfig_conf(lc, why);
	const char *const *p;
	unsigned i, rows = 0;

	if (c == NULL)
		return -1;
	for (i = 0; i < c->naccess; i++) {
		if (lc->json)
			config_row(&rows, rat_json(&c->access[i]));
		else
			rat_show(lc->pool, &c->access[i]);
	}
	for (p = c->relay.domains; *p != NULL; p++) {
		if (lc->json)
			config_row(&rows, json_pack("{s:s, s:s, s:[], s:s}",
			    "recipient", *p, "access", "accept", "listeners",
			    "source", "relay.domains"));
		else
			(void)printf("%s ACCEPT (relay.domains)\n", *p);
	}
	if (lc->json)
		config_rows_end(rows);
	return 0;
}

static int
rat_new(struct listenerconfig *lc, struct err *why)
{
	return put(lc, "recipient_access", false, why);
}

static int
rat_edit(struct listenerconfig *lc, struct err *why)
{
	return put(lc, "recipient_access", true, why);
}

static int
rat_delete(struct listenerconfig *lc, struct err *why)
{
	return confedit_delete(lc->ce, "recipient_access", lc->arg[0], why);
}
