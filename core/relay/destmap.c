#include "relay/destmap.h"

#include "base/coll.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

/* What was made of wants is kept, up to here. */
#define MEMO_MAX 4096
#define SHOWN_MAX 200 /* octets of what cannot be read */

struct block {
	struct hash_node node;
	struct str name;	/* folded */
	const struct relay_destination *is;
};

/* What came of wants. The key is made of their texts, not of pointers: who has
 * an opinion may use one place for several. */
struct memo {
	struct hash_node node;
	const struct tlswant *route;
	struct str key;
	const char *text;
};

struct meaning {
	struct hash_node node;
	const char *text;
	bool readable;
	struct tlswant want;
};

struct destmap {
	unsigned magic;
#define DESTMAP_MAGIC 0xde57ab1eu
	const struct relay_conf *conf;
	struct pool *pool;	/* blocks and the usual text */
	struct hash blocks;
	bool warned;		/* of an unreadable want: once */
	const char *usual;	/* text of delivery's want */
	struct buf key;
	struct pool *memory;	/* memos and meanings */
	struct hash memos, meanings;
};

static void add_block(struct destmap *m, const struct relay_destination *d);
static const struct relay_destination *next_block(struct destmap *m,
    struct str *name);
static bool says(const struct relay_rules *r);
static const char *make_text(struct destmap *m, const struct memo *memo,
    const struct destmap_to *to);
static const char *make_both(struct destmap *m, const struct destmap_to *to);
static const char *remember(struct destmap *m, const struct memo *of,
    const struct destmap_to *to);
static void forget(struct destmap *m);
static const char *who(const struct relay_opinion *o);

struct destmap *
destmap_new(const struct relay_conf *conf)
{
	struct destmap *m;
	struct buf text;
	unsigned i;

	OBJ_NEW(m, DESTMAP_MAGIC);
	m->conf = conf;
	m->pool = pool_new(0);
	m->memory = pool_new(0);
	hash_init(&m->blocks);
	hash_init(&m->memos);
	hash_init(&m->meanings);
	for (i = 0; i < conf->ndestination; i++)
		add_block(m, &conf->destination[i]);
	buf_init(&m->key, 2 * RELAY_WANT_MAX);
	buf_init(&text, RELAY_WANT_MAX);
	tlswant_write(&conf->tls, &text);
	m->usual = pool_strdup(m->pool, buf_p(&text));
	buf_fini(&text);
	return m;
}

void
destmap_destroy(struct destmap **mp)
{
	struct destmap *m = *mp;

	if (m == NULL)
		return;
	OBJ_CHECK(m, DESTMAP_MAGIC);
	hash_fini(&m->blocks);
	hash_fini(&m->memos);
	hash_fini(&m->meanings);
	buf_fini(&m->key);
	pool_destroy(&m->memory);
	pool_destroy(&m->pool);
	OBJ_FREE(m);
	*mp = NULL;
}

const char *
destmap_usual(const struct destmap *m)
{
	OBJ_CHECK(m, DESTMAP_MAGIC);
	return m->usual;
}

const char *
destmap_text(struct destmap *m, const struct destmap_to *to)
{
	struct memo key = { .route = NULL };

	OBJ_CHECK(m, DESTMAP_MAGIC);
	key.route = to->route != NULL ? to->route->tls : NULL;
	if (key.route == NULL && to->want.n == 0 && to->n == 0)
		return "";
	return remember(m, &key, to);
}

const char *
destmap_both(struct destmap *m, const char *text, const char *more)
{
	struct relay_opinion v[2] = { { .want = text }, { .want = more } };
	struct destmap_to to = { .v = v, .n = 2, .want = STR("") };

	OBJ_CHECK(m, DESTMAP_MAGIC);
	return remember(m, NULL, &to);
}

const struct tlswant *
destmap_want(struct destmap *m, const char *text)
{
	uint64_t hash = hash_bytes(text, strlen(text));
	struct err why = ERR_INIT;
	struct hash_node *node;
	struct meaning *mean;

	OBJ_CHECK(m, DESTMAP_MAGIC);
	if (text[0] == '\0')
		return &m->conf->tls;
	for (node = hash_first(&m->meanings, hash); node != NULL;
	     node = hash_next(node)) {
		mean = COLL_OF(node, struct meaning, node);
		if (strcmp(mean->text, text) == 0)
			return mean->readable ? &mean->want : NULL;
	}
	if (m->meanings.n >= MEMO_MAX)
		forget(m);
	mean = POOL_NEW(m->memory, struct meaning);
	mean->text = pool_strdup(m->memory, text);
	mean->readable = tlswant_read(&mean->want, str_c(mean->text),
	    m->memory, &why) == 0;
	hash_add(&m->meanings, &mean->node, hash);
	return mean->readable ? &mean->want : NULL;
}

