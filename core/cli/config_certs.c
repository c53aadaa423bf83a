#include "cli/config_certs.h"

#include <string.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/certconfig.h"
#include "cli/prompt.h"
#include "tls/pkcs12.h"

#define PKCS12_MAX (4 * 1024 * 1024)
#define LINE_OCTETS 64

struct config_certs {
	struct certconfig cc;
	struct conf_object *v; /* of the text */
	unsigned n;
	const char *file, *pass;
	bool *added;
};

static int save_one(struct certconfig *cc, const struct certstore_entry *e,
    const char *pass, struct buf *dst, struct err *why);
static void put_lines(struct pool *pool, struct conf_object *o, struct str s);
static void put_text(struct pool *pool, struct conf_object *o,
    const char *key, struct str s);
static void put_uses(struct certconfig *cc, struct conf_object *o);
static void save_roots(struct certconfig *cc, struct buf *dst);
static int load_one(struct config_certs *c, const struct conf_object *o,
    bool add, bool *there_r, struct err *why);
static int same_key(struct config_certs *c, const struct conf_object *o,
    const struct certpile *p, struct err *why);
static int unpack(struct config_certs *c, const struct conf_object *o,
    struct certpile *p, struct err *why);
static int check_roots(const struct conf_object *o, struct err *why);
static int check_uses(const struct conf_object *o, struct err *why);

int
config_certs_save(struct confedit *ce, const char *pass_file,
    struct buf *dst, struct err *why)
{
	struct certconfig cc = { .pool = NULL };
	struct certstore_entry *v = NULL;
	const char *pass = NULL;
	unsigned i, n = 0;
	int r;

	r = certconfig_open(&cc, confedit_file(ce), why);
	if (r == 0)
		r = certstore_list(cc.cs, &v, &n, why);
	for (i = 0; r == 0 && i < n; i++) {
		if (v[i].directory != NULL || certstore_is_default(v[i].name))
			continue;
		if (pass == NULL)
			r = certconfig_passphrase(cc.pool, pass_file, true,
			    &pass, why);
		if (r == 0)
			r = save_one(&cc, &v[i], pass, dst, why);
	}
	if (r == 0)
		save_roots(&cc, dst);
	certconfig_close(&cc);
	return r;
}

static int
save_one(struct certconfig *cc, const struct certstore_entry *e,
    const char *pass, struct buf *dst, struct err *why)
{
	struct certpile *p = NULL;
	struct conf_object o;
	struct buf der, text;
	bool legacy;
	int r;

	buf_init(&der, PKCS12_MAX);
	buf_init(&text, PKCS12_MAX);
	conf_object_saved(cc->pool, false, e->name, &o);
	r = certconfig_load(cc, e, &p, why);
	if (r == 0)
		r = pkcs12_write(p, e->name, pass, false, &der, &legacy, why);
	if (r == 0 && base64_encode(&text, buf_str(&der)) != 0)
		r = err_text(why, "\"%s\" is too long", e->name);
	if (r == 0)
		put_lines(cc->pool, &o, buf_str(&text));
	if (r == 0 && e->csr != NULL) {
		buf_reset(&text);
		r = file_read(&text, e->csr, why);
		if (r == 0)
			put_text(cc->pool, &o, "csr", buf_str(&text));
	}
	if (r == 0) {
		put_uses(cc, &o);
		conf_object_write(&o, dst);
	}
	certpile_destroy(&p);
	buf_fini(&der);
	buf_fini(&text);
	return r;
}

static struct conf_raw *
raw_text(struct pool *pool, struct str s)
{
	struct conf_raw *raw = POOL_NEW(pool, struct conf_raw);

	raw->type = RAW_STRING;
	raw->s = pool_str(pool, s);
	return raw;
}

static void
put_text(struct pool *pool, struct conf_object *o, const char *key,
    struct str s)
{
	conf_object_put(pool, o, key, raw_text(pool, s));
}

static void
put_lines(struct pool *pool, struct conf_object *o, struct str s)
{
	struct conf_raw *list = POOL_NEW(pool, struct conf_raw);
	size_t n;

	list->type = RAW_LIST;
	list->v = pool_alloc(pool, (s.n / LINE_OCTETS + 1) *
	    sizeof(*list->v));
	while (s.n > 0) {
		n = s.n < LINE_OCTETS ? s.n : LINE_OCTETS;
		list->v[list->n++] = raw_text(pool, str_n(s.p, n));
		s = str_n(s.p + n, s.n - n);
	}
	conf_object_put(pool, o, "pkcs12", list);
}

