/*
 * What is found in messages, whole and octet by octet.
 */
#define _GNU_SOURCE /* uselocale() */
#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

static const char *const kinds[] = { "zip", "7z", "tar", "gz", "cab", NULL };

static const struct limits usual = { .parts = 50, .depth = 8, .entries = 50,
	.unpacked = 8 << 20, .ratio = 250, .text = 65536, .cpu = 60000,
	.tmp = ".", .archives = kinds };

/* What was found, a line each: rows, texts, character sets, what went wrong. */
static char *
look(const struct limits *lim, const char *p, size_t n, size_t step)
{
	struct found *f;
	GString *out = g_string_new(NULL), *json;
	struct scan *s;
	struct look k;
	size_t i;

	look_setup();
	f = found_new();
	look_init(&k, lim, f);
	look_begin(&k);
	s = scan_new(&k, 0, "");
	for (i = 0; i < n; i += step)
		scan_feed(s, p + i, n - i < step ? n - i : step);
	scan_end(s);
	scan_free(s);
	look_end(&k);
	for (i = 0; i < f->rows->len; i++) {
		json = found_json(found_at(f, (unsigned)i));
		g_string_append_printf(out, "%s\n", json->str);
		(void)g_string_free(json, TRUE);
	}
	for (i = 0; i < f->texts->len; i++)
		g_string_append_printf(out, "text %s\n",
		    ((GString *)f->texts->pdata[i])->str);
	for (i = 0; i < f->charsets->len; i++)
		g_string_append_printf(out, "charset %s\n",
		    (char *)f->charsets->pdata[i]);
	if (f->text_cut)
		(void)g_string_append(out, "cut\n");
	if (k.failed != NULL)
		g_string_append_printf(out, "failed: %s\n", k.failed);
	found_free(f);
	return g_string_free(out, FALSE);
}

static void
finds_in(const struct limits *lim, const char *p, size_t n, const char *want)
{
	char *whole = look(lim, p, n, n), *pieces = look(lim, p, n, 1);

	ck_assert_str_eq(whole, want);
	ck_assert_str_eq(pieces, want);
	g_free(whole);
	g_free(pieces);
}

static void
finds(const char *message, const char *want)
{
	finds_in(&usual, message, strlen(message), want);
}

#define MIXED "Content-Type: multipart/mixed; boundary=\"b b\"\r\n\r\n"
#define PART "--b b\r\n"
#define END "--b b--\r\n"
#define FILE_(fields) PART "Content-Type: a/b" fields "\r\n\r\nx\r\n"

START_TEST(text_without_a_type_is_text)
{
	finds("Subject: x\r\n\r\nhello\r\nyou\r\n", "text hello\nyou\n\n");
	finds("\r\nhello", "text hello\n");
	finds("hello\r\nyou\r\n", "text hello\nyou\n\n");
	finds("", "text \n");
}
END_TEST

START_TEST(parts_are_found_by_their_boundaries)
{
	finds(MIXED "preamble\r\n" PART "\r\none\r\n" PART
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "--b bx\r\n-- two\r\n" "--b b \t\r\n"
	    "Content-Type: image/png\r\n\r\nxyz\r\n" END "epilogue\r\n",
	    "{\"name\":\"\",\"type\":\"image/png\",\"size\":3}\n"
	    "text one\ntext --b bx\n-- two\ncharset us-ascii\n");
}
END_TEST

START_TEST(an_outer_boundary_ends_what_is_inside)
{
	finds(MIXED PART "Content-Type: multipart/mixed; boundary=i\r\n\r\n"
	    "--i\r\n\r\none\r\n" FILE_("; name=f") END,
	    "{\"name\":\"f\",\"type\":\"a/b\",\"size\":1}\ntext one\n");
}
END_TEST

START_TEST(parts_behind_the_last_boundary_are_seen)
{
	finds(MIXED END FILE_("; name=late.exe"),
	    "{\"name\":\"late.exe\",\"type\":\"a/b\",\"size\":3}\n");
}
END_TEST

