/*
 * `postern import`: tables of other programs as changes of the configuration
 * store. A format reads its file, puts what it understands, and tells what it
 * does not; all is kept at the end, or nothing.
 */
#ifndef CLI_IMPORT_H
#define CLI_IMPORT_H

#include <jansson.h>

#include "cli/destconfig.h"

struct import {
	struct destconfig dc;
	struct pool *pool;  /* that of dc */
	const char *file;   /* as errors name it */
	struct str text;
	const char *kind;   /* what the table is: replaced as a whole */
	bool replace;
	json_t *rows, *left; /* see the manual page */
	json_t *gone;	    /* names that the table took away */
	json_t *had;	    /* and those that it must not */
};

struct import_format {
	const char *name, *kind, *help;
	int (*run)(struct import *im, struct err *why);
};

/* FILE:LINE: in front of what is told; -1. */
int import_refuse(const struct import *im, int line, struct err *why);
/* What the line, about word, comes to: a row of the report. */
json_t *import_row(struct import *im, int line, const char *word,
    const char *kind, const char *name);
/* Sets it, and says so in the row. */
int import_put(struct import *im, json_t *row, const char *key,
    const char *value, struct err *why);
/* The row is more than what is asked for. */
void import_stronger(json_t *row, const char *reason);
struct import_left {
	int line;
	const char *word, *reason, *instead;
	const char *name; /* what is told of is that domain's; "": nobody's */
};
/* Not mapped. Where it counts, what the domain has now is told at the end. */
void import_left(struct import *im, const struct import_left *l);
/* A route that a domain would go by, by exact name, .parent or "*"; NULL: by
 * MX. */
const char *import_route(struct import *im, const char *domain);
/* Its hosts, with commas between. */
const char *import_hosts(struct import *im, const char *route);

int import_cisco(struct import *im, struct err *why);
int import_postfix_tls(struct import *im, struct err *why);
int import_postfix_transport(struct import *im, struct err *why);
int import_ksmg(struct import *im, struct err *why);

#endif
