/*
 * Blocks that stand for plugins: the short way to write what most have.
 */
#include "base/coll.h"
#include "mail/addr.h"
#include "policy/conf_priv.h"

#define SHADOW_PATIENCE SECONDS(5)

/* A name of the table; another spelling of it is no second one. */
struct entry {
	struct hash_node node;
	struct str name;
	const char *written;	/* as a plugin shall read it */
	struct tlswant want;
};

static int line_of(const struct conf_block *blocks, enum conf_scope_id id);
static void stands_log(struct conf *c, int line);
static void stands_destination(struct conf *c, int line);
static void entry_add(struct conf *c, struct hash *names, struct entry **v,
    unsigned *n, const struct conf_destination *d);
static void stands_tls(struct conf *c, int line);
static void stands_policy(struct conf *c, int line);

void
conf_stands(struct conf *c, const struct conf_block *blocks)
{
	stands_log(c, line_of(blocks, CONF_SCOPE_LOG));
	stands_destination(c, line_of(blocks, CONF_SCOPE_DESTINATION));
	stands_tls(c, line_of(blocks, CONF_SCOPE_TLS));
	stands_policy(c, line_of(blocks, CONF_SCOPE_POLICY));
	conf_alerts_stand(c, line_of(blocks, CONF_SCOPE_ALERT_RECIPIENT));
}

static int
line_of(const struct conf_block *blocks, enum conf_scope_id id)
{
	for (; blocks != NULL; blocks = blocks->next) {
		if (blocks->scope == &conf_scopes[id])
			return blocks->line;
	}
	return 0;
}

static void
stands_log(struct conf *c, int line)
{
	struct conf_plugin *p;

	if (c->log.file[0] != '\0') {
		p = conf_stands_for(c, "log_mail", "log.file", "log", line);
		conf_stands_text(c, p, "file", c->log.file);
	}
	if (c->log.json[0] != '\0') {
		p = conf_stands_for(c, "log_json", "log.json", "log", line);
		conf_stands_text(c, p, "file", c->log.json);
	}
	if (c->log.syslog) {
		p = conf_stands_for(c, "log_syslog", "log.syslog", "log",
		    line);
		conf_stands_text(c, p, "ident", c->log.ident);
	}
}

/* The nearest block counts there, as it is told of them. */
static void
stands_destination(struct conf *c, int line)
{
	struct entry **v = pool_alloc(c->pool,
	    (c->ndestination + 1) * sizeof(*v));
	const char **text = pool_alloc(c->pool,
	    (c->ndestination + 1) * sizeof(*text));
	struct hash names;
	struct buf want;
	unsigned i, n = 0;

	hash_init(&names);
	for (i = 0; i < c->ndestination; i++) {
		if (c->destination[i].tls != NULL)
			entry_add(c, &names, v, &n, &c->destination[i]);
	}
	hash_fini(&names);
	buf_init(&want, SIZE_MAX);
	for (i = 0; i < n; i++) {
		buf_reset(&want);
		tlswant_write(&v[i]->want, &want);
		text[i] = pool_printf(c->pool, "%s %s", v[i]->written,
		    buf_p(&want));
	}
	buf_fini(&want);
	if (n > 0)
		conf_stands_list(c, conf_stands_for(c, "tls_table",
			"destination", "destination", line), "entries", text,
		    n);
}

/* Quotes of a local part, cases and labels are no difference there; quotes
 * stay, because a blank may be in them. */
static void
entry_add(struct conf *c, struct hash *names, struct entry **v, unsigned *n,
    const struct conf_destination *d)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	struct str name = str_c(d->name), local, domain;
	struct hash_node *node;
	struct tlswant old;
	struct entry *e;
	uint64_t hash;
	char *bare;
	size_t at = name.n, i, len = 0;

	while (at > 0 && name.p[at - 1] != '@')
		at--;
	local = str_n(name.p, at);
	domain = domain_fold(str_n(name.p + at, name.n - at), folded,
	    sizeof(folded));
	bare = pool_alloc(c->pool, name.n + domain.n + 1);
	for (i = 0; i < local.n; i++) {
		if (local.p[i] == '"')
			continue;
		if (local.p[i] == '\\' && i + 1 < local.n)
			i++;
		bare[len++] = ch_lower(local.p[i]);
	}
	memcpy(bare + len, domain.p, domain.n);
	name = str_n(bare, len + domain.n);
	hash = hash_bytes(name.p, name.n);
	for (node = hash_first(names, hash); node != NULL;
	     node = hash_next(node)) {
		e = COLL_OF(node, struct entry, node);
		if (!str_eq(e->name, name))
			continue;
		old = e->want;
		tlswant_max(&e->want, &old, d->tls, c->pool);
		return;
	}
	e = POOL_NEW(c->pool, struct entry);
	e->name = name;
	e->written = pool_printf(c->pool, "%.*s%.*s", STR_FMT(local),
	    STR_FMT(domain));
	e->want = *d->tls;
	hash_add(names, &e->node, hash);
	v[(*n)++] = e;
}

static void
stands_tls(struct conf *c, int line)
{
	const char *const *dir = c->tls.directories;
	struct conf_plugin *p;
	unsigned n = 0;

	while (dir[n] != NULL)
		n++;
	if (n == 0)
		return;
	p = conf_stands_for(c, "cert_file", "tls.directories", "tls", line);
	conf_stands_list(c, p, "directories", dir, n);
}

static struct conf_plugin *
policy_instance(struct conf *c, const char *name, const char *file, int line)
{
	static const char *const words[] = { "tempfail", "accept", "reject" };
	const struct conf_policy *from = &c->policy;
	struct conf_plugin *p;

	p = conf_stands_for(c, "lua", name, "policy", line);
	p->timeout = from->timeout;
	conf_stands_text(c, p, "file", file);
	if (from->dir[0] != '\0')
		conf_stands_text(c, p, "dir", from->dir);
	conf_stands_text(c, p, "on_error", words[from->on_error]);
	conf_stands_number(c, p, "instructions", from->instructions);
	conf_stands_number(c, p, "memory", from->memory);
	conf_stands_number(c, p, "event_memory", from->event_memory);
	conf_stands_number(c, p, "subject", from->subject);
	return p;
}

/* The shadow looks at what the policy left behind it. Mail waits for it, but
 * not long, and neither a fault of it nor a crash keeps any. */
static void
stands_policy(struct conf *c, int line)
{
	static const struct conf_raw yes = { .type = RAW_BOOL, .b = true };
	const struct conf_policy *from = &c->policy;
	struct conf_plugin *p;

	if (from->file[0] != '\0')
		(void)policy_instance(c, "policy", from->file, line);
	if (from->shadow[0] == '\0')
		return;
	p = policy_instance(c, CONF_SHADOW, from->shadow, line);
	conf_stands_raw(c, p, "shadow", &yes);
	p->looks_on = true;
	p->on_crash = CONF_CRASH_DISABLE;
	if (p->timeout > SHADOW_PATIENCE)
		p->timeout = SHADOW_PATIENCE;
}
