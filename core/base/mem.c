#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

static void *
checked(void *p, size_t n)
{
	if (p == NULL)
		fatal("out of memory (%zu bytes)", n);
	return p;
}

void *
mem_alloc(size_t n)
{
	return checked(malloc(n > 0 ? n : 1), n);
}

void *
mem_zalloc(size_t n)
{
	return checked(calloc(1, n > 0 ? n : 1), n);
}

void *
mem_array(size_t count, size_t n)
{
	size_t all;

	if (__builtin_mul_overflow(count, n, &all))
		panic("array of %zu times %zu bytes", count, n);
	return mem_zalloc(all);
}

void *
mem_realloc(void *p, size_t n)
{
	return checked(realloc(p, n > 0 ? n : 1), n);
}

void *
mem_dup(const void *p, size_t n)
{
	void *copy = mem_alloc(n);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}

char *
mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

char *
mem_strndup(const char *s, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (n > 0)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

void
mem_free(void *p)
{
	free(p);
}
