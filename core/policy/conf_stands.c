/*
 * Blocks that stand for plugins: the short way to write what most have.
 */
#include "policy/conf_priv.h"

static int line_of(const struct conf_block *blocks, enum conf_scope_id id);
static void stands_log(struct conf *c, int line);

void
conf_stands(struct conf *c, const struct conf_block *blocks)
{
	stands_log(c, line_of(blocks, CONF_SCOPE_LOG));
}

static int
line_of(const struct conf_block *blocks, enum conf_scope_id id)
{
	for (; blocks != NULL; blocks = blocks->next) {
		if (blocks->scope == &conf_scopes[id])
			return blocks->line;
	}
	return 0;
}

static void
stands_log(struct conf *c, int line)
{
	struct conf_plugin *p;

	if (c->log.file[0] != '\0') {
		p = conf_stands_for(c, "log_mail", "log.file", "log", line);
		conf_stands_text(c, p, "file", c->log.file);
	}
	if (c->log.json[0] != '\0') {
		p = conf_stands_for(c, "log_json", "log.json", "log", line);
		conf_stands_text(c, p, "file", c->log.json);
	}
	if (c->log.syslog) {
		p = conf_stands_for(c, "log_syslog", "log.syslog", "log",
		    line);
		conf_stands_text(c, p, "ident", c->log.ident);
	}
}
