#include "cli/import.h"

#include "mail/addr.h"

int
import_refuse(const struct import *im, int line, struct err *why)
{
	return err_prefix(why, "%s:%d: ", im->file, line);
}

json_t *
import_row(struct import *im, int line, const char *word, const char *kind,
    const char *name)
{
	json_t *row = json_pack("{s:i, s:s, s:s, s:s, s:{}, s:{}}", "line",
	    line, "word", word, "kind", kind, "name", name, "set", "was");

	(void)json_array_append_new(im->rows, row);
	return row;
}

/* What replaces an object takes nothing over from it. */
static int
start_anew(struct import *im, const char *kind, const char *name,
    struct err *why)
{
	struct conf_object o;

	if (!im->replace || strcmp(kind, im->kind) != 0)
		return 0;
	if (conf_object_new(im->pool, kind, name, &o, why) != 0)
		return -1;
	if (json_object_get(im->had, o.name) != NULL)
		return 0;
	(void)json_object_set_new(im->had, o.name, json_true());
	if (confedit_get(im->dc.ce, kind, o.name) == NULL)
		return 0;
	return confedit_delete(im->dc.ce, kind, o.name, why);
}

int
import_put(struct import *im, json_t *row, const char *key,
    const char *value, struct err *why)
{
	const char *kind = json_string_value(json_object_get(row, "kind"));
	const char *name = json_string_value(json_object_get(row, "name"));
	int line = (int)json_integer_value(json_object_get(row, "line"));
	const char *was = destconfig_now(&im->dc, kind, name, key);

	(void)json_object_set_new(json_object_get(row, "set"), key,
	    json_string(value));
	if (was != NULL)
		(void)json_object_set_new(json_object_get(row, "was"), key,
		    json_string(was));
	if (start_anew(im, kind, name, why) != 0 ||
	    confedit_set(im->dc.ce, kind, name, key, value, why) != 0)
		return import_refuse(im, line, why);
	return 0;
}

void
import_stronger(json_t *row, const char *reason)
{
	(void)json_object_set_new(row, "stronger", json_string(reason));
}

void
import_left(struct import *im, const struct import_left *l)
{
	struct conf_object o;

	(void)json_array_append_new(im->left, json_pack(
	    "{s:i, s:s, s:s, s:s, s:s}", "line", l->line, "word", l->word,
	    "reason", l->reason, "instead", l->instead, "name", l->name));
	/* What is there stays rather than nothing. */
	if (l->name[0] != '\0' &&
	    conf_object_new(im->pool, im->kind, l->name, &o, NULL) == 0)
		(void)json_object_set_new(im->had, o.name, json_true());
}

const char *
import_hosts(struct import *im, const char *route)
{
	return destconfig_now(&im->dc, "route", route, "hosts");
}

const char *
import_route(struct import *im, const char *domain)
{
	const char *p = domain;

	if (p[0] == '*' || import_hosts(im, p) != NULL)
		return import_hosts(im, p) != NULL ? p : NULL;
	while ((p = strchr(p + 1, '.')) != NULL) {
		if (import_hosts(im, p) != NULL)
			return p;
	}
	return import_hosts(im, "*") != NULL ? "*" : NULL;
}
