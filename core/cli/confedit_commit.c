/*
 * What is not committed yet, and commits: a proposal is checked here, tried by
 * a relay that runs, and is the head when both agree.
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/obj.h"
#include "cli/ask.h"
#include "cli/bounceconfig.h"
#include "cli/cli.h"
#include "cli/confedit_priv.h"
#include "cli/config_wait.h"
#include "daemon/epoch.h"

#define WHO_MAX 64 /* octets */

struct dropped {
	struct confedit *ce;
	const struct conf *c; /* as it will be */
};

static int commit(struct confedit *, const char *, struct confedit_done *,
    struct err *);
static int certs_alone(struct confedit *, struct confedit_done *,
    struct err *);
static int propose(struct confedit *, const char *, struct rev *,
    struct err *);
static int check(struct confedit *, const struct rev *, struct err *);
static void warn_of_profiles(struct confedit *, const struct conf *);
static int on_dropped(void *, const struct revs_object *, struct err *);
static int take(struct confedit *, const struct rev *, bool *, struct err *);
static int accept_it(struct confedit *, const struct rev *, struct err *);
static void refuse(struct confedit *);
static void on_answer(void *, const char *, const json_t *, int);

const char *
confedit_who_am_i(struct pool *pool)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *pw;

	if (getuid() == 0 && sudo != NULL && sudo[0] != '\0')
		return text_clean(pool, str_c(sudo), WHO_MAX);
	pw = getpwuid(getuid());
	return pw != NULL ? pool_strdup(pool, pw->pw_name) :
	    pool_printf(pool, "%u", (unsigned)getuid());
}

/* People do not look at damage as if it were what they have committed. */
int
confedit_check_head(struct confedit *ce, struct err *why)
{
	int r;

	if (ce->store == NULL || ce->head == 0)
		return 0;
	if (revs_begin(ce->store, false, why) != 0)
		return -1;
	r = revs_text(ce->store, ce->head, NULL, why);
	(void)revs_end(ce->store, false, NULL);
	return r;
}

int
confedit_commit(struct confedit *ce, const char *comment,
    struct confedit_done *done_r, struct err *why)
{
	struct confedit_done done = { .running = false };
	struct config_wait *wait = NULL;
	struct err no = ERR_INIT;
	int r;

	if (ce->store == NULL)
		return err_text(why, "there is nothing to commit");
	if (revs_lock(ce->store, ce->who, why) != 0)
		return -1;
	r = config_wait_apply(&wait, ce, why);
	if (r == 0)
		r = wait != NULL && ce->changes == 0 ?
		    certs_alone(ce, &done, why) :
		    commit(ce, comment, &done, why);
	if (r == 0)
		config_wait_done(&wait);
	else
		config_wait_undo(&wait);
	revs_unlock(ce->store);
	if (r != 0) {
		(void)confedit_refresh(ce, &no);
		return -1;
	}
	*done_r = done;
	return confedit_refresh(ce, why);
}

static int
commit(struct confedit *ce, const char *comment, struct confedit_done *done,
    struct err *why)
{
	struct rev rev;

	if (propose(ce, comment, &rev, why) != 0)
		return -1;
	if (check(ce, &rev, why) != 0 ||
	    take(ce, &rev, &done->running, why) != 0) {
		refuse(ce);
		return -1;
	}
	done->revision = rev.n;
	done->changes = rev.changes;
	return 0;
}

/* No object differs: there is no new revision, and the relay reads anew which
 * certificate serves what. */
static int
certs_alone(struct confedit *ce, struct confedit_done *done, struct err *why)
{
	bool taken = false;

	done->revision = ce->head;
	done->changes = 0;
	done->running = ask_running(ce->run);
	if (!done->running)
		return 0;
	if (ask(ce->run, ASK_MASTER, json_pack("{s:s}", "verb", "certs"),
		on_answer, &taken, why) != 0)
		return -1;
	return taken ? 0 : err_text(why, "the relay has not taken it");
}

static int
propose(struct confedit *ce, const char *comment, struct rev *rev_r,
    struct err *why)
{
	int r;

