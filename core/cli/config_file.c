/*
 * `postern config save`, `load` and `edit`: the configuration as one text.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"
#include "cli/certconfig.h"
#include "cli/confedit_priv.h"
#include "cli/config.h"
#include "cli/config_certs.h"
#include "cli/config_wait.h"

static void write_objects(struct confedit *ce, struct buf *dst);
/* Comments, which a text by hand need not have. */
#define SAVED_BEGIN_MARK "-- A saved configuration of Postern"
#define SAVED_END_MARK "-- The end of the saved configuration"
#define SAVED_BEGIN SAVED_BEGIN_MARK "\n"
#define SAVED_END SAVED_END_MARK "\n"

static int keep_loaded(struct confedit *ce, struct str rest, struct err *why);
static int check_whole(const char *name, struct str text, struct err *why);
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
		conf_object_save(v[i], dst);
}

/* What is not committed is saved as well: it is what people see. */
int
config_save(struct confedit *ce, const char *file, const char *pass_file,
    bool json, struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	(void)buf_add_c(&text, SAVED_BEGIN);
	write_objects(ce, &text);
	r = config_certs_save(ce, pass_file, &text, why);
	(void)buf_add_c(&text, SAVED_END);
	if (r == 0 && buf_full(&text))
		r = err_text(why, "it has more than %d octets", CONF_OVER_MAX);
	if (r == 0)
		r = config_export(file, buf_str(&text), true, json, why);
	buf_fini(&text);
	return r;
}

int
config_export(const char *file, struct str text, bool secret, bool json,
    struct err *why)
{
	if (json && (file == NULL || strcmp(file, "-") == 0)) {
		config_print(json_pack("{s:o}", "text",
		    json_stringn(text.p, text.n)));
		return 0;
	}
	if (certconfig_write(file, text, secret, why) != 0)
		return -1;
	if (json)
		config_print(json_pack("{s:s}", "file", file));
	return 0;
}

/* All is looked at before anything is changed; certificates that were added
 * go again when the rest fails. */
int
config_load(struct confedit *ce, const char *file, const char *pass_file,
    struct err *why)
{
	struct config_certs *certs = NULL;
	const char *name = strcmp(file, "-") == 0 ? "standard input" : file;
	struct buf text, rest;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	buf_init(&rest, CONF_OVER_MAX);
	r = read_input(file, &text, why);
	if (r == 0)
		r = check_whole(name, buf_str(&text), why);
	if (r == 0)
		r = confedit_replace(ce, name, buf_str(&text), why);
	if (r == 0)
		r = confedit_try(ce, why);
	if (r == 0)
		r = config_certs_load(&certs, ce, name, buf_str(&text),
		    pass_file, why);
	if (r == 0) {
		r = config_certs_rest(certs, &rest, why);
		if (r == 0)
			r = keep_loaded(ce, buf_str(&rest), why);
		if (r != 0)
			config_certs_undo(certs);
	}
	config_certs_close(&certs);
	buf_fini(&rest);
	buf_fini(&text);
	return r;
}

/* The objects are drafted, and what is said of certificates waits. */
static int
keep_loaded(struct confedit *ce, struct str rest, struct err *why)
{
	struct buf before;
	int r;

	buf_init(&before, CONF_OVER_MAX);
	r = config_wait_read(ce, &before, why);
	if (r == 0)
		r = confedit_need_store(ce, why);
	if (r == 0)
		r = config_wait_put(ce, rest, why);
	if (r == 0 && confedit_save(ce, why) != 0) {
		(void)config_wait_put(ce, buf_str(&before), NULL);
		r = -1;
	}
	buf_fini(&before);
	if (r == 0 && rest.n > 0)
		(void)fprintf(stderr, "Uses of certificates and roots wait "
		    "for the commit as well.\n");
	return r;
}

/* One that was saved has its end, wherever it was cut. */
static int
check_whole(const char *name, struct str text, struct err *why)
{
	struct str whole = text, line;
	unsigned lines = 0;

	while (whole.n > 0 && (unsigned char)whole.p[whole.n - 1] <= ' ')
		whole.n--;
	if (!str_istarts(whole, SAVED_BEGIN_MARK) ||
	    str_iends(whole, SAVED_END_MARK))
		return 0;
	while (str_split(&text, '\n', &line))
		lines++;
	return err_text(why, "%s:%u: the last line, \"" SAVED_END_MARK "\", is "
	    "missing: the file was cut", name, lines);
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
	const char *tmp = getenv("TMPDIR");
	char *path = pool_printf(confedit_pool(ce), "%s/postern-config-XXXXXX",
	    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	struct err said = ERR_INIT;
	struct buf before, after;
	bool made;
	int fd, r;

	*changed_r = false;
	buf_init(&before, CONF_OVER_MAX);
	buf_init(&after, CONF_OVER_MAX);
	write_objects(ce, &before);
	fd = mkstemp(path);
	r = fd == -1 ? err_errno(why, "%s", path) :
	    sys_write_all(fd, buf_p(&before), buf_len(&before)) != 0 ?
	    err_errno(why, "%s", path) : 0;
	made = fd != -1;
	file_close(&fd);
	if (r == 0)
		r = run_editor(path, why);
	if (r != 0 && made)
		(void)unlink(path);
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
	struct sigaction ignore = { .sa_handler = SIG_IGN }, intr, quit;
	const char *editor = getenv("VISUAL");
	int status, r = 0;
	pid_t pid;

	if (editor == NULL || editor[0] == '\0')
		editor = getenv("EDITOR");
	if (editor == NULL || editor[0] == '\0')
		editor = "vi";
	/* Keys of the terminal are the editor's as long as it runs. */
	(void)sigaction(SIGINT, &ignore, &intr);
	(void)sigaction(SIGQUIT, &ignore, &quit);
	pid = fork();
	if (pid == 0) {
		(void)sigaction(SIGINT, &intr, NULL);
		(void)sigaction(SIGQUIT, &quit, NULL);
		/* It may be a word with arguments. */
		(void)execl("/bin/sh", "sh", "-c", "exec $0 \"$1\"", editor,
		    path, (char *)NULL);
		_exit(127);
	}
	if (pid == -1)
		r = err_errno(why, "fork");
	while (r == 0 && waitpid(pid, &status, 0) == -1) {
		if (errno != EINTR)
			r = err_errno(why, "waitpid");
	}
	(void)sigaction(SIGINT, &intr, NULL);
	(void)sigaction(SIGQUIT, &quit, NULL);
	if (r != 0)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 :
	    err_text(why, "%s has failed: nothing was changed", editor);
}
