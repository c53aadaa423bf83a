#include "daemon/expiry.h"

#include <string.h>

#include "base/mem.h"

#define DAY HOURS(24)

struct seen {
	struct hash_node node;
	char *name;
	msec expires;
	int64_t step; /* that was spoken of */
};

static int64_t	step_of(int64_t);
static void	seen_free(struct hash_node *, void *);

void
expiry_init(struct expiry *e)
{
	hash_init(&e->seen);
}

void
expiry_fini(struct expiry *e)
{
	hash_each(&e->seen, seen_free, e);
	hash_fini(&e->seen);
}

static void
seen_free(struct hash_node *node, void *arg)
{
	struct seen *s = COLL_OF(node, struct seen, node);
	struct expiry *e = arg;

	hash_remove(&e->seen, node);
	mem_free(s->name);
	mem_free(s);
}

int64_t
expiry_days(msec expires, msec now)
{
	msec left = expires - now;

	return left >= 0 ? left / DAY : -((-left + DAY - 1) / DAY);
}

/* The occasion that the day belongs to; more than 90: none yet. */
static int64_t
step_of(int64_t days)
{
	static const int64_t steps[] = { 5, 15, 30, 60, 90 };
	size_t i;

	if (days < 5)
		return days; /* each has its own */
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (days <= steps[i])
			return steps[i];
	}
	return INT64_MAX;
}

bool
expiry_due(struct expiry *e, const char *name, msec expires, msec now)
{
	uint64_t hash = hash_bytes(name, strlen(name));
	int64_t step = step_of(expiry_days(expires, now));
	struct hash_node *node = hash_first(&e->seen, hash);
	struct seen *s = NULL;

	for (; node != NULL; node = hash_next(node)) {
		s = COLL_OF(node, struct seen, node);
		if (strcmp(s->name, name) == 0)
			break;
	}
	if (node == NULL) {
		s = mem_zalloc(sizeof(*s));
		s->name = mem_strdup(name);
		hash_add(&e->seen, &s->node, hash);
		s->step = INT64_MAX;
	} else if (s->expires != expires) {
		s->step = INT64_MAX; /* a new one */
	}
	s->expires = expires;
	if (step >= s->step)
		return false;
	s->step = step;
	return true;
}
