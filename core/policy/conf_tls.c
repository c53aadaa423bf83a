/*
 * TLS of a configuration: wants of destinations, contexts of listeners and of
 * delivery, from files that were read once.
 */
#include <string.h>

#include "policy/conf_priv.h"
#include "tls/certlist.h"
#include "tls/tlsident.h"
#include "tls/tlstrust.h"

enum { IDENTS_MAX = 64 }; /* of a listener */

/* What several uses share is made once. */
struct made {
	const char *chain, *key;
	struct tlsident *id; /* NULL: unusable, and said so */
	struct made *next;
};

struct job {
	struct conf *c;
	const struct conf_tls_env *env;
	struct made *made;
	struct relay_trust *trust; /* by file */
	unsigned ntrust;
};

static int	listener_tls(struct job *, struct conf_listener *,
		    struct err *);
static int	flows_tls(const struct conf *, struct conf_listener *,
		    struct tlsctx_conf *, struct err *);
static int	idents(struct job *, const char *, struct tlsident **,
		    unsigned, unsigned *, struct err *);
static int	ident(struct job *, const struct certmap_row *,
		    struct tlsident **, struct err *);
static int	ident_make(struct job *, const struct certmap_row *,
		    struct tlsident **, struct err *);
static int	delivery_tls(struct job *, struct err *);
static int	client_idents(struct job *, struct err *);
static int	want_trusts(struct job *, struct err *);
static int	trust_of(struct job *, const char *, struct tlstrust **,
		    struct err *);
static int	trust_add(struct job *, struct tlstrust *, const char *, bool,
		    struct err *);
static int	read_file(struct job *, const char *, struct buf *,
		    struct err *);
static int	broken(const struct job *, const char *, const char *,
		    struct err *);
static int	read_listed(void *, const char *, struct buf *, struct err *);
static uint16_t	version(int);
static void	ident_drop(void *);
static void	trust_drop(void *);

int
conf_tls(struct conf *c, const struct conf_tls_env *env, struct err *why)
{
	struct job j = { .c = c, .env = env };
	unsigned i;

	for (i = 0; conf_want(c, i) != NULL;)
		i++;
	j.trust = pool_alloc(c->pool, (i + c->nlistener + 1) *
	    sizeof(*j.trust));
	for (i = 0; i < c->nlistener; i++) {
		if (conf_listener_wants_tls(&c->listener[i]) &&
		    listener_tls(&j, &c->listener[i], why) != 0)
			return conf_blame(c, CONF_SCOPE_LISTENER,
			    c->listener[i].name, NULL, why);
	}
	if (delivery_tls(&j, why) != 0)
		return conf_blame(c, CONF_SCOPE_DELIVERY, "", NULL, why);
	return 0;
}

int
conf_tls_try(struct conf *c, const struct certlist *list,
    conf_broken_fn *fn, void *arg, struct err *why)
{
	struct certmap map = { .pool = c->pool };
	struct conf_reader reader = conf_reader_plain;
	struct conf_tls_env env = { .reader = &reader, .map = &map,
		.broken = fn, .arg = arg };

	reader.read = read_listed;
	reader.arg = (void *)(uintptr_t)list;
	if (conf_certs(c, list, &map, why) != 0)
		return -1;
	return conf_tls(c, &env, why);
}

static int
read_listed(void *arg, const char *path, struct buf *dst, struct err *why)
{
	return certlist_read(arg, path, dst, why);
}

static int
listener_tls(struct job *j, struct conf_listener *l, struct err *why)
{
	struct tlsctx_conf t = { .server = true };
	struct tlsident *v[IDENTS_MAX];
	const struct conf *c = j->c;

	if (idents(j, pool_printf(c->pool, "listener:%s", l->name), v,
		IDENTS_MAX, &t.nident, why) != 0)
		return -1;
	if (t.nident == 0)
		return 0;
	t.ident = v;
	t.min_version = version(l->tls_min_version != -1 ?
	    l->tls_min_version : c->tls.min_version);
	if (l->tls_ciphers[0] != '\0')
		t.ciphers = l->tls_ciphers;
	else if (c->tls.ciphers[0] != '\0')
		t.ciphers = c->tls.ciphers;
	if (l->tls_groups[0] != '\0')
		t.groups = l->tls_groups;
	else if (c->tls.groups[0] != '\0')
		t.groups = c->tls.groups;
	if (l->client_ca[0] != '\0' &&
	    trust_of(j, l->client_ca, &t.trust, why) != 0)
		return -1;
	return flows_tls(c, l, &t, why);
}

