/*
 * For tests of the configuration store: one in a directory of its own.
 */
#ifndef TESTS_REVS_UTIL_H
#define TESTS_REVS_UTIL_H

#include "store/revs.h"

struct place {
	char dir[64], sub[80], path[100];
	struct pool *pool;
};

void place_init(struct place *p);
void place_fini(struct place *p);
struct revs *must_open(struct place *p);

/* body NULL: deleted. */
int draft(struct revs *r, const char *name, const char *body);
int propose(struct place *p, struct revs *r, struct rev *v, struct err *why);
int accept_it(struct revs *r, const struct rev *v, struct err *why);
uint64_t commit(struct place *p, struct revs *r);

enum what { HEAD, DRAFT, MERGED };

/* "NAME=BODY NAME- "; the place's. */
const char *content(struct place *p, struct revs *r, enum what what,
    uint64_t n);

#endif
