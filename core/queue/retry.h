/*
 * When mail is tried again, when it is given up, and what is said then
 * (requirements.md 4.6). The queue acts by it, `postern explain` shows it.
 *
 * Retries double their distance from first_retry to max_retry. After
 * max_retries of them, or when the next would lie beyond the lifetime, the
 * message bounces: at once in the first case, just before that attempt in the
 * second. Mail that TLS kept from being delivered has a time of its own.
 */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H

#include "queue/queue.h"

msec retry_delay(const struct queue_profile *p, unsigned attempts);
bool retry_ends(const struct queue_profile *p, unsigned attempts, msec queued,
    msec now);
bool retry_expired(const struct queue_profile *p, msec queued, msec now);
/* Is one more warning due, after so many, the last of them then? Clocks that
 * went back make it due no sooner than the message's age says. */
bool retry_warns(const struct queue_profile *p, unsigned warned, msec last,
    msec queued, msec now);
/* The age at which it is given up; tls: why it failed last, if it was TLS. */
msec retry_end(const struct queue_profile *p, const struct queue_want *w,
    enum tls_reason tls);
/* The enhanced status of the report then: 5.7.4 of a 4.7.4, else 5.4.7. */
void retry_status(enum tls_reason tls, char *dst, size_t n);
/* Do reports about mail under that level travel under it as well? Who cannot
 * is held for the administrator, not sent with less. */
bool retry_report_bound(enum tlswant_level level);

#endif
