#include "base/rand.h"
#include "queue/queue_priv.h"

/*
 * Retries double their distance from first_retry to max_retry. After
 * max_retries of them, or when the next would lie beyond the lifetime, the
 * message bounces: at once in the first case, just before that attempt in the
 * second (requirements.md 4.6).
 */
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
