#include "trial/policytest.h"

#include <stddef.h>
#include <string.h>

#include "trial/drive.h"

static bool wanted(const struct conf_plugin *, const char *);
static void in_force(struct conf_plugin *, struct pool *);
static int open_for(struct trial *, const struct conf *, const char *, bool,
    struct err *);
static void add_content(struct conf *, const struct conf *);

void
policytest_only(struct conf *dst, const struct conf *conf,
    const char *instance, struct pool *pool)
{
	static const char *const none[] = { NULL };
	struct conf_plugin *p;
	unsigned i;

	*dst = *conf;
	dst->plugins = NULL;
	dst->plugin = pool_alloc(pool, (conf->nplugin + 1) *
	    sizeof(dst->plugin[0]));
	dst->nplugin = 0;
	for (i = 0; i < conf->nplugin; i++) {
		if (!wanted(&conf->plugin[i], instance))
			continue;
		p = &dst->plugin[dst->nplugin++];
		*p = conf->plugin[i];
		if (p->looks_on)
			in_force(p, pool);
	}
	dst->order = (struct conf_order){
#define PARAM_ORDER(name, type, def, range, help) .name = none,
#include "tbl/params.h"
	};
}

/* A candidate that looks on is tried by itself. */
static bool
wanted(const struct conf_plugin *p, const char *instance)
{
	bool named = instance != NULL && strcmp(p->name, instance) == 0;

	if (strcmp(p->plugin, POLICY_ENGINE) != 0)
		return false;
	if (instance != NULL && strcmp(instance, CONF_SHADOW) == 0)
		return named;
	return !p->looks_on;
}

/* What it does is what its tests are about. */
static void
in_force(struct conf_plugin *p, struct pool *pool)
{
	struct conf_item **at = &p->items, *copy;
	const struct conf_item *item;

	p->looks_on = false;
	for (item = p->items; item != NULL; item = item->next) {
		if (strcmp(item->key, "shadow") == 0)
			continue;
		copy = pool_dup(pool, item, sizeof(*item));
		*at = copy;
		at = &copy->next;
	}
	*at = NULL;
}

int
policytest_open(struct trial *t, const struct conf *conf, struct err *why)
{
	return open_for(t, conf, NULL, false, why);
}

int
policytest_open_empty(struct trial *t, const struct conf *conf,
    struct err *why)
{
	return open_for(t, conf, NULL, true, why);
}

bool
policytest_content(const char *plugin, const char *instance)
{
	return strcmp(plugin, POLICY_CONTENT) == 0 &&
	    strcmp(instance, POLICY_CONTENT) == 0;
}

static void
add_content(struct conf *dst, const struct conf *conf)
{
	unsigned i;

	for (i = 0; i < conf->nplugin; i++) {
		if (policytest_content(conf->plugin[i].plugin,
			conf->plugin[i].name))
			dst->plugin[dst->nplugin++] = conf->plugin[i];
	}
}

static int
open_for(struct trial *t, const struct conf *conf, const char *instance,
    bool empty, struct err *why)
{
	struct conf *only;

	if (trial_init(t, conf->top.hostname, "test", why) == 0) {
		only = POOL_NEW(t->pool, struct conf);
		policytest_only(only, conf, instance, t->pool);
		t->conf = only;
		t->tables = true;
		canned_latest(t->canned);
		if (empty) {
			add_content(only, conf);
			canned_empty(t->canned, POLICY_CONTENT);
		}
		if (trial_load(t, why) == 0 && trial_start(t, why) == 0)
			return 0;
	}
	trial_fini(t);
	return -1;
}

/* Those of n blocks, which have them at off. */
static json_t *
names(const void *v, unsigned n, size_t size, size_t off)
{
	json_t *list = json_array();
	const char *name;
	unsigned i;

	for (i = 0; i < n; i++) {
		memcpy(&name, (const char *)v + i * size + off, sizeof(name));
		(void)json_array_append_new(list, json_string(name));
	}
	return list;
}

#define NAMES(v, n) \
	names((v), (n), sizeof((v)[0]), offsetof(__typeof__((v)[0]), name))

