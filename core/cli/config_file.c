/*
 * `postern config save`, `load` and `edit`: the configuration as one text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "cli/certconfig.h"
#include "cli/config.h"
#include "cli/config_certs.h"

static void write_objects(struct confedit *ce, struct buf *dst);
static int read_input(const char *file, struct buf *dst, struct err *why);
static int run_editor(const char *path, struct err *why);
static int keep(const char *path, const struct err *why, struct err *out);

static void
write_objects(struct confedit *ce, struct buf *dst)
{
	const struct conf_object *const *v;
	unsigned i, n;

	v = confedit_all(ce, &n);
	for (i = 0; i < n; i++)
		conf_object_write(v[i], dst);
}

/* What is not committed is saved as well: it is what people see. */
int
config_save(struct confedit *ce, const char *file, const char *pass_file,
    struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	write_objects(ce, &text);
	r = config_certs_save(ce, pass_file, &text, why);
	if (r == 0 && buf_full(&text))
		r = err_text(why, "it has more than %d octets", CONF_OVER_MAX);
	if (r == 0)
		r = certconfig_write(file, buf_str(&text), true, why);
	buf_fini(&text);
	return r;
}

/* All is looked at before anything is changed; certificates that were added
 * go again when the rest fails. */
int
config_load(struct confedit *ce, const char *file, const char *pass_file,
    struct err *why)
{
	struct config_certs *certs = NULL;
	const char *name = strcmp(file, "-") == 0 ? "standard input" : file;
	struct buf text;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	r = read_input(file, &text, why);
	if (r == 0)
		r = confedit_replace(ce, name, buf_str(&text), why);
	if (r == 0)
		r = confedit_try(ce, why);
	if (r == 0)
		r = config_certs_load(&certs, ce, name, buf_str(&text),
		    pass_file, why);
	if (r == 0) {
		r = confedit_save(ce, why);
		if (r == 0)
			r = config_certs_use(certs, why);
		else
			config_certs_undo(certs);
	}
	config_certs_close(&certs);
	buf_fini(&text);
	return r;
}

static int
read_input(const char *file, struct buf *dst, struct err *why)
{
	char piece[16384];
	size_t n;

	if (strcmp(file, "-") != 0)
		return file_read(dst, file, why);
	while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0) {
		if (buf_add(dst, piece, n) != 0)
			return err_text(why, "standard input: too long");
	}
	return ferror(stdin) == 0 ? 0 : err_errno(why, "standard input");
}

/* Others may edit meanwhile: then nothing of it is taken, and the text stays
 * for who wrote it. */
int
config_edit(struct confedit *ce, bool *changed_r, struct err *why)
{
	uint64_t serial = confedit_serial(ce);
	char path[] = "/tmp/postern-config-XXXXXX";
	struct err said = ERR_INIT;
	struct buf before, after;
	int fd, r;

	*changed_r = false;
	buf_init(&before, CONF_OVER_MAX);
	buf_init(&after, CONF_OVER_MAX);
	write_objects(ce, &before);
	fd = mkstemp(path);
	r = fd == -1 ? err_errno(why, "%s", path) :
	    sys_write_all(fd, buf_p(&before), buf_len(&before)) != 0 ?
	    err_errno(why, "%s", path) : 0;
	file_close(&fd);
	if (r == 0)
		r = run_editor(path, why);
	if (r == 0)
		r = file_read(&after, path, why);
	if (r == 0 && !str_eq(buf_str(&before), buf_str(&after))) {
		r = confedit_refresh(ce, &said);
		if (r == 0 && confedit_serial(ce) != serial)
			r = err_text(&said, "somebody else has changed the "
			    "configuration meanwhile");
		if (r == 0)
			r = confedit_replace(ce, path, buf_str(&after), &said);
		if (r == 0)
			r = confedit_save(ce, &said);
		if (r != 0)
			r = keep(path, &said, why);
		else
			*changed_r = true;
	}
	if (r == 0)
		(void)unlink(path);
	buf_fini(&before);
	buf_fini(&after);
	return r;
}

static int
keep(const char *path, const struct err *why, struct err *out)
{
	return err_text(out, "%.300s; your text is in %s", why->text, path);
}

static int
run_editor(const char *path, struct err *why)
{
	const char *editor = getenv("VISUAL");
	int status;
	pid_t pid;

	if (editor == NULL || editor[0] == '\0')
		editor = getenv("EDITOR");
	if (editor == NULL || editor[0] == '\0')
		editor = "vi";
	pid = fork();
	if (pid == -1)
		return err_errno(why, "fork");
	if (pid == 0) {
		/* It may be a word with arguments. */
		(void)execl("/bin/sh", "sh", "-c", "exec $0 \"$1\"", editor,
		    path, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			return err_errno(why, "waitpid");
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 :
	    err_text(why, "%s has failed: nothing was changed", editor);
}
