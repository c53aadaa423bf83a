/*
 * Facts by name: who may read and set what, whoever knows it.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/event_priv.h"

enum { UNKNOWN_MAX = 100, NOTE = 5 };

struct unknown {
	char *text;
	struct unknown *next;
};

static const struct {
	const char *name, *set;
} table[FACT_COUNT] = {
#define FACT(id, name, set, help) { name, set },
#include "tbl/facts.h"
#undef FACT
};

_Static_assert(FACT_COUNT < 128, "the hash table of facts has room");

static unsigned slot_of(const char *name);
static int find(const struct engine *e, const char *name);
static bool is_note(const char *name);
static const char *ours(struct event *ev, enum fact f);
static bool may_set(const struct event *ev, enum fact f);
static int set_note(struct event *ev, const char *name, const char *value,
    struct err *why);
static void complain(struct event *ev, const char *name);

void
facts_init(struct engine *e)
{
	unsigned i, at;

	for (i = 0; i < FACT_COUNT; i++) {
		at = slot_of(table[i].name);
		while (e->fact[at] != 0)
			at = (at + 1) % 256;
		e->fact[at] = (uint8_t)(i + 1);
	}
}

const char *
api_get(struct pst_event *pub, const char *name)
{
	struct event *ev = event_of(pub);
	const struct about *a;
	struct notes *notes;
	const char *text = NULL;
	int f;

	if (ev == NULL)
		return NULL;
	a = ev->about;
	if (is_note(name)) {
		notes = a->ops->notes != NULL ? a->ops->notes(a->arg) : NULL;
		return notes == NULL ? NULL : notes_get(notes, name + NOTE);
	}
	f = find(ev->engine, name);
	if (f < 0) {
		complain(ev, name);
		return NULL;
	}
	if (a->ops->get != NULL)
		text = a->ops->get(a->arg, (enum fact)f, ev->rcpt,
		    event_pool(ev));
	return text != NULL ? text : ours(ev, (enum fact)f);
}

int
api_set(struct pst_event *pub, const char *name, const char *value)
{
	struct event *ev = event_of(pub);
	const struct about *a;
	struct err why = ERR_INIT;
	int f, r;

	if (ev == NULL)
		return -1;
	a = ev->about;
	f = find(ev->engine, name);
	if (is_note(name))
		r = set_note(ev, name + NOTE, value, &why);
	else if (f < 0) {
		complain(ev, name);
		return -1;
	} else if (value == NULL)
		r = err_text(&why, "it needs a value");
	else if (event_rcpt_gone(ev))
		r = err_text(&why, "that recipient was dropped");
	else if (a->ops->set == NULL || !may_set(ev, (enum fact)f))
		r = err_text(&why, "it cannot be set here");
	else
		r = a->ops->set(a->arg, (enum fact)f, ev->rcpt, value, &why);
	if (r == 0)
		return 0;
	(void)err_prefix(&why, "%s cannot be set: ", name);
	event_misuse(ev, why.text);
	return -1;
}

void
facts_instance_end(struct instance_run *run)
{
	struct unknown *n;

	while ((n = run->unknown) != NULL) {
		run->unknown = n->next;
		mem_free(n->text);
		mem_free(n);
	}
}

/* FNV-1a: short names, and the same in each build. */
static unsigned
slot_of(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return (h ^ h >> 16) % 256;
}

static int
find(const struct engine *e, const char *name)
{
	unsigned at = slot_of(name);

	for (; e->fact[at] != 0; at = (at + 1) % 256) {
		if (strcmp(table[e->fact[at] - 1].name, name) == 0)
			return e->fact[at] - 1;
	}
	return -1;
}

static bool
is_note(const char *name)
{
	return strncmp(name, "note.", NOTE) == 0;
}

/* What is known without asking the object. */
static const char *
ours(struct event *ev, enum fact f)
{
	const struct host_world *w = &ev->engine->host->world;
	const struct about *a = ev->about;
	uint64_t n = 0;

	switch ((int)f) {
	case FACT_HOST:
		return w->hostname;
	case FACT_WORKER:
		return pool_printf(event_pool(ev), "%u", w->worker);
	case FACT_ICID:
		n = a->icid;
		break;
	case FACT_MID:
		n = a->mid;
		break;
	case FACT_DCID:
		n = a->dcid;
		break;
	}
	if (n == 0)
		return NULL;
	return pool_printf(event_pool(ev), "%llu", (unsigned long long)n);
}

/* Operations are asked where hooks are: what is asked about knows. */
static bool
may_set(const struct event *ev, enum fact f)
{
	unsigned on = (unsigned)ev->on;

	switch (table[f].set[0]) {
	case 'm':
		return on <= ON_BRANCH || (on >= HOOK_COUNT && !ev->task);
	case 'd':
		return on == ON_DELIVER;
	default:
		return false;
	}
}

static int
set_note(struct event *ev, const char *name, const char *value,
    struct err *why)
{
	const struct about *a = ev->about;

	if (a->ops->notes == NULL)
		return err_text(why, "there are no notes to be set here");
	if (a->ops->notes_set == NULL || !a->ops->notes_set(a->arg))
		return err_text(why, "notes are set up to branch, and read "
		    "from then on");
	return notes_set(a->ops->notes(a->arg), name, value, why);
}

/* Once for each name: it is the same mistake each time. */
static void
complain(struct event *ev, const char *name)
{
	struct instance_run *run = ev->inst->run;
	struct unknown *n;
	char text[160];

	for (n = run->unknown; n != NULL; n = n->next) {
		if (strcmp(n->text, name) == 0)
			return;
	}
	if (run->nunknown == UNKNOWN_MAX)
		return;
	run->nunknown++;
	n = mem_zalloc(sizeof(*n));
	n->text = mem_strdup(name);
	n->next = run->unknown;
	run->unknown = n;
	(void)snprintf(text, sizeof(text), "there is no \"%s\"", name);
	event_misuse(ev, text);
}
