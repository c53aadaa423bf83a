/*
 * Plugins as files: libltdl with a loader of our own.
 *
 * The stock one opens lazily, so that a missing function would end the process
 * in the middle of a message, and loses the linker's words. Ours opens at once
 * and keeps them; it looks at owner and mode of the very file that is opened,
 * which for a .la of a build tree is another than the one named. Only absolute
 * paths are used, and nothing is ever closed.
 */
#include "host/host_priv.h"

#include <dlfcn.h>
#include <limits.h>
#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/obj.h"
#include "host/exports.h"
#include "tls/tlsctx.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define DEEPBIND 0 /* the sanitizers' own allocator would be passed by */
#else
#define DEEPBIND RTLD_DEEPBIND
#endif

#define LOADER "postern"

/* The loader's data: the call that is on its way. */
struct opening {
	char *file; /* what was opened in the end */
	bool deepbind;
	struct err why;
	lt_dlvtable *stock; /* what ours stands in place of */
};

static void	announce(const struct host *, const struct conf_plugin *,
		    const char *);
static struct opening *loader(struct err *);
static lt_module open_now(lt_user_data, const char *, lt_dladvise);
static int	close_never(lt_user_data, lt_module);
static void	*find_symbol(lt_user_data, lt_module, const char *);
static int	trusted(const char *, struct err *);
static int	trusted_stat(const char *, const struct stat *, struct err *);
static const struct pst_plugin *open_file(struct host *, struct module *,
		    const char *, bool, struct err *);
static void	warn_of_names(const struct module *);
static struct module *module_new(struct host *, const char *);

const struct module *
load_plugin(struct host *h, const struct conf_plugin *block,
    const char *const *dirs, struct err *why)
{
	const char *name = block->plugin;
	const struct module *loaded;
	char path[PATH_MAX];
	struct module *m;

	for (m = h->modules; m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0) {
			announce(h, block, m->file);
			return m;
		}
	}
	if (host_builtin_find(name) != NULL) {
		announce(h, block, NULL);
		return load_module(h, name, NULL, false, why);
	}
	if (load_find(name, dirs, path, sizeof(path), why) != 0)
		return NULL;
	announce(h, block, path);
	loaded = load_module(h, name, path, block->deepbind, why);
	if (loaded != NULL)
		warn_of_names(loaded);
	return loaded;
}

const struct module *
load_module(struct host *h, const char *name, const char *path, bool deepbind,
    struct err *why)
{
	struct module *m = module_new(h, name);
	const struct pst_plugin *p = host_builtin_find(name);

	if (path != NULL) {
		p = open_file(h, m, path, deepbind, why);
		if (p == NULL) {
			(void)err_prefix(why, "plugin \"%s\": ", name);
			return NULL;
		}
	}
	m->abi = abi_find(h->abi, p, name, why);
	if (m->abi != NULL)
		m->plugin = m->abi->read(h->pool, p, name, why);
	if (m->plugin == NULL) {
		if (m->file != NULL)
			(void)err_prefix(why, "%s: ", m->file);
		return NULL;
	}
	m->found = p;
	m->next = h->modules;
	h->modules = m;
	return m;
}

static void
announce(const struct host *h, const struct conf_plugin *block,
    const char *file)
{
	struct pool *pool;

	if (h->world.loads == NULL)
		return;
	pool = pool_new(0);
	h->world.loads(h->world.loads_arg, pool_printf(pool,
	    "%d: plugin \"%s\" (%s)", block->line, block->name,
	    file != NULL ? file : "part of the program"));
	pool_destroy(&pool);
}

static struct module *
module_new(struct host *h, const char *name)
{
	struct module *m = POOL_NEW(h->pool, struct module);

	OBJ_INIT(m, MODULE_MAGIC);
	m->name = pool_strdup(h->pool, name);
	return m;
}

/* NAME.so, or the NAME.la that a build tree has. */
int
load_find(const char *name, const char *const *dirs, char *path, size_t n,
    struct err *why)
{
	static const char *const ends[] = { "so", "la" };
	struct buf looked;
	const char *dir;
	size_t i;
	int r;

	buf_init(&looked, 4096);
	for (; *dirs != NULL; dirs++) {
		dir = *dirs;
		(void)buf_printf(&looked, "%s%s",
		    buf_len(&looked) > 0 ? ", " : "", dir);
		for (i = 0; i < 2; i++) {
			r = snprintf(path, n, "%s/%s.%s", dir, name, ends[i]);
			if (r > 0 && (size_t)r < n && access(path, F_OK) == 0) {
				buf_fini(&looked);
				return 0;
			}
		}
	}
	r = err_text(why, "plugin \"%s\": there is no %s.so in %.300s", name,
	    name, buf_len(&looked) > 0 ? buf_p(&looked) : "any plugin_dirs");
	buf_fini(&looked);
	return r;
}

static const struct pst_plugin *
open_file(struct host *h, struct module *m, const char *path, bool deepbind,
    struct err *why)
{
	struct opening *o = loader(why);
	const struct pst_plugin *p;
	lt_dlhandle handle;
	char symbol[128];
	struct stat st;

