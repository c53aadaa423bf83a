/*
 * JSON that commands print.
 */
#include <stdio.h>

#include "cli/config.h"

void
config_row(unsigned *n, json_t *row)
{
	(void)fputs((*n)++ == 0 ? "[" : ",\n", stdout);
	(void)json_dumpf(row, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(row);
}

void
config_rows_end(unsigned n)
{
	(void)puts(n == 0 ? "[]" : "]");
}

json_t *
config_text(struct str s)
{
	json_t *j = json_stringn(s.p != NULL ? s.p : "", s.n);

	return j != NULL ? j : json_string("(not UTF-8)");
}
