/*
 * One option: checked, and its value from the boot file or the default into
 * its place. Nothing here puts a value into an error: it may be a secret.
 */
#include "host/option.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"

#define SECRET_MAX 65536 /* octets of its file */

#define FIELD(conf, o, type) ((type *)(void *)((char *)(conf) + (o)->offset))

struct setting {
	struct pool *pool;
	const struct pst_option *o;
	void *conf;
	const struct conf *file; /* NULL: a default */
	const struct conf_reader *reader;
};

static int	check_name(const struct pst_option *, unsigned, struct err *);
static int	check_place(const struct pst_option *, uint32_t, struct err *);
static int	check_range(const struct pst_option *, struct err *);
static size_t	size_of(enum pst_type);
static int	set_text(const struct setting *, const char *, struct err *);
static int	set_path(const struct setting *, const char *, struct err *);
static int	path_copy(const struct setting *, const char *, struct err *);
static void	close_copy(void *);
static int	set_secret(const struct setting *, const char *, struct err *);
static int	secret_file(const struct setting *, const char *,
		    struct err *);
static int	set_choice(const struct setting *, struct str, struct err *);
static int	set_list(const struct setting *, const struct conf_raw *,
		    struct err *);
static int	set_number(const struct setting *, const struct conf_raw *,
		    struct err *);
static int	number_of(enum pst_type, const struct conf_raw *, int64_t *);
static int	range_of(const struct pst_option *, int64_t *, int64_t *);
static int	is_not(const struct pst_option *, struct err *);

int
option_check(const struct pst_option *table, unsigned i, uint32_t conf_size,
    struct err *why)
{
	const struct pst_option *o = &table[i];
	struct pool *pool;
	void *conf;
	int r = 0;

	if (check_name(table, i, why) != 0)
		return -1;
	if (check_place(o, conf_size, why) != 0 || check_range(o, why) != 0)
		return err_prefix(why, "option \"%s\": ", o->name);
	if (o->dflt == NULL)
		return 0;
	pool = pool_new(0);
	conf = pool_alloc(pool, conf_size);
	r = option_default(pool, o, conf, why);
	pool_destroy(&pool);
	return r == 0 ? 0 : err_prefix(why, "default of option ");
}

static int
check_name(const struct pst_option *table, unsigned i, struct err *why)
{
	static const char *const common[] = {
#define PARAM_PLUGIN(name, type, def, range, help) #name,
#include "tbl/params.h"
	};
	const char *name = table[i].name;
	size_t k;

	for (k = 0; ch_alnum(name[k]) || name[k] == '_';)
		k++;
	if (k == 0 || k > 64 || name[k] != '\0' || ch_digit(name[0]))
		return err_text(why, "option %u has no name but \"%.64s\"", i,
		    name);
	for (k = 0; k < sizeof(common) / sizeof(common[0]); k++) {
		if (strcmp(common[k], name) == 0)
			return err_text(why, "option \"%s\": every plugin has "
			    "a setting of that name already", name);
	}
	for (k = 0; k < i; k++) {
		if (strcmp(table[k].name, name) == 0)
			return err_text(why, "option \"%s\" is there twice",
			    name);
	}
	return 0;
}

static int
check_place(const struct pst_option *o, uint32_t conf_size, struct err *why)
{
	size_t n = size_of(o->type);

	if (n == 0)
		return err_text(why, "type %d is none", (int)o->type);
	if (o->offset % n != 0 || o->offset > conf_size ||
	    conf_size - o->offset < n)
		return err_text(why, "it does not fit at octet %u of %u",
		    o->offset, conf_size);
	return 0;
}

static int
check_range(const struct pst_option *o, struct err *why)
{
	int64_t low, high;

	if (o->type == PST_T_CHOICE && (o->range == NULL || *o->range == '\0'))
		return err_text(why, "a choice of nothing");
	if ((o->type == PST_T_INT || o->type == PST_T_DURATION ||
		o->type == PST_T_SIZE) && range_of(o, &low, &high) != 0)
		return err_text(why, "range \"%.60s\" is none", o->range);
	return 0;
}

