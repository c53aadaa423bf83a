#include "daemon/alertpost.h"

#include "admin/control.h"
#include "base/coll.h"
#include "base/log.h"
#include "base/obj.h"
#include "base/pool.h"
#include "base/shm.h"

#define ALERTPOST_MAGIC 0xa1e47001u
#define NOBODY UINT32_MAX
#define TRIES 2
#define TEXT_MAX 1000
#define KEY_MAX 320
#define DETAIL_MAX 16384

struct letter {
	TAILQ_ENTRY(letter) link;
	json_t *alert;
	uint64_t number;
	unsigned with;	/* the worker that has it, or NOBODY */
	unsigned tries;
};

struct alertpost {
	unsigned magic;
	unsigned workers;
	alertpost_send *send;
	void *arg;
	bool ready[SHM_MAX_WORKERS];
	TAILQ_HEAD(, letter) letters; /* in the order of their numbers */
	unsigned n;
	uint64_t next;
};

static const char *clean(struct pool *, const char *, size_t, bool);
static void	deliver(struct alertpost *);
static void	drop(struct alertpost *, struct letter *);

json_t *
alert_raise(const struct host_alert *a)
{
	json_t *msg = alert_pack(a);

	mail_log(EV_ALERT, a->category, a->severity,
	    str_c(control_text(msg, "text")), str_c(control_text(msg, "key")),
	    str_c(control_text(msg, "detail")));
	return msg;
}

json_t *
alert_pack(const struct host_alert *a)
{
	struct pool *pool = pool_new(0);
	const char *text = clean(pool, a->text, TEXT_MAX, false);
	const char *key = clean(pool, a->key, KEY_MAX, false);
	const char *detail = clean(pool, a->detail, DETAIL_MAX, true);
	json_t *msg;

	msg = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "type",
	    "alert", "severity", a->severity, "class", a->category, "key",
	    key, "text", text, "detail", detail, "wall",
	    (json_int_t)clock_wall());
	pool_destroy(&pool);
	return msg;
}

/* ASCII that is printable, at most n octets; lines: LF stays. */
static const char *
clean(struct pool *pool, const char *s, size_t n, bool lines)
{
	char *copy, *p;

	if (s == NULL)
		return "";
	copy = pool_strndup(pool, s, strnlen(s, n));
	for (p = copy; *p != '\0'; p++) {
		if (!ch_print(*p) && !(lines && *p == '\n'))
			*p = lines && *p == '\t' ? ' ' : '?';
	}
	return copy;
}

struct alertpost *
alertpost_new(unsigned workers, alertpost_send *send, void *arg)
{
	struct alertpost *p;

	OBJ_NEW(p, ALERTPOST_MAGIC);
	p->workers = workers;
	p->send = send;
	p->arg = arg;
	TAILQ_INIT(&p->letters);
	return p;
}

void
alertpost_destroy(struct alertpost **pp)
{
	struct alertpost *p = *pp;

	if (p == NULL)
		return;
	OBJ_CHECK(p, ALERTPOST_MAGIC);
	while (!TAILQ_EMPTY(&p->letters))
		drop(p, TAILQ_FIRST(&p->letters));
	OBJ_FREE(p);
	*pp = NULL;
}

void
alertpost_add(struct alertpost *p, json_t *alert)
{
	struct letter *l;

	if (alert == NULL)
		return;
	if (p->n == ALERTPOST_KEPT) {
		l = TAILQ_FIRST(&p->letters);
		log_warning("alerts: more than %d are waiting, the oldest is "
		    "forgotten", ALERTPOST_KEPT);
		drop(p, l);
	}
	l = mem_zalloc(sizeof(*l));
	l->alert = alert;
	l->number = ++p->next;
	l->with = NOBODY;
	TAILQ_INSERT_TAIL(&p->letters, l, link);
	p->n++;
	deliver(p);
}

void
alertpost_ready(struct alertpost *p, unsigned worker, bool ready)
{
	struct letter *l, *next;

	ASSERT(worker < p->workers);
	p->ready[worker] = ready;
	for (l = TAILQ_FIRST(&p->letters); l != NULL && !ready; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->with != worker)
			continue;
		l->with = NOBODY;
		if (l->tries == TRIES) {
			log_critical("alerts: %u workers ended with this one, "
			    "it is given up: %s", TRIES, json_string_value(
			    json_object_get(l->alert, "text")));
			drop(p, l);
		}
	}
	deliver(p);
}

void
alertpost_done(struct alertpost *p, unsigned worker, uint64_t number)
{
	struct letter *l;

	TAILQ_FOREACH(l, &p->letters, link) {
		if (l->number == number && l->with == worker) {
			drop(p, l);
			return;
		}
	}
}

static void
deliver(struct alertpost *p)
{
	unsigned to = 0;
	struct letter *l;
	json_t *msg;

	while (to < p->workers && !p->ready[to])
		to++;
	if (to == p->workers)
		return;
	TAILQ_FOREACH(l, &p->letters, link) {
		if (l->with != NOBODY)
			continue;
		msg = json_copy(l->alert);
		(void)json_object_set_new(msg, "number",
		    json_integer((json_int_t)l->number));
		if (!p->send(p->arg, to, msg))
			return;
		l->with = to;
		l->tries++;
	}
}

static void
drop(struct alertpost *p, struct letter *l)
{
	TAILQ_REMOVE(&p->letters, l, link);
	p->n--;
	json_decref(l->alert);
	mem_free(l);
}
