/*
 * The blocks of a configuration as objects that people edit and that the
 * configuration store keeps (store/revs.h).
 *
 * An object is a block as the boot file has it, of a kind that may be in the
 * store: `destination "example.com" { tls = "required" }` has the kind
 * "destination", the name "example.com" and one item. A kind without names,
 * as delivery { }, has one object with the name "". Reading, writing and the
 * words in errors are the boot file's; one function writes, so that equal
 * objects are equal texts.
 */
#ifndef POLICY_CONF_OBJECT_H
#define POLICY_CONF_OBJECT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/pool.h"
#include "base/str.h"
#include "policy/conf.h"

#define CONF_OBJECT_SCOPE "scope" /* of an object, in saved texts */
#define CONF_OVER_MAX (64 * 1024 * 1024) /* octets of all objects */

struct conf_scope;

struct conf_object {
	const struct conf_scope *scope;
	const char *kind, *name;
	int line;  /* where it was read */
	const char *file; /* a person's, whose lines errors tell; or NULL */
	bool node; /* of this node only; saved texts say so */
	struct conf_item *items;
};

/* Reads a text of objects; what is in it belongs to the pool. Two with one
 * name are an error, so is what may not be in a store: "FILE:LINE: …". What
 * the settings are is looked at by conf_parse_over(). */
int conf_objects_read(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why);
/* Of a saved configuration: certificates are such objects as well, of the kinds
 * "certificate" and "authorities", which no store takes. */
int conf_objects_saved(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why);
bool conf_object_stored(const struct conf_object *o);
/* One for such a file. */
void conf_object_saved(struct pool *pool, bool authorities, const char *name,
    struct conf_object *o_r);
/* Those of a boot file that might be in a store; one with several blocks has
 * the items of all. */
int conf_objects_boot(struct pool *pool, const char *file, struct str text,
    struct conf_object **v_r, unsigned *n_r, struct err *why);
/* As text: keys in the order of the manual, those that are set. */
void conf_object_write(const struct conf_object *o, struct buf *dst);
/* With the scope as well, for a saved configuration. */
void conf_object_save(const struct conf_object *o, struct buf *dst);

/* The i-th kind that may be in a store; NULL: no more. */
const char *conf_kind(unsigned i);
/* NULL: there is none; the nearest is told. */
const struct conf_scope *conf_kind_find(const char *kind, struct err *why);
bool conf_kind_named(const struct conf_scope *scope);
/* The i-th setting of a kind; NULL: no more. Those of limits { } follow behind
 * a listener's own. */
const char *conf_kind_key(const struct conf_scope *scope, unsigned i);

/* An object without items. The name is checked, and folded to the form that
 * stands for all its spellings. */
int conf_object_new(struct pool *pool, const char *kind, const char *name,
    struct conf_object *o_r, struct err *why);
const struct conf_item *conf_object_get(const struct conf_object *o,
    const char *key);
/*
 * A setting as a person writes it on a command line: yes and no for true and
 * false, lists with commas or blanks, no quotes. "": it is not set any more;
 * "\"\"": it is the empty text. -1: there is no such setting; the nearest is
 * told.
 */
int conf_object_set(struct pool *pool, struct conf_object *o,
    const char *key, const char *value, struct err *why);
/* value NULL: not set any more. */
void conf_object_put(struct pool *pool, struct conf_object *o,
    const char *key, const struct conf_raw *value);
/* A list of texts, copied. */
struct conf_raw *conf_raw_list(struct pool *pool, const char *const *v,
    unsigned n);
/* A value as a file has it. */
void conf_raw_write(const struct conf_raw *raw, struct buf *dst);
/* A text in quotes, as Lua reads it. */
void conf_quote(struct str s, struct buf *dst);

#endif
