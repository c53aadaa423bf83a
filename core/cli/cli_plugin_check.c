/*
 * `postern plugin check`: plugins loaded, each in a process of its own.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_plugin.h"
#include "daemon/plugcheck.h"

struct checked {
	struct plugin_cli *c;
	json_t *rows;
	unsigned faults;
};

static void	check_boot(struct checked *);
static bool	seen_before(const struct conf *, unsigned);
static void	check_word(struct checked *, const char *);
static void	check_one(struct checked *, const struct host_find *);
static void	fault(struct checked *, json_t *, const struct err *);
static void	show(const json_t *);

int
plugin_check(struct plugin_cli *c)
{
	struct checked k = { .c = c };
	struct err why = ERR_INIT;
	const json_t *row;
	size_t n;
	int i;

	if (plugin_boot(c, c->narg == 0, c->narg == 0, &why) != 0)
		return cli_fail("%s", why.text);
	k.rows = json_array();
	for (i = 0; i < c->narg; i++)
		check_word(&k, c->arg[i]);
	if (c->narg == 0)
		check_boot(&k);
	if (c->json) {
		(void)plugin_print_json(k.rows);
		return k.faults == 0 ? CLI_OK : CLI_FAILED;
	}
	json_array_foreach(k.rows, n, row)
		show(row);
	if (n == 0)
		(void)printf("%s: no plugins\n", c->file);
	json_decref(k.rows);
	return k.faults == 0 ? CLI_OK : CLI_FAILED;
}

/* Each file, then all together with their options and their order. */
static void
check_boot(struct checked *k)
{
	const struct conf *conf = k->c->conf;
	struct err why = ERR_INIT;
	struct host_find f = { .dirs = k->c->dirs };
	unsigned i;

	for (i = 0; i < conf->nplugin; i++) {
		f.name = conf->plugin[i].plugin;
		if (!seen_before(conf, i))
			check_one(k, &f);
	}
	if (k->faults == 0 && plugcheck(conf, epoch_reader(k->c->epoch),
	    &k->c->privs, false, &why) != 0)
		fault(k, json_pack("{s:s}", "file", k->c->file), &why);
}

static bool
seen_before(const struct conf *conf, unsigned i)
{
	unsigned n;

	for (n = 0; n < i; n++) {
		if (strcmp(conf->plugin[n].plugin, conf->plugin[i].plugin) ==
		    0)
			return true;
	}
	return false;
}

static void
check_word(struct checked *k, const char *word)
{
	struct err why = ERR_INIT;
	struct host_find f;

	if (plugin_find(k->c, word, &f, &why) != 0)
		fault(k, json_pack("{s:s}", "plugin", word), &why);
	else
		check_one(k, &f);
}

static void
check_one(struct checked *k, const struct host_find *f)
{
	struct err why = ERR_INIT;
	struct plugapart p;
	const char *where;
	char symbol[128];
	json_t *j, *row;

	(void)snprintf(symbol, sizeof(symbol), "%s_LTX_postern_plugin",
	    f->name);
	j = plugin_ask(k->c, f, &p, &where, &why);
	row = json_pack("{s:s, s:s?, s:s}", "plugin", f->name, "file",
	    where[0] != '\0' ? where : NULL, "symbol", symbol);
	if (j == NULL && p.signal != 0)
		(void)json_object_set_new(row, "signal",
		    json_integer(p.signal));
	plugapart_fini(&p);
	if (j == NULL) {
		fault(k, row, &why);
		return;
	}
	(void)json_object_set_new(row, "ok", json_true());
	(void)json_object_set(row, "file", json_object_get(j, "file"));
	(void)json_object_set(row, "version", json_object_get(j, "version"));
	(void)json_object_set(row, "warnings", json_object_get(j, "warnings"));
	(void)json_array_append_new(k->rows, row);
	json_decref(j);
}

static void
fault(struct checked *k, json_t *row, const struct err *why)
{
	(void)json_object_set_new(row, "ok", json_false());
	(void)json_object_set_new(row, "reason", json_string(why->text));
	(void)json_array_append_new(k->rows, row);
	k->faults++;
}

static void
show(const json_t *row)
{
	const char *name = plugin_text(row, "plugin");
	const char *file = plugin_text(row, "file");
	const char *reason = plugin_text(row, "reason");
	const json_t *w;
	size_t i;

	if (!json_is_true(json_object_get(row, "ok"))) {
		(void)printf("fault    ");
		if (name[0] != '\0')
			(void)printf("%s: ", name);
		if (file[0] != '\0' && strstr(reason, file) == NULL)
			(void)printf("%s: ", file);
		plugin_print(reason);
		(void)printf("\n");
		return;
	}
	(void)printf("ok       %s ", name);
	plugin_print(plugin_text(row, "version"));
	(void)printf(" (%s)\n", file[0] != '\0' ? file :
	    "part of the program");
	json_array_foreach(json_object_get(row, "warnings"), i, w) {
		(void)printf("warning  %s: %s ", name, file);
		plugin_print(json_string_value(w));
		(void)printf("\n");
	}
}
