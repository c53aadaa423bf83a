#include "mail/notice.h"

#include <string.h>

#include "unit.h"

static struct buf out;
static struct err why;

static int
build(const char *subject, const char *text, const char *id)
{
	struct notice n = { .hostname = "mx.example.com",
		.mid = 7,
		.now = 1523926673123,
		.to = STR("x@y.example"),
		.subject = str_c(subject),
		.text = str_c(text),
		.reply_to_id = str_c(id) };

	buf_init(&out, 8 * NOTICE_TEXT_MAX);
	return notice_build(&out, &n, &why);
}

static void
end(void)
{
	buf_fini(&out);
}

START_TEST(is_a_whole_message)
{
	ck_assert_int_eq(build("Told", "one\n\n.two", ""), 0);
	ck_assert_str_eq(buf_p(&out),
	    "From: postmaster@mx.example.com\r\n"
	    "To: <x@y.example>\r\n"
	    "Subject: Told\r\n"
	    "Date: Tue, 17 Apr 2018 00:57:53 +0000\r\n"
	    "Message-ID: <7.162d11ba6e3@mx.example.com>\r\n"
	    "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n"
	    "\r\n"
	    "one\r\n\r\n.two\r\n");
}
END_TEST

static const struct {
	const char *subject, *is;
} subjects[] = {
	{ "a\r\nBcc: x@y", "Subject: a  Bcc: x@y\r\nDate:" },
	{ "a\xc2\x85"
	  "b",
	    "Subject: a b\r\nDate:" },
	{ "=?utf-8?Q?x?=",
	    "Subject: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?=\r\nDate:" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e",
	    "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\nDate:" },
	{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xc3\xbcy",
	    "Subject: =?utf-8?B?eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
	    "eHh4eHh4eHh4eHh4eHh4eHg=?=\r\n =?utf-8?B?w7x5?=\r\nDate:" },
	{ "", "Subject: \r\nDate:" },
};

START_TEST(ends_no_field_where_the_subject_does_not)
{
	ck_assert_int_eq(build(subjects[_i].subject, "x", ""), 0);
	ck_assert_msg(strstr(buf_p(&out), subjects[_i].is) != NULL, "%s",
	    buf_p(&out));
}
END_TEST

START_TEST(quotes_a_text_that_is_not_plain)
{
	ck_assert_int_eq(build("s", "\xc3\xa4=\t \nb\r\n", ""), 0);
	ck_assert_ptr_nonnull(strstr(buf_p(&out), "utf-8\r\nContent-Transfer-"
	    "Encoding: quoted-printable\r\n\r\n=C3=A4=3D\t=20\r\n"
	    "b=0D\r\n"));
}
END_TEST

START_TEST(keeps_lines_short)
{
	static char text[NOTICE_TEXT_MAX + 2];
	const char *line, *next;

	memset(text, _i == 0 ? 'x' : (char)0x1f, sizeof(text) - 2);
	ck_assert_int_eq(build("s", text, ""), 0);
	line = strstr(buf_p(&out), "\r\n\r\n") + 4;
	while ((next = strstr(line, "\r\n")) != NULL) {
		ck_assert_int_le(next - line, 76);
		line = next + 2;
	}
	buf_fini(&out);
	text[sizeof(text) - 2] = 'x';
	ck_assert_int_eq(build("s", text, ""), -1);
}
END_TEST

START_TEST(refuses_what_is_not_utf8)
{
	ck_assert_int_eq(build(_i == 0 ? "\xff" : "s", _i == 1 ? "\xc3" : "t",
	    ""), _i == 2 ? 0 : -1);
}
END_TEST

static const struct {
	const char *id;
	bool kept;
} ids[] = {
	{ "<a@b.example>", true },
	{ "-", false },
	{ "<a@b> <c@d>", false },
	{ "<a@b", false },
	{ "<a b@c>", false },
	{ "<\xc3\xa4@c>", false },
};

START_TEST(repeats_a_message_id_only_if_it_is_one)
{
	ck_assert_int_eq(build("s", "t", ids[_i].id), 0);
	ck_assert_ptr_nonnull(strstr(buf_p(&out),
	    "Auto-Submitted: auto-replied\r\n"));
	ck_assert_int_eq(strstr(buf_p(&out), "In-Reply-To: ") != NULL,
	    ids[_i].kept);
}
END_TEST

static const struct {
	const char *header;
	bool answered;
} answered[] = {
	{ "Subject: x\r\n", true },
	{ "Auto-Submitted: NO\r\n", true },
	{ "Auto-Submitted: auto-generated\r\n", false },
	{ "auto-submitted: no; x=y\r\n", false },
	{ "Precedence: Bulk\r\n", false },
	{ "Precedence: first-class\r\n", true },
	{ "List-Id: <l.example>\r\n", false },
	{ "List-Unsubscribe: <mailto:x@y>\r\n", false },
};

START_TEST(answers_persons_only)
{
	struct pool *pool = pool_new(0);
	struct header h;

	header_parse(pool, str_c(answered[_i].header), 100, &h);
	ck_assert_int_eq(notice_may_answer(&h), answered[_i].answered);
	pool_destroy(&pool);
}
END_TEST

UNIT_SUITE(notice)
{
	tcase_add_checked_fixture(tc, NULL, end);
	tcase_add_test(tc, is_a_whole_message);
	tcase_add_loop_test(tc, ends_no_field_where_the_subject_does_not, 0,
	    sizeof(subjects) / sizeof(subjects[0]));
	tcase_add_test(tc, quotes_a_text_that_is_not_plain);
	tcase_add_loop_test(tc, keeps_lines_short, 0, 2);
	tcase_add_loop_test(tc, refuses_what_is_not_utf8, 0, 3);
	tcase_add_loop_test(tc, repeats_a_message_id_only_if_it_is_one, 0,
	    sizeof(ids) / sizeof(ids[0]));
	tcase_add_loop_test(tc, answers_persons_only, 0,
	    sizeof(answered) / sizeof(answered[0]));
}
