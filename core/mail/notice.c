#include "mail/notice.h"

#include <inttypes.h>
#include <string.h>

#include "base/codec.h"

enum {
	WORD = 45,   /* octets of a word: with its frame 72 characters */
	LINE = 75,   /* of quoted-printable, without the soft break */
	LONG = 900,  /* octets of a line that goes as it is */
	ID_MAX = 250 /* of a Message-ID that is repeated */
};

static void	add_subject(struct buf *, struct str);
static void	add_words(struct buf *, struct str);
static bool	plain(struct str);
static void	add_plain(struct buf *, struct str);
static void	add_quoted(struct buf *, struct str);
static void	quote_line(struct buf *, struct str);
static bool	good_id(struct str);

int
notice_build(struct buf *dst, const struct notice *n, struct err *why)
{
	bool replied = n->reply_to_id.n > 0, as_is = plain(n->text);
	char date[64];

	if (!utf8_valid(n->subject) || !utf8_valid(n->text))
		return err_text(why, "its text is not UTF-8");
	if (n->text.n > NOTICE_TEXT_MAX)
		return err_text(why, "its text is longer than %d octets",
		    NOTICE_TEXT_MAX);
	clock_rfc5322(date, sizeof(date), n->now);
	(void)buf_printf(dst,
	    "From: postmaster@%s\r\n"
	    "To: <%.*s>\r\n", n->hostname, STR_FMT(n->to));
	add_subject(dst, n->subject);
	(void)buf_printf(dst,
	    "Date: %s\r\n"
	    "Message-ID: <%" PRIu64 ".%" PRIx64 "@%s>\r\n", date, n->mid,
	    (uint64_t)n->now, n->hostname);
	if (replied && good_id(n->reply_to_id))
		(void)buf_printf(dst, "In-Reply-To: %.*s\r\n"
		    "References: %.*s\r\n", STR_FMT(n->reply_to_id),
		    STR_FMT(n->reply_to_id));
	(void)buf_printf(dst,
	    "Auto-Submitted: auto-%s\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=%s\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n", replied ? "replied" : "generated",
	    as_is ? "us-ascii" : "utf-8", as_is ? "7bit" : "quoted-printable");
	if (as_is)
		add_plain(dst, n->text);
	else
		add_quoted(dst, n->text);
	return buf_full(dst) ? err_text(why, "it is too long") : 0;
}

bool
notice_may_answer(const struct header *h)
{
	static const char *const bulk[] = { "list", "bulk", "junk" };
	static const char *const lists[] = { "List-Id", "List-Post",
		"List-Unsubscribe", "List-Help" };
	const struct header_field *f;
	struct str word;
	unsigned i;

	f = header_find(h, "Auto-Submitted", 0);
	if (f != NULL && !str_ieq_c(str_trim(f->value), "no"))
		return false;
	f = header_find(h, "Precedence", 0);
	for (i = 0; f != NULL && i < sizeof(bulk) / sizeof(bulk[0]); i++) {
		word = str_trim(f->value);
		if (str_ieq_c(word, bulk[i]))
			return false;
	}
	for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (header_find(h, lists[i], 0) != NULL)
			return false;
	}
	return true;
}

/* Controls, the ends of lines among them, are blanks. */
static void
add_subject(struct buf *dst, struct str subject)
{
	struct buf text;
	uint32_t cp;
	size_t i = 0, n;

	buf_init(&text, NOTICE_SUBJECT_MAX);
	while (i < subject.n) {
		n = utf8_char(str_n(subject.p + i, subject.n - i), &cp);
		if (n == 0 || buf_len(&text) + n > NOTICE_SUBJECT_MAX)
			break;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 ||
		    cp == 0x2029)
			(void)buf_add(&text, " ", 1);
		else
			(void)buf_add(&text, subject.p + i, n);
		i += n;
	}
	(void)buf_add_c(dst, "Subject: ");
	if (ascii_only(buf_str(&text)) && buf_len(&text) <= 60 &&
	    memmem(buf_p(&text), buf_len(&text), "=?", 2) == NULL)
		(void)buf_add(dst, buf_p(&text), buf_len(&text));
	else
		add_words(dst, buf_str(&text));
	(void)buf_add_c(dst, "\r\n");
	buf_fini(&text);
}

/* No character is cut in two (RFC 2047 5). */
static void
add_words(struct buf *dst, struct str s)
{
	bool first = true;
	uint32_t cp;
	size_t n, k;

	while (s.n > 0) {
		for (n = 0; n < s.n; n += k) {
			k = utf8_char(str_n(s.p + n, s.n - n), &cp);
			if (k == 0 || n + k > WORD)
				break;
		}
		(void)buf_add_c(dst, first ? "=?utf-8?B?" :
		    "\r\n =?utf-8?B?");
		(void)base64_encode(dst, str_n(s.p, n));
		(void)buf_add_c(dst, "?=");
		first = false;
		s = str_n(s.p + n, s.n - n);
	}
}

static bool
plain(struct str text)
{
	struct str line;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '\n' && text.p[i] != '\t' &&
		    !ch_print(text.p[i]))
			return false;
	}
	while (str_split(&text, '\n', &line)) {
		if (line.n > LONG)
			return false;
	}
	return true;
}

static void
add_plain(struct buf *dst, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		(void)buf_add(dst, line.p, line.n);
		(void)buf_add_c(dst, "\r\n");
	}
}

static void
add_quoted(struct buf *dst, struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		quote_line(dst, line);
		(void)buf_add_c(dst, "\r\n");
	}
}

/* RFC 2045 6.7. */
static void
quote_line(struct buf *dst, struct str line)
{
	bool blank, last, as_is;
	size_t at = 0, i, n;
	char c;

	for (i = 0; i < line.n; i++) {
		c = line.p[i];
		last = i + 1 == line.n;
		blank = c == ' ' || c == '\t';
		as_is = (ch_print(c) && c != '=' && !blank) ||
		    (blank && !last);
		n = as_is ? 1 : 3;
		if (at + n > LINE) {
			(void)buf_add_c(dst, "=\r\n");
			at = 0;
		}
		if (as_is)
			(void)buf_add(dst, &c, 1);
		else
			(void)buf_printf(dst, "=%02X", (unsigned char)c);
		at += n;
	}
}

/* A stranger's: it is repeated only if it is what it should be. */
static bool
good_id(struct str id)
{
	size_t i;

	if (id.n < 5 || id.n > ID_MAX || id.p[0] != '<' ||
	    id.p[id.n - 1] != '>' || str_find(id, '@') == id.n)
		return false;
	for (i = 0; i < id.n; i++) {
		if (!ch_print(id.p[i]) || id.p[i] == ' ')
			return false;
	}
	return str_find(str_n(id.p + 1, id.n - 1), '<') == id.n - 1;
}
