#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/die.h"

static const char day_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };
static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
	"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* Read by offload threads too; 0 in now_ms: never read yet. */
static _Atomic msec now_ms, wall_ms;
static _Atomic bool fake;

static msec read_clock(clockid_t id);
static void split(struct tm *tm, msec wall, bool utc);

msec
clock_now(void)
{
	msec now = atomic_load_explicit(&now_ms, memory_order_relaxed);

	if (now != 0)
		return now;
	clock_update();
	return atomic_load_explicit(&now_ms, memory_order_relaxed);
}

msec
clock_wall(void)
{
	if (atomic_load_explicit(&now_ms, memory_order_relaxed) == 0)
		clock_update();
	return atomic_load_explicit(&wall_ms, memory_order_relaxed);
}

void
clock_update(void)
{
	if (atomic_load_explicit(&fake, memory_order_relaxed))
		return;
	atomic_store_explicit(&wall_ms, read_clock(CLOCK_REALTIME),
	    memory_order_relaxed);
	atomic_store_explicit(&now_ms, read_clock(CLOCK_MONOTONIC) + 1,
	    memory_order_relaxed);
}

void
clock_fake(msec wall)
{
	fake = true;
	wall_ms = wall;
	now_ms = SECONDS(1000);
}

void
clock_fake_advance(msec by)
{
	ASSERT(fake && by >= 0);
	wall_ms += by;
	now_ms += by;
}

bool
clock_is_fake(void)
{
	return fake;
}

/*
 * Reading the processor's counter costs a third of clock_gettime(), and that
 * is most of what a plugin costs which does nothing.
 */
uint64_t
clock_ticks(void)
{
	if (atomic_load_explicit(&fake, memory_order_relaxed))
		return (uint64_t)clock_now() * 1000000;
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t n;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(n));
	return n;
#else
	return clock_nsec();
#endif
}

uint64_t
clock_nsec(void)
{
	struct timespec t;

	if (clock_is_fake())
		return (uint64_t)clock_now() * 1000000;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void
clock_asctime(char *dst, size_t n, msec wall)
{
	struct tm tm;

	split(&tm, wall, false);
	(void)snprintf(dst, n, "%s %s %2d %02d:%02d:%02d %d",
	    day_names[tm.tm_wday], month_names[tm.tm_mon], tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
}

void
clock_rfc5322(char *dst, size_t n, msec wall)
{
	struct tm tm;
	long off;

	split(&tm, wall, false);
	off = tm.tm_gmtoff / 60;
	(void)snprintf(dst, n, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld",
	    day_names[tm.tm_wday], tm.tm_mday, month_names[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    off < 0 ? '-' : '+', (off < 0 ? -off : off) / 60,
	    (off < 0 ? -off : off) % 60);
}

void
clock_rfc3339(char *dst, size_t n, msec wall)
{
	struct tm tm;
	int ms = (int)((wall % 1000 + 1000) % 1000);

	split(&tm, wall, true);
	(void)snprintf(dst, n, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, ms);
}

long
clock_utc_offset(msec wall)
{
	struct tm tm;

	split(&tm, wall, false);
	return tm.tm_gmtoff;
}

static msec
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) != 0)
		panic("clock_gettime(%d)", (int)id);
	return (msec)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The years of RFC 5322 have four digits; what is outside is shown as 1970. */
static void
split(struct tm *tm, msec wall, bool utc)
{
	time_t t = (time_t)(wall / 1000 - (wall % 1000 < 0));
	struct tm *ok;

	ok = utc ? gmtime_r(&t, tm) : localtime_r(&t, tm);
	if (ok == NULL || tm->tm_year < -1000 || tm->tm_year > 8099) {
		t = 0;
		(void)gmtime_r(&t, tm);
	}
}
