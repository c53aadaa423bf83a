/*
 * A notice, of a plugin's text (pst_notify()): the Message-ID it answers, its
 * subject, its text, an LF behind each of the first two. Whatever they are,
 * the message has the fields that it shall have and no other, is of 7 bits,
 * and its lines are as RFC 5322 has them.
 */
#include <stdint.h>
#include <string.h>

#include "base/codec.h"
#include "mail/header.h"
#include "mail/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char *const fields[] = { "From", "To", "Subject", "Date",
	"Message-ID", "In-Reply-To", "References", "Auto-Submitted",
	"MIME-Version", "Content-Type", "Content-Transfer-Encoding" };
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Each line ends with CRLF, and has no other CR or LF. */
static void
check_lines(struct str s)
{
	struct str line;
	size_t i;

	ASSERT(s.n >= 2 && memcmp(s.p + s.n - 2, "\r\n", 2) == 0);
	while (str_split(&s, '\n', &line)) {
		ASSERT(line.n > 0 && line.n <= 999 &&
		    line.p[line.n - 1] == '\r');
		for (i = 0; i + 1 < line.n; i++)
			ASSERT(line.p[i] == '\t' || ch_print(line.p[i]));
	}
}

/* Its fields in their order, each once at most; returns how many. */
static unsigned
check_fields(struct str s)
{
	unsigned n = 0, at = 0;
	struct str line;
	size_t len;

	while (str_split(&s, '\n', &line) && line.n > 1) {
		if (line.p[0] == ' ')
			continue;
		for (;; at++) {
			ASSERT(at < FIELDS);
			len = strlen(fields[at]);
			if (line.n > len && line.p[len] == ':' &&
			    memcmp(line.p, fields[at], len) == 0)
				break;
		}
		at++;
		n++;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = str_n((const char *)data, n);
	struct notice v = { .hostname = "mx.example", .mid = 7,
		.now = 1700000000000, .to = STR("a@b.example") };
	struct err why = ERR_INIT;
	struct buf dst;
	unsigned got;

	(void)str_split(&rest, '\n', &v.reply_to_id);
	(void)str_split(&rest, '\n', &v.subject);
	v.text = rest;
	buf_init(&dst, 1 << 20);
	if (notice_build(&dst, &v, &why) == 0) {
		ASSERT(v.text.n <= NOTICE_TEXT_MAX);
		check_lines(buf_str(&dst));
		got = check_fields(buf_str(&dst));
		ASSERT(got == FIELDS || got == FIELDS - 2);
		ASSERT(got == FIELDS - 2 || v.reply_to_id.n > 0);
	} else {
		ASSERT(why.text[0] != '\0');
	}
	buf_fini(&dst);
	return 0;
}