START_TEST(names_are_what_any_program_could_read)
{
	static const struct { const char *fields, *names[3]; } v[] = {
		{ "; name=a.exe", { "a.exe" } },
		{ "\r\nContent-Disposition: attachment; filename=\"a\\\"b\"",
		    { "a\\\"b" } },
		{ "; name=a.pdf\r\nContent-Disposition: x; filename=b.exe",
		    { "b.exe", "a.pdf" } },
		{ "; name=a.pdf; name=b.exe", { "a.pdf", "b.exe" } },
		{ "\r\nContent-Type: c/d; name=second", { "second" } },
		{ "; name=my file.exe", { "my file.exe" } },
		{ "; name=\"=?utf-8?B?w7YuZXhl?=\"", { "ö.exe" } },
		{ "; name*=utf-8''%c3%b6%2Eexe", { "ö.exe" } },
		{ "; name*0=a; name*1*=%2e; name*2=exe", { "a.exe" } },
		{ "; name=\"\xf6.exe\"", { "ö.exe" } },
		{ "; name=\"C:\\\\x\\\\a.exe. \"", { "a.exe" } },
		{ "; name=\"../../a.exe\"", { "a.exe" } },
		{ ";\r\n\tname=\r\n  \"a\r\n .exe\"", { "a .exe" } },
		{ "; name=\"a\xe2\x80\xae" "txt.exe\"", { "atxt.exe" } },
		{ "; NAME=a", { "a" } },
	};
	unsigned i, j;

	for (i = 0; i < G_N_ELEMENTS(v); i++) {
		GString *want = g_string_new(NULL);
		char *mail = g_strconcat(MIXED PART "Content-Type: a/b",
		    v[i].fields, "\r\n\r\nx\r\n" END, NULL);

		for (j = 0; j < 3 && v[i].names[j] != NULL; j++)
			g_string_append_printf(want, "{\"name\":\"%s\","
			    "\"type\":\"a/b\",\"size\":1}\n", v[i].names[j]);
		finds(mail, want->str);
		(void)g_string_free(want, TRUE);
		g_free(mail);
	}
}
END_TEST

START_TEST(nuls_in_a_name_do_not_end_it)
{
	static const char mail[] = "Content-Type: a/b; name=\"a\0.exe\""
	    "\r\n\r\n";

	finds_in(&usual, mail, sizeof(mail) - 1,
	    "{\"name\":\"a .exe\",\"type\":\"a/b\",\"size\":0}\n");
}
END_TEST

START_TEST(transfer_encodings_are_taken_off)
{
	finds(MIXED PART "Content-Transfer-Encoding: base64\r\n\r\n"
	    "aGVs\r\nbG8=\r\n" PART
	    "Content-Transfer-Encoding: Quoted-Printable (x)\r\n\r\n"
	    "con=\r\nfid=65ntial=\r\n" END, "text hello\ntext confidential\n");
}
END_TEST

START_TEST(text_becomes_utf_8_whatever_it_says)
{
	finds("Content-Type: text/plain; charset=iso-8859-15\r\n\r\n\xa4\xe9",
	    "text €é\ncharset iso-8859-15\n");
	finds("Content-Type: text/plain; charset=x-none\r\n\r\n\xe9 \xc3\xa9",
	    "text é é\ncharset x-none\n");
	finds("Content-Type: text/plain; charset=utf-8//X\r\n\r\na\xff",
	    "text aÿ\ncharset utf-8//X\n");
	finds("Content-Type: text/plain; charset=utf-16le\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\naADkAA==",
	    "text hä\ncharset utf-16le\n");
	finds("Content-Type: text/plain; charset=shift_jis\r\n\r\n"
	    "\x83\x65\x83", "text テ\xc2\x83\ncharset shift_jis\n");
	finds("\r\nse\xe2\x80\x8b" "cr\xc2\xad" "et\xc2\xa0x",
	    "text secret x\n");
}
END_TEST

START_TEST(html_is_what_is_shown_of_it)
{
	static const struct { const char *html, *text; } v[] = {
		{ "a<b>b</b>c<br>d", "abc\nd" },
		{ "a<!-- > <b> -->b<!---->c", "abc" },
		{ "<script>x</p></scripx></script >y", "\ny" },
		{ "<STYLE>x</style>y", "\ny" },
		{ "a<i title=\">\">b</i>", "ab" },
		{ "&lt;&#65;&#x42;&amp;&nbsp;&unknown;&", "<AB& &unknown&" },
		{ "1 < 2 <3 & 4", "1 < 2 <3 & 4" },
		{ "a&#0;&#1114112;b", "ab" },
		{ "<p>x", "\nx" },
	};
	unsigned i;

	for (i = 0; i < G_N_ELEMENTS(v); i++) {
		char *mail = g_strconcat("Content-Type: text/html\r\n\r\n",
		    v[i].html, NULL);
		char *want = g_strconcat("text ", v[i].text, "\n", NULL);

		finds(mail, want);
		g_free(mail);
		g_free(want);
	}
}
END_TEST

