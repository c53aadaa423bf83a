#include "policy/conf_object.h"

#include <string.h>

#include "base/num.h"
#include "policy/conf_priv.h"

#define LIST_MAX_WORDS 10000

static int read_objects(struct conf_script *, struct conf_object **,
    unsigned *, struct err *);
static int own_name(struct pool *, struct conf_object *, struct hash *,
    struct err *);
static const struct conf_param *param_of(const struct conf_scope *,
    const char *);
static int unknown_key(const struct conf_scope *, const char *,
    struct err *);
static const struct conf_raw *raw_of(struct pool *,
    const struct conf_param *, const char *, struct err *);
static const struct conf_raw *raw_list(struct pool *, const char *, bool);
static bool next_word(struct str *, bool, struct str *);
static void put_item(struct pool *, struct conf_object *, const char *,
    const struct conf_raw *, int);
static void write_object(const struct conf_object *, bool, struct buf *);
static void write_key(const struct conf_object *, const char *,
    struct buf *);

struct named {
	struct hash_node node;
	const struct conf_object *o;
};

int
conf_objects_read(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why)
{
	struct conf_script s = { .pool = pool, .file = file, .text = text,
		.stored = true };

	return read_objects(&s, v_r, n_r, why);
}

int
conf_objects_saved(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why)
{
	struct conf_script s = { .pool = pool, .file = file, .text = text,
		.stored = true, .saved = true };

	return read_objects(&s, v_r, n_r, why);
}

bool
conf_object_stored(const struct conf_object *o)
{
	return o->scope->stored;
}

void
conf_object_saved(struct pool *pool, bool authorities, const char *name,
    struct conf_object *o_r)
{
	memset(o_r, 0, sizeof(*o_r));
	o_r->scope = &conf_scopes[authorities ? CONF_SCOPE_AUTHORITIES :
					       CONF_SCOPE_CERTIFICATE];
	o_r->kind = o_r->scope->name;
	o_r->name = pool_strdup(pool, name);
}

static int
read_objects(struct conf_script *s, struct conf_object **v_r, unsigned *n_r,
    struct err *why)
{
	struct pool *pool = s->pool;
	const struct conf_block *b;
	struct conf_object *v, *o;
	struct hash names;
	unsigned n = 0;
	int r = 0;

	if (conf_run(s, why) != 0)
		return -1;
	v = pool_alloc(pool, (s->nblocks + 1) * sizeof(*v));
	hash_init(&names);
	for (b = s->blocks->next; r == 0 && b != NULL; b = b->next) {
		o = &v[n++];
		o->scope = b->scope;
		o->kind = b->scope->name;
		o->name = b->name != NULL ? b->name : "";
		o->line = b->line;
		o->file = NULL;
		o->items = b->items;
		o->node = b->of_node;
		r = own_name(pool, o, &names, why);
		if (r != 0)
			(void)err_prefix(why, "%s:%d: ", s->file, o->line);
	}
	hash_fini(&names);
	if (r != 0)
		return -1;
	*v_r = v;
	*n_r = n;
	return 0;
}

int
conf_objects_boot(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why)
{
	struct conf_script s = { .pool = pool, .file = file, .text = text };
	const struct conf_block *b;
	const struct conf_item *item;
	struct conf_object *v, *o;
	unsigned n = 0;

	if (conf_run(&s, why) != 0)
		return -1;
	v = pool_alloc(pool, (s.nblocks + 1) * sizeof(*v));
	for (b = s.blocks; b != NULL; b = b->next) {
		if (!b->scope->stored)
			continue;
		for (o = v; o < v + n && (b->scope->named ||
		    o->scope != b->scope);)
			o++;
		if (o == v + n) {
			n++;
			o->scope = b->scope;
			o->kind = b->scope->name;
			o->name = b->name == NULL ? "" :
			    conf_name_fold(pool, b->scope, b->name);
			o->line = b->line;
			o->file = NULL;
		}
		for (item = b->items; item != NULL; item = item->next)
			put_item(pool, o, item->key, item->value, item->line);
	}
	*v_r = v;
	*n_r = n;
	return 0;
}

