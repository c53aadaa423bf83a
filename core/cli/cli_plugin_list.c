/*
 * `postern plugin list` and `order`: of the running relay, all its workers
 * merged; without one, of the boot file.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/cli_plugin.h"

/* One answer of everybody. */
struct merged {
	const char *key; /* what a row is known by */
	json_t *rows;	 /* by key */
	json_int_t workers;
};

struct telling {
	struct plugin_cli *c;
	bool order;
	int says;
};

static int	gather(struct plugin_cli *, struct merged *, const char *,
		    const char *);
static void	on_row(void *, const char *, const json_t *, int);
static void	merge(struct merged *, const json_t *);
static int	from_boot(struct plugin_cli *, struct merged *, bool,
		    struct err *);
static int	load(void *, int, struct err *);
static void	tell(void *, struct str);
static int	print_rows(struct merged *);
static void	show_instance(const struct merged *, const json_t *);
static void	show_chain(const json_t *);
static bool	is(const json_t *, const char *);

int
plugin_list(struct plugin_cli *c)
{
	struct merged m = { .key = "instance" };
	const char *name;
	json_t *row;
	int r;

	r = gather(c, &m, "plugin.list", "instance");
	if (r == CLI_OK && c->json) {
		r = print_rows(&m);
	} else if (r == CLI_OK) {
		if (m.workers == 0)
			(void)printf("Postern is not running: %s has\n",
			    c->file);
		if (json_object_size(m.rows) == 0)
			(void)printf("no plugins\n");
		json_object_foreach(m.rows, name, row)
			show_instance(&m, row);
	}
	json_decref(m.rows);
	return r;
}

int
plugin_order(struct plugin_cli *c)
{
	struct merged m = { .key = "hook" };
	const char *name, *near, *word = c->arg[0];
	json_t *row;
	int r;

	if (word != NULL && !host_hook(word, &near))
		return cli_fail("there is no hook or operation \"%s\"%s%s%s",
		    word, near != NULL ? " (did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?)" : "");
	r = gather(c, &m, "plugin.order", "hook");
	if (r == CLI_OK && word != NULL) {
		row = json_incref(json_object_get(m.rows, word));
		(void)json_object_clear(m.rows);
		if (row != NULL)
			(void)json_object_set_new(m.rows, word, row);
	}
	if (r == CLI_OK && c->json) {
		r = print_rows(&m);
	} else if (r == CLI_OK) {
		if (json_object_size(m.rows) == 0)
			(void)printf("nobody is asked%s%s\n",
			    word != NULL ? " at " : "",
			    word != NULL ? word : "");
		json_object_foreach(m.rows, name, row)
			show_chain(row);
	}
	json_decref(m.rows);
	return r;
}

static int
gather(struct plugin_cli *c, struct merged *m, const char *verb,
    const char *key)
{
	struct err why = ERR_INIT;
	char *run = NULL;
	int r;

	m->key = key;
	m->rows = json_object();
	r = ask_run_dir(c->file, &run, &why);
	if (r == 0 && ask_running(run))
		r = ask(run, ASK_WORKERS, json_pack("{s:s}", "verb", verb),
		    on_row, m, &why);
	else if (r == 0)
		r = from_boot(c, m, strcmp(key, "hook") == 0, &why);
	mem_free(run);
	return r == 0 ? CLI_OK : cli_fail("%s", why.text);
}

static void
on_row(void *arg, const char *from, const json_t *line, int last)
{
	struct merged *m = arg;

	(void)from;
	if (last != 0)
		m->workers++;
	else
		merge(m, line);
}

/* They have all the same, but for one that is behind with a reload, and what
 * each found out about the file and its instance. */
static void
merge(struct merged *m, const json_t *line)
{
	static const char *const flags[] = { "changed", "tripped" };
	const char *name = plugin_text(line, m->key);
	json_t *row = json_object_get(m->rows, name);
	size_t i;

	if (row == NULL) {
		row = json_deep_copy(line);
		(void)json_object_set_new(m->rows, name, row);
	}
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (is(line, flags[i]))
			(void)json_object_set_new(row, flags[i], json_true());
	}
	(void)json_object_set_new(row, "workers", json_integer(
	    json_integer_value(json_object_get(row, "workers")) + 1));
}

