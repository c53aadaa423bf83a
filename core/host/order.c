/*
 * Who is asked first: the administrator's order, then what plugins say about
 * each other (before, after), then the order of the blocks.
 */
#include "host/host_priv.h"

struct sorting {
	struct host_gen *g;
	enum on on;
	struct instance **left; /* not placed yet, in the order of blocks */
	unsigned nleft;
	struct chain *chain;
};

static const char *const *listed(const struct conf_order *, enum on);
static int	place_listed(struct sorting *, const char *const *,
		    const struct conf *, struct err *);
static int	place_rest(struct sorting *, struct err *);
static void	place(struct sorting *, unsigned, const char *);
static const struct instance *first_before(const struct sorting *, unsigned);
static bool	is_before(const struct sorting *, const struct instance *,
		    const struct instance *);
static bool	names(const char *, const char *);
static const char *reason(const struct sorting *, const struct instance *);
static int	tell_cycle(const struct sorting *, struct err *);
static int	no_such(const struct sorting *, const char *,
		    const struct conf *, struct err *);

int
order_make(struct host_gen *g, const struct conf *conf, struct err *why)
{
	struct sorting s = { .g = g };
	const char *const *first;
	unsigned i;
	int on;

	s.left = pool_alloc(g->pool, (g->ninstance + 1) * sizeof(*s.left));
	for (on = 0; on < ON_COUNT; on++) {
		s.on = (enum on)on;
		s.chain = &g->chain[on];
		s.nleft = 0;
		for (i = 0; i < g->ninstance; i++) {
			if (g->instance[i]->fn[on] != NULL)
				s.left[s.nleft++] = g->instance[i];
		}
		first = listed(&conf->order, s.on);
		if (s.nleft == 0 && (first == NULL || first[0] == NULL))
			continue;
		s.chain->v = pool_alloc(g->pool,
		    (s.nleft + 1) * sizeof(*s.chain->v));
		s.chain->why = pool_alloc(g->pool,
		    (s.nleft + 1) * sizeof(*s.chain->why));
		if ((first != NULL &&
			place_listed(&s, first, conf, why) != 0) ||
		    place_rest(&s, why) != 0)
			return err_prefix(why, "%s: ", conf->file);
		if (on >= HOOK_COUNT)
			continue;
		s.chain->seat = pool_alloc(g->pool,
		    s.chain->n * sizeof(*s.chain->seat));
		order_seats(s.chain, s.on);
	}
	return 0;
}

void
order_mute(struct instance *i, enum hook h)
{
	struct chain *c = &i->gen->chain[h];
	const char *why;
	unsigned n = 0, k;

	if (order_muted(i, h))
		return;
	while (c->v[n] != i)
		n++;
	why = c->why[n];
	for (k = n + 1; k < c->n + c->muted; k++) {
		c->v[k - 1] = c->v[k];
		c->why[k - 1] = c->why[k];
	}
	c->v[k - 1] = i;
	c->why[k - 1] = why;
	c->n--;
	c->muted++;
	order_seats(c, (enum on)h);
}

void
order_seats(struct chain *c, enum on on)
{
	struct instance *i;
	unsigned n;

	for (n = 0; n < c->n; n++) {
		i = c->v[n];
		c->seat[n] = (struct seat){ .fn = i->fn[on],
			.inst = i,
			.conf = i->conf,
			.name = i->name,
			.api = i->api,
			.who = instance_who(i, (unsigned)on) };
	}
}

bool
order_muted(const struct instance *i, enum hook h)
{
	const struct chain *c = &i->gen->chain[h];
	unsigned n;

	for (n = c->n; n < c->n + c->muted; n++) {
		if (c->v[n] == i)
			return true;
	}
	return false;
}

/* NULL: no order can be given for it. */
static const char *const *
listed(const struct conf_order *order, enum on on)
{
	static const struct {
		const char *word;
		size_t offset;
	} table[] = {
#define PARAM_ORDER(name, type, def, range, help)                              \
	{ #name, offsetof(struct conf_order, name) },
#include "tbl/params.h"
	};
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].word, on_word(on)) == 0)
			return *(const char *const *const *)(const void *)
			    ((const char *)order + table[i].offset);
	}
	return NULL;
}

static int
place_listed(struct sorting *s, const char *const *name,
    const struct conf *conf, struct err *why)
{
	unsigned i;

	for (; *name != NULL; name++) {
		for (i = 0; i < s->nleft; i++) {
			if (strcmp(s->left[i]->name, *name) == 0)
				break;
		}
		if (i == s->nleft)
			return no_such(s, *name, conf, why);
		place(s, i, "named in plugin_order");
	}
	return 0;
}

