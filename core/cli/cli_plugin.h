/*
 * `postern plugin`, a file for each of its commands.
 *
 * Plugins' code only ever runs in processes of their own (daemon/plugapart.h).
 */
#ifndef CLI_CLI_PLUGIN_H
#define CLI_CLI_PLUGIN_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/pool.h"
#include "daemon/epoch.h"
#include "daemon/plugapart.h"
#include "host/host.h"

struct plugin_cli {
	const char *file; /* boot file */
	bool given;	  /* it was named */
	bool json, mdoc;
	char **arg; /* behind the command; ends with NULL */
	int narg;
	/* of plugin_boot() */
	struct pool *pool;
	struct conf *conf; /* NULL: there is no boot file */
	struct epoch *epoch;
	struct privs privs;
	const char *const *dirs;
};

/* The boot file, and with files what it names. Without one, unless it must be
 * there: the directory of the shipped plugins. */
int plugin_boot(struct plugin_cli *c, bool files, bool must, struct err *why);

/* Each returns the exit status. */
int plugin_list(struct plugin_cli *c);
int plugin_order(struct plugin_cli *c);
int plugin_show(struct plugin_cli *c);
int plugin_check(struct plugin_cli *c);
int plugin_new(struct plugin_cli *c);
int plugin_restart(struct plugin_cli *c);
int plugin_reset(struct plugin_cli *c);

/* NAME, an instance's name, or a FILE: something with a slash or an end in
 * .so or .la. Texts are of c's pool. -1: unknown, and what is near. */
int plugin_find(struct plugin_cli *c, const char *word, struct host_find *f_r,
    struct err *why);
/* host_describe() in a process of its own; p as of plugapart_run(). NULL: why;
 * where: its file, or "". */
json_t *plugin_ask(struct plugin_cli *c, const struct host_find *f,
    struct plugapart *p, const char **where, struct err *why);
/* The options as a JSON schema of the plugin's block. */
json_t *plugin_schema(const json_t *described);

/* "a, b, c" on standard output; what plugins wrote does not drive the
 * terminal. */
void plugin_print_list(const json_t *words);
void plugin_print(const char *text);
const char *plugin_text(const json_t *row, const char *name); /* or "" */
int plugin_print_json(json_t *j); /* drops it; CLI_OK */

#endif
