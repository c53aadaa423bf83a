#include "policy/conf_priv.h"

#include <limits.h>
#include <stdlib.h>

#include "base/obj.h"

struct job {
	struct conf *c;
	struct conf_script script;
};

static void	begin(struct job *, const char *, struct str);
static int	apply(struct job *, struct err *);
static int	apply_blocks(struct job *, enum conf_scope_id, struct err *);
static int	apply_one(struct job *, enum conf_scope_id, struct conf_block *,
		    struct hash *, struct err *);
static const char *tls_place(const struct job *, const struct conf_block *);
static const struct conf_block *name_take(struct hash *, struct conf_block *);
static void	*named_new(struct conf *, enum conf_scope_id,
		    const struct conf_block *);
static int	apply_block(struct job *, const struct conf_block *, void *,
		    struct err *);
static int	apply_item(struct job *, const struct conf_block *,
		    const struct conf_item *, void *, struct err *);
static int	check_required(struct job *, const struct conf_block *,
		    struct err *);
static void	set_defaults(struct conf *, enum conf_scope_id, void *);
static void	*plain_base(struct conf *, enum conf_scope_id);
static void	dump_scope(struct buf *, enum conf_scope_id, const char *,
		    const void *, const void *);

int
conf_parse(struct conf **conf_r, const char *file, struct str text,
    const struct conf_reader *reader, struct err *why)
{
	return conf_parse_over(conf_r, file, text, NULL, reader, why);
}

int
conf_parse_over(struct conf **conf_r, const char *file, struct str text,
    const struct conf_over *over, const struct conf_reader *reader,
    struct err *why)
{
	struct job j;
	int r;

	begin(&j, file, text);
	r = conf_run(&j.script, why);
	if (r == 0 && over != NULL)
		r = conf_over_apply(&j.script, over, why);
	j.c->script = pool_dup(j.c->pool, &j.script, sizeof(j.script));
	if (r != 0 || apply(&j, why) != 0 ||
	    conf_build(j.c, reader, why) != 0) {
		conf_unref(&j.c);
		return -1;
	}
	j.c->revision = over != NULL ? over->revision : 0;
	*conf_r = j.c;
	return 0;
}

int
conf_parse_top(struct conf **conf_r, const char *file, struct str text,
    struct err *why)
{
	struct job j;
	int r;

	begin(&j, file, text);
	r = conf_run(&j.script, why);
	if (r == 0)
		r = apply_blocks(&j, CONF_SCOPE_TOP, why);
	if (r == 0)
		r = apply_blocks(&j, CONF_SCOPE_LOG, why);
	if (r != 0) {
		conf_unref(&j.c);
		return -1;
	}
	conf_over_default(j.c);
	*conf_r = j.c;
	return 0;
}

int
conf_over_path(struct pool *pool, const char *file, struct str text,
    const char **path_r, struct err *why)
{
	struct conf *c;

	if (conf_parse_top(&c, file, text, why) != 0)
		return -1;
	*path_r = pool_strdup(pool, c->top.config);
	conf_unref(&c);
	return 0;
}

static void
begin(struct job *j, const char *file, struct str text)
{
	char path[PATH_MAX];
	const char *slash;
	struct conf *c;

	memset(j, 0, sizeof(*j));
	OBJ_NEW(c, CONF_MAGIC);
	c->refs = 1;
	c->generation = 1;
	c->pool = pool_new(16384);
	c->file = pool_strdup(c->pool, file);
	slash = strrchr(c->file, '/');
	j->c = c;
	c->usual = c->file;
	c->dir = slash == NULL ? "." : slash == c->file ? "" :
	    pool_strndup(c->pool, c->file, (size_t)(slash - c->file));
	/* Paths in it are absolute wherever we were called. */
	if (c->dir[0] != '/' && c->dir[0] != '\0' &&
	    realpath(c->dir, path) != NULL)
		c->dir = pool_strdup(c->pool, path);
	j->script.pool = c->pool;
	j->script.file = c->file;
	j->script.text = text;
}

struct conf *
conf_ref(struct conf *conf)
{
	OBJ_CHECK(conf, CONF_MAGIC);
	conf->refs++;
	return conf;
}