START_TEST(nested_messages_are_opened)
{
	finds(MIXED PART "Content-Type: message/rfc822\r\n\r\n"
	    "Subject: x\r\nContent-Type: a/b; name=f\r\n\r\nx\r\n" PART
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n"
	    "Q29udGVudC1UeXBlOiBhL2I7IG5hbWU9ZwoKeHg=\r\n" END,
	    "{\"name\":\"\",\"type\":\"message/rfc822\",\"size\":42}\n"
	    "{\"name\":\"f\",\"type\":\"a/b\",\"size\":1,"
	    "\"archive\":\"message/rfc822\"}\n"
	    "{\"name\":\"\",\"type\":\"message/rfc822\",\"size\":29}\n"
	    "{\"name\":\"g\",\"type\":\"a/b\",\"size\":2,"
	    "\"archive\":\"message/rfc822\"}\n");
}
END_TEST

START_TEST(uuencoded_files_are_found_in_text)
{
	finds("\r\nhi\r\nbegin 644 a.exe\r\n#0V%T\r\n`\r\nend\r\n"
	    "begin 644 of a sentence\r\nthat goes on\r\n",
	    "{\"name\":\"a.exe\",\"type\":\"\",\"size\":3}\n"
	    "text hi\nbegin 644 a.exe\nbegin 644 of a sentence\n"
	    "that goes on\n\n");
}
END_TEST

START_TEST(what_is_never_closed_ends_with_the_message)
{
	finds(MIXED PART "Content-Type: a/b; name=f\r\n\r\nabc",
	    "{\"name\":\"f\",\"type\":\"a/b\",\"size\":3}\n");
	finds(MIXED PART "Content-Type: a/b; name=f",
	    "{\"name\":\"f\",\"type\":\"a/b\",\"size\":0}\n");
}
END_TEST

START_TEST(a_multipart_without_parts_is_broken)
{
	finds(MIXED "nothing\r\n", "{\"name\":\"\",\"type\":"
	    "\"multipart/mixed\",\"size\":0,\"unreadable\":\"broken\"}\n");
	finds("Content-Type: multipart/mixed\r\n\r\nx",
	    "{\"name\":\"\",\"type\":\"multipart/mixed\",\"size\":0,"
	    "\"unreadable\":\"broken\"}\ntext x\n");
}
END_TEST

/* ---- archives ---------------------------------------------------------- */

struct pack {
	struct archive *a;
	char *out;
	size_t used;
};

static void
pack_begin(struct pack *p, int format)
{
	p->out = g_malloc(1 << 20);
	p->a = archive_write_new();
	ck_assert_int_eq(archive_write_set_format(p->a, format), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_set_bytes_in_last_block(p->a, 1),
	    ARCHIVE_OK);
	ck_assert_int_eq(archive_write_open_memory(p->a, p->out, 1 << 20,
	    &p->used), ARCHIVE_OK);
}

static void
pack_add(struct pack *p, const char *name, const void *data, size_t n)
{
	struct archive_entry *e = archive_entry_new();
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t was = uselocale(utf8);

	archive_entry_set_pathname(e, name);
	archive_entry_set_size(e, (int64_t)n);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	ck_assert_int_eq(archive_write_header(p->a, e), ARCHIVE_OK);
	ck_assert_int_eq(archive_write_data(p->a, data, n), (la_ssize_t)n);
	archive_entry_free(e);
	(void)uselocale(was);
	freelocale(utf8);
}

static void
pack_end(struct pack *p)
{
	ck_assert_int_eq(archive_write_free(p->a), ARCHIVE_OK);
}

static char *
mail_with(const char *name, const char *p, size_t n)
{
	char *b64 = g_base64_encode((const guchar *)p, n);
	char *mail = g_strdup_printf("Content-Type: a/b; name=%s\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n%s\r\n", name, b64);

	g_free(b64);
	return mail;
}

