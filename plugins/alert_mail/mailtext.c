#include "mailtext.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const char *const classes[] = { PST_ALERT_CLASSES, NULL };
static const char *const severities[] = { PST_ALERT_SEVERITIES, NULL };

static bool
is_word(const char *p, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

static bool
known(const char *p, size_t n, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (is_word(p, n, *words))
			return true;
	}
	return is_word(p, n, "all");
}

static size_t
address_length(const char *item)
{
	return strcspn(item, " \t");
}

/* Takes the next "class/severity" off *p; false: there is none. */
static bool
pair(const char **p, const char **class_r, size_t *class_n,
    const char **severity_r, size_t *severity_n)
{
	const char *s = *p + strspn(*p, " \t,"), *end, *slash;

	if (*s == '\0')
		return false;
	end = s + strcspn(s, ",");
	*p = end;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	slash = memchr(s, '/', (size_t)(end - s));
	*class_r = s;
	*class_n = (size_t)((slash != NULL ? slash : end) - s);
	*severity_r = slash != NULL ? slash + 1 : "all";
	*severity_n = slash != NULL ? (size_t)(end - slash) - 1 : 3;
	return true;
}

bool
mailtext_wants(const char *item, const char *category, const char *severity,
    size_t *len_r)
{
	const char *p = item + address_length(item), *c, *s;
	bool any = false;
	size_t cn, sn;

	*len_r = (size_t)(p - item);
	while (pair(&p, &c, &cn, &s, &sn)) {
		any = true;
		if ((is_word(c, cn, category) || is_word(c, cn, "all")) &&
		    (is_word(s, sn, severity) || is_word(s, sn, "all")))
			return true;
	}
	return !any;
}

const char *
mailtext_check(const char *item)
{
	size_t n = address_length(item), cn, sn, i;
	const char *p = item + n, *c, *s;
	const char *at = memchr(item, '@', n);

	if (at == NULL || at == item || at + 1 == item + n || n > 254)
		return "to: not an address";
	for (i = 0; i < n; i++) {
		if ((unsigned char)item[i] <= 0x20 || item[i] == 0x7f ||
		    strchr("<>()[],;:\\\"", item[i]) != NULL)
			return "to: not an address";
	}
	while (pair(&p, &c, &cn, &s, &sn)) {
		if (!known(c, cn, classes))
			return "to: no such class of alerts";
		if (!known(s, sn, severities))
			return "to: no such severity, but Critical, Warning, "
			    "Information or all";
	}
	return NULL;
}

void
mailtext_subject(char *dst, size_t n, const struct pst_alert_record *r)
{
	char *p;

	(void)snprintf(dst, n, "%s <%s> %s: %s", r->severity, r->category,
	    r->host, r->text);
	for (p = dst; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
}

struct text {
	char *p;
	size_t n, room;
	bool failed;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	char *more;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->p + t->n, t->room - t->n, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n >= t->room - t->n) {
		more = realloc(t->p, t->room + (size_t)n + 1024);
		if (more == NULL) {
			t->failed = true;
			return;
		}
		t->p = more;
		t->room += (size_t)n + 1024;
		va_start(ap, fmt);
		n = vsnprintf(t->p + t->n, t->room - t->n, fmt, ap);
		va_end(ap);
	}
	if (n > 0)
		t->n += (size_t)n;
}

/* RFC 5322; in English, whatever the locale. */
static void
date(char *dst, size_t n, int64_t ms)
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu",
		"Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr",
		"May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)(ms / 1000);
	struct tm tm;

	memset(&tm, 0, sizeof(tm));
	(void)gmtime_r(&t, &tm);
	(void)snprintf(dst, n, "%s, %d %s %d %02d:%02d:%02d +0000",
	    days[tm.tm_wday % 7], tm.tm_mday, months[tm.tm_mon % 12],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

char *
mailtext_message(const struct pst_alert_record *r, uint64_t times,
    const char *from, const char *to, int64_t now, uint64_t serial)
{
	struct text t = { .p = calloc(1, 4096), .room = 4096 };
	const char *line = r->detail, *end;
	char subject[MAILTEXT_SUBJECT], when[48];

	if (t.p == NULL)
		return NULL;
	mailtext_subject(subject, sizeof(subject), r);
	date(when, sizeof(when), now);
	add(&t, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n", from, to,
	    subject, when);
	add(&t, "Message-ID: <alert.%" PRId64 ".%" PRIu64 "@%s>\r\n", now,
	    serial, r->host);
	add(&t, "MIME-Version: 1.0\r\nContent-Type: text/plain; "
	    "charset=us-ascii\r\nAuto-Submitted: auto-generated\r\n\r\n");
	add(&t, "%s\r\n", r->text);
	for (; *line != '\0'; line = *end != '\0' ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		add(&t, "%.*s\r\n", (int)(end - line), line);
	}
	date(when, sizeof(when), r->wall);
	add(&t, "\r\nHost: %s\r\nClass: %s\r\nSeverity: %s\r\nMatter: %s\r\n"
	    "Time: %s\r\n", r->host, r->category, r->severity, r->key, when);
	if (times > 0)
		add(&t, "\r\nAlerts of this matter since the last message: "
		    "%" PRIu64 "; this is the latest.\r\n", times);
	if (t.failed) {
		free(t.p);
		return NULL;
	}
	return t.p;
}
