#include "queue/retry.h"

#include <stdio.h>

#include "base/rand.h"

msec
retry_delay(const struct queue_profile *p, unsigned attempts)
{
	msec delay = p->first_retry < 1 ? 1 : p->first_retry;
	int64_t most;

	for (; attempts > 1 && delay < p->max_retry; attempts--)
		delay *= 2;
	if (delay > p->max_retry && p->max_retry > 0)
		delay = p->max_retry;
	if (p->jitter > 0) {
		most = delay * (p->jitter < 100 ? p->jitter : 100) / 100;
		if (most > INT32_MAX / 2)
			most = INT32_MAX / 2;
		delay += (msec)rand_below((uint32_t)(2 * most + 1)) - most;
	}
	return delay < 1 ? 1 : delay;
}

bool
retry_ends(const struct queue_profile *p, unsigned attempts, msec queued,
    msec now)
{
	return attempts > p->max_retries || retry_expired(p, queued, now);
}

bool
retry_expired(const struct queue_profile *p, msec queued, msec now)
{
	return now - queued >= p->lifetime;
}

bool
retry_warns(const struct queue_profile *p, unsigned warned, msec last,
    msec queued, msec now)
{
	if (!p->warn || warned >= p->warn_count)
		return false;
	return now - queued >= p->warn_after &&
	    (warned == 0 || now - last >= p->warn_interval);
}

msec
retry_end(const struct queue_profile *p, const struct queue_want *w,
    enum tls_reason tls)
{
	if (tls != TLSR_NONE && w->deadline > 0 && w->deadline < p->lifetime)
		return w->deadline;
	return p->lifetime;
}

void
retry_status(enum tls_reason tls, char *dst, size_t n)
{
	if (tls == TLSR_NONE)
		(void)snprintf(dst, n, "5.4.7");
	else
		(void)snprintf(dst, n, "5%s", tls_reason_status(tls) + 1);
}

bool
retry_report_bound(enum tlswant_level level)
{
	return level >= TLSWANT_REQUIRED;
}
