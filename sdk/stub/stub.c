#include "stub.h"

#include <string.h>

#include <postern/log_sink.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/obj.h"
#include "host/scope.h"

#define BUILTIN(name) extern const struct pst_plugin name##_LTX_postern_plugin;
#include "tbl/builtins.h"
#undef BUILTIN

/* As in the program, and the tables of the script. */
static const struct pst_plugin *const builtins[] = {
#define BUILTIN(name) &name##_LTX_postern_plugin,
#include "tbl/builtins.h"
#undef BUILTIN
	&canned_table,
	NULL
};

#define TEXT_MAX (16 * 1024 * 1024)

static int	load(struct stub *st, struct err *why);
static int	can(struct stub *st, const struct stmt *s, struct err *why);
static int	start(struct stub *st, struct err *why);
static void	run_statements(struct stub *st);
static bool	waits(void *arg);
static void	count_requests(struct stub *st);
static void	count_memory(struct stub *st);

int
stub_load(struct stub *st, const struct script *script,
    void (*loads)(void *arg, const char *what), void *arg, struct err *why)
{
	*st = (struct stub){ .magic = STUB_MAGIC, .script = script };
	outside_clear(script->outside);
	buf_init(&st->wrong, TEXT_MAX);
	if (trial_init(&st->t, "stub.example", "stub", why) < 0)
		return -1;
	st->t.loads = loads;
	st->t.loads_arg = arg;
	st->t.waits = waits;
	st->t.says = opcall_says;
	st->t.arg = st;
	return load(st, why);
}

int
stub_run(struct stub *st, const struct script *script, struct tap *tap,
    const struct stub_fault *fault, struct err *why)
{
	int rc = stub_load(st, script, NULL, NULL, why);

	st->tap = tap;
	if (fault != NULL)
		st->fault = *fault;
	st->t.lenient = tap == NULL;
	if (rc < 0 || start(st, why) < 0)
		return -1;
	run_statements(st);
	st->requests = canned_asked(st->t.canned);
	if (st->t.broken.text[0] != '\0') {
		*why = st->t.broken;
		return -1;
	}
	return 0;
}

void
stub_fini(struct stub *st)
{
	OBJ_CHECK(st, STUB_MAGIC);
	outside_stop(st);
	trial_fini(&st->t);
	buf_fini(&st->wrong);
	OBJ_FINI(st);
}

/* Reads what is said about the world, and makes the instances. */
static int
load(struct stub *st, struct err *why)
{
	const struct stmt *s, *last = script_last_plugin(st->script);
	struct buf text;
	int rc;

	for (s = st->script->first; s != NULL; s = s->next) {
		if (can(st, s, why) < 0)
			return err_prefix(why, "%s:%d: ", st->script->file,
			    s->line);
		if (s->id == WORD_FILE && last != NULL && s->line < last->line)
			outside_file(st, s);
		if (st->t.broken.text[0] != '\0') {
			*why = st->t.broken;
			return err_prefix(why, "%s:%d: ", st->script->file,
			    s->line);
		}
	}
	buf_init(&text, TEXT_MAX);
	rc = conftext(st, &text, why);
	if (rc == 0)
		rc = conf_parse(&st->t.owned, st->script->file,
		    buf_str(&text), &conf_reader_plain, why);
	buf_fini(&text);
	if (rc < 0)
		return -1;
	st->t.owned->alone = true;
	st->t.conf = st->t.owned;
	host_builtin(builtins);
	return trial_load(&st->t, why);
}

/* Of a dns, http or lookup line. */
static int
can(struct stub *st, const struct stmt *s, struct err *why)
{
	struct canned_word *word;
	enum canned_kind kind;
	unsigned i;

	if (s->id == WORD_DNS)
		kind = CANNED_DNS;
	else if (s->id == WORD_HTTP)
		kind = CANNED_HTTP;
	else if (s->id == WORD_LOOKUP)
		kind = CANNED_LOOKUP;
	else
		return 0;
	word = pool_alloc(st->t.pool, s->n * sizeof(*word));
	for (i = 0; i < s->n; i++)
		word[i] = (struct canned_word){ s->word[i].s,
			s->word[i].quoted };
	return canned_add(st->t.canned, kind, word, s->n, why);
}

static int
start(struct stub *st, struct err *why)
{
	(void)scope_failing(0);
	if (st->fault.kind == FAULT_MEMORY) {
		st->memory_left = st->fault.at;
		(void)scope_failing(st->memory_left);
	} else if (st->fault.kind >= FAULT_TIMEOUT)
		canned_fail(st->t.canned, st->fault.at,
		    st->fault.kind == FAULT_TIMEOUT ? CANNED_TIMEOUT :
		    st->fault.kind == FAULT_ERROR ? CANNED_ERROR :
						    CANNED_SILENCE);
	if (trial_start(&st->t, why) == 0)
		return 0;
	/* That is what a start hook has to do when something fails. */
	if (st->fault.kind == FAULT_NONE ||
	    st->t.broken.text[0] == '\0')
		return -1;
	err_clear(&st->t.broken);
	st->t.gone = true;
	return 0;
}

static void
run_statements(struct stub *st)
{
	const struct stmt *s;

	for (s = st->script->first; s != NULL && !st->t.gone; s = s->next) {
		st->struck = false;
		st->t.asked = false;
		if (s->id == WORD_EXPECT) {
			if (st->tap != NULL)
				expect_run(st, s);
			continue;
		}
		step_run(st, s);
		if (st->t.broken.text[0] != '\0') {
			(void)err_prefix(&st->t.broken, "%s:%d: ",
			    st->script->file, s->line);
			return;
		}
		count_requests(st);
		count_memory(st);
		if (st->tap != NULL && s->want.given && s->id != WORD_CHAOS)
			expect_want(st, s);
		if (st->tap == NULL && st->struck && !st->t.gone && st->t.asked)
			expect_never(st, s);
	}
}

/* Which step the allocation failed in that was to fail. */
static void
count_memory(struct stub *st)
{
	unsigned n = scope_failing(0);

	st->memory += n;
	if (st->fault.kind != FAULT_MEMORY || st->memory_left == 0)
		return;
	if (n >= st->memory_left) {
		st->memory_left = 0;
		st->struck = true;
		return;
	}
	st->memory_left -= n;
	(void)scope_failing(st->memory_left);
}

/* Where the client may leave. */
static bool
waits(void *arg)
{
	struct stub *st;

	OBJ_CAST(st, arg, STUB_MAGIC);
	st->waits++;
	if (st->fault.kind == FAULT_GONE && st->waits == st->fault.at) {
		st->struck = true;
		return false;
	}
	count_requests(st);
	return true;
}

/* Whether the one that is to fail is among those of this step. */
static void
count_requests(struct stub *st)
{
	unsigned now = canned_asked(st->t.canned);

	if (st->fault.kind >= FAULT_TIMEOUT &&
	    st->fault.kind <= FAULT_SILENCE && now >= st->fault.at &&
	    st->requests < st->fault.at)
		st->struck = true;
	st->requests = now;
}

void
stub_set_out(struct stub *st, const char *name, const char *value)
{
	unsigned i;

	for (i = 0; i < st->nout && strcmp(st->out[i].name, name) != 0; i++)
		;
	if (i == STUB_OUTS)
		return;
	if (i == st->nout)
		st->nout++;
	st->out[i].name = pool_strdup(st->t.pool, name);
	st->out[i].value = pool_strdup(st->t.pool, value);
}

struct str
stub_log(struct stub *st)
{
	return buf_str(&st->t.log);
}
