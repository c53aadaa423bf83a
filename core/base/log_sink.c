#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/coll.h"
#include "base/file.h"
#include "base/log_priv.h"
#include "base/mem.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

#define KEPT (4U << 20)
#define RETRY SECONDS(1)
#define SYSLOG_MAX 8192
#define FACILITY 20 /* local4, which makes Info <166> */

static bool open_file(struct log_sink *k);
static bool open_syslog(struct log_sink *k);
static void write_head(struct log_sink *k);
static void add_lost(struct log_sink *k);
static size_t write_file(struct log_sink *k, struct str lines);
static size_t write_pipe(struct log_sink *k, struct str lines);
static size_t write_syslog(struct log_sink *k, struct str lines);
static void add_serial(struct buf *dst);

void
log_sink_init(struct log_sink *k, enum log_form form)
{
	memset(k, 0, sizeof(*k));
	k->form = form;
	k->fd = -1;
	buf_init(&k->lines, KEPT);
}

void
log_sink_file(struct log_sink *k, const char *path, bool head)
{
	k->on = true;
	k->head = head;
	k->path = mem_strdup(path);
	(void)open_file(k);
}

void
log_sink_stderr(struct log_sink *k)
{
	k->on = true;
	k->fd = STDERR_FILENO;
}

void
log_sink_syslog(struct log_sink *k, const char *tag, const char *path)
{
	k->on = true;
	k->path = mem_strdup(path);
	k->tag = mem_strdup(tag);
	(void)open_syslog(k);
}

void
log_sink_report(struct log_sink *k)
{
	if (k->on && k->fd < 0)
		(void)fprintf(stderr, "postern: log %s: %s; trying again\n",
		    k->path, strerrordesc_np(errno));
}

bool
log_sink_add(struct log_sink *k, enum log_level level, struct str text,
    msec wall)
{
	static const int severity[] = {
		[LOG_LV_CRITICAL] = 2,
		[LOG_LV_WARNING] = 4,
		[LOG_LV_INFO] = 6,
		[LOG_LV_DEBUG] = 7,
		[LOG_LV_TRACE] = 7,
	};
	size_t before = buf_len(&k->lines);
	struct str stamp = log_stamp(wall);
	int rc = 0;

	if (k->form == LOG_FORM_TEXT)
		rc = buf_add_str(&k->lines, stamp);
	else if (k->form == LOG_FORM_SYSLOG)
		/* "Apr 17 00:57:53 " out of "Tue Apr 17 00:57:53 2018 " */
		rc = buf_printf(&k->lines, "<%d>%.16s%s: ",
		    FACILITY * 8 + severity[level], stamp.p + 4, k->tag);
	if (rc == 0)
		rc = buf_add_str(&k->lines, text);
	if (rc == 0)
		rc = buf_add_char(&k->lines, '\n');
	if (rc == 0)
		return true;
	buf_truncate(&k->lines, before);
	k->lost++;
	return false;
}

void
log_sink_flush(struct log_sink *k)
{
	struct str lines;
	size_t n;

	if (buf_len(&k->lines) == 0 && k->lost == 0)
		return;
	if (k->retry != 0 && clock_now() < k->retry)
		return;
	if (k->fd < 0 && !(k->form == LOG_FORM_SYSLOG ? open_syslog(k) :
							open_file(k))) {
		k->retry = clock_now() + RETRY;
		return;
	}
	lines = buf_str(&k->lines);
	if (k->form == LOG_FORM_SYSLOG)
		n = write_syslog(k, lines);
	else if (k->path == NULL)
		n = write_pipe(k, lines);
	else
		n = write_file(k, lines);
	buf_consume(&k->lines, n);
	k->retry = 0;
	if (buf_len(&k->lines) > 0) {
		k->retry = clock_now() + RETRY;
		return;
	}
	if (k->lines.cap > KEPT / 8)
		buf_shrink(&k->lines);
	if (k->lost > 0) {
		add_lost(k);
		log_sink_flush(k);
	}
}

void
log_sink_reopen(struct log_sink *k)
{
	if (!k->on || k->path == NULL)
		return;
	file_close(&k->fd);
	k->torn = false;
	k->retry = 0;
	if (k->form == LOG_FORM_SYSLOG)
		(void)open_syslog(k);
	else
		(void)open_file(k);
}

void
log_sink_fini(struct log_sink *k)
{
	if (k->path != NULL)
		file_close(&k->fd);
	mem_free(k->path);
	if (k->form == LOG_FORM_SYSLOG)
		mem_free((void *)(uintptr_t)k->tag);
	buf_fini(&k->lines);
	k->on = false;
	k->path = NULL;
	k->tag = NULL;
	k->fd = -1;
}

/* A pipe without reader must not hold us up, hence O_NONBLOCK. */
static bool
open_file(struct log_sink *k)
{
	k->fd = open(k->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
	    O_NOCTTY | O_NONBLOCK, 0640);
	if (k->fd < 0)
		return false;
	if (k->head)
		write_head(k);
	return true;
}

