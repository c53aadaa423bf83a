#include "host/flight.h"

#include <stdatomic.h>

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value)                                                     \
	atomic_store_explicit(&(field), value, memory_order_relaxed)

static void	put(struct shm_flight *, const struct flight *);

void
flight_enter(struct shm_flight *f, const struct flight *now,
    struct flight *was)
{
	was->who = GET(f->who);
	if (was->who != 0) {
		was->icid = GET(f->icid);
		was->mid = GET(f->mid);
		was->since = GET(f->since);
	}
	put(f, now);
}

/* Nobody looks at the rest where there is nobody. */
void
flight_leave(struct shm_flight *f, const struct flight *was)
{
	if (was->who != 0)
		put(f, was);
	else
		PUT(f->who, 0);
}

static void
put(struct shm_flight *f, const struct flight *now)
{
	PUT(f->icid, now->icid);
	PUT(f->mid, now->mid);
	PUT(f->since, now->since);
	atomic_store_explicit(&f->who, now->who, memory_order_release);
}