static int
own_name(struct pool *pool, struct conf_object *o, struct hash *names,
    struct err *why)
{
	struct hash_node *node;
	struct named *n;
	uint64_t hash;

	if (conf_name_check(pool, o->scope, o->name, why) != 0)
		return -1;
	o->name = conf_name_fold(pool, o->scope, o->name);
	hash = hash_bytes(o->name, strlen(o->name));
	for (node = hash_first(names, hash); node != NULL;
	     node = hash_next(node)) {
		n = COLL_OF(node, struct named, node);
		if (n->o->scope == o->scope &&
		    strcmp(n->o->name, o->name) == 0)
			return err_text(why, "%s \"%s\" is there already on "
			    "line %d", o->kind, o->name, n->o->line);
	}
	n = POOL_NEW(pool, struct named);
	n->o = o;
	hash_add(names, &n->node, hash);
	return 0;
}

void
conf_object_write(const struct conf_object *o, struct buf *dst)
{
	write_object(o, false, dst);
}

void
conf_object_save(const struct conf_object *o, struct buf *dst)
{
	write_object(o, o->node, dst);
}

static void
write_object(const struct conf_object *o, bool node, struct buf *dst)
{
	const struct conf_item *item;
	const char *key;
	unsigned i;

	(void)buf_add_c(dst, o->kind);
	if (o->scope->named) {
		(void)buf_add_char(dst, ' ');
		conf_quote(str_c(o->name), dst);
	}
	if (o->items == NULL && !node) {
		(void)buf_add_c(dst, " { }\n");
		return;
	}
	(void)buf_add_c(dst, " {\n");
	if (node)
		(void)buf_add_c(dst, "  " CONF_OBJECT_SCOPE " = \"node\",\n");
	for (i = 0; (key = conf_kind_key(o->scope, i)) != NULL; i++)
		write_key(o, key, dst);
	/* What is none of its settings is refused when it is parsed. */
	for (item = o->items; item != NULL; item = item->next) {
		if (param_of(o->scope, item->key) == NULL)
			write_key(o, item->key, dst);
	}
	(void)buf_add_c(dst, "}\n");
}

static void
write_key(const struct conf_object *o, const char *key, struct buf *dst)
{
	const struct conf_item *item = conf_object_get(o, key);
	const char *p = key;

	if (item == NULL)
		return;
	while (ch_alnum(*p) || *p == '_')
		p++;
	(void)buf_add_c(dst, "  ");
	if (*p == '\0' && *key != '\0') {
		(void)buf_add_c(dst, key);
	} else {
		(void)buf_add_char(dst, '[');
		conf_quote(str_c(key), dst);
		(void)buf_add_char(dst, ']');
	}
	(void)buf_add_c(dst, " = ");
	conf_raw_write(item->value, dst);
	(void)buf_add_c(dst, ",\n");
}

struct conf_raw *
conf_raw_list(struct pool *pool, const char *const *v, unsigned n)
{
	struct conf_raw *raw = POOL_NEW(pool, struct conf_raw), *one;
	unsigned i;

	raw->type = RAW_LIST;
	raw->n = n;
	raw->v = pool_alloc(pool, (n + 1) * sizeof(*raw->v));
	for (i = 0; i < n; i++) {
		one = raw->v[i] = POOL_NEW(pool, struct conf_raw);
		one->type = RAW_STRING;
		one->s = pool_str(pool, str_c(v[i]));
	}
	return raw;
}

void
conf_raw_write(const struct conf_raw *raw, struct buf *dst)
{
	unsigned i;

	switch (raw->type) {
	case RAW_BOOL:
		(void)buf_add_c(dst, raw->b ? "true" : "false");
		return;
	case RAW_INT:
		(void)buf_printf(dst, "%jd", (intmax_t)raw->i);
		return;
	case RAW_STRING:
		conf_quote(raw->s, dst);
		return;
	case RAW_LIST:
		(void)buf_add_c(dst, "{");
		for (i = 0; i < raw->n; i++) {
			(void)buf_add_c(dst, i > 0 ? ", " : " ");
			conf_raw_write(raw->v[i], dst);
		}
		(void)buf_add_c(dst, " }");
		return;
	}
	panic("type %d", (int)raw->type);
}

