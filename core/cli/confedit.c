#include "cli/confedit_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/obj.h"

/* All bodies are read as one text: that is a hundred times as fast. */
struct reading {
	struct confedit *ce;
	struct buf text;
	struct edited *first, **last;
};

static int forget(struct confedit *, struct err *);
static int read_store(struct confedit *, struct err *);
static int read_all(struct confedit *, struct err *);
static int on_object(void *, const struct revs_object *, struct err *);
static int on_draft(void *, const struct revs_object *, struct err *);
static struct edited *find(const struct confedit *, const char *,
    const char *);
static struct edited *entry(struct confedit *, const struct conf_object *);
static void entry_add(struct confedit *, struct edited *);
static int set(struct confedit *, const char *, const char *, struct step *,
    struct err *);
static void step_add(struct confedit *, const struct step *);
static int step_take(struct confedit *, const struct step *, struct err *);
static int parse(struct confedit *, struct conf **, struct err *);
static int write_draft(struct confedit *, struct err *);
static void sort(struct confedit *);
static int by_name(const void *, const void *);

int
confedit_open(struct confedit **ce_r, const char *conf_file, struct err *why)
{
	struct confedit *ce;
	struct conf *c = NULL;
	int r;

	OBJ_NEW(ce, CONFEDIT_MAGIC);
	ce->pool = pool_new(0);
	ce->now = pool_new(0);
	ce->file = pool_strdup(ce->pool, conf_file);
	ce->who = confedit_who_am_i(ce->pool);
	ce->last = &ce->steps;
	hash_init(&ce->names);
	buf_init(&ce->boot, CONF_MAX);
	r = file_read(&ce->boot, conf_file, why);
	if (r == 0)
		r = conf_parse_top(&c, ce->file, buf_str(&ce->boot), why);
	if (r == 0) {
		ce->path = pool_strdup(ce->pool, c->top.config);
		ce->run = pool_strdup(ce->pool, c->top.run);
		r = revs_open(&ce->store, ce->path, false, why);
	}
	conf_unref(&c);
	if (r == 0)
		r = confedit_refresh(ce, why);
	if (r != 0) {
		confedit_close(&ce);
		return -1;
	}
	*ce_r = ce;
	return 0;
}

void
confedit_close(struct confedit **cep)
{
	struct confedit *ce = *cep;

	if (ce == NULL)
		return;
	OBJ_CHECK(ce, CONFEDIT_MAGIC);
	*cep = NULL;
	revs_close(&ce->store);
	conf_unref(&ce->conf);
	hash_fini(&ce->names);
	mem_free(ce->v);
	buf_fini(&ce->boot);
	pool_destroy(&ce->now);
	pool_destroy(&ce->pool);
	OBJ_FREE(ce);
}

int
confedit_need_store(struct confedit *ce, struct err *why)
{
	return ce->store != NULL ? 0 :
	    revs_open(&ce->store, ce->path, true, why);
}

int
confedit_refresh(struct confedit *ce, struct err *why)
{
	struct err no = ERR_INIT;

	OBJ_CHECK(ce, CONFEDIT_MAGIC);
	if (forget(ce, why) != 0)
		return -1;
	conf_unref(&ce->conf);
	err_clear(&ce->broken);
	if (parse(ce, &ce->conf, &no) != 0 ||
	    confedit_check_head(ce, &no) != 0) {
		ce->broken = no;
		conf_unref(&ce->conf);
	}
	return 0;
}

/* What was not saved; all is as the store has it now. */
static int
forget(struct confedit *ce, struct err *why)
{
	int r;

	ce->steps = NULL;
	ce->last = &ce->steps;
	ce->text_file = NULL;
	if (ce->store == NULL)
		return read_store(ce, why);
	if (revs_begin(ce->store, false, why) != 0)
		return -1;
	r = read_store(ce, why);
	(void)revs_end(ce->store, false, NULL);
	return r;
}

/* Within a transaction. */
static int
read_store(struct confedit *ce, struct err *why)
{
	hash_fini(&ce->names);
	hash_init(&ce->names);
	pool_destroy(&ce->now);
	ce->now = pool_new(0);
	ce->n = 0;
	ce->sorted = true;
	ce->changes = 0;
	ce->head = ce->serial = 0;
	return ce->store == NULL ? 0 : read_all(ce, why);
}