void
conf_unref(struct conf **confp)
{
	struct conf *c = *confp;
	unsigned i, k;

	if (c == NULL)
		return;
	OBJ_CHECK(c, CONF_MAGIC);
	*confp = NULL;
	ASSERT(c->refs > 0);
	if (--c->refs > 0)
		return;
	if (c->plugins != NULL)
		c->plugins_drop(&c->plugins);
	for (i = 0; i < c->nlistener; i++) {
		for (k = 0; k < c->listener[i].nflow; k++)
			tlsctx_unref(&c->listener[i].flow[k].smtpd.tlsctx);
	}
	tlsctx_unref(&c->relay_conf.tlsctx);
	hash_fini(&c->access_by_name);
	hash_fini(&c->exception_by_name);
	pool_destroy(&c->pool);
	OBJ_FREE(c);
}

/* The general limits come before the listeners, which start from them. */
static int
apply(struct job *j, struct err *why)
{
	static const enum conf_scope_id order[] = { CONF_SCOPE_TOP,
		CONF_SCOPE_LOG, CONF_SCOPE_LIMITS, CONF_SCOPE_DNS,
		CONF_SCOPE_RELAY, CONF_SCOPE_DELIVERY, CONF_SCOPE_QUEUE,
		CONF_SCOPE_TLS, CONF_SCOPE_PROFILE, CONF_SCOPE_DESTINATION,
		CONF_SCOPE_ROUTE, CONF_SCOPE_GROUP, CONF_SCOPE_FLOW,
		CONF_SCOPE_RAT, CONF_SCOPE_EXCEPTION, CONF_SCOPE_ALERTS,
		CONF_SCOPE_ALERT_RECIPIENT,
		CONF_SCOPE_LISTENER, CONF_SCOPE_POLICY,
		CONF_SCOPE_PLUGIN, CONF_SCOPE_ORDER };
	const struct conf_over *over = j->script.over;
	const struct conf_block *b;
	struct conf *c = j->c;
	unsigned n[CONF_SCOPES] = { 0 };
	size_t i;

	for (b = j->script.blocks; b != NULL; b = b->next)
		n[b->scope - conf_scopes]++;
	c->listener = pool_alloc(c->pool, (n[CONF_SCOPE_LISTENER] + 1) *
	    sizeof(*c->listener));
	c->group = pool_alloc(c->pool, (n[CONF_SCOPE_GROUP] + 1) *
	    sizeof(*c->group));
	c->flow = pool_alloc(c->pool, (n[CONF_SCOPE_FLOW] + 1) *
	    sizeof(*c->flow));
	c->access = pool_alloc(c->pool, (n[CONF_SCOPE_RAT] + 1) *
	    sizeof(*c->access));
	c->exception = pool_alloc(c->pool, (n[CONF_SCOPE_EXCEPTION] + 1) *
	    sizeof(*c->exception));
	c->destination = pool_alloc(c->pool,
	    (n[CONF_SCOPE_DESTINATION] + 1) * sizeof(*c->destination));
	c->route = pool_alloc(c->pool, (n[CONF_SCOPE_ROUTE] + 1) *
	    sizeof(*c->route));
	c->profile = pool_alloc(c->pool, (n[CONF_SCOPE_PROFILE] + 2) *
	    sizeof(*c->profile));
	c->alert_recipient = pool_alloc(c->pool,
	    (n[CONF_SCOPE_ALERT_RECIPIENT] + 1) *
	    sizeof(*c->alert_recipient));
	c->plugin = pool_alloc(c->pool, (n[CONF_SCOPE_PLUGIN] +
	    CONF_STANDS_MAX) * sizeof(*c->plugin));
	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] == CONF_SCOPE_PLUGIN) {
			if (over != NULL && over->shadow != NULL)
				c->policy.shadow = pool_strdup(c->pool,
				    over->shadow);
			if (over != NULL && over->policy != NULL)
				c->policy.file = pool_strdup(c->pool,
				    over->policy);
			conf_stands(c, j->script.blocks);
		}
		if (apply_blocks(j, order[i], why) != 0)
			return -1;
	}
	return 0;
}

static int
apply_blocks(struct job *j, enum conf_scope_id id, struct err *why)
{
	const struct conf_scope *scope = &conf_scopes[id];
	struct conf_block *b;
	struct hash names;
	int r = 0;

	hash_init(&names);
	if (!scope->named)
		set_defaults(j->c, id, plain_base(j->c, id));
	for (b = j->script.blocks; r == 0 && b != NULL; b = b->next) {
		if (b->scope == scope)
			r = apply_one(j, id, b, &names, why);
	}
	hash_fini(&names);
	return r;
}

