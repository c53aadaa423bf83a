/*
 * Questions to a person: lines from standard input, secrets without echo.
 */
#ifndef CLI_PROMPT_H
#define CLI_PROMPT_H

#include <stdbool.h>

#include "base/pool.h"

/* The columns of the terminal that standard output is: those that COLUMNS
 * says, else its own. 0: it is none, or does not know. */
unsigned prompt_width(void);
/* Text that is broken between words where the screen ends; lines that follow
 * are indented. Without a terminal it is as it is. */
void prompt_text(const char *text, unsigned indent);

/* "text [def]> "; the answer, def for an empty line, NULL at the end of the
 * input. def may be "" . */
const char *prompt_line(struct pool *pool, const char *text, const char *def);
/* The next line of a text, without a question; NULL at the end of the input. */
const char *prompt_next(struct pool *pool);
/* Yes or no, until it is one; end_r: the input ended, and it is def. */
bool prompt_yes(struct pool *pool, const char *text, bool def, bool *end_r);
/* So, on one line: "text [Y]> ". */
bool prompt_yes_here(struct pool *pool, const char *text, bool def,
    bool *end_r);
/* A number of a list, 1 to n; 0 at the end of the input. */
unsigned prompt_number(struct pool *pool, const char *text, unsigned n,
    unsigned def);
/* From the terminal and without echo; if there is none, a line of standard
 * input. NULL: none came. */
const char *prompt_secret(struct pool *pool, const char *text);

#endif