static int
read_all(struct confedit *ce, struct err *why)
{
	struct reading rd = { .ce = ce, .last = &rd.first };
	struct conf_object *v;
	struct edited *e;
	unsigned i = 0, n;
	int r;

	if (revs_head(ce->store, &ce->head, why) != 0 ||
	    revs_serial(ce->store, &ce->serial, why) != 0 ||
	    revs_draft(ce->store, on_draft, ce, why) != 0)
		return -1;
	buf_init(&rd.text, CONF_OVER_MAX);
	r = revs_merged(ce->store, on_object, &rd, why);
	if (r == 0)
		r = conf_objects_read(ce->now, ce->path, buf_str(&rd.text),
		    &v, &n, why);
	for (e = rd.first; r == 0 && e != NULL && i < n; e = e->next) {
		v[i].node = e->o.node;
		e->o = v[i++];
		entry_add(ce, e);
	}
	if (r == 0 && (e != NULL || i < n))
		r = err_text(why, "%s: a body is not one object", ce->path);
	buf_fini(&rd.text);
	return r;
}

static int
on_draft(void *arg, const struct revs_object *o, struct err *why)
{
	struct confedit *ce;

	OBJ_CAST(ce, arg, CONFEDIT_MAGIC);
	(void)why;
	if (ce->changes++ == 0) {
		ce->changed_by = pool_strdup(ce->now, o->who);
		ce->changed_at = o->at;
	} else if (strcmp(ce->changed_by, o->who) != 0 &&
	    strstr(ce->changed_by, " and others") == NULL) {
		ce->changed_by = pool_printf(ce->now, "%s and others",
		    ce->changed_by);
	}
	if (o->at < ce->changed_at)
		ce->changed_at = o->at;
	return 0;
}

static int
on_object(void *arg, const struct revs_object *o, struct err *why)
{
	struct reading *rd = arg;
	struct edited *e;

	e = POOL_NEW(rd->ce->now, struct edited);
	e->o.node = o->node;
	e->there = true;
	*rd->last = e;
	rd->last = &e->next;
	return buf_add_str(&rd->text, o->body) == 0 ? 0 :
	    err_text(why, "the objects have more than %d octets",
		CONF_OVER_MAX);
}

const struct conf *
confedit_conf(const struct confedit *ce)
{
	return ce->conf;
}

const char *
confedit_broken(const struct confedit *ce)
{
	return ce->broken.text;
}

static struct edited *
find(const struct confedit *ce, const char *kind, const char *name)
{
	const struct hash_node *node;
	struct edited *e;

	for (node = hash_first(&ce->names, hash_bytes(name, strlen(name)));
	     node != NULL; node = hash_next(node)) {
		e = COLL_OF(node, struct edited, node);
		if (strcmp(e->o.name, name) == 0 &&
		    strcmp(e->o.kind, kind) == 0)
			return e;
	}
	return NULL;
}

/* That of an object, made if need be. */
static struct edited *
entry(struct confedit *ce, const struct conf_object *o)
{
	struct edited *e = find(ce, o->kind, o->name);

	if (e != NULL)
		return e;
	e = POOL_NEW(ce->now, struct edited);
	e->o = *o;
	e->o.items = NULL;
	entry_add(ce, e);
	return e;
}

static void
entry_add(struct confedit *ce, struct edited *e)
{
	if (ce->n == ce->cap) {
		ce->cap = ce->cap == 0 ? 64 : 2 * ce->cap;
		ce->v = mem_realloc(ce->v, ce->cap * sizeof(*ce->v));
	}
	hash_add(&ce->names, &e->node,
	    hash_bytes(e->o.name, strlen(e->o.name)));
	if (ce->n > 0 && by_name(&ce->v[ce->n - 1], &e) > 0)
		ce->sorted = false;
	ce->v[ce->n++] = e;
}

const struct conf_object *
confedit_get(struct confedit *ce, const char *kind, const char *name)
{
	struct conf_object o;
	const struct edited *e;

	if (conf_object_new(ce->now, kind, name, &o, NULL) != 0)
		return NULL;
	e = find(ce, o.kind, o.name);
	return e != NULL && e->there ? &e->o : NULL;
}

const struct conf_object *
confedit_boot(struct confedit *ce, const char *kind, const char *name)
{
	struct conf_object o;
	unsigned i;

	if (conf_object_new(ce->now, kind, name, &o, NULL) != 0)
		return NULL;
	if (!ce->boot_read &&
	    conf_objects_boot(ce->pool, ce->file, buf_str(&ce->boot),
		&ce->booted, &ce->nbooted, NULL) != 0)
		return NULL;
	ce->boot_read = true;
	for (i = 0; i < ce->nbooted; i++) {
		if (ce->booted[i].scope == o.scope &&
		    strcmp(ce->booted[i].name, o.name) == 0)
			return &ce->booted[i];
	}
	return NULL;
}