static int
apply_one(struct job *j, enum conf_scope_id id, struct conf_block *b,
    struct hash *names, struct err *why)
{
	const struct conf_block *o;
	void *base;

	if (!b->scope->named)
		return apply_block(j, b, plain_base(j->c, id), why);
	o = name_take(names, b);
	if (o != NULL)
		return err_text(why, "%s: %s \"%s\" is there already on "
		    "line %d", conf_place(&j->script, b, NULL),
		    b->scope->name, b->name, o->line);
	if (conf_name_check(j->c->pool, b->scope, b->name, why) != 0)
		return err_prefix(why, "%s: ",
		    conf_place(&j->script, b, NULL));
	if (id == CONF_SCOPE_PLUGIN)
		return conf_plugin_apply(j->c, named_new(j->c, id, b), b, why);
	base = named_new(j->c, id, b);
	if (id == CONF_SCOPE_DESTINATION)
		((struct conf_destination *)base)->place = tls_place(j, b);
	else if (id == CONF_SCOPE_ROUTE)
		((struct conf_route *)base)->place = tls_place(j, b);
	if (apply_block(j, b, base, why) != 0)
		return -1;
	if (id == CONF_SCOPE_ALERT_RECIPIENT &&
	    conf_alert_recipient_check(base, why) != 0)
		return err_prefix(why, "%s: ",
		    conf_place(&j->script, b, b->items));
	return 0;
}

/* The store may have set it in a block of the boot file. */
static const char *
tls_place(const struct job *j, const struct conf_block *b)
{
	const struct conf_item *item;

	for (item = b->items; item != NULL; item = item->next) {
		if (item->over && strcmp(item->key, "tls") == 0)
			return conf_place(&j->script, b, item);
	}
	return conf_place(&j->script, b, NULL);
}

/* Who has the name of a block already; NULL: it has it now. */
static const struct conf_block *
name_take(struct hash *names, struct conf_block *b)
{
	uint64_t hash = hash_bytes(b->name, strlen(b->name));
	const struct conf_block *o;
	struct hash_node *node;

	for (node = hash_first(names, hash); node != NULL;
	     node = hash_next(node)) {
		o = COLL_OF(node, struct conf_block, node);
		if (strcmp(o->name, b->name) == 0)
			return o;
	}
	hash_add(names, &b->node, hash);
	return NULL;
}

static void *
named_new(struct conf *c, enum conf_scope_id id, const struct conf_block *b)
{
	void *base;

	if (id == CONF_SCOPE_LISTENER) {
		struct conf_listener *l = &c->listener[c->nlistener++];

		l->name = b->name;
		l->limits = c->limits;
		base = l;
	} else if (id == CONF_SCOPE_GROUP) {
		struct conf_group *g = &c->group[c->ngroup++];

		g->name = b->name;
		g->line = b->line;
		g->items = b->items;
		base = g;
	} else if (id == CONF_SCOPE_FLOW) {
		struct conf_policy_flow *f = &c->flow[c->nflow++];

		f->name = b->name;
		f->line = b->line;
		f->limits = c->limits;
		f->items = b->items;
		base = f;
	} else if (id == CONF_SCOPE_RAT) {
		struct conf_access *a = &c->access[c->naccess++];

		a->name = conf_name_fold(c->pool, b->scope, b->name);
		a->line = b->line;
		a->items = b->items;
		base = a;
	} else if (id == CONF_SCOPE_EXCEPTION) {
		struct conf_exception *e = &c->exception[c->nexception++];

		e->name = conf_name_fold(c->pool, b->scope, b->name);
		e->line = b->line;
		base = e;
	} else if (id == CONF_SCOPE_DESTINATION) {
		struct conf_destination *d =
		    &c->destination[c->ndestination++];

		d->name = b->name;
		d->line = b->line;
		base = d;
	} else if (id == CONF_SCOPE_ROUTE) {
		struct conf_route *r = &c->route[c->nroute++];

		r->name = b->name;
		r->line = b->line;
		base = r;
	} else if (id == CONF_SCOPE_ALERT_RECIPIENT) {
		struct conf_alert_recipient *r =
		    &c->alert_recipient[c->nalert_recipient++];

		r->name = conf_name_fold(c->pool, b->scope, b->name);
		base = r;
	} else if (id == CONF_SCOPE_PLUGIN) {
		struct conf_plugin *p = &c->plugin[c->nplugin++];

		p->name = b->name;
		p->plugin = b->of != NULL ? b->of : b->name;
		p->line = b->line;
		base = p;
	} else {
		struct conf_profile *p = &c->profile[c->nprofile++];

		p->name = b->name;
		base = p;
	}
	set_defaults(c, id, base);
	return base;
}