	if (revs_begin(ce->store, true, why) != 0)
		return -1;
	r = revs_propose(ce->store, ce->who, comment, ce->pool, rev_r, why);
	if (revs_end(ce->store, r == 0, why) != 0)
		r = -1;
	return r;
}

/* As the relay will have it: the same epoch. */
static int
check(struct confedit *ce, const struct rev *rev, struct err *why)
{
	const struct epoch_store from = { .path = ce->path,
		.proposal = rev->n, .token = rev->token };
	struct epoch *e = NULL;
	struct conf *c = NULL;
	int r;

	r = epoch_read_from(&e, ce->file, &from, 1, why);
	if (r == 0)
		r = cli_check_epoch(e, &c, why);
	if (r == 0 && c->nlistener == 0)
		r = err_text(why, "there is no listener");
	if (r == 0)
		warn_of_profiles(ce, c);
	conf_unref(&c);
	epoch_destroy(&e);
	return r;
}

/* What rules name was checked with the policy; a handler may make the names.
 * Mail for which it sets one that is gone would be put off. */
static void
warn_of_profiles(struct confedit *ce, const struct conf *c)
{
	struct dropped d = { .ce = ce, .c = c };

	if (revs_begin(ce->store, false, NULL) != 0)
		return;
	(void)revs_draft(ce->store, on_dropped, &d, NULL);
	(void)revs_end(ce->store, false, NULL);
}

static int
on_dropped(void *arg, const struct revs_object *o, struct err *why)
{
	const struct dropped *d = arg;
	const char *const *users;
	unsigned i;

	(void)why;
	if (o->body.p != NULL || strcmp(o->kind, "bounce_profile") != 0)
		return 0;
	for (i = 0; i < d->c->nprofile; i++) {
		if (strcmp(d->c->profile[i].name, o->name) == 0)
			return 0;
	}
	users = bounceconfig_users(d->ce->pool, o->name, d->c);
	if (users[0] != NULL)
		(void)fprintf(stderr, "Warning: there is no bounce profile "
		    "\"%s\" any more, and mail is put off for which it is "
		    "set by %s.\n", o->name,
		    bounceconfig_users_text(d->ce->pool, users));
	return 0;
}

/* One that starts meanwhile may have read the former head: it is asked. */
static int
take(struct confedit *ce, const struct rev *rev, bool *running_r,
    struct err *why)
{
	struct err no = ERR_INIT;
	bool taken = false;

	if (!ask_running(ce->run)) {
		if (accept_it(ce, rev, why) != 0)
			return -1;
		if (ask_running(ce->run))
			(void)ask(ce->run, ASK_MASTER, json_pack("{s:s}",
			    "verb", "reload"), on_answer, &taken, &no);
		return 0;
	}
	*running_r = true;
	if (ask(ce->run, ASK_PATIENTLY, json_pack("{s:s, s:I, s:s}", "verb",
		"commit", "revision", (json_int_t)rev->n, "token",
		rev->token), on_answer, &taken, why) != 0)
		return err_prefix(why, "the relay has not taken it: ");
	return taken ? 0 : err_text(why, "the relay has not taken it");
}

static int
accept_it(struct confedit *ce, const struct rev *rev, struct err *why)
{
	int r;

	if (revs_begin(ce->store, true, why) != 0)
		return -1;
	r = revs_accept(ce->store, rev->n, rev->token, why);
	if (revs_end(ce->store, r == 0, why) != 0)
		r = -1;
	return r;
}

/* If it fails, the next commit does it. */
static void
refuse(struct confedit *ce)
{
	if (revs_begin(ce->store, true, NULL) != 0)
		return;
	(void)revs_end(ce->store, revs_refuse(ce->store, NULL) == 0, NULL);
}

static void
on_answer(void *arg, const char *from, const json_t *line, int last)
{
	const char *text = json_string_value(json_object_get(line, "warning"));
	bool *taken = arg;

	(void)from;
	if (last != 0)
		*taken = json_is_true(json_object_get(line, "taken"));
	if (text != NULL)
		(void)fprintf(stderr, "The relay says: %s\n", text);
}