static void
finds_file(const struct limits *lim, const char *name, const char *p,
    size_t n, const char *want)
{
	char *mail = mail_with(name, p, n);
	char *all = g_strdup_printf("{\"name\":\"%s\",\"type\":\"a/b\","
	    "\"size\":%zu%s", name, n, want);

	finds_in(lim, mail, strlen(mail), all);
	g_free(mail);
	g_free(all);
}

START_TEST(archives_are_opened_by_name_or_content)
{
	static const int formats[] = { ARCHIVE_FORMAT_ZIP,
		ARCHIVE_FORMAT_7ZIP, ARCHIVE_FORMAT_TAR_USTAR };
	unsigned i;

	for (i = 0; i < G_N_ELEMENTS(formats); i++) {
		struct pack p;

		pack_begin(&p, formats[i]);
		pack_add(&p, "d/ö.exe", "MZ", 2);
		pack_add(&p, "n.txt", "words", 5);
		pack_end(&p);
		finds_file(&usual, "photo.jpg", p.out, p.used, "}\n"
		    "{\"name\":\"ö.exe\",\"type\":\"\",\"size\":2,"
		    "\"archive\":\"photo.jpg\"}\n"
		    "{\"name\":\"n.txt\",\"type\":\"\",\"size\":5,"
		    "\"archive\":\"photo.jpg\"}\ntext words\n");
		g_free(p.out);
	}
}
END_TEST

START_TEST(archives_in_archives_are_opened_to_a_depth)
{
	struct limits shallow = usual;
	struct pack p, q, r;
	int i;

	pack_begin(&p, ARCHIVE_FORMAT_ZIP);
	pack_add(&p, "a.exe", "MZ", 2);
	pack_end(&p);
	pack_begin(&q, ARCHIVE_FORMAT_7ZIP);
	pack_add(&q, "in.zip", p.out, p.used);
	pack_end(&q);
	pack_begin(&r, ARCHIVE_FORMAT_ZIP);
	pack_add(&r, "mid.7z", q.out, q.used);
	pack_end(&r);
	shallow.depth = 2;
	for (i = 0; i < 2; i++) {
		char *want = g_strdup_printf("}\n{\"name\":\"mid.7z\","
		    "\"type\":\"\",\"size\":%zu,\"archive\":\"o.zip\"}\n"
		    "{\"name\":\"in.zip\",\"type\":\"\",\"size\":%zu,"
		    "\"archive\":\"o.zip/mid.7z\"%s", q.used, p.used, i == 0 ?
		    "}\n{\"name\":\"a.exe\",\"type\":\"\",\"size\":2,"
		    "\"archive\":\"o.zip/mid.7z/in.zip\"}\n" :
		    ",\"unreadable\":\"limit\"}\n");

		finds_file(i == 0 ? &usual : &shallow, "o.zip", r.out, r.used,
		    want);
		g_free(want);
	}
	g_free(p.out);
	g_free(q.out);
	g_free(r.out);
}
END_TEST

START_TEST(a_bomb_is_left_alone)
{
	char *zeros = g_malloc0(4 << 20);
	struct pack p;

	pack_begin(&p, ARCHIVE_FORMAT_ZIP);
	pack_add(&p, "0", zeros, 4 << 20);
	pack_add(&p, "a.exe", "MZ", 2);
	pack_end(&p);
	finds_file(&usual, "b.zip", p.out, p.used, ",\"unreadable\":\"limit\""
	    "}\n{\"name\":\"0\",\"type\":\"\",\"size\":4194304,"
	    "\"archive\":\"b.zip\"}\n{\"name\":\"a.exe\",\"type\":\"\","
	    "\"size\":2,\"archive\":\"b.zip\"}\n");
	g_free(zeros);
	g_free(p.out);
}
END_TEST

START_TEST(what_an_archive_should_be_and_is_not_is_broken)
{
	finds_file(&usual, "a.zip", "PK\3\4xxxx", 8,
	    ",\"unreadable\":\"broken\"}\n");
	finds_file(&usual, "a.7z", "no archive", 10,
	    ",\"unreadable\":\"broken\"}\n");
	finds_file(&usual, "a.rar", "Rar!\x1a\7", 6,
	    ",\"unreadable\":\"unknown\"}\n");
	finds_file(&usual, "a.arj", "x", 1,
	    ",\"unreadable\":\"unknown\"}\n");
}
END_TEST