/* Those that ask clients for as much share a context. */
static int
flows_tls(const struct conf *c, struct conf_listener *l, struct tlsctx_conf *t,
    struct err *why)
{
	bool ask = l->client_ca[0] != '\0' || c->relay.certificates[0] != NULL;
	struct tlsctx *made[3] = { NULL, NULL, NULL };
	unsigned i;
	int want;

	for (i = 0; i < l->nflow; i++) {
		const struct conf_policy_flow *p = l->flow[i].policy;

		if (i > 0 && l->flow[i].smtpd.tls == SMTPD_TLS_OFF &&
		    !l->implicit_tls)
			continue;
		want = p != NULL && p->client_cert != -1 ? p->client_cert :
		    l->client_cert != -1 ? l->client_cert : ask;
		if (made[want] == NULL) {
			t->request_client_cert = want > 0;
			t->require_client_cert = want == 2;
			/* What is not asked for is not judged. */
			t->verify_client_cert = want > 0 &&
			    l->client_ca[0] != '\0';
			if (tlsctx_new(&made[want], t, why) != 0)
				return -1;
			l->flow[i].smtpd.tlsctx = made[want];
		} else {
			l->flow[i].smtpd.tlsctx = tlsctx_ref(made[want]);
		}
	}
	return 0;
}

/* Those of a use, in their order; what is unusable is left out. */
static int
idents(struct job *j, const char *use, struct tlsident **v, unsigned max,
    unsigned *n_r, struct err *why)
{
	const struct certmap_row *row;
	struct tlsident *id;
	unsigned i, n = 0;

	for (i = 0; (row = certmap_find(j->env->map, use, i)) != NULL; i++) {
		if (n == max)
			return err_text(why, "more than %u certificates", max);
		if (ident(j, row, &id, why) != 0)
			return -1;
		if (id != NULL)
			v[n++] = id;
	}
	*n_r = n;
	return 0;
}

static int
ident(struct job *j, const struct certmap_row *row, struct tlsident **id_r,
    struct err *why)
{
	struct made *m;

	for (m = j->made; m != NULL; m = m->next) {
		if (strcmp(m->chain, row->chain) == 0 &&
		    strcmp(m->key, row->key) == 0) {
			*id_r = m->id;
			return 0;
		}
	}
	m = POOL_NEW(j->c->pool, struct made);
	m->chain = row->chain;
	m->key = row->key;
	m->next = j->made;
	j->made = m;
	if (ident_make(j, row, &m->id, why) != 0 &&
	    broken(j, row->use, row->chain, why) != 0)
		return -1;
	if (m->id != NULL)
		pool_defer(j->c->pool, ident_drop, m->id);
	*id_r = m->id;
	return 0;
}

static int
ident_make(struct job *j, const struct certmap_row *row,
    struct tlsident **id_r, struct err *why)
{
	const struct conf_tls_env *env = j->env;
	struct buf chain, key;
	int r;

	buf_init(&chain, CONF_FILE_MAX);
	buf_init(&key, CONF_FILE_MAX);
	r = read_file(j, row->chain, &chain, why);
	if (r == 0 && env->ops == NULL)
		r = read_file(j, row->key, &key, why);
	if (r == 0)
		r = tlsident_new(id_r, row->chain, buf_str(&chain),
		    env->ops == NULL ? buf_str(&key) : STR_NULL, env->ops,
		    env->ops_arg, why);
	explicit_bzero(buf_p(&chain), buf_len(&chain));
	explicit_bzero(buf_p(&key), buf_len(&key));
	buf_fini(&chain);
	buf_fini(&key);
	return r;
}

