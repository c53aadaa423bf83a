/*
 * `postern alertconfig`: who is told of alerts and how, which is alerts { } and
 * the alert_recipient blocks of the configuration, and the switch
 * alert_required_tls of delivery { }, which `destconfig` has as well. Changes
 * are those of the configuration store (cli/confedit.h), in force when they are
 * committed.
 */
#ifndef CLI_ALERTCONFIG_H
#define CLI_ALERTCONFIG_H

#include "cli/confedit.h"

struct alertconfig {
	struct confedit *ce;
	struct pool *pool; /* for as long as it runs */
	bool json;
};

/* As it would be in force; NULL: it is broken. */
const struct conf *alertconfig_conf(struct alertconfig *ac, struct err *why);
/* "Sending alerts to: …", and how. */
void alertconfig_show(struct alertconfig *ac, const struct conf *c);
/* Does its block say so in these words? "all" is one. */
bool alertconfig_says(const struct conf_alert_recipient *r, const char *class,
    const char *severity);
int alertconfig_list(struct alertconfig *ac, struct err *why);
/* Is there such a recipient, in store or boot file? */
bool alertconfig_has(struct alertconfig *ac, const char *address);

/* Changes that are kept when they are saved. classes: "System/Warning,all",
 * "": all. fresh: it must not be there yet, else it must. */
int alertconfig_put(struct alertconfig *ac, const char *address,
    const char *classes, bool fresh, struct err *why);
int alertconfig_delete(struct alertconfig *ac, const char *address,
    struct err *why);
/* Nobody is told any more. */
int alertconfig_clear(struct alertconfig *ac, struct err *why);
/* A setting of alerts { }, or alert_required_tls; value NULL: that the boot
 * file gives it does not count either. */
int alertconfig_set(struct alertconfig *ac, const char *key,
    const char *value, struct err *why);
/* The relay sends an alert now, to one address or (NULL) to all that it has
 * in force. */
int alertconfig_test(struct alertconfig *ac, const char *to, struct err *why);
/* alertconfig_menu.c: the dialogue; exit status. */
int alertconfig_menu(struct alertconfig *ac);

#endif
