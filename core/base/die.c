#include "base/die.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static die_hook *hook_fn;
static atomic_flag dying = ATOMIC_FLAG_INIT;

static void tell(const char *text);

void
die_hook_set(die_hook *hook)
{
	hook_fn = hook;
}

void
fatal(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(text);
	exit(1);
}

void
panic_at(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "panic at %s:%d: ", file, line);
	if (n < 0 || (size_t)n >= sizeof(text))
		n = 0;
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	tell(text);
	abort();
}

/* stderr first: it works whatever state the log is in. */
static void
tell(const char *text)
{
	char line[1100];
	int n;

	n = snprintf(line, sizeof(line), "postern: %s\n", text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		n = 0;
	/* A hook that dies itself must not come back here for ever. */
	if (!atomic_flag_test_and_set(&dying) && hook_fn != NULL)
		hook_fn(text);
}