static int
delivery_tls(struct job *j, struct err *why)
{
	struct tlsctx_conf t = { .server = false };
	struct conf *c = j->c;
	const char *file[2] = { c->delivery.ca_file,
		conf_store_ca(c, c->pool) };
	int r = 0, i;

	t.trust = tlstrust_new();
	for (i = 0; i < 2; i++) { /* where there is none, nobody is trusted */
		if (r == 0 && j->env->reader->has(j->env->reader->arg, file[i]))
			r = trust_add(j, t.trust, file[i], false, why);
	}
	if (r == 0)
		r = trust_add(j, t.trust, NULL, true, why);
	t.cache = j->env->sessions;
	t.min_version = version(c->tls.min_version);
	if (c->tls.ciphers[0] != '\0')
		t.ciphers = c->tls.ciphers;
	if (c->tls.groups[0] != '\0')
		t.groups = c->tls.groups;
	if (r == 0)
		r = tlsctx_new(&c->relay_conf.tlsctx, &t, why);
	tlstrust_unref(&t.trust);
	if (r != 0 || client_idents(j, why) != 0)
		return -1;
	return want_trusts(j, why);
}

static int
client_idents(struct job *j, struct err *why)
{
	struct conf *c = j->c;
	struct relay_destination *d =
	    (struct relay_destination *)(uintptr_t)c->relay_conf.destination;
	const struct certmap_row *row;
	const char *use;
	unsigned i;

	row = certmap_find(j->env->map, "outbound", 0);
	if (row != NULL && ident(j, row, &c->relay_conf.cert, why) != 0)
		return -1;
	for (i = 0; i < c->relay_conf.ndestination; i++) {
		use = pool_printf(c->pool, "destination:%s", d[i].name);
		row = certmap_find(j->env->map, use, 0);
		if (row != NULL && ident(j, row, &d[i].cert, why) != 0)
			return -1;
	}
	return 0;
}

static int
want_trusts(struct job *j, struct err *why)
{
	const struct tlswant *w;
	struct tlstrust *t;
	unsigned i;

	for (i = 0; (w = conf_want(j->c, i)) != NULL; i++) {
		if (w->ca != NULL && trust_of(j, w->ca, &t, why) != 0)
			return -1;
	}
	j->c->relay_conf.trust = j->trust;
	j->c->relay_conf.ntrust = j->ntrust;
	return 0;
}

/* The roots of one file, with the common lists of what was revoked. */
static int
trust_of(struct job *j, const char *ca, struct tlstrust **t_r,
    struct err *why)
{
	struct tlstrust *t;
	unsigned i;

	for (i = 0; i < j->ntrust; i++) {
		if (strcmp(j->trust[i].ca, ca) == 0) {
			*t_r = j->trust[i].trust;
			return 0;
		}
	}
	t = tlstrust_new();
	pool_defer(j->c->pool, trust_drop, t);
	if (trust_add(j, t, ca, false, why) != 0 ||
	    trust_add(j, t, NULL, true, why) != 0)
		return -1;
	j->trust[j->ntrust].ca = ca;
	j->trust[j->ntrust++].trust = t;
	*t_r = t;
	return 0;
}

/* A file of roots, or all of CRLs. */
static int
trust_add(struct job *j, struct tlstrust *t, const char *file, bool crls,
    struct err *why)
{
	const char *one[2] = { file, NULL };
	const char *const *p = crls ? j->c->tls.crls : one;
	struct buf pem;
	int r = 0;

	for (; r == 0 && *p != NULL; p++) {
		buf_init(&pem, CONF_FILE_MAX);
		r = read_file(j, *p, &pem, why);
		if (r == 0 && crls)
			r = tlstrust_crls(t, buf_str(&pem), *p, why);
		else if (r == 0)
			r = tlstrust_roots(t, buf_str(&pem), *p, why);
		buf_fini(&pem);
		if (r != 0)
			r = broken(j, NULL, *p, why);
	}
	return r;
}

static int
read_file(struct job *j, const char *path, struct buf *b, struct err *why)
{
	return j->env->reader->read(j->env->reader->arg, path, b, why);
}

/* 0: go on without it. */
static int
broken(const struct job *j, const char *use, const char *file,
    struct err *why)
{
	if (j->env->broken == NULL)
		return -1;
	return j->env->broken(j->env->arg, use, file, why);
}

/* "1.0|1.1|1.2|1.3" */
static uint16_t
version(int choice)
{
	return (uint16_t)(0x0301 + choice);
}

static void
ident_drop(void *arg)
{
	struct tlsident *id = arg;

	tlsident_unref(&id);
}

static void
trust_drop(void *arg)
{
	struct tlstrust *t = arg;

	tlstrust_unref(&t);
}