void
conf_quote(struct str s, struct buf *dst)
{
	size_t i;

	(void)buf_add_char(dst, '"');
	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			(void)buf_printf(dst, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			(void)buf_printf(dst, "\\%03u", c);
		else
			(void)buf_add_char(dst, s.p[i]);
	}
	(void)buf_add_char(dst, '"');
}

const char *
conf_kind(unsigned i)
{
	const struct conf_scope *s;

	for (s = conf_scopes; s < conf_scopes + CONF_SCOPES; s++) {
		if (s->stored && i-- == 0)
			return s->name;
	}
	return NULL;
}

const struct conf_scope *
conf_kind_find(const char *kind, struct err *why)
{
	size_t len = strlen(kind);
	unsigned d, least = (unsigned)(len < 3 ? 2 : len / 3 + 2);
	const struct conf_scope *s;
	const char *near = NULL;

	for (s = conf_scopes; s < conf_scopes + CONF_SCOPES; s++) {
		if (strcmp(s->name, kind) == 0 && s->name[0] != '\0') {
			if (s->stored)
				return s;
			(void)err_text(why, "%s { } belongs in the boot file, "
			    "not in the configuration store", kind);
			return NULL;
		}
		d = str_distance(str_c(kind), str_c(s->name));
		if (s->stored && d < least) {
			least = d;
			near = s->name;
		}
	}
	(void)err_text(why, "\"%.60s\" is no kind of object%s%s%s", kind,
	    near != NULL ? " (did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?)" : "");
	return NULL;
}

bool
conf_kind_named(const struct conf_scope *scope)
{
	return scope->named;
}

const char *
conf_kind_key(const struct conf_scope *scope, unsigned i)
{
	const struct conf_scope *second = conf_scope_second(scope);

	if (i < scope->nparam)
		return scope->param[i].name;
	i -= (unsigned)scope->nparam;
	return second != NULL && i < second->nparam ? second->param[i].name :
						      NULL;
}

static const struct conf_param *
param_of(const struct conf_scope *scope, const char *key)
{
	const struct conf_param *p = conf_param_find(scope, key);
	const struct conf_scope *second = conf_scope_second(scope);

	return p != NULL || second == NULL ? p : conf_param_find(second, key);
}

int
conf_object_new(struct pool *pool, const char *kind, const char *name,
    struct conf_object *o_r, struct err *why)
{
	const struct conf_scope *scope = conf_kind_find(kind, why);

	if (scope == NULL)
		return -1;
	if (!scope->named && name[0] != '\0')
		return err_text(why, "%s { } has no name", kind);
	if (scope->named && name[0] == '\0')
		return err_text(why, "a %s needs a name", kind);
	if (conf_name_check(pool, scope, name, why) != 0)
		return -1;
	memset(o_r, 0, sizeof(*o_r));
	o_r->scope = scope;
	o_r->kind = scope->name;
	o_r->name = conf_name_fold(pool, scope, pool_strdup(pool, name));
	return 0;
}

const struct conf_item *
conf_object_get(const struct conf_object *o, const char *key)
{
	const struct conf_item *item;

	for (item = o->items; item != NULL; item = item->next) {
		if (strcmp(item->key, key) == 0)
			return item;
	}
	return NULL;
}

int
conf_object_set(struct pool *pool, struct conf_object *o, const char *key,
    const char *value, struct err *why)
{
	const struct conf_param *p = param_of(o->scope, key);
	const struct conf_raw *raw = NULL;

	if (p == NULL)
		return unknown_key(o->scope, key, why);
	if (value[0] != '\0') {
		raw = raw_of(pool, p, value, why);
		if (raw == NULL)
			return -1;
	}
	conf_object_put(pool, o, key, raw);
	return 0;
}

