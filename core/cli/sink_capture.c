#include "cli/sink_capture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/sys.h"

enum {
	PATH_LEN = 4096,
	PIECE = 16384,		 /* octets on a line, at most */
	LINE_MAX_LEN = 5 * PIECE /* \xNN for each, and what is before them */
};

static const char *const phases[] = { [PHASE_CLEAR] = "clear",
	[PHASE_HANDSHAKE] = "handshake",
	[PHASE_TLS] = "tls" };

static void add_octets(struct buf *dst, struct str s);
static void add_time(const struct sink_capture *c, struct buf *dst);
static void put(struct sink_capture *c, const struct buf *text);

int
sink_capture_open(
    struct sink_capture *c, const char *dir, uint64_t number, struct err *why)
{
	char path[PATH_LEN];

	(void)snprintf(
	    path, sizeof(path), "%s/%06" PRIu64 ".wire", dir, number);
	c->begun = clock_now();
	c->phase = PHASE_CLEAR;
	c->fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return c->fd < 0 ? err_errno(why, "%s", path) : 0;
}

/* A line of SMTP is a line here. */
void
sink_capture_octets(struct sink_capture *c, char direction, struct str octets)
{
	struct str piece;
	struct buf line;
	size_t n;

	if (c->fd < 0)
		return;
	buf_init(&line, LINE_MAX_LEN);
	while (octets.n > 0) {
		n = str_find(octets, '\n');
		n = n < octets.n && c->phase == PHASE_CLEAR ? n + 1 : octets.n;
		piece = str_n(octets.p, n > PIECE ? PIECE : n);
		octets = str_n(octets.p + piece.n, octets.n - piece.n);
		buf_reset(&line);
		add_time(c, &line);
		(void)buf_printf(&line, " %c %s ", direction, phases[c->phase]);
		add_octets(&line, piece);
		(void)buf_add_char(&line, '\n');
		put(c, &line);
	}
	buf_fini(&line);
}

void
sink_capture_note(struct sink_capture *c, const char *text)
{
	struct buf line;

	if (c->fd < 0)
		return;
	buf_init(&line, LINE_MAX_LEN);
	(void)buf_add_c(&line, "# ");
	add_time(c, &line);
	(void)buf_add_char(&line, ' ');
	(void)log_clean(&line, str_c(text), PIECE, true);
	(void)buf_add_char(&line, '\n');
	put(c, &line);
	buf_fini(&line);
}

void
sink_capture_close(struct sink_capture *c)
{
	file_close(&c->fd);
}

static void
add_octets(struct buf *dst, struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\r')
			(void)buf_add_c(dst, "\\r");
		else if (s.p[i] == '\n')
			(void)buf_add_c(dst, "\\n");
		else if (s.p[i] == '\\')
			(void)buf_add_c(dst, "\\\\");
		else if (ch_print(s.p[i]))
			(void)buf_add_char(dst, s.p[i]);
		else
			(void)buf_printf(dst, "\\x%02x", (unsigned char)s.p[i]);
	}
}

static void
add_time(const struct sink_capture *c, struct buf *dst)
{
	msec at = clock_now() - c->begun;

	(void)buf_printf(dst, "%" PRId64 ".%03" PRId64, at / 1000, at % 1000);
}

static void
put(struct sink_capture *c, const struct buf *text)
{
	if (sys_write_all(c->fd, buf_p(text), buf_len(text)) == 0)
		return;
	(void)fputs("postern sink: a capture cannot be written\n", stderr);
	file_close(&c->fd);
}
