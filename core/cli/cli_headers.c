/*
 * `postern headers`: its command line. The report itself is hopreport.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/cli.h"
#include "cli/hopreport.h"

enum {
	READ_MAX = 16 * 1024 * 1024,
	PIECE = 65536,
	REPORT_MAX = 256 * 1024 * 1024
};

static int usage(FILE *to, int status);
static int read_header(struct buf *dst, const char *file, struct err *why);
static bool header_ends(struct str text, size_t from);

int
cli_headers(int argc, char **argv)
{
	static const struct option table[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct err why = ERR_INIT;
	struct buf in, out;
	bool json = false;
	unsigned hops = 0;
	int c, r;

	while ((c = getopt_long(argc, argv, "hj", table, NULL)) != -1) {
		if (c == 'h')
			return usage(stdout, CLI_OK);
		if (c != 'j')
			return usage(stderr, CLI_USAGE);
		json = true;
	}
	if (optind + 1 < argc)
		return usage(stderr, CLI_USAGE);
	buf_init(&in, READ_MAX);
	buf_init(&out, REPORT_MAX);
	r = read_header(&in, optind < argc ? argv[optind] : "-", &why);
	if (r == 0) {
		hops = hopreport(&out, buf_str(&in), json);
		(void)fputs(buf_p(&out), stdout);
	}
	buf_fini(&in);
	buf_fini(&out);
	if (r != 0)
		return cli_fail("headers: %s", why.text);
	return hops > 0 ? CLI_OK : CLI_FAILED;
}

static int
usage(FILE *to, int status)
{
	(void)fputs("usage: postern headers [--json] [FILE]\n"
	    "Shows for each hop of a received message (FILE, or standard "
	    "input) whether it was\nencrypted, as its Received fields have it; "
	    "the first hop first.\nExit status: 0 there are hops, 1 there are "
	    "none or FILE cannot be read.\n", to);
	return status;
}

/* No more than the header is read: what follows may be large. */
static int
read_header(struct buf *dst, const char *file, struct err *why)
{
	bool standard = strcmp(file, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	int result = 0;
	size_t seen = 0;
	ssize_t n;
	char *at;

	if (fd < 0)
		return err_errno(why, "%s", file);
	while (!header_ends(buf_str(dst), seen)) {
		seen = buf_len(dst);
		if ((at = buf_room(dst, PIECE)) == NULL) {
			result = err_text(why, "%s: the header is longer than "
			    "%d octets", file, READ_MAX - PIECE);
			break;
		}
		n = read(fd, at, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			result = err_errno(why, "%s", file);
		if (n <= 0)
			break;
		buf_added(dst, (size_t)n);
	}
	if (!standard)
		file_close(&fd);
	return result;
}

static bool
header_ends(struct str text, size_t from)
{
	from = from > 2 ? from - 2 : 0; /* the end may lie across it */
	text = str_n(text.p + from, text.n - from);
	return text.n > 0 && (memmem(text.p, text.n, "\n\n", 2) != NULL ||
	    memmem(text.p, text.n, "\n\r\n", 3) != NULL);
}
