#include "logs_util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/scratch.h"
#include "daemon/logs.h"
#include "unit.h"

#define BUILTIN(name) extern const struct pst_plugin name##_LTX_postern_plugin;
#include "tbl/builtins.h"
#undef BUILTIN

static const struct pst_plugin *const builtins[] = {
#define BUILTIN(name) &name##_LTX_postern_plugin,
#include "tbl/builtins.h"
#undef BUILTIN
	NULL
};

struct logs_conf logs_conf;

void
logs_open_conf(void)
{
	struct err why = ERR_INIT;
	struct conf *c = NULL;
	char text[2000];

	(void)snprintf(text, sizeof(text), "log { file = \"%s\", json = "
	    "\"%s\" }\n%s", logs_conf.file, logs_conf.json, logs_conf.plugins);
	ck_assert_msg(conf_parse(&c, "/test.lua", str_c(text),
	    &conf_reader_plain, &why) == 0, "%s", why.text);
	ck_assert_msg(logs_open(c, &conf_reader_plain, false, &why) == 0,
	    "%s", why.text);
	conf_unref(&c);
}

void
logs_begin(void)
{
	host_builtin(builtins);
	(void)scratch();
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	clock_fake(1523926673123);
	memset(&logs_conf, 0, sizeof(logs_conf));
	logs_conf.file = logs_conf.json = "";
}

void
logs_end(void)
{
	logs_close();
	scratch_remove();
}
