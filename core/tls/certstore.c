#include "tls/certstore.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"
#include "tls/certlist.h"
#include "tls/certstore_priv.h"

#define CERTSTORE_MAGIC 0x63657274
#define LIST_MAX 10000

struct list {
	struct certstore_entry *v;
	unsigned n, cap;
};

static int take_uses(struct certstore *, struct str, const char *,
    struct err *);
static int find_outside(const struct certstore *, struct certstore_entry *);
static int pair(const char *, const char *, struct err *);
static int list_own(struct certstore *, struct list *, struct err *);
static int list_outside(struct certstore *, struct list *, struct err *);
static int list_add(struct certstore *, struct list *, const char *,
    struct err *);
static int by_name(const void *, const void *);

int
certstore_open(struct certstore **cs_r, const char *dir,
    const struct certlist *list, struct err *why)
{
	struct pool *pool = pool_new(0);
	struct certstore *cs = POOL_NEW(pool, struct certstore);
	size_t n = strlen(dir);

	/* With a slash behind it a link would be followed. */
	while (n > 1 && dir[n - 1] == '/')
		n--;
	cs->magic = CERTSTORE_MAGIC;
	cs->pool = pool;
	cs->dir = cs->at = pool_strndup(pool, dir, n);
	cs->list = list;
	if (certstore_guard(cs->dir, S_IFDIR, why) != 0 ||
	    certstore_read_uses(cs, why) != 0) {
		certstore_close(&cs);
		return -1;
	}
	*cs_r = cs;
	return 0;
}

void
certstore_close(struct certstore **csp)
{
	struct pool *pool;

	if (*csp == NULL)
		return;
	OBJ_CHECK(*csp, CERTSTORE_MAGIC);
	pool = (*csp)->pool;
	(*csp)->magic = 0;
	*csp = NULL;
	pool_destroy(&pool);
}

const char *
certstore_dir(const struct certstore *cs)
{
	return cs->dir;
}

int
certstore_find(struct certstore *cs, const char *name, const char **chain_r,
    const char **key_r, struct err *why)
{
	struct certstore_entry e;

	if (certstore_entry(cs, name, &e, why) != 0)
		return -1;
	*chain_r = e.chain;
	*key_r = e.key;
	return 0;
}

const char *
certstore_assigned(const struct certstore *cs, const char *use, unsigned i)
{
	unsigned k;

	for (k = 0; k < cs->nrow; k++) {
		if (strcmp(cs->row[k].use, use) == 0 && i-- == 0)
			return cs->row[k].name;
	}
	return NULL;
}

bool
certstore_use(const struct certstore *cs, unsigned i, const char **use_r,
    const char **name_r)
{
	if (i >= cs->nrow)
		return false;
	*use_r = cs->row[i].use;
	*name_r = cs->row[i].name;
	return true;
}

bool
certstore_is_default(const char *name)
{
	return strcmp(name, CERTSTORE_DEFAULT) == 0 ||
	    strcmp(name, CERTSTORE_DEFAULT_EC) == 0;
}

int
certstore_list(struct certstore *cs, struct certstore_entry **v_r,
    unsigned *n_r, struct err *why)
{
	struct list own = { NULL, 0, 0 }, all;

	if (list_own(cs, &own, why) != 0)
		return -1;
	if (own.n > 1)
		qsort(own.v, own.n, sizeof(*own.v), by_name);
	all = own;
	if (cs->list != NULL && list_outside(cs, &all, why) != 0)
		return -1;
	if (all.n - own.n > 1)
		qsort(all.v + own.n, all.n - own.n, sizeof(*all.v), by_name);
	*v_r = all.v;
	*n_r = all.n;
	return 0;
}

int
certstore_entry(struct certstore *cs, const char *name,
    struct certstore_entry *e_r, struct err *why)
{
	struct certstore_entry e = { .name = pool_strdup(cs->pool, name) };
	const char *folder;
	int r;

