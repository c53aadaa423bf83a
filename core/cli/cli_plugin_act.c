/*
 * `postern plugin restart` and `reset`: what the running relay is told.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/cli_plugin.h"
#include "cli/config.h"

struct told {
	bool json;
	unsigned rows;
};

static int	tell(struct plugin_cli *, json_t *);
static void	on_line(void *, const char *, const json_t *, int);

int
plugin_restart(struct plugin_cli *c)
{
	return tell(c, json_pack("{s:s}", "verb", "roll"));
}

int
plugin_reset(struct plugin_cli *c)
{
	json_t *request = json_pack("{s:s, s:s}", "verb", "plugin.reset",
	    "instance", c->arg[0]);

	if (request == NULL)
		return cli_fail("that cannot be a name");
	return tell(c, request);
}

static int
tell(struct plugin_cli *c, json_t *request)
{
	struct told told = { .json = c->json };
	struct err why = ERR_INIT;
	char *run = NULL;
	int r;

	r = ask_run_dir(c->file, &run, &why);
	if (r == 0)
		r = ask(run, ASK_PATIENTLY, request, on_line, &told, &why);
	else
		json_decref(request);
	mem_free(run);
	if (r == 0 && c->json)
		config_rows_end(told.rows);
	return r == 0 ? CLI_OK : cli_fail("%s", why.text);
}

/* How far it is. */
static void
on_line(void *arg, const char *from, const json_t *line, int last)
{
	struct told *t = arg;

	(void)from;
	if (last != 0)
		return;
	if (t->json) {
		config_row(&t->rows, json_pack("{s:I}", "worker",
		    json_integer_value(json_object_get(line, "worker"))));
		return;
	}
	(void)printf("worker %" JSON_INTEGER_FORMAT " is new\n",
	    json_integer_value(json_object_get(line, "worker")));
	(void)fflush(stdout);
}
