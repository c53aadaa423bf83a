#include "cli/menu.h"

#include <stdint.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/prompt.h"

#define NONE SIZE_MAX

static size_t find(const void *, size_t, size_t, const char *);

static const struct menu_word *
at(const void *v, size_t size, size_t i)
{
	return (const void *)((const char *)v + i * size);
}

int
menu_choose(struct pool *pool, const void *v, size_t size, size_t n)
{
	const struct menu_word *w;
	const char *word;
	size_t i;

	for (;;) {
		prompt_text("\nChoose the operation you want to perform:\n", 0);
		for (i = 0; i < n; i++) {
			w = at(v, size, i);
			prompt_text(pool_printf(pool, "- %s - %s", w->word,
			    w->help), 2);
			(void)putchar('\n');
		}
		word = menu_ask(pool, "", "");
		if (word == NULL)
			return MENU_ENDED;
		if (word[0] == '\0')
			return MENU_LEFT;
		i = find(v, size, n, word);
		if (i != NONE)
			return (int)i;
	}
}

/* NONE: it is told what is wrong with it. */
static size_t
find(const void *v, size_t size, size_t n, const char *word)
{
	size_t i, found = NONE, many = 0, first = 0;

	for (i = 0; i < n; i++) {
		struct str s = str_c(at(v, size, i)->word);

		if (str_ieq_c(s, word))
			return i;
		if (str_istarts(s, word)) {
			found = i;
			many++;
		}
	}
	if (many == 1)
		return found;
	if (many == 0) {
		(void)printf("\"%s\" is none of the operations.\n", word);
		return NONE;
	}
	(void)printf("\"%s\" may be", word);
	for (i = 0; i < n; i++) {
		if (str_istarts(str_c(at(v, size, i)->word), word))
			(void)printf("%s%s", i == found ? " or " :
			    first++ == 0 ? " " : ", ", at(v, size, i)->word);
	}
	(void)printf(".\n");
	return NONE;
}

enum menu_step
menu_step(int r)
{
	return r == 0 ? MENU_OK : MENU_FAILED;
}

enum menu_step
menu_told(enum menu_step s, const struct err *why)
{
	if (s == MENU_FAILED)
		(void)printf("\nFailed: %s\n", why->text);
	return s == MENU_END ? MENU_END : MENU_OK;
}

const char *
menu_ask(struct pool *pool, const char *text, const char *def)
{
	const char *line = prompt_line(pool, text, def);

	return line != NULL ? pool_str(pool, str_trim(str_c(line))).p : NULL;
}