/* Where next_block() begins; dst has room for a domain. */
static struct str
start(const struct destmap *m, struct str domain, char *dst, size_t n)
{
	if (m->blocks.n == 0)
		return STR("");
	if (domain.n == 0)
		domain = str_c(m->conf->hostname);
	return domain_fold(domain, dst, n);
}

struct tlsident *
destmap_cert(struct destmap *m, struct str domain)
{
	const struct relay_destination *d = destmap_cert_block(m, domain);

	return d != NULL ? d->cert : m->conf->cert;
}

const struct relay_destination *
destmap_cert_block(struct destmap *m, struct str domain)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	const struct relay_destination *d;
	struct str name = start(m, domain, folded, sizeof(folded));

	while ((d = next_block(m, &name)) != NULL) {
		if (d->cert != NULL || d->cert_name != NULL)
			break;
	}
	return d;
}

bool
destmap_rules(struct destmap *m, struct str domain, struct relay_rules *r_r)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	struct str name = start(m, domain, folded, sizeof(folded));
	const struct relay_destination *d;

	memset(r_r, 0, sizeof(*r_r));
	while ((d = next_block(m, &name)) != NULL) {
#define TAKE(field, none)                                                      \
	if (r_r->field == (none))                                              \
		r_r->field = d->rules.field
		TAKE(concurrency, 0);
		TAKE(limit, RELAY_LIMIT_UNSET);
		TAKE(max_messages, 0);
		TAKE(recipients, 0);
		TAKE(minutes, 0);
		TAKE(ip, 0);
		TAKE(profile, NULL);
		TAKE(route, NULL);
		TAKE(tag, RELAY_TAG_UNSET);
#undef TAKE
	}
	return says(r_r);
}

static bool
says(const struct relay_rules *r)
{
	return r->concurrency != 0 || r->limit != RELAY_LIMIT_UNSET ||
	    r->max_messages != 0 || r->recipients != 0 || r->minutes != 0 ||
	    r->ip != 0 || r->profile != NULL || r->tag != RELAY_TAG_UNSET;
}

static struct block *
find(struct destmap *m, struct str name)
{
	struct hash_node *node;
	struct block *b;

	for (node = hash_first(&m->blocks, hash_bytes(name.p, name.n));
	     node != NULL; node = hash_next(node)) {
		b = COLL_OF(node, struct block, node);
		if (str_eq(b->name, name))
			return b;
	}
	return NULL;
}

/* Of two spellings of one name the first. A block of an address says nothing
 * about a host. */
static void
add_block(struct destmap *m, const struct relay_destination *d)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	struct str name = str_c(d->name);
	struct block *b;

	if ((d->cert == NULL && d->cert_name == NULL &&
		d->rules.route == NULL && !says(&d->rules)) ||
	    str_find(name, '@') < name.n)
		return;
	name = domain_fold(name, folded, sizeof(folded));
	if (find(m, name) != NULL)
		return;
	b = POOL_NEW(m->pool, struct block);
	b->name = pool_str(m->pool, name);
	b->is = d;
	hash_add(&m->blocks, &b->node, hash_bytes(name.p, name.n));
}

/* The nearest block at or above name, which becomes what lies above it. */
static const struct relay_destination *
next_block(struct destmap *m, struct str *name)
{
	const struct block *b;
	struct str at;
	size_t dot;

	while (name->n > 0) {
		at = *name;
		dot = 1 + str_find(str_n(at.p + 1, at.n - 1), '.');
		if (str_eq(at, STR("*")))
			*name = STR("");
		else if (dot < at.n)
			*name = str_n(at.p + dot, at.n - dot);
		else
			*name = STR("*");
		b = find(m, at);
		if (b != NULL)
			return b->is;
	}
	return NULL;
}

