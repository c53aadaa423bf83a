/*
 * Private to core/host: events, the calls of plugins, and their requests.
 *
 * An event is one instance asked one thing. It is what the plugin's functions
 * are given; the run of a hook's chain uses one event for all its instances,
 * one after another. Events come from a list and go back to it, never to the
 * heap, so that a pointer which a plugin kept is looked at and refused.
 *
 *	event_begin	which instance, what for
 *	event_call	its function runs; the verdict, or EVENT_WAITS
 *	over()		the verdict of an event that waited, from the loop
 *	event_clear	requests cancelled, clean-ups run
 *	event_put
 *
 * After event_stop() inside one of its functions it is dead: whoever called
 * event_call() sees that and puts it back.
 */
#ifndef HOST_EVENT_PRIV_H
#define HOST_EVENT_PRIV_H

#include <bsd/sys/queue.h>

#include "base/die.h"
#include "base/err.h"
#include "base/obj.h"
#include "base/shm.h"
#include "host/flight.h"
#include "host/host_priv.h"
#include "host/scope_priv.h"
#include "net/loop.h"

#define EVENT_MAGIC 0xe7e47001u

enum {
	REQUESTS_MAX = 64,  /* outstanding, of an event */
	TASKS_MAX = 1000,   /* of an instance */
	PARKED_MAX = 65536, /* of a worker */
	SLOW_MS = 50,
	REPLY_LINE = 512    /* RFC 5321 4.5.3.1.5 */
};

enum event_result {
	EVENT_SAID,  /* a verdict: ev->verdict, ev->reply if it needs one */
	EVENT_WAITS, /* over() will be called, or event_stop() by the owner */
	EVENT_DEAD   /* it was stopped inside its function */
};

struct event;
struct request;
typedef void event_over(struct event *ev);

struct event {
	struct pst_event pub; /* first: the plugin's pointer is ours */
	unsigned magic;
	bool dead;
	bool waits;	/* armed: its next function is a continuation */
	bool alone;	/* inside each_rcpt: it cannot wait */
	bool each;	/* it used the scope of a recipient there */
	bool task;	/* of pst_task() */
	bool used;	/* scope was, since event_begin() */
	bool turned;	/* what it is about knows that it is its turn */
	unsigned depth; /* of its functions that run now; 0: none */
	struct engine *engine;
	struct instance *inst;
	enum on on;
	struct call_stat *stat; /* of its calls */
	const struct about *about;
	int rcpt;	       /* the recipient at hand, or -1 */
	struct scope *scope;   /* PST_EVENT; kept from use to use */
	const char *fault;     /* what a call of the API did wrong, or NULL */
	char place[SHM_PLACE]; /* where it said that it was; "": nothing */
	enum pst_verdict verdict;
	int replied;	       /* verdict that reply is for; -1: none */
	struct err reply;
	TAILQ_HEAD(request_list, request) requests;
	unsigned nrequests;
	struct loop_timer deadline;
	event_over *over;
	void *arg;
	TAILQ_ENTRY(event) link; /* engine->spare, instance_run->tasks */
};
TAILQ_HEAD(event_list, event);

struct metric;
struct unknown;

struct instance_run {
	struct event_list tasks;
	unsigned ntasks;
	bool ended;
	int faults, memory; /* shm_named_get() */
	int number; /* shm_plugin_get(); -1: not recorded */
	struct crew_share *share; /* of the threads; or NULL */
	/* Is it above the generation: no function of it is called. */
	const _Atomic uint64_t *tripped;
	/* But for hooks, whose are in their seats. The last: tasks. */
	struct call_stat stat[ON_COUNT + 1];
	struct metric *metrics; /* by hash of the name; NULL: none */
	unsigned nmetrics;
	bool metrics_full; /* that was said */
	struct unknown *unknown; /* names that were complained about */
	unsigned nunknown;
	TAILQ_ENTRY(instance_run) link; /* engine->runs */
	struct instance *inst;
};

struct park {
	uint32_t generation;
	uint32_t next; /* spare slot behind this one */
	struct request *request;
};

struct engine {
	struct host *host;
	struct loop *loop;
	const struct host_net *net;
	struct shm_flight *recorder; /* NULL: nobody reads it */
	struct shm_flight *flight, unread; /* the recorder, or unread */
	const _Atomic uint64_t *trips; /* 0: no plugin has tripped */
	struct event_list spare;
	TAILQ_HEAD(, instance_run) runs;
	uint8_t fact[256]; /* by hash of the name: number + 1 */
	/* requests */
	struct crew *crew; /* made when it is needed */
	struct http_client *http;
	struct park *park;
	uint32_t nparks, spare_park; /* UINT32_MAX: none */
	/* what operations answered, until the next round */
	struct scope **limbo;
	unsigned nlimbo, limbo_room;
	struct loop_timer limbo_timer;
	/* time */
	uint64_t tick;		/* when the last function returned */
	uint64_t tick0, nsec0;	/* two clocks read at once */
	double tick_ms;		/* of a tick */
	uint64_t quick;		/* ticks below the lowest bound */
	struct loop_timer flush;
};

/* ---- event.c ------------------------------------------------------------ */

struct event *event_get(struct engine *e);
void event_put(struct event **evp);
/* about NULL: about nothing. The event is as new but for over and arg. */
void event_begin(struct event *ev, struct instance *i, enum on on,
    const struct about *about, void *oparg);
