#include "revs_util.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

void
place_init(struct place *p)
{
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/revs-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	(void)snprintf(p->sub, sizeof(p->sub), "%s/config", p->dir);
	(void)snprintf(p->path, sizeof(p->path), "%s/r.db", p->sub);
	p->pool = pool_new(0);
}

void
place_fini(struct place *p)
{
	char cmd[128];

	(void)snprintf(cmd, sizeof(cmd), "rm -rf '%s'", p->dir);
	ck_assert_int_eq(system(cmd), 0);
	pool_destroy(&p->pool);
}

struct revs *
must_open(struct place *p)
{
	struct err why = ERR_INIT;
	struct revs *r;

	ck_assert_msg(revs_open(&r, p->path, true, &why) == 0, "%s", why.text);
	return r;
}

/* body NULL: deleted. */
int
draft(struct revs *r, const char *name, const char *body)
{
	struct revs_object o = { .kind = "k", .name = name,
		.body = str_c(body), .who = "ann", .at = 1000 };
	struct err why = ERR_INIT;
	int rc;

	if (revs_begin(r, true, &why) != 0)
		return -1;
	rc = revs_put(r, &o, &why);
	return revs_end(r, rc == 0, &why) == 0 ? rc : -1;
}

int
propose(struct place *p, struct revs *r, struct rev *v, struct err *why)
{
	int rc;

	if (revs_begin(r, true, why) != 0)
		return -1;
	rc = revs_propose(r, "ann", "why not", p->pool, v, why);
	return revs_end(r, rc == 0, why) == 0 ? rc : -1;
}

int
accept_it(struct revs *r, const struct rev *v, struct err *why)
{
	int rc;

	if (revs_begin(r, true, why) != 0)
		return -1;
	rc = revs_accept(r, v->n, v->token, why);
	return revs_end(r, rc == 0, why) == 0 ? rc : -1;
}

uint64_t
commit(struct place *p, struct revs *r)
{
	struct err why = ERR_INIT;
	struct rev v;

	ck_assert_msg(propose(p, r, &v, &why) == 0, "%s", why.text);
	ck_assert_msg(accept_it(r, &v, &why) == 0, "%s", why.text);
	return v.n;
}

static int
on_name(void *arg, const struct revs_object *o, struct err *why)
{
	(void)why;
	(void)buf_printf(arg, "%s%s%.*s ", o->name,
	    o->body.p != NULL ? "=" : "-", STR_FMT(o->body));
	return 0;
}

const char *
content(struct place *p, struct revs *r, enum what what, uint64_t n)
{
	struct err why = ERR_INIT;
	struct buf b;
	char *text;
	int rc;

	buf_init(&b, 1 << 20);
	ck_assert_int_eq(revs_begin(r, false, &why), 0);
	rc = what == DRAFT ? revs_draft(r, on_name, &b, &why) :
	    what == MERGED ? revs_merged(r, on_name, &b, &why) :
			     revs_objects(r, n, on_name, &b, &why);
	ck_assert_msg(rc == 0, "%s", why.text);
	ck_assert_int_eq(revs_end(r, false, NULL), 0);
	text = pool_strdup(p->pool, buf_p(&b));
	buf_fini(&b);
	return text;
}
