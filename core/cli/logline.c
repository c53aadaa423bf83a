#include "cli/logline.h"

#include "base/mem.h"
#include "base/num.h"

#define TIME_LEN 24 /* "Tue Apr 17 00:57:53 2018" */

static bool	next_id(struct str *, const char *, uint64_t *);
static bool	cut(struct str *, const char *);
static bool	address_matches(struct str, const char *);
static bool	wild(struct str, struct str);
static bool	in_time(struct str, const struct logline_want *);
static size_t	place(const struct logline_ids *, uint64_t);

bool
logline_parse(struct logline *l, struct str line)
{
	static const char *const words[] = { "New SMTP ", "Start ",
		"Message finished ", "Message aborted ", "Message done ",
		"Delivery start ", "Connection Error: ", "Bounced: ",
		"Delayed: ", "Double bounce: " };
	struct str s;
	uint64_t rid;
	size_t i, colon;
	bool more = true;

	memset(l, 0, sizeof(*l));
	if (line.n < TIME_LEN + 2 || line.p[TIME_LEN] != ' ')
		return false;
	l->whole = line;
	l->time = str_n(line.p, TIME_LEN);
	s = str_n(line.p + TIME_LEN + 1, line.n - TIME_LEN - 1);
	colon = str_find(s, ':');
	if (colon + 2 > s.n)
		return false;
	l->level = str_n(s.p, colon);
	s = str_n(s.p + colon + 2, s.n - colon - 2);
	l->text = s;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (cut(&s, words[i]))
			break;
	}
	while (more)
		more = next_id(&s, "ICID ", &l->icid) ||
		    next_id(&s, "DCID ", &l->dcid) ||
		    next_id(&s, "MID ", &l->mid) ||
		    next_id(&s, "to RID ", &rid) || next_id(&s, "RID ", &rid);
	l->rest = s;
	if (cut(&s, "was generated for bounce of ") &&
	    next_id(&s, "MID ", &l->bounce_of))
		return true;
	l->bounce_of = 0;
	return l->icid != 0 || l->mid != 0 || l->dcid != 0;
}

/* "WORD 12 " off the front. */
static bool
next_id(struct str *s, const char *word, uint64_t *id_r)
{
	struct str rest = *s;
	size_t n = 0;

	if (!cut(&rest, word))
		return false;
	while (n < rest.n && ch_digit(rest.p[n]))
		n++;
	if (n == 0 || (n < rest.n && rest.p[n] != ' ') ||
	    num_u64(str_n(rest.p, n), UINT64_MAX, id_r) != 0)
		return false;
	if (n < rest.n)
		n++;
	*s = str_n(rest.p + n, rest.n - n);
	return true;
}

static bool
cut(struct str *s, const char *front)
{
	size_t n = strlen(front);

	if (s->n < n || memcmp(s->p, front, n) != 0)
		return false;
	*s = str_n(s->p + n, s->n - n);
	return true;
}

bool
logline_matches(const struct logline *l, const struct logline_want *w)
{
	struct str s = l->rest;
	bool narrow = w->from != NULL || w->to != NULL ||
	    w->message_id != NULL || w->mid != UINT64_MAX;

	if (!in_time(l->time, w))
		return false;
	if (!narrow || (w->mid != UINT64_MAX && l->mid == w->mid))
		return true;
	if (w->from != NULL && cut(&s, "From: "))
		return address_matches(s, w->from);
	if (w->to != NULL && cut(&s, "To: "))
		return address_matches(s, w->to);
	if (w->message_id != NULL && cut(&s, "Message-ID "))
		return s.n >= 2 && (wild(str_c(w->message_id),
		    str_n(s.p + 1, s.n - 2)) || (s.n >= 4 &&
		    wild(str_c(w->message_id), str_n(s.p + 2, s.n - 4))));
	return false;
}

/* "<a@b>", perhaps with " Rejected by RAT" behind it. */
static bool
address_matches(struct str s, const char *want)
{
	struct str pattern = str_c(want);
	size_t end;

	if (pattern.n >= 2 && pattern.p[0] == '<' &&
	    pattern.p[pattern.n - 1] == '>')
		pattern = str_n(pattern.p + 1, pattern.n - 2);
	if (s.n == 0 || s.p[0] != '<')
		return false;
	for (end = s.n; end > 0 && s.p[end - 1] != '>';)
		end--;
	return end >= 2 && wild(pattern, str_n(s.p + 1, end - 2));
}

/* '*' is any text; letters of both cases are the same. */
static bool
wild(struct str pattern, struct str s)
{
	size_t i = 0, k = 0, star = SIZE_MAX, back = 0;

	while (k < s.n) {
		if (i < pattern.n && pattern.p[i] == '*') {
			star = i++;
			back = k;
		} else if (i < pattern.n &&
		    ch_lower(pattern.p[i]) == ch_lower(s.p[k])) {
			i++;
			k++;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			k = ++back;
		} else {
			return false;
		}
	}
	while (i < pattern.n && pattern.p[i] == '*')
		i++;
	return i == pattern.n;
}

static bool
in_time(struct str text, const struct logline_want *w)
{
	char copy[TIME_LEN + 1];
	struct tm tm;
	time_t t;

	if (w->since == 0 && w->until == 0)
		return true;
	(void)str_copy(copy, sizeof(copy), text);
	memset(&tm, 0, sizeof(tm));
	tm.tm_isdst = -1;
	if (strptime(copy, "%a %b %e %H:%M:%S %Y", &tm) == NULL)
		return false;
	t = mktime(&tm);
	return (w->since == 0 || t >= w->since) &&
	    (w->until == 0 || t <= w->until);
}

void
logline_ids_fini(struct logline_ids *s)
{
	mem_free(s->v);
	memset(s, 0, sizeof(*s));
}

/* Ids come in nearly their order, so that a sorted array is cheap. */
static size_t
place(const struct logline_ids *s, uint64_t id)
{
	size_t low = 0, high = s->n, mid;

	if (s->n > 0 && s->v[s->n - 1] < id)
		return s->n;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (s->v[mid] < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool
logline_ids_has(const struct logline_ids *s, uint64_t id)
{
	size_t at = place(s, id);

	return at < s->n && s->v[at] == id;
}

void
logline_ids_add(struct logline_ids *s, uint64_t id)
{
	size_t at = place(s, id);

	if (at < s->n && s->v[at] == id)
		return;
	logline_ids_push(s, id);
	memmove(&s->v[at + 1], &s->v[at], (s->n - 1 - at) * sizeof(*s->v));
	s->v[at] = id;
}

void
logline_ids_push(struct logline_ids *s, uint64_t id)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? 64 : 2 * s->cap;
		s->v = mem_realloc(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->n++] = id;
}
