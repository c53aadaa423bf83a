#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "stub.h"

static int	add_plugin(struct stub *st, const struct stmt *s,
		    struct buf *dst, struct err *why);
static void	add_lookups(const struct stub *st, struct buf *dst);
static int	add_dirs(struct stub *st, struct buf *dst, struct err *why);
static void	add_value(const struct script_word *w, struct buf *dst);
static void	add_quoted(struct str s, struct buf *dst);

int
conftext(struct stub *st, struct buf *dst, struct err *why)
{
	const struct stmt *s;
	int line = 1;

	if (add_dirs(st, dst, why) < 0)
		return -1;
	add_lookups(st, dst);
	for (s = st->script->first; s != NULL; s = s->next) {
		if (s->id != WORD_PLUGIN)
			continue;
		for (; line < s->line; line++)
			(void)buf_add_char(dst, '\n');
		if (add_plugin(st, s, dst, why) < 0)
			return err_prefix(why, "%s:%d: ", st->script->file,
			    s->line);
	}
	return 0;
}

/* The folder of FILE, from that of the script. */
static int
folder(const struct stub *st, const char *file, char *dst, struct err *why)
{
	const char *base = strrchr(st->script->file, '/');
	char path[PATH_MAX];
	int n;

	if (file[0] == '/' || base == NULL)
		n = snprintf(path, sizeof(path), "%s", file);
	else
		n = snprintf(path, sizeof(path), "%.*s/%s",
		    (int)(base - st->script->file), st->script->file, file);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_text(why, "the path is too long");
	if (realpath(path, dst) == NULL)
		return err_errno(why, "%s", path);
	*strrchr(dst, '/') = '\0';
	return 0;
}

static int
add_dirs(struct stub *st, struct buf *dst, struct err *why)
{
	const struct stmt *s;
	char path[PATH_MAX];

	(void)buf_add_c(dst, "plugin_dirs = { ");
	for (s = st->script->first; s != NULL; s = s->next) {
		if (s->id != WORD_PLUGIN || strchr(s->word[0].s, '/') == NULL)
			continue;
		if (folder(st, s->word[0].s, path, why) < 0)
			return err_prefix(why, "%s:%d: ", st->script->file,
			    s->line);
		add_quoted(str_c(path[0] != '\0' ? path : "/"), dst);
		(void)buf_add_c(dst, ", ");
	}
	add_quoted(str_c(POSTERN_PLUGINDIR), dst);
	(void)buf_add_c(dst, " } ");
	return 0;
}

/* Each table once. */
static void
add_lookups(const struct stub *st, struct buf *dst)
{
	const struct stmt *s, *t;

	for (s = st->script->first; s != NULL; s = s->next) {
		if (s->id != WORD_LOOKUP)
			continue;
		for (t = st->script->first; t != s; t = t->next) {
			if (t->id == WORD_LOOKUP &&
			    strcmp(t->word[0].s, s->word[0].s) == 0)
				break;
		}
		if (t != s)
			continue;
		(void)buf_add_c(dst, "plugin \"stub_table\" ");
		add_quoted(str_c(s->word[0].s), dst);
		(void)buf_add_c(dst, " { } ");
	}
}

static int
add_plugin(struct stub *st, const struct stmt *s, struct buf *dst,
    struct err *why)
{
	const char *file = s->word[0].s, *base = strrchr(file, '/'), *as, *dot;
	struct str name;
	unsigned i, j;

	(void)st;
	name = str_c(base != NULL ? base + 1 : file);
	dot = strrchr(name.p, '.');
	if (base != NULL && dot != NULL)
		name.n = (size_t)(dot - name.p);
	as = stmt_key(s, "as");
	(void)buf_add_c(dst, "plugin ");
	add_quoted(name, dst);
	(void)buf_add_char(dst, ' ');
	add_quoted(as != NULL ? str_c(as) : name, dst);
	(void)buf_add_c(dst, " { ");
	for (i = 1; i < s->n; i++) {
		const struct script_word *w = &s->word[i];
		bool first = true, more = false;

		if (w->key == NULL)
			return err_text(why, "\"%s\" is no OPTION=VALUE", w->s);
		if (strcmp(w->key, "as") == 0)
			continue;
		for (j = 1; j < s->n; j++) {
			if (j == i || s->word[j].key == NULL ||
			    strcmp(s->word[j].key, w->key) != 0)
				continue;
			more = true;
			first = first && j > i;
		}
		if (!first)
			continue;
		(void)buf_printf(dst, "[\"%s\"] = %s", w->key,
		    more ? "{ " : "");
		for (j = i; j < s->n; j++) {
			if (s->word[j].key == NULL ||
			    strcmp(s->word[j].key, w->key) != 0)
				continue;
			add_value(&s->word[j], dst);
			(void)buf_add_c(dst, ", ");
		}
		if (more)
			(void)buf_add_c(dst, "}, ");
	}
	(void)buf_add_c(dst, "} ");
	return 0;
}

/* A number, true, false, {a,b} or a string. */
static void
add_value(const struct script_word *w, struct buf *dst)
{
	struct str v = str_c(w->value), piece;
	int64_t n;

	if (!w->quoted && (str_eq_c(v, "true") || str_eq_c(v, "false") ||
	    num_int(v, INT64_MIN, INT64_MAX, &n) == 0)) {
		(void)buf_add_str(dst, v);
		return;
	}
	if (w->quoted || v.n < 2 || v.p[0] != '{' || v.p[v.n - 1] != '}') {
		add_quoted(v, dst);
		return;
	}
	v = str_n(v.p + 1, v.n - 2);
	(void)buf_add_c(dst, "{ ");
	while (str_split(&v, ',', &piece)) {
		add_quoted(str_trim(piece), dst);
		(void)buf_add_c(dst, ", ");
	}
	(void)buf_add_c(dst, "}");
}

/* A Lua string; escapes do for any octet, line ends included. */
static void
add_quoted(struct str s, struct buf *dst)
{
	size_t i;

	(void)buf_add_char(dst, '"');
	for (i = 0; i < s.n; i++) {
		if (ch_print(s.p[i]) && s.p[i] != '"' && s.p[i] != '\\')
			(void)buf_add_char(dst, s.p[i]);
		else
			(void)buf_printf(dst, "\\%03u",
			    (unsigned)(unsigned char)s.p[i]);
	}
	(void)buf_add_char(dst, '"');
}
