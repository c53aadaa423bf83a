#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sys.h"
#include "cli/ask.h"
#include "cli/certconfig.h"
#include "cli/cli.h"
#include "cli/prompt.h"
#include "daemon/lister.h"

#define READ_MAX (16 * 1024 * 1024)

static void on_answer(void *, const char *, const json_t *, int);
static int read_list(struct certconfig *, const char *, struct certpile *,
    struct err *);
static void wipe(struct buf *);

int
certconfig_open(struct certconfig *cc, const char *conf_file, struct err *why)
{
	struct err no = ERR_INIT;
	struct epoch *e = NULL;

	cc->pool = pool_new(0);
	/* Only the store's own files matter here. */
	if (conf_load(&cc->conf, conf_file, &conf_reader_none, why) != 0)
		return -1;
	if (epoch_read(&e, conf_file, 1, why) != 0)
		return -1;
	/* The store's own can be looked after all the same. */
	if (lister_run(e, &cc->list, &no) != 0)
		(void)fprintf(stderr, "Certificates of a plugin are missing: "
		    "%s\n", no.text);
	epoch_destroy(&e);
	return certstore_open(&cc->cs, cc->conf->tls.store, cc->list, why);
}

int
certconfig_text(struct certconfig *cc, const char *path, struct buf *dst,
    struct err *why)
{
	return certlist_read(cc->list, path, dst, why);
}

void
certconfig_close(struct certconfig *cc)
{
	certpile_destroy(&cc->system);
	certpile_destroy(&cc->custom);
	certstore_close(&cc->cs);
	certlist_destroy(&cc->list);
	conf_unref(&cc->conf);
	pool_destroy(&cc->pool);
}

void
certconfig_tell(struct certconfig *cc)
{
	struct err why = ERR_INIT;
	const char *path;
	json_t *request;
	bool taken = false;

	if (!cc->changed)
		return;
	cc->changed = false;
	path = pool_printf(cc->pool, "%s/master.sock", cc->conf->top.run);
	if (access(path, F_OK) != 0) {
		(void)fprintf(stderr, "The relay is not running; it will take "
		    "the change when it starts.\n");
		return;
	}
	request = json_pack("{s:s}", "verb", "certs");
	if (ask(cc->conf->top.run, ASK_MASTER, request, on_answer, &taken,
		&why) == 0 && taken)
		(void)fprintf(stderr, "The relay has taken the change.\n");
	else
		(void)fprintf(stderr, "The relay has not taken the change "
		    "now: %s\n", why.text);
}

int
certconfig_load(struct certconfig *cc, const struct certstore_entry *e,
    struct certpile **p_r, struct err *why)
{
	struct certpile *p = certpile_new();
	struct buf text;
	int r;

	buf_init(&text, READ_MAX);
	r = certconfig_text(cc, e->chain, &text, why);
	if (r == 0)
		r = certpile_read(p, buf_str(&text), e->chain, NULL, why);
	wipe(&text);
	if (r == 0 && !certpile_has_key(p)) {
		r = certconfig_text(cc, e->key, &text, why);
		if (r == 0)
			r = certpile_read(p, buf_str(&text), e->key, NULL,
			    why);
	}
	wipe(&text);
	buf_fini(&text);
	if (r == 0)
		*p_r = p;
	else
		certpile_destroy(&p);
	return r;
}

int
certconfig_lists(struct certconfig *cc, struct err *why)
{
	const char *path = certstore_ca_path(cc->cs);

	if (cc->system == NULL) {
		cc->system = certpile_new();
		cc->custom = certpile_new();
	} else {
		return 0;
	}
	if (read_list(cc, cc->conf->delivery.ca_file, cc->system, why) != 0 ||
	    read_list(cc, path, cc->custom, why) != 0) {
		certpile_destroy(&cc->system);
		certpile_destroy(&cc->custom);
		return -1;
	}
	return 0;
}

int
certconfig_roots(struct certconfig *cc, struct certpile *all,
    struct err *why)
{
	unsigned i;