int
confedit_rollback(struct confedit *ce, uint64_t n, const char *comment,
    struct confedit_done *done_r, struct err *why)
{
	struct err no = ERR_INIT;
	struct rev rev;
	int r;

	if (ce->store == NULL)
		return err_text(why, "there is no revision %ju",
		    (uintmax_t)n);
	if (revs_begin(ce->store, true, why) != 0)
		return -1;
	r = revs_get(ce->store, n, ce->pool, &rev, why);
	if (r == 0)
		r = revs_text(ce->store, n, NULL, why);
	if (r == 0 && config_wait_any(ce))
		r = err_text(why, "certificates that were loaded wait for a "
		    "commit: commit or clear first");
	if (r == 0)
		r = revs_revert(ce->store, n, ce->who, why);
	if (revs_end(ce->store, r == 0, why) != 0)
		r = -1;
	if (r != 0)
		return -1;
	r = confedit_commit(ce, comment != NULL ? comment :
	    pool_printf(ce->pool, "back to revision %ju", (uintmax_t)n),
	    done_r, why);
	/* It was nobody's work. */
	if (r != 0)
		(void)confedit_clear(ce, &no);
	return r;
}

uint64_t
confedit_serial(const struct confedit *ce)
{
	return ce->serial;
}

unsigned
confedit_changes(const struct confedit *ce, const char **who_r, msec *since_r)
{
	*who_r = ce->changes > 0 ? ce->changed_by : "";
	*since_r = ce->changed_at;
	return ce->changes;
}

void
confedit_hint(const struct confedit *ce)
{
	if (ce->changes == 0)
		return;
	(void)fprintf(stderr, "There are uncommitted changes (%u, by %s): "
	    "\"postern commit\" puts them in force,\n\"postern clear\" "
	    "drops them.\n", ce->changes, ce->changed_by);
}

void
confedit_warn(struct confedit *ce)
{
	const struct step *s = ce->steps;

	while (s != NULL && !s->node)
		s = s->next;
	if (s == NULL || ce->warned)
		return;
	ce->warned = true;
	(void)fprintf(stderr, "warning: this is for this node only, and lost "
	    "when it leaves its cluster\n");
}

int
confedit_clear(struct confedit *ce, struct err *why)
{
	int r;

	if (ce->store == NULL)
		return 0;
	/* What a commit is about to put in force cannot be dropped. */
	if (revs_lock(ce->store, ce->who, why) != 0)
		return -1;
	r = revs_begin(ce->store, true, why);
	if (r == 0) {
		r = revs_clear(ce->store, why);
		if (r == 0)
			r = config_wait_put(ce, STR_NULL, why);
		if (revs_end(ce->store, r == 0, why) != 0)
			r = -1;
	}
	revs_unlock(ce->store);
	return r == 0 ? confedit_refresh(ce, why) : -1;
}

struct pool *
confedit_pool(struct confedit *ce)
{
	return ce->pool;
}

struct revs *
confedit_store(struct confedit *ce)
{
	return ce->store;
}

const char *
confedit_path(const struct confedit *ce)
{
	return ce->path;
}

const char *
confedit_file(const struct confedit *ce)
{
	return ce->file;
}

const char *
confedit_run(const struct confedit *ce)
{
	return ce->run;
}

const char *
confedit_who(const struct confedit *ce)
{
	return ce->who;
}

const char *
confedit_place(void *arg, struct pool *pool, const char *kind,
    const char *name, const char *key)
{
	const struct conf_item *item = NULL;
	const struct conf_object *o;
	struct confedit *ce;

	OBJ_CAST(ce, arg, CONFEDIT_MAGIC);
	o = name == NULL ? NULL : confedit_get(ce, kind, name);
	if (o == NULL || o->file == NULL)
		return NULL;
	if (key != NULL)
		item = conf_object_get(o, key);
	return pool_printf(pool, "%s:%d", o->file,
	    item != NULL ? item->line : o->line);
}
