/*
 * A configuration read by who is no relay; the files that it names, and how
 * they are read.
 */
#include "policy/conf_priv.h"

#include <unistd.h>

#include "base/file.h"

static int	load(struct conf **, const char *, bool, const char *,
		    const struct conf_reader *, struct err *);
static int	plain_read(void *, const char *, struct buf *, struct err *);
static int	none_read(void *, const char *, struct buf *, struct err *);
static const char *plain_path(void *, struct pool *, const char *);
static bool	plain_has(void *, const char *);
static bool	none_has(void *, const char *);

const struct conf_reader conf_reader_plain = {
	.read = plain_read,
	.path = plain_path,
	.has = plain_has,
};

const struct conf_reader conf_reader_none = {
	.read = none_read,
	.path = plain_path,
	.has = none_has,
};

int
conf_load(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why)
{
	return load(conf_r, file, false, NULL, reader, why);
}

int
conf_load_draft(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why)
{
	return load(conf_r, file, true, NULL, reader, why);
}

int
conf_load_policy(struct conf **conf_r, const char *file, const char *policy,
    const struct conf_reader *reader, struct err *why)
{
	return load(conf_r, file, false, policy, reader, why);
}

static int
load(struct conf **conf_r, const char *file, bool draft, const char *policy,
    const struct conf_reader *reader, struct err *why)
{
	struct pool *pool = pool_new(0);
	struct conf_over over;
	const char *path;
	struct buf text;
	int r;

	buf_init(&text, CONF_MAX);
	r = file_read(&text, file, why);
	if (r == 0)
		r = conf_over_path(pool, file, buf_str(&text), &path, why);
	if (r == 0)
		r = draft ? conf_over_draft(&over, pool, path, why) :
		    conf_over_read(&over, pool, path, 0, NULL, why);
	if (r == 0) {
		over.policy = policy;
		r = conf_parse_over(conf_r, file, buf_str(&text), &over,
		    reader, why);
	}
	buf_fini(&text);
	pool_destroy(&pool);
	return r;
}

int
conf_load_boot(struct conf **conf_r, const char *file,
    const struct conf_reader *reader, struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, CONF_MAX);
	r = file_read(&text, file, why);
	if (r == 0)
		r = conf_parse(conf_r, file, buf_str(&text), reader, why);
	buf_fini(&text);
	return r;
}

int
conf_load_top(struct conf **conf_r, const char *file, struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, CONF_MAX);
	r = file_read(&text, file, why);
	if (r == 0)
		r = conf_parse_top(conf_r, file, buf_str(&text), why);
	buf_fini(&text);
	return r;
}

int
conf_files(const struct conf *conf, conf_file_fn *fn, void *arg,
    struct err *why)
{
	unsigned i;

	if (conf_tls_files(conf, fn, arg, why) != 0)
		return -1;
	for (i = 0; i < conf->nroute; i++) {
		if (conf->route[i].auth_password_file[0] != '\0' &&
		    fn(arg, conf->route[i].auth_password_file, why) != 0)
			return -1;
	}
	if (conf->delivery.bounce_keys[0] != '\0' &&
	    fn(arg, conf->delivery.bounce_keys, why) != 0)
		return -1;
	if (conf->relay.users[0] != '\0' &&
	    fn(arg, conf->relay.users, why) != 0)
		return -1;
	return conf_plugin_files(conf, fn, arg, why);
}

static int
plain_read(void *arg, const char *path, struct buf *dst, struct err *why)
{
	(void)arg;
	return file_read(dst, path, why);
}

static int
none_read(void *arg, const char *path, struct buf *dst, struct err *why)
{
	(void)arg;
	(void)path;
	(void)dst;
	(void)why;
	return 0;
}

static bool
plain_has(void *arg, const char *path)
{
	(void)arg;
	return path[0] != '\0' && access(path, F_OK) == 0;
}

static bool
none_has(void *arg, const char *path)
{
	(void)arg;
	(void)path;
	return false;
}

static const char *
plain_path(void *arg, struct pool *pool, const char *path)
{
	(void)arg;
	(void)pool;
	return path;
}
