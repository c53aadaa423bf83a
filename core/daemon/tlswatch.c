#include "daemon/tlswatch.h"

#include <string.h>

#include "admin/control.h"
#include "base/coll.h"
#include "base/mem.h"
#include "base/obj.h"
#include "net/sock.h"
#include "relay/route.h"
#include "relay/way.h"

#define TLSWATCH_MAGIC 0x715a7c41u
#define TEXT_MAX 300
/* All units are looked at: the more there are the more seldom. */
#define UNITS_A_SECOND 10000
#define LOOK_SELDOM SECONDS(60)

struct figures {
	uint64_t held;
	msec oldest, deadline;
};

struct watched {
	struct hash_node node;
	struct watched *next; /* while all are gone through */
	struct failure {
		enum tls_reason reason;
		char ip[SOCK_IP_MAX];
		char host[ADDR_DOMAIN_MAX + 1];
		char why[TEXT_MAX];
		uint64_t times;
		msec first, last;
	} failure[TLSWATCH_HOSTS];
	unsigned nfailure;
	uint64_t delivered, bounced;
	bool through; /* that was after the last failure */
	struct figures now, sent;
	bool counted; /* `sent` was */
	char domain[];
};

struct tlswatch {
	unsigned magic;
	tlswatch_tell *tell;
	tlswatch_on *on;
	void *arg;
	struct hash domains;
	struct watched *all;
	msec second, looked;
	unsigned told; /* within it, at once */
};

static struct watched *find(struct tlswatch *, struct str);
static struct watched *add(struct tlswatch *, struct str);
static void	drop(struct tlswatch *, struct watched *);
static void	note(struct watched *, const struct relay_tls_fail *);
static void	gather(struct hash_node *, void *);
static void	look(struct tlswatch *, struct queue *);
static void	waits(void *, struct str, msec, msec);
static void	report(struct tlswatch *, struct watched *, bool);

struct tlswatch *
tlswatch_new(tlswatch_tell *tell, tlswatch_on *on, void *arg)
{
	struct tlswatch *w;

	OBJ_NEW(w, TLSWATCH_MAGIC);
	w->tell = tell;
	w->on = on;
	w->arg = arg;
	hash_init(&w->domains);
	return w;
}

void
tlswatch_destroy(struct tlswatch **wp)
{
	struct tlswatch *w = *wp;
	struct watched *d;

	if (w == NULL)
		return;
	OBJ_CHECK(w, TLSWATCH_MAGIC);
	w->all = NULL;
	hash_each(&w->domains, gather, w);
	while ((d = w->all) != NULL) {
		w->all = d->next;
		mem_free(d);
	}
	hash_fini(&w->domains);
	OBJ_FREE(w);
	*wp = NULL;
}

void
tlswatch_failed(struct tlswatch *w, const struct relay_tls_fail *f)
{
	struct watched *d;
	bool first;

	OBJ_CHECK(w, TLSWATCH_MAGIC);
	if (f->domain.n == 0)
		return;
	d = find(w, f->domain);
	first = d == NULL;
	if (first && w->domains.n >= TLSWATCH_MAX)
		return;
	if (first)
		d = add(w, f->domain);
	note(d, f);
	d->through = false;
	if (clock_now() / 1000 != w->second) {
		w->second = clock_now() / 1000;
		w->told = 0;
	}
	if (first && w->told++ < TLSWATCH_RATE)
		report(w, d, false);
}

void
tlswatch_told(struct tlswatch *w, struct str domain, enum queue_fate fate)
{
	struct watched *d;

	OBJ_CHECK(w, TLSWATCH_MAGIC);
	d = find(w, domain);
	if (d == NULL)
		return;
	if (fate == QUEUE_DELIVERED) {
		d->delivered++;
		d->through = true;
	} else if (fate == QUEUE_BOUNCED) {
		d->bounced++;
	}
}

void
tlswatch_heard(struct tlswatch *w, const json_t *msg)
{
	const char *domain = control_text(msg, "domain");
	struct watched *d;

	OBJ_CHECK(w, TLSWATCH_MAGIC);
	if (domain == NULL || domain[0] == '\0')
		return;
	d = find(w, str_c(domain));
	if (json_is_true(json_object_get(msg, "open"))) {
		if (d == NULL && w->domains.n < TLSWATCH_MAX)
			d = add(w, str_c(domain));
		/* The master has counted anew, so do we. */
		if (d != NULL)
			d->counted = false;
		w->looked = 0;
		return;
	}
	if (d == NULL)
		return;
	/* What it did not know when it said so opens the next one. */
	if (d->nfailure > 0)
		report(w, d, false);
	else
		drop(w, d);
}

void
tlswatch_beat(struct tlswatch *w, struct queue *q)
{
	msec every, now = clock_now();
	struct queue_stats st;
	struct watched *d;
	bool counts = false;

	OBJ_CHECK(w, TLSWATCH_MAGIC);
	if (w->domains.n == 0)
		return;
	w->all = NULL;
	hash_each(&w->domains, gather, w);
	if (q != NULL && !queue_recovering(q)) {
		queue_stats(q, &st);
		every = SECONDS(st.units / UNITS_A_SECOND);
		if (every > LOOK_SELDOM)
			every = LOOK_SELDOM;
		counts = w->looked == 0 || now - w->looked >= every;
	}
	if (counts) {
		w->looked = now;
		look(w, q);
	}
	for (d = w->all; d != NULL; d = d->next) {
		if (counts && (!d->counted ||
		    memcmp(&d->now, &d->sent, sizeof(d->now)) != 0))
			report(w, d, true);
		else if (d->nfailure > 0 || d->delivered > 0 ||
		    d->bounced > 0)
			report(w, d, counts);
	}
}

