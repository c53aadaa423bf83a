/*
 * The flight recorder (base/shm.h): written around everything that enters a
 * plugin. What was there before is put back, for one plugin may be asked while
 * another one runs.
 */
#ifndef HOST_FLIGHT_H
#define HOST_FLIGHT_H

#include <stdint.h>

#include "base/shm.h"

struct flight {
	uint32_t who;
	uint64_t icid, mid, since;
};

struct flight_was {
	struct flight is;
	uint64_t place[SHM_PLACE / 8];
};

void flight_enter(struct shm_flight *f, const struct flight *now,
    struct flight_was *was);
void flight_leave(struct shm_flight *f, const struct flight_was *was);
/* Who runs says where it is; SHM_PLACE octets. */
void flight_place(struct shm_flight *f, const char *place);

#endif
