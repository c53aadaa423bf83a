#include "host/crew.h"

#include <string.h>

#include "base/die.h"
#include "base/mem.h"
#include "base/obj.h"
#include "base/offload.h"

#define CREW_MAGIC 0xc3e30001u
#define MEMBER_MAGIC 0xc3e30002u

_Static_assert((int)CREW_MAX >= CREW_THREADS, "room for those that are lost");

TAILQ_HEAD(crew_jobs, crew_job);

struct crew_share {
	struct crew *crew;
	char *name;
	unsigned refs;
	unsigned busy, lost; /* threads */
	struct crew_jobs waiting;
	TAILQ_ENTRY(crew_share) link;
};

struct crew_member {
	unsigned magic;
	unsigned number;
	struct crew *crew;
	struct offload *thread;
	struct crew_job *job;	/* NULL: it is idle */
	bool lost;
	struct loop_timer late;
	msec until;		/* when it is late */
	struct crew_member *next; /* of those left behind */
};

struct crew {
	unsigned magic;
	struct loop *loop;
	unsigned busy, lost;
	struct crew_member *member[CREW_MAX];
	TAILQ_HEAD(, crew_share) shares; /* whose turn it is, first */
};

/* Their threads may read them until the process ends. */
static struct crew_member *left_behind;

static void member_end(struct crew_member *m);
static void start_some(struct crew *c);
static struct crew_share *whose_turn(struct crew *c);
static struct crew_member *idle_member(struct crew *c);
static void start(struct crew_member *m, struct crew_job *j);
static void work(void *arg);
static void done(void *arg);
static void late(void *arg);
static void refuse_all(struct crew_share *s);

struct crew *
crew_new(struct loop *l)
{
	struct crew *c;

	OBJ_NEW(c, CREW_MAGIC);
	c->loop = l;
	TAILQ_INIT(&c->shares);
	return c;
}

void
crew_destroy(struct crew **cp)
{
	struct crew *c = *cp;
	struct crew_share *s;
	unsigned i;

	if (c == NULL)
		return;
	OBJ_CHECK(c, CREW_MAGIC);
	for (i = 0; i < CREW_MAX && c->member[i] != NULL; i++)
		member_end(c->member[i]);
	while ((s = TAILQ_FIRST(&c->shares)) != NULL) { /* of lost ones */
		TAILQ_REMOVE(&c->shares, s, link);
		mem_free(s->name);
		mem_free(s);
	}
	OBJ_FREE(c);
	*cp = NULL;
}

static void
member_end(struct crew_member *m)
{
	bool idle = offload_drain_for(m->thread, m->job == NULL ? 0 :
	    m->until - clock_now());

	loop_offload_stop(m->crew->loop, m->thread);
	if (!idle) {
		if (loop_timer_armed(&m->late))
			m->job->ops->late(m->job, false);
		loop_timer_clear(&m->late);
		offload_abandon(&m->thread);
		m->next = left_behind;
		left_behind = m;
		return;
	}
	offload_destroy(&m->thread);
	OBJ_FREE(m);
}

struct crew_share *
crew_share(struct crew *c, const char *instance)
{
	struct crew_share *s;

	OBJ_CHECK(c, CREW_MAGIC);
	TAILQ_FOREACH (s, &c->shares, link) {
		if (strcmp(s->name, instance) == 0) {
			s->refs++;
			return s;
		}
	}
	s = mem_zalloc(sizeof(*s));
	s->crew = c;
	s->name = mem_strdup(instance);
	s->refs = 1;
	TAILQ_INIT(&s->waiting);
	TAILQ_INSERT_TAIL(&c->shares, s, link);
	return s;
}

void
crew_share_unref(struct crew_share **sp)
{
	struct crew_share *s = *sp;

	if (s == NULL)
		return;
	*sp = NULL;
	if (--s->refs > 0)
		return;
	TAILQ_REMOVE(&s->crew->shares, s, link);
	mem_free(s->name);
	mem_free(s);
}

