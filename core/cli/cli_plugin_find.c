/*
 * Plugins by name or file, and what they say of themselves.
 */
#include "cli/cli_plugin.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct near {
	struct pool *pool;
	const char *word, *best;
	unsigned least;
	bool exact;
};

struct telling {
	const struct host_find *find;
	int says;
};

static bool	is_file(const char *);
static int	find_file(struct plugin_cli *, const char *,
		    struct host_find *, struct err *);
static void	nearer(void *, const char *);
static int	describe(void *, int, struct err *);
static void	tell(void *, struct str);

int
plugin_find(struct plugin_cli *c, const char *word, struct host_find *f_r,
    struct err *why)
{
	struct near n = { .pool = c->pool, .word = word,
		.least = (unsigned)(strlen(word) / 3 + 2) };
	unsigned i;

	if (is_file(word))
		return find_file(c, word, f_r, why);
	*f_r = (struct host_find){ .name = word, .dirs = c->dirs };
	host_names(c->dirs, nearer, &n);
	if (n.exact)
		return 0;
	for (i = 0; c->conf != NULL && i < c->conf->nplugin; i++) {
		nearer(&n, c->conf->plugin[i].name);
		/* It may be a file that is not there: loading tells. */
		nearer(&n, c->conf->plugin[i].plugin);
		if (strcmp(c->conf->plugin[i].name, word) == 0) {
			f_r->name = c->conf->plugin[i].plugin;
			return 0;
		}
	}
	if (n.exact)
		return 0;
	return err_text(why, "there is no plugin \"%.100s\"%s%s%s", word,
	    n.best != NULL ? " (did you mean \"" : "",
	    n.best != NULL ? n.best : "", n.best != NULL ? "\"?)" : "");
}

static bool
is_file(const char *word)
{
	struct str s = str_c(word);

	return strchr(word, '/') != NULL || str_iends(s, ".so") ||
	    str_iends(s, ".la");
}

static int
find_file(struct plugin_cli *c, const char *word, struct host_find *f_r,
    struct err *why)
{
	const char *slash = strrchr(word, '/');
	const char *name = slash != NULL ? slash + 1 : word;
	const char *dot = strrchr(name, '.');
	size_t len = dot != NULL ? (size_t)(dot - name) : strlen(name);
	char dir[PATH_MAX], real[PATH_MAX];

	/* The name is that of the link, not of what it leads to. */
	if (!str_copy(dir, sizeof(dir), slash == word ? STR("/") :
	    slash != NULL ? str_n(word, (size_t)(slash - word)) : STR(".")))
		return err_text(why, "%.60s...: too long", word);
	if (realpath(dir, real) == NULL)
		return err_errno(why, "%s", dir);
	*f_r = (struct host_find){
		.name = pool_strndup(c->pool, name, len),
		.file = pool_printf(c->pool, "%s/%s",
		    strcmp(real, "/") == 0 ? "" : real, name),
		.dirs = c->dirs
	};
	return 0;
}

static void
nearer(void *arg, const char *name)
{
	struct near *n = arg;
	unsigned d = str_distance(str_c(n->word), str_c(name));

	n->exact = n->exact || strcmp(n->word, name) == 0;
	if (d < n->least) {
		n->least = d;
		n->best = pool_strdup(n->pool, name);
	}
}

json_t *
plugin_ask(struct plugin_cli *c, const struct host_find *f,
    struct plugapart *p, const char **where, struct err *why)
{
	struct telling t = { f, -1 };
	char path[PATH_MAX];
	struct str row;
	json_t *j;

	*p = (struct plugapart){ .signal = 0 };
	*where = "";
	if (host_file(f, path, sizeof(path), why) != 0)
		return NULL;
	*where = pool_strdup(c->pool, path);
	if (plugapart_run(p, &c->privs, describe, &t, why) != 0)
		return NULL;
	row = plugapart_last(p);
	j = json_loadb(row.p, row.n, 0, NULL);
	if (j == NULL)
		(void)err_text(why, "its process said nothing readable");
	return j;
}

static int
describe(void *arg, int says, struct err *why)
{
	struct telling *t = arg;
	struct host_world world = { .hostname = "localhost" };

	t->says = says;
	world.loop = loop_new();
	return host_describe(host_new(&world), t->find, tell, t, why);
}

static void
tell(void *arg, struct str json)
{
	const struct telling *t = arg;

	plugapart_say(t->says, json);
}
