/*
 * `postern profile`: the two TLS levels of the house, that of its server and
 * that of its client, and the strict profile, which demands TLS on both sides
 * and takes mail from sources that are listed only.
 *
 *   cli_profile     the commands
 *   profile_check   what the strict profile presumes, and whether it is so
 *   profile_strict  what it sets, and how that is taken back
 */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <jansson.h>

#include "cli/confedit.h"

/* The mail flow policies and sender groups that the profile makes. */
#define PROFILE_REJECT "STRICT-REJECT"
#define PROFILE_RELAY "STRICT-RELAY"
#define PROFILE_TRUSTED "STRICT-TRUSTED"
#define PROFILE_STRANGERS "STRICT-STRANGERS"

struct profile {
	struct confedit *ce;
	const struct conf *conf; /* as it is with uncommitted changes */
	struct pool *pool;
	json_t *changes;	 /* what is set, as sentences */
};

/* A list of {what, ok, where, text, remedy ("apply" or "you")}. */
json_t *profile_check(struct profile *p);
/* Is there one that is not so, and that the profile does not mend? */
bool profile_unmet(const json_t *checks);

/* Sets one thing; it is told in changes if it is another then. */
int profile_set(struct profile *p, const char *kind, const char *name,
    const char *key, const char *value, struct err *why);
/* Levels: the place of a word in profile_words. */
int profile_server(struct profile *p, int level, struct err *why);
int profile_client(struct profile *p, const char *want, struct err *why);

int profile_apply(struct profile *p, struct err *why);

/* A group whose policy lets mail in. */
bool profile_lets_in(const struct conf *c, const struct conf_group *g);
bool profile_is_all(const struct conf_group *g);

#endif
