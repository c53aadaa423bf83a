/*
 * `postern plugin show`: what a plugin says of itself, as text, mdoc or JSON.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_plugin.h"

static void	show(const json_t *);
static void	show_words(const char *, const json_t *);
static void	show_option(const json_t *);
static void	mdoc(const json_t *);
static void	mdoc_words(const char *, const json_t *);
static void	mdoc_option(const json_t *);
static void	roff(const char *);
static bool	has(const json_t *, const char *);

int
plugin_show(struct plugin_cli *c)
{
	struct err why = ERR_INIT;
	struct host_find f;
	struct plugapart p;
	const char *where;
	json_t *j;

	if (plugin_boot(c, false, false, &why) != 0 ||
	    plugin_find(c, c->arg[0], &f, &why) != 0)
		return cli_fail("%s", why.text);
	j = plugin_ask(c, &f, &p, &where, &why);
	plugapart_fini(&p);
	if (j == NULL)
		return cli_fail("%s%s%s", where, where[0] != '\0' &&
		    strstr(why.text, where) == NULL ? ": " : "", why.text);
	if (c->json) {
		(void)json_object_set_new(j, "schema", plugin_schema(j));
		return plugin_print_json(j);
	}
	if (c->mdoc)
		mdoc(j);
	else
		show(j);
	json_decref(j);
	return CLI_OK;
}

static bool
has(const json_t *row, const char *name)
{
	return plugin_text(row, name)[0] != '\0';
}

static void
show(const json_t *j)
{
	const json_t *o;
	size_t i;

	plugin_print(plugin_text(j, "plugin"));
	(void)printf(" ");
	plugin_print(plugin_text(j, "version"));
	if (has(j, "summary")) {
		(void)printf(": ");
		plugin_print(plugin_text(j, "summary"));
	}
	(void)printf("\nfile        %s\n", has(j, "file") ?
	    plugin_text(j, "file") : "part of the program");
	if (has(j, "license")) {
		(void)printf("license     ");
		plugin_print(plugin_text(j, "license"));
		(void)printf("\n");
	}
	(void)printf("ABI         %s\n", plugin_text(j, "abi"));
	show_words("hooks       ", json_object_get(j, "hooks"));
	show_words("operations  ", json_object_get(j, "operations"));
	json_array_foreach(json_object_get(j, "warnings"), i, o) {
		(void)printf("warning     ");
		plugin_print(json_string_value(o));
		(void)printf("\n");
	}
	json_array_foreach(json_object_get(j, "options"), i, o) {
		(void)fputs(i == 0 ? "options\n" : "", stdout);
		show_option(o);
	}
}

static void
show_words(const char *head, const json_t *words)
{
	if (json_array_size(words) == 0)
		return;
	(void)fputs(head, stdout);
	plugin_print_list(words);
	(void)printf("\n");
}

static void
show_option(const json_t *o)
{
	(void)printf("  %-16s %s", plugin_text(o, "name"),
	    plugin_text(o, "type"));
	if (has(o, "range")) {
		(void)printf(" ");
		plugin_print(plugin_text(o, "range"));
	}
	if (json_is_null(json_object_get(o, "default"))) {
		(void)printf(", must be given");
	} else if (has(o, "default")) {
		(void)printf(", default ");
		plugin_print(plugin_text(o, "default"));
	}
	(void)printf("\n  %-16s ", "");
	plugin_print(plugin_text(o, "help"));
	(void)printf("\n");
}

/* A subsection of a manual page. */
static void
mdoc(const json_t *j)
{
	const json_t *options = json_object_get(j, "options"), *o;
	size_t i;

	(void)printf(".Ss ");
	roff(plugin_text(j, "plugin"));
	(void)printf("\n");
	if (has(j, "summary")) {
		roff(plugin_text(j, "summary"));
		(void)printf(".\n");
	}
	if (json_is_true(json_object_get(j, "builtin")))
		(void)printf("It is part of the program.\n");
	mdoc_words("Hooks", json_object_get(j, "hooks"));
	mdoc_words("Operations", json_object_get(j, "operations"));
	if (json_array_size(options) == 0)
		return;
	(void)printf(".Bl -tag -width Ds\n");
	json_array_foreach(options, i, o)
		mdoc_option(o);
	(void)printf(".El\n");
}

static void
mdoc_words(const char *head, const json_t *words)
{
	const json_t *word;
	size_t i;

	if (json_array_size(words) == 0)
		return;
	(void)printf("%s:\n", head);
	json_array_foreach(words, i, word) {
		(void)printf(".Cm ");
		roff(json_string_value(word));
		(void)fputs(i + 1 < json_array_size(words) ? " ,\n" : " .\n",
		    stdout);
	}
}

static void
mdoc_option(const json_t *o)
{
	(void)printf(".It Ic ");
	roff(plugin_text(o, "name"));
	(void)printf("\n%s", plugin_text(o, "type"));
	if (has(o, "range")) {
		(void)printf(" ");
		roff(plugin_text(o, "range"));
	}
	if (json_is_null(json_object_get(o, "default"))) {
		(void)printf(", must be given");
	} else if (has(o, "default")) {
		(void)printf(", default ");
		roff(plugin_text(o, "default"));
	}
	(void)printf(".\n");
	if (has(o, "help")) {
		(void)printf(".br\n");
		roff(plugin_text(o, "help"));
		(void)printf(".\n");
	}
}

/* Nothing of it is a request of roff. */
static void
roff(const char *s)
{
	const char *start = s;

	for (; *s != '\0'; s++) {
		if (s == start && (*s == '.' || *s == '\''))
			(void)fputs("\\&", stdout);
		if (*s == '\\')
			(void)fputs("\\e", stdout);
		else if (*s == '-')
			(void)fputs("\\-", stdout);
		else if ((unsigned char)*s >= ' ' && *s != '\177')
			(void)putchar(*s);
	}
}
