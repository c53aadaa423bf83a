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
static void	sentence(const char *);
static bool	roff_word(struct str, size_t *);
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
	if (j == NULL && strstr(why.text, where) != NULL)
		return cli_fail("%s", why.text);
	if (j == NULL)
		return cli_fail("%s: %s", where, why.text);
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

	(void)printf(".Ss %s\n", plugin_text(j, "plugin"));
	sentence(plugin_text(j, "summary"));
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
	json_array_foreach(words, i, word)
		(void)printf(".Cm %s %s\n", json_string_value(word),
		    i + 1 < json_array_size(words) ? "," : ".");
}

static void
mdoc_option(const json_t *o)
{
	struct str rest = str_c(plugin_text(o, "range")), word;
	bool choice = strcmp(plugin_text(o, "type"), "choice") == 0;
	const char *between = " of ";
	struct buf b;

	(void)printf(".It Ic %s\n", plugin_text(o, "name"));
	buf_init(&b, 65536);
	(void)buf_add_c(&b, plugin_text(o, "type"));
	while (choice && str_split(&rest, '|', &word)) {
		(void)buf_printf(&b, "%s%.*s", between, STR_FMT(word));
		between = rest.n > 0 && memchr(rest.p, '|', rest.n) != NULL ?
		    ", " : " and ";
	}
	if (!choice && has(o, "range"))
		(void)buf_printf(&b, " %s", plugin_text(o, "range"));
	if (json_is_null(json_object_get(o, "default")))
		(void)buf_add_c(&b, ", must be given");
	else if (has(o, "default"))
		(void)buf_printf(&b, ", default %s", plugin_text(o,
		    "default"));
	sentence(buf_p(&b));
	buf_fini(&b);
	if (has(o, "help"))
		(void)printf(".br\n");
	sentence(plugin_text(o, "help"));
}

/* With its full stop, in lines that manual pages have. */
static void
sentence(const char *text)
{
	struct str rest = str_c(text), word;
	bool end = false;
	size_t column = 0;

	while (str_word(&rest, &word)) {
		/* A new one begins a line. */
		if (end || (column > 0 && column + word.n > 74)) {
			(void)putchar('\n');
			column = 0;
		}
		if (column > 0) {
			(void)putchar(' ');
			column++;
		}
		end = roff_word(word, &column);
	}
	if (column > 0)
		(void)fputs(end ? "\n" : ".\n", stdout);
}

/* Nothing of it is a request of roff. Does it end a sentence? */
static bool
roff_word(struct str w, size_t *column)
{
	size_t i;

	for (i = 0; i < w.n; i++) {
		if (*column == 0 && (w.p[i] == '.' || w.p[i] == '\''))
			(void)fputs("\\&", stdout);
		if (w.p[i] == '\\')
			(void)fputs("\\e", stdout);
		else if (w.p[i] == '-')
			(void)fputs("\\-", stdout);
		else if ((unsigned char)w.p[i] > ' ' && w.p[i] != '\177')
			(void)putchar(w.p[i]);
		(*column)++;
	}
	return w.p[w.n - 1] == '.' && str_find(w, '.') == w.n - 1;
}