	if (certstore_check_name(name, why) != 0)
		return -1;
	folder = certstore_folder(cs, name);
	e.chain = pool_printf(cs->pool, "%s/cert.pem", folder);
	e.key = pool_printf(cs->pool, "%s/key.pem", folder);
	r = pair(e.chain, e.key, why);
	if (r == 0) {
		r = find_outside(cs, &e);
		if (r == 0)
			return err_text(why, "there is no certificate \"%s\" "
			    "in %s", name, cs->dir);
	} else if (r == 1) {
		if (certstore_guard(folder, S_IFDIR, why) != 0 ||
		    certstore_guard(e.key, S_IFREG, why) != 0)
			return -1;
		e.csr = pool_printf(cs->pool, "%s/csr.pem", folder);
		r = certstore_has(e.csr, why);
		if (r == 0)
			e.csr = NULL;
		while (r >= 0 && certstore_has(certstore_version_path(cs, name,
					     e.versions + 1), NULL) == 1)
			e.versions++;
	}
	if (r < 0)
		return -1;
	*e_r = e;
	return 0;
}

const char *
certstore_version_path(struct certstore *cs, const char *name,
    unsigned version)
{
	return pool_printf(cs->pool, "%s/old/%u.pem",
	    certstore_folder(cs, name), version);
}

int
certstore_check_name(const char *name, struct err *why)
{
	size_t i, n = strlen(name);

	if (n == 0 || n > CERTSTORE_NAME_MAX)
		return err_text(why, "a certificate's name has 1 to %d octets",
		    CERTSTORE_NAME_MAX);
	for (i = 0; i < n; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return err_text(why, "a certificate's name has no "
			    "control characters");
	}
	if (!utf8_valid(str_c(name)))
		return err_text(why, "a certificate's name is in UTF-8");
	if (name[0] == ' ' || name[n - 1] == ' ')
		return err_text(why, "a certificate's name neither begins nor "
		    "ends with a blank");
	return 0;
}

const char *
certstore_ca_path(const struct certstore *cs)
{
	return pool_printf(cs->pool, "%s/ca.pem", cs->at);
}

/* What a file name forbids, what means something there, our own files. */
const char *
certstore_folder(struct certstore *cs, const char *name)
{
	bool ours = strcmp(name, "assign") == 0 || strcmp(name, "ca.pem") == 0;
	char *text = pool_alloc(cs->pool, 3 * strlen(name) + 1), *p = text;
	const char *s;

	for (s = name; *s != '\0'; s++) {
		if (*s == '/' || *s == '%' || (s == name && *s == '.') ||
		    (s == name && ours))
			p += snprintf(p, 4, "%%%02X", (unsigned char)*s);
		else
			*p++ = *s;
	}
	*p = '\0';
	return pool_printf(cs->pool, "%s/%s", cs->at, text);
}

const char *
certstore_decode(struct certstore *cs, const char *file)
{
	char *name = pool_strdup(cs->pool, file), *to = name, hex[3] = "";
	const char *s, *again;

	if (file[0] == '.' || strlen(file) > 3 * CERTSTORE_NAME_MAX)
		return NULL;
	for (s = file; *s != '\0'; s++) {
		if (*s != '%' || s[1] == '\0' || s[2] == '\0') {
			*to++ = *s;
			continue;
		}
		hex[0] = s[1];
		hex[1] = s[2];
		*to++ = (char)strtoul(hex, NULL, 16);
		s += 2;
	}
	*to = '\0';
	if (certstore_check_name(name, NULL) != 0)
		return NULL;
	/* One name, one file name. */
	again = certstore_folder(cs, name);
	return strcmp(again + strlen(cs->at) + 1, file) == 0 ? name : NULL;
}

int
certstore_read_uses(struct certstore *cs, struct err *why)
{
	const char *path = pool_printf(cs->pool, "%s/assign", cs->at);
	struct buf text;
	int r;

	cs->row = NULL;
	cs->nrow = 0;
	r = certstore_has(path, why);
	if (r <= 0)
		return r;
	buf_init(&text, CERTSTORE_FILE_MAX);
	r = file_read(&text, path, why);
	if (r == 0)
		r = take_uses(cs, buf_str(&text), path, why);
	buf_fini(&text);
	return r;
}

