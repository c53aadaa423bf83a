/*
 * `postern plugin new`: the template of the SDK with a name filled in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "cli/cli.h"
#include "cli/cli_plugin.h"

#define NAME "NAME" /* stands for it, in names of files too */
#define NAME_LONGEST 64
#define FILE_LARGEST (1024 * 1024)

struct making {
	const char *name, *from, *to;
	bool write; /* else it is looked whether it could be */
	unsigned n;
};

static int	check_name(const char *, struct err *);
static void	is_taken(void *, const char *);
static int	each_file(struct making *, struct err *);
static int	one_file(struct making *, const char *, struct err *);
static int	fill(const struct making *, const char *, const char *,
		    struct err *);
static void	replace(struct buf *, struct str, const char *);

int
plugin_new(struct plugin_cli *c)
{
	const char *from = getenv("POSTERN_TEMPLATE");
	struct making m = { .name = c->arg[0], .from = from != NULL ? from :
	    POSTERN_DATADIR "/template",
		.to = c->narg > 1 ? c->arg[1] : c->arg[0] };
	struct err why = ERR_INIT;

	if (check_name(m.name, &why) != 0 || each_file(&m, &why) != 0)
		return cli_fail("plugin new: %s", why.text);
	if (m.n == 0)
		return cli_fail("plugin new: there is no template in %s",
		    m.from);
	m.write = true;
	if (file_mkdirs(m.to, 0777, &why) != 0 || each_file(&m, &why) != 0)
		return cli_fail("plugin new: %s", why.text);
	(void)printf("%s: %s.c, its test %s.stub, Makefile, README.md\n"
	    "Next: cd %s && make check\n", m.to, m.name, m.name, m.to);
	return CLI_OK;
}

/* It becomes a part of C names, and that of a file. */
static int
check_name(const char *name, struct err *why)
{
	const char *taken = name;
	size_t i;

	for (i = 0; ch_alnum(name[i]) || name[i] == '_';)
		i++;
	if (i == 0 || name[i] != '\0' || !ch_alpha(name[0]) ||
	    i > NAME_LONGEST)
		return err_text(why, "\"%.80s\" is no name: letters, digits "
		    "and _, a letter first, %d at most", name, NAME_LONGEST);
	host_names(NULL, is_taken, &taken);
	if (taken == NULL)
		return err_text(why, "%s is part of Postern already", name);
	return 0;
}

static void
is_taken(void *arg, const char *name)
{
	const char **taken = arg;

	if (*taken != NULL && strcmp(*taken, name) == 0)
		*taken = NULL;
}

static int
each_file(struct making *m, struct err *why)
{
	const struct dirent *d;
	DIR *dir = opendir(m->from);
	int r = 0;

	if (dir == NULL)
		return err_errno(why, "%s", m->from);
	m->n = 0;
	while (r == 0 && (d = readdir(dir)) != NULL) {
		if (d->d_name[0] != '.')
			r = one_file(m, d->d_name, why);
	}
	(void)closedir(dir);
	return r;
}

static int
one_file(struct making *m, const char *name, struct err *why)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;
	struct buf b;
	int n, r = 0;

	buf_init(&b, sizeof(to));
	replace(&b, str_c(name), m->name);
	n = snprintf(to, sizeof(to), "%s/%s", m->to, buf_p(&b));
	buf_fini(&b);
	if (n < 0 || (size_t)n >= sizeof(to) ||
	    (size_t)snprintf(from, sizeof(from), "%s/%s", m->from, name) >=
		sizeof(from))
		return err_text(why, "%.60s...: too long", m->to);
	if (stat(from, &st) != 0)
		return err_errno(why, "%s", from);
	if (!S_ISREG(st.st_mode))
		return 0;
	m->n++;
	if (m->write)
		r = fill(m, from, to, why);
	else if (lstat(to, &st) == 0)
		r = err_text(why, "%s is there already", to);
	return r;
}

static int
fill(const struct making *m, const char *from, const char *to,
    struct err *why)
{
	struct buf in, out;
	int fd, r;

	buf_init(&in, FILE_LARGEST);
	buf_init(&out, 4 * FILE_LARGEST);
	r = file_read(&in, from, why);
	if (r == 0) {
		replace(&out, buf_str(&in), m->name);
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd == -1 || sys_write_all(fd, buf_p(&out),
		    buf_len(&out)) != 0)
			r = err_errno(why, "%s", to);
		file_close(&fd);
	}
	buf_fini(&in);
	buf_fini(&out);
	return r;
}

static void
replace(struct buf *dst, struct str text, const char *name)
{
	const char *at;

	while ((at = memmem(text.p, text.n, NAME, strlen(NAME))) != NULL) {
		(void)buf_add(dst, text.p, (size_t)(at - text.p));
		(void)buf_add_c(dst, name);
		at += strlen(NAME);
		text = str_n(at, text.n - (size_t)(at - text.p));
	}
	(void)buf_add(dst, text.p, text.n);
}