const struct conf_object *
confedit_at(struct confedit *ce, const char *kind, unsigned i)
{
	unsigned k;

	sort(ce);
	for (k = 0; k < ce->n; k++) {
		if (ce->v[k]->there &&
		    (kind == NULL || strcmp(ce->v[k]->o.kind, kind) == 0) &&
		    i-- == 0)
			return &ce->v[k]->o;
	}
	return NULL;
}

const struct conf_object *const *
confedit_all(struct confedit *ce, unsigned *n_r)
{
	const struct conf_object **v = pool_alloc(ce->now,
	    (ce->n + 1) * sizeof(*v));
	unsigned i, n = 0;

	sort(ce);
	for (i = 0; i < ce->n; i++) {
		if (ce->v[i]->there)
			v[n++] = &ce->v[i]->o;
	}
	*n_r = n;
	return v;
}

static void
sort(struct confedit *ce)
{
	if (!ce->sorted && ce->n > 1)
		qsort(ce->v, ce->n, sizeof(struct edited *), by_name);
	ce->sorted = true;
}

static int
by_name(const void *a, const void *b)
{
	const struct edited *x = *(const struct edited *const *)a;
	const struct edited *y = *(const struct edited *const *)b;
	int r = strcmp(x->o.kind, y->o.kind);

	return r != 0 ? r : strcmp(x->o.name, y->o.name);
}

int
confedit_set(struct confedit *ce, const char *kind, const char *name,
    const char *key, const char *value, struct err *why)
{
	struct step s = { .what = STEP_SET, .node = ce->node,
		.key = pool_strdup(ce->pool, key),
		.value = pool_strdup(ce->pool, value) };

	return set(ce, kind, name, &s, why);
}

int
confedit_set_raw(struct confedit *ce, const char *kind, const char *name,
    const char *key, const struct conf_raw *value, struct err *why)
{
	struct step s = { .what = STEP_SET, .node = ce->node,
		.key = pool_strdup(ce->pool, key), .raw = value };

	return set(ce, kind, name, &s, why);
}

static int
set(struct confedit *ce, const char *kind, const char *name, struct step *s,
    struct err *why)
{
	if (conf_object_new(ce->pool, kind, name, &s->o, why) != 0)
		return -1;
	if (step_take(ce, s, why) != 0)
		return err_prefix(why, s->o.name[0] != '\0' ? "%s \"%s\": " :
		    "%s: ", s->o.kind, s->o.name);
	step_add(ce, s);
	return 0;
}

int
confedit_new(struct confedit *ce, const char *kind, const char *name,
    struct err *why)
{
	struct step s = { .what = STEP_NEW, .node = ce->node };

	if (conf_object_new(ce->pool, kind, name, &s.o, why) != 0)
		return -1;
	(void)step_take(ce, &s, why);
	step_add(ce, &s);
	return 0;
}

void
confedit_put(struct confedit *ce, const struct conf_object *o)
{
	struct step s = { .what = STEP_PUT, .node = ce->node || o->node,
		.o = *o };

	(void)step_take(ce, &s, NULL);
	step_add(ce, &s);
}

int
confedit_delete(struct confedit *ce, const char *kind, const char *name,
    struct err *why)
{
	struct step s = { .what = STEP_DELETE };

	if (conf_object_new(ce->pool, kind, name, &s.o, why) != 0 ||
	    step_take(ce, &s, why) != 0)
		return -1;
	step_add(ce, &s);
	return 0;
}

int
confedit_replace(struct confedit *ce, const char *file, struct str text,
    struct err *why)
{
	struct step empty = { .what = STEP_EMPTY };
	struct conf_object *v;
	unsigned i, n;

	if (conf_objects_saved(ce->pool, file, text, &v, &n, why) != 0)
		return -1;
	(void)step_take(ce, &empty, why);
	step_add(ce, &empty);
	for (i = 0; i < n; i++) {
		if (conf_object_stored(&v[i]))
			confedit_put(ce, &v[i]);
	}
	ce->text_file = pool_strdup(ce->pool, file);
	ce->text = pool_str(ce->pool, text);
	return 0;
}

void
confedit_scope(struct confedit *ce, bool node)
{
	ce->node = node;
}

static void
step_add(struct confedit *ce, const struct step *s)
{
	*ce->last = pool_dup(ce->pool, s, sizeof(*s));
	ce->last = &(*ce->last)->next;
	ce->text_file = NULL;
}

