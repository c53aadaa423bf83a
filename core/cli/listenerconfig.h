/*
 * `postern listenerconfig`: listeners, their host access tables (sender groups
 * and mail flow policies) and the recipient access table. Changes are those of
 * the configuration store (cli/confedit.h), in force when they are committed.
 */
#ifndef CLI_LISTENERCONFIG_H
#define CLI_LISTENERCONFIG_H

#include "cli/confedit.h"

struct listenerconfig {
	struct confedit *ce;
	struct pool *pool; /* for as long as it runs */
	bool json;
	char **arg; /* what the operation is told */
	int n;
};

/* As it would be in force; NULL: it is broken. */
const struct conf *listenerconfig_conf(struct listenerconfig *lc,
    struct err *why);
const struct conf_listener *listenerconfig_find(struct listenerconfig *lc,
    const char *name, struct err *why);
/* The words KEY=VALUE from the i-th on are set in an object; a word without
 * "=" is an error. */
int listenerconfig_set(struct listenerconfig *lc, int i, const char *kind,
    const char *name, struct err *why);
/* Has boot file or store something of it? */
bool listenerconfig_known(struct listenerconfig *lc, const char *kind,
    const char *name);

/* listenerconfig_new.c */
int listener_list(struct listenerconfig *lc, struct err *why);
int listener_new(struct listenerconfig *lc, struct err *why);
int listener_reset(struct listenerconfig *lc, struct err *why);

/* listenerconfig_hat.c: arg[0] is the listener, arg[1] the group. */
int hat_print(struct listenerconfig *lc, struct err *why);
int hat_new(struct listenerconfig *lc, struct err *why);
int hat_edit(struct listenerconfig *lc, struct err *why);
int hat_delete(struct listenerconfig *lc, struct err *why);
int hat_reorder(struct listenerconfig *lc, struct err *why);
/* NULL: there is no such group. */
const struct conf_group *hat_group(const struct conf *c, const char *name);
/* Does another listener have that group? */
bool hat_used(const struct conf *c, const char *name, const char *listener);
/* What becomes of these groups happens to other listeners as well: a person is
 * told which. */
void hat_tell(struct listenerconfig *lc, const char *const *names,
    unsigned n);

/* ACCEPT and its like, by enum conf_behavior, and those of recipients; NULL is
 * behind the last. */
extern const char *const listenerconfig_words[];
extern const char *const listenerconfig_rcpt_words[];

/* listenerconfig_text.c, listenerconfig_write.c: files; arg[0] is the
 * listener, or of the recipient access table the file. */
int hat_import(struct listenerconfig *lc, struct err *why);
int rat_import(struct listenerconfig *lc, struct err *why);
int hat_export(struct listenerconfig *lc, struct err *why);
int rat_export(struct listenerconfig *lc, struct err *why);
/* May a name have it without quotes? */
bool listenerconfig_plain(char c);

#endif