/*
 * The seats of c, from *next on, as event_begin() and event_call() would one
 * by one. Returns with the first event that has a verdict other than
 * PST_CONTINUE, waits, or is dead; ev is its. At the end EVENT_SAID, and
 * *next is c->n. stat_begin() comes before it.
 */
enum event_result event_chain(struct event *ev, const struct host_gen *g,
    enum hook h, unsigned *next, const struct about *about);
/* One of fn and then; result for then. stat_begin() comes before it, or
 * another event_call(). */
enum event_result event_call(struct event *ev, pst_fn *fn, pst_then *then,
    const struct pst_result *result);
/* How long it may wait in all; work of a task, how long it may take. */
msec event_patience(const struct event *ev);
/* What it said, without its call. */
enum event_result event_outcome(struct event *ev, enum pst_verdict v);
/* Requests cancelled and clean-ups run; keep: what it allocated stays until
 * the loop's next round, and what the event was about for its clean-ups. */
void event_clear(struct event *ev, bool keep);
/* Nothing of it runs any more. Returns true if the caller may clear and put
 * it, false if one of its functions is running. */
bool event_stop(struct event *ev);
/* It holds what it is about until its own scope ends. */
void event_bind(struct event *ev);
/* Its event will not answer: logged, counted, made a temporary failure. */
void event_fault(struct event *ev, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* It asked for what cannot be: logged. */
void event_misuse(struct event *ev, const char *what);
/* The event of a plugin's pointer; NULL: it is not its turn (logged). */
struct event *event_of(struct pst_event *pub);
/* What it is about is told whose turn it is: most never ask for anything. */
void event_turn(struct event *ev);
/* Where it keeps the scope, made if it was not; NULL: it has no such. */
struct scope *event_scope(struct event *ev, enum pst_scope which);
struct pool *event_pool(struct event *ev);
/* As it stands in the flight recorder, since when aside. */
struct flight event_flight(const struct event *ev, unsigned where);
void event_defer(struct event *ev, struct scope *s, void (*fn)(void *),
    void *arg);
int event_task(struct event *ev, pst_fn *fn, void *arg);

/* ---- stat.c: time spent and metrics of plugins -------------------------- */

void stat_init(struct engine *e);
void stat_fini(struct engine *e);
void stat_begin(struct engine *e);
/* A function of ev ran for so many ticks. */
void stat_call(struct event *ev, uint64_t took);
void stat_fault(struct event *ev);
void stat_metric(struct event *ev, enum shm_named_kind kind, const char *name,
    int64_t n);
void stat_instance_end(struct instance_run *run);

/* ---- request.c ---------------------------------------------------------- */

enum request_kind { RQ_TIMER, RQ_WATCH, RQ_OFFLOAD, RQ_DNS, RQ_LOOKUP, RQ_HTTP,
	RQ_PARK, RQ_TASK };

/* All of the event ev are dropped, none runs. */
void request_cancel_all(struct event *ev);
void request_task(struct event *ev, pst_fn *fn);
void request_fini(struct engine *e);
enum pst_verdict api_timer(struct pst_event *, uint32_t, pst_then *);
enum pst_verdict api_watch(struct pst_event *, int, int, uint32_t,
    pst_then *);
enum pst_verdict api_offload(struct pst_event *, int (*)(void *), void *,
    pst_then *);
enum pst_verdict api_dns(struct pst_event *, const char *, const char *,
    pst_then *);
enum pst_verdict api_lookup(struct pst_event *, const char *, const char *,
    pst_then *);
enum pst_verdict api_http(struct pst_event *, const struct pst_http *,
    pst_then *);
enum pst_verdict api_park(struct pst_event *, uint32_t, uint64_t *,
    pst_then *);
bool api_wake(struct pst_event *, uint64_t, const struct pst_result *);

/* ---- api.c, facts.c, reply.c, message.c --------------------------------- */

extern const struct pst_api api_table;

void facts_init(struct engine *e);
const char *api_get(struct pst_event *, const char *);
int api_set(struct pst_event *, const char *, const char *);
void facts_instance_end(struct instance_run *run);

enum pst_verdict api_reply(struct pst_event *, enum pst_verdict, int,
    const char *, const char *, ...) ATTR_PRINTF(5, 6);
/* ev->reply is complete for the verdict that was returned. */
void reply_complete(struct event *ev);
/* What is not printable becomes '?'. */
void reply_clean(char *s);

const char *api_header(struct pst_event *, const char *, unsigned);
bool api_field(struct pst_event *, unsigned, struct pst_str *,
    struct pst_str *);
int api_edit(struct pst_event *, enum pst_edit, const char *, unsigned,
    const char *);
bool api_body(struct pst_event *, uint64_t *, struct pst_str *);
int api_body_write(struct pst_event *, const void *, size_t);
enum pst_verdict api_each_rcpt(struct pst_event *, pst_fn *);

/* rcpts.c */
/* The recipient at hand gets nothing any more. */
bool event_rcpt_gone(const struct event *ev);
int api_rcpt(struct pst_event *, int);
int api_rcpt_add(struct pst_event *, const char *, int);
int api_rcpt_drop(struct pst_event *);
int api_notify(struct pst_event *, const struct pst_notice *);

#endif