/* ---- limits ------------------------------------------------------------ */

START_TEST(above_its_parts_a_message_is_unreadable)
{
	struct limits lim = usual;
	GString *mail = g_string_new(MIXED), *want = g_string_new(NULL);
	int i;

	lim.parts = 3;
	for (i = 0; i < 3; i++)
		(void)g_string_append(mail, FILE_("; name=f"));
	for (i = 0; i < 2; i++)
		(void)g_string_append(want,
		    "{\"name\":\"f\",\"type\":\"a/b\",\"size\":1}\n");
	(void)g_string_append(want, "{\"name\":\"\",\"type\":\"a/b\","
	    "\"size\":0,\"unreadable\":\"limit\"}\n");
	lim.parts = 3;
	finds_in(&lim, mail->str, mail->len, want->str);
	(void)g_string_free(mail, TRUE);
	(void)g_string_free(want, TRUE);
}
END_TEST

START_TEST(a_header_without_end_costs_no_memory)
{
	GString *mail = g_string_new("Content-Type: a/b; name=");
	char *said;
	size_t i;

	for (i = 0; i < 400000; i++)
		g_string_append_c(mail, 'x');
	(void)g_string_append(mail, "\r\n\r\nbody");
	said = look(&usual, mail->str, mail->len, mail->len);
	ck_assert_msg(strstr(said, "\"unreadable\":\"limit\"") != NULL, "%s",
	    said);
	ck_assert_uint_lt(strlen(said), 4000);
	g_free(said);
	(void)g_string_free(mail, TRUE);
}
END_TEST

START_TEST(text_above_its_limit_is_cut)
{
	struct limits lim = usual;

	lim.text = 4;
	finds_in(&lim, "\r\nabcé", 7, "text abc\ncut\n");
	finds_in(&lim, "\r\nabcd", 6, "text abcd\n");
}
END_TEST

START_TEST(the_processor_is_not_theirs)
{
	struct limits lim = usual;
	char *said;
	GString *mail = g_string_new(MIXED PART);
	size_t i;

	lim.cpu = 0;
	for (i = 0; i < 200000; i++)
		(void)g_string_append(mail, "\r\n");
	said = look(&lim, mail->str, mail->len, mail->len);
	ck_assert_msg(strstr(said, "failed: looking into the message takes "
	    "too long") != NULL, "%s", said);
	g_free(said);
	(void)g_string_free(mail, TRUE);
}
END_TEST

UNIT_SUITE(mime)
{
	tcase_add_test(tc, text_without_a_type_is_text);
	tcase_add_test(tc, parts_are_found_by_their_boundaries);
	tcase_add_test(tc, an_outer_boundary_ends_what_is_inside);
	tcase_add_test(tc, parts_behind_the_last_boundary_are_seen);
	tcase_add_test(tc, names_are_what_any_program_could_read);
	tcase_add_test(tc, nuls_in_a_name_do_not_end_it);
	tcase_add_test(tc, transfer_encodings_are_taken_off);
	tcase_add_test(tc, text_becomes_utf_8_whatever_it_says);
	tcase_add_test(tc, html_is_what_is_shown_of_it);
	tcase_add_test(tc, nested_messages_are_opened);
	tcase_add_test(tc, uuencoded_files_are_found_in_text);
	tcase_add_test(tc, what_is_never_closed_ends_with_the_message);
	tcase_add_test(tc, a_multipart_without_parts_is_broken);
	tcase_add_test(tc, archives_are_opened_by_name_or_content);
	tcase_add_test(tc, archives_in_archives_are_opened_to_a_depth);
	tcase_add_test(tc, a_bomb_is_left_alone);
	tcase_add_test(tc, what_an_archive_should_be_and_is_not_is_broken);
	tcase_add_test(tc, above_its_parts_a_message_is_unreadable);
	tcase_add_test(tc, a_header_without_end_costs_no_memory);
	tcase_add_test(tc, text_above_its_limit_is_cut);
	tcase_add_test(tc, the_processor_is_not_theirs);
}