static size_t
size_of(enum pst_type type)
{
	switch (type) {
	case PST_T_STRING:
	case PST_T_CHOICE:
	case PST_T_PATH:
	case PST_T_SECRET:
	case PST_T_LIST:
		return sizeof(void *);
	case PST_T_BOOL:
		return sizeof(bool);
	case PST_T_INT:
	case PST_T_DURATION:
	case PST_T_SIZE:
		return sizeof(int64_t);
	}
	return 0; /* of a plugin's table: no panic */
}

const char *
option_type(enum pst_type type)
{
	switch (type) {
	case PST_T_STRING:
		return "a string";
	case PST_T_BOOL:
		return "true or false";
	case PST_T_INT:
		return "a number";
	case PST_T_DURATION:
		return "a duration such as \"90s\" or \"1h30m\"";
	case PST_T_SIZE:
		return "a size such as \"64k\" or \"150M\"";
	case PST_T_CHOICE:
		return "a choice";
	case PST_T_PATH:
		return "a path";
	case PST_T_SECRET:
		return "\"file:PATH\" or \"env:NAME\"";
	case PST_T_LIST:
		return "a list of strings";
	}
	return "nothing";
}

const char *
option_word(enum pst_type type)
{
	static const char *const words[] = { [PST_T_STRING] = "string",
		[PST_T_BOOL] = "bool", [PST_T_INT] = "int",
		[PST_T_DURATION] = "duration", [PST_T_SIZE] = "size",
		[PST_T_CHOICE] = "choice", [PST_T_PATH] = "path",
		[PST_T_SECRET] = "secret", [PST_T_LIST] = "list" };

	return type >= PST_T_STRING && type <= PST_T_LIST ? words[type] : "";
}

int
option_default(struct pool *pool, const struct pst_option *o, void *conf,
    struct err *why)
{
	const struct setting s = { pool, o, conf, NULL, NULL };
	struct conf_raw raw = { .type = RAW_STRING }, *word;
	struct str rest, piece;

	if (o->dflt == NULL)
		return err_text(why, "%s must be given", o->name);
	raw.s = rest = pool_str(pool, str_c(o->dflt));
	if (o->type == PST_T_BOOL) {
		raw.type = RAW_BOOL;
		raw.b = str_eq_c(raw.s, "yes") || str_eq_c(raw.s, "true");
		if (!raw.b && !str_eq_c(raw.s, "no") &&
		    !str_eq_c(raw.s, "false"))
			return is_not(o, why);
	} else if (o->type == PST_T_LIST) {
		raw.type = RAW_LIST;
		raw.v = pool_alloc(pool, (rest.n + 1) * sizeof(*raw.v));
		while (str_word(&rest, &piece)) {
			word = POOL_NEW(pool, struct conf_raw);
			word->type = RAW_STRING;
			word->s = pool_str(pool, piece);
			raw.v[raw.n++] = word;
		}
	}
	return option_set(pool, o, conf, &raw, s.file, s.reader, why);
}

int
option_set(struct pool *pool, const struct pst_option *o, void *conf,
    const struct conf_raw *raw, const struct conf *file,
    const struct conf_reader *reader, struct err *why)
{
	const struct setting s = { pool, o, conf, file, reader };

	switch (o->type) {
	case PST_T_BOOL:
		if (raw->type != RAW_BOOL)
			break;
		*FIELD(conf, o, bool) = raw->b;
		return 0;
	case PST_T_INT:
	case PST_T_DURATION:
	case PST_T_SIZE:
		return set_number(&s, raw, why);
	case PST_T_LIST:
		return set_list(&s, raw, why);
	case PST_T_STRING:
	case PST_T_CHOICE:
	case PST_T_PATH:
	case PST_T_SECRET:
		if (raw->type != RAW_STRING)
			break;
		if (memchr(raw->s.p, '\0', raw->s.n) != NULL)
			return err_text(why, "a NUL in %s", o->name);
		return set_text(&s, raw->s.p, why);
	}
	return is_not(o, why);
}

