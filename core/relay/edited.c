#include "relay/edited.h"

#include "mail/edits.h"
#include "mail/header.h"

int
edited_init(struct edited *e, struct pool *pool, const struct envelope *env,
    struct body_ref *body, struct err *why)
{
	struct edits *edits;
	struct header h;
	struct str all;
	struct buf dst;

	*e = (struct edited){ STR(""), 0, body_size(body) };
	if (env->edits.n == 0)
		return 0;
	if (edits_read(&edits, pool, env->edits, why) != 0 ||
	    body_map(body, &all, why) != 0)
		return -1;
	header_parse(pool, all, SIZE_MAX, &h);
	buf_init(&dst, h.bytes + EDITS_TEXT_MAX);
	edits_apply(edits, &h, 1, &dst);
	e->head = pool_str(pool, buf_str(&dst));
	e->skip = h.bytes;
	e->size += e->head.n - e->skip;
	buf_fini(&dst);
	return 0;
}
