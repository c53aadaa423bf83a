#include "trial/drive.h"

#include <string.h>

#include <engine/policy.h>

#include "base/obj.h"

#define DRIVING_MAGIC 0x7c61e209U
#define ANSWER_MAX (16 * 1024 * 1024)

/* A question under way, and the engine's own. */
struct driving {
	unsigned magic;
	struct trial *t;
	struct instance *engine;
	struct op_run *run;
	struct pst_policy_ask ask;
	struct op_answer said;
	json_t *answer; /* NULL: none that can be read */
	bool done, asked;
	uint64_t id;	 /* of what the engine asks */
	struct buf what;
};

static void	engine_asks(void *arg, uint64_t id, struct pst_str what);
static void	engine_said(void *arg, const struct op_answer *a);
static void	go_on(struct driving *d);
static json_t	*carry_out(struct trial *t, const json_t *what);
static json_t	*can(struct trial *t, const json_t *what);
static json_t	*problem(const char *text);

static int
put(const char *p, size_t n, void *arg)
{
	return buf_add(arg, p, n);
}

static void
json_text(const json_t *v, struct buf *dst)
{
	buf_init(dst, ANSWER_MAX);
	(void)json_dump_callback(v, put, dst, JSON_COMPACT | JSON_ENCODE_ANY);
}

int
drive_ask(struct trial *t, const char *instance, const json_t *question,
    json_t **answer_r, struct err *why)
{
	struct driving d = { .magic = DRIVING_MAGIC, .t = t,
		.ask = { .size = sizeof(d.ask), .drive = engine_asks,
		    .driver = &d } };
	struct buf text;
	size_t before = buf_len(&t->log);
	struct str log;
	int r = -1;

	json_text(question, &text);
	d.ask.question = (struct pst_str){ buf_p(&text), buf_len(&text) };
	buf_init(&d.what, ANSWER_MAX);
	d.engine = instance_find(t->gen, instance);
	if (d.engine == NULL) {
		(void)err_text(why, "there is no policy");
	} else {
		if (op_ask(d.engine, PST_POLICY_ASK, NULL, &d.ask, &d.said,
			engine_said, &d, &d.run))
			engine_said(&d, &d.said);
		while (!d.done)
			go_on(&d);
		*answer_r = d.answer;
		r = *answer_r != NULL ? 0 : -1;
		log = str_n(buf_p(&t->log) + before,
		    buf_len(&t->log) - before);
		if (r < 0)
			(void)err_text(why, "the policy failed%s%.*s",
			    log.n > 0 ? ":\n" : "", (int)log.n, log.p);
	}
	buf_fini(&d.what);
	buf_fini(&text);
	return r;
}

static void
engine_asks(void *arg, uint64_t id, struct pst_str what)
{
	struct driving *d;

	OBJ_CAST(d, arg, DRIVING_MAGIC);
	d->asked = true;
	d->id = id;
	buf_reset(&d->what);
	(void)buf_add(&d->what, what.p, what.n);
}

static void
engine_said(void *arg, const struct op_answer *a)
{
	struct driving *d;

	OBJ_CAST(d, arg, DRIVING_MAGIC);
	d->said = *a;
	d->run = NULL;
	d->done = true;
	if (a->verdict == PST_CONTINUE && d->ask.answer.p != NULL)
		d->answer = json_loadb(d->ask.answer.p, d->ask.answer.n,
		    JSON_DECODE_ANY, NULL);
}

/* What it asks is carried out while its test waits for the answer. */
static void
go_on(struct driving *d)
{
	struct pst_policy_answer answer = { .size = sizeof(answer) };
	struct op_answer said;
	json_t *what, *result;
	struct buf text;

	if (!d->asked) {
		if (trial_step(d->t) || d->done)
			return;
		op_cancel(&d->run);
		d->said = (struct op_answer){ .verdict = PST_TEMPFAIL };
		d->done = true;
		return;
	}
	d->asked = false;
	what = json_loads(buf_p(&d->what), 0, NULL);
	result = carry_out(d->t, what);
	json_decref(what);
	json_text(result, &text);
	json_decref(result);
	answer.id = d->id;
	answer.answer = (struct pst_str){ buf_p(&text), buf_len(&text) };
	op_now(d->engine, PST_POLICY_ANSWER, NULL, &answer, &said);
	buf_fini(&text);
}

static json_t *
problem(const char *text)
{
	return json_pack("{s:s}", "error", text);
}

static json_t *
carry_out(struct trial *t, const json_t *what)
{
	const char *word = json_string_value(json_object_get(what, "do"));

	if (word == NULL)
		return problem("this is no request");
	if (strcmp(word, "send") == 0)
		return drive_message(t, what);
	if (strcmp(word, "deliver") == 0)
		return drive_deliver(t, what);
	if (strcmp(word, "can") == 0)
		return can(t, what);
	if (strcmp(word, "pass") == 0) {
		trial_settle(t, json_integer_value(json_object_get(what,
		    "ms")));
		return json_object();
	}
	return problem("there is no such request");
}

static json_t *
can(struct trial *t, const json_t *what)
{
	static const char *const kinds[] = { "dns", "http", "lookup" };
	const char *kind = json_string_value(json_object_get(what, "kind"));
	const json_t *words = json_object_get(what, "words"), *w;
	size_t i, n = json_array_size(words);
	struct canned_word *v = pool_alloc(t->pool, (n + 1) * sizeof(*v));
	struct err why;

	for (i = 0; i < n; i++) {
		w = json_array_get(words, i);
		v[i].quoted = json_is_object(w);
		if (v[i].quoted)
			w = json_object_get(w, "q");
		if (!json_is_string(w))
			return problem("answers are texts");
		v[i].s = pool_strdup(t->pool, json_string_value(w));
	}
	for (i = 0; i < 3; i++) {
		if (kind == NULL || strcmp(kind, kinds[i]) != 0)
			continue;
		if (n < (i == CANNED_DNS ? 3U : 4U) || n > 60)
			return problem("too few answers, or too many");
		if (canned_add(t->canned, (enum canned_kind)i, v, (unsigned)n,
			&why) < 0)
			return problem(why.text);
		return json_object();
	}
	return problem("kind is dns, http or lookup");
}
