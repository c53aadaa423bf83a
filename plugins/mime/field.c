#include "field.h"

#include <string.h>

enum { NAMES = 8, FIELDS = 8 };

void
head_init(struct head *h)
{
	memset(h, 0, sizeof(*h));
	h->type = g_ptr_array_new_with_free_func(g_free);
	h->disposition = g_ptr_array_new_with_free_func(g_free);
}

void
head_clear(struct head *h)
{
	g_ptr_array_set_size(h->type, 0);
	g_ptr_array_set_size(h->disposition, 0);
	g_free(h->encoding);
	h->encoding = NULL;
	h->octets = 0;
	h->over = false;
}

void
head_fini(struct head *h)
{
	g_ptr_array_unref(h->type);
	g_ptr_array_unref(h->disposition);
	g_free(h->encoding);
}

static bool
is(const char *name, size_t n, const char *word)
{
	return strlen(word) == n && g_ascii_strncasecmp(name, word, n) == 0;
}

bool
head_wants(const char *name, size_t n)
{
	return is(name, n, "Content-Type") ||
	    is(name, n, "Content-Disposition") ||
	    is(name, n, "Content-Transfer-Encoding");
}

/* Line ends go, the blanks of folds stay; so do NULs, as blanks. */
static char *
unfold(const char *value, size_t n)
{
	char *s = g_malloc(n + 1);
	size_t i, len = 0;

	for (i = 0; i < n; i++) {
		if (value[i] == '\r' || value[i] == '\n')
			continue;
		s[len++] = value[i] == '\0' || value[i] == '\t' ? ' ' :
		    value[i];
	}
	s[len] = '\0';
	return g_strstrip(s);
}

void
head_add(struct head *h, const char *name, size_t nname, const char *value,
    size_t n)
{
	GPtrArray *list = is(name, nname, "Content-Type") ? h->type :
	    is(name, nname, "Content-Disposition") ? h->disposition : NULL;

	if (list == NULL && !is(name, nname, "Content-Transfer-Encoding"))
		return;
	if (n > HEAD_OCTETS - h->octets ||
	    (list != NULL && list->len >= FIELDS)) {
		h->over = true;
		return;
	}
	h->octets += n;
	if (list != NULL)
		g_ptr_array_add(list, unfold(value, n));
	else if (h->encoding == NULL)
		h->encoding = unfold(value, n);
}

static void
add_name(struct entity *e, const char *name)
{
	char *decoded = NULL;
	unsigned i;

	if (strstr(name, "=?") != NULL)
		name = decoded = g_mime_utils_header_decode_text(NULL, name);
	for (i = 0; i < e->names->len; i++) {
		if (strcmp(e->names->pdata[i], name) == 0)
			break;
	}
	if (name[0] != '\0' && i == e->names->len) {
		if (i < NAMES)
			g_ptr_array_add(e->names, g_strdup(name));
		else
			e->over = true;
	}
	g_free(decoded);
}

static void
add_names(struct entity *e, GMimeParamList *list)
{
	int i, n = list == NULL ? 0 : g_mime_param_list_length(list);

	for (i = 0; i < n; i++) {
		GMimeParam *p = g_mime_param_list_get_parameter_at(list, i);
		const char *name = g_mime_param_get_name(p);

		if (name != NULL && g_mime_param_get_value(p) != NULL &&
		    (g_ascii_strcasecmp(name, "name") == 0 ||
		    g_ascii_strcasecmp(name, "filename") == 0))
			add_name(e, g_mime_param_get_value(p));
	}
}

