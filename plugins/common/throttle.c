#include "throttle.h"

static void
advance(struct throttle *th, int64_t now, int64_t first, int64_t most)
{
	while (th->start + th->t <= now)
		th->t = throttle_next(th->t, first, most);
}

static bool
is_over(const struct throttle *th, int64_t now, int64_t most)
{
	int64_t quiet = most > 0 ? most : th->t;

	return th->gathered == 0 && now - (th->start + th->t) >= quiet;
}

int64_t
throttle_next(int64_t t, int64_t first, int64_t most)
{
	int64_t next = t > INT64_MAX / 4 ? INT64_MAX / 2 : 2 * t + first;

	if (most > 0 && next > (t / most + 1) * most)
		next = (t / most + 1) * most;
	return next;
}

bool
throttle_came(struct throttle *th, int64_t now, int64_t first, int64_t most)
{
	if (first <= 0)
		return true;
	if (!th->begun || is_over(th, now, most)) {
		*th = (struct throttle){ .start = now, .begun = true };
		th->t = throttle_next(0, first, most);
		return true;
	}
	if (th->gathered == 0 && th->start + th->t <= now) {
		advance(th, now, first, most);
		return true;
	}
	th->gathered++;
	return false;
}

int64_t
throttle_wait(const struct throttle *th, int64_t now, int64_t most)
{
	int64_t left = th->start + th->t - now;

	if (!th->begun || is_over(th, now, most))
		return -1;
	if (left > 0)
		return left;
	/* Nothing to tell: look again when it may be over. */
	if (th->gathered == 0)
		return left + (most > 0 ? most : th->t);
	return 0;
}

uint64_t
throttle_due(struct throttle *th, int64_t now, int64_t first, int64_t most)
{
	uint64_t n = th->gathered;

	if (n == 0 || th->start + th->t > now)
		return 0;
	th->gathered = 0;
	advance(th, now, first, most);
	return n;
}
