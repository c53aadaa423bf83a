/*
 * Private to policy/conf*.c: the boot file between Lua and the structs.
 */
#ifndef POLICY_CONF_PRIV_H
#define POLICY_CONF_PRIV_H

#include "base/coll.h"
#include "policy/conf.h"

#define CONF_MAGIC 0xc04f0001u
#define CONF_STANDS_MAX 16 /* blocks that stand for plugins */

/* One `scope { … }` or `scope "name" { … }`; the top level is one as well. */
struct conf_block {
	const struct conf_scope *scope;
	const char *name; /* NULL: none */
	const char *of;	  /* the plugin of an instance that has a name */
	int line;
	bool over; /* the store's */
	bool of_node; /* scope = "node", of a saved configuration */
	struct conf_item *items;
	struct conf_block *next;
	struct hash_node node; /* by name, of conf.c */
};

struct conf_script {
	struct pool *pool;
	const char *file;
	struct str text;
	bool stored; /* only what may be in a store */
	bool saved;  /* and what a saved configuration has besides */
	const struct conf_over *over; /* what went over it; NULL: nothing */
	struct conf_block *blocks; /* in order; the first is the top level */
	unsigned nblocks;
};

enum conf_type {
	CONF_STRING,
	CONF_PATH,
	CONF_BOOL,
	CONF_INT,
	CONF_SIZE,
	CONF_DURATION,
	CONF_CHOICE,
	CONF_STRINGS,
	CONF_PATHS,
	CONF_NETS,
	CONF_ADDRS,
	CONF_WANT
};

struct conf_param {
	const char *name;
	enum conf_type type;
	size_t offset;
	const char *def, *range, *help;
};

enum conf_scope_id {
	CONF_SCOPE_TOP,
	CONF_SCOPE_LOG,
	CONF_SCOPE_LISTENER,
	CONF_SCOPE_LIMITS,
	CONF_SCOPE_GROUP,
	CONF_SCOPE_FLOW,
	CONF_SCOPE_RAT,
	CONF_SCOPE_EXCEPTION,
	CONF_SCOPE_DNS,
	CONF_SCOPE_RELAY,
	CONF_SCOPE_DELIVERY,
	CONF_SCOPE_TLS,
	CONF_SCOPE_DESTINATION,
	CONF_SCOPE_ROUTE,
	CONF_SCOPE_PROFILE,
	CONF_SCOPE_QUEUE,
	CONF_SCOPE_ALERTS,
	CONF_SCOPE_ALERT_RECIPIENT,
	CONF_SCOPE_POLICY,
	CONF_SCOPE_PLUGIN,
	CONF_SCOPE_ORDER,
	CONF_SCOPE_CERTIFICATE, /* these are in saved files only */
	CONF_SCOPE_AUTHORITIES,
	CONF_SCOPES
};

struct conf_scope {
	const char *name; /* the word in the file; "" for the top level */
	bool named;
	bool stored; /* may be in the configuration store */
	const struct conf_param *param;
	size_t nparam;
};

extern const struct conf_scope conf_scopes[CONF_SCOPES];

/* The one whose settings it takes besides its own; or NULL. */
const struct conf_scope *conf_scope_second(const struct conf_scope *scope);
/* Is it in the file of a saved configuration only? */
bool conf_scope_saved(const struct conf_scope *scope);

const struct conf_param *conf_param_find(const struct conf_scope *scope,
    const char *name);
/* The nearest name of the scope (and of second, if not NULL), or NULL. */
const char *conf_nearest(const struct conf_scope *scope,
    const struct conf_scope *second, const char *word);
const char *conf_type_name(enum conf_type type);

/* Runs the file; fills s->blocks. s->pool, file, text, stored and saved are
 * given. */
int conf_run(struct conf_script *s, struct err *why);
/* The line on which key is set, from a line on; that line if not found. */
int conf_locate(struct str text, int line, const char *key);

/* conf_over.c: runs its text; its blocks go over those of s. */
int conf_over_apply(struct conf_script *s, const struct conf_over *over,
    struct err *why);