static int
from_boot(struct plugin_cli *c, struct merged *m, bool order, struct err *why)
{
	struct telling t = { c, order, -1 };
	struct str rest, line;
	struct plugapart p;
	json_t *row;
	int r;

	if (plugin_boot(c, true, true, why) != 0)
		return -1;
	r = plugapart_run(&p, &c->privs, load, &t, why);
	if (p.died)
		(void)err_prefix(why, "%s: ", c->file);
	rest = buf_str(&p.said);
	while (r == 0 && str_split(&rest, '\n', &line)) {
		row = json_loadb(line.p, line.n, 0, NULL);
		if (row != NULL) {
			merge(m, row);
			(void)json_object_del(json_object_get(m->rows,
			    plugin_text(row, m->key)), "workers");
		}
		json_decref(row);
	}
	plugapart_fini(&p);
	return r;
}

static int
load(void *arg, int says, struct err *why)
{
	struct telling *t = arg;
	const struct conf *conf = t->c->conf;
	struct host_world world = { .hostname = conf->top.hostname };
	struct host_gen *g;

	t->says = says;
	world.loop = loop_new();
	if (host_load(host_new(&world), conf, epoch_reader(t->c->epoch), &g,
		why) != 0)
		return -1;
	if (t->order)
		host_order(g, tell, t);
	else
		host_list(g, tell, t);
	return 0;
}

static void
tell(void *arg, struct str json)
{
	const struct telling *t = arg;

	plugapart_say(t->says, json);
}

/* An array; whether it is of a running relay, "workers" tells. */
static int
print_rows(struct merged *m)
{
	json_t *v = json_array(), *row;
	const char *name;

	json_object_foreach(m->rows, name, row)
		(void)json_array_append(v, row);
	return plugin_print_json(v);
}

static bool
is(const json_t *row, const char *name)
{
	return json_is_true(json_object_get(row, name));
}

static void
show_instance(const struct merged *m, const json_t *row)
{
	json_int_t n = json_integer_value(json_object_get(row, "workers"));

	(void)printf("%-20s %-20s ", plugin_text(row, "instance"),
	    plugin_text(row, "plugin"));
	plugin_print(plugin_text(row, "version"));
	(void)printf(" (%s)", is(row, "builtin") ? "part of the program" :
	    plugin_text(row, "file"));
	if (plugin_text(row, "by")[0] != '\0')
		(void)printf(", of %s", plugin_text(row, "by"));
	(void)printf("\n    asked at: ");
	plugin_print_list(json_object_get(row, "hooks"));
	(void)printf("\n");
	if (json_array_size(json_object_get(row, "muted")) > 0) {
		(void)printf("    not asked at: ");
		plugin_print_list(json_object_get(row, "muted"));
		(void)printf(" (muted: nothing to do there)\n");
	}
	if (is(row, "tripped"))
		(void)printf("    switched off: it ended workers again and "
		    "again\n");
	if (is(row, "changed"))
		(void)printf("    changed: the file is another than the one "
		    "in use; postern plugin restart\n");
	if (n < m->workers)
		(void)printf("    in %" JSON_INTEGER_FORMAT " of %"
		    JSON_INTEGER_FORMAT " workers\n", n, m->workers);
}

static void
show_chain(const json_t *row)
{
	const json_t *i;
	size_t n;

	(void)printf("%s\n", plugin_text(row, "hook"));
	json_array_foreach(json_object_get(row, "instances"), n, i)
		(void)printf("  %2zu %-20s %s\n", n + 1,
		    plugin_text(i, "instance"), plugin_text(i, "why"));
	json_array_foreach(json_object_get(row, "muted"), n, i)
		(void)printf("   - %-20s muted: nothing to do there\n",
		    json_string_value(i));
}