	if (certconfig_lists(cc, why) != 0)
		return -1;
	for (i = 0; i < certpile_count(cc->system); i++)
		certpile_copy(all, cc->system, i);
	for (i = 0; i < certpile_count(cc->custom); i++)
		certpile_copy(all, cc->custom, i);
	return 0;
}

int
certconfig_read(struct certconfig *cc, struct certpile *p, const char *file,
    const char *passphrase, struct err *why)
{
	const char *given = passphrase;
	struct buf text;
	int r;

	buf_init(&text, READ_MAX);
	r = file_read(&text, file, why);
	if (r == 0 && given == NULL && certpile_is_pkcs12(buf_str(&text)))
		given = prompt_secret(cc->pool, pool_printf(cc->pool,
		    "Passphrase of %s: ", file));
	if (r == 0)
		r = certpile_read(p, buf_str(&text), file, given, why);
	if (r != 0 && given == NULL && strstr(why->text,
	    "encrypted: a passphrase") != NULL) {
		given = prompt_secret(cc->pool, pool_printf(cc->pool,
		    "Passphrase of %s: ", file));
		if (given != NULL)
			r = certpile_read(p, buf_str(&text), file, given, why);
	}
	wipe(&text);
	buf_fini(&text);
	return r;
}

int
certconfig_write(const char *file, struct str text, bool secret,
    struct err *why)
{
	struct stat st;
	int fd, r;

	if (file == NULL || strcmp(file, "-") == 0) {
		if (fwrite(text.p, 1, text.n, stdout) != text.n ||
		    fflush(stdout) != 0)
			return err_errno(why, "standard output");
		return 0;
	}
	if (stat(file, &st) != 0 || S_ISREG(st.st_mode))
		return file_replace(file, text.p, text.n,
		    secret ? 0600 : 0644, why);
	/* A device or pipe stays what it is. */
	fd = open(file, O_WRONLY | O_CLOEXEC);
	r = fd == -1 ? -1 : sys_write_all(fd, text.p, text.n);
	if (r != 0)
		r = err_errno(why, "%s", file);
	file_close(&fd);
	return r;
}

int
certconfig_passphrase(struct pool *pool, const char *file, bool is_new,
    const char **pass_r, struct err *why)
{
	const char *again;
	struct buf text;
	struct str line;
	int r = 0;

	*pass_r = NULL;
	if (file != NULL) {
		buf_init(&text, 4096);
		r = file_read(&text, file, why);
		line = buf_str(&text);
		line.n = str_find(line, '\n');
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (r == 0)
			*pass_r = pool_strndup(pool, line.p, line.n);
		explicit_bzero(buf_p(&text), buf_len(&text));
		buf_fini(&text);
		return r != 0 || line.n > 0 ? r : err_text(why, "%s: an empty "
		    "passphrase protects nothing", file);
	}
	if (!is_new)
		return 0;
	*pass_r = prompt_secret(pool, "New passphrase: ");
	if (*pass_r == NULL || **pass_r == '\0')
		return err_text(why, "an empty passphrase protects nothing");
	again = prompt_secret(pool, "The same again: ");
	if (again == NULL || strcmp(*pass_r, again) != 0)
		return err_text(why, "the two passphrases differ");
	return 0;
}

static void
on_answer(void *arg, const char *from, const json_t *line, int last)
{
	const char *text = json_string_value(json_object_get(line, "warning"));

	bool *taken = arg;

	(void)from;
	if (last != 0)
		*taken = json_is_true(json_object_get(line, "taken"));
	if (text != NULL)
		(void)fprintf(stderr, "The relay says: %s\n", text);
}

/* A list that is not there is empty. */
static int
read_list(struct certconfig *cc, const char *path, struct certpile *p,
    struct err *why)
{
	struct buf text;
	int r = 0;

	(void)cc;
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	buf_init(&text, READ_MAX);
	r = file_read(&text, path, why);
	if (r == 0)
		certpile_read_bundle(p, buf_str(&text));
	buf_fini(&text);
	return r;
}

/* It may have held a key. */
static void
wipe(struct buf *b)
{
	explicit_bzero(buf_p(b), buf_len(b));
	buf_reset(b);
}