/* To the next ';' that is not in quotes. */
static const char *
skip_value(const char *p)
{
	bool quoted = false;

	for (; *p != '\0' && (quoted || *p != ';'); p++) {
		if (*p == '\\' && quoted && p[1] != '\0')
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

/* The value of a parameter as a careless reader finds it: in quotes, or all
 * up to the next ';'. NULL: there is none. *at goes behind it. */
static char *
careless(const char **at, const char *name)
{
	const char *p = *at, *end;
	size_t n = strlen(name);
	char *s;

	while (*p != '\0') {
		p = skip_value(p);
		while (*p == ';' || *p == ' ')
			p++;
		if (g_ascii_strncasecmp(p, name, n) != 0)
			continue;
		end = p + n;
		while (*end == ' ')
			end++;
		if (*end != '=')
			continue;
		for (end++; *end == ' ';)
			end++;
		p = skip_value(end);
		*at = p;
		s = g_strstrip(g_strndup(end, (gsize)(p - end)));
		if (s[0] == '"')
			g_mime_utils_unquote_string(s);
		return s;
	}
	*at = p;
	return NULL;
}

static void
add_careless(struct entity *e, const char *value, const char *name)
{
	char *s;

	while ((s = careless(&value, name)) != NULL) {
		add_name(e, s);
		g_free(s);
	}
}

static void
read_type(struct entity *e, const char *value, bool first)
{
	GMimeContentType *t = g_mime_content_type_parse(NULL, value);
	const char *s;
	char *media;

	if (first) {
		media = g_mime_content_type_get_mime_type(t);
		e->type = g_ascii_strdown(media != NULL ? media :
		    "application/octet-stream", -1);
		g_free(media);
		s = g_mime_content_type_get_parameter(t, "charset");
		if (s != NULL)
			e->charset = g_strdup(s);
		s = g_mime_content_type_get_parameter(t, "smime-type");
		if (s != NULL && g_ascii_strcasecmp(s, "enveloped-data") == 0)
			e->enveloped = true;
	}
	s = g_mime_content_type_get_parameter(t, "boundary");
	if (e->boundary == NULL && s != NULL && s[0] != '\0')
		e->boundary = g_strdup(s);
	if (e->boundary == NULL) {
		s = value;
		e->boundary = careless(&s, "boundary");
	}
	add_names(e, g_mime_content_type_get_parameters(t));
	add_careless(e, value, "name");
	g_object_unref(t);
}

static void
read_disposition(struct entity *e, const char *value)
{
	GMimeContentDisposition *d = g_mime_content_disposition_parse(NULL,
	    value);

	if (d != NULL) {
		if (g_mime_content_disposition_is_attachment(d))
			e->attachment = true;
		add_names(e, g_mime_content_disposition_get_parameters(d));
		g_object_unref(d);
	}
	add_careless(e, value, "filename");
}

static struct entity *
blank(void)
{
	struct entity *e = g_new0(struct entity, 1);

	e->names = g_ptr_array_new_with_free_func(g_free);
	return e;
}

struct entity *
entity_new(const struct head *h, const char *dflt)
{
	struct entity *e = blank();
	unsigned i;

	e->over = h->over;
	/* The disposition's name is what most programs show. */
	for (i = 0; i < h->disposition->len; i++)
		read_disposition(e, h->disposition->pdata[i]);
	for (i = 0; i < h->type->len; i++)
		read_type(e, h->type->pdata[i], i == 0);
	if (e->type == NULL)
		e->type = g_strdup(dflt);
	if (h->encoding != NULL) {
		h->encoding[strcspn(h->encoding, " ;(")] = '\0';
		e->encoding = g_mime_content_encoding_from_string(h->encoding);
	}
	if (e->boundary != NULL && e->boundary[0] == '\0') {
		g_free(e->boundary);
		e->boundary = NULL;
	}
	if (e->names->len > 0)
		e->attachment = true;
	if (entity_is(e, "application/pgp-encrypted"))
		e->enveloped = true;
	return e;
}

struct entity *
entity_of_file(const char *name)
{
	struct entity *e = blank();

	e->type = g_strdup("");
	e->encoding = GMIME_CONTENT_ENCODING_BINARY;
	e->attachment = true;
	g_ptr_array_add(e->names, g_strdup(name));
	return e;
}

void
entity_free(struct entity *e)
{
	if (e == NULL)
		return;
	g_free(e->type);
	g_free(e->boundary);
	g_free(e->charset);
	g_ptr_array_unref(e->names);
	g_free(e);
}

bool
entity_is(const struct entity *e, const char *prefix)
{
	return strncmp(e->type, prefix, strlen(prefix)) == 0;
}
