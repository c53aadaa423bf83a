/*
 * The plugin host: files loaded, instances made from the configuration.
 *
 * A process has one host. A plugin's code is loaded once and stays (nothing is
 * ever unloaded); a configuration's plugin blocks make a generation of
 * instances, each with its options, its storage and its place in the chains. A
 * generation is counted: sessions and deliveries that began under it keep it,
 * and when the last lets go, its instances' stop hooks run.
 *
 * Loading (host/load): libltdl with a loader of our own, RTLD_NOW|RTLD_LOCAL,
 * absolute paths below plugin_dirs, files of root or our user that nobody else
 * can write, in folders of the same kind; plugins that are part of the program
 * (host_builtin()) are found first. The descriptor's name, magic, sizes and ABI
 * are looked at before anything in it is used.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include <postern/plugin.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/shm.h"
#include "net/dns.h"
#include "net/loop.h"
#include "policy/conf.h"

struct host;
struct host_gen;
struct instance;
struct http;
struct http_client;

/* An alert on its way to the sinks; copied by who takes it. */
struct host_alert {
	const char *severity, *category, *key, *text, *detail;
};

/* What a trial replaces: how the world outside is reached. */
struct host_net {
	struct dns_query *(*dns)(struct dns *d, const char *name,
	    enum dns_type type, dns_fn *fn, void *arg);
	void (*dns_cancel)(struct dns_query **qp);
	/* host/http.h; c: the host's own, whoever answers */
	struct http *(*http)(struct http_client *c,
	    const struct pst_http *q, void (*fn)(void *arg,
		const struct pst_result *r), void *arg);
	void (*http_cancel)(struct http **hp);
	/* http is asked for the values of these tables as well: method
	 * LOOKUP, content_type the table, body the key; no instance is. NULL:
	 * there are none such. */
	bool (*table)(const char *name);
};

struct host_world {
	struct loop *loop;
	struct dns *dns;	    /* NULL: no names are resolved */
	struct shm *shm;	    /* NULL: nothing is counted */
	unsigned worker;
	const char *hostname;
	const struct host_net *net; /* NULL: the real one */
	void (*alert)(void *arg, const struct host_alert *a); /* or NULL */
	void *arg;
	/* For a process that may die of it: "LINE: plugin "x" (FILE)" before
	 * anything of it is touched. Or NULL. */
	void (*loads)(void *arg, const char *what);
	void *loads_arg;
};

/* Plugins that are part of the program; before host_new(), ends with NULL. */
void host_builtin(const struct pst_plugin *const *v);
bool host_has_builtin(const char *plugin);

struct host *host_new(const struct host_world *w);
/* Every generation must be gone or have been stopped. */
void host_destroy(struct host **hp);

/*
 * The instances of conf's plugin blocks: files loaded, options read (errors
 * name file and line of the setting), chains ordered. Nothing is started.
 * *g_r has one reference.
 */
int host_load(struct host *h, const struct conf *conf,
    const struct conf_reader *reader, struct host_gen **g_r, struct err *why);
/* Runs the start hooks, one instance after another; done(NULL) or why from
 * the loop. On failure those that were started are stopped. */
typedef void host_started(void *arg, const struct err *why);
void host_start(struct host_gen *g, host_started *done, void *arg);
/* Nobody wants to know any more: done() is not called, what was started is
 * stopped. Nothing if it is not starting. */
void host_start_cancel(struct host_gen *g);
struct host_gen *host_gen_ref(struct host_gen *g);
void host_gen_unref(struct host_gen **gp);

struct instance *instance_find(const struct host_gen *g, const char *name);
const char *instance_name(const struct instance *i);
const char *instance_plugin(const struct instance *i);

/* For `postern plugin` and status: one JSON object per instance (instance,
 * plugin, version, file, builtin, hooks, changed: the file differs from what
 * was loaded) and per hook (hook, instances, why each stands where it does). */
typedef void host_row_fn(void *arg, struct str json);
void host_list(struct host_gen *g, host_row_fn *fn, void *arg);
void host_order(struct host_gen *g, host_row_fn *fn, void *arg);

/* A plugin to look at, without an instance of it. */
struct host_find {
	const char *name;
	const char *file;	 /* absolute; NULL: part of the program, or */
	const char *const *dirs; /* NULL at the end */
};
/* Its file, "" if it is part of the program. */
int host_file(const struct host_find *f, char *path, size_t n,
    struct err *why);
/* One JSON object of what it says of itself: plugin, version, summary,
 * license, abi, file, builtin, symbol, hooks, operations, options (name, type,
 * default, range, help), warnings. Loads it. */
int host_describe(struct host *h, const struct host_find *f, host_row_fn *fn,
    void *arg, struct err *why);
/* The names of those that could be loaded. */
void host_names(const char *const *dirs, void (*fn)(void *arg,
    const char *name), void *arg);
/* Is there a hook or operation of that name? If not, *nearest_r may be what
 * was meant, or NULL. */
bool host_hook(const char *word, const char **nearest_r);
/* Where in a plugin, for the flight recorder's `where`. */
const char *host_where(unsigned where);

/* BoringSSL's names come from BoringSSL, and no plugin took one over. */
int host_self_check(struct err *why);

#endif
