/*
 * The last alerts of the node and the episodes of required TLS, in the file
 * SPOOL/alerts: written by the master, read by the command line whether the
 * relay runs or not.
 *
 * {"alerts": [...], "episodes": [...]}, the oldest first,
 * ALERTBOOK_KEPT alerts at most. Of the updates of an episode the last is
 * kept. The file is replaced as a whole and on the disk when alertbook_save()
 * returns. The directory belongs to the workers' user: a file that is not ours
 * or root's, that others may write to, or that is a link, is not read.
 */
#ifndef DAEMON_ALERTBOOK_H
#define DAEMON_ALERTBOOK_H

#include <jansson.h>

#include "base/err.h"

#define ALERTBOOK_KEPT 500

struct alertbook;

struct alertbook *alertbook_new(const char *spool);
void alertbook_destroy(struct alertbook **bp);
/* What is there already; none is fine. The episodes, or NULL; they are the
 * caller's. */
int alertbook_load(struct alertbook *b, json_t **episodes_r, struct err *why);
/* An alert as workers pass it on, with "told" if it is for the sinks. */
void alertbook_add(struct alertbook *b, const json_t *alert, int told);
/* Has an alert come since it was saved? */
int alertbook_changed(const struct alertbook *b);
/* Steals episodes. */
int alertbook_save(struct alertbook *b, json_t *episodes, struct err *why);

/* For the command line: the whole, an empty one if there is no file; NULL:
 * why. */
json_t *alertbook_read(const char *spool, struct err *why);

#endif
