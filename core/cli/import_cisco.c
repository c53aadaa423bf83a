/*
 * The destination control table of an appliance, by the reader of destconfig.
 */
#include "cli/import.h"

struct taking {
	struct import *im;
	json_t *row;
	int line;
};

static void
took(void *arg, int line, const char *section, const char *key,
    const char *value, const char *was)
{
	struct taking *t = arg;
	bool is_default = strcmp(section, DESTCONFIG_DEFAULT) == 0;

	if (t->row == NULL || t->line != line)
		t->row = import_row(t->im, line, section,
		    is_default ? "delivery" : "destination",
		    is_default ? "" : section);
	t->line = line;
	(void)json_object_set_new(json_object_get(t->row, "set"), key,
	    json_string(value));
	if (was != NULL)
		(void)json_object_set_new(json_object_get(t->row, "was"), key,
		    json_string(was));
}

static void
left(void *arg, int line, const char *section, const char *word,
    const char *reason)
{
	struct taking *t = arg;
	struct import_left l = { line, word, reason,
		"postern destconfig set, once there is such a thing",
		strcmp(section, DESTCONFIG_DEFAULT) == 0 ? "" : section };

	import_left(t->im, &l);
}

static void	names(struct import *im, json_t *list);
static void	gone(struct import *im, json_t *before);

int
import_cisco(struct import *im, struct err *why)
{
	struct taking t = { .im = im };
	struct destconfig_taking how = { .merge = !im->replace,
		.took = took, .left = left, .arg = &t };
	struct str s = str_trim(im->text);
	json_t *before;
	int e;

	if (s.n > 0 && s.p[0] == '<') {
		(void)err_text(why, "this is the configuration of an "
		    "appliance as XML, which is not read; its table of "
		    "destinations is what destconfig EXPORT writes there");
		return import_refuse(im, 1, why);
	}
	before = json_array();
	names(im, before);
	e = destconfig_read(&im->dc, im->file, im->text, &how, why);
	if (e == 0 && im->replace)
		gone(im, before);
	json_decref(before);
	return e;
}

static void
names(struct import *im, json_t *list)
{
	const struct conf_object *o;
	unsigned i;

	for (i = 0; (o = confedit_at(im->dc.ce, im->kind, i)) != NULL; i++)
		(void)json_array_append_new(list, json_string(o->name));
}

/* The reader began without any. */
static void
gone(struct import *im, json_t *before)
{
	json_t *after = json_array(), *name;
	size_t i;

	names(im, after);
	json_array_foreach(after, i, name)
		(void)json_object_set_new(im->had, json_string_value(name),
		    json_true());
	json_array_foreach(before, i, name) {
		if (json_object_get(im->had, json_string_value(name)) == NULL)
			(void)json_array_append(im->gone, name);
	}
	json_decref(after);
}
