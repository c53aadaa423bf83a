/*
 * JSON that commands print.
 */
#include <stdio.h>

#include "base/mem.h"
#include "cli/config.h"

static json_t *raw_json(const struct conf_raw *);

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

json_t *
config_settings(const struct conf_item *item)
{
	json_t *j = json_object();

	for (; item != NULL; item = item->next)
		(void)json_object_set_new(j, item->key,
		    raw_json(item->value));
	return j;
}

static json_t *
raw_json(const struct conf_raw *raw)
{
	json_t *j;
	unsigned i;

	switch (raw->type) {
	case RAW_BOOL:
		return json_boolean(raw->b);
	case RAW_INT:
		return json_integer(raw->i);
	case RAW_STRING:
		return config_text(raw->s);
	case RAW_LIST:
		j = json_array();
		for (i = 0; i < raw->n; i++)
			(void)json_array_append_new(j, raw_json(raw->v[i]));
		return j;
	}
	panic("type %d", (int)raw->type);
}
