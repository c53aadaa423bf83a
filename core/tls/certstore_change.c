#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/mem.h>

#include "base/file.h"
#include "base/sys.h"
#include "tls/certmake.h"
#include "tls/certstore_priv.h"

#define DEFAULT_DAYS 3652

/* Leftovers of a process that was ended in between. */
#define NEW_PREFIX ".new-"
#define GONE_PREFIX ".gone-"

static int begin(struct certstore *, int *, struct err *);
static int end(struct certstore *, int *, int, struct err *);
static int lock_dir(const char *, int *, struct err *);
static void sweep(struct certstore *);
static void remove_folder(const char *);
static int put(const char *, struct str, mode_t, struct err *);
static int write_uses(struct certstore *, const struct certstore_row *,
    unsigned, struct err *);
static int make_missing(struct certstore *, const char *, const char *,
    enum certmake_type, bool *, struct err *);
static int own_entry(struct certstore *, const char *,
    struct certstore_entry *, struct err *);

int
certstore_make_default(struct certstore *cs, const char *hostname, bool rsa,
    bool *made_r, struct err *why)
{
	*made_r = false;
	if (make_missing(cs, CERTSTORE_DEFAULT_EC, hostname, CERTMAKE_EC,
		made_r, why) != 0)
		return -1;
	return rsa ? make_missing(cs, CERTSTORE_DEFAULT, hostname,
	    CERTMAKE_RSA, made_r, why) : 0;
}

/* The folder is filled beside its place and renamed into it. */
int
certstore_add(struct certstore *cs, const char *name, struct str chain,
    struct str key, struct str csr, struct err *why)
{
	const char *beside, *folder;
	int lock, r, has;

	if (certstore_check_name(name, why) != 0 || begin(cs, &lock, why) != 0)
		return -1;
	folder = certstore_folder(cs, name);
	beside = pool_printf(cs->pool, "%s/" NEW_PREFIX "%ld", cs->at,
	    (long)getpid());
	has = certstore_has(folder, why);
	r = has == 0 ? 0 : -1;
	if (has == 1)
		(void)err_text(why, "there is already a certificate \"%s\"",
		    name);
	if (r == 0 && mkdir(beside, 0700) != 0)
		r = err_errno(why, "%s: mkdir", beside);
	if (r == 0)
		r = put(pool_printf(cs->pool, "%s/key.pem", beside), key,
		    0600, why);
	if (r == 0 && csr.n > 0)
		r = put(pool_printf(cs->pool, "%s/csr.pem", beside), csr,
		    0644, why);
	if (r == 0)
		r = put(pool_printf(cs->pool, "%s/cert.pem", beside),
		    chain, 0644, why);
	if (r == 0 && sys_rename(beside, folder) != 0)
		r = err_errno(why, "%s: rename", folder);
	if (r != 0 && has == 0)
		remove_folder(beside);
	if (r == 0)
		r = file_sync_dir(cs->at, why);
	return end(cs, &lock, r, why);
}

/* The old chain is copied before the new one takes its place. */
int
certstore_set_chain(struct certstore *cs, const char *name, struct str chain,
    unsigned *version_r, struct err *why)
{
	struct certstore_entry e;
	const char *old;
	struct buf b;
	int lock, r;

	if (begin(cs, &lock, why) != 0)
		return -1;
	buf_init(&b, CERTSTORE_FILE_MAX);
	r = own_entry(cs, name, &e, why);
	if (r == 0)
		r = file_read(&b, e.chain, why);
	if (r == 0) {
		old = pool_printf(cs->pool, "%s/old",
		    certstore_folder(cs, name));
		r = file_mkdirs(old, 0700, why);
	}
	if (r == 0)
		r = put(certstore_version_path(cs, name, e.versions + 1),
		    buf_str(&b), 0644, why);
	if (r == 0)
		r = put(e.chain, chain, 0644, why);
	if (r == 0)
		*version_r = e.versions + 1;
	buf_fini(&b);
	return end(cs, &lock, r, why);
}

int
certstore_set_csr(struct certstore *cs, const char *name, struct str csr,
    struct err *why)
{
	struct certstore_entry e;
	int lock, r;

	if (begin(cs, &lock, why) != 0)
		return -1;
	r = own_entry(cs, name, &e, why);
	if (r == 0)
		r = put(pool_printf(cs->pool, "%s/csr.pem",
			certstore_folder(cs, name)), csr, 0644, why);
	return end(cs, &lock, r, why);
}

/* Its uses would be lost between two renames, so there must be none. */
int
certstore_rename(struct certstore *cs, const char *name, const char *to,
    struct err *why)
{
	struct certstore_entry e;
	int lock, r, has;
	unsigned i;

