/*
 * The strict profile is taken back by walking the same way as it was set, over
 * the configuration that was before: where a setting still is what the profile
 * makes of the old one, the old one returns. What people have changed since is
 * theirs and stays, so does what the profile did not touch.
 */
#include "cli/profile.h"

#include <string.h>

#include "base/file.h"
#include "cli/config.h"

struct profile_old {
	uint64_t n; /* revision; 0: nothing was committed yet */
	struct buf text;
	struct conf_object *v;
	unsigned nv;
	struct conf *conf;
};

static int
on_object(void *arg, const struct revs_object *o, struct err *why)
{
	bool *has = arg;

	(void)why;
	if (strcmp(o->kind, "sender_group") == 0 &&
	    strcmp(o->name, PROFILE_STRANGERS) == 0)
		*has = true;
	return 0;
}

/* The newest without the profile. Within a transaction. */
static int
find(struct revs *store, uint64_t *n_r, struct err *why)
{
	uint64_t n, before;
	bool has;

	if (revs_head(store, &n, why) != 0)
		return -1;
	while (n > 0) {
		has = false;
		if (revs_objects(store, n, on_object, &has, why) != 0)
			return -1;
		if (!has)
			break;
		if (revs_before(store, n, &before, why) != 0)
			return -1;
		if (before == 0 && n > 1)
			return err_text(why, "the revisions from before the "
			    "strict profile were pruned: set what you want "
			    "with postern profile server and client, and "
			    "delete the group " PROFILE_STRANGERS " with "
			    "postern listenerconfig");
		n = before;
	}
	*n_r = n;
	return 0;
}

static int
read_old(struct profile *p, struct profile_old *old, struct err *why)
{
	struct revs *store = confedit_store(p->ce);
	struct conf_over over = { .lines = false };
	const char *file = confedit_file(p->ce);
	struct buf boot;
	int r;

	if (revs_begin(store, false, why) != 0)
		return -1;
	r = find(store, &old->n, why);
	if (r == 0 && old->n > 0)
		r = revs_text(store, old->n, &old->text, why);
	(void)revs_end(store, false, NULL);
	over.name = pool_printf(p->pool, "revision %llu",
	    (unsigned long long)old->n);
	over.text = buf_str(&old->text);
	if (r != 0 || conf_objects_read(p->pool, over.name, over.text,
	    &old->v, &old->nv, why) != 0)
		return -1;
	buf_init(&boot, CONF_MAX);
	r = file_read(&boot, file, why);
	if (r == 0)
		r = conf_parse_over(&old->conf, file, buf_str(&boot), &over,
		    &conf_reader_none, why);
	buf_fini(&boot);
	return r;
}

static const struct conf_object *
old_object(const struct profile_old *old, const struct conf_object *like)
{
	unsigned i;

	for (i = 0; i < old->nv; i++) {
		if (old->v[i].scope == like->scope &&
		    strcmp(old->v[i].name, like->name) == 0)
			return &old->v[i];
	}
	return NULL;
}

/* Gives back what was; where nothing is left of an object that was not there,
 * neither is it. */
static int
give_back(struct profile *p, const struct profile_old *old, const char *kind,
    const char *name, const char *key, struct err *why)
{
	const struct conf_object *o = confedit_get(p->ce, kind, name), *was;
	const char *before, *value = NULL;

	was = old_object(old, o);
	before = profile_text(p, o, key);
	if (was != NULL)
		value = profile_spoken(p, was, key);
	confedit_scope(p->ce, o->node);
	if (confedit_set(p->ce, kind, name, key, value != NULL ? value : "",
		why) != 0)
		return -1;
	profile_tell(p, kind, name, key, before);
	o = confedit_get(p->ce, kind, name);
	return was != NULL || o->items != NULL ? 0 :
	    confedit_delete(p->ce, kind, name, why);
}

