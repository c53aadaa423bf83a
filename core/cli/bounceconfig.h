/*
 * `postern bounceconfig`: the bounce profiles, which are the bounce_profile
 * blocks of the configuration and the profile "default", that is always there.
 * Changes are those of the configuration store (cli/confedit.h), in force when
 * they are committed.
 *
 * Settings have the names they have on Cisco ESA, where there are such; those
 * of the configuration are taken as well.
 */
#ifndef CLI_BOUNCECONFIG_H
#define CLI_BOUNCECONFIG_H

#include "cli/confedit.h"

struct bounceconfig {
	struct confedit *ce;
	struct pool *pool; /* for as long as it runs */
	bool json;
};

#define BOUNCECONFIG_DEFAULT "default"

/* DSN is yes or no, where the configuration has a word for each. */
enum bounceconfig_type { BC_NUMBER, BC_SECONDS, BC_YES, BC_DSN, BC_TEXT };

struct bounceconfig_field {
	const char *name; /* as people know it */
	const char *key;  /* in the configuration */
	enum bounceconfig_type type;
	const char *question; /* NULL: it is not asked */
};

/* The last one has no name. */
extern const struct bounceconfig_field bounceconfig_fields[];

/* As it would be in force; NULL: it is broken. */
const struct conf *bounceconfig_conf(struct bounceconfig *bc,
    struct err *why);
/* Is there such a profile? "default" always. */
bool bounceconfig_has(struct bounceconfig *bc, const char *name);
/* What a setting is, or by default would be: seconds and numbers as such, "yes"
 * or "no", a text that may be empty. */
const char *bounceconfig_value(struct bounceconfig *bc, const char *name,
    const struct bounceconfig_field *f);
/* bounceconfig_use.c: `destination "example.com"` and the like, NULL behind
 * the last. */
const char *const *bounceconfig_users(struct pool *pool, const char *name,
    const struct conf *c);
/* The first ones of them, as text; "": there are none. */
const char *bounceconfig_users_text(struct pool *pool,
    const char *const *users);

int bounceconfig_list(struct bounceconfig *bc, struct err *why);
/* name NULL: all of them. */
int bounceconfig_detail(struct bounceconfig *bc, const char *name,
    struct err *why);
/* Changes that are kept when they are saved. value "": by default. */
int bounceconfig_set(struct bounceconfig *bc, const char *name,
    const char *key, const char *value, struct err *why);
int bounceconfig_new(struct bounceconfig *bc, const char *name,
    struct err *why);
/* Refused while something uses it. */
int bounceconfig_delete(struct bounceconfig *bc, const char *name,
    struct err *why);
/* bounceconfig_menu.c: the dialogue; exit status. */
int bounceconfig_menu(struct bounceconfig *bc);

#endif
