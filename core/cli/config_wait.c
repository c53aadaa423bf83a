#include "cli/config_wait.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sys.h"
#include "tls/certstore.h"

/* What was assigned, to be taken back. */
struct applied {
	const char *use, *name;
	struct applied *next;
};

struct config_wait {
	struct confedit *ce;
	struct pool *pool;
	struct certstore *cs;
	struct applied *first;
	struct str roots; /* those before; p NULL: they are as they were */
};

static int apply_all(struct config_wait *, struct err *);
static int apply_uses(struct config_wait *, const struct conf_object *,
    struct err *);
static int apply_roots(struct config_wait *, const struct conf_object *,
    struct err *);
static bool assigned(const struct certstore *, const char *, const char *);
static void end(struct config_wait **);

static const char *
path_of(struct confedit *ce)
{
	struct revs *store = confedit_store(ce);

	return store == NULL ? NULL : revs_beside(store, confedit_pool(ce),
	    ".certificates");
}

bool
config_wait_any(struct confedit *ce)
{
	const char *path = path_of(ce);

	return path != NULL && access(path, F_OK) == 0;
}

int
config_wait_read(struct confedit *ce, struct buf *dst, struct err *why)
{
	return config_wait_any(ce) ? file_read(dst, path_of(ce), why) : 0;
}

int
config_wait_put(struct confedit *ce, struct str text, struct err *why)
{
	const char *path = path_of(ce);

	ASSERT(path != NULL);
	if (text.n > 0)
		return file_replace(path, text.p, text.n, 0600, why);
	if (sys_unlink(path) == 0 || errno == ENOENT)
		return 0;
	return err_errno(why, "%s.certificates", confedit_path(ce));
}

int
config_wait_apply(struct config_wait **w_r, struct confedit *ce,
    struct err *why)
{
	const struct conf *c = confedit_conf(ce);
	struct config_wait *w;
	int r;

	*w_r = NULL;
	if (!config_wait_any(ce))
		return 0;
	if (c == NULL)
		return err_text(why, "%s", confedit_broken(ce));
	w = mem_zalloc(sizeof(*w));
	w->ce = ce;
	w->pool = pool_new(0);
	r = certstore_open(&w->cs, c->tls.store, NULL, why);
	if (r == 0)
		r = apply_all(w, why);
	if (r != 0)
		config_wait_undo(&w);
	*w_r = w;
	return r;
}

static int
apply_all(struct config_wait *w, struct err *why)
{
	struct conf_object *v;
	struct buf text;
	unsigned i, n;
	int r;

	buf_init(&text, CONF_OVER_MAX);
	r = config_wait_read(w->ce, &text, why);
	if (r == 0)
		r = conf_objects_saved(w->pool, "certificates that wait",
		    buf_str(&text), &v, &n, why);
	buf_fini(&text);
	for (i = 0; r == 0 && i < n; i++) {
		r = strcmp(v[i].kind, "certificate") == 0 ?
		    apply_uses(w, &v[i], why) : apply_roots(w, &v[i], why);
	}
	return r;
}

static int
apply_uses(struct config_wait *w, const struct conf_object *o,
    struct err *why)
{
	const struct conf_item *uses = conf_object_get(o, "uses");
	struct applied *a;
	const char *use;
	unsigned i;

	for (i = 0; uses != NULL && uses->value->type == RAW_LIST &&
	    i < uses->value->n; i++) {
		use = uses->value->v[i]->s.p;
		if (assigned(w->cs, use, o->name))
			continue;
		if (certstore_assign(w->cs, use, o->name, false, why) != 0)
			return err_prefix(why, "certificate \"%s\": ",
			    o->name);
		a = POOL_NEW(w->pool, struct applied);
		a->use = use;
		a->name = o->name;
		a->next = w->first;
		w->first = a;
	}
	return 0;
}

static int
apply_roots(struct config_wait *w, const struct conf_object *o,
    struct err *why)
{
	const struct conf_item *pem = conf_object_get(o, "pem");
	const char *path = certstore_ca_path(w->cs);
	struct buf text;
	int r = 0;

	if (pem == NULL || pem->value->type != RAW_STRING)
		return 0;
	buf_init(&text, CERTSTORE_FILE_MAX);
	if (access(path, F_OK) == 0)
		r = file_read(&text, path, why);
	if (r == 0)
		r = certstore_set_ca(w->cs, pem->value->s, why);
	if (r == 0)
		w->roots = pool_str(w->pool, buf_str(&text));
	buf_fini(&text);
	return r;
}

static bool
assigned(const struct certstore *cs, const char *use, const char *name)
{
	const char *u, *n;
	unsigned i;

	for (i = 0; certstore_use(cs, i, &u, &n); i++) {
		if (strcmp(u, use) == 0 && strcmp(n, name) == 0)
			return true;
	}
	return false;
}

void
config_wait_done(struct config_wait **wp)
{
	if (*wp != NULL)
		(void)config_wait_put((*wp)->ce, STR_NULL, NULL);
	end(wp);
}

void
config_wait_undo(struct config_wait **wp)
{
	const struct applied *a;

	for (a = *wp != NULL ? (*wp)->first : NULL; a != NULL; a = a->next)
		(void)certstore_unassign((*wp)->cs, a->use, a->name, NULL);
	if (*wp != NULL && (*wp)->roots.p != NULL)
		(void)certstore_set_ca((*wp)->cs, (*wp)->roots, NULL);
	end(wp);
}

static void
end(struct config_wait **wp)
{
	struct config_wait *w = *wp;

	if (w == NULL)
		return;
	*wp = NULL;
	certstore_close(&w->cs);
	pool_destroy(&w->pool);
	mem_free(w);
}
