#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log_priv.h"

#define KEPT (4U << 20)
#define RETRY SECONDS(1)

static struct str stamp_of(msec wall);
static void add_lost(struct log_stderr *k);
static size_t write_lines(struct str lines);

void
log_stderr_init(struct log_stderr *k)
{
	memset(k, 0, sizeof(*k));
	buf_init(&k->lines, KEPT);
}

void
log_stderr_fini(struct log_stderr *k)
{
	buf_fini(&k->lines);
}

bool
log_stderr_add(struct log_stderr *k, const struct pst_log_record *r)
{
	size_t before = buf_len(&k->lines);

	if (buf_add_str(&k->lines, stamp_of(r->wall)) == 0 &&
	    buf_add_c(&k->lines, log_level_name((enum log_level)r->level)) ==
		0 &&
	    buf_add(&k->lines, ": ", 2) == 0 &&
	    buf_add(&k->lines, r->text.p, r->text.n) == 0 &&
	    buf_add_char(&k->lines, '\n') == 0)
		return true;
	buf_truncate(&k->lines, before);
	k->lost++;
	return false;
}

void
log_stderr_flush(struct log_stderr *k)
{
	if (buf_len(&k->lines) == 0 && k->lost == 0)
		return;
	if (k->retry != 0 && clock_now() < k->retry)
		return;
	buf_consume(&k->lines, write_lines(buf_str(&k->lines)));
	k->retry = 0;
	if (buf_len(&k->lines) > 0) {
		k->retry = clock_now() + RETRY;
		return;
	}
	if (k->lines.cap > KEPT / 8)
		buf_shrink(&k->lines);
	if (k->lost > 0) {
		add_lost(k);
		log_stderr_flush(k);
	}
}

/* "Tue Apr 17 00:57:53 2018 ", from a cache while the second is the same. */
static struct str
stamp_of(msec wall)
{
	static char stamp[40];
	static msec second = -1;
	static size_t n;

	if (wall / 1000 != second) {
		clock_asctime(stamp, sizeof(stamp) - 1, wall);
		n = strlen(stamp);
		stamp[n++] = ' ';
		second = wall / 1000;
	}
	return str_n(stamp, n);
}

static void
add_lost(struct log_stderr *k)
{
	struct log_arg arg[LOG_ARGS] = { { .u = k->lost } };
	struct pst_log_record r = { .level = PST_LOG_WARNING,
		.wall = clock_wall() };
	struct buf line;

	buf_init(&line, 1024);
	log_line_text(&line, EV_LOG_LOST, arg);
	r.text = (struct pst_str){ buf_p(&line), buf_len(&line) };
	if (log_stderr_add(k, &r))
		k->lost = 0;
	buf_fini(&line);
}

/* Octets up to and with the first LF. */
static size_t
first_line(struct str s)
{
	size_t n = str_find(s, '\n');

	return n < s.n ? n + 1 : s.n;
}

/* It is shared with others, so it cannot be made non-blocking. */
static size_t
write_lines(struct str lines)
{
	struct pollfd pfd = { .fd = STDERR_FILENO, .events = POLLOUT };
	size_t used = 0, n, end;
	ssize_t done;

	while (used < lines.n) {
		if (poll(&pfd, 1, 0) != 1 || (pfd.revents & POLLOUT) == 0)
			break;
		/* As many whole lines as a writable pipe takes at once. */
		end = first_line(str_n(lines.p + used, lines.n - used));
		while (end < lines.n - used) {
			n = first_line(str_n(lines.p + used + end,
			    lines.n - used - end));
			if (end + n > PIPE_BUF)
				break;
			end += n;
		}
		done = write(STDERR_FILENO, lines.p + used, end);
		if (done < 0)
			break;
		used += (size_t)done;
	}
	return used;
}
