/*
 * The text form of notes.
 */

#include <stdint.h>
#include <string.h>

#include "mail/notes.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct pool *pool = pool_new(0);
	const char *name, *value, *last = "";
	struct notes *notes, *back;
	struct buf text;
	unsigned i;

	if (notes_read(&notes, pool, str_n((const char *)data, n), NULL) ==
	    0) {
		buf_init(&text, NOTES_TEXT_MAX);
		notes_write(notes, &text);
		ASSERT(!buf_full(&text));
		ASSERT(notes_read(&back, pool, buf_str(&text), NULL) == 0);
		for (i = 0; notes_at(notes, i, &name, &value); i++) {
			ASSERT(strcmp(last, name) < 0);
			ASSERT(strcmp(notes_get(back, name), value) == 0);
			last = name;
		}
		ASSERT(i <= NOTES_MAX);
		buf_fini(&text);
	}
	pool_destroy(&pool);
	return 0;
}