static bool
open_syslog(struct log_sink *k)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	k->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (k->fd < 0)
		return false;
	(void)str_copy(to.sun_path, sizeof(to.sun_path), str_c(k->path));
	if (connect(k->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	file_close(&k->fd);
	return false;
}

/* All processes open the new file at once: the lock says whose head it is. */
static void
write_head(struct log_sink *k)
{
	struct log_arg arg[LOG_ARGS];
	static const enum log_event evs[] = { EV_LOG_BEGIN, EV_LOG_VERSION,
		EV_LOG_OFFSET };
	struct buf head, serial, line;
	struct stat st;
	msec wall = clock_wall();
	size_t i;

	if (fstat(k->fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > 0 ||
	    flock(k->fd, LOCK_EX | LOCK_NB) != 0)
		return;
	buf_init(&head, 4096);
	buf_init(&serial, 64);
	buf_init(&line, 1024);
	add_serial(&serial);
	for (i = 0; i < sizeof(evs) / sizeof(evs[0]); i++) {
		memset(arg, 0, sizeof(arg));
		if (evs[i] == EV_LOG_VERSION) {
			arg[0].s = STR(PACKAGE_VERSION);
			arg[1].s = buf_str(&serial);
		} else if (evs[i] == EV_LOG_OFFSET) {
			arg[0].d = clock_utc_offset(wall);
		}
		buf_reset(&line);
		log_line_text(&line, evs[i], arg);
		(void)buf_add_str(&head, log_stamp(wall));
		(void)buf_add_str(&head, buf_str(&line));
		(void)buf_add_char(&head, '\n');
	}
	if (fstat(k->fd, &st) == 0 && st.st_size == 0 &&
	    write(k->fd, buf_p(&head), buf_len(&head)) < 0)
		k->retry = clock_now() + RETRY;
	(void)flock(k->fd, LOCK_UN);
	buf_fini(&line);
	buf_fini(&serial);
	buf_fini(&head);
}

static void
add_lost(struct log_sink *k)
{
	struct log_arg arg[LOG_ARGS] = { { .u = k->lost } };
	struct buf line;
	msec wall = clock_wall();

	buf_init(&line, 1024);
	if (k->form == LOG_FORM_JSON)
		log_line_json(&line, EV_LOG_LOST, arg, wall);
	else
		log_line_text(&line, EV_LOG_LOST, arg);
	if (log_sink_add(k, LOG_LV_WARNING, buf_str(&line), wall))
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

/*
 * One write for all lines. When the disk takes only a part, the rest of the
 * line it ended in is given up: put behind another process's line it would
 * begin with bytes from outside, as a line of its own.
 */
static size_t
write_file(struct log_sink *k, struct str lines)
{
	ssize_t done;
	size_t n;

	if (k->torn) {
		if (write(k->fd, "\n", 1) != 1)
			return 0;
		k->torn = false;
	}
	if (lines.n == 0)
		return 0;
	do
		done = write(k->fd, lines.p, lines.n);
	while (done < 0 && errno == EINTR);
	if (done <= 0)
		return 0;
	n = (size_t)done;
	if (lines.p[n - 1] == '\n')
		return n;
	k->torn = true;
	k->lost++;
	return n + first_line(str_n(lines.p + n, lines.n - n));
}

/* stderr is shared with others, so it cannot be made non-blocking. */
static size_t
write_pipe(struct log_sink *k, struct str lines)
{
	struct pollfd pfd = { .fd = k->fd, .events = POLLOUT };
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
		done = write(k->fd, lines.p + used, end);
		if (done < 0)
			break;
		used += (size_t)done;
	}
	return used;
}

static size_t
write_syslog(struct log_sink *k, struct str lines)
{
	size_t used = 0, n, len;

	while (used < lines.n) {
		n = first_line(str_n(lines.p + used, lines.n - used));
		len = n - 1 < SYSLOG_MAX ? n - 1 : SYSLOG_MAX;
		if (send(k->fd, lines.p + used, len,
		    MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			/* The daemon was restarted: a new socket next time. */
			if (errno != EAGAIN && errno != ENOBUFS)
				file_close(&k->fd);
			break;
		}
		used += n;
	}
	return used;
}

/* Names this machine without giving away its id. */
static void
add_serial(struct buf *dst)
{
	struct buf id;
	uint64_t n;

	buf_init(&id, 4096);
	if (file_read(&id, "/etc/machine-id", NULL) != 0) {
		char *name = buf_room(&id, 256);

		if (name != NULL && gethostname(name, 255) == 0) {
			name[255] = '\0';
			buf_added(&id, strlen(name));
		}
	}
	n = hash_stable(buf_p(&id), buf_len(&id));
	(void)buf_printf(dst, "%012" PRIX64 "-%04" PRIX64, n >> 16,
	    n & 0xffff);
	buf_fini(&id);
}
