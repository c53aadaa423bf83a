#include "exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct name {
	char text[160];
	double scale; /* of bounds and sums */
};

static void	name_of(struct name *, const struct pst_metric *);
static void	head(FILE *, const char *, const struct pst_metric *);
static void	histogram(FILE *, const struct name *,
		    const struct pst_metric *);
static void	number(char *, size_t, double);

char *
exposition(const struct pst_metrics *m, size_t *n_r)
{
	const char *last = "";
	char *text = NULL;
	FILE *f = open_memstream(&text, n_r);
	struct name name;
	uint32_t i;

	if (f == NULL)
		return NULL;
	for (i = 0; i < m->count; i++) {
		const struct pst_metric *x = &m->metric[i];

		name_of(&name, x);
		if (strcmp(x->name, last) != 0)
			head(f, name.text, x);
		last = x->name;
		if (x->kind == PST_HISTOGRAM)
			histogram(f, &name, x);
		else
			(void)fprintf(f, "%s%s%s%s %" PRId64 "\n", name.text,
			    x->labels[0] != '\0' ? "{" : "", x->labels,
			    x->labels[0] != '\0' ? "}" : "", x->value);
	}
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool
ends(const char *s, const char *end)
{
	size_t n = strlen(s), e = strlen(end);

	return n > e && strcmp(s + n - e, end) == 0;
}

static void
name_of(struct name *name, const struct pst_metric *x)
{
	const char *add = "";
	size_t n = strlen(x->name);

	name->scale = 1;
	if (x->kind == PST_COUNTER && !ends(x->name, "_total"))
		add = "_total";
	if (x->kind == PST_HISTOGRAM && ends(x->name, "_ms")) {
		n -= 3;
		add = "_seconds";
		name->scale = 0.001;
	}
	(void)snprintf(name->text, sizeof(name->text), "postern_%.*s%s",
	    (int)n, x->name, add);
}

static void
head(FILE *f, const char *name, const struct pst_metric *x)
{
	static const char *const kinds[] = { [PST_COUNTER] = "counter",
		[PST_GAUGE] = "gauge", [PST_HISTOGRAM] = "histogram" };
	const char *p;

	(void)fprintf(f, "# HELP %s ", name);
	for (p = x->help; *p != '\0'; p++) {
		if (*p == '\\' || *p == '\n')
			(void)fputs(*p == '\n' ? "\\n" : "\\\\", f);
		else
			(void)fputc(*p, f);
	}
	(void)fprintf(f, "\n# TYPE %s %s\n", name,
	    (unsigned)x->kind <= PST_HISTOGRAM ? kinds[x->kind] : "untyped");
}

static void
histogram(FILE *f, const struct name *name, const struct pst_metric *x)
{
	const char *comma = x->labels[0] != '\0' ? "," : "";
	const char *open = x->labels[0] != '\0' ? "{" : "";
	const char *close = x->labels[0] != '\0' ? "}" : "";
	char text[32];
	uint32_t i;

	for (i = 0; i < x->nbucket; i++) {
		number(text, sizeof(text), x->bucket[i].le * name->scale);
		(void)fprintf(f, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n",
		    name->text, x->labels, comma, text, x->bucket[i].count);
	}
	(void)fprintf(f, "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n",
	    name->text, x->labels, comma, x->value);
	number(text, sizeof(text), x->sum * name->scale);
	(void)fprintf(f, "%s_sum%s%s%s %s\n%s_count%s%s%s %" PRId64 "\n",
	    name->text, open, x->labels, close, text, name->text, open,
	    x->labels, close, x->value);
}

/* With a point, whatever the locale. */
static void
number(char *dst, size_t n, double v)
{
	char *p;

	(void)snprintf(dst, n, "%.10g", v);
	for (p = dst; *p != '\0'; p++) {
		if (*p == ',')
			*p = '.';
	}
}
