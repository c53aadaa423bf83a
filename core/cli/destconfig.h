/*
 * `postern destconfig`: the table of destinations, which is the destination
 * blocks of the configuration and, as its default entry, what delivery { } says
 * of the same. Changes are those of the configuration store (cli/confedit.h),
 * in force when they are committed.
 */
#ifndef CLI_DESTCONFIG_H
#define CLI_DESTCONFIG_H

#include "cli/confedit.h"
#include "cli/menu.h"
#include "relay/relay.h"

struct destconfig {
	struct confedit *ce;
	struct pool *pool; /* for as long as it runs */
	bool json;
	bool compat;	   /* TLS as On and Off */
};

#define DESTCONFIG_DEFAULT "DEFAULT" /* the entry of delivery { } */

/* As it would be in force; NULL: it is broken. */
const struct conf *destconfig_conf(struct destconfig *dc, struct err *why);
/* By name; n of them. */
const struct conf_destination *const *destconfig_sorted(struct destconfig *dc,
    const struct conf *c, unsigned *n_r);
/* A setting as a person writes it, of the store or else of the boot file;
 * NULL: it has none. */
const char *destconfig_now(struct destconfig *dc, const char *kind,
    const char *name, const char *key);
/* The limits that count for a domain as things are, those that it inherits
 * included; name "": those of the default entry. */
void destconfig_rules(struct destconfig *dc, const char *name,
    struct relay_rules *r_r);
/* Is there such an entry, in either? The name is folded. */
bool destconfig_has(struct destconfig *dc, const char *name);
/* "required-verify-hosted": the level of a want as people know it. */
const char *destconfig_level(const struct tlswant *w);

int destconfig_list(struct destconfig *dc, struct err *why);
/* name NULL: all of them. */
int destconfig_detail(struct destconfig *dc, const char *name,
    struct err *why);
/* Changes that are kept when they are saved. */
int destconfig_delete(struct destconfig *dc, const char *name,
    struct err *why);
int destconfig_clear(struct destconfig *dc, struct err *why);
/* Tells on standard error which entries of the boot file are still there when
 * all of the store were removed or became others. */
void destconfig_stays(struct destconfig *dc);
/* file "-": standard output. */
int destconfig_export(struct destconfig *dc, const char *file,
    struct err *why);
int destconfig_import(struct destconfig *dc, const char *file,
    struct err *why);
/* destconfig_ini.c */
void destconfig_write(struct destconfig *dc, const struct conf *c,
    struct buf *dst);
/*
 * How a file is taken, where it is not that the whole table becomes that of the
 * file and a word that cannot be carried out is an error.
 */
struct destconfig_taking {
	bool merge; /* what the file does not name stays */
	/* A setting that will be, in our words, and what it was or NULL. */
	void (*took)(void *arg, int line, const char *section,
	    const char *key, const char *value, const char *was);
	/* A line that is left out. */
	void (*left)(void *arg, int line, const char *section,
	    const char *word, const char *reason);
	void *arg;
};

/* "FILE:LINE: …". how NULL: the table becomes that of the text. */
int destconfig_read(struct destconfig *dc, const char *file, struct str text,
    const struct destconfig_taking *how, struct err *why);
/* destconfig_setup.c: its operation SETUP. */
enum menu_step destconfig_setup(struct destconfig *dc, struct err *why);
/* Is there such a certificate, in the store or a plugin's? */
int destconfig_certificate(struct destconfig *dc, const char *name,
    struct err *why);
/* destconfig_menu.c: the dialogue; exit status. */
int destconfig_menu(struct destconfig *dc);

#endif
