/*
 * A message with edits (mail/edits.h) on its way out: the header that they
 * make of the stored one, then the rest of the content as it is.
 */
#ifndef RELAY_EDITED_H
#define RELAY_EDITED_H

#include "base/err.h"
#include "base/pool.h"
#include "mail/envelope.h"
#include "store/store.h"

struct edited {
	struct str head; /* goes in front; "" if nothing is edited */
	uint64_t skip;	 /* where in the body the rest begins */
	uint64_t size;	 /* of all that goes out */
};

/* Memory from pool. -1: it cannot be read, so it must not go out. */
int edited_init(struct edited *e, struct pool *pool,
    const struct envelope *env, struct body_ref *body, struct err *why);

#endif
