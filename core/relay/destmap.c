#include "relay/destmap.h"

#include "base/coll.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/obj.h"

#define NAME_MAX_OCTETS (ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX + 1)
/* What was made of wants is kept, up to here. */
#define MEMO_MAX 4096
#define SHOWN_MAX 200 /* octets of what cannot be read */

struct block {
	struct hash_node node;
	struct str name;	/* folded */
	const struct tlswant *tls;
	struct tlsident *cert;
};

/* What came of wants. The key is made of their texts, not of pointers: who has
 * an opinion may use one place for several. */
struct memo {
	struct hash_node node;
	const struct tlswant *block, *route;
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
	bool addresses;		/* some blocks are of addresses */
	bool warned;		/* of an unreadable want: once */
	const char *usual;	/* text of delivery's want */
	struct buf key;
	struct pool *memory;	/* memos and meanings */
	struct hash memos, meanings;
};

enum asked { ASKED_TLS, ASKED_CERT };

static void add_block(struct destmap *m, const struct relay_destination *d);
static const struct block *nearest(struct destmap *m, struct str domain,
    struct str local, enum asked what);
static const char *make_text(struct destmap *m, const struct memo *memo,
    const struct destmap_to *to);
static const char *make_both(struct destmap *m, const struct destmap_to *to);
static const char *remember(struct destmap *m, const struct memo *of,
    const struct destmap_to *to);
static void forget(struct destmap *m);

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
	const struct block *b = nearest(m, to->domain, to->local, ASKED_TLS);
	struct memo key = { .block = NULL };

	OBJ_CHECK(m, DESTMAP_MAGIC);
	key.block = b != NULL ? b->tls : NULL;
	key.route = to->route != NULL ? to->route->tls : NULL;
	if (key.block == NULL && key.route == NULL && to->want.n == 0 &&
	    to->n == 0)
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

struct tlsident *
destmap_cert(struct destmap *m, struct str domain)
{
	const struct block *b = nearest(m, domain, STR(""), ASKED_CERT);

	return b != NULL ? b->cert : m->conf->cert;
}

/* "a.b"@d and A.B@d are one mailbox here: what is demanded for one spelling
 * is demanded for all. */
static struct str
fold_local(struct str local, char *dst, size_t n)
{
	bool quoted = local.n > 1 && local.p[0] == '"';
	size_t i, len = 0, end = quoted ? local.n - 1 : local.n;

	for (i = quoted; i < end && len < n; i++) {
		if (quoted && local.p[i] == '\\' && i + 1 < end)
			i++;
		dst[len++] = ch_lower(local.p[i]);
	}
	return str_n(dst, len);
}

