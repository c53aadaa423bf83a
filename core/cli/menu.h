/*
 * The menu of a dialogue: words with what they do, one of which is typed.
 *
 * A word may be typed in any case, and cut where no other begins so. An empty
 * answer leaves the menu, the end of the input (Ctrl-D) the whole dialogue.
 * Ctrl-C ends the program like any other, which a shell sees as 130: a
 * dialogue asks outside of transactions and saves an operation as one, so
 * what was being answered is not done, and what was done before stays.
 */
#ifndef CLI_MENU_H
#define CLI_MENU_H

#include <stddef.h>

#include "base/err.h"
#include "base/pool.h"

struct menu_word {
	const char *word, *help;
};

#define MENU_LEFT (-1)
#define MENU_ENDED (-2)

/* What becomes of an operation: a dialogue goes on unless the input ended. */
enum menu_step { MENU_OK, MENU_FAILED, MENU_END };

/* Shows the menu until an answer is one of it: its index, MENU_LEFT or
 * MENU_ENDED. v: n structs of that size, each begins with its menu_word. */
int menu_choose(struct pool *pool, const void *v, size_t size, size_t n);

/* MENU_OK, or MENU_FAILED of -1. */
enum menu_step menu_step(int r);
/* Tells a failure, with which a dialogue goes on: MENU_OK or MENU_END. */
enum menu_step menu_told(enum menu_step s, const struct err *why);

/* The answer without blanks around it; NULL: the input ended. */
const char *menu_ask(struct pool *pool, const char *text, const char *def);

#endif