int
certstore_has(const char *path, struct err *why)
{
	if (access(path, F_OK) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_errno(why, "%s", path);
}

int
certstore_guard(const char *path, mode_t type, struct err *why)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return certstore_guard_stat(path, &st, type, why);
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_errno(why, "%s", path);
}

int
certstore_guard_stat(const char *path, const struct stat *st, mode_t type,
    struct err *why)
{
	if (S_ISLNK(st->st_mode))
		return err_text(why, "%s: a symbolic link has no place in the "
		    "certificate store", path);
	return file_guard(path, st, type, why);
}

static int
take_uses(struct certstore *cs, struct str text, const char *path,
    struct err *why)
{
	struct str line, use, name;
	unsigned n = 0, cap = 0;

	for (size_t i = 0; i < text.n; i++)
		cap += text.p[i] == '\n';
	cs->row = pool_alloc(cs->pool, (cap + 1) * sizeof(*cs->row));
	while (str_split(&text, '\n', &line)) {
		n++;
		if (line.n == 0)
			continue;
		if (!str_split(&line, '\t', &use) || use.n == 0 ||
		    line.n == 0 || cs->nrow > cap)
			return err_text(why, "%s:%u: not a use, a tab and a "
			    "certificate's name", path, n);
		name = line;
		cs->row[cs->nrow].use = pool_strndup(cs->pool, use.p, use.n);
		cs->row[cs->nrow].name = pool_strndup(cs->pool, name.p, name.n);
		if (certstore_check_name(cs->row[cs->nrow].name, why) != 0)
			return err_prefix(why, "%s:%u: ", path, n);
		cs->nrow++;
	}
	return 0;
}

/* 1: a plugin has it. */
static int
find_outside(const struct certstore *cs, struct certstore_entry *e)
{
	const struct certlist_row *row = certlist_find(cs->list, e->name);

	if (row == NULL)
		return 0;
	e->directory = certlist_origin(cs->list, row);
	e->chain = row->chain;
	e->key = row->key;
	return 1;
}

/* 1: both are there. */
static int
pair(const char *chain, const char *key, struct err *why)
{
	int r = certstore_has(chain, why);

	return r == 1 ? certstore_has(key, why) : r;
}

static int
list_own(struct certstore *cs, struct list *l, struct err *why)
{
	const struct dirent *d;
	const char *name;
	DIR *dir;
	int r = 0;

	dir = opendir(cs->dir);
	if (dir == NULL)
		return errno == ENOENT ? 0 : err_errno(why, "%s", cs->dir);
	while (r == 0 && (d = readdir(dir)) != NULL) {
		name = certstore_decode(cs, d->d_name);
		if (name == NULL)
			continue;
		if (certstore_has(pool_printf(cs->pool, "%s/%s/cert.pem",
				      cs->dir, d->d_name), NULL) == 1)
			r = list_add(cs, l, name, why);
	}
	(void)closedir(dir);
	return r;
}

static int
list_outside(struct certstore *cs, struct list *l, struct err *why)
{
	const struct certlist_row *row;
	struct certstore_entry e;
	struct err no = ERR_INIT;
	unsigned i;

	for (i = 0; i < cs->list->nrow; i++) {
		row = &cs->list->row[i];
		/* The one that is found by that name. */
		if (certlist_find(cs->list, row->name) != row ||
		    certstore_entry(cs, row->name, &e, &no) != 0 ||
		    e.directory == NULL)
			continue;
		if (list_add(cs, l, row->name, why) != 0)
			return -1;
	}
	return 0;
}

static int
list_add(struct certstore *cs, struct list *l, const char *name,
    struct err *why)
{
	struct certstore_entry *v;

	if (l->n == LIST_MAX)
		return err_text(why, "%s: more than %d certificates", cs->dir,
		    LIST_MAX);
	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 16 : 2 * l->cap;
		v = pool_alloc(cs->pool, l->cap * sizeof(*v));
		if (l->n > 0)
			memcpy(v, l->v, l->n * sizeof(*v));
		l->v = v;
	}
	if (certstore_entry(cs, name, &l->v[l->n], why) != 0)
		return -1;
	l->n++;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct certstore_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}
