/*
 * CSV: each line is refused with a reason or has fields without controls, and
 * the reader comes to an end.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/die.h"
#include "cli/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *field[CSV_FIELDS_MAX];
	struct pool *pool = pool_new(0);
	struct err why = ERR_INIT;
	struct csv c;
	int i, r, last = 0;

	csv_init(&c, str_n((const char *)p, n));
	while ((r = csv_next(&c, pool, field, &why)) > 0) {
		ASSERT(c.line > last && (c.sep == ',' || c.sep == ';'));
		last = c.line;
		for (i = 0; i < r; i++)
			ASSERT(utf8_valid(str_c(field[i])));
	}
	if (r < 0)
		ASSERT(why.text[0] != '\0' && c.line > last);
	pool_destroy(&pool);
	return 0;
}