/* local may be ""; a leading dot of the domain stays. */
static struct str
fold_name(struct str local, struct str domain, char *dst, size_t n)
{
	char folded[ADDR_DOMAIN_MAX + 2];
	size_t len = 0;

	domain = domain_fold(domain, folded, sizeof(folded));
	if (local.n > 0) {
		len = fold_local(local, dst, n - domain.n - 1).n;
		dst[len++] = '@';
	}
	memcpy(dst + len, domain.p, domain.n);
	return str_n(dst, len + domain.n);
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

/* Two spellings of one name count both. */
static void
merge(struct destmap *m, struct block *b, const struct relay_destination *d)
{
	struct tlswant *both;

	if (b->tls != NULL && d->tls != NULL) {
		both = POOL_NEW(m->pool, struct tlswant);
		tlswant_max(both, b->tls, d->tls, m->pool);
		b->tls = both;
	} else if (b->tls == NULL) {
		b->tls = d->tls;
	}
	if (b->cert == NULL)
		b->cert = d->cert;
}

static void
add_block(struct destmap *m, const struct relay_destination *d)
{
	struct str name = str_c(d->name), local = STR(""), domain = name;
	char folded[NAME_MAX_OCTETS + 1];
	struct block *b;
	size_t i;

	for (i = name.n; i > 0; i--) {
		if (name.p[i - 1] != '@')
			continue;
		local = str_n(name.p, i - 1);
		domain = str_n(name.p + i, name.n - i);
		m->addresses = true;
		break;
	}
	name = fold_name(local, domain, folded, sizeof(folded));
	b = find(m, name);
	if (b != NULL) {
		merge(m, b, d);
		return;
	}
	b = POOL_NEW(m->pool, struct block);
	b->name = pool_str(m->pool, name);
	b->tls = d->tls;
	b->cert = d->cert;
	hash_add(&m->blocks, &b->node, hash_bytes(name.p, name.n));
}

static const struct block *
look(struct destmap *m, struct str name, enum asked what)
{
	const struct block *b = find(m, name);

	if (b == NULL)
		return NULL;
	if (what == ASKED_TLS)
		return b->tls != NULL ? b : NULL;
	return b->cert != NULL ? b : NULL;
}

static const struct block *
nearest(struct destmap *m, struct str domain, struct str local,
    enum asked what)
{
	char folded[NAME_MAX_OCTETS + 1];
	const struct block *b = NULL;
	struct str name;
	size_t i;

	if (m->blocks.n == 0)
		return NULL;
	if (domain.n == 0)
		domain = str_c(m->conf->hostname);
	if (local.n > 0 && m->addresses)
		b = look(m, fold_name(local, domain, folded, sizeof(folded)),
		    what);
	if (b != NULL)
		return b;
	name = fold_name(STR(""), domain, folded, sizeof(folded));
	b = look(m, name, what);
	for (i = 1; b == NULL && i < name.n; i++) {
		if (name.p[i] == '.')
			b = look(m, str_n(name.p + i, name.n - i), what);
	}
	return b != NULL ? b : look(m, STR("*"), what);
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
	}
	ASSERT(!buf_full(&m->key));
	if (m->memos.n >= MEMO_MAX)
		forget(m);
	key = buf_str(&m->key);
	if (of == NULL)
		of = &both;
	hash = hash_u64((uintptr_t)of->block) +
	    3 * hash_u64((uintptr_t)of->route) + hash_bytes(key.p, key.n);
	for (node = hash_first(&m->memos, hash); node != NULL;
	     node = hash_next(node)) {
		memo = COLL_OF(node, struct memo, node);
		if (memo->block == of->block && memo->route == of->route &&
		    str_eq(memo->key, key))
			return memo->text;
	}
	memo = pool_dup(m->memory, of, sizeof(*of));
	memo->key = pool_str(m->memory, key);
	memo->text = of == &both ? make_both(m, to) : make_text(m, of, to);
	hash_add(&m->memos, &memo->node, hash);
	return memo->text;
}

/* Adds a want to *sum, which has *n already; -1: it cannot be read. */
static int
add_want(struct destmap *m, struct tlswant *sum, unsigned *n, struct str text)
{
	struct tlswant one, old = *sum;
	struct err why = ERR_INIT;

	if (tlswant_read(&one, text, m->memory, &why) == -1) {
		if (!m->warned)
			log_critical("mail waits because a TLS want is not "
			    "readable: %s", why.text);
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
unreadable(struct destmap *m, struct str text)
{
	if (text.n > SHOWN_MAX)
		text.n = SHOWN_MAX;
	return pool_printf(m->memory, "unreadable: %.*s", STR_FMT(text));
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
	const struct tlswant *given[2] = { memo->block, memo->route };
	struct tlswant all = m->conf->tls, old;
	const struct relay_opinion *o;
	unsigned i, pass, n = 0;

	for (i = 0; i < 2; i++) {
		old = all;
		if (given[i] != NULL && n++ == 0)
			all = *given[i];
		else if (given[i] != NULL)
			tlswant_max(&all, &old, given[i], m->memory);
	}
	for (pass = 0; pass < 2; pass++, n = 1) {
		for (i = 0; i < to->n; i++) {
			o = &to->v[i];
			if (o->ours == (pass == 0) &&
			    add_want(m, &all, &n, str_c(o->want)) == -1)
				return unreadable(m, str_c(o->want));
		}
	}
	if (to->want.n > 0 && add_want(m, &all, &n, to->want) == -1)
		return pool_str(m->memory, to->want).p;
	return write_text(m, &all);
}

static const char *
make_both(struct destmap *m, const struct destmap_to *to)
{
	struct tlswant all = m->conf->tls;
	unsigned i, n = to->v[0].want[0] == '\0';

	for (i = n; i < to->n; i++)
		if (add_want(m, &all, &n, str_c(to->v[i].want)) == -1)
			return unreadable(m, str_c(to->v[i].want));
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
