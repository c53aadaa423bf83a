#include "host/flight.h"

#include <stdatomic.h>
#include <string.h>

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define PUT(field, value)                                                     \
	atomic_store_explicit(&(field), value, memory_order_relaxed)

static void	put(struct shm_flight *, const struct flight *);

void
flight_enter(struct shm_flight *f, const struct flight *now,
    struct flight_was *was)
{
	unsigned i;

	was->is.who = GET(f->who);
	if (was->is.who != 0) {
		was->is.icid = GET(f->icid);
		was->is.mid = GET(f->mid);
		was->is.since = GET(f->since);
		for (i = 0; i < SHM_PLACE / 8; i++)
			was->place[i] = GET(f->place[i]);
	}
	PUT(f->place[0], 0);
	put(f, now);
}

/* Nobody looks at the rest where there is nobody. */
void
flight_leave(struct shm_flight *f, const struct flight_was *was)
{
	unsigned i;

	if (was->is.who == 0) {
		PUT(f->who, 0);
		return;
	}
	for (i = 0; i < SHM_PLACE / 8; i++)
		PUT(f->place[i], was->place[i]);
	put(f, &was->is);
}

void
flight_place(struct shm_flight *f, const char *place)
{
	uint64_t word;
	unsigned i;

	for (i = 0; i < SHM_PLACE / 8; i++) {
		memcpy(&word, place + 8 * i, 8);
		PUT(f->place[i], word);
	}
}

static void
put(struct shm_flight *f, const struct flight *now)
{
	PUT(f->icid, now->icid);
	PUT(f->mid, now->mid);
	PUT(f->since, now->since);
	atomic_store_explicit(&f->who, now->who, memory_order_release);
}
