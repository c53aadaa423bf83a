/*
 * Alerts of one matter gathered: what alert sinks have in common.
 *
 * gather_came() is for the operation alert_sink/1.emit. tell() is called with
 * the first of a matter and with a summary on each later occasion, never more
 * often; it copies what it needs. Matters are told apart by class and key, 500
 * at once; what is beyond is one matter together. That an
 * episode is resolved is told at once, and the matter begins anew. An instance
 * that follows another of its name at a reload goes on with what was gathered.
 */
#ifndef COMMON_GATHER_H
#define COMMON_GATHER_H

#include <postern/alert_sink.h>

#define GATHER_MAX 500

struct gather;

/* An alert, or the last of `times` that were gathered (0: it is the first). */
typedef void gather_tell(struct pst_event *ev,
    const struct pst_alert_record *r, uint64_t times);

/* One for each instance; NULL: no memory. The scope of the instance ends it. */
struct gather *gather_new(struct pst_event *ev, gather_tell *tell,
    int64_t first, int64_t most);
void gather_came(struct pst_event *ev, struct gather *g,
    const struct pst_alert_record *r);

#endif