	if (certstore_check_name(to, why) != 0 || begin(cs, &lock, why) != 0)
		return -1;
	r = own_entry(cs, name, &e, why);
	for (i = 0; r == 0 && i < cs->nrow; i++) {
		if (strcmp(cs->row[i].name, name) == 0)
			r = err_text(why, "\"%s\" is in use by %s", name,
			    cs->row[i].use);
	}
	if (r == 0) {
		has = certstore_has(certstore_folder(cs, to), why);
		r = has == 0 ? 0 : -1;
		if (has == 1)
			(void)err_text(why, "there is already a certificate "
			    "\"%s\"", to);
	}
	if (r == 0 && sys_rename(certstore_folder(cs, name),
			  certstore_folder(cs, to)) != 0)
		r = err_errno(why, "%s: rename", certstore_folder(cs, to));
	if (r == 0)
		r = file_sync_dir(cs->at, why);
	return end(cs, &lock, r, why);
}

int
certstore_delete(struct certstore *cs, const char *name, struct err *why)
{
	struct certstore_entry e;
	const char *gone;
	int lock, r;
	unsigned i;

	if (begin(cs, &lock, why) != 0)
		return -1;
	r = own_entry(cs, name, &e, why);
	for (i = 0; r == 0 && i < cs->nrow; i++) {
		if (strcmp(cs->row[i].name, name) == 0)
			r = err_text(why, "\"%s\" is in use by %s", name,
			    cs->row[i].use);
	}
	gone = pool_printf(cs->pool, "%s/" GONE_PREFIX "%ld", cs->at,
	    (long)getpid());
	if (r == 0 && sys_rename(certstore_folder(cs, name), gone) != 0)
		r = err_errno(why, "%s: rename", certstore_folder(cs, name));
	if (r == 0) {
		r = file_sync_dir(cs->at, why);
		remove_folder(gone);
	}
	return end(cs, &lock, r, why);
}

int
certstore_assign(struct certstore *cs, const char *use, const char *name,
    bool first, struct err *why)
{
	struct certstore_entry e;
	struct certstore_row *v;
	unsigned i, n = 0;
	int lock, r;

	if (use[0] == '\0' || strpbrk(use, "\t\r\n") != NULL ||
	    strlen(use) > 512)
		return err_text(why, "\"%.60s\" is no use", use);
	if (begin(cs, &lock, why) != 0)
		return -1;
	r = certstore_entry(cs, name, &e, why);
	v = pool_alloc(cs->pool, (cs->nrow + 1) * sizeof(*v));
	if (first) {
		v[n].use = use;
		v[n++].name = name;
	}
	for (i = 0; i < cs->nrow; i++) {
		if (strcmp(cs->row[i].use, use) != 0 ||
		    strcmp(cs->row[i].name, name) != 0)
			v[n++] = cs->row[i];
	}
	if (!first) {
		v[n].use = use;
		v[n++].name = name;
	}
	if (r == 0)
		r = write_uses(cs, v, n, why);
	return end(cs, &lock, r, why);
}

int
certstore_unassign(struct certstore *cs, const char *use, const char *name,
    struct err *why)
{
	struct certstore_row *v;
	unsigned i, n = 0;
	int lock, r;

	if (begin(cs, &lock, why) != 0)
		return -1;
	v = pool_alloc(cs->pool, (cs->nrow + 1) * sizeof(*v));
	for (i = 0; i < cs->nrow; i++) {
		if (strcmp(cs->row[i].use, use) != 0 ||
		    (name != NULL && strcmp(cs->row[i].name, name) != 0))
			v[n++] = cs->row[i];
	}
	if (n < cs->nrow)
		r = write_uses(cs, v, n, why);
	else if (name == NULL)
		r = err_text(why, "%s has no certificate", use);
	else
		r = err_text(why, "%s does not have \"%s\"", use, name);
	return end(cs, &lock, r, why);
}

int
certstore_set_ca(struct certstore *cs, struct str pem, struct err *why)
{
	int lock, r;

	if (begin(cs, &lock, why) != 0)
		return -1;
	if (pem.n > 0) {
		r = put(certstore_ca_path(cs), pem, 0644, why);
	} else {
		r = sys_unlink(certstore_ca_path(cs));
		if (r != 0 && errno == ENOENT)
			r = 0;
		else if (r != 0)
			r = err_errno(why, "%s", certstore_ca_path(cs));
		if (r == 0)
			r = file_sync_dir(cs->at, why);
	}
	return end(cs, &lock, r, why);
}

/*
 * Locks the store, which is made if need be, and reads its uses anew.
 *
 * The directory above may be the workers' (tls below the spool), who could put
 * another in the store's place meanwhile. So it is opened once and looked at,
 * and every file is reached through that descriptor: what is in a directory
 * that is ours alone nobody replaces.
 */
static int
begin(struct certstore *cs, int *fd_r, struct err *why)
{
	int fd = -1;

	if (certstore_has(cs->dir, NULL) != 1 &&
	    file_mkdirs(cs->dir, 0700, why) != 0)
		return -1;
	if (lock_dir(cs->dir, &fd, why) != 0) {
		file_close(&fd);
		return -1;
	}
	cs->at = pool_printf(cs->pool, "/proc/self/fd/%d", fd);
	if (certstore_read_uses(cs, why) != 0)
		return end(cs, &fd, -1, why);
	sweep(cs);
	*fd_r = fd;
	return 0;
}