static int
apply_block(struct job *j, const struct conf_block *b, void *base,
    struct err *why)
{
	const struct conf_item *item;

	for (item = b->items; item != NULL; item = item->next) {
		if (apply_item(j, b, item, base, why) != 0)
			return -1;
	}
	return check_required(j, b, why);
}

static int
apply_item(struct job *j, const struct conf_block *b,
    const struct conf_item *item, void *base, struct err *why)
{
	const struct conf_scope *second = conf_scope_second(b->scope);
	const struct conf_param *p;
	const char *near;

	p = conf_param_find(b->scope, item->key);
	if (p == NULL && second != NULL) {
		p = conf_param_find(second, item->key);
		if (p != NULL && b->scope == &conf_scopes[CONF_SCOPE_FLOW])
			base = &((struct conf_policy_flow *)base)->limits;
		else if (p != NULL)
			base = &((struct conf_listener *)base)->limits;
	}
	if (p == NULL) {
		near = conf_nearest(b->scope, second, item->key);
		return err_text(why, "%s: unknown setting \"%.60s\"%s%s"
		    "%s%s%s", conf_place(&j->script, b, item), item->key,
		    b->scope->name[0] != '\0' ? " in " : "", b->scope->name,
		    near != NULL ? " (did you mean \"" : "",
		    near != NULL ? near : "", near != NULL ? "\"?)" : "");
	}
	if (conf_value_set(j->c->pool, j->c->dir, p, base, item->value,
		why) != 0)
		return err_prefix(why, "%s: ",
		    conf_place(&j->script, b, item));
	if (b->scope == &conf_scopes[CONF_SCOPE_DELIVERY] &&
	    strcmp(item->key, "tls") == 0)
		j->c->usual = conf_place(&j->script, b, item);
	return 0;
}

static int
check_required(struct job *j, const struct conf_block *b, struct err *why)
{
	const struct conf_item *item;
	size_t i;

	for (i = 0; i < b->scope->nparam; i++) {
		if (strcmp(b->scope->param[i].range, "required") != 0)
			continue;
		for (item = b->items; item != NULL; item = item->next) {
			if (strcmp(item->key, b->scope->param[i].name) == 0)
				break;
		}
		if (item == NULL)
			return err_text(why, "%s: %s \"%s\" has no %s",
			    conf_place(&j->script, b, NULL), b->scope->name,
			    b->name, b->scope->param[i].name);
	}
	return 0;
}

static void
set_defaults(struct conf *c, enum conf_scope_id id, void *base)
{
	const struct conf_scope *scope = &conf_scopes[id];
	size_t i;

	for (i = 0; i < scope->nparam; i++)
		conf_value_default(c->pool, &scope->param[i], base);
}

static void *
plain_base(struct conf *c, enum conf_scope_id id)
{
	switch (id) {
	case CONF_SCOPE_TOP:
		return &c->top;
	case CONF_SCOPE_LOG:
		return &c->log;
	case CONF_SCOPE_LIMITS:
		return &c->limits;
	case CONF_SCOPE_DNS:
		return &c->dns;
	case CONF_SCOPE_RELAY:
		return &c->relay;
	case CONF_SCOPE_DELIVERY:
		return &c->delivery;
	case CONF_SCOPE_QUEUE:
		return &c->queue;
	case CONF_SCOPE_ALERTS:
		return &c->alerts;
	case CONF_SCOPE_TLS:
		return &c->tls;
	case CONF_SCOPE_POLICY:
		return &c->policy;
	case CONF_SCOPE_ORDER:
		return &c->order;
	case CONF_SCOPE_LISTENER:
	case CONF_SCOPE_GROUP:
	case CONF_SCOPE_FLOW:
	case CONF_SCOPE_RAT:
	case CONF_SCOPE_ALERT_RECIPIENT:
	case CONF_SCOPE_EXCEPTION:
	case CONF_SCOPE_DESTINATION:
	case CONF_SCOPE_ROUTE:
	case CONF_SCOPE_PROFILE:
	case CONF_SCOPE_PLUGIN:
	case CONF_SCOPE_CERTIFICATE:
	case CONF_SCOPE_AUTHORITIES:
	case CONF_SCOPES:
		break;
	}
	panic("scope %d", (int)id);
}

