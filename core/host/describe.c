/*
 * What a plugin says of itself, as JSON, without an instance.
 */
#include "host/host_priv.h"

#include <dirent.h>

#include "base/obj.h"
#include "host/exports.h"
#include "host/option.h"

static json_t	*described(const struct module *);
static json_t	*words(const struct module *, bool);
static json_t	*options(const struct pst_plugin *);
static json_t	*warnings(const struct module *);

int
host_file(const struct host_find *f, char *path, size_t n, struct err *why)
{
	if (f->file != NULL)
		return str_copy(path, n, str_c(f->file)) ? 0 :
		    err_text(why, "%.60s...: too long", f->file);
	path[0] = '\0';
	if (host_builtin_find(f->name) != NULL)
		return 0;
	return load_find(f->name, f->dirs, path, n, why);
}

int
host_describe(struct host *h, const struct host_find *f, host_row_fn *fn,
    void *arg, struct err *why)
{
	const struct module *m;
	char path[4096];

	OBJ_CHECK(h, HOST_MAGIC);
	if (host_file(f, path, sizeof(path), why) != 0)
		return -1;
	m = load_module(h, f->name, path[0] != '\0' ? path : NULL, false, why);
	if (m == NULL)
		return -1;
	if (list_row(fn, arg, described(m)) != 0)
		return err_text(why, "plugin \"%s\": what it says of itself is "
		    "not UTF-8, or too long", f->name);
	return 0;
}

static json_t *
described(const struct module *m)
{
	const struct pst_plugin *p = m->plugin;
	char abi[32], symbol[128];

	(void)snprintf(abi, sizeof(abi), "%u.%u", p->abi_major, p->abi_need);
	(void)snprintf(symbol, sizeof(symbol), "%s_LTX_postern_plugin",
	    m->name);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:b, s:s, s:o, s:o, "
	    "s:o, s:o}", "plugin", m->name, "version", p->version, "summary",
	    p->summary, "license", p->license, "abi", abi, "file", m->file,
	    "builtin", (int)(m->file == NULL), "symbol", symbol, "hooks",
	    words(m, false), "operations", words(m, true), "options",
	    options(p), "warnings", warnings(m));
}

/* An operation is "interface/1.word". */
static json_t *
words(const struct module *m, bool operations)
{
	const struct pst_hook *h = m->plugin->hooks;
	json_t *v = json_array();

	for (; h != NULL && h->on != NULL; h++) {
		if ((strchr(h->on, '/') != NULL) == operations)
			(void)json_array_append_new(v, json_string(h->on));
	}
	return v;
}

static json_t *
options(const struct pst_plugin *p)
{
	const struct pst_option *o = p->options;
	json_t *v = json_array();

	for (; o != NULL && o->name != NULL; o++)
		(void)json_array_append_new(v, json_pack(
		    "{s:s, s:s, s:s?, s:s?, s:s}", "name", o->name, "type",
		    option_word(o->type), "default", o->dflt, "range",
		    o->range, "help", o->help != NULL ? o->help : ""));
	return v;
}

static json_t *
warnings(const struct module *m)
{
	json_t *v = json_array();
	struct exports e;
	char text[256];

	if (m->file == NULL)
		return v;
	exports_look(&e, m->found, m->name);
	if (e.tls > 0) {
		(void)snprintf(text, sizeof(text), "exports %s of a TLS "
		    "library; link it with -Wl,--exclude-libs,ALL",
		    e.tls_names);
		(void)json_array_append_new(v, json_string(text));
	}
	if (e.others > 0) {
		(void)snprintf(text, sizeof(text), "exports %s besides its "
		    "descriptor; make them static, or compile with "
		    "-fvisibility=hidden", e.other_names);
		(void)json_array_append_new(v, json_string(text));
	}
	return v;
}

void
host_names(const char *const *dirs, void (*fn)(void *arg, const char *name),
    void *arg)
{
	const struct dirent *d;
	const char *dot;
	char name[256];
	DIR *dir;

	builtin_names(fn, arg);
	for (; dirs != NULL && *dirs != NULL; dirs++) {
		dir = opendir(*dirs);
		while (dir != NULL && (d = readdir(dir)) != NULL) {
			dot = strrchr(d->d_name, '.');
			if (dot == NULL || dot == d->d_name ||
			    (strcmp(dot, ".so") != 0 &&
				strcmp(dot, ".la") != 0))
				continue;
			(void)str_copy(name, sizeof(name),
			    str_n(d->d_name, (size_t)(dot - d->d_name)));
			fn(arg, name);
		}
		if (dir != NULL)
			(void)closedir(dir);
	}
}

bool
host_hook(const char *word, const char **nearest_r)
{
	*nearest_r = NULL;
	if (on_find(word) != -1)
		return true;
	*nearest_r = on_nearest(word);
	return false;
}
