#include "daemon/plugcheck.h"

#include "daemon/logs.h"
#include "daemon/plugapart.h"
#include "host/host.h"
#include "trial/policytest.h"

struct checking {
	const struct conf *conf;
	const struct conf_reader *reader;
	bool logs;
};

static int	load_all(void *, int, struct err *);
static void	say_loads(void *, const char *);

int
plugcheck(const struct conf *conf, const struct conf_reader *reader,
    const struct privs *privs, bool logs, struct err *why)
{
	struct checking c = { conf, reader, logs };
	struct plugapart p;
	int r;

	if (conf->nplugin == 0)
		return 0;
	r = plugapart_run(&p, privs, load_all, &c, why);
	if (p.died)
		(void)err_prefix(why, "%s:%.*s: ", conf->file,
		    STR_FMT(plugapart_last(&p)));
	plugapart_fini(&p);
	return r;
}

/* Says the place of each plugin before it is touched. */
static int
load_all(void *arg, int says, struct err *why)
{
	const struct checking *c = arg;
	struct host_world world = { .hostname = c->conf->top.hostname,
		.loads = say_loads, .loads_arg = &says };
	struct host_gen *g;

	world.loop = loop_new();
	if (host_load(host_new(&world), c->conf, c->reader, &g, why) != 0)
		return -1;
	if (c->logs && logs_try(g, why) != 0)
		return err_prefix(why, "%s: ", c->conf->file);
	return policytest_all(c->conf, why);
}

static void
say_loads(void *arg, const char *what)
{
	const int *says = arg;

	plugapart_say(*says, str_c(what));
}
