/*
 * What the configuration store has, over the boot file: setting by setting,
 * the store has the last word.
 */
#include <string.h>

#include "policy/conf_object.h"
#include "policy/conf_priv.h"
#include "store/revs.h"

struct known {
	struct hash_node node;
	struct conf_block *block;
	const char *name; /* folded */
};

static void know(struct conf_script *, struct hash *, struct conf_block *);
static struct conf_block *find(const struct hash *,
    const struct conf_block *);
static void set_over(struct conf_script *, struct conf_block *,
    const struct conf_block *);

void
conf_over_default(struct conf *c)
{
	if (c->top.config[0] == '\0')
		c->top.config = pool_printf(c->pool,
		    "%s/config/revisions.db", c->top.spool);
}

int
conf_over_read(struct conf_over *over_r, struct pool *pool, const char *path,
    uint64_t proposal, const char *token, struct err *why)
{
	struct conf_over o = { .text = STR_NULL };
	struct buf text;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	r = revs_read(path, proposal, token, &text, &o.revision, why);
	if (r == 0) {
		o.text = pool_str(pool, buf_str(&text));
		o.name = pool_printf(pool, "revision %ju",
		    (uintmax_t)o.revision);
		*over_r = o;
	}
	buf_fini(&text);
	return r;
}

int
conf_over_draft(struct conf_over *over_r, struct pool *pool, const char *path,
    struct err *why)
{
	struct buf text;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	r = revs_read_draft(path, &text, why);
	if (r == 0)
		*over_r = (struct conf_over){ .name = "draft",
			.text = pool_str(pool, buf_str(&text)) };
	buf_fini(&text);
	return r;
}

/* A block without a name goes behind those of the file and so has the last
 * word; one with a name goes into its namesake. */
int
conf_over_apply(struct conf_script *s, const struct conf_over *over,
    struct err *why)
{
	struct conf_script o = { .pool = s->pool,
		.file = over->name != NULL ? over->name : "store",
		.text = over->text, .stored = true, .saved = over->lines };
	struct conf_block *b, *next, *same, **tail;
	struct conf_over *kept;
	struct conf_item *item;
	struct hash names;

	/* Places are told as long as the configuration lives. */
	kept = pool_dup(s->pool, over, sizeof(*over));
	kept->name = pool_strdup(s->pool, over->name);
	s->over = kept;
	if (over->text.n == 0)
		return 0;
	if (conf_run(&o, why) != 0)
		return -1;
	hash_init(&names);
	for (tail = &s->blocks; *tail != NULL; tail = &(*tail)->next)
		know(s, &names, *tail);
	for (b = o.blocks->next; b != NULL; b = next) {
		next = b->next;
		b->next = NULL;
		b->over = true;
		for (item = b->items; item != NULL; item = item->next)
			item->over = true;
		if (b->scope->named)
			b->name = conf_name_fold(s->pool, b->scope, b->name);
		same = b->scope->named ? find(&names, b) : NULL;
		if (same != NULL && !same->over) {
			set_over(s, same, b);
			continue;
		}
		*tail = b;
		tail = &b->next;
		s->nblocks++;
	}
	hash_fini(&names);
	return 0;
}

static void
know(struct conf_script *s, struct hash *names, struct conf_block *b)
{
	struct known *k;

	if (!b->scope->named || !b->scope->stored)
		return;
	k = POOL_NEW(s->pool, struct known);
	k->block = b;
	k->name = conf_name_fold(s->pool, b->scope, b->name);
	hash_add(names, &k->node, hash_bytes(k->name, strlen(k->name)));
}

static struct conf_block *
find(const struct hash *names, const struct conf_block *b)
{
	struct hash_node *node;
	const struct known *k;

	for (node = hash_first(names, hash_bytes(b->name, strlen(b->name)));
	     node != NULL; node = hash_next(node)) {
		k = COLL_OF(node, struct known, node);
		if (k->block->scope == b->scope &&
		    strcmp(k->name, b->name) == 0)
			return k->block;
	}
	return NULL;
}

static void
set_over(struct conf_script *s, struct conf_block *to,
    const struct conf_block *from)
{
	const struct conf_item *item;
	struct conf_item **at, *copy;

	for (item = from->items; item != NULL; item = item->next) {
		for (at = &to->items; *at != NULL &&
		    strcmp((*at)->key, item->key) != 0;)
			at = &(*at)->next;
		copy = pool_dup(s->pool, item, sizeof(*item));
		copy->next = *at != NULL ? (*at)->next : NULL;
		*at = copy;
	}
}

const char *
conf_place(const struct conf_script *s, const struct conf_block *b,
    const struct conf_item *item)
{
	bool over = item != NULL ? item->over : b->over;
	int line = item != NULL ? item->line : b->line;
	const char *place = NULL;

	if (!over)
		return pool_printf(s->pool, "%s:%d", s->file, line);
	if (s->over->place != NULL)
		place = s->over->place(s->over->arg, s->pool, b->scope->name,
		    b->name, item != NULL ? item->key : NULL);
	if (place != NULL)
		return pool_printf(s->pool, "%s: %s \"%s\"", place,
		    b->scope->name, b->name);
	if (s->over->lines)
		return pool_printf(s->pool, "%s:%d", s->over->name, line);
	return pool_printf(s->pool, b->scope->named ? "%s%s%s \"%s\"" :
	    "%s%s%s", s->over->name != NULL ? s->over->name : "",
	    s->over->name != NULL ? ": " : "", b->scope->name, b->name);
}

/* Of blocks without a name, the last one that has the setting. */
static const struct conf_block *
block_of(const struct conf *c, const struct conf_scope *scope,
    const char *name, const char *key, const struct conf_item **item_r)
{
	const struct conf_block *b, *found = NULL;
	const struct conf_item *item;

	*item_r = NULL;
	if (scope->named)
		name = conf_name_fold(c->pool, scope, name);
	for (b = c->script->blocks; b != NULL; b = b->next) {
		if (b->scope != scope || (scope->named && strcmp(name,
		    conf_name_fold(c->pool, scope, b->name)) != 0))
			continue;
		for (item = b->items; item != NULL; item = item->next) {
			if (key != NULL && strcmp(item->key, key) == 0)
				break;
		}
		if (item == NULL && *item_r != NULL)
			continue;
		found = b;
		*item_r = item;
	}
	return found;
}

const char *
conf_at(const struct conf *c, enum conf_scope_id id, const char *name,
    const char *key)
{
	const struct conf_scope *scope = &conf_scopes[id];
	const struct conf_item *item;
	const struct conf_block *b = block_of(c, scope, name, key, &item);
	const char *place = b == NULL ? c->file : conf_place(c->script, b,
	    item);

	/* Such a place has all of it. */
	if (b != NULL && (item != NULL ? item->over : b->over) &&
	    !c->script->over->lines)
		return place;
	if (scope->name[0] == '\0')
		return place;
	return pool_printf(c->pool, scope->named ? "%s: %s \"%s\"" :
	    "%s: %s", place, scope->name, name);
}

int
conf_blame(const struct conf *c, enum conf_scope_id id, const char *name,
    const char *key, struct err *why)
{
	return err_prefix(why, "%s: ", conf_at(c, id, name, key));
}
