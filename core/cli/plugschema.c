/*
 * The options of a plugin as a JSON schema, for editors and programs that make
 * boot files.
 */
#include <string.h>

#include "base/num.h"
#include "cli/cli_plugin.h"

static json_t	*property(const json_t *);
static json_t	*types(const char *);
static json_t	*value(const char *, const char *);
static json_t	*list(const char *);
static json_t	*choices(const char *);
static void	bounds(json_t *, const char *);

json_t *
plugin_schema(const json_t *described)
{
	json_t *must = json_array(), *properties = json_object();
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(described, "options"), i, o) {
		(void)json_object_set_new(properties, plugin_text(o, "name"),
		    property(o));
		if (json_is_null(json_object_get(o, "default")))
			(void)json_array_append_new(must,
			    json_string(plugin_text(o, "name")));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:b}", "$schema",
	    "https://json-schema.org/draft/2020-12/schema", "title",
	    plugin_text(described, "plugin"), "type", "object", "properties",
	    properties, "required", must, "additionalProperties", 0);
}

static json_t *
property(const json_t *o)
{
	const char *type = plugin_text(o, "type");
	const char *range = plugin_text(o, "range");
	json_t *p = json_object(), *dflt = json_object_get(o, "default");

	(void)json_object_set_new(p, "description",
	    json_string(plugin_text(o, "help")));
	(void)json_object_set_new(p, "type", types(type));
	if (json_is_string(dflt))
		(void)json_object_set_new(p, "default",
		    value(type, json_string_value(dflt)));
	if (strcmp(type, "list") == 0)
		(void)json_object_set_new(p, "items",
		    json_pack("{s:s}", "type", "string"));
	else if (strcmp(type, "choice") == 0)
		(void)json_object_set_new(p, "enum", choices(range));
	else if (strcmp(type, "int") == 0)
		bounds(p, range);
	else if (strcmp(type, "secret") == 0)
		(void)json_object_set_new(p, "pattern",
		    json_string("^((file|env):.+)?$"));
	/* What a schema has no word for. */
	(void)json_object_set_new(p, "x-type", json_string(type));
	if (range[0] != '\0')
		(void)json_object_set_new(p, "x-range", json_string(range));
	return p;
}

/* A bare number is seconds or octets; one string is a list of one. */
static json_t *
types(const char *type)
{
	if (strcmp(type, "bool") == 0)
		return json_string("boolean");
	if (strcmp(type, "int") == 0)
		return json_string("integer");
	if (strcmp(type, "duration") == 0 || strcmp(type, "size") == 0)
		return json_pack("[s, s]", "string", "integer");
	if (strcmp(type, "list") == 0)
		return json_pack("[s, s]", "array", "string");
	return json_string("string");
}

static json_t *
value(const char *type, const char *text)
{
	int64_t n;

	if (strcmp(type, "bool") == 0)
		return json_boolean(strcmp(text, "true") == 0 ||
		    strcmp(text, "yes") == 0);
	if (strcmp(type, "int") == 0 &&
	    num_int(str_c(text), INT64_MIN, INT64_MAX, &n) == 0)
		return json_integer(n);
	return strcmp(type, "list") == 0 ? list(text) : json_string(text);
}

static json_t *
list(const char *text)
{
	struct str rest = str_c(text), word;
	json_t *v = json_array();

	while (str_word(&rest, &word))
		(void)json_array_append_new(v, json_stringn(word.p, word.n));
	return v;
}

static json_t *
choices(const char *range)
{
	struct str rest = str_c(range), word;
	json_t *v = json_array();

	while (str_split(&rest, '|', &word))
		(void)json_array_append_new(v, json_stringn(word.p, word.n));
	return v;
}

static void
bounds(json_t *p, const char *range)
{
	const char *dots = strstr(range, "..");
	int64_t n;

	if (dots == NULL)
		return;
	if (num_int(str_n(range, (size_t)(dots - range)), INT64_MIN,
		INT64_MAX, &n) == 0)
		(void)json_object_set_new(p, "minimum", json_integer(n));
	if (num_int(str_c(dots + 2), INT64_MIN, INT64_MAX, &n) == 0)
		(void)json_object_set_new(p, "maximum", json_integer(n));
}