/* A profile_put_fn: value is what the profile makes of the old setting. */
static int
put_back(struct profile *p, const char *kind, const char *name,
    const char *key, const char *value, struct err *why)
{
	const struct conf_object *o = confedit_get(p->ce, kind, name);

	return o == NULL || !profile_is(p, o, key, value) ? 0 :
	    give_back(p, p->old, kind, name, key, why);
}

static const struct conf_listener *
listener(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		if (strcmp(c->listener[i].name, name) == 0)
			return &c->listener[i];
	}
	return NULL;
}

/* Its number in the table, that behind the last if it is not there. */
static unsigned
place(const struct conf_listener *l, const struct conf_group *g)
{
	unsigned i;

	for (i = 0; i < l->ngroup; i++) {
		if (strcmp(l->group[i]->name, g->name) == 0)
			break;
	}
	return i;
}

static bool
is_group(const struct conf *c, const char *name)
{
	unsigned i;

	for (i = 0; i < c->ngroup; i++) {
		if (strcmp(c->group[i].name, name) == 0)
			return true;
	}
	return false;
}

/* A listener that gets back the groups that ours took the place of. */
struct opening {
	const struct conf_listener *was, *now;
	unsigned end;	  /* of was; what is behind it left as well */
	unsigned next;	  /* of was, to be looked at */
	const char *list; /* so far */
};

/* Those that were in front of that place. */
static void
reopen(struct profile *p, const struct conf *then, struct opening *o,
    unsigned to)
{
	const struct conf_group *g;

	for (; o->next < to; o->next++) {
		g = o->was->group[o->next];
		if ((o->next >= o->end || profile_lets_all(then, g)) &&
		    place(o->now, g) == o->now->ngroup &&
		    is_group(p->conf, g->name))
			o->list = profile_joined(p, o->list, g->name);
	}
}

/* Its groups are those of now, without ours and with those that ours took the
 * place of, each where it was. */
static int
open_listener(struct profile *p, const struct profile_old *old,
    const struct conf_listener *l, struct err *why)
{
	const struct conf_listener *was = listener(old->conf, l->name);
	struct opening o = { .was = was, .now = l, .list = "" };
	const char *then = "";
	bool ours = false, opens;
	unsigned i, at;

	opens = was != NULL && profile_open(old->conf, was, &o.end);
	for (i = 0; i < l->ngroup; i++) {
		if (profile_is_own(l->group[i])) {
			ours = true;
			continue;
		}
		at = opens ? place(was, l->group[i]) : 0;
		if (opens && at < was->ngroup)
			reopen(p, old->conf, &o, at);
		o.list = profile_joined(p, o.list, l->group[i]->name);
	}
	if (!ours)
		return 0;
	if (opens)
		reopen(p, old->conf, &o, was->ngroup);
	for (i = 0; was != NULL && i < was->ngroup; i++)
		then = profile_joined(p, then, was->group[i]->name);
	if (was != NULL && strcmp(o.list, then) == 0)
		return give_back(p, old, "listener", l->name, "sender_groups",
		    why);
	return profile_set(p, "listener", l->name, "sender_groups",
	    o.list[0] != '\0' ? o.list : "\"\"", why);
}

static int
drop(struct profile *p, const char *kind, const char *name, struct err *why)
{
	if (confedit_get(p->ce, kind, name) == NULL)
		return 0;
	(void)json_array_append_new(p->changes, config_text(str_c(pool_printf(
	    p->pool, "%s \"%s\": deleted", kind, name))));
	return confedit_delete(p->ce, kind, name, why);
}

/* One that a group of somebody else's uses stays. */
static int
drop_policy(struct profile *p, const char *name, struct err *why)
{
	const struct conf *c = p->conf;
	unsigned i;

	for (i = 0; i < c->ngroup; i++) {
		if (profile_is_own(&c->group[i]) ||
		    strcmp(c->group[i].policy, name) != 0)
			continue;
		(void)json_array_append_new(p->changes, config_text(str_c(
		    pool_printf(p->pool, "mail_flow_policy \"%s\" stays, "
		    "sender_group \"%s\" has it", name,
		    c->group[i].name))));
		return 0;
	}
	return drop(p, "mail_flow_policy", name, why);
}

