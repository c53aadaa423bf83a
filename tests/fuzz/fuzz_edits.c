/*
 * Edits: the text form, and what they make of a header. The input is the text
 * of the edits, a NUL, and a message.
 */

#include <stdint.h>
#include <string.h>

#include "mail/edits.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
text_comes_back(struct pool *pool, const struct edits *e)
{
	struct edits *back;
	struct buf text;

	buf_init(&text, EDITS_TEXT_MAX);
	edits_write(e, &text);
	ASSERT(!buf_full(&text));
	ASSERT(edits_read(&back, pool, buf_str(&text), NULL) == 0);
	ASSERT(edits_equal(e, back));
	ASSERT(edits_equal(e, edits_copy(pool, e)));
	buf_fini(&text);
}

/* Each field is one of the message's, as it was, or named by an edit. */
static void
fields_are_known(struct pool *pool, struct str text, const struct header *h,
    struct str result)
{
	struct header now;
	char name[1100];
	size_t i, j;

	header_parse(pool, result, SIZE_MAX, &now);
	ASSERT(now.bytes == result.n);
	for (i = 0; i < now.n; i++) {
		for (j = 0; j < h->n; j++) {
			if (str_eq(now.v[i].raw, h->v[j].raw) ||
			    (j + 1 == h->n && now.v[i].raw.n >
			    h->v[j].raw.n && memcmp(now.v[i].raw.p,
			    h->v[j].raw.p, h->v[j].raw.n) == 0))
				break;
		}
		if (j < h->n)
			continue;
		ASSERT(now.v[i].name.n + 2 < sizeof(name));
		name[0] = ' ';
		memcpy(name + 1, now.v[i].name.p, now.v[i].name.n);
		name[now.v[i].name.n + 1] = ' ';
		ASSERT(memmem(text.p, text.n, name, now.v[i].name.n + 2) !=
		    NULL);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str all = str_n((const char *)data, n), text, m = STR("");
	struct pool *pool = pool_new(0);
	struct edits *e = NULL;
	struct header h;
	struct buf out;

	text = str_n(all.p, str_find(all, '\0'));
	if (text.n < all.n)
		m = str_n(all.p + text.n + 1, all.n - text.n - 1);
	header_parse(pool, m, SIZE_MAX, &h);
	buf_init(&out, h.bytes + EDITS_TEXT_MAX);
	if (edits_read(&e, pool, text, NULL) != 0) {
		edits_apply(NULL, &h, 1, &out);
		ASSERT(memcmp(buf_p(&out), m.p, h.bytes) == 0);
	} else {
		text_comes_back(pool, e);
		edits_apply(e, &h, 1, &out);
		ASSERT(!buf_full(&out));
		fields_are_known(pool, text, &h, buf_str(&out));
	}
	buf_fini(&out);
	pool_destroy(&pool);
	return 0;
}