static int
step_take(struct confedit *ce, const struct step *s, struct err *why)
{
	struct edited *e;
	unsigned i;

	if (s->what == STEP_EMPTY) {
		for (i = 0; i < ce->n; i++) {
			ce->v[i]->touched = true;
			ce->v[i]->there = false;
			ce->v[i]->o.items = NULL;
		}
		return 0;
	}
	if (s->what == STEP_DELETE) {
		e = find(ce, s->o.kind, s->o.name);
		if (e == NULL || !e->there)
			return err_text(why, s->o.name[0] != '\0' ?
			    "the store has no %s \"%s\"" :
			    "the store has no %s", s->o.kind, s->o.name);
		e->there = false;
		e->touched = true;
		e->o.items = NULL;
		return 0;
	}
	e = entry(ce, &s->o);
	if (s->what == STEP_SET && s->raw != NULL)
		conf_object_put(ce->now, &e->o, s->key, s->raw);
	else if (s->what == STEP_SET &&
	    conf_object_set(ce->now, &e->o, s->key, s->value, why) != 0)
		return -1;
	if (s->what == STEP_PUT) {
		e->o.items = s->o.items;
		e->o.file = s->o.file;
		e->o.line = s->o.line;
	}
	e->there = e->touched = true;
	e->o.node = s->node;
	return 0;
}

int
confedit_save(struct confedit *ce, struct err *why)
{
	const struct step *s;
	struct conf *c = NULL;
	uint64_t serial = 0;
	int r;

	if (ce->steps == NULL)
		return 0;
	if (confedit_need_store(ce, why) != 0)
		return -1;
	if (revs_begin(ce->store, true, why) != 0)
		return -1;
	r = revs_serial(ce->store, &serial, why);
	/* Somebody else was here: our steps go on what is there now. */
	if (r == 0 && serial != ce->serial) {
		r = read_store(ce, why);
		for (s = ce->steps; r == 0 && s != NULL; s = s->next)
			r = step_take(ce, s, why);
	}
	if (r == 0)
		r = parse(ce, &c, why);
	if (r == 0)
		r = write_draft(ce, why);
	if (revs_end(ce->store, r == 0, why) != 0)
		r = -1;
	if (r == 0) {
		conf_unref(&ce->conf);
		ce->conf = c;
		c = NULL;
		err_clear(&ce->broken);
		confedit_warn(ce);
	}
	conf_unref(&c);
	return forget(ce, r == 0 ? why : NULL) == 0 ? r : -1;
}

int
confedit_try(struct confedit *ce, struct err *why)
{
	struct conf *c = NULL;
	int r = parse(ce, &c, why);

	conf_unref(&c);
	return r;
}

/* The whole, as it would be; the person's own text where there is one, so that
 * errors have its lines. */
static int
parse(struct confedit *ce, struct conf **c_r, struct err *why)
{
	struct conf_over over = { .text = ce->text, .lines = true,
		.place = confedit_place, .arg = ce };
	struct buf text;
	unsigned i;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	over.name = ce->text_file;
	if (ce->text_file == NULL) {
		sort(ce);
		for (i = 0; i < ce->n; i++) {
			if (ce->v[i]->there)
				conf_object_write(&ce->v[i]->o, &text);
		}
		over.lines = false;
		over.text = buf_str(&text);
	}
	r = buf_full(&text) ? err_text(why, "the objects have more than %d "
	    "octets", CONF_OVER_MAX) :
	    conf_parse_over(c_r, ce->file, buf_str(&ce->boot), &over,
		&conf_reader_none, why);
	buf_fini(&text);
	return r;
}

static int
write_draft(struct confedit *ce, struct err *why)
{
	struct revs_object o = { .who = ce->who, .at = clock_wall() };
	struct buf text;
	unsigned i;
	int r = 0;

	buf_init(&text, CONF_OVER_MAX);
	for (i = 0; r == 0 && i < ce->n; i++) {
		if (!ce->v[i]->touched)
			continue;
		buf_reset(&text);
		if (ce->v[i]->there)
			conf_object_write(&ce->v[i]->o, &text);
		o.kind = ce->v[i]->o.kind;
		o.name = ce->v[i]->o.name;
		o.node = ce->v[i]->o.node;
		o.body = ce->v[i]->there ? buf_str(&text) : STR_NULL;
		r = revs_put(ce->store, &o, why);
	}
	buf_fini(&text);
	return r;
}
