/*
 * Private to core/host: what is loaded and made (host, load, instance,
 * options, order) and what is run on it (hooks, event, request, facts, api).
 */
#ifndef HOST_HOST_PRIV_H
#define HOST_HOST_PRIV_H

#include "host/host.h"

#include <jansson.h>
#include <sys/types.h>

#include "base/pool.h"
#include "host/abi.h"
#include "host/hooks.h"
#include "host/scope.h"

#define HOST_MAGIC 0x4057e401u
#define HOST_GEN_MAGIC 0x4057e402u
#define INSTANCE_MAGIC 0x4057e403u
#define MODULE_MAGIC 0x4057e404u

/*
 * What a plugin may have a function for. A hook's number is that of enum hook.
 */
enum on {
#define HOOK(id, word, verdicts, help) ON_##id,
#include "tbl/hooks.h"
#undef HOOK
#define OP(id, word, wait, help) ON_##id,
#include "tbl/ops.h"
#undef OP
	ON_START,
	ON_STOP,
	ON_COUNT
};

/* In the flight recorder, beside those. */
enum { WHERE_TASK = ON_COUNT, WHERE_CLEANUP, WHERE_THREAD };
_Static_assert(WHERE_THREAD < 256, "an octet of the flight recorder");

const char *on_word(enum on on);
int on_find(const char *word); /* -1: there is none */
/* What was meant, or NULL. */
const char *on_nearest(const char *word);
/* May PST_WAIT be said? */
bool on_waits(enum on on);

/* Code: a file that was loaded, or a part of the program. Stays. */
struct module {
	unsigned magic;
	const char *name;
	const char *file; /* NULL: part of the program */
	const struct abi *abi;		 /* that it was built for */
	const struct pst_plugin *plugin; /* a copy: abi->read() */
	const struct pst_plugin *found;	 /* where it was found */
	/* of the file when it was loaded */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct module *next;
};

struct host {
	unsigned magic;
	struct host_world world;
	const struct abi *abi; /* those served: abi_served */
	struct pool *pool;
	struct module *modules;
	struct host_gen *gens; /* those that are not gone */
	bool reaping;	       /* some of them will be, soon */
	struct engine *engine; /* of engine_init() */
};

/* What a plugin block comes to. Texts are of the generation's pool. */
struct instance {
	unsigned magic;
	struct host_gen *gen;
	unsigned index;			/* in gen->instance */
	/* What a call looks at stands together. */
	const char *name;
	const void *api;		/* module->abi->api */
	void *conf;			/* options, of the scope, or NULL */
	struct instance_run *run;	/* of engine_instance() */
	uint64_t generation;		/* of the configuration */
	pst_fn *fn[ON_COUNT];		/* NULL: it has none */
	const struct module *module;
	const struct pst_plugin *plugin; /* module->plugin */
	const struct conf_plugin *block; /* a copy, without items */
	bool looks_on; /* its verdicts at hooks do not count */
	msec timeout;			/* of one of its hooks */
	bool started;			/* "start" said yes: "stop" runs */
	struct scope *scope;		/* PST_INSTANCE */
};

/* Calls of a function that are not in shared memory yet: the quick ones, all
 * of the lowest bucket. */
struct call_stat {
	uint32_t n;
	int id; /* shm_named_get() + 1; 0: not asked, -1: no room */
	uint64_t ticks;
};

/* An instance in a hook's chain: what its call looks at, in one line of the
 * cache. A message has some hundred of these calls. */
struct seat {
	pst_fn *fn;
	struct instance *inst;
	void *conf;
	const char *name;
	const void *api;
	struct call_stat stat;
	uint32_t who; /* in the flight recorder */
};

/* Instances that have a function for it, in order; behind the n that are asked
 * those that do not want to be (pst_mute()). */
struct chain {
	struct instance **v;
	const char **why; /* why it stands where it does */
	struct seat *seat; /* as v; of hooks only */
	unsigned n, muted;
};

struct host_gen {
	unsigned magic;
	unsigned refs;
	struct host *host;
	struct pool *pool;
	struct instance **instance; /* in the order of the blocks */
	unsigned ninstance;
	bool left_out; /* somebody is, see instance_leave_out() */
	struct chain chain[ON_COUNT];
	struct host_gen *next; /* of host->gens */
	struct starting *starting; /* of host_start() */
};

/* ---- What runs (event.c and its like) ----------------------------------- */

/* What the host needs to call plugins: h->engine. */
void engine_init(struct host *h);
void engine_fini(struct host *h);
/* A new instance, nothing called yet: i->run. */
void engine_instance(struct instance *i);
/* Its events are cancelled, its tasks ended, its scope as well. Called after
 * "stop" ran, or if it was never started. */
void engine_instance_end(struct instance *i);
/* What operations gave is gone: whoever asked them has returned. */
void engine_clean(struct host *h);
/* For the flight recorder, see SHM_WHO(); 0: it has no number. */
uint32_t instance_who(const struct instance *i, unsigned where);
/* It crashed too often: none of its functions is called. */
bool instance_tripped(const struct instance *i);
/* From now on for its whole life: it was not started. */
void instance_leave_out(struct instance *i);
/* "start" and "stop" are asked like operations: op_ask(i, PST_ON_START, …),
 * op_now(i, PST_ON_STOP, …); see host/hooks.h. */

/* ---- What is loaded ------------------------------------------------------ */

/* builtin.c: one that is part of the program, or NULL. */
const struct pst_plugin *host_builtin_find(const char *name);
void builtin_names(void (*fn)(void *arg, const char *name), void *arg);

/* load.c: the plugin that block names, loaded if it is not; NULL: why. dirs
 * ends with NULL. */
const struct module *load_plugin(struct host *h,
    const struct conf_plugin *block, const char *const *dirs,
    struct err *why);
/* NAME.so, or the NAME.la that a build tree has, in one of dirs. */
int load_find(const char *name, const char *const *dirs, char *path, size_t n,
    struct err *why);
/* What is at path, or part of the program (NULL). */
const struct module *load_module(struct host *h, const char *name,
    const char *path, bool deepbind, struct err *why);
/* The file is another one than was loaded. */
bool load_changed(const struct module *m);

/* list.c: tells j, and drops it; -1: a text in it is not UTF-8. */
int list_row(host_row_fn *fn, void *arg, json_t *j);

/* descriptor.c: sizes, name, hooks and option table of what says to be plugin
 * name. Returns a copy of our sizes, hooks and options included (NULL where it
 * has none), whatever those of its minor are; NULL: why. */
abi_read descriptor_read;

/* options.c: the block's items into i->conf. */
int options_read(struct instance *i, const struct conf *conf,
    const struct conf_plugin *block, const struct conf_reader *reader,
    struct err *why);

/* order.c: fills g->chain. */
int order_make(struct host_gen *g, const struct conf *conf, struct err *why);
/* From now on it is not asked. Only while it starts: nobody else is asked
 * anything then. */
void order_mute(struct instance *i, enum hook h);
/* The seats are those of c->v from now on; nobody was asked yet. */
void order_seats(struct chain *c, enum on on);
bool order_muted(const struct instance *i, enum hook h);

/* instance.c */
int instance_new(struct host_gen *g, const struct conf *conf,
    const struct conf_plugin *block, const struct conf_reader *reader,
    struct err *why);
void instance_end(struct instance *i);

#endif