static int
no_such(const struct sorting *s, const char *name, const struct conf *conf,
    struct err *why)
{
	const struct instance *i = instance_find(s->g, name);
	const char *best = NULL, *wrong = "there is no such instance";
	unsigned d, n, least = (unsigned)(strlen(name) / 3 + 2);

	for (n = 0; n < s->chain->n; n++) {
		if (i == s->chain->v[n])
			return err_text(why, "plugin_order: %s: \"%.64s\" is "
			    "named twice", on_word(s->on), name);
	}
	if (i != NULL)
		wrong = "it has no function there";
	for (n = 0; i == NULL && n < conf->nplugin; n++) {
		d = str_distance(str_c(name), str_c(conf->plugin[n].name));
		if (d < least) {
			least = d;
			best = conf->plugin[n].name;
		}
	}
	return err_text(why, "plugin_order: %s: \"%.64s\": %s%s%s%s",
	    on_word(s->on), name, wrong,
	    best != NULL ? " (did you mean \"" : "",
	    best != NULL ? best : "", best != NULL ? "\"?)" : "");
}

/* Again and again the first that nobody who is left must precede. */
static int
place_rest(struct sorting *s, struct err *why)
{
	unsigned i;

	while (s->nleft > 0) {
		for (i = 0; i < s->nleft && first_before(s, i) != NULL;)
			i++;
		if (i == s->nleft)
			return tell_cycle(s, why);
		place(s, i, reason(s, s->left[i]));
	}
	return 0;
}

static void
place(struct sorting *s, unsigned i, const char *why)
{
	s->chain->why[s->chain->n] = why;
	s->chain->v[s->chain->n++] = s->left[i];
	s->nleft--;
	memmove(&s->left[i], &s->left[i + 1],
	    (s->nleft - i) * sizeof(*s->left));
}

/* Who of those left must precede the i-th of them, or NULL. */
static const struct instance *
first_before(const struct sorting *s, unsigned i)
{
	unsigned k;

	for (k = 0; k < s->nleft; k++) {
		if (k != i && is_before(s, s->left[k], s->left[i]))
			return s->left[k];
	}
	return NULL;
}

static const struct pst_hook *
hook_of(const struct instance *i, enum on on)
{
	const struct pst_hook *h = i->plugin->hooks;

	while (strcmp(h->on, on_word(on)) != 0)
		h++;
	return h;
}

/* Two of one plugin are never before each other. */
static bool
is_before(const struct sorting *s, const struct instance *a,
    const struct instance *b)
{
	if (a->module == b->module)
		return false;
	return names(hook_of(a, s->on)->before, b->module->name) ||
	    names(hook_of(b, s->on)->after, a->module->name);
}

static bool
names(const char *list, const char *name)
{
	struct str rest = str_c(list), word;

	while (str_word(&rest, &word)) {
		if (str_eq_c(word, name))
			return true;
	}
	return false;
}

/* For `postern plugin order`: whom it is behind, or before, on purpose. */
static const char *
reason(const struct sorting *s, const struct instance *i)
{
	struct pool *pool = s->g->pool;
	unsigned k;

	for (k = s->chain->n; k > 0; k--) {
		if (is_before(s, s->chain->v[k - 1], i))
			return pool_printf(pool, "after %s",
			    s->chain->v[k - 1]->name);
	}
	for (k = 0; k < s->nleft; k++) {
		if (is_before(s, i, s->left[k]))
			return pool_printf(pool, "before %s",
			    s->left[k]->name);
	}
	return "order of the blocks";
}

/* Everybody left has one before it: going back from any of them meets one a
 * second time. */
static int
tell_cycle(const struct sorting *s, struct err *why)
{
	const struct instance *at = s->left[0], *from;
	struct buf b;
	unsigned i, k;
	int r;

	for (i = 0; i < s->nleft; i++) {
		for (k = 0; s->left[k] != at;)
			k++;
		at = first_before(s, k);
	}
	from = at;
	buf_init(&b, 4096);
	(void)buf_add_c(&b, from->name);
	do {
		for (k = 0; s->left[k] != at;)
			k++;
		at = first_before(s, k);
		(void)buf_printf(&b, " behind %s", at->name);
	} while (at != from);
	r = err_text(why, "no order of plugins at \"%s\" is right for all: "
	    "%.300s; name them in plugin_order", on_word(s->on), buf_p(&b));
	buf_fini(&b);
	return r;
}
