/*
 * Rows of an engine and what becomes of them. A row may hold anything (a
 * decayed disk, an administrator's SQL): what would not have been accepted is
 * refused, and the message set aside. The structs are those of store/1, which
 * every engine uses for this.
 */
#ifndef STORE_ROW_H
#define STORE_ROW_H

#include <postern/store.h>

#include "store/store_priv.h"

/* job->env and what goes with it; -1: damaged, job->aside and why say so. */
int row_message(struct store_load_job *job, const struct pst_store_message *m);
/* The next recipient, by rid; *s is in the envelope's pool. */
int row_rcpt(struct store_load_job *job, const struct pst_store_rcpt *r,
    struct store_rcpt *s);
/* Always -1. */
int row_damaged(struct store_load_job *job, const char *what);
/* One row more for who walks: an item, or a JSON object. */
void row_walked(struct store_walk *w, const struct pst_store_message *m,
    const struct pst_store_rcpt *r);

#endif
