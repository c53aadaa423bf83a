#include "cli/confcmd.h"

#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/config.h"

#define KEY_MAX 64

static const struct confcmd *command_of(const struct confcmd_tool *, char **,
    int);
static int run(const struct confcmd_tool *, const struct confcmd *, char **,
    int);
static const char *text_of(struct pool *, const struct conf_raw *);

int
confcmd_main(const struct confcmd_tool *t, int argc, char **argv)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "node", no_argument, NULL, 'N' },
		{ "compat", no_argument, NULL, 'C' }, /* the last */
		{ NULL, 0, NULL, 0 },
	};
	struct option options[sizeof(table) / sizeof(table[0])];
	const struct confcmd *cmd = NULL;
	const char *conf = CLI_CONF;
	struct err why = ERR_INIT;
	bool node = false;
	int c, r;

	memcpy(options, table, sizeof(table));
	if (t->compat == NULL)
		options[sizeof(table) / sizeof(table[0]) - 2].name = NULL;
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'C':
			*t->compat = true;
			break;
		case 'c':
			conf = optarg;
			break;
		case 'h':
			return t->usage(stdout, CLI_OK);
		case 'j':
			*t->json = true;
			break;
		case 'N':
			node = true;
			break;
		default:
			return t->usage(stderr, CLI_USAGE);
		}
	}
	argc -= optind;
	argv += optind;
	if (argc > 0 && (cmd = command_of(t, argv, argc - 1)) == NULL)
		return t->usage(stderr, CLI_USAGE);
	if (confedit_open(t->ce, conf, &why) != 0)
		return cli_fail("%s", why.text);
	confedit_scope(*t->ce, node);
	*t->pool = pool_new(0);
	r = cmd == NULL ? t->menu(t->of) : run(t, cmd, argv + 1, argc - 1);
	confedit_close(t->ce);
	pool_destroy(t->pool);
	return r;
}

/* n: words behind it. NULL: there is none that takes them. */
static const struct confcmd *
command_of(const struct confcmd_tool *t, char **argv, int n)
{
	const struct confcmd *cmd;

	for (cmd = t->commands; cmd < t->commands + t->ncommands; cmd++) {
		if (strcmp(argv[0], cmd->name) == 0)
			return n < cmd->least ||
			    (cmd->most >= 0 && n > cmd->most) ? NULL : cmd;
	}
	return NULL;
}

static int
run(const struct confcmd_tool *t, const struct confcmd *cmd, char **arg,
    int n)
{
	const struct confcmd_words w = { *t->ce, t->of, arg, n };
	struct err why = ERR_INIT;

	if (cmd->run(&w, &why) != 0 ||
	    (cmd->changes && confedit_save(*t->ce, &why) != 0))
		return cli_fail("%s", why.text);
	if (cmd->changes)
		config_hint(*t->ce, *t->json);
	return CLI_OK;
}

int
confcmd_pair(struct pool *pool, const char *word, const char **key_r,
    const char **value_r, struct err *why)
{
	const char *is = strchr(word, '=');

	if (is == NULL || is - word >= KEY_MAX)
		return err_text(why, "\"%.60s\" is not KEY=VALUE", word);
	*key_r = pool_strndup(pool, word, (size_t)(is - word));
	*value_r = is + 1;
	return 0;
}

int
confcmd_pairs(struct confedit *ce, char *const *arg, int n, const char *kind,
    const char *name, struct err *why)
{
	const char *key = "", *value = "";
	int i;

	for (i = 0; i < n; i++) {
		if (confcmd_pair(confedit_pool(ce), arg[i], &key, &value,
			why) != 0 ||
		    confedit_set(ce, kind, name, key, value, why) != 0)
			return -1;
	}
	return 0;
}

const char *
confcmd_now(struct confedit *ce, struct pool *pool, const char *kind,
    const char *name, const char *key)
{
	const struct conf_object *o = confedit_get(ce, kind, name);
	const struct conf_item *item = NULL;

	if (o != NULL)
		item = conf_object_get(o, key);
	if (item == NULL && (o = confedit_boot(ce, kind, name)) != NULL)
		item = conf_object_get(o, key);
	return item != NULL ? text_of(pool, item->value) : NULL;
}

static const char *
text_of_list(struct pool *pool, const struct conf_raw *raw)
{
	const char *text = "";
	unsigned i;

	for (i = 0; i < raw->n; i++)
		text = pool_printf(pool, "%s%s%s", text, i > 0 ? "," : "",
		    text_of(pool, raw->v[i]));
	return text;
}

static const char *
text_of(struct pool *pool, const struct conf_raw *raw)
{
	switch (raw->type) {
	case RAW_BOOL:
		return raw->b ? "true" : "false";
	case RAW_INT:
		return pool_printf(pool, "%lld", (long long)raw->i);
	case RAW_STRING:
		return pool_str(pool, raw->s).p;
	case RAW_LIST:
		return text_of_list(pool, raw);
	}
	panic("value of type %d", (int)raw->type);
}
