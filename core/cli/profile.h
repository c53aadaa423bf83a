/*
 * `postern profile`: the two TLS levels of the house, that of its server and
 * that of its client, and the strict profile, which demands TLS on both sides
 * and takes mail from sources that are listed only.
 *
 *   cli_profile     the commands
 *   profile_check   what the strict profile presumes, and whether it is so
 *   profile_certs   so, of certificates and roots
 *   profile_strict  what levels and profile set
 *   profile_undo    how the profile is taken back
 *
 * Nothing of it is a state of its own: the profile is in force if its group of
 * strangers is there, and what was before is in the newest revision without.
 */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include <jansson.h>

#include "cli/confedit.h"
#include "tls/tlswant.h"

/* The mail flow policies and sender groups that the profile makes. */
#define PROFILE_REJECT "STRICT-REJECT"
#define PROFILE_RELAY "STRICT-RELAY"
#define PROFILE_TRUSTED "STRICT-TRUSTED"
#define PROFILE_STRANGERS "STRICT-STRANGERS"

struct profile;
struct profile_old;

/* Sees to it that a setting has that value; "" for none. */
typedef int profile_put_fn(struct profile *p, const char *kind,
    const char *name, const char *key, const char *value, struct err *why);

struct profile {
	struct confedit *ce;
	const struct conf *conf; /* as it is with uncommitted changes */
	struct pool *pool;	 /* lives longer than ce */
	bool node;		 /* what is new is for this node */
	profile_put_fn *put;
	const struct profile_old *old; /* in profile_undo.c */
	bool unverified;	 /* what is raised was so with --no-verify
				  * before, and lost what verifies */
	json_t *changes;	 /* what is set, as sentences */
};

/* By enum smtpd_tls, as a listener has it. */
extern const char *const profile_words[];

/* Adds to a list {what, ok, where, text, remedy ("apply" or "you")}. */
void profile_check(struct profile *p, enum tlswant_level least, json_t *list);
void profile_check_certs(struct profile *p, enum tlswant_level least,
    json_t *list);
/* Is there nothing that --apply would set? */
bool profile_holds(struct profile *p, enum tlswant_level least);
void profile_add(json_t *list, bool ok, const char *what, const char *where,
    const char *text, bool mends);

/* Levels of the house. What demands more of some keeps it, and each that is
 * set is told in changes. */
int profile_server(struct profile *p, enum smtpd_tls level, struct err *why);
int profile_client(struct profile *p, enum tlswant_level level,
    struct err *why);
/* No listener, policy, destination or route below. */
int profile_raise(struct profile *p, enum tlswant_level least,
    struct err *why);

int profile_apply(struct profile *p, enum tlswant_level least,
    struct err *why);
/* -1 as well if the profile is not in force. */
int profile_off(struct profile *p, struct err *why);
/* Was it applied? Whether it holds is another question. */
bool profile_on(struct profile *p);

/* Is anybody let in at that listener whom no group lists? Groups from *end_r on
 * are asked for nobody. */
bool profile_open(const struct conf *c, const struct conf_listener *l,
    unsigned *end_r);
/* Does the group let in all of IPv4 or IPv6, or so much of it that it lists
 * nobody? Then it leaves the listener. */
bool profile_lets_all(const struct conf *c, const struct conf_group *g);
bool profile_is_own(const struct conf_group *g);

/* What an object of the store says of a key, as it is written and as a person
 * says it; NULL: nothing. */
const char *profile_text(struct profile *p, const struct conf_object *o,
    const char *key);
const char *profile_spoken(struct profile *p, const struct conf_object *o,
    const char *key);
/* Has it that value? */
bool profile_is(struct profile *p, const struct conf_object *o,
    const char *key, const char *value);
/* As it is written in the store, else in the boot file; NULL: nowhere. */
const char *profile_now(struct profile *p, const char *kind,
    const char *name, const char *key);
/* Tells of a change that was made; before: as above. */
void profile_tell(struct profile *p, const char *kind, const char *name,
    const char *key, const char *before);
/* One name more. */
const char *profile_joined(struct profile *p, const char *list,
    const char *more);
/* Sets it, in the scope that the object has; a profile_put_fn. */
profile_put_fn profile_set;

#endif