static int
lock_dir(const char *dir, int *fd_r, struct err *why)
{
	struct stat st;
	int r;

	if (certstore_guard(dir, S_IFDIR, why) != 0)
		return -1;
	*fd_r = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd_r == -1 || fstat(*fd_r, &st) != 0)
		return err_errno(why, "%s", dir);
	if (certstore_guard_stat(dir, &st, S_IFDIR, why) != 0)
		return -1;
	do
		r = flock(*fd_r, LOCK_EX);
	while (r == -1 && errno == EINTR);
	return r == 0 ? 0 : err_errno(why, "%s: flock", dir);
}

/* Errors name the files as others know them. Returns r. */
static int
end(struct certstore *cs, int *fdp, int r, struct err *why)
{
	size_t n = strlen(cs->at);
	struct err said;
	char *p;

	if (r != 0 && why != NULL &&
	    (p = strstr(why->text, cs->at)) != NULL) {
		said = *why;
		(void)err_text(why, "%.*s%s%s", (int)(p - why->text),
		    said.text, cs->dir, said.text + (p - why->text) + n);
	}
	cs->at = cs->dir;
	file_close(fdp);
	return r;
}

/* Who holds the lock is the only one at work: what is begun is dead. */
static void
sweep(struct certstore *cs)
{
	DIR *dir = opendir(cs->at);
	const struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (strncmp(d->d_name, NEW_PREFIX, strlen(NEW_PREFIX)) == 0 ||
		    strncmp(d->d_name, GONE_PREFIX, strlen(GONE_PREFIX)) == 0)
			remove_folder(pool_printf(cs->pool, "%s/%s", cs->at,
			    d->d_name));
	}
	if (dir != NULL)
		(void)closedir(dir);
}

/* As far as it goes: what stays is swept another time. */
static void
remove_folder(const char *path)
{
	DIR *dir = opendir(path), *old;
	const struct dirent *d;
	int fd;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (strcmp(d->d_name, "old") != 0) {
			(void)unlinkat(dirfd(dir), d->d_name, 0);
			continue;
		}
		fd = openat(dirfd(dir), "old",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		old = fd == -1 ? NULL : fdopendir(fd);
		while (old != NULL && (d = readdir(old)) != NULL)
			(void)unlinkat(dirfd(old), d->d_name, 0);
		if (old != NULL)
			(void)closedir(old);
		(void)unlinkat(dirfd(dir), "old", AT_REMOVEDIR);
	}
	(void)closedir(dir);
	(void)rmdir(path);
}

static int
put(const char *path, struct str text, mode_t mode, struct err *why)
{
	return file_replace(path, text.p, text.n, mode, why);
}

static int
write_uses(struct certstore *cs, const struct certstore_row *row, unsigned n,
    struct err *why)
{
	struct buf text;
	unsigned i;
	int r = 0;

	buf_init(&text, CERTSTORE_FILE_MAX);
	for (i = 0; r == 0 && i < n; i++)
		r = buf_printf(&text, "%s\t%s\n", row[i].use, row[i].name);
	if (r != 0)
		r = err_text(why, "%s/assign: too many uses", cs->dir);
	else
		r = put(pool_printf(cs->pool, "%s/assign", cs->at),
		    buf_str(&text), 0644, why);
	buf_fini(&text);
	return r == 0 ? certstore_read_uses(cs, why) : r;
}

static int
make_missing(struct certstore *cs, const char *name, const char *hostname,
    enum certmake_type type, bool *made_r, struct err *why)
{
	struct buf key, cert;
	int r;

	r = certstore_has(pool_printf(cs->pool, "%s/cert.pem",
	    certstore_folder(cs, name)), why);
	if (r != 0)
		return r < 0 ? -1 : 0;
	buf_init(&key, CERTSTORE_FILE_MAX);
	buf_init(&cert, CERTSTORE_FILE_MAX);
	r = certmake_demo(hostname, type, DEFAULT_DAYS, &key, &cert, why);
	if (r == 0)
		r = certstore_add(cs, name, buf_str(&cert), buf_str(&key),
		    STR_NULL, why);
	OPENSSL_cleanse(buf_p(&key), buf_len(&key));
	buf_fini(&key);
	buf_fini(&cert);
	if (r != 0)
		return err_prefix(why, "%s: ", name);
	*made_r = true;
	return 0;
}

static int
own_entry(struct certstore *cs, const char *name, struct certstore_entry *e_r,
    struct err *why)
{
	if (certstore_entry(cs, name, e_r, why) != 0)
		return -1;
	if (e_r->directory != NULL)
		return err_text(why, "\"%s\" is in %s, which is not ours to "
		    "change", name, e_r->directory);
	return 0;
}