static struct watched *
find(struct tlswatch *w, struct str domain)
{
	struct hash_node *node;
	struct watched *d;

	for (node = hash_first(&w->domains, hash_bytes(domain.p, domain.n));
	     node != NULL; node = hash_next(node)) {
		d = COLL_OF(node, struct watched, node);
		if (str_eq_c(domain, d->domain))
			return d;
	}
	return NULL;
}

static struct watched *
add(struct tlswatch *w, struct str domain)
{
	struct watched *d = mem_zalloc(sizeof(*d) + domain.n + 1);

	memcpy(d->domain, domain.p, domain.n);
	hash_add(&w->domains, &d->node, hash_bytes(domain.p, domain.n));
	if (w->domains.n == 1)
		w->on(w->arg, true);
	return d;
}

static void
drop(struct tlswatch *w, struct watched *d)
{
	hash_remove(&w->domains, &d->node);
	mem_free(d);
	if (w->domains.n == 0)
		w->on(w->arg, false);
}

/* The same of the same host is one; of more than there is room for, the last
 * one's words are lost. */
static void
note(struct watched *d, const struct relay_tls_fail *f)
{
	struct failure *x = NULL;
	unsigned i;

	for (i = 0; i < d->nfailure && x == NULL; i++) {
		if (d->failure[i].reason == f->reason &&
		    strcmp(d->failure[i].ip, f->ip) == 0)
			x = &d->failure[i];
	}
	if (x == NULL && d->nfailure < TLSWATCH_HOSTS) {
		x = &d->failure[d->nfailure++];
		memset(x, 0, sizeof(*x));
		x->reason = f->reason;
		x->first = clock_wall();
		(void)str_copy(x->ip, sizeof(x->ip), str_c(f->ip));
	} else if (x == NULL) {
		x = &d->failure[TLSWATCH_HOSTS - 1];
	}
	(void)str_copy(x->host, sizeof(x->host), str_c(f->host));
	(void)str_copy(x->why, sizeof(x->why), f->why);
	x->times++;
	x->last = clock_wall();
}

static void
gather(struct hash_node *node, void *arg)
{
	struct watched *d = COLL_OF(node, struct watched, node);
	struct tlswatch *w = arg;

	d->next = w->all;
	w->all = d;
}

static void
look(struct tlswatch *w, struct queue *q)
{
	struct watched *d;

	for (d = w->all; d != NULL; d = d->next)
		memset(&d->now, 0, sizeof(d->now));
	queue_each_waiting(q, waits, w);
}

static void
waits(void *arg, struct str domain, msec queued, msec end)
{
	char name[WAY_HOP_MAX];
	struct tlswatch *w;
	struct watched *d;

	OBJ_CAST(w, arg, TLSWATCH_MAGIC);
	route_domain(domain, name, sizeof(name));
	d = find(w, str_c(name));
	if (d == NULL)
		return;
	d->now.held++;
	if (d->now.oldest == 0 || queued < d->now.oldest)
		d->now.oldest = queued;
	if (end != 0 && (d->now.deadline == 0 || end < d->now.deadline))
		d->now.deadline = end;
}

/* Text from outside need not be UTF-8, which JSON has to be. */
static void
put_text(json_t *to, const char *name, char *s)
{
	char *p;

	for (p = s; *p != '\0'; p++)
		if (!ch_print(*p))
			*p = '?';
	(void)json_object_set_new(to, name, json_string(s));
}

static json_t *
failure_pack(struct failure *x)
{
	json_t *j = json_pack("{s:s, s:s, s:I, s:I, s:I}", "cause",
	    tls_reason_word(x->reason), "ip", x->ip, "times",
	    (json_int_t)x->times, "first", (json_int_t)x->first, "last",
	    (json_int_t)x->last);

	put_text(j, "host", x->host);
	put_text(j, "why", x->why);
	return j;
}

static void
report(struct tlswatch *w, struct watched *d, bool counts)
{
	json_t *msg, *failed;
	unsigned i;

	msg = json_pack("{s:s, s:s, s:[], s:I, s:I, s:b}", "type", "episode",
	    "domain", d->domain, "failed", "delivered",
	    (json_int_t)d->delivered, "bounced", (json_int_t)d->bounced,
	    "through", (int)d->through);
	failed = json_object_get(msg, "failed");
	for (i = 0; i < d->nfailure; i++)
		(void)json_array_append_new(failed,
		    failure_pack(&d->failure[i]));
	if (counts) {
		(void)json_object_set_new(msg, "held",
		    json_integer((json_int_t)d->now.held));
		(void)json_object_set_new(msg, "oldest",
		    json_integer((json_int_t)d->now.oldest));
		(void)json_object_set_new(msg, "deadline",
		    json_integer((json_int_t)d->now.deadline));
		d->sent = d->now;
		d->counted = true;
	} else if (d->nfailure > 0) {
		d->counted = false; /* the master wants to know them anew */
	}
	d->nfailure = 0;
	d->delivered = d->bounced = 0;
	d->through = false;
	if (msg != NULL) /* else the domain is no text */
		w->tell(w->arg, msg);
}
