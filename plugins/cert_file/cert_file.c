/*
 * cert_file: certificates in directories, as ACME clients leave them.
 *
 *	DIR/NAME/fullchain.pem, DIR/NAME/privkey.pem	(certbot)
 *	DIR/NAME.crt, DIR/NAME.key			(lego)
 *
 * A pair that is not complete is none yet; what cannot be looked at is an
 * error, so that a certificate does not vanish with a right to read.
 */
#include <postern/cert_store.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct conf {
	const char *const *directories;
};

static const struct pst_option options[] = {
	PST_LIST(struct conf, directories, NULL,
	    "directories of certificates, absolute paths"),
	PST_END
};

enum found { NONE, FOUND, BROKEN };

static const char *
check(const void *arg)
{
	const struct conf *c = arg;
	const char *const *d;

	for (d = c->directories; *d != NULL; d++) {
		if ((*d)[0] != '/')
			return "directories are absolute paths";
	}
	return c->directories[0] == NULL ? "directories is empty" : NULL;
}

static enum pst_verdict
broken(struct pst_event *ev, const char *path)
{
	return pst_tempfail(ev, 451, "4.3.0", "%s: %s", path,
	    strerror(errno));
}

/* Writes the path; NONE: there is no such file. */
static enum found
there(struct pst_event *ev, char *path, const char *dir, const char *name,
    const char *end)
{
	int n = snprintf(path, PATH_MAX, "%s/%s%s", dir, name, end);

	if (n < 0 || n >= PATH_MAX)
		return NONE;
	if (access(path, F_OK) == 0)
		return FOUND;
	if (errno == ENOENT || errno == ENOTDIR)
		return NONE;
	(void)broken(ev, path);
	return BROKEN;
}

static enum found
add(struct pst_event *ev, const char *dir, const char *name,
    const char *chain_end, const char *key_end)
{
	struct pst_cert_list *list = ev->arg;
	char chain[PATH_MAX], key[PATH_MAX];
	struct pst_cert cert = { .size = sizeof(cert), .name = name,
		.chain_file = chain, .key_file = key };
	enum found f;

	f = there(ev, chain, dir, name, chain_end);
	if (f == FOUND)
		f = there(ev, key, dir, name, key_end);
	if (f == FOUND)
		(void)list->add(list, &cert);
	return f;
}

/* A folder is watched too: a pair may come into it. */
static enum found
entry(struct pst_event *ev, const char *dir, const char *file)
{
	struct pst_cert_list *list = ev->arg;
	char path[PATH_MAX], name[NAME_MAX + 1];
	size_t n = strlen(file);
	struct stat st;
	enum found f;

	if (file[0] == '.')
		return NONE;
	f = add(ev, dir, file, "/fullchain.pem", "/privkey.pem");
	if (snprintf(path, sizeof(path), "%s/%s", dir, file) <
		(int)sizeof(path) &&
	    stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		(void)list->watch(list, path);
	if (f != NONE || n < 5 || n > NAME_MAX ||
	    strcmp(file + n - 4, ".crt") != 0)
		return f;
	memcpy(name, file, n - 4);
	name[n - 4] = '\0';
	return add(ev, dir, name, ".crt", ".key");
}

static enum pst_verdict
directory(struct pst_event *ev, const char *path)
{
	struct pst_cert_list *list = ev->arg;
	enum found f = NONE;
	const struct dirent *d;
	DIR *dir;

	(void)list->watch(list, path);
	dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT ? PST_CONTINUE : broken(ev, path);
	while (f != BROKEN && (d = readdir(dir)) != NULL)
		f = entry(ev, path, d->d_name);
	(void)closedir(dir);
	return f == BROKEN ? PST_TEMPFAIL : PST_CONTINUE;
}

static enum pst_verdict
on_list(struct pst_event *ev)
{
	const struct conf *c = ev->conf;
	enum pst_verdict v = PST_CONTINUE;
	const char *const *d;

	for (d = c->directories; v == PST_CONTINUE && *d != NULL; d++)
		v = directory(ev, *d);
	return v;
}

static const struct pst_hook hooks[] = {
	PST_HOOK(PST_CERT_STORE_LIST, on_list),
	PST_END
};

PST_PLUGIN(cert_file, .version = "1.0",
	   .summary = "Certificates in directories (certbot, lego)",
	   .license = "BSD-2-Clause", .hooks = hooks,
	   .options = options, .conf_size = sizeof(struct conf),
	   .check = check);