static int
is_not(const struct pst_option *o, struct err *why)
{
	return err_text(why, "%s must be %s", o->name, option_type(o->type));
}

static int
set_text(const struct setting *s, const char *text, struct err *why)
{
	if (s->o->type == PST_T_CHOICE)
		return set_choice(s, str_c(text), why);
	if (s->o->type == PST_T_PATH)
		return set_path(s, text, why);
	if (s->o->type == PST_T_SECRET)
		return set_secret(s, text, why);
	*FIELD(s->conf, s->o, const char *) = pool_strdup(s->pool, text);
	return 0;
}

static int
set_choice(const struct setting *s, struct str word, struct err *why)
{
	struct str rest = str_c(s->o->range), piece;

	while (str_split(&rest, '|', &piece)) {
		if (str_ieq(piece, word)) {
			*FIELD(s->conf, s->o, const char *) =
			    pool_str(s->pool, piece).p;
			return 0;
		}
	}
	return err_text(why, "%s must be one of %s", s->o->name, s->o->range);
}

static int
set_path(const struct setting *s, const char *text, struct err *why)
{
	const char *path = text;

	if (s->file != NULL) {
		path = conf_file_ref(s->file, s->pool, str_c(text));
		if (path != NULL)
			return path_copy(s, path, why);
		path = text;
		if (text[0] != '/' && text[0] != '\0')
			path = pool_printf(s->pool, "%s/%s", s->file->dir,
			    text);
	}
	if (path[0] != '/' && path[0] != '\0')
		return err_text(why, "%s must be an absolute path", s->o->name);
	*FIELD(s->conf, s->o, const char *) = pool_strdup(s->pool, path);
	return 0;
}

/* In memory, with the life of the options: what the reader has may go. */
static int
path_copy(const struct setting *s, const char *path, struct err *why)
{
	struct buf b;
	int fd = -1, r;

	buf_init(&b, CONF_FILE_MAX);
	r = s->reader->read(s->reader->arg, path, &b, why);
	if (r == 0) {
		fd = memfd_create("postern", MFD_CLOEXEC);
		if (fd == -1 || sys_pwrite_all(fd, buf_p(&b), buf_len(&b),
		    0) != 0)
			r = err_errno(why, "a file in memory");
	}
	buf_fini(&b);
	if (r != 0) {
		file_close(&fd);
		return err_prefix(why, "%s: ", s->o->name);
	}
	pool_defer(s->pool, close_copy, (void *)(intptr_t)fd);
	*FIELD(s->conf, s->o, const char *) =
	    pool_printf(s->pool, "/proc/self/fd/%d", fd);
	return 0;
}

static void
close_copy(void *arg)
{
	(void)close((int)(intptr_t)arg);
}

static int
set_secret(const struct setting *s, const char *text, struct err *why)
{
	const char *path, *value;

	if (text[0] == '\0') {
		*FIELD(s->conf, s->o, const char *) = "";
		return 0;
	}
	if (s->file == NULL)
		return is_not(s->o, why);
	path = conf_file_ref(s->file, s->pool, str_c(text));
	if (path != NULL)
		return secret_file(s, path, why);
	if (!str_istarts(str_c(text), "env:"))
		return is_not(s->o, why);
	value = getenv(text + 4);
	if (value == NULL)
		return err_text(why, "%s: %.60s is not in the environment",
		    s->o->name, text + 4);
	*FIELD(s->conf, s->o, const char *) = pool_strdup(s->pool, value);
	return 0;
}