/* "FILE:LINE", or "revision 12: destination "example.com"", of an item or
 * (NULL) of the block. */
const char *conf_place(const struct conf_script *s,
    const struct conf_block *b, const struct conf_item *item);
/* The same with the block's kind and name, whoever made it, for what is found
 * wrong when the blocks are looked at together: that of a setting, or with key
 * NULL, or one that nobody set, of the block. */
const char *conf_at(const struct conf *c, enum conf_scope_id id,
    const char *name, const char *key);
/* Puts that in front of *why; -1. */
int conf_blame(const struct conf *c, enum conf_scope_id id, const char *name,
    const char *key, struct err *why);
/* Names that mean the same are one. */
const char *conf_name_fold(struct pool *pool, const struct conf_scope *scope,
    const char *name);
/* A name that such a block cannot have. */
int conf_name_check(struct pool *pool, const struct conf_scope *scope,
    const char *name, struct err *why);
/* Where the store is unless it is said. */
void conf_over_default(struct conf *c);

/* Value to field; dir: what relative paths are relative to. why has no
 * place in it yet. */
int conf_value_set(struct pool *pool, const char *dir,
    const struct conf_param *p, void *base, const struct conf_raw *raw,
    struct err *why);
void conf_value_default(struct pool *pool, const struct conf_param *p,
    void *base);
void conf_value_text(const struct conf_param *p, const void *base,
    struct buf *dst);

/* conf_plugin.c: a block's own settings are set in p, the others are its
 * items. */
int conf_plugin_apply(struct conf *c, struct conf_plugin *p,
    const struct conf_block *b, struct err *why);
void conf_plugin_dump(const struct conf_plugin *p, struct buf *dst);
/* A block of another kind that stands for a plugin; before the blocks of
 * plugins are applied. Its items are given in the order they are dumped in. */
struct conf_plugin *conf_stands_for(struct conf *c, const char *plugin,
    const char *name, const char *by, int line);
void conf_stands_text(struct conf *c, struct conf_plugin *p, const char *key,
    const char *value);
void conf_stands_raw(struct conf *c, struct conf_plugin *p, const char *key,
    const struct conf_raw *raw);
void conf_stands_number(struct conf *c, struct conf_plugin *p, const char *key,
    uint64_t n);
void conf_stands_list(struct conf *c, struct conf_plugin *p, const char *key,
    const char *const *v, unsigned n);

/* conf_alerts.c: alerts { }; and a recipient, why has no place in it yet. */
int conf_build_alerts(const struct conf *c, struct err *why);
int conf_alert_recipient_check(const struct conf_alert_recipient *r,
    struct err *why);
/* The plugin that they stand for. */
void conf_alerts_stand(struct conf *c, int line);

/* conf_stands.c: makes the plugins that other blocks stand for. */
void conf_stands(struct conf *c, const struct conf_block *blocks);

/* Fills smtpd_conf, relay_conf, profiles and routes from the settings. */
int conf_build(struct conf *c, const struct conf_reader *reader,
    struct err *why);
/* The part of it in conf_dest.c, when routes are built. */
int conf_build_destinations(struct conf *c, const struct conf_reader *reader,
    struct err *why);
const struct queue_profile *conf_profile_find(const struct conf *c,
    const char *name);
/* conf_hat.c: sender groups and mail flow policies; listeners' own settings
 * are built. */
int conf_build_hat(struct conf *c, const struct conf_reader *reader,
    struct err *why);
void conf_hat_dump(const struct conf *c, struct buf *dst);
/* conf_takes.c: the recipient access table, and that of senders. */
int conf_build_rat(struct conf *c, struct err *why);
/* What the SMTP server takes, of a listener with such limits. */
void conf_build_smtpd(const struct conf *c, const struct conf_listener *l,
    struct conf_flow *f);
/* The i-th want of the settings, one of no demands where none is given; NULL:
 * no more. */
const struct tlswant *conf_want(const struct conf *c, unsigned i);
/* Where the store's own list of roots would be. */
const char *conf_store_ca(const struct conf *c, struct pool *pool);

#endif
