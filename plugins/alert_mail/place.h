/*
 * Where mail for a domain goes, remembered for 30 minutes: without any input or
 * output.
 */
#ifndef PLACE_H
#define PLACE_H

#include <stddef.h>
#include <stdint.h>

#define PLACE_HOSTS 5
#define PLACE_LIFE 1800000 /* ms: 30 minutes (requirements.md 4.5) */
#define PLACES 64

struct place {
	char name[256];	/* of the domain, or of the server */
	int64_t until;
	char target[PLACE_HOSTS][64]; /* "192.0.2.1:25", "[2001:db8::1]:25" */
	unsigned n;
};

struct places {
	struct place v[PLACES];
};

/* NULL: not known, or not any more. */
const struct place *places_find(const struct places *ps, const char *name,
    int64_t now);
/* In place of the oldest. */
void places_keep(struct places *ps, const struct place *p, int64_t now);
/* It was no good. */
void places_forget(struct places *ps, const char *name);
/* One more that is not there already, if there is room. */
void place_add(struct place *p, const char *ip, long port);
/* "host", "host:port", "[address]:port": the port, port if there is none. */
long place_server(const char *server, long port, char *host, size_t n);

#endif
