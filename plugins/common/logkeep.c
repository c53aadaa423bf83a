#include "logkeep.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ALERT_PAUSE 600000
#define ROOM (sizeof(struct logkeep) + LOGKEEP_MAX)

static const struct {
	const char *word, *option;
} levels[] = {
	[PST_LOG_CRITICAL] = { "Critical", "critical" },
	[PST_LOG_WARNING] = { "Warning", "warning" },
	[PST_LOG_INFO] = { "Info", "info" },
	[PST_LOG_DEBUG] = { "Debug", "debug" },
	[PST_LOG_TRACE] = { "Trace", "trace" },
};

/* Only what is used of it is there. */
struct logkeep *
logkeep_new(void)
{
	void *p = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, ROOM, MADV_WIPEONFORK);
	return p;
}

void
logkeep_end(struct logkeep *k)
{
	if (k != NULL)
		(void)munmap(k, ROOM);
}

void
logkeep_begin(struct logkeep *k)
{
	k->line = k->n;
	k->full = false;
}

void
logkeep_add(struct logkeep *k, const char *p, size_t n)
{
	if (k->full || n > LOGKEEP_MAX - k->n) {
		k->full = true;
		return;
	}
	if (n > LOGKEEP_MAX - k->n - k->at) {
		memmove(k->p, k->p + k->at, k->n);
		k->at = 0;
	}
	if (n > 0)
		memcpy(k->p + k->at + k->n, p, n);
	k->n += n;
}

void
logkeep_add_c(struct logkeep *k, const char *s)
{
	logkeep_add(k, s, strlen(s));
}

bool
logkeep_line(struct logkeep *k)
{
	logkeep_add(k, "\n", 1);
	if (!k->full)
		return true;
	k->n = k->line;
	k->lost++;
	return false;
}

void
logkeep_used(struct logkeep *k, size_t n)
{
	size_t most = k->at + k->n;
	char *page = (char *)k + 4096;

	k->at += n;
	k->n -= n;
	if (k->n > 0)
		return;
	k->at = 0;
	if (most > LOGKEEP_MAX / 8)
		(void)madvise(page, ROOM - 4096, MADV_DONTNEED);
}

void
logkeep_fails(const struct logkeep *k, struct logkeep_trouble *t,
    struct pst_event *ev, const char *name, int error)
{
	int64_t now = pst_now(ev);
	char key[200];

	if (t->is)
		return;
	t->is = true;
	logkeep_say(k->p + k->at, k->n);
	pst_log(ev, PST_WARNING, "log %s: %s; trying again", name,
	    strerror(error));
	if (t->alerted != 0 && now >= t->alerted &&
	    now - t->alerted < ALERT_PAUSE)
		return;
	t->alerted = now;
	(void)snprintf(key, sizeof(key), "log:%s", name);
	pst_alert(ev, PST_ERROR, key, "the log %s cannot be written: %s; its "
	    "lines go to standard error", name, strerror(error));
}

void
logkeep_works(struct logkeep_trouble *t, struct pst_event *ev,
    const char *name)
{
	if (t->is)
		pst_log(ev, PST_INFO, "log %s: it can be written again", name);
	t->is = false;
}

void
logkeep_say(const char *p, size_t n)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t line;

	for (; n > 0; p += line, n -= line) {
		line = logkeep_first(p, n);
		if (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0 ||
		    write(STDERR_FILENO, p, line) < 0)
			return;
	}
}

size_t
logkeep_first(const char *p, size_t n)
{
	const char *end = memchr(p, '\n', n);

	return end != NULL ? (size_t)(end - p) + 1 : n;
}

void
logkeep_lost(const struct logkeep *k, int64_t wall,
    struct pst_log_record *record_r, struct pst_field *field_r, char *text,
    size_t room)
{
	int n = snprintf(text, room, "Log: %" PRIu64 " lines were lost while "
	    "this log could not be written", k->lost);

	*field_r = (struct pst_field){ .name = "lines",
		.type = PST_F_NUMBER, .number = (int64_t)k->lost };
	*record_r = (struct pst_log_record){ .size = sizeof(*record_r),
		.level = PST_LOG_WARNING, .wall = wall, .event = "log_lost",
		.text = { text, (size_t)n }, .count = 1, .field = field_r };
}

enum pst_log_level
logkeep_level(const char *word)
{
	unsigned i;

	for (i = 0; i < PST_LOG_TRACE; i++) {
		if (strcmp(word, levels[i].option) == 0)
			break;
	}
	return (enum pst_log_level)i;
}

const char *
logkeep_word(enum pst_log_level level)
{
	return levels[level <= PST_LOG_TRACE ? level : PST_LOG_TRACE].word;
}

/* What is outside of the years of RFC 5322 is shown as 1970. */
void
logkeep_time(struct tm *tm, int64_t wall, bool utc)
{
	time_t t = (time_t)(wall / 1000 - (wall % 1000 < 0));
	struct tm *ok = utc ? gmtime_r(&t, tm) : localtime_r(&t, tm);

	if (ok != NULL && tm->tm_year >= -1000 && tm->tm_year <= 8099)
		return;
	t = 0;
	(void)gmtime_r(&t, tm);
}

void
logkeep_stamp(struct logkeep_stamp *s, int64_t wall)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	if (s->n > 0 && wall / 1000 == s->second)
		return;
	logkeep_time(&tm, wall, false);
	s->n = (size_t)snprintf(s->text, sizeof(s->text),
	    "%s %s %2d %02d:%02d:%02d %d", days[tm.tm_wday],
	    months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    tm.tm_year + 1900);
	s->second = wall / 1000;
}
