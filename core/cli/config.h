/*
 * `postern config`: what the commands have in common. A function that shows
 * something does so on standard output, as JSON if asked.
 */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include <jansson.h>

#include "cli/confedit.h"

/* A revision as a person names it: a number, "head" or "draft". */
enum config_which { CONFIG_DRAFT, CONFIG_NUMBER };

struct config_rev {
	enum config_which which;
	uint64_t n;
};

int config_rev(struct confedit *ce, const char *text, struct config_rev *rev_r,
    struct err *why);
int config_status(struct confedit *ce, bool json, struct err *why);
int config_show(struct confedit *ce, struct config_rev rev, bool json,
    struct err *why);
int config_get(struct confedit *ce, const char *kind, const char *name,
    bool json, struct err *why);
int config_diff(struct confedit *ce, struct config_rev a, struct config_rev b,
    bool json, struct err *why);
/* At most n of them, 0: all. */
int config_log(struct confedit *ce, uint64_t n, bool json, struct err *why);
/* Of revisions, all but the newest and what is in force are dropped. */
int config_prune(struct confedit *ce, uint64_t keep, uint64_t *n_r,
    struct err *why);
/* config_file.c: the whole as one text. */
int config_save(struct confedit *ce, const char *file, const char *pass_file,
    bool json, struct err *why);
int config_load(struct confedit *ce, const char *file, const char *pass_file,
    struct err *why);
int config_edit(struct confedit *ce, bool *changed_r, struct err *why);
/* A text for a file, or for standard output (NULL, "-"); as JSON it says which
 * file, or has the text. secret: nobody else may read it. */
int config_export(const char *file, struct str text, bool secret, bool json,
    struct err *why);
void config_print(json_t *o); /* steals o */
/* A listing is one array with a row on each line, in which nothing can be
 * found before config_rows_end(). Steals the row; *n is 0 at first. */
void config_row(unsigned *n, json_t *row);
void config_rows_end(unsigned n);
/* Of text from anywhere, which need not be UTF-8. */
json_t *config_text(struct str s);
/* Of an object: what it sets, each with its own type. */
json_t *config_settings(const struct conf_item *items);
/* How many changes wait for a commit: {"uncommitted": N}, or the hint. */
void config_hint(const struct confedit *ce, bool json);

#endif