/* Its first line. */
static int
secret_file(const struct setting *s, const char *path, struct err *why)
{
	struct str rest, line = STR_NULL;
	struct buf b;
	int r;

	buf_init(&b, SECRET_MAX);
	r = s->reader->read(s->reader->arg, path, &b, why);
	rest = buf_str(&b);
	if (r == 0 && str_split(&rest, '\n', &line) && line.n > 0 &&
	    line.p[line.n - 1] == '\r')
		line.n--;
	if (r != 0)
		r = err_prefix(why, "%s: ", s->o->name);
	else if (line.n > 0 && memchr(line.p, '\0', line.n) != NULL)
		r = err_text(why, "a NUL in %s", s->o->name);
	else
		*FIELD(s->conf, s->o, const char *) =
		    pool_strndup(s->pool, line.n > 0 ? line.p : "", line.n);
	buf_fini(&b);
	return r;
}

static int
set_list(const struct setting *s, const struct conf_raw *raw, struct err *why)
{
	const struct conf_raw *one;
	unsigned n = raw->type == RAW_LIST ? raw->n : 1, i;
	const char **v;

	v = pool_alloc(s->pool, (n + 1) * sizeof(*v));
	for (i = 0; i < n; i++) {
		one = raw->type == RAW_LIST ? raw->v[i] : raw;
		if (one->type != RAW_STRING ||
		    memchr(one->s.p, '\0', one->s.n) != NULL)
			return is_not(s->o, why);
		v[i] = pool_str(s->pool, one->s).p;
	}
	*FIELD(s->conf, s->o, const char *const *) = v;
	return 0;
}

static int
set_number(const struct setting *s, const struct conf_raw *raw,
    struct err *why)
{
	int64_t n, low, high;

	if (number_of(s->o->type, raw, &n) != 0)
		return is_not(s->o, why);
	if (range_of(s->o, &low, &high) != 0 || n < low || n > high)
		return err_text(why, "%s must be within %s", s->o->name,
		    s->o->range != NULL ? s->o->range : "what can be counted");
	*FIELD(s->conf, s->o, int64_t) = n;
	return 0;
}

/* A bare number is octets, or seconds. */
static int
number_of(enum pst_type type, const struct conf_raw *raw, int64_t *n_r)
{
	uint64_t octets;
	msec ms;

	if (raw->type == RAW_INT && type != PST_T_DURATION) {
		*n_r = raw->i;
		return 0;
	}
	if (raw->type == RAW_INT) {
		if (raw->i > INT64_MAX / 1000 || raw->i < INT64_MIN / 1000)
			return -1;
		*n_r = raw->i * 1000;
		return 0;
	}
	if (raw->type != RAW_STRING)
		return -1;
	if (type == PST_T_INT)
		return num_int(raw->s, INT64_MIN, INT64_MAX, n_r);
	if (type == PST_T_SIZE && num_size(raw->s, &octets) == 0 &&
	    octets <= INT64_MAX) {
		*n_r = (int64_t)octets;
		return 0;
	}
	if (type == PST_T_DURATION && num_duration(raw->s, &ms) == 0) {
		*n_r = ms;
		return 0;
	}
	return -1;
}

/* Durations and sizes are never negative. */
static int
range_of(const struct pst_option *o, int64_t *low_r, int64_t *high_r)
{
	struct conf_raw edge = { .type = RAW_STRING };
	const char *dots;

	*low_r = o->type == PST_T_INT ? INT64_MIN : 0;
	*high_r = INT64_MAX;
	if (o->range == NULL)
		return 0;
	dots = strstr(o->range, "..");
	if (dots == NULL)
		return -1;
	edge.s = str_n(o->range, (size_t)(dots - o->range));
	if (number_of(o->type, &edge, low_r) != 0)
		return -1;
	edge.s = str_c(dots + 2);
	if (number_of(o->type, &edge, high_r) != 0)
		return -1;
	return *low_r <= *high_r ? 0 : -1;
}