static int
unknown_key(const struct conf_scope *scope, const char *key, struct err *why)
{
	const char *near = conf_nearest(scope, conf_scope_second(scope), key);

	return err_text(why, "unknown setting \"%.60s\" in %s%s%s%s", key,
	    scope->name, near != NULL ? " (did you mean \"" : "",
	    near != NULL ? near : "", near != NULL ? "\"?)" : "");
}

void
conf_object_put(struct pool *pool, struct conf_object *o, const char *key,
    const struct conf_raw *value)
{
	put_item(pool, o, key, value, 0);
}

static void
put_item(struct pool *pool, struct conf_object *o, const char *key,
    const struct conf_raw *value, int line)
{
	struct conf_item *item, **at, *first = NULL, **to = &first;
	const struct conf_item *old;

	/* The items may be another object's as well: they are copied. */
	for (old = o->items; old != NULL; old = old->next) {
		if (strcmp(old->key, key) == 0)
			continue;
		item = pool_dup(pool, old, sizeof(*old));
		item->next = NULL;
		*to = item;
		to = &item->next;
	}
	at = to;
	if (value != NULL) {
		item = POOL_NEW(pool, struct conf_item);
		item->key = pool_strdup(pool, key);
		item->value = value;
		item->line = line;
		*at = item;
	}
	o->items = first;
}

static const struct conf_raw *
raw_of(struct pool *pool, const struct conf_param *p, const char *value,
    struct err *why)
{
	struct conf_raw *raw = POOL_NEW(pool, struct conf_raw);
	struct str s = str_c(value);
	uint64_t n;

	switch (p->type) {
	case CONF_BOOL:
		raw->type = RAW_BOOL;
		raw->b = str_ieq_c(s, "true") || str_ieq_c(s, "yes") ||
		    str_ieq_c(s, "on") || str_ieq_c(s, "1");
		if (raw->b || str_ieq_c(s, "false") || str_ieq_c(s, "no") ||
		    str_ieq_c(s, "off") || str_ieq_c(s, "0"))
			return raw;
		(void)err_text(why, "%s must be %s", p->name,
		    conf_type_name(p->type));
		return NULL;
	case CONF_INT:
	case CONF_SIZE:
	case CONF_DURATION:
		if (num_u64(s, UINT32_MAX, &n) == 0) {
			raw->type = RAW_INT;
			raw->i = (int64_t)n;
			return raw;
		}
		break;
	case CONF_STRINGS:
	case CONF_PATHS:
	case CONF_NETS:
	case CONF_ADDRS:
		return raw_list(pool, value,
		    strcmp(p->range, "commas between") == 0);
	case CONF_STRING:
	case CONF_PATH:
	case CONF_CHOICE:
	case CONF_WANT:
		break;
	}
	raw->type = RAW_STRING;
	raw->s = strcmp(value, "\"\"") == 0 ? STR("") : pool_str(pool, s);
	return raw;
}

static const struct conf_raw *
raw_list(struct pool *pool, const char *value, bool commas)
{
	struct conf_raw *raw = POOL_NEW(pool, struct conf_raw), *one;
	struct str rest = str_c(value), piece, word;
	size_t most = rest.n / 2 + 1;

	if (most > LIST_MAX_WORDS)
		most = LIST_MAX_WORDS;
	raw->type = RAW_LIST;
	raw->v = pool_alloc(pool, most * sizeof(*raw->v));
	if (strcmp(value, "\"\"") == 0)
		return raw;
	while (str_split(&rest, ',', &piece)) {
		while (raw->n < most && next_word(&piece, commas, &word)) {
			one = POOL_NEW(pool, struct conf_raw);
			one->type = RAW_STRING;
			one->s = pool_str(pool, word);
			raw->v[raw->n++] = one;
		}
	}
	return raw;
}

/* The whole piece may be one, with the blanks in it. */
static bool
next_word(struct str *piece, bool whole, struct str *word_r)
{
	if (!whole)
		return str_word(piece, word_r);
	*word_r = str_trim(*piece);
	*piece = STR_NULL;
	return word_r->n > 0;
}
