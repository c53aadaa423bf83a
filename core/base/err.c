#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static void put_text(struct err *e, const char *text);

int
err_set(struct err *e, int code, const char *enh, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->code = code;
	(void)str_copy(e->enh, sizeof(e->enh), str_c(enh));
	put_text(e, text);
	return -1;
}

int
err_text(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	e->code = 0;
	e->enh[0] = '\0';
	put_text(e, text);
	return -1;
}

int
err_errno(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)], full[sizeof(e->text) + 128];
	int number = errno;
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* A const table in glibc: no locale and safe in threads. */
	(void)snprintf(full, sizeof(full), "%s: %s", text,
	    strerrordesc_np(number) != NULL ? strerrordesc_np(number) :
					      "unknown error");
	e->code = 451;
	(void)str_copy(e->enh, sizeof(e->enh), STR("4.3.0"));
	put_text(e, full);
	errno = number;
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char text[sizeof(e->text)], full[2 * sizeof(e->text)];
	va_list ap;

	if (e == NULL)
		return -1;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(full, sizeof(full), "%s%s", text, e->text);
	put_text(e, full);
	return -1;
}

void
err_clear(struct err *e)
{
	e->code = 0;
	e->enh[0] = e->text[0] = '\0';
}

/* The text becomes a reply and a log line: one line of printable ASCII. */
static void
put_text(struct err *e, const char *text)
{
	size_t i;

	(void)str_copy(e->text, sizeof(e->text), str_c(text));
	for (i = 0; e->text[i] != '\0'; i++) {
		if (!ch_print(e->text[i]))
			e->text[i] = '?';
	}
}