void
conf_dump(const struct conf *c, struct buf *dst)
{
	unsigned i;

	dump_scope(dst, CONF_SCOPE_TOP, NULL, &c->top, NULL);
	dump_scope(dst, CONF_SCOPE_LOG, NULL, &c->log, NULL);
	dump_scope(dst, CONF_SCOPE_LIMITS, NULL, &c->limits, NULL);
	for (i = 0; i < c->nlistener; i++)
		dump_scope(dst, CONF_SCOPE_LISTENER, c->listener[i].name,
		    &c->listener[i], &c->listener[i].limits);
	conf_hat_dump(c, dst);
	dump_scope(dst, CONF_SCOPE_TLS, NULL, &c->tls, NULL);
	dump_scope(dst, CONF_SCOPE_DNS, NULL, &c->dns, NULL);
	dump_scope(dst, CONF_SCOPE_RELAY, NULL, &c->relay, NULL);
	dump_scope(dst, CONF_SCOPE_DELIVERY, NULL, &c->delivery, NULL);
	for (i = 0; i < c->naccess; i++)
		dump_scope(dst, CONF_SCOPE_RAT, c->access[i].name,
		    &c->access[i], NULL);
	for (i = 0; i < c->nexception; i++)
		dump_scope(dst, CONF_SCOPE_EXCEPTION, c->exception[i].name,
		    &c->exception[i], NULL);
	for (i = 0; i < c->ndestination; i++)
		dump_scope(dst, CONF_SCOPE_DESTINATION,
		    c->destination[i].name, &c->destination[i], NULL);
	for (i = 0; i < c->nroute; i++)
		dump_scope(dst, CONF_SCOPE_ROUTE, c->route[i].name,
		    &c->route[i], NULL);
	for (i = 0; i < c->nprofile; i++)
		dump_scope(dst, CONF_SCOPE_PROFILE, c->profile[i].name,
		    &c->profile[i], NULL);
	dump_scope(dst, CONF_SCOPE_ALERTS, NULL, &c->alerts, NULL);
	for (i = 0; i < c->nalert_recipient; i++)
		dump_scope(dst, CONF_SCOPE_ALERT_RECIPIENT,
		    c->alert_recipient[i].name, &c->alert_recipient[i], NULL);
	dump_scope(dst, CONF_SCOPE_QUEUE, NULL, &c->queue, NULL);
	dump_scope(dst, CONF_SCOPE_POLICY, NULL, &c->policy, NULL);
	for (i = 0; i < c->nplugin; i++)
		conf_plugin_dump(&c->plugin[i], dst);
	dump_scope(dst, CONF_SCOPE_ORDER, NULL, &c->order, NULL);
}

static void
dump_scope(struct buf *dst, enum conf_scope_id id, const char *name,
    const void *base, const void *limits)
{
	const struct conf_scope *scope = &conf_scopes[id];
	const struct conf_scope *more = &conf_scopes[CONF_SCOPE_LIMITS];
	bool top = id == CONF_SCOPE_TOP;
	size_t i;

	if (!top) {
		(void)buf_printf(dst, "%s ", scope->name);
		if (name != NULL)
			(void)buf_printf(dst, "\"%s\" ", name);
		(void)buf_add_c(dst, "{\n");
	}
	for (i = 0; i < scope->nparam; i++) {
		(void)buf_printf(dst, "%s%s = ", top ? "" : "  ",
		    scope->param[i].name);
		conf_value_text(&scope->param[i], base, dst);
		(void)buf_add_c(dst, top ? "\n" : ",\n");
	}
	for (i = 0; limits != NULL && i < more->nparam; i++) {
		(void)buf_printf(dst, "  %s = ", more->param[i].name);
		conf_value_text(&more->param[i], limits, dst);
		(void)buf_add_c(dst, ",\n");
	}
	if (!top)
		(void)buf_add_c(dst, "}\n");
}

bool
conf_nets_has(const struct conf_nets *nets, const struct sock_addr *a)
{
	unsigned i;

	for (i = 0; i < nets->n; i++) {
		if (sock_net_has(&nets->v[i], a))
			return true;
	}
	return false;
}