json_t *
policytest_known(const struct conf *c)
{
	if (c->alone)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "route",
	    NAMES(c->route, c->nroute), "bounce_profile",
	    NAMES(c->profile, c->nprofile), "listener",
	    NAMES(c->listener, c->nlistener), "sender_group",
	    NAMES(c->group, c->ngroup), "lookup",
	    NAMES(c->plugin, c->nplugin));
}

static int
ask(struct trial *t, const char *instance, const char *word, size_t n,
    json_t **answer_r, struct err *why)
{
	json_t *q = json_pack("{s:s, s:I}", "ask", word, "n", (json_int_t)n);
	int r = drive_ask(t, instance, q, answer_r, why);

	json_decref(q);
	return r;
}

/* In missing, with file and line. An engine that fails at the question cannot
 * say it. */
static void
ask_missing(struct trial *t, const struct conf *conf, const char *instance,
    msec now, struct err *missing)
{
	json_t *answer = NULL, *q;
	struct err why = ERR_INIT;
	const char *text;

	if (conf->alone)
		return;
	q = json_pack("{s:s, s:I, s:o}", "ask", "missing", "now",
	    (json_int_t)(now / 1000), "known", policytest_known(conf));
	(void)drive_ask(t, instance, q, &answer, &why);
	text = json_string_value(json_object_get(answer, "text"));
	if (text != NULL)
		(void)err_text(missing, "%s:%lld: %s",
		    json_string_value(json_object_get(answer, "file")),
		    (long long)json_integer_value(json_object_get(answer,
			"line")), text);
	json_decref(answer);
	json_decref(q);
}

/* One, in a world of its own. */
static int
run_one(const struct conf *conf, const char *instance, size_t n,
    json_t **result_r, struct err *why)
{
	struct trial t;
	int r;

	if (open_for(&t, conf, instance, false, why) < 0)
		return -1;
	r = ask(&t, instance, "test", n, result_r, why);
	trial_fini(&t);
	return r;
}

/* missing: NULL, or for names that are, as of now. */
static int
run_all(const struct conf *conf, const char *instance, policytest_fn *fn,
    void *arg, msec now, struct err *missing, struct err *why)
{
	json_t *tests = NULL, *result;
	struct trial t;
	int r, failed = 0;
	size_t i;

	if (open_for(&t, conf, instance, false, why) < 0)
		return -1;
	r = ask(&t, instance, "tests", 0, &tests, why);
	if (r == 0 && missing != NULL)
		ask_missing(&t, conf, instance, now, missing);
	trial_fini(&t);
	for (i = 0; r == 0 && i < json_array_size(tests); i++) {
		result = NULL;
		if (run_one(conf, instance, i, &result, why) < 0)
			result = json_pack("{s:b, s:[s]}", "ok", 0,
			    "failures", why->text);
		failed += !json_is_true(json_object_get(result, "ok"));
		fn(arg, json_array_get(tests, i), result);
		json_decref(result);
	}
	json_decref(tests);
	return r < 0 ? -1 : failed;
}

int
policytest_run(const struct conf *conf, const char *instance,
    policytest_fn *fn, void *arg, struct err *why)
{
	return run_all(conf, instance, fn, arg, 0, NULL, why);
}

/* The first that failed, in the words of its first failure. */
static void
keep_first(void *arg, const json_t *test, const json_t *result)
{
	struct err *why = arg;
	const char *text;

	if (why->text[0] != '\0' || json_is_true(json_object_get(result, "ok")))
		return;
	text = json_string_value(json_array_get(json_object_get(result,
	    "failures"), 0));
	(void)err_text(why, "%s (test \"%s\")", text != NULL ? text : "failed",
	    json_string_value(json_object_get(test, "name")));
}

int
policytest_all(const struct conf *conf, struct err *why)
{
	struct err first = ERR_INIT, missing = ERR_INIT;
	msec now = clock_wall(); /* a trial begins at its own time */
	unsigned i;
	int failed;

	for (i = 0; i < conf->nplugin; i++) {
		if (strcmp(conf->plugin[i].plugin, POLICY_ENGINE) != 0)
			continue;
		failed = run_all(conf, conf->plugin[i].name, keep_first,
		    &first, now, &missing, why);
		if (failed < 0)
			return -1;
		if (failed > 0) {
			*why = first;
			return -1;
		}
		if (missing.text[0] != '\0') {
			*why = missing;
			return -1;
		}
	}
	return 0;
}