/* of NULL: destmap_both(). */
static const char *
remember(struct destmap *m, const struct memo *of,
    const struct destmap_to *to)
{
	static const struct memo both;
	struct hash_node *node;
	struct memo *memo;
	struct str key;
	uint64_t hash;
	unsigned i;

	buf_reset(&m->key);
	(void)buf_add_char(&m->key, of == NULL ? 'b' : 't');
	(void)buf_add_str(&m->key, to->want);
	for (i = 0; i < to->n; i++) {
		(void)buf_add_char(&m->key, to->v[i].ours ? '\1' : '\2');
		(void)buf_add_c(&m->key, to->v[i].want);
		(void)buf_add_char(&m->key, '\3');
		(void)buf_add_c(&m->key, who(&to->v[i]));
	}
	ASSERT(!buf_full(&m->key));
	if (m->memos.n >= MEMO_MAX)
		forget(m);
	key = buf_str(&m->key);
	if (of == NULL)
		of = &both;
	hash = hash_u64((uintptr_t)of->route) + hash_bytes(key.p, key.n);
	for (node = hash_first(&m->memos, hash); node != NULL;
	     node = hash_next(node)) {
		memo = COLL_OF(node, struct memo, node);
		if (memo->route == of->route && str_eq(memo->key, key))
			return memo->text;
	}
	memo = pool_dup(m->memory, of, sizeof(*of));
	memo->key = pool_str(m->memory, key);
	memo->text = of == &both ? make_both(m, to) : make_text(m, of, to);
	hash_add(&m->memos, &memo->node, hash);
	return memo->text;
}

static const char *
who(const struct relay_opinion *o)
{
	return o->who != NULL ? o->who : "";
}

/* Adds a want to *sum, which has *n already; -1: it cannot be read. from: the
 * plugin that wants it, or "". */
static int
add_want(struct destmap *m, struct tlswant *sum, unsigned *n, struct str text,
    const char *from)
{
	struct tlswant one, old = *sum;
	struct err why = ERR_INIT;

	if (tlswant_read(&one, text, m->memory, &why) == -1) {
		if (!m->warned)
			log_critical("mail waits because a TLS want%s%s is not "
			    "readable: %s", from[0] != '\0' ?
			    " of plugin " : "", from, why.text);
		m->warned = true;
		return -1;
	}
	if ((*n)++ == 0)
		*sum = one;
	else
		tlswant_max(sum, &old, &one, m->memory);
	return 0;
}

/* The word in front is no level, whatever follows. */
static const char *
unreadable(struct destmap *m, struct str text, const char *from)
{
	if (text.n > SHOWN_MAX)
		text.n = SHOWN_MAX;
	return pool_printf(m->memory, "unreadable: %s%s%.*s", from,
	    from[0] != '\0' ? " said " : "", STR_FMT(text));
}

static const char *
write_text(struct destmap *m, const struct tlswant *w)
{
	struct buf text;
	const char *p;

	buf_init(&text, RELAY_WANT_MAX);
	tlswant_write(w, &text);
	ASSERT(!buf_full(&text));
	p = strcmp(buf_p(&text), m->usual) == 0 ?
	    "" : pool_strdup(m->memory, buf_p(&text));
	buf_fini(&text);
	return p;
}

/* First what stands in place of delivery's want, then what only raises it. */
static const char *
make_text(struct destmap *m, const struct memo *memo,
    const struct destmap_to *to)
{
	struct tlswant all = memo->route != NULL ? *memo->route :
	    m->conf->tls;
	unsigned i, pass, n = memo->route != NULL;
	const struct relay_opinion *o;

	for (pass = 0; pass < 2; pass++, n = 1) {
		for (i = 0; i < to->n; i++) {
			o = &to->v[i];
			if (o->ours == (pass == 0) &&
			    add_want(m, &all, &n, str_c(o->want),
				who(o)) == -1)
				return unreadable(m, str_c(o->want), who(o));
		}
	}
	if (to->want.n > 0 && add_want(m, &all, &n, to->want, "") == -1)
		return pool_str(m->memory, to->want).p;
	return write_text(m, &all);
}

static const char *
make_both(struct destmap *m, const struct destmap_to *to)
{
	struct tlswant all = m->conf->tls;
	unsigned i, n = to->v[0].want[0] == '\0';

	for (i = n; i < to->n; i++)
		if (add_want(m, &all, &n, str_c(to->v[i].want), "") == -1)
			return unreadable(m, str_c(to->v[i].want), "");
	return write_text(m, &all);
}

static void
forget(struct destmap *m)
{
	hash_fini(&m->memos);
	hash_fini(&m->meanings);
	hash_init(&m->memos);
	hash_init(&m->meanings);
	pool_reset(m->memory);
}