	if (o == NULL || trusted(path, why) != 0)
		return NULL;
	err_clear(&o->why);
	mem_free(o->file);
	o->file = NULL;
	/* A shared BoringSSL would answer for the OpenSSL it brings along. */
	o->deepbind = deepbind || strcmp(POSTERN_BORINGSSL_KIND, "shared") == 0;
	handle = lt_dlopen(path);
	if (handle == NULL) {
		(void)err_text(why, "%s", o->why.text[0] != '\0' ?
		    o->why.text : lt_dlerror());
		if (strstr(why->text, path) == NULL)
			(void)err_prefix(why, "%s: ", path);
		return NULL;
	}
	(void)lt_dlmakeresident(handle);
	m->file = pool_strdup(h->pool, o->file != NULL ? o->file : path);
	if (stat(m->file, &st) == 0) {
		m->dev = st.st_dev;
		m->ino = st.st_ino;
		m->size = st.st_size;
		m->mtime = st.st_mtim;
	}
	(void)snprintf(symbol, sizeof(symbol), "%s_LTX_postern_plugin",
	    m->name);
	p = lt_dlsym(handle, symbol);
	if (p == NULL) {
		(void)err_text(why, "%s: no symbol %s: this is no plugin of "
		    "Postern's, or the file was renamed", m->file, symbol);
		return NULL;
	}
	if (host_self_check(why) != 0) {
		(void)err_prefix(why, "%s: ", m->file);
		return NULL;
	}
	return p;
}

int
host_self_check(struct err *why)
{
	return tls_self_check(why);
}

/* One that has a TLS library inside should keep its names to itself. */
static void
warn_of_names(const struct module *m)
{
	struct exports e;

	exports_look(&e, m->found, m->name);
	if (e.tls > 0)
		log_warning("plugin \"%s\": %s exports %s of a TLS library; "
		    "link it with -Wl,--exclude-libs,ALL", m->name, m->file,
		    e.tls_names);
}

bool
load_changed(const struct module *m)
{
	struct stat st;

	if (m->file == NULL)
		return false;
	return stat(m->file, &st) != 0 || st.st_dev != m->dev ||
	    st.st_ino != m->ino || st.st_size != m->size ||
	    st.st_mtim.tv_sec != m->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != m->mtime.tv_nsec;
}

/* Puts it into libltdl's list the first time. */
static struct opening *
loader(struct err *why)
{
	/* libltdl has one list for the process, in memory of a malloc() that
	 * need not be ours: a sanitizer linked into the program has another,
	 * and sees no memory of ours that only that list points to. */
	static struct opening o;
	static lt_dlvtable vt = {
		.name = LOADER,
		.module_open = open_now,
		.module_close = close_never,
		.find_sym = find_symbol,
		.dlloader_data = &o,
		.priority = LT_DLLOADER_APPEND,
	};

	(void)unsetenv("LTDL_LIBRARY_PATH");
	(void)unsetenv("LD_LIBRARY_PATH");
	if (lt_dlinit() != 0) {
		(void)err_text(why, "libltdl: %s", lt_dlerror());
		return NULL;
	}
	if (lt_dlloader_find(LOADER) != NULL)
		return &o;
	o.stock = lt_dlloader_remove("lt_dlopen");
	if (lt_dlloader_add(&vt) != 0) {
		(void)err_text(why, "libltdl: %s", lt_dlerror());
		return NULL;
	}
	return &o;
}

static lt_module
open_now(lt_user_data data, const char *file, lt_dladvise advise)
{
	struct opening *o = data;
	int flags = RTLD_NOW | RTLD_LOCAL | (o->deepbind ? DEEPBIND : 0);
	struct err first = o->why;
	lt_module m;

	(void)advise;
	if (file == NULL || file[0] != '/')
		return NULL; /* libltdl's own search: not ours */
	m = trusted(file, &o->why) == 0 ? dlopen(file, flags) : NULL;
	if (m == NULL && o->why.text[0] == '\0')
		(void)err_text(&o->why, "%s", dlerror());
	/* Of the places that a .la stands for the first one is meant. */
	if (m == NULL && first.text[0] != '\0')
		o->why = first;
	mem_free(o->file);
	o->file = mem_strdup(file);
	return m;
}

static int
close_never(lt_user_data data, lt_module m)
{
	(void)data;
	(void)m;
	return 0;
}

static void *
find_symbol(lt_user_data data, lt_module m, const char *symbol)
{
	(void)data;
	return dlsym(m, symbol);
}

/* The file, and each folder on the way to it and to what it is a link to. */
static int
trusted(const char *file, struct err *why)
{
	char real[PATH_MAX], dir[PATH_MAX], *slash;
	struct stat st;

	if (realpath(file, real) == NULL || stat(real, &st) != 0)
		return err_errno(why, "%s", file);
	if (!S_ISREG(st.st_mode))
		return err_text(why, "%s is no file", file);
	if (trusted_stat(real, &st, why) != 0)
		return -1;
	(void)str_copy(dir, sizeof(dir), str_c(file));
	for (slash = strrchr(dir, '/'); slash != NULL;
	     slash = strrchr(dir, '/')) {
		*slash = '\0';
		if (stat(dir[0] == '\0' ? "/" : dir, &st) != 0)
			return err_errno(why, "%s", dir);
		if (trusted_stat(dir[0] == '\0' ? "/" : dir, &st, why) != 0)
			return -1;
	}
	for (slash = strrchr(real, '/'); slash != NULL;
	     slash = strrchr(real, '/')) {
		*slash = '\0';
		if (real[0] != '\0' && (stat(real, &st) != 0 ||
		    trusted_stat(real, &st, why) != 0))
			return -1;
	}
	return 0;
}

/* In a folder with the sticky bit nobody else can put another in its place. */
static int
trusted_stat(const char *path, const struct stat *st, struct err *why)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_text(why, "%s belongs to user %u, neither to root "
		    "nor to us", path, (unsigned)st->st_uid);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    !(S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0))
		return err_text(why, "%s can be written by others (mode %o)",
		    path, (unsigned)st->st_mode & 07777);
	return 0;
}