bool
crew_submit(struct crew *c, struct crew_share *s, struct crew_job *j)
{
	OBJ_CHECK(c, CREW_MAGIC);
	if (s->lost >= CREW_LOST)
		return false;
	s->refs++;
	j->share = s;
	j->member = NULL;
	TAILQ_INSERT_TAIL(&s->waiting, j, link);
	start_some(c);
	return true;
}

bool
crew_withdraw(struct crew *c, struct crew_job *j)
{
	OBJ_CHECK(c, CREW_MAGIC);
	if (j->member != NULL)
		return false;
	TAILQ_REMOVE(&j->share->waiting, j, link);
	crew_share_unref(&j->share);
	return true;
}

static void
start_some(struct crew *c)
{
	struct crew_share *s;
	struct crew_job *j;

	while (c->busy < CREW_THREADS && (s = whose_turn(c)) != NULL) {
		j = TAILQ_FIRST(&s->waiting);
		TAILQ_REMOVE(&s->waiting, j, link);
		TAILQ_REMOVE(&c->shares, s, link);
		TAILQ_INSERT_TAIL(&c->shares, s, link);
		s->busy++;
		c->busy++;
		start(idle_member(c), j);
	}
}

static struct crew_share *
whose_turn(struct crew *c)
{
	struct crew_share *s;

	TAILQ_FOREACH (s, &c->shares, link) {
		if (s->busy < CREW_SHARE && !TAILQ_EMPTY(&s->waiting))
			return s;
	}
	return NULL;
}

/* Threads are made as they are needed; there is room, for those that are busy
 * or lost are less than CREW_MAX. */
static struct crew_member *
idle_member(struct crew *c)
{
	struct crew_member *m;
	unsigned i;

	for (i = 0; i < CREW_MAX && c->member[i] != NULL; i++)
		if (c->member[i]->job == NULL)
			return c->member[i];
	ASSERT(i < CREW_MAX);
	OBJ_NEW(m, MEMBER_MAGIC);
	m->number = i;
	m->crew = c;
	m->thread = offload_new("plugin");
	loop_offload(c->loop, m->thread);
	loop_timer_init(c->loop, &m->late, late, m);
	return c->member[i] = m;
}

static void
start(struct crew_member *m, struct crew_job *j)
{
	m->job = j;
	j->member = m;
	m->until = clock_now() + j->patience;
	loop_timer_set(&m->late, j->patience);
	offload_submit(m->thread, work, done, m);
}

/* On the thread. */
static void
work(void *arg)
{
	struct crew_member *m;

	OBJ_CAST(m, arg, MEMBER_MAGIC);
	m->job->ops->work(m->job, m->number);
}

static void
done(void *arg)
{
	struct crew_member *m;
	struct crew_share *s;
	struct crew_job *j;
	struct crew *c;

	OBJ_CAST(m, arg, MEMBER_MAGIC);
	c = m->crew;
	j = m->job;
	s = j->share;
	loop_timer_clear(&m->late);
	if (m->lost) {
		s->lost--;
		c->lost--;
	} else {
		s->busy--;
		c->busy--;
	}
	m->lost = false;
	m->job = NULL;
	j->share = NULL;
	j->member = NULL;
	j->ops->done(j);
	crew_share_unref(&s);
	start_some(c);
}

/* There are as many threads as may be: it keeps its place. */
static void
late(void *arg)
{
	struct crew_member *m;
	struct crew_share *s;
	struct crew *c;

	OBJ_CAST(m, arg, MEMBER_MAGIC);
	c = m->crew;
	s = m->job->share;
	m->lost = c->lost + CREW_THREADS < CREW_MAX;
	if (m->lost) {
		s->busy--;
		s->lost++;
		c->busy--;
		c->lost++;
	}
	m->job->ops->late(m->job, m->lost);
	if (s->lost >= CREW_LOST)
		refuse_all(s);
	start_some(c);
}

static void
refuse_all(struct crew_share *s)
{
	struct crew_share *held = s;
	struct crew_job *j;

	s->refs++;
	while ((j = TAILQ_FIRST(&s->waiting)) != NULL) {
		TAILQ_REMOVE(&s->waiting, j, link);
		s->refs--; /* held is left */
		j->share = NULL;
		j->ops->refused(j);
	}
	crew_share_unref(&held);
}