static void
put_uses(struct certconfig *cc, struct conf_object *o)
{
	struct conf_raw *list = POOL_NEW(cc->pool, struct conf_raw);
	const char *use, *name;
	unsigned i;

	list->type = RAW_LIST;
	for (i = 0; certstore_use(cc->cs, i, &use, &name); i++)
		;
	list->v = pool_alloc(cc->pool, (i + 1) * sizeof(*list->v));
	for (i = 0; certstore_use(cc->cs, i, &use, &name); i++) {
		if (strcmp(name, o->name) == 0)
			list->v[list->n++] = raw_text(cc->pool, str_c(use));
	}
	if (list->n > 0)
		conf_object_put(cc->pool, o, "uses", list);
}

static void
save_roots(struct certconfig *cc, struct buf *dst)
{
	struct conf_object o;
	struct buf text;

	buf_init(&text, CERTSTORE_FILE_MAX);
	if (file_read(&text, certstore_ca_path(cc->cs), NULL) == 0 &&
	    buf_len(&text) > 0) {
		conf_object_saved(cc->pool, true, "", &o);
		put_text(cc->pool, &o, "pem", buf_str(&text));
		conf_object_write(&o, dst);
	}
	buf_fini(&text);
}

int
config_certs_load(struct config_certs **certs_r, struct confedit *ce,
    const char *file, struct str text, const char *pass_file,
    struct err *why)
{
	struct config_certs *c = mem_zalloc(sizeof(*c));
	const struct conf_object *o;
	bool there;
	unsigned i;
	int r;

	*certs_r = c;
	r = certconfig_open(&c->cc, confedit_file(ce), why);
	if (r == 0)
		r = conf_objects_saved(c->cc.pool, file, text, &c->v, &c->n,
		    why);
	if (r != 0)
		return -1;
	c->file = pool_strdup(c->cc.pool, file);
	c->added = pool_alloc(c->cc.pool, (c->n + 1) * sizeof(*c->added));
	for (i = 0; r == 0 && i < 2 * c->n; i++) {
		o = &c->v[i % c->n];
		if (strcmp(o->kind, "certificate") != 0)
			continue;
		if (c->pass == NULL)
			r = certconfig_passphrase(c->cc.pool, pass_file, false,
			    &c->pass, why);
		if (r == 0 && c->pass == NULL)
			c->pass = prompt_secret(c->cc.pool,
			    pool_printf(c->cc.pool, "Passphrase of %s: ",
				file));
		if (r == 0)
			r = load_one(c, o, i >= c->n, &there, why);
		if (r == 0 && i >= c->n)
			c->added[i % c->n] = !there;
	}
	if (r != 0)
		config_certs_undo(c);
	return r;
}

/* First each is only looked at. */
static int
load_one(struct config_certs *c, const struct conf_object *o, bool add,
    bool *there_r, struct err *why)
{
	const struct conf_item *csr = conf_object_get(o, "csr");
	struct certpile *p = certpile_new();
	struct certstore_entry e;
	struct buf chain, key;
	int r;

	buf_init(&chain, PKCS12_MAX);
	buf_init(&key, PKCS12_MAX);
	r = certstore_check_name(o->name, why);
	if (r == 0)
		r = unpack(c, o, p, why);
	*there_r = r == 0 &&
	    certstore_entry(c->cc.cs, o->name, &e, NULL) == 0;
	if (r == 0 && *there_r)
		r = same_key(c, o, p, why);
	if (r == 0 && !*there_r && add) {
		r = certpile_pem_all(p, &chain);
		if (r == 0)
			r = certpile_key_pem(p, &key);
		r = r != 0 ? err_text(why, "it is too long") :
		    certstore_add(c->cc.cs, o->name, buf_str(&chain),
			buf_str(&key), csr != NULL &&
			csr->value->type == RAW_STRING ? csr->value->s :
			STR_NULL, why);
	}
	explicit_bzero(buf_p(&key), buf_len(&key));
	buf_fini(&key);
	buf_fini(&chain);
	certpile_destroy(&p);
	return r == 0 ? 0 : err_prefix(why, "%s:%d: certificate \"%s\": ",
	    c->file, o->line, o->name);
}