static bool
is_required(const struct tlswant *w)
{
	return w != NULL && w->level >= TLSWANT_REQUIRED;
}

/* What a setting that is younger was, before the profile was applied once
 * more, nobody knows. */
static void
tell_young(struct profile *p, const char *kind, const char *name)
{
	const struct conf_object *o = confedit_get(p->ce, kind, name);
	const struct conf_object *boot = confedit_boot(p->ce, kind, name);
	const struct conf_object *was = o == NULL ? NULL :
	    old_object(p->old, o);
	const char *now = profile_text(p, o, "tls");

	if (now == NULL || profile_text(p, was, "tls") != NULL ||
	    profile_text(p, boot, "tls") != NULL)
		return;
	(void)json_array_append_new(p->changes, config_text(str_c(pool_printf(
	    p->pool, "%s \"%s\": tls %s stays, it is younger than the strict "
	    "profile", kind, name, now))));
}

static void
tell_what_stays(struct profile *p)
{
	const struct conf *c = p->conf;
	unsigned i;

	for (i = 0; i < c->nlistener; i++) {
		if (c->listener[i].tls == SMTPD_TLS_REQUIRED)
			tell_young(p, "listener", c->listener[i].name);
	}
	for (i = 0; i < c->nflow; i++) {
		if (c->flow[i].behavior <= CONF_RELAY &&
		    c->flow[i].tls == SMTPD_TLS_REQUIRED)
			tell_young(p, "mail_flow_policy", c->flow[i].name);
	}
	for (i = 0; i < c->ndestination; i++) {
		if (is_required(c->destination[i].tls))
			tell_young(p, "destination", c->destination[i].name);
	}
	for (i = 0; i < c->nroute; i++) {
		if (is_required(c->route[i].tls))
			tell_young(p, "route", c->route[i].name);
	}
}

static int
undo(struct profile *p, const struct profile_old *old, struct err *why)
{
	struct profile was = *p;
	unsigned i;

	was.conf = old->conf;
	was.put = put_back;
	was.old = old;
	/* Either may have been applied, or one behind the other; a setting is
	 * what one of them made. */
	if (profile_raise(&was, TLSWANT_REQUIRED_VERIFY, why) != 0 ||
	    profile_raise(&was, TLSWANT_REQUIRED, why) != 0)
		return -1;
	was.unverified = true;
	if (profile_raise(&was, TLSWANT_REQUIRED_VERIFY, why) != 0)
		return -1;
	for (i = 0; i < p->conf->nlistener; i++) {
		if (open_listener(p, old, &p->conf->listener[i], why) != 0)
			return -1;
	}
	if (drop(p, "sender_group", PROFILE_TRUSTED, why) != 0 ||
	    drop(p, "sender_group", PROFILE_STRANGERS, why) != 0 ||
	    drop_policy(p, PROFILE_RELAY, why) != 0 ||
	    drop_policy(p, PROFILE_REJECT, why) != 0)
		return -1;
	was.conf = p->conf;
	tell_what_stays(&was);
	return 0;
}

bool
profile_on(struct profile *p)
{
	return confedit_get(p->ce, "sender_group", PROFILE_STRANGERS) != NULL;
}

int
profile_off(struct profile *p, struct err *why)
{
	struct profile_old old = { .n = 0 };
	int r;

	if (!profile_on(p))
		return err_text(why, "the strict profile is not in force");
	buf_init(&old.text, CONF_OVER_MAX);
	r = read_old(p, &old, why);
	if (r == 0)
		r = undo(p, &old, why);
	conf_unref(&old.conf);
	buf_fini(&old.text);
	return r;
}