static int
unpack(struct config_certs *c, const struct conf_object *o,
    struct certpile *p, struct err *why)
{
	const struct conf_item *item = conf_object_get(o, "pkcs12");
	struct buf text, der;
	unsigned i;
	int r = 0;

	if (item == NULL || item->value->type != RAW_LIST)
		return err_text(why, "it has no pkcs12 = { \"...\" }");
	buf_init(&text, 2 * PKCS12_MAX);
	buf_init(&der, PKCS12_MAX);
	for (i = 0; r == 0 && i < item->value->n; i++)
		r = item->value->v[i]->type != RAW_STRING ? -1 :
		    buf_add_str(&text, item->value->v[i]->s);
	if (r != 0 || base64_decode(&der, buf_str(&text)) != 0)
		r = err_text(why, "pkcs12 is not base64");
	if (r == 0)
		r = certpile_read(p, buf_str(&der), "pkcs12",
		    c->pass != NULL ? c->pass : "", why);
	if (r == 0 && (certpile_count(p) == 0 || !certpile_has_key(p)))
		r = err_text(why, "pkcs12 has no certificate and key");
	buf_fini(&text);
	buf_fini(&der);
	return r;
}

/* A name's key never changes. */
static int
same_key(struct config_certs *c, const struct conf_object *o,
    const struct certpile *p, struct err *why)
{
	struct certfact ours, theirs;
	struct certpile *own = NULL;
	struct certstore_entry e;
	int r;

	if (certstore_entry(c->cc.cs, o->name, &e, why) != 0 ||
	    certconfig_load(&c->cc, &e, &own, why) != 0)
		return -1;
	certpile_fact(own, 0, c->cc.pool, &ours);
	certpile_fact(p, 0, c->cc.pool, &theirs);
	r = strcmp(ours.spki, theirs.spki) == 0 ? 0 : err_text(why, "there is "
	    "one with that name and another key: rename it first");
	certpile_destroy(&own);
	return r;
}

int
config_certs_rest(struct config_certs *c, struct buf *dst, struct err *why)
{
	struct conf_object o;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		o = c->v[i];
		if (strcmp(o.kind, "certificate") == 0) {
			if (check_uses(&o, why) != 0)
				return err_prefix(why, "%s:%d: ", c->file,
				    o.line);
			conf_object_put(c->cc.pool, &o, "pkcs12", NULL);
			conf_object_put(c->cc.pool, &o, "csr", NULL);
			if (o.items == NULL)
				continue;
		} else if (conf_object_stored(&o)) {
			continue;
		} else if (check_roots(&o, why) != 0) {
			return err_prefix(why, "%s:%d: ", c->file, o.line);
		}
		conf_object_write(&o, dst);
	}
	return 0;
}

static int
check_roots(const struct conf_object *o, struct err *why)
{
	const struct conf_item *pem = conf_object_get(o, "pem");
	struct certpile *p;
	int r;

	if (pem == NULL || pem->value->type != RAW_STRING)
		return err_text(why, "authorities have pem = \"...\"");
	p = certpile_new();
	r = certpile_read(p, pem->value->s, "pem", NULL, why);
	if (r == 0 && certpile_count(p) == 0)
		r = err_text(why, "pem has no certificate");
	certpile_destroy(&p);
	return r;
}

static int
check_uses(const struct conf_object *o, struct err *why)
{
	const struct conf_item *uses = conf_object_get(o, "uses");
	unsigned i;

	if (uses == NULL)
		return 0;
	if (uses->value->type != RAW_LIST)
		return err_text(why, "uses is a list");
	for (i = 0; i < uses->value->n; i++) {
		if (uses->value->v[i]->type != RAW_STRING ||
		    uses->value->v[i]->s.n == 0)
			return err_text(why, "a use is a text");
	}
	return 0;
}

void
config_certs_undo(struct config_certs *c)
{
	unsigned i;

	for (i = 0; c->added != NULL && i < c->n; i++) {
		if (c->added[i])
			(void)certstore_delete(c->cc.cs, c->v[i].name, NULL);
	}
}

void
config_certs_close(struct config_certs **cp)
{
	struct config_certs *c = *cp;

	if (c == NULL)
		return;
	*cp = NULL;
	certconfig_close(&c->cc);
	mem_free(c);
}
